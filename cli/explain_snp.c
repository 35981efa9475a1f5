/* explain_snp.c: AMD's and the paravisor's structures, field by field. */
#include "cli/explain.h"

#include "evidence/snp/hcl.h"
#include "evidence/snp/snp_priv.h"
#include "evidence/snp/uvm.h"

static const struct bit_name policy_bits[] = {
    { 16, "SMT: simultaneous multithreading allowed" },
    { 17, "reserved, must be one" },
    { 18, "MIGRATE_MA: migration agent allowed" },
    { 19, "DEBUG: the host may debug the guest" },
    { 20, "SINGLE_SOCKET: one socket only" },
    { 21, "CXL_ALLOW: CXL devices or memory allowed" },
    { 22, "MEM_AES_256_XTS: memory must be encrypted with AES-256-XTS" },
    { 23, "RAPL_DIS: running average power limit must be off" },
    { 24, "CIPHERTEXT_HIDING_DRAM: must be on" },
    { 25, "PAGE_SWAP_DISABLE: page move and swap commands off" },
};

static const struct bit_name platform_bits[] = {
    { 0, "SMT_EN" },
    { 1, "TSME_EN" },
    { 2, "ECC_EN" },
    { 3, "RAPL_DIS" },
    { 4, "CIPHERTEXT_HIDING_DRAM_EN" },
    { 5, "ALIAS_CHECK_COMPLETE" },
    { 7, "TIO_EN" },
};

static const struct bit_name key_bits_[] = {
    { 0, "an author key signed the ID key" },
    { 1, "MASK_CHIP_KEY" },
};

static void print_tcb(struct page *p, const char *name, struct bytes eight, enum snp_line line)
{
    enum snp_line as = line < SNP_LINES || line == SNP_VENICE ? line : SNP_MILAN;

    page_line(p, name, "%s", snp_tcb_text(snp_tcb_read(eight, as), as, p->a));
}

static void print_policy(struct page *p, uint64_t policy)
{
    page_line(p, "lowest firmware ABI", "%u.%u", (unsigned)(policy >> 8 & 255), (unsigned)(policy & 255));
    page_bits(p, "guest policy", policy & ~UINT64_C(0xffff), policy_bits, COUNT(policy_bits));
}

static void print_keys(struct page *p, const struct snp_report *r)
{
    static const char *const names[] = { "VCEK", "VLEK", "reserved", "reserved", "reserved", "reserved", "reserved", "none" };

    page_line(p, "signing key", "%s", names[snp_report_key(r)]);
    page_bits(p, "key info", r->key_info & ~UINT32_C(0x1c), key_bits_, COUNT(key_bits_));
    page_hex(p, "ID key digest", r->id_key_digest);
    page_hex(p, "author key digest", r->author_key_digest);
}

static void print_versions(struct page *p, const struct snp_report *r, enum snp_line line)
{
    print_tcb(p, "reported TCB", r->reported_tcb, line);
    print_tcb(p, "committed TCB", r->committed_tcb, line);
    print_tcb(p, "current TCB", r->current_tcb, line);
    print_tcb(p, "launch TCB", r->launch_tcb, line);
    page_line(p, "current firmware", "%u.%u build %u", r->current.major, r->current.minor, r->current.build);
    page_line(p, "committed firmware", "%u.%u build %u", r->committed.major, r->committed.minor, r->committed.build);
    if (r->has_mitigations) {
        page_line(p, "launch mitigations", "0x%llx", (unsigned long long)r->launch_mit);
        page_line(p, "current mitigations", "0x%llx", (unsigned long long)r->current_mit);
    }
}

