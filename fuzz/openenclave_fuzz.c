/* openenclave_fuzz.c: Open Enclave wrappers, verified without collateral: never valid. */
#include "evidence/evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct evidence_kind *kind = evidence_kind_find(LIT("OpenEnclave"));
    struct evidence_input in = { .evidence = bytes_of(data, size) };
    struct settings s = settings_default();
    struct arena a;
    struct collateral none;
    struct claims claims;
    struct verify_env env;
    struct err e = { 0 };

    arena_init(&a, 8 << 20);
    none = collateral_open(&a);
    claims = claims_open(&a);
    env = (struct verify_env){ .now = 1650000000, .collateral = &none, .settings = &s, .a = &a };
    if (evidence_verify(kind, &in, &env, &claims, NULL, &e) || e.code == ERR_NONE)
        __builtin_trap();
    arena_done(&a);
    return 0;
}
