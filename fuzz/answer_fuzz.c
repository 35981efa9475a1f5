/* answer_fuzz.c: answers of sources, Azure's JSON among them, and what is made of them before they are kept. The first byte
 * chooses source and item. */
#include "collateral/answer.h"
#include "collateral/vet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const keys[] = {
    "sgx/pckcert?qeid=00000000000000000000000000000000&cpusvn=ffffffffffffffffffffffffffffffff&pcesvn=ffff&pceid=0000",
    "kds/vcek/v1/Milan/"
    "c38427a30d4c7af9d96f7a15b97269825a64cb76a2352ffd5d18115d89ad473f8e8c0bcd9a5d9286612bad4aadfb4426205a3b9e4fea82301135a170e477524e"
    "?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115",
    "kds/vcek/v1/Milan/cert_chain",
    "kds/vcek/v1/Genoa/crl",
    "sgx/qve/identity",
};
static const enum source_kind kinds[] = { SOURCE_PCCS, SOURCE_THIM, SOURCE_THIM_AMD, SOURCE_KDS };

/* The body; behind a NUL perhaps the issuer chain, and behind another one SGX-TCBm. */
static struct net_answer answer_of(struct bytes in)
{
    struct net_answer n = { .came = true, .status = 200, .body = in };
    const uint8_t *cut = in.n == 0 ? NULL : memchr(in.p, 0, in.n);

    if (cut == NULL || in.p[0] == 0x30)
        return n;
    n.body.n = (size_t)(cut - in.p);
    n.chain = bytes_part(in, n.body.n + 1, in.n);
    cut = n.chain.n == 0 ? NULL : memchr(n.chain.p, 0, n.chain.n);
    if (cut == NULL)
        return n;
    n.tcbm = bytes_part(n.chain, (size_t)(cut - n.chain.p) + 1, n.chain.n);
    n.chain.n = (size_t)(cut - n.chain.p);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct net_answer n = answer_of(bytes_of(data + (size > 0), size - (size > 0)));
    uint8_t choice = size > 0 ? data[0] : 0;
    struct record r = { .source = LIT("fuzz"), .fetched = 1767225600 };
    struct need_key k;
    struct vetted v;
    struct err e = { .code = ERR_NONE };
    struct arena a;

    if (!need_key_parse(bytes_str(keys[choice % COUNT(keys)]), &k, &e))
        __builtin_trap();
    arena_init(&a, 64 << 20);
    if (!answer_read(kinds[choice / COUNT(keys) % COUNT(kinds)], &k, &n, &a, &r, &e)) {
        if (e.code == ERR_NONE || r.count != 0)
            __builtin_trap(); /* refused without a reason, or half of it was taken over */
    } else {
        if (r.count == 0 || r.count > 2 || (k.form == NEED_PCK && (r.count != 2 || r.bodies[1].n == 0)))
            __builtin_trap();
        if (!vet_record(&k, &r, NULL, false, 1767225600, &v, &e) && e.code == ERR_NONE)
            __builtin_trap();
    }
    arena_done(&a);
    return 0;
}
