/* snp_rest_fuzz.c: everything that the door of SevSnpVm takes: JSON, raw reports, tables, HCL reports. What was read
 * reads the same from its parts. */
#include "codec/json.h"
#include "evidence/snp/snp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings s = settings_default();
    struct snp_evidence *ev, *again;
    struct needs needs;
    struct arena a;
    struct err e = { 0 };

    arena_init(&a, 64 << 20);
    needs = needs_open(&a);
    if (!snp_evidence_parse(bytes_of(data, size), &a, &ev, &e)) {
        if (e.code == ERR_NONE || e.why[0] == 0)
            __builtin_trap();
    } else {
        struct jobj o = jobj_open(&a);

        if (ev->cert_count > SNP_MAX_CERTS || ev->uvm_count > 4)
            __builtin_trap();
        (void)!snp_evidence_needs(ev, &s, &needs, &e);
        jobj_b64url(&o, "SnpReport", ev->report.raw);
        if (!snp_evidence_parse(jobj_print(&o, false), &a, &again, &e)
            || !bytes_equal(again->report.raw, ev->report.raw))
            __builtin_trap();
    }
    arena_done(&a);
    return 0;
}
