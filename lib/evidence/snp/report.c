/* report.c: ATTESTATION_REPORT (SEV-SNP firmware ABI 56860, table 23; evidence-snp section 1). */
#include "evidence/snp/snp.h"

#include "base/cur.h"

#include <inttypes.h>
#include <stdio.h>

#define WHAT "SEV-SNP report"

const char *snp_line_name(enum snp_line line)
{
    static const char *const names[] = {
        [SNP_MILAN] = "Milan", [SNP_GENOA] = "Genoa", [SNP_TURIN] = "Turin", [SNP_LINES] = "?",
        [SNP_VENICE] = "Venice", [SNP_LINE_UNKNOWN] = "unknown",
    };

    return names[line];
}

/* Reserved and signed: remembered, never refused, since real firmware is ahead of its documents. */
static void reserved(struct cur *c, size_t n, struct snp_report *r)
{
    if (!bytes_all_zero(cur_take(c, n, "reserved")))
        r->signed_reserved_set = true;
}

static struct snp_version take_version(struct cur *c, const char *field, struct snp_report *r)
{
    struct snp_version v;

    v.build = cur_u8(c, field);
    v.minor = cur_u8(c, field);
    v.major = cur_u8(c, field);
    reserved(c, 1, r);
    return v;
}

/* 0x180 to 0x1a0: what stands behind the reported TCB depends on the version. */
static void take_cpuid(struct cur *c, struct snp_report *r)
{
    r->has_cpuid = r->version >= 3;
    if (!r->has_cpuid) {
        reserved(c, 24, r);
        return;
    }
    r->family = cur_u8(c, "CPUID family");
    r->model = cur_u8(c, "CPUID model");
    r->stepping = cur_u8(c, "CPUID stepping");
    reserved(c, 21, r);
}

/* 0x1f8 to 0x2a0. */
static void take_mitigations(struct cur *c, struct snp_report *r)
{
    r->has_mitigations = r->version >= 5;
    if (!r->has_mitigations) {
        reserved(c, 168, r);
        return;
    }
    r->launch_mit = cur_u64le(c, "launch mitigation vector");
    r->current_mit = cur_u64le(c, "current mitigation vector");
    reserved(c, 152, r);
}

/* The lines are the layout, in its order (evidence-snp table 1.1). */
bool snp_report_parse(struct bytes in, struct snp_report *ret, struct err *e)
{
    struct cur c = cur_open(in);
    struct snp_report r = { .raw = in };

    if (in.n != SNP_REPORT_SIZE)
        return err_set(e, ERR_REPORT_LENGTH, WHAT, "report length is %zu bytes, exactly %d are expected", in.n,
                       SNP_REPORT_SIZE);
    r.signed_part = bytes_part(in, 0, SNP_SIGNED_SIZE);
    r.version = cur_u32le(&c, "version");
    r.guest_svn = cur_u32le(&c, "guest SVN");
    r.policy = cur_u64le(&c, "policy");
    r.family_id = cur_take(&c, 16, "family id");
    r.image_id = cur_take(&c, 16, "image id");
    r.vmpl = cur_u32le(&c, "VMPL");
    r.signature_algo = cur_u32le(&c, "signature algorithm");
    r.current_tcb = cur_take(&c, 8, "current TCB");
    r.platform_info = cur_u64le(&c, "platform info");
    r.key_info = cur_u32le(&c, "key info");
    reserved(&c, 4, &r);
    r.report_data = cur_take(&c, 64, "report data");
    r.measurement = cur_take(&c, 48, "measurement");
    r.host_data = cur_take(&c, 32, "host data");
    r.id_key_digest = cur_take(&c, 48, "ID key digest");
    r.author_key_digest = cur_take(&c, 48, "author key digest");
    r.report_id = cur_take(&c, 32, "report id");
    r.report_id_ma = cur_take(&c, 32, "migration agent's report id");
    r.reported_tcb = cur_take(&c, 8, "reported TCB");
    take_cpuid(&c, &r);
    r.chip_id = cur_take(&c, 64, "chip id");
    r.committed_tcb = cur_take(&c, 8, "committed TCB");
    r.current = take_version(&c, "current version", &r);
    r.committed = take_version(&c, "committed version", &r);
    r.launch_tcb = cur_take(&c, 8, "launch TCB");
    take_mitigations(&c, &r);
    r.r = cur_take(&c, 72, "signature R");
    r.s = cur_take(&c, 72, "signature S");
    cur_skip(&c, 368, "reserved");
    if (!cur_close(&c, ERR_REPORT_LENGTH, WHAT, e))
        return false;
    *ret = r;
    return true;
}

enum snp_signing_key snp_report_key(const struct snp_report *r)
{
    return (enum snp_signing_key)(r->key_info >> 2 & 7);
}

static bool check_version(const struct snp_report *r, bool allow_v1, struct checks *list, struct err *e)
{
    static const struct rule rule = { "report version", "evidence-snp 1.8 step 2", WHAT, ERR_UNSUPPORTED_VERSION };
    uint32_t least = allow_v1 ? 1 : 2;
    char expected[32], actual[16];

    snprintf(expected, sizeof(expected), "%" PRIu32 " to %d", least, SNP_MAX_VERSION);
    snprintf(actual, sizeof(actual), "%" PRIu32, r->version);
    return check_true(list, &rule, r->version >= least && r->version <= SNP_MAX_VERSION, expected, actual, e);
}

