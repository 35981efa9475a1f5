/* td_quote_fuzz.c: TD quotes: the door takes TDX only, and the TD report is part of what is signed. */
#include "evidence/tdx/tdx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tdx_evidence *ev;
    struct arena a;
    struct err e = { 0 };

    arena_init(&a, 16 << 20);
    if (!tdx_evidence_parse(bytes_of(data, size), &a, &ev, &e)) {
        if (e.code == ERR_NONE || e.why[0] == 0)
            __builtin_trap();
    } else {
        const struct quote *q = &ev->quote;

        if (q->tee != TEE_TDX || ev->td.raw.p < q->signed_part.p
            || ev->td.raw.p + ev->td.raw.n != q->signed_part.p + q->signed_part.n
            || ev->td.is_15 != (ev->td.raw.n == TDX15_BODY_SIZE) || ev->td.report_data.n != 64)
            __builtin_trap();
    }
    arena_done(&a);
    return 0;
}
