/* cose_fuzz.c: signed statements: tagged and untagged read the same; a statement that verifies is one of the seeds. */
#include "evidence/snp/uvm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct cose_sign1 *x, const struct cose_sign1 *y)
{
    if (x->alg != y->alg || x->chain_count != y->chain_count || !bytes_equal(x->payload, y->payload)
        || !bytes_equal(x->issuer, y->issuer) || !bytes_equal(x->protected_map, y->protected_map))
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zero[96];
    struct cose_ledger ledger = { LIT("ledger"), LIT("kid"), BYTES(zero) };
    struct cose_sign1 m, bare;
    struct cose_receipt r;
    struct snp_uvm u;
    struct arena a;
    struct err e = { 0 };

    arena_init(&a, 16 << 20);
    if (!cose_parse(bytes_of(data, size), "statement", &m, &e)) {
        if (e.code == ERR_NONE || e.why[0] == 0)
            __builtin_trap();
    } else {
        e = (struct err){ 0 };
        if (data[0] == 0xd2) {
            if (!cose_parse(bytes_of(data + 1, size - 1), "statement", &bare, &e))
                __builtin_trap();
            same(&m, &bare);
        }
        if (cose_receipt_verify(&m, &ledger, 1, &a, &r, &e)) /* nobody has this key */
            __builtin_trap();
        (void)!snp_uvm_read(bytes_of(data, size), NULL, &a, &u, &e);
    }
    arena_done(&a);
    return 0;
}