static void print_report(struct page *p, const struct snp_report *r)
{
    enum snp_line line = snp_report_line(r);

    page_line(p, "version", "%u", r->version);
    page_line(p, "processor line", "%s", snp_line_name(line));
    if (r->has_cpuid)
        page_line(p, "CPUID", "family 0x%02x, model 0x%02x, stepping %u", r->family, r->model, r->stepping);
    page_line(p, "guest SVN", "%u", r->guest_svn);
    print_policy(p, r->policy);
    page_hex(p, "family id", r->family_id);
    page_hex(p, "image id", r->image_id);
    if (r->vmpl == UINT32_MAX)
        page_line(p, "VMPL", "0xffffffff: the host asked for this report");
    else
        page_line(p, "VMPL", "%u", r->vmpl);
    page_line(p, "signature algorithm", "%u%s", r->signature_algo, r->signature_algo == 1 ? " (ECDSA P-384, SHA-384)" : "");
    page_bits(p, "platform info", r->platform_info, platform_bits, COUNT(platform_bits));
    print_keys(p, r);
    page_hex(p, "report data", r->report_data);
    page_hex(p, "measurement", r->measurement);
    page_hex(p, "host data", r->host_data);
    page_hex(p, "report id", r->report_id);
    page_hex(p, "migration agent's report id", r->report_id_ma);
    page_hex(p, "chip id", r->chip_id);
    print_versions(p, r, line);
    page_hex(p, "signature R (little-endian)", r->r);
    page_hex(p, "signature S (little-endian)", r->s);
}

/* -- report, alone or with a certificate table -- */

static bool is_report(struct bytes in)
{
    return in.n >= SNP_REPORT_SIZE && in.p[0] >= 1 && in.p[0] <= 9 && bytes_all_zero(bytes_part(in, 1, 3))
        && in.p[0x34] == 1 && bytes_all_zero(bytes_part(in, 0x35, 3));
}

static bool explain_table(struct bytes in, struct page *p, struct err *e)
{
    struct snp_certtable t;

    if (!snp_certtable_parse(in, &t, e))
        return false;
    page_line(p, "entries", "%zu", t.entries);
    if (t.vcek.n > 0)
        page_certs(p, "VCEK", t.vcek);
    if (t.vlek.n > 0)
        page_certs(p, "VLEK", t.vlek);
    if (t.ask.n > 0)
        page_certs(p, "ASK or ASVK", t.ask);
    if (t.ark.n > 0)
        page_certs(p, "ARK", t.ark);
    if (t.host_cpuid.n > 0)
        page_hex(p, "CPUID of the host", t.host_cpuid);
    return true;
}

static bool explain_report(struct bytes in, struct page *p, struct err *e)
{
    struct snp_report r;

    if (!snp_report_parse(bytes_part(in, 0, SNP_REPORT_SIZE), &r, e))
        return false;
    print_report(p, &r);
    if (in.n == SNP_REPORT_SIZE)
        return true;
    page_heading(p, "certificate table behind the report");
    return explain_table(bytes_part(in, SNP_REPORT_SIZE, in.n), p, e);
}

static bool is_table(struct bytes in)
{
    static const uint8_t vcek[] = { 0x63, 0xda, 0x75, 0x8d }, vlek[] = { 0xa8, 0x07, 0x4b, 0xc2 },
                         ask[] = { 0x4a, 0xb7, 0xb3, 0x79 }, ark[] = { 0xc0, 0xb4, 0x06, 0xa4 };
    struct bytes head = bytes_part(in, 0, 4);

    return bytes_equal(head, BYTES(vcek)) || bytes_equal(head, BYTES(vlek)) || bytes_equal(head, BYTES(ask))
        || bytes_equal(head, BYTES(ark));
}

/* -- HCL report -- */

static bool is_hcl(struct bytes in)
{
    return bytes_equal(bytes_part(in, 0, 4), LIT("HCLA"));
}

