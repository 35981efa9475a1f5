/* openenclave.c: the row of /attest/OpenEnclave: a report with its 16-byte header, or evidence with a
 * 32-byte header and custom claims, around the same quote (section 7). */
#include "evidence/sgx/sgx.h"

#include "base/cur.h"

#define WHAT "Open Enclave evidence"

enum format {
    FORMAT_REPORT,     /* 7.1 */
    FORMAT_SGX_ECDSA,  /* quote, then custom claims */
    FORMAT_RAW_QUOTE,
};

static const struct {
    uint8_t uuid[16];
    enum format format;
    const char *refuse; /* NULL: accepted here */
} formats[] = {
    { { 0xa3, 0xa2, 0x1e, 0x87, 0x1b, 0x4d, 0x40, 0x14, 0xb7, 0x0a, 0xa1, 0x25, 0xd2, 0xfb, 0xcd, 0x8c }, FORMAT_SGX_ECDSA, NULL },
    { { 0xc8, 0x30, 0x34, 0x54, 0xd9, 0x23, 0x4c, 0x2c, 0xa6, 0x91, 0xdf, 0x7d, 0xef, 0x46, 0x0a, 0x76 }, FORMAT_REPORT, NULL },
    { { 0x19, 0x23, 0xd9, 0x1e, 0x12, 0xd2, 0x4c, 0x72, 0xb2, 0x20, 0x25, 0xcd, 0x8d, 0xac, 0xe8, 0x71 }, FORMAT_RAW_QUOTE, NULL },
    { { 0x8b, 0xa7, 0x02, 0x86, 0xc1, 0xcf, 0x11, 0xed, 0xaf, 0xa1, 0x02, 0x42, 0xac, 0x12, 0x00, 0x02 }, FORMAT_RAW_QUOTE, "a TDX quote; send it to /attest/TdxVm" },
    { { 0x09, 0x26, 0x8c, 0x33, 0x6e, 0x0b, 0x45, 0xe5, 0x8a, 0x27, 0x15, 0x64, 0x4d, 0x0e, 0xf8, 0x9a }, FORMAT_RAW_QUOTE, "a local report, which only the same machine can verify" },
    { { 0xf2, 0x28, 0xaa, 0x3f, 0xde, 0x4d, 0x49, 0xd3, 0x88, 0x4c, 0xb2, 0xaa, 0x87, 0xa5, 0x0d, 0xa6 }, FORMAT_RAW_QUOTE, "an EPID quote" },
    { { 0x5c, 0x35, 0xd2, 0x90, 0xa2, 0xc2, 0x4c, 0x55, 0x9e, 0x13, 0x5a, 0xd7, 0x32, 0x74, 0x6c, 0x88 }, FORMAT_RAW_QUOTE, "an EPID quote" },
};

/* Table 7.1. */
static bool report_header(struct bytes in, struct bytes *ret_quote, struct err *e)
{
    struct cur c = cur_open(in);
    uint32_t version = cur_u32le(&c, "version"), type = cur_u32le(&c, "report type");
    uint64_t size = cur_u64le(&c, "report size");

    if (!cur_check(&c, ERR_FORMAT, WHAT, e))
        return false;
    if (version != 1)
        return err_set(e, ERR_UNSUPPORTED_VERSION, WHAT, "report header version is %u, 1 is supported", version);
    if (type != 2)
        return err_set(e, ERR_FORMAT, WHAT, "report type is %u, 2 (remote) is expected", type);
    if (size != cur_left(&c))
        return err_set(e, ERR_FORMAT, WHAT, "report size is %llu, %zu bytes follow the header", (unsigned long long)size,
                       cur_left(&c));
    *ret_quote = cur_rest(&c);
    return true;
}

/* Table 7.2. */
static bool evidence_header(struct bytes in, enum format *ret_format, struct bytes *ret_data, struct err *e)
{
    struct cur c = cur_open(in);
    struct bytes uuid;
    uint64_t size;

    cur_skip(&c, 4, "version");
    uuid = cur_take(&c, 16, "format UUID");
    cur_skip(&c, 4, "padding");
    size = cur_u64le(&c, "data size");
    if (!cur_check(&c, ERR_FORMAT, WHAT, e))
        return false;
    if (size != cur_left(&c))
        return err_set(e, ERR_FORMAT, WHAT, "data size is %llu, %zu bytes follow the header", (unsigned long long)size,
                       cur_left(&c));
    for (size_t i = 0; i < COUNT(formats); i++)
        if (bytes_equal(uuid, BYTES(formats[i].uuid))) {
            if (formats[i].refuse != NULL)
                return err_set(e, ERR_UNSUPPORTED_TEE, WHAT, "format is %s", formats[i].refuse);
            *ret_format = formats[i].format;
            *ret_data = cur_rest(&c);
            return true;
        }
    return err_set(e, ERR_FORMAT, WHAT, "format UUID begins %02x%02x%02x%02x, which is none of the known formats", uuid.p[0],
                   uuid.p[1], uuid.p[2], uuid.p[3]);
}

