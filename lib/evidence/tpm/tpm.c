/* tpm.c: verification of a request in the order of evidence-tpm 12.5, and its claims. */
#include "evidence/tpm/tpm.h"

#include "base/cur.h"
#include "codec/b64.h"
#include "codec/der.h"
#include "evidence/tpm/akcert.h"
#include "evidence/tpm/tpm_priv.h"

#include <stdio.h>

/* clang-format off */
static const struct rule
    rule_fresh   = { "challenge",        "evidence-tpm 12.2", "challenge",   ERR_CHALLENGE_MISMATCH },
    rule_jws     = { "JWS signature",    "RFC 7515 5.2",      "request",     ERR_JWS_SIGNATURE },
    rule_aik     = { "AIK certificate",  "TCG 2.23.133.8.3",  "aik_cert",    ERR_AK_CERT_CHAIN },
    rule_quote   = { "quote",            "TPM 2.0 Part 3 18.4", "quote",     ERR_QUOTE_SIGNATURE },
    rule_pcrs    = { "required PCRs",    "settings",          "quote",       ERR_QUOTE_SELECTION },
    rule_bound   = { "request key",      "evidence-tpm 12.4", "request_key", ERR_KEY_BINDING },
    rule_log     = { "event log",        "TCG PFP 10",        "logs",        ERR_LOG_MISMATCH },
    rule_boot    = { "boot attestation", "evidence-tpm 12.4", "boot_attestation", ERR_BOOT_ATTESTATION },
    rule_vbs     = { "VBS report",       "evidence-vbs 3",    "vsm_report",  ERR_VBS_SIGNATURE };
/* clang-format on */

static bool check_jws(const struct tpm_request *rq, struct err *e)
{
    AUTO_KEY k = NULL;

    if (!tpm_jwk_key(&rq->request_key.jwk, rq->version == 1 ? "attest_key" : "request_key", &k, e))
        return false;
    /* A TPM may use a longer salt than PS256 has (RFC 7518 3.5): any is taken. */
    if (!key_verify(k, SIG_PS256_ANY_SALT, SIG_DER, rq->signing_input, rq->jws_signature))
        return err_set(e, ERR_JWS_SIGNATURE, "request", "the JWS signature does not verify with %s",
                       rq->version == 1 ? "attest_key" : "request_key");
    return true;
}

/* The certificate must be that of the key; whether it chains to a root is a claim, unless settings
 * want more. */
static bool check_aik_cert(struct tpm_request *rq, struct key *aik, const struct verify_env *env,
                           struct err *e)
{
    struct err chain = { .code = ERR_NONE };
    struct cert cert;

    if (rq->current->aik_cert.n == 0) {
        check_skip(env->checks, &rule_aik, "no AIK certificate is given");
    } else {
        if (!ak_cert_read(rq->current->aik_cert, "aik_cert", env->a, &cert, e)
            || !ak_cert_check_key(&cert, aik, "aik_cert", e))
            return false;
        rq->aik_valid = ak_cert_check_chain(&cert, NULL, 0, env, "aik_cert", &chain);
        if (chain.code == ERR_NO_MEMORY)
            return err_memory(e, "aik_cert");
        if (!rq->aik_valid)
            check_skip(env->checks, &rule_aik, arena_printf(env->a, "not validated: %s", chain.why));
        else if (!check_true(env->checks, &rule_aik, true, NULL, "chains to a trusted root", e))
            return false;
    }
    if (rq->aik_valid || !env->settings->require_valid_aik_cert)
        return true;
    return err_set(e, ERR_AK_CERT_CHAIN, "aik_cert", "this provider requires a valid AIK certificate: %s",
                   chain.code == ERR_NONE ? "none is given" : chain.why);
}

/* A PCR is required so that the log can be held against it: in a bank whose hash is not computed here, or in the
 * SHA-1 bank, it is as good as not quoted. */
