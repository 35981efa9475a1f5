/* crl_fuzz.c: revocation lists in their three forms. What is read must be countable to the end. */
#include "crypto/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct crl c;
    struct err e = { 0 };

    arena_init(&a, 4 << 20);
    if (crl_read(bytes_of(data, size), "CRL", &a, &c, &e)) {
        (void)crl_count(&c);
        if (crl_lists(&c, LIT("no such serial number in the world")))
            __builtin_trap();
    } else if (e.code == ERR_NONE) {
        __builtin_trap();
    }
    arena_done(&a);
    return 0;
}