/* u64 version, u64 count, then name and value sizes, name with NUL, value (section 7.3). A buffer that
 * begins like the serialisation must be one; any other buffer is the enclave's own business. */
static bool custom_claims_check(struct bytes b, struct err *e)
{
    struct cur c = cur_open(b);
    uint64_t version = cur_u64le(&c, "custom claims version"), count = cur_u64le(&c, "custom claims count");

    if (!cur_ok(&c) || version != 1 || count > b.n / 16)
        return true;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t name_size = cur_u64le(&c, "claim name size"), value_size = cur_u64le(&c, "claim value size");
        struct bytes name = cur_take(&c, (size_t)name_size, "claim name");

        (void)cur_take(&c, (size_t)value_size, "claim value");
        if (!cur_check(&c, ERR_FORMAT, "custom claims", e))
            return false;
        if (name.n == 0 || name.p[name.n - 1] != 0)
            return err_set(e, ERR_FORMAT, "custom claims", "name %llu does not end in NUL", (unsigned long long)i);
    }
    return true;
}

/* What stands in front tells the three shapes apart (section 7.2). */
static bool unwrap(struct bytes in, enum format *ret_format, struct bytes *ret_data, struct err *e)
{
    static const uint8_t qe_vendor[4] = { 0x93, 0x9a, 0x72, 0x33 };
    struct cur c = cur_open(in);
    uint32_t version = cur_u32le(&c, "version");
    bool bare = version == 0x00020003 && bytes_equal(bytes_part(in, 12, 4), BYTES(qe_vendor));

    if (!cur_check(&c, ERR_FORMAT, WHAT, e))
        return false;
    *ret_format = FORMAT_RAW_QUOTE;
    *ret_data = in;
    if (bare)
        return true;
    *ret_format = FORMAT_REPORT;
    if (version == 1)
        return report_header(in, ret_data, e);
    if (version != 3)
        return err_set(e, ERR_UNSUPPORTED_VERSION, WHAT, "header version is %u; 1 (report) and 3 (evidence) are supported", version);
    if (!evidence_header(in, ret_format, ret_data, e))
        return false;
    return *ret_format != FORMAT_REPORT || report_header(*ret_data, ret_data, e);
}

static bool parse(const struct evidence_input *in, struct arena *a, void **ret, struct err *e)
{
    struct sgx_evidence *x = arena_new(a, struct sgx_evidence);
    enum format format;
    struct bytes data;

    if (x == NULL)
        return err_memory(e, WHAT);
    if (!unwrap(in->evidence, &format, &data, e) || !quote_parse(data, "SGX quote", &x->quote, e))
        return false;
    if (x->quote.tee != TEE_SGX)
        return err_set(e, ERR_UNSUPPORTED_TEE, WHAT, "TEE type is 0x%x (TDX); this door takes SGX (0)", x->quote.tee);
    if (format == FORMAT_SGX_ECDSA) {
        x->custom_claims = x->quote.trailing;
        x->custom_claims_bound = true;
        if (!custom_claims_check(x->custom_claims, e))
            return false;
    } else if (x->quote.trailing.n != 0) {
        return err_set(e, ERR_FORMAT, WHAT, "%zu bytes follow the quote inside the wrapper", x->quote.trailing.n);
    }
    if (!sgx_body_parse(x->quote.body, &x->body))
        return err_set(e, ERR_INTERNAL, WHAT, "report body is not 384 bytes");
    x->submitted = in->evidence;
    *ret = x;
    return true;
}

const struct evidence_kind evidence_openenclave = {
    .name = "OpenEnclave",
    .token = "sgx",
    .member = "report",
    .max_size = QUOTE_MAX_SIZE,
    .parse = parse,
    .needs = sgx_evidence_needs,
    .genuine = sgx_evidence_genuine,
    .verify = sgx_evidence_verify,
    .bound = sgx_evidence_bound,
    .claims = sgx_evidence_claims,
    .status = sgx_evidence_status,
    .tcb_sets = true,
};