static bool check_required_pcrs(const struct tpm_state *s, const struct verify_env *env, struct err *e)
{
    uint32_t have = 0, missing;

    for (size_t i = 0; i < s->pcrs.count; i++)
        if (s->pcrs.bank[i].bank->known
            && (s->pcrs.bank[i].bank->alg != TPM_SHA1 || env->settings->allow_sha1_quotes))
            have |= s->pcrs.bank[i].present;
    missing = env->settings->required_pcr_mask & ~have;
    if (missing == 0)
        return true;
    return check_true(env->checks, &rule_pcrs, false, "every PCR that the provider requires",
                      arena_printf(env->a, "PCR %d is not quoted", __builtin_ctz(missing)), e);
}

static bool check_quote(const struct tpm_request *rq, struct tpm_attestation *t, struct key *aik,
                        struct bytes nonce, bool any_nonce, const struct verify_env *env, struct err *e)
{
    struct tpm_quote_check q = {
        .attest = t->quote,
        .signature = t->signature,
        .key = aik,
        .claimed = &t->claimed,
        .exact = rq->version == 2,
        .nonce = nonce,
        .any_nonce = any_nonce,
        .form = t->sig_form,
        .allow_sha1 = env->settings->allow_sha1_quotes,
        .what = arena_printf(env->a, "%s.quote", t->what),
    };

    if (q.what == NULL)
        return err_memory(e, "quote");
    return check_step(env->checks, &rule_quote,
                      tpm_quote_verify(&q, &t->state.quote, &t->state.pcrs, e), q.what, e);
}

static bool check_logs(struct tpm_attestation *t, const struct verify_env *env, struct err *e)
{
    const char *what = arena_printf(env->a, "%s.logs", t->what);
    bool ok = true;

    if (what == NULL)
        return err_memory(e, "logs");
    for (size_t i = 0; ok && i < t->log_count; i++)
        ok = tpm_state_add(&t->state, t->logs[i].ima, t->logs[i].log, what, e);
    ok = ok && tpm_state_replay(&t->state, env->settings->allow_sha1_quotes, what, e);
    return check_step(env->checks, &rule_log, ok, what, e);
}

/* A TPM quote is always there, so a request key without a binding is an omission (version 1 binds
 * nothing). */
static bool check_is_bound(const struct tpm_request *rq, struct err *e)
{
    if (rq->version == 1 || rq->request_key.binding != TPM_BOUND_NOT)
        return true;
    return err_set(e, ERR_KEY_BINDING, "request_key",
                   "info is missing: the request key is not bound to the TPM");
}

static bool check_signing_public(const struct tpm_request *rq, struct err *e)
{
    struct tpm_public p;

    if (rq->request_key.binding != TPM_BOUND_CERTIFY)
        return true;
    if (!tpm_public_parse(rq->request_key.public, ERR_CERTIFY_FORMAT, "request_key", &p, e))
        return false;
    if ((p.attributes & TPM_SIGN) == 0)
        return err_set(e, ERR_CERTIFY_ATTRIBUTES, "request_key", "attributes are 0x%08x; sign must be set",
                       p.attributes);
    return true;
}

static bool check_binding(const struct tpm_request *rq, struct key *aik, struct bytes challenge,
                          const struct verify_env *env, struct err *e)
{
    bool ok = tpm_key_object_check(&rq->request_key, aik, challenge, "request_key", e)
           && check_signing_public(rq, e);

    return check_step(env->checks, &rule_bound, ok, rq->version == 1 ? "version 1 binds no key" : "bound", e);
}

static bool same_jwk(const struct tpm_jwk *a, const struct tpm_jwk *b)
{
    return bytes_equal(a->compact, b->compact);
}

