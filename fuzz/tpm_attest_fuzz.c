/* tpm_attest_fuzz.c: TPMS_ATTEST: the sizes of the parts add up to the whole. */
#include "evidence/tpm/attest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct err e = { 0 };
    struct tpm_attest t;
    size_t fixed = 4 + 2 + 2 + 2 + 8 + 4 + 4 + 1 + 8;

    if (!tpm_attest_parse(in, ERR_QUOTE_FORMAT, "quote", &t, &e)) {
        if (e.code != ERR_QUOTE_FORMAT && e.code != ERR_TPM_VERSION)
            __builtin_trap();
        return 0;
    }
    if (t.type == TPM_ATTEST_QUOTE) {
        if (t.select_count > TPM_BANKS || fixed + t.signer.n + t.extra.n + 4 + 2 + t.pcr_digest.n + 4 * t.select_count > size)
            __builtin_trap();
    } else if (fixed + t.signer.n + t.extra.n + 2 + t.name.n + 2 + t.qualified_name.n != size) {
        __builtin_trap();
    }
    return 0;
}
