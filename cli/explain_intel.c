/* explain_intel.c: Intel's quotes and the wrappers around them, field by field. */
#include "cli/explain.h"

#include "base/cur.h"
#include "evidence/tdx/tdx.h"

static const struct bit_name sgx_flags[] = {
    { 0, "INIT" },          { 1, "DEBUG" }, { 2, "MODE64BIT" },  { 4, "PROVISIONKEY" },
    { 5, "EINITTOKENKEY" }, { 6, "CET" },   { 7, "KSS" },        { 10, "AEXNOTIFY" },
};

static const struct bit_name td_bits[] = {
    { 0, "DEBUG" },
    { 4, "HGS+ profiling" },
    { 5, "performance profiling" },
    { 6, "PMT profiling" },
    { 16, "ICSSD" },
    { 17, "SERVTD_EXT" },
    { 27, "LASS" },
    { 28, "SEPT_VE_DISABLE" },
    { 29, "MIGRATABLE" },
    { 30, "PKS: protection keys" },
    { 31, "KL: key locker" },
    { 63, "PERFMON" },
};

/* XFAM and XFRM have the layout of XCR0 and IA32_XSS. */
static const struct bit_name xfeatures[] = {
    { 0, "x87" },        { 1, "SSE" },          { 2, "AVX" },     { 5, "AVX-512 opmask" }, { 6, "AVX-512 upper halves" },
    { 7, "AVX-512 high" }, { 8, "PT" },         { 9, "PKRU" },    { 10, "PASID" },         { 11, "CET user" },
    { 12, "CET supervisor" }, { 14, "UINTR" },  { 15, "LBR" },    { 17, "AMX tile configuration" }, { 18, "AMX tile data" },
};

static uint64_t number(struct bytes b)
{
    struct cur c = cur_open(b);

    return cur_u64le(&c, "number");
}

static void print_sgx_body(struct page *p, struct bytes raw)
{
    struct sgx_body b;

    if (!sgx_body_parse(raw, &b))
        return;
    page_hex(p, "CPUSVN", b.cpu_svn);
    page_line(p, "MISCSELECT", "0x%08x", b.misc_select);
    page_bits(p, "ATTRIBUTES.FLAGS", b.flags, sgx_flags, COUNT(sgx_flags));
    page_bits(p, "ATTRIBUTES.XFRM", number(bytes_part(b.attributes, 8, 8)), xfeatures, COUNT(xfeatures));
    page_hex(p, "MRENCLAVE", b.mr_enclave);
    page_hex(p, "MRSIGNER", b.mr_signer);
    page_line(p, "ISVPRODID", "%u", b.isv_prod_id);
    page_line(p, "ISVSVN", "%u", b.isv_svn);
    if ((b.flags & SGX_FLAG_KSS) != 0) {
        page_hex(p, "CONFIGID", b.config_id);
        page_line(p, "CONFIGSVN", "%u", b.config_svn);
        page_hex(p, "ISVEXTPRODID", b.isv_ext_prod_id);
        page_hex(p, "ISVFAMILYID", b.isv_family_id);
    }
    page_hex(p, "REPORTDATA", b.report_data);
}

static bool print_td_body(struct page *p, struct bytes raw, struct err *e)
{
    struct td_body b;

    if (!td_body_parse(raw, &b, e))
        return false;
    page_line(p, "TD report", "%s", b.is_15 ? "1.5" : "1.0");
    page_line(p, "TDX module", "version %u, SVN %u, SEAM microcode %u", td_module_major(b.tee_tcb_svn),
              td_module_svn(b.tee_tcb_svn), b.tee_tcb_svn.p[2]);
    page_hex(p, "TEE_TCB_SVN", b.tee_tcb_svn);
    page_hex(p, "MRSEAM", b.mr_seam);
    page_hex(p, "MRSIGNERSEAM", b.mr_signer_seam);
    page_hex(p, "SEAMATTRIBUTES", b.seam_attributes);
    page_bits(p, "TDATTRIBUTES", b.attributes, td_bits, COUNT(td_bits));
    page_bits(p, "XFAM", number(b.xfam), xfeatures, COUNT(xfeatures));
    page_hex(p, "MRTD", b.mr_td);
    page_hex(p, "MRCONFIGID", b.mr_config_id);
    page_hex(p, "MROWNER", b.mr_owner);
    page_hex(p, "MROWNERCONFIG", b.mr_owner_config);
    for (int i = 0; i < 4; i++)
        page_hex(p, arena_printf(p->a, "RTMR%d", i), b.rtmr[i]);
    page_hex(p, "REPORTDATA", b.report_data);
    if (b.is_15) {
        page_hex(p, "TEE_TCB_SVN2", b.tee_tcb_svn2);
        page_hex(p, "MRSERVICETD", b.mr_service_td);
    }
    return true;
}

static void print_pck(struct page *p, struct bytes pem)
{
    struct err ignored = { .code = ERR_NONE };
    struct pck_extension x;
    struct cert *list;
    size_t n;

    while (pem.n > 0 && pem.p[pem.n - 1] == 0)
        pem.n--;
    page_certs(p, "certification data", pem);
    if (!certs_read(pem, 16, "PCK", p->a, &list, &n, &ignored))
        return;
    for (size_t i = 0; i < n; i++)
        if (pck_extension_parse(&list[i], &x, &ignored)) {
            page_hex(p, "FMSPC", BYTES(x.fmspc));
            page_hex(p, "PCE-ID", BYTES(x.pce_id));
            page_hex(p, "component SVNs", BYTES(x.comp_svn));
            page_line(p, "PCESVN", "%u", x.pce_svn);
        }
}