/* Evidence-tpm 12.4: the state before a hibernation must be of the same cold boot of the same TPM. */
static bool check_same_boot(const struct tpm_request *rq, struct err *e)
{
    const struct tpm_state *now = &rq->current->state, *then = &rq->boot->state;
    struct win_boot a = tpm_win_boot(now), b = tpm_win_boot(then);

    if (now->quote.resets < then->quote.resets)
        return err_set(e, ERR_BOOT_ATTESTATION, rq->boot->what, "resetCount is %u at the boot and %u now",
                       then->quote.resets, now->quote.resets);
    if (a.has_boot_counter && b.has_boot_counter && a.boot_counter != b.boot_counter)
        return err_set(e, ERR_BOOT_ATTESTATION, rq->boot->what,
                       "BOOTCOUNTER is %llu at the boot and %llu now", (unsigned long long)b.boot_counter,
                       (unsigned long long)a.boot_counter);
    if (rq->resumed && !(a.has_transfer && a.transfer == 2))
        return err_set(e, ERR_BOOT_ATTESTATION, rq->boot->what,
                       "the current log shows no resume (TRANSFER_CONTROL 2)");
    return true;
}

static bool check_boot(struct tpm_request *rq, struct key *aik, const struct verify_env *env, struct err *e)
{
    static const struct bytes none;

    if (rq->boot == NULL)
        return true;
    if (!same_jwk(&rq->boot->aik_pub, &rq->current->aik_pub))
        return err_set(e, ERR_BOOT_ATTESTATION, rq->boot->what, "is made by another attestation key");
    if (!check_quote(rq, rq->boot, aik, none, true, env, e) || !check_logs(rq->boot, env, e))
        return false;
    return check_step(env->checks, &rule_boot, check_same_boot(rq, e), "same boot", e);
}

static bool verify_vbs(struct tpm_request *rq, const struct verify_env *env, struct err *e)
{
    struct bytes key = { NULL, 0 };

    if (!vbs_report_parse(rq->vsm_report, "vsm_report", env->a, &rq->report, e)
        || !tpm_vbs_key(&rq->current->state, &key, e))
        return false;
    if (key.n == 0 && rq->boot != NULL && !tpm_vbs_key(&rq->boot->state, &key, e))
        return false;
    if (key.n == 0)
        return err_set(e, ERR_VBS_KEY, "vsm_report",
                       "there is no VBS signing key (VSM_IDKS_INFO) in the quoted part of the log");
    return vbs_report_verify(&rq->report, key, "vsm_report", e)
        && vbs_report_check_data(&rq->report, rq->report_signed, "vsm_report", e);
}

static bool check_other_keys(const struct tpm_request *rq, struct key *aik, struct bytes challenge,
                             struct err *e)
{
    for (size_t i = 0; i < rq->other_count; i++) {
        AUTO_KEY usable = NULL;

        if (rq->other[i].binding == TPM_BOUND_QUOTE)
            return err_set(e, ERR_KEY_BINDING, "other_keys",
                           "tpm_quote is a binding that is not allowed there");
        if (!tpm_jwk_key(&rq->other[i].jwk, "other_keys", &usable, e)
            || !tpm_key_object_check(&rq->other[i], aik, challenge, "other_keys", e))
            return false;
    }
    return true;
}

static bool verify_tpm_part(struct tpm_request *rq, struct key *aik, struct bytes challenge,
                            const struct verify_env *env, struct err *e)
{
    struct digest nonce = tpm_key_object_nonce(&rq->request_key, challenge);

    return check_aik_cert(rq, aik, env, e) && check_is_bound(rq, e)
        && check_quote(rq, rq->current, aik, digest_bytes(&nonce), false, env, e)
        && check_required_pcrs(&rq->current->state, env, e) && check_binding(rq, aik, challenge, env, e)
        && check_logs(rq->current, env, e) && check_boot(rq, aik, env, e);
}

bool tpm_request_verify(struct tpm_request *rq, struct bytes challenge, const struct verify_env *env,
                        struct err *e)
{
    AUTO_KEY aik = NULL;

