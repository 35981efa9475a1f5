/* verify.c: the verification algorithm of evidence-snp section 3, in its order. */
#include "evidence/snp/snp_priv.h"
#include "evidence/snp/uvm.h"

#include <inttypes.h>

#define WHAT "SEV-SNP report"

/* Step 8. Versions 1 and 2 carry no CPUID: there the certificate's product name must fit its CA. */
static bool check_line(const struct snp_report *r, const struct snp_leaf *leaf, const struct verify_env *env,
                       struct err *e)
{
    static const struct rule known = { "processor line", "evidence-snp 1.5", WHAT, ERR_UNSUPPORTED_PRODUCT };
    static const struct rule same = { "processor line of report and certificate", "evidence-snp 3 step 8", WHAT,
                                      ERR_PRODUCT_MISMATCH };
    enum snp_line line = snp_report_line(r);
    struct bytes name = leaf->product;

    if (line == SNP_LINE_UNKNOWN) {
        for (size_t i = 0; i < name.n; i++)
            if (name.p[i] == '-')
                name.n = i;
        return leaf->product.n == 0
            || check_text(env->checks, &same, bytes_str(snp_line_name(leaf->line)), name, e);
    }
    return check_true(env->checks, &known, line < SNP_LINES, "Milan, Genoa or Turin",
                      arena_printf(env->a, "CPUID family 0x%02x model 0x%02x%s", r->family, r->model,
                                   line == SNP_VENICE ? " (Venice)" : ""), e)
        && check_text(env->checks, &same, bytes_str(snp_line_name(leaf->line)), bytes_str(snp_line_name(line)), e);
}

/* Step 9: over the bytes as received, never over a structure put together again. */
static bool check_signature(const struct snp_report *r, const struct snp_leaf *leaf, const struct verify_env *env,
                            struct err *e)
{
    static const struct rule rule = { "report signature", "evidence-snp 1.6, 3 step 9", WHAT, ERR_REPORT_SIGNATURE };
    uint8_t raw[96];
    bool ok = snp_report_signature(r, raw) && key_verify(leaf->key, SIG_ES384, SIG_RAW, r->signed_part, BYTES(raw));

    return check_fact(env->checks, &rule, ok, "made by the key of the certificate",
                      "another key's signature, or another report's", e);
}

/* Step 10. */
static bool check_chip(const struct snp_report *r, const struct snp_leaf *leaf, const struct verify_env *env,
                       struct err *e)
{
    static const struct rule masked = { "chip id is given", "evidence-snp 3 step 10", WHAT, ERR_CHIP_ID_MASKED };
    static const struct rule same = { "chip id is the certificate's hwID", "evidence-snp 3 step 10", WHAT,
                                      ERR_CHIP_ID_MISMATCH };
    static const struct rule rest = { "chip id behind the hwID is zero", "evidence-snp 3 step 10", WHAT,
                                      ERR_CHIP_ID_MISMATCH };
    bool zero = bytes_all_zero(r->chip_id);
    size_t n = leaf->hwid.n;

    if (leaf->kind == SNP_VLEK) {
        check_skip(env->checks, &same, zero ? "a VLEK is not bound to a chip" : "a VLEK report with a chip id");
        return true;
    }
    if (zero && env->settings->snp.allow_masked_chip_id) {
        check_skip(env->checks, &masked, "masked, and the settings accept that");
        return true;
    }
    return check_fact(env->checks, &masked, !zero, "the id of the chip", "masked by the host", e)
        && check_bytes(env->checks, &same, leaf->hwid, bytes_part(r->chip_id, 0, n), e)
        && check_fact(env->checks, &rest, bytes_all_zero(bytes_part(r->chip_id, n, 64 - n)), "zero bytes",
                      "a byte that is not zero", e);
}

