/* quote.c: the layouts of quote versions 3, 4 and 5 (tables 2.1 to 2.6). */
#include "evidence/sgx/sgx.h"

#include "base/cur.h"

static const uint8_t intel_qe_vendor[16] = {
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
};

bool sgx_body_parse(struct bytes raw, struct sgx_body *ret)
{
    struct cur c = cur_open(raw);
    struct sgx_body b = { .raw = raw };

    b.cpu_svn = cur_take(&c, 16, "CPUSVN");
    b.misc_select = cur_u32le(&c, "MISCSELECT");
    cur_skip(&c, 12, "reserved");
    b.isv_ext_prod_id = cur_take(&c, 16, "ISVEXTPRODID");
    b.attributes = cur_take(&c, 16, "ATTRIBUTES");
    b.mr_enclave = cur_take(&c, 32, "MRENCLAVE");
    cur_skip(&c, 32, "reserved");
    b.mr_signer = cur_take(&c, 32, "MRSIGNER");
    cur_skip(&c, 32, "reserved");
    b.config_id = cur_take(&c, 64, "CONFIGID");
    b.isv_prod_id = cur_u16le(&c, "ISVPRODID");
    b.isv_svn = cur_u16le(&c, "ISVSVN");
    b.config_svn = cur_u16le(&c, "CONFIGSVN");
    cur_skip(&c, 42, "reserved");
    b.isv_family_id = cur_take(&c, 16, "ISVFAMILYID");
    b.report_data = cur_take(&c, 64, "REPORTDATA");
    if (!cur_ok(&c) || cur_left(&c) != 0)
        return false;
    c = cur_open(b.attributes);
    b.flags = cur_u64le(&c, "ATTRIBUTES.FLAGS");
    *ret = b;
    return true;
}

/* Table 2.5; sig covers exactly the signature data. */
static void signature_v3(struct cur *sig, struct quote *q)
{
    q->sig = cur_take(sig, 64, "quote signature");
    q->ak = cur_take(sig, 64, "attestation key");
    q->qe_report = cur_take(sig, SGX_BODY_SIZE, "QE report");
    q->qe_report_sig = cur_take(sig, 64, "QE report signature");
    q->qe_auth = cur_take(sig, cur_u16le(sig, "QE authentication data size"), "QE authentication data");
    q->cert_type = cur_u16le(sig, "certification data type");
    q->cert_data = cur_take(sig, cur_u32le(sig, "certification data size"), "certification data");
}

/* Table 2.6: the QE report travels inside certification data of type 6. */
static bool signature_v4(struct cur *sig, const char *what, struct quote *q, struct err *e)
{
    uint16_t outer;
    struct cur in;

    q->sig = cur_take(sig, 64, "quote signature");
    q->ak = cur_take(sig, 64, "attestation key");
    outer = cur_u16le(sig, "certification data type");
    in = cur_sub(sig, cur_u32le(sig, "certification data size"), "certification data");
    if (cur_ok(&in) && outer != 6)
        return err_set(e, ERR_UNSUPPORTED_CERT_DATA, what, "certification data type is %u, version %u has 6", outer,
                       q->version);
    q->qe_report = cur_take(&in, SGX_BODY_SIZE, "QE report");
    q->qe_report_sig = cur_take(&in, 64, "QE report signature");
    q->qe_auth = cur_take(&in, cur_u16le(&in, "QE authentication data size"), "QE authentication data");
    q->cert_type = cur_u16le(&in, "inner certification data type");
    q->cert_data = cur_take(&in, cur_u32le(&in, "inner certification data size"), "inner certification data");
    return cur_close(&in, ERR_FORMAT, what, e);
}

static bool header_check(const struct quote *q, const char *what, struct err *e)
{
    if (q->version < 3 || q->version > 5)
        return err_set(e, ERR_UNSUPPORTED_VERSION, what, "version is %u; 3, 4 and 5 are supported", q->version);
    if (q->key_type != 2)
        return err_set(e, ERR_UNSUPPORTED_KEY_TYPE, what, "attestation key type is %u; 2 (ECDSA P-256) is supported",
                       q->key_type);
    if (q->tee != TEE_SGX && (q->tee != TEE_TDX || q->version == 3))
        return err_set(e, ERR_UNSUPPORTED_TEE, what, "TEE type is 0x%x; version %u has %s", q->tee, q->version,
                       q->version == 3 ? "0 (SGX)" : "0 (SGX) and 0x81 (TDX)");
    if (!bytes_equal(q->vendor, BYTES(intel_qe_vendor)))
        return err_set(e, ERR_UNKNOWN_QE_VENDOR, what, "QE vendor id begins %02x%02x%02x%02x, Intel's is 939a7233",
                       q->vendor.p[0], q->vendor.p[1], q->vendor.p[2], q->vendor.p[3]);
    return true;
}

/* Table 2.3: the descriptor of version 5, or what versions 3 and 4 imply. */
static bool body_size(struct cur *c, const struct quote *q, const char *what, size_t *ret, struct err *e)
{
    static const struct {
        uint16_t type;
        uint32_t tee;
        size_t size;
    } bodies[] = { { 1, TEE_SGX, SGX_BODY_SIZE }, { 2, TEE_TDX, TDX_BODY_SIZE }, { 3, TEE_TDX, TDX15_BODY_SIZE } };
    uint16_t type;
    uint32_t size;

    if (q->version < 5) {
        *ret = q->tee == TEE_TDX ? TDX_BODY_SIZE : SGX_BODY_SIZE;
        return true;
    }
    type = cur_u16le(c, "body type");
    size = cur_u32le(c, "body size");
    if (!cur_check(c, ERR_FORMAT, what, e))
        return false;
    for (size_t i = 0; i < COUNT(bodies); i++)
        if (bodies[i].type == type && bodies[i].tee == q->tee && bodies[i].size == size) {
            *ret = size;
            return true;
        }
    return err_set(e, ERR_FORMAT, what, "body type %u of %u bytes does not belong to TEE type 0x%x", type, size, q->tee);
}

bool quote_parse(struct bytes in, const char *what, struct quote *ret, struct err *e)
{
    struct cur c = cur_open(in), sig;
    struct quote q = { 0 };
    size_t size;

    q.version = cur_u16le(&c, "version");
    q.key_type = cur_u16le(&c, "attestation key type");
    q.tee = cur_u32le(&c, "TEE type");
    q.qe_svn = cur_u16le(&c, "QE SVN");
    q.pce_svn = cur_u16le(&c, "PCE SVN");
    q.vendor = cur_take(&c, 16, "QE vendor id");
    q.user_data = cur_take(&c, 20, "user data");
    if (!cur_check(&c, ERR_FORMAT, what, e) || !header_check(&q, what, e) || !body_size(&c, &q, what, &size, e))
        return false;
    q.body = cur_take(&c, size, "report body");
    q.signed_part = bytes_part(in, 0, c.at);
    sig = cur_sub(&c, cur_u32le(&c, "signature length"), "signature data");
    if (q.version == 3)
        signature_v3(&sig, &q);
    else if (!signature_v4(&sig, what, &q, e))
        return false;
    if (!cur_close(&sig, ERR_FORMAT, what, e))
        return false;
    q.used = bytes_part(in, 0, c.at);
    q.trailing = cur_rest(&c);
    *ret = q;
    return true;
}
