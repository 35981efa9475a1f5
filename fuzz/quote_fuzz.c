/* quote_fuzz.c: quotes of versions 3 to 5; the signed part and the used part stay within the input. */
#include "evidence/sgx/sgx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings s = settings_default();
    struct needs needs;
    struct arena a;
    struct quote q;
    struct err e = { 0 };

    arena_init(&a, 8 << 20);
    needs = needs_open(&a);
    if (!quote_parse(bytes_of(data, size), "quote", &q, &e)) {
        if (e.code == ERR_NONE)
            __builtin_trap();
    } else {
        if (q.used.p != data || q.used.n + q.trailing.n != size || q.signed_part.n + 4 > q.used.n)
            __builtin_trap();
        (void)!sgx_needs_of(&q, false, &s, &needs, &e);
    }
    arena_done(&a);
    return 0;
}