static bool check_tcb(const struct rule *rule, struct snp_tcb expected, struct snp_tcb actual, bool ok,
                      enum snp_line line, const struct verify_env *env, struct err *e)
{
    if (ok && env->checks == NULL)
        return true;
    return check_true(env->checks, rule, ok, snp_tcb_text(expected, line, env->a),
                      snp_tcb_text(actual, line, env->a), e);
}

/* Step 11: the signing key was derived for exactly the reported TCB. */
static bool check_binding(struct snp_tcb reported, const struct snp_leaf *leaf, const struct verify_env *env,
                          struct err *e)
{
    static const struct rule rule = { "reported TCB is the certificate's", "evidence-snp 3 step 11", WHAT,
                                      ERR_TCB_MISMATCH };
    bool same = snp_tcb_at_least(reported, leaf->spl) && snp_tcb_at_least(leaf->spl, reported);

    return check_tcb(&rule, leaf->spl, reported, same, leaf->line, env, e);
}

static bool version_at_least(struct snp_version a, struct snp_version b)
{
    unsigned x = (unsigned)a.major << 16 | (unsigned)a.minor << 8 | a.build;
    unsigned y = (unsigned)b.major << 16 | (unsigned)b.minor << 8 | b.build;

    return x >= y;
}

/* Step 12. */
static bool check_order(const struct snp_report *r, enum snp_line line, const struct verify_env *env, struct err *e)
{
    static const struct rule committed = { "reported TCB is not above the committed", "evidence-snp 3 step 12", WHAT,
                                           ERR_TCB_ORDER };
    static const struct rule current = { "committed TCB is not above the current", "evidence-snp 3 step 12", WHAT,
                                         ERR_TCB_ORDER };
    static const struct rule launch = { "launch TCB is not above the current", "evidence-snp 3 step 12", WHAT,
                                        ERR_TCB_ORDER };
    static const struct rule version = { "committed firmware is not above the current", "evidence-snp 3 step 12",
                                         WHAT, ERR_TCB_ORDER };
    static const struct rule provisional = { "firmware is committed", "evidence-snp 3 step 12", WHAT,
                                             ERR_PLATFORM_REFUSED };
    struct snp_tcb rep = snp_tcb_read(r->reported_tcb, line), com = snp_tcb_read(r->committed_tcb, line);
    struct snp_tcb cur = snp_tcb_read(r->current_tcb, line), lau = snp_tcb_read(r->launch_tcb, line);

    if (r->version < 2) {
        check_skip(env->checks, &committed, "version 1 reports carry only the reported TCB");
        return true;
    }
    if (!check_tcb(&committed, com, rep, snp_tcb_at_least(com, rep), line, env, e)
        || !check_tcb(&current, cur, com, snp_tcb_at_least(cur, com), line, env, e)
        || !check_tcb(&launch, cur, lau, snp_tcb_at_least(cur, lau), line, env, e)
        || !check_true(env->checks, &version, version_at_least(r->current, r->committed),
                       arena_printf(env->a, "at most %u.%u.%u", r->current.major, r->current.minor, r->current.build),
                       arena_printf(env->a, "%u.%u.%u", r->committed.major, r->committed.minor, r->committed.build), e))
        return false;
    return !env->settings->snp.refuse_provisional
        || check_tcb(&provisional, cur, com, snp_tcb_at_least(com, cur), line, env, e);
}

/* Step 13. */
static bool check_minimum(struct snp_tcb reported, enum snp_line line, const struct verify_env *env, struct err *e)
{
    static const struct rule rule = { "minimum TCB", "evidence-snp 3 step 13", WHAT, ERR_TCB_TOO_OLD };
    const uint8_t *m = env->settings->snp.min_tcb[line];
    struct snp_tcb least = { .fmc = m[0], .bl = m[1], .tee = m[2], .snp = m[3], .ucode = m[4] };

    return check_tcb(&rule, least, reported, snp_tcb_at_least(reported, least), line, env, e);
}