    if (!check_true(env->checks, &rule_fresh, secret_equal(rq->challenge, challenge),
                    "the challenge of the context", "that of the request", e)
        || !check_step(env->checks, &rule_jws, check_jws(rq, e), "PS256", e)
        || !tpm_jwk_key(&rq->current->aik_pub, "aik_pub", &aik, e))
        return false;
    if (!verify_tpm_part(rq, aik, challenge, env, e))
        return false;
    if (rq->vbs && !check_step(env->checks, &rule_vbs, verify_vbs(rq, env, e), "RSA-PSS", e))
        return false;
    if (!check_other_keys(rq, aik, challenge, e))
        return false;
    rq->aik_spki = key_spki(aik, env->a);
    if (env->a->failed)
        return err_memory(e, "request");
    rq->verified = true;
    return true;
}

/* -- claims -- */

static void add_custom(const struct tpm_request *rq, struct bytes iss, struct claims *ret)
{
    for (size_t i = 0; i < rq->custom_count; i++) {
        const struct tpm_custom *c = &rq->custom[i];
        struct claim claim = { .name = c->name,
                               .type = c->type,
                               .issuer = ISSUER_CUSTOM,
                               .use = CLAIM_TO_POLICY,
                               .text = c->text,
                               .integer = c->integer,
                               .boolean = c->boolean };
        struct out o = out_open(ret->a);

        claims_add(ret, claim);
        if (iss.n == 0)
            continue;
        out_bytes(&o, iss);
        out_char(&o, '/');
        out_bytes(&o, c->name);
        claim.name = out_view(&o);
        claims_add(ret, claim);
    }
}

static void add_keys(const struct tpm_request *rq, struct claims *ret)
{
    struct jarr list = jarr_open(ret->a);
    struct jobj cnf = jobj_open(ret->a);

    if (rq->version == 2) {
        claims_json(ret, "x-ms-tpm-request-key", CLAIM_TO_POLICY | CLAIM_READ_ONLY,
                    tpm_key_object_json(&rq->request_key, ret->a));
        for (size_t i = 0; i < rq->other_count; i++)
            jarr_raw(&list, tpm_key_object_json(&rq->other[i], ret->a));
        if (rq->other_count > 0)
            claims_json(ret, "x-ms-tpm-other-keys", CLAIM_TO_POLICY | CLAIM_READ_ONLY, jarr_close(&list));
    }
    jobj_json(&cnf, "jwk", rq->request_key.jwk.compact);
    claims_json(ret, "cnf", CLAIM_TO_TOKEN | CLAIM_READ_ONLY, jobj_print(&cnf, false));
}

/* RSAPublicKey (RFC 8017 A.1.1): the other encoding that "the key in DER" may mean. Empty for EC. */
static struct bytes pkcs1_of(struct bytes spki)
{
    struct cur c = cur_open(spki), seq = der_enter(&c, DER_SEQUENCE, "SubjectPublicKeyInfo");
    struct cur alg = der_enter(&seq, DER_SEQUENCE, "algorithm");
    struct bytes oid = der_take(&alg, DER_OID, "algorithm"), key = der_bits(&seq, "subjectPublicKey");