static bool check_policy(const struct snp_report *r, struct checks *list, struct err *e)
{
    static const struct rule one = { "guest policy bit 17 is one", "evidence-snp 1.8 step 4", WHAT,
                                     ERR_POLICY_RESERVED_BIT };
    static const struct rule zero = { "guest policy bits 26 to 63 are zero", "evidence-snp 1.8 step 5", WHAT,
                                      ERR_POLICY_RESERVED_BIT };
    char actual[24];

    snprintf(actual, sizeof(actual), "0x%016" PRIx64, r->policy);
    return check_true(list, &one, (r->policy & SNP_POLICY_RESERVED_ONE) != 0, "bit 17 set", actual, e)
        && check_true(list, &zero, (r->policy & ~SNP_POLICY_KNOWN) == 0, "none of them set", actual, e);
}

static bool check_key_info(const struct snp_report *r, struct checks *list, struct err *e)
{
    static const struct rule none = { "report is signed", "evidence-snp 1.8 step 6", WHAT, ERR_REPORT_NOT_SIGNED };
    static const struct rule known = { "signing key", "evidence-snp 1.8 step 6", WHAT, ERR_UNSUPPORTED_SIGNING_KEY };
    enum snp_signing_key key = snp_report_key(r);
    char actual[24];

    snprintf(actual, sizeof(actual), "key info 0x%08" PRIx32, r->key_info);
    return check_fact(list, &none, key != SNP_KEY_NONE, "signed by VCEK or VLEK", "signing key 7 (none)", e)
        && check_true(list, &known, r->key_info >> 5 == 0 && (key == SNP_VCEK || key == SNP_VLEK),
                      "0 (VCEK) or 1 (VLEK), bits 5 to 31 zero", actual, e);
}

static bool check_vmpl(const struct snp_report *r, struct checks *list, struct err *e)
{
    static const struct rule guest = { "the guest asked for the report", "evidence-snp 1.8 step 9", WHAT,
                                       ERR_HOST_REQUESTED_REPORT };
    static const struct rule range = { "VMPL", "evidence-snp 1.8 step 9", WHAT, ERR_VMPL_RANGE };
    char actual[16];

    snprintf(actual, sizeof(actual), "%" PRIu32, r->vmpl);
    return check_fact(list, &guest, r->vmpl != UINT32_MAX, "VMPL 0 to 3", "0xffffffff, the host's own request", e)
        && check_true(list, &range, r->vmpl <= 3, "0 to 3", actual, e);
}

bool snp_report_check(const struct snp_report *r, bool allow_v1, struct checks *list, struct err *e)
{
    static const struct rule algo = { "signature algorithm", "evidence-snp 1.8 step 3", WHAT,
                                      ERR_UNSUPPORTED_SIGNATURE_ALGORITHM };
    static const struct rule tail = { "unsigned bytes 0x330 to 0x49f are zero", "evidence-snp 1.8 step 7", WHAT,
                                      ERR_RESERVED_NOT_ZERO };
    static const struct rule ahead = { "signed reserved bytes are zero", "evidence-snp 1.8 step 8", WHAT, ERR_FORMAT };

    if (!check_version(r, allow_v1, list, e) || !check_uint(list, &algo, 1, r->signature_algo, e)
        || !check_policy(r, list, e) || !check_key_info(r, list, e)
        || !check_fact(list, &tail, bytes_all_zero(bytes_part(r->raw, 0x330, SNP_REPORT_SIZE - 0x330)),
                       "368 zero bytes", "a byte that is not zero", e))
        return false;
    if (r->signed_reserved_set)
        check_skip(list, &ahead, "they are not; accepted, since the signature covers them");
    return check_vmpl(r, list, e);
}

enum snp_line snp_report_line(const struct snp_report *r)
{
    static const struct {
        uint8_t family, first, last;
        enum snp_line line;
    } rows[] = {
        { 0x19, 0x00, 0x0f, SNP_MILAN },  { 0x19, 0x10, 0x1f, SNP_GENOA },  { 0x19, 0xa0, 0xaf, SNP_GENOA },
        { 0x1a, 0x00, 0x11, SNP_TURIN },  { 0x1a, 0x50, 0x57, SNP_VENICE }, { 0x1a, 0x90, 0x9f, SNP_VENICE },
        { 0x1a, 0xa0, 0xaf, SNP_VENICE }, { 0x1a, 0xc0, 0xc7, SNP_VENICE },
    };

    if (!r->has_cpuid)
        return SNP_LINE_UNKNOWN;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].family == r->family && rows[i].first <= r->model && r->model <= rows[i].last)
            return rows[i].line;
    return SNP_LINES; /* a processor nobody told us of */
}

static bool big_endian_48(struct bytes little, uint8_t *to)
{
    for (size_t i = 0; i < 48; i++)
        to[i] = little.p[47 - i];
    return bytes_all_zero(bytes_part(little, 48, 24));
}

bool snp_report_signature(const struct snp_report *r, uint8_t ret[96])
{
    bool fits_r = big_endian_48(r->r, ret), fits_s = big_endian_48(r->s, ret + 48);

    return fits_r && fits_s;
}
