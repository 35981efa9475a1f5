/* claims.c: claims of a verified report (evidence-snp section 4.3, claims.md section 3). */
#include "codec/json.h"
#include "evidence/snp/hcl.h"
#include "evidence/snp/snp_priv.h"
#include "evidence/snp/uvm.h"

/* Name and place of the claims that are bytes of the report. */
static const struct {
    const char *name;
    size_t at;
} hex_rows[] = {
    { "x-ms-sevsnpvm-authorkeydigest", offsetof(struct snp_report, author_key_digest) },
    { "x-ms-sevsnpvm-familyId", offsetof(struct snp_report, family_id) },
    { "x-ms-sevsnpvm-hostdata", offsetof(struct snp_report, host_data) },
    { "x-ms-sevsnpvm-idkeydigest", offsetof(struct snp_report, id_key_digest) },
    { "x-ms-sevsnpvm-imageId", offsetof(struct snp_report, image_id) },
    { "x-ms-sevsnpvm-launchmeasurement", offsetof(struct snp_report, measurement) },
    { "x-ms-sevsnpvm-reportdata", offsetof(struct snp_report, report_data) },
    { "x-ms-sevsnpvm-reportid", offsetof(struct snp_report, report_id) },
};

/* Name and bit of the claims that are bits of the guest policy; the last six are in tokens from 2026 on. */
static const struct {
    const char *name;
    uint64_t bit;
} policy_rows[] = {
    { "x-ms-sevsnpvm-is-debuggable", SNP_POLICY_DEBUG },
    { "x-ms-sevsnpvm-migration-allowed", SNP_POLICY_MIGRATE_MA },
    { "x-ms-sevsnpvm-smt-allowed", SNP_POLICY_SMT },
    { "x-ms-sevsnpvm-singlesocket", SNP_POLICY_SINGLE_SOCKET },
    { "x-ms-sevsnpvm-cxl-allowed", SNP_POLICY_CXL_ALLOW },
    { "x-ms-sevsnpvm-mem-aes256-xts-required", SNP_POLICY_MEM_AES_256_XTS },
    { "x-ms-sevsnpvm-rapl-disabled", SNP_POLICY_RAPL_DIS },
    { "x-ms-sevsnpvm-ciphertext-hiding-dram-enabled", SNP_POLICY_CIPHERTEXT_HIDING },
    { "x-ms-sevsnpvm-page-swap-disabled", SNP_POLICY_PAGE_SWAP_DISABLE },
};

/* The SVNs are those of the *reported* TCB: a real request and its token say so. */
void snp_report_claims(const struct snp_report *r, struct snp_tcb reported, struct claims *ret)
{
    for (size_t i = 0; i < COUNT(hex_rows); i++)
        claims_hex(ret, hex_rows[i].name, CLAIM_TO_BOTH,
                   *(const struct bytes *)(const void *)((const char *)r + hex_rows[i].at));
    for (size_t i = 0; i < COUNT(policy_rows); i++)
        claims_bool(ret, policy_rows[i].name, CLAIM_TO_BOTH, (r->policy & policy_rows[i].bit) != 0);
    claims_int(ret, "x-ms-sevsnpvm-bootloader-svn", CLAIM_TO_BOTH, reported.bl);
    claims_int(ret, "x-ms-sevsnpvm-tee-svn", CLAIM_TO_BOTH, reported.tee);
    claims_int(ret, "x-ms-sevsnpvm-snpfw-svn", CLAIM_TO_BOTH, reported.snp);
    claims_int(ret, "x-ms-sevsnpvm-microcode-svn", CLAIM_TO_BOTH, reported.ucode);
    claims_int(ret, "x-ms-sevsnpvm-guestsvn", CLAIM_TO_BOTH, r->guest_svn);
    claims_int(ret, "x-ms-sevsnpvm-vmpl", CLAIM_TO_BOTH, r->vmpl);
}

/* Our own, never under the prefix of others: always for the policy, for the token where the operator wants it.
 * The chip id stays out, it names one machine. */
static void extra_claims(const struct snp_evidence *ev, unsigned use, struct claims *ret)
{
    const struct snp_report *r = &ev->report;

    claims_str(ret, "avouch-snp-product", use, bytes_str(snp_line_name(ev->line)));
    claims_int(ret, "avouch-snp-report-version", use, r->version);
    claims_str(ret, "avouch-snp-signing-key", use, ev->key == SNP_VLEK ? LIT("vlek") : LIT("vcek"));
    claims_hex(ret, "avouch-snp-current-tcb", use, r->current_tcb);
    claims_hex(ret, "avouch-snp-committed-tcb", use, r->committed_tcb);
    claims_hex(ret, "avouch-snp-launch-tcb", use, r->launch_tcb);
    claims_int(ret, "avouch-snp-platform-info", use, (int64_t)(r->platform_info & INT64_MAX));
    if (ev->line == SNP_TURIN)
        claims_int(ret, "avouch-snp-fmc-svn", use, ev->reported.fmc);
    if (r->has_mitigations) {
        claims_int(ret, "avouch-snp-launch-mitigations", use, (int64_t)(r->launch_mit & INT64_MAX));
        claims_int(ret, "avouch-snp-current-mitigations", use, (int64_t)(r->current_mit & INT64_MAX));
    }
    if (ev->id_verified)
        claims_bool(ret, "avouch-snp-id-block-verified", use, true);
    if (ev->csp_id.n > 0)
        claims_str(ret, "avouch-snp-csp-id", use, ev->csp_id);
}

void snp_evidence_claims(const struct snp_evidence *ev, const struct verify_env *env, struct bytes runtime,
                         struct claims *ret)
{
    const char *status = snp_compliance(ev, env, runtime);

    snp_report_claims(&ev->report, ev->reported, ret);
    if (status != NULL)
        claims_str(ret, "x-ms-compliance-status", CLAIM_TO_BOTH | CLAIM_READ_ONLY, bytes_str(status));
    if (ev->endorsed != NULL && ev->endorsed->svn_is_integer)
        claims_int(ret, "x-ms-sevsnpvm-guestsvn-int", CLAIM_TO_BOTH, ev->endorsed->svn);
    extra_claims(ev, env->settings->extra_claims ? CLAIM_TO_BOTH : CLAIM_TO_POLICY, ret);
}

struct bytes snp_isolation_json(const struct snp_evidence *ev, const struct verify_env *env, struct bytes runtime,
                                struct arena *a)
{
    struct err ignored = { .code = ERR_NONE };
    struct claims c = claims_open(a);
    struct jobj o = jobj_open(a);
    const struct json *j;
    struct out text = out_open(a);

    snp_evidence_claims(ev, env, runtime, &c);
    jobj_text(&o, "x-ms-attestation-type", "sevsnpvm");
    if (runtime.n > 0 && json_parse(runtime, JSON_DEPTH, "runtime data", a, &j, &ignored)) {
        json_print(&text, j, true);
        jobj_json(&o, "x-ms-runtime", out_view(&text));
    }
    claims_to_object(&c, CLAIM_TO_TOKEN, &o);
    return jobj_print(&o, true);
}