    if (!cur_ok(&seq) || !OID_IS(oid, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"))
        return (struct bytes){ NULL, 0 };
    return key;
}

static void add_aik(const struct tpm_request *rq, struct claims *ret)
{
    struct digest d = sha256(rq->aik_spki), d1 = sha256(pkcs1_of(rq->aik_spki));

    claims_bool(ret, "aikValidated", CLAIM_TO_POLICY, rq->aik_valid);
    claims_str(ret, "aikPubHash", CLAIM_TO_POLICY, b64std_encode(ret->a, digest_bytes(&d)));
    if (!rq->current->aik_pub.ec)
        claims_str(ret, "aikPubHashPkcs1", CLAIM_TO_POLICY, b64std_encode(ret->a, digest_bytes(&d1)));
}

bool tpm_request_claims(const struct tpm_request *rq, struct bytes iss, const struct verify_env *env,
                        struct claims *ret, struct err *e)
{
    if (!rq->verified)
        return err_set(e, ERR_INTERNAL, "request", "claims of a request that is not verified");
    add_aik(rq, ret);
    tpm_state_claims(&rq->current->state, env_reads(env, "events"), ret);
    claims_bool(ret, "vbsReportPresent", CLAIM_TO_POLICY, rq->vbs);
    claims_bool(ret, "vsmReportPresent", CLAIM_TO_POLICY, rq->vbs);
    if (rq->vbs)
        vbs_report_claims(&rq->report, ret);
    if (rq->boot != NULL && env_reads(env, "bootEvents"))
        claims_json(ret, "bootEvents", CLAIM_TO_POLICY, tpm_events_json(&rq->boot->state, ret->a));
    add_keys(rq, ret);
    if (rq->rp_data.n > 0) {
        claims_str(ret, "rp_data", CLAIM_TO_TOKEN, rq->rp_data);
        claims_str(ret, "nonce", CLAIM_TO_BOTH, rq->rp_data);
    }
    add_custom(rq, iss, ret);
    return ret->failed || env->a->failed ? err_memory(e, "claims") : true;
}

/* -- the row for one-shot tools -- */

static bool kind_parse(const struct evidence_input *in, struct arena *a, void **ret, struct err *e)
{
    enum tpm_message kind;
    struct tpm_request *rq;
    struct bytes jws;

    if (!tpm_message_parse(in->evidence, a, &kind, &jws, e))
        return false;
    if (kind != TPM_MESSAGE_REQUEST)
        return err_set(e, ERR_TPM_MESSAGE, "data",
                       "is the first message of the protocol; the second has evidence");
    if (!tpm_request_parse(jws, a, &rq, e))
        return false;
    *ret = rq;
    return true;
}

static bool kind_needs(const void *ev, const struct settings *s, struct needs *ret, struct err *e)
{
    (void)ev;
    (void)s;
    (void)ret;
    (void)e;
    return true;
}

/* The challenge arrives with bound(), which runs after this: the quote is verified for the request's own
 * challenge here and the challenge is compared there. */
static bool kind_verify(void *ev, const struct verify_env *env, struct err *e)
{
    struct tpm_request *rq = ev;

    return tpm_request_verify(rq, rq->challenge, env, e);
}

static bool kind_bound(void *ev, const struct evidence_input *in, const struct verify_env *env, struct err *e)
{
    const struct tpm_request *rq = ev;

    if (in->runtime.present || in->init.present)
        return err_set(e, ERR_NOT_BOUND, "TPM request", "carries no runtime or init-time data");
    if (in->challenge.n > 0)
        return check_bytes(env->checks, &rule_fresh, in->challenge, rq->challenge, e);
    if (!in->offline) /* a service that did not open the context must not issue anything */
        return err_set(e, ERR_NONCE, "TPM request", "no challenge of ours is known for it");
    if (in->nonce.n > 0)
        return check_bytes(env->checks, &rule_fresh, in->nonce, rq->challenge, e);
    check_skip(env->checks, &rule_fresh, "no challenge was given: freshness is not checked");
    return true;
}

static bool kind_claims(const void *ev, const struct evidence_input *in, const struct verify_env *env,
                        struct claims *ret, struct err *e)
{
    return tpm_request_claims(ev, in->issuer, env, ret, e);
}

/* Claims.md 1.1: a request that an enclave's report stands behind says so. */
static const char *kind_type(const void *ev)
{
    const struct tpm_request *rq = ev;

    return rq->vbs ? "vbs" : evidence_tpm.token;
}

const struct evidence_kind evidence_tpm = {
    .name = "Tpm",
    .token = "tpm",
    .member = "data",
    .max_size = TPM_REQUEST_MAX_SIZE,
    .parse = kind_parse,
    .needs = kind_needs,
    .verify = kind_verify,
    .bound = kind_bound,
    .claims = kind_claims,
    .type = kind_type,
};
