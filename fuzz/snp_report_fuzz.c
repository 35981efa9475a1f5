/* snp_report_fuzz.c: attestation reports: exactly 1184 bytes are read, every view lies inside, the check explains itself. */
#include "evidence/snp/snp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct bytes b, const uint8_t *data, size_t size)
{
    if (b.p < data || b.p + b.n > data + size)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snp_report r;
    struct err e = { 0 };
    uint8_t raw[96];

    if (snp_report_parse(bytes_of(data, size), &r, &e) != (size == SNP_REPORT_SIZE))
        __builtin_trap();
    if (size != SNP_REPORT_SIZE)
        return 0;
    inside(r.chip_id, data, size);
    inside(r.s, data, size);
    inside(r.signed_part, data, size);
    (void)snp_report_signature(&r, raw);
    (void)snp_report_line(&r);
    if (!snp_report_check(&r, true, NULL, &e) && (e.code == ERR_NONE || e.why[0] == 0))
        __builtin_trap();
    return 0;
}