/* Steps 14 and 15. */
static bool check_guest_policy(const struct snp_report *r, const struct verify_env *env, struct err *e)
{
    static const struct rule debug = { "debugging is off", "evidence-snp 3 step 14", WHAT, ERR_DEBUG_ENABLED };
    static const struct rule abi = { "firmware ABI that the policy asks for", "evidence-snp 3 step 14", WHAT,
                                     ERR_PLATFORM_REFUSED };
    static const struct rule agent = { "migration agent", "evidence-snp 3 step 15", WHAT, ERR_MIGRATION_AGENT };
    struct snp_version asked = { (uint8_t)(r->policy >> 8), (uint8_t)r->policy, 0 };
    bool has_agent = false;

    for (size_t i = 0; i < r->report_id_ma.n; i++)
        has_agent |= r->report_id_ma.p[i] != 0xff;
    if (r->version >= 2 && !version_at_least(r->current, asked))
        check_skip(env->checks, &abi, "the policy asks for a newer ABI than the firmware has");
    if ((r->policy & SNP_POLICY_DEBUG) != 0 && !env->settings->snp.refuse_debug)
        check_skip(env->checks, &debug, "it is on; left to the policy by the claim is-debuggable");
    else if (!check_fact(env->checks, &debug, (r->policy & SNP_POLICY_DEBUG) == 0, "off", "on", e))
        return false;
    return check_fact(env->checks, &agent, !has_agent || (r->policy & SNP_POLICY_MIGRATE_MA) != 0,
                      "absent, or allowed by the policy", "present and not allowed", e);
}

static bool verify_with(struct snp_evidence *ev, const struct snp_leaf *leaf, const struct verify_env *env,
                        struct err *e)
{
    struct snp_tcb reported = snp_tcb_read(ev->report.reported_tcb, leaf->line);

    if (!check_line(&ev->report, leaf, env, e) || !check_signature(&ev->report, leaf, env, e)
        || !check_chip(&ev->report, leaf, env, e) || !check_binding(reported, leaf, env, e)
        || !check_order(&ev->report, leaf->line, env, e) || !check_minimum(reported, leaf->line, env, e)
        || !check_guest_policy(&ev->report, env, e))
        return false;
    ev->line = leaf->line;
    ev->key = leaf->kind;
    ev->reported = reported;
    ev->csp_id = leaf->csp.n == 0 ? leaf->csp : arena_copy(env->a, leaf->csp);
    return true;
}

/* The block tells nothing that the report does not, but proves who signed it: its key's digest alone names nobody. */
static bool check_id_block(struct snp_evidence *ev, const struct verify_env *env, struct err *e)
{
    static const struct rule both = { "ID block with its authentication", "evidence-snp 3.2", WHAT, ERR_ID_BLOCK_FORMAT };
    struct snp_id id;

    if (ev->id_block.n == 0 && ev->id_auth.n == 0)
        return true;
    if (!check_fact(env->checks, &both, ev->id_block.n > 0 && ev->id_auth.n > 0, "both structures",
                    ev->id_block.n > 0 ? "the block alone" : "the authentication alone", e)
        || !snp_id_verify(ev->id_block, ev->id_auth, env->checks, &id, e)
        || !snp_id_check(ev->id_block, &id, &ev->report, env->checks, e))
        return false;
    ev->id_verified = true;
    return true;
}

bool snp_evidence_verify(struct snp_evidence *ev, const struct verify_env *env, struct err *e)
{
    struct snp_chain chain = { NULL };
    bool ok;

    if (!snp_report_check(&ev->report, env->settings->allow_snp_v1, env->checks, e)
        || !snp_chain_verify(ev, env, &chain, e))
        return false;
    ok = verify_with(ev, chain.leaf, env, e);
    snp_chain_done(&chain, env->memo);
    return ok && check_id_block(ev, env, e) && snp_uvm_verify(ev, env, e);
}
