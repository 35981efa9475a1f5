/* vbs_fuzz.c: VBS report packages: header, statement and signature are the whole. */
#include "evidence/vbs/vbs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    struct vbs_report r;
    struct claims c;
    struct arena a;

    arena_init(&a, 8 << 20);
    if (!vbs_report_parse(bytes_of(data, size), "report", &a, &r, &e)) {
        if (e.code != ERR_VBS_FORMAT && e.code != ERR_VBS_SCHEME)
            __builtin_trap();
    } else {
        if (24 + r.statement.n + r.signature.n != size || r.enclave_data.n != 64)
            __builtin_trap();
        c = claims_open(&a);
        vbs_report_claims(&r, &c);
    }
    arena_done(&a);
    return 0;
}
