/* tpm_public_fuzz.c: TPMT_PUBLIC and TPM2B_PUBLIC: both forms of an area give the same name. */
#include "base/out.h"
#include "evidence/tpm/attest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_wrapped(const struct tpm_public *p)
{
    uint8_t name[2 + HASH_MAX_SIZE];
    struct tpm_public again;
    struct arena a;
    struct out o;
    size_t n;

    if (p->area.n > UINT16_MAX || !tpm_public_name(p, name, &n))
        return;
    arena_init(&a, 1 << 20);
    o = out_open(&a);
    out_u8(&o, (uint8_t)(p->area.n >> 8));
    out_u8(&o, (uint8_t)p->area.n);
    out_bytes(&o, p->area);
    if (!tpm_public_parse(out_view(&o), ERR_FORMAT, "public", &again, NULL) || !tpm_public_named(&again, bytes_of(name, n)))
        __builtin_trap();
    arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    struct tpm_public p;
    AUTO_KEY k = NULL;

    if (!tpm_public_parse(bytes_of(data, size), ERR_FORMAT, "public", &p, &e)) {
        if (e.code != ERR_FORMAT)
            __builtin_trap();
        return 0;
    }
    (void)!tpm_public_check_ak(&p, "public", &e);
    if (tpm_public_key(&p, ERR_FORMAT, "public", &k, NULL) && !tpm_public_is_key(&p, k))
        __builtin_trap();
    check_wrapped(&p);
    return 0;
}