/* -- quotes -- */

static bool is_quote(struct bytes in)
{
    static const uint8_t vendor[] = { 0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9 };

    return in.n >= 48 && in.p[0] >= 3 && in.p[0] <= 5 && in.p[1] == 0
        && bytes_equal(bytes_part(in, 12, sizeof(vendor)), BYTES(vendor));
}

static bool explain_quote(struct bytes in, struct page *p, struct err *e)
{
    struct quote q;

    if (!quote_parse(in, "quote", &q, e))
        return false;
    page_line(p, "version", "%u", q.version);
    page_line(p, "TEE", "0x%x (%s)", q.tee, q.tee == TEE_TDX ? "TDX" : "SGX");
    page_line(p, "attestation key type", "%u (ECDSA P-256)", q.key_type);
    page_hex(p, "QE vendor id", q.vendor);
    page_hex(p, "user data (QE id)", q.user_data);
    page_heading(p, q.tee == TEE_TDX ? "TD report" : "enclave report");
    p->indent++;
    if (q.tee == TEE_TDX && !print_td_body(p, q.body, e))
        return false;
    if (q.tee == TEE_SGX)
        print_sgx_body(p, q.body);
    p->indent--;
    page_hex(p, "quote signature", q.sig);
    page_hex(p, "attestation key", q.ak);
    page_heading(p, "quoting enclave's report");
    p->indent++;
    print_sgx_body(p, q.qe_report);
    p->indent--;
    page_hex(p, "QE report signature", q.qe_report_sig);
    page_hex(p, "QE authentication data", q.qe_auth);
    page_line(p, "certification data type", "%u", q.cert_type);
    if (q.cert_type == 5)
        print_pck(p, q.cert_data);
    if (q.trailing.n > 0)
        page_line(p, "bytes behind the quote", "%zu%s", q.trailing.n, bytes_all_zero(q.trailing) ? ", all zero" : "");
    return true;
}

/* -- Open Enclave's wrappers -- */

static bool is_oe_report(struct bytes in)
{
    return in.n > 16 && in.p[0] == 1 && bytes_all_zero(bytes_part(in, 1, 3)) && (in.p[4] == 1 || in.p[4] == 2)
        && bytes_all_zero(bytes_part(in, 5, 3)) && number(bytes_part(in, 8, 8)) == in.n - 16;
}

static bool explain_oe_report(struct bytes in, struct page *p, struct err *e)
{
    page_line(p, "report type", "%u (%s)", in.p[4], in.p[4] == 2 ? "remote" : "local");
    page_line(p, "report size", "%llu", (unsigned long long)number(bytes_part(in, 8, 8)));
    return page_nested(p, "report", bytes_part(in, 16, in.n), e);
}

static const struct {
    uint8_t uuid[16];
    const char *name;
} oe_formats[] = {
    { { 0xa3, 0xa2, 0x1e, 0x87, 0x1b, 0x4d, 0x40, 0x14, 0xb7, 0x0a, 0xa1, 0x25, 0xd2, 0xfb, 0xcd, 0x8c }, "SGX_ECDSA" },
    { { 0xc8, 0x30, 0x34, 0x54, 0xd9, 0x23, 0x4c, 0x2c, 0xa6, 0x91, 0xdf, 0x7d, 0xef, 0x46, 0x0a, 0x76 },
      "LEGACY_REPORT_REMOTE" },
    { { 0x19, 0x23, 0xd9, 0x1e, 0x12, 0xd2, 0x4c, 0x72, 0xb2, 0x20, 0x25, 0xcd, 0x8d, 0xac, 0xe8, 0x71 },
      "RAW_SGX_QUOTE_ECDSA" },
    { { 0x8b, 0xa7, 0x02, 0x86, 0xc1, 0xcf, 0x11, 0xed, 0xaf, 0xa1, 0x02, 0x42, 0xac, 0x12, 0x00, 0x02 }, "TDX quote" },
    { { 0x09, 0x26, 0x8c, 0x33, 0x6e, 0x0b, 0x45, 0xe5, 0x8a, 0x27, 0x15, 0x64, 0x4d, 0x0e, 0xf8, 0x9a }, "SGX local" },
};

static const char *oe_format(struct bytes in)
{
    for (size_t i = 0; i < COUNT(oe_formats); i++)
        if (bytes_equal(bytes_part(in, 4, 16), BYTES(oe_formats[i].uuid)))
            return oe_formats[i].name;
    return NULL;
}

static bool is_oe_evidence(struct bytes in)
{
    return in.n > 32 && in.p[0] == 3 && bytes_all_zero(bytes_part(in, 1, 3)) && oe_format(in) != NULL;
}

static bool explain_oe_evidence(struct bytes in, struct page *p, struct err *e)
{
    page_line(p, "format", "%s", oe_format(in));
    page_line(p, "data size", "%llu", (unsigned long long)number(bytes_part(in, 24, 8)));
    return page_nested(p, "data", bytes_part(in, 32, in.n), e);
}

const struct explainer explain_intel[] = {
    { "Intel quote", is_quote, explain_quote },
    { "Open Enclave report", is_oe_report, explain_oe_report },
    { "Open Enclave evidence", is_oe_evidence, explain_oe_evidence },
};
const size_t explain_intel_count = COUNT(explain_intel);
