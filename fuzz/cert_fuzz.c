/* cert_fuzz.c: certificates: PEM or DER, and every accessor of what was read. */
#include "crypto/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct cert *list;
    size_t n;
    struct err e = { 0 };

    arena_init(&a, 4 << 20);
    if (certs_read(bytes_of(data, size), 8, "certificate", &a, &list, &n, &e))
        for (size_t i = 0; i < n; i++) {
            struct key *k = NULL;
            struct bytes value;

            (void)name_text(list[i].subject, &a);
            (void)!cert_check_critical(&list[i], NULL, 0, ERR_CHAIN, "certificate", &e);
            (void)cert_extension(&list[i], LIT("\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01"), &value, NULL);
            if (key_from_spki(list[i].spki, "key", &k, &e))
                (void)cert_signed_by(&list[i], k);
            key_free(k);
        }
    else if (e.code == ERR_NONE)
        __builtin_trap(); /* refused without a reason */
    arena_done(&a);
    return 0;
}