static bool explain_hcl(struct bytes in, struct page *p, struct err *e)
{
    static const char *const types[] = { "invalid", "VBS", "SEV-SNP", "trusted VM", "TDX" };
    static const char *const requests[] = { "unknown", "key release", "AK certificate", "wrapped key" };
    struct hcl_report h;
    struct digest d;

    if (!hcl_parse(in, &h, e))
        return false;
    d = hash(h.hash, h.runtime);
    page_line(p, "version", "%u", h.version);
    page_line(p, "report size", "%u", h.report_size);
    page_line(p, "request type", "%u (%s)", h.request_type, h.request_type < 4 ? requests[h.request_type] : "unknown");
    page_line(p, "status", "%u", h.status);
    page_line(p, "hardware report type", "%u (%s)", h.report_type, h.report_type < 5 ? types[h.report_type] : "unknown");
    page_line(p, "hash of the runtime data", "%s", hash_name(h.hash));
    page_hex(p, "computed", digest_bytes(&d));
    page_text(p, "runtime data", h.runtime);
    return page_nested(p, "hardware report", h.hardware, e);
}

/* -- the REST member -- */

static const struct json *member_of_text(struct bytes in, struct arena *a, const char *name)
{
    struct err ignored = { .code = ERR_NONE };
    const struct json *j;

    return json_parse(in, 32, "text", a, &j, &ignored) ? json_member_nocase(j, name) : NULL;
}

static bool is_rest(struct bytes in)
{
    struct arena a;
    bool yes = false;

    if (!bytes_contain(in, LIT("{")) || in.n > ((size_t)1 << 20))
        return false;
    arena_init(&a, (size_t)16 << 20);
    yes = member_of_text(in, &a, "SnpReport") != NULL;
    arena_done(&a);
    return yes;
}

static bool explain_rest(struct bytes in, struct page *p, struct err *e)
{
    struct snp_evidence *ev;

    if (!snp_evidence_parse(in, p->a, &ev, e) || !page_nested(p, "SnpReport", ev->report.raw, e))
        return false;
    for (size_t i = 0; i < ev->cert_count; i++)
        page_certs(p, "VcekCertChain", ev->certs[i].der);
    for (size_t i = 0; i < ev->uvm_count; i++)
        if (!page_nested(p, "Endorsements.Uvm", ev->uvm[i], e))
            return false;
    return true;
}

/* -- endorsements -- */

static bool is_cose(struct bytes in)
{
    struct err ignored = { .code = ERR_NONE };
    struct cose_sign1 m;

    return in.n > 8 && (in.p[0] == 0xd2 || in.p[0] == 0x84) && cose_parse(in, "statement", &m, &ignored);
}

static bool explain_cose(struct bytes in, struct page *p, struct err *e)
{
    struct cose_sign1 m;
    struct snp_uvm u;
    struct err why = { .code = ERR_NONE };

    if (!cose_parse(in, "statement", &m, e))
        return false;
    page_text(p, "algorithm", bytes_str(sig_alg_name(m.alg)));
    page_text(p, "issuer", m.issuer);
    page_text(p, "feed", m.feed);
    if (m.has_time)
        page_time(p, "signed at", m.time);
    if (m.has_svn)
        page_line(p, "SVN", "%lld", (long long)m.svn);
    if (m.content_type.n > 0)
        page_text(p, "content type", m.content_type);
    if (m.has_payload_hash)
        page_line(p, "payload is a hash, COSE", "%lld", (long long)m.payload_hash);
    if (m.content_type.n > 0)
        page_text(p, "payload", m.payload);
    else
        page_hex(p, "payload", m.payload);
    for (size_t i = 0; i < m.chain_count; i++)
        page_certs(p, "x5chain", m.x5chain[i]);
    if (snp_uvm_read(in, NULL, p->a, &u, &why))
        page_hex(p, "endorses the measurement", u.measurement);
    else
        page_text(p, "no endorsement", bytes_str(why.why));
    return true;
}

const struct explainer explain_snp[] = {
    { "SEV-SNP attestation report", is_report, explain_report },
    { "SEV-SNP certificate table", is_table, explain_table },
    { "HCL report of a paravisor", is_hcl, explain_hcl },
    { "SevSnpVm evidence", is_rest, explain_rest },
    { "signed statement (COSE_Sign1)", is_cose, explain_cose },
};
const size_t explain_snp_count = COUNT(explain_snp);
