/* azureguest.c: the steps of trusted-launch B.3, and the row of this room. */
#include "evidence/azureguest/azureguest.h"

#include "evidence/snp/hcl.h"
#include "evidence/tpm/akcert.h"

/* clang-format off */
static const struct rule
    rule_cert     = { "AK certificate",  "trusted-launch B.3.1", "AikCert",       ERR_AK_CERT_CHAIN },
    rule_quote    = { "PCR quote",       "trusted-launch B.3.2", "PcrQuote",      ERR_QUOTE_SIGNATURE },
    rule_set      = { "PCR set",         "trusted-launch B.3.2", "PcrSet",        ERR_QUOTE_SELECTION },
    rule_certify  = { "ephemeral key",   "trusted-launch B.3.3", "EncKeyCertifyInfo", ERR_CERTIFY_SIGNATURE },
    rule_key      = { "sealed to PCRs",  "trusted-launch B.3.4", "EncKeyPub",     ERR_ENC_KEY },
    rule_log      = { "event log",       "trusted-launch B.3.6", "TcgLogs",       ERR_LOG_MISMATCH },
    rule_runtime  = { "runtime data",    "evidence-snp 6 step 2", "RunTimeData",  ERR_HCL_HASH },
    rule_vouched  = { "isolation vouches for the AK", "evidence-snp 5.4", "AikPub", ERR_AK_MISSING };
/* clang-format on */

/* Mandatory for Trusted Launch, where nothing else says that the key is in a TPM. With isolation below it must only
 * agree here; whether it must lead to a root as well is seen once the isolation is verified: check_vouched(). */
static bool check_cert(const struct guest_request *rq, struct key *ak, const struct verify_env *env,
                       struct cert *ret, struct err *e)
{
    if (rq->aik_cert.n == 0)
        return rq->isolation != NULL
                 ? true
                 : err_set(e, ERR_AK_MISSING, "AikCert", "is missing; a Trusted Launch machine needs one");
    if (!ak_cert_read(rq->aik_cert, "AikCert", env->a, ret, e) || !ak_cert_check_key(ret, ak, "AikCert", e))
        return false;
    if (rq->isolation != NULL)
        return true;
    return check_step(env->checks, &rule_cert, ak_cert_check_chain(ret, NULL, 0, env, "AikCert", e),
                      "chains to a trusted root", e);
}

static bool check_quote(struct guest_request *rq, struct key *ak, const struct verify_env *env, struct err *e)
{
    const struct tpm_quote_check q = {
        .attest = rq->quote, .signature = rq->quote_sig, .key = ak, .claimed = &rq->claimed, .exact = true,
        .form = TPM_SIG_TPMT_OR_BARE, .what = "PcrQuote",
    };
    const struct tpm_attest *t = &rq->state.quote;

    if (!check_step(env->checks, &rule_quote, tpm_quote_verify(&q, &rq->state.quote, &rq->state.pcrs, e),
                    "no nonce", e))
        return false;
    if (t->select_count != 1 || t->select[0].alg != TPM_SHA256)
        return err_set(e, ERR_QUOTE_SELECTION, "PcrQuote",
                       "%zu banks are selected; exactly SHA256 is expected", t->select_count);
    return check_uint(env->checks, &rule_set, rq->pcr_set, t->select[0].pcrs, e);
}

static bool certified(struct guest_request *rq, struct key *ak, struct tpm_attest *ret, struct err *e)
{
    static const struct tpm_sig_rule rule = { TPM_SIG_TPMT_OR_BARE, false, ERR_CERTIFY_FORMAT,
                                              ERR_CERTIFY_SIGNATURE, ERR_CERTIFY_SIGNATURE };
    const char *what = "EncKeyCertifyInfo";
    enum hash_alg h;

    if (!tpm_attest_parse(rq->enc_cert, ERR_CERTIFY_FORMAT, what, ret, e))
        return false;
    if (ret->type != TPM_ATTEST_CERTIFY)
        return err_set(e, ERR_CERTIFY_FORMAT, what, "type is 0x%04x, 0x8017 is expected", ret->type);
    if (!tpm_signature_verify(rq->enc_sig, ak, rq->enc_cert, &rule, what, &h, e))
        return false;
    if (ret->extra.n != 0)
        return err_set(e, ERR_CERTIFY_NONCE, what, "extraData has %zu bytes, none are expected",
                       ret->extra.n);
    return tpm_public_parse(rq->enc_pub, ERR_ENC_KEY, "EncKeyPub", &rq->enc, e)
        && tpm_public_check_name(&rq->enc, ret->name, "EncKeyPub", e);
}

/* TPM2_PolicyPCR over the quoted selection and digest (TPM 2.0 Part 3, 23.7), SHA-256. */
static struct digest policy_pcr(const struct tpm_attest *quote)
{
    static const uint8_t zeros[32], code[4] = { 0, 0, 0x01, 0x7f }, head[7] = { 0, 0, 0, 1, 0, 0x0b, 3 };
    const uint32_t m = quote->select[0].pcrs;
    const uint8_t mask[3] = { (uint8_t)m, (uint8_t)(m >> 8), (uint8_t)(m >> 16) };
    const struct bytes parts[] = { BYTES(zeros), BYTES(code), BYTES(head), BYTES(mask), quote->pcr_digest };

    return hash_parts(HASH_SHA256, parts, COUNT(parts));
}

static bool check_enc_key(const struct guest_request *rq, struct err *e)
{
    const uint32_t set = TPM_DECRYPT | TPM_FIXED_TPM | TPM_FIXED_PARENT | TPM_SENSITIVE_DATA_ORIGIN;
    const uint32_t clear = TPM_SIGN | TPM_RESTRICTED | TPM_USER_WITH_AUTH;
    struct digest want = policy_pcr(&rq->state.quote);

    if (rq->enc.type != TPM_RSA || rq->enc.bits != 2048)
        return err_set(e, ERR_ENC_KEY, "EncKeyPub", "the ephemeral key is no RSA key of 2048 bits");
    if ((rq->enc.attributes & set) != set || (rq->enc.attributes & clear) != 0)
        return err_set(
            e, ERR_ENC_KEY, "EncKeyPub",
            "the ephemeral key has attributes 0x%08x; decrypt, fixedTPM, "
            "fixedParent and sensitiveDataOrigin must be set, sign, restricted and userWithAuth clear",
            rq->enc.attributes);
    if (rq->enc.scheme != TPM_NULL && rq->enc.scheme != TPM_RSAES)
        return err_set(e, ERR_ENC_KEY, "EncKeyPub", "the ephemeral key has scheme 0x%04x; it must take RSAES",
                       rq->enc.scheme);
    if (!bytes_equal(rq->enc.policy, digest_bytes(&want)))
        return err_set(e, ERR_ENC_KEY, "EncKeyPub",
                       "the ephemeral key is not sealed to the attested state: its authPolicy is "
                       "not PolicyPCR over the quoted PCRs");
    return true;
}

static bool check_clock(const struct tpm_attest *quote, const struct tpm_attest *cert, struct err *e)
{
    if (cert->resets != quote->resets)
        return err_set(e, ERR_CERTIFY_NONCE, "EncKeyCertifyInfo", "resetCount is %u, that of the quote %u",
                       cert->resets, quote->resets);
    if (cert->clock < quote->clock || cert->clock - quote->clock > GUEST_CLOCK_MS)
        return err_set(e, ERR_CERTIFY_NONCE, "EncKeyCertifyInfo",
                       "clock is %llu, that of the quote %llu; at most %d ms may lie between",
                       (unsigned long long)cert->clock, (unsigned long long)quote->clock, GUEST_CLOCK_MS);
    return true;
}

/* A machine without a log (GRUB without EFI hand-over) has PCR values alone; nothing is derived then. */
static bool check_log(struct guest_request *rq, const struct verify_env *env, struct err *e)
{
    bool ok = (rq->log.n == 0 || tpm_state_add(&rq->state, false, rq->log, "TcgLogs", e))
        && tpm_state_replay(&rq->state, false, "TcgLogs", e);

    return check_step(env->checks, &rule_log, ok, "replays to the quoted PCRs", e);
}

static bool check_isolation(struct guest_request *rq, const struct tpm_public *ak,
                            const struct verify_env *env, struct bytes *ret_vm_id, struct err *e)
{
    static const uint8_t default_exponent[3] = { 1, 0, 1 };
    uint8_t exponent[4] = { (uint8_t)(ak->exponent >> 24), (uint8_t)(ak->exponent >> 16),
                            (uint8_t)(ak->exponent >> 8), (uint8_t)ak->exponent };
    struct bytes data, public_exponent = ak->exponent == 0 ? BYTES(default_exponent) : BYTES(exponent);
    struct hcl_runtime runtime;
    struct digest d;

    if (rq->isolation == NULL)
        return true;
    while (public_exponent.n > 1 && public_exponent.p[0] == 0)
        public_exponent = bytes_part(public_exponent, 1, public_exponent.n);
    if (!rq->isolation->verify(rq->isolation_ev, env, e))
        return false;
    data = rq->isolation->report_data(rq->isolation_ev);
    d = sha256(rq->runtime);
    if (!check_bytes(env->checks, &rule_runtime, digest_bytes(&d), bytes_part(data, 0, 32), e)
        || !check_true(env->checks, &rule_runtime, bytes_all_zero(bytes_part(data, 32, 32)),
                       "zeros behind the hash in the report data", "other bytes", e)
        || !hcl_runtime_parse(rq->runtime, env->a, &runtime, e)
        || !hcl_ak_check(&runtime, ak->n, public_exponent, env->checks, e))
        return false;
    *ret_vm_id = runtime.vm_id;
    return true;
}

/* A genuine report says that its guest named this key, not that the key is in a TPM: whoever owns an SEV-SNP or TDX
 * machine starts a guest that names the key of a TPM in software. It vouches for the key where that guest is a
 * paravisor that we recognise; else the certificate must, as for Trusted Launch. */
static bool check_vouched(struct guest_request *rq, const struct cert *cert, struct bytes vm_id,
                          const struct verify_env *env, struct err *e)
{
    struct err chain = { .code = ERR_NONE };
    const char *doubt;

    if (rq->isolation == NULL)
        return true;
    doubt = rq->isolation->doubt(rq->isolation_ev, env, rq->runtime);
    if (doubt == NULL) {
        rq->vm_id = vm_id;
        return check_step(env->checks, &rule_vouched, true, "by a recognised launch", e);
    }
    check_skip(env->checks, &rule_vouched, doubt);
    if (rq->aik_cert.n == 0)
        (void)err_set(&chain, ERR_AK_MISSING, "AikCert", "is missing");
    else if (check_step(env->checks, &rule_cert, ak_cert_check_chain(cert, NULL, 0, env, "AikCert", &chain),
                        "chains to a trusted root", &chain))
        return true;
    return err_set(e, chain.code, chain.what,
                   "%.500s; and the %s report does not vouch for the key in its place, since %.200s. Either a launch "
                   "that is recognised as a paravisor's or a certificate up to a trusted root is needed",
                   chain.why, rq->isolation->type, doubt);
}

static bool guest_verify(void *ev, const struct verify_env *env, struct err *e)
{
    struct guest_request *rq = ev;
    struct tpm_attest cert = { .type = 0 };
    struct bytes vm_id = { NULL, 0 };
    struct tpm_public ak;
    struct cert aik;
    AUTO_KEY key = NULL;

    if (!tpm_public_parse(rq->aik_pub, ERR_AK_KEY, "AikPub", &ak, e) || !tpm_public_check_ak(&ak, "AikPub", e)
        || !tpm_public_key(&ak, ERR_AK_KEY, "AikPub", &key, e) || !check_cert(rq, key, env, &aik, e)
        || !check_quote(rq, key, env, e)
        || !check_step(env->checks, &rule_certify, certified(rq, key, &cert, e), "certified by the AK", e)
        || !check_step(env->checks, &rule_key, check_enc_key(rq, e), "PolicyPCR", e)
        || !check_clock(&rq->state.quote, &cert, e) || !check_log(rq, env, e)
        || !check_isolation(rq, &ak, env, &vm_id, e) || !check_vouched(rq, &aik, vm_id, env, e))
        return false;
    rq->verified = true;
    return true;
}

static bool guest_parse(const struct evidence_input *in, struct arena *a, void **ret, struct err *e)
{
    struct guest_request *rq;

    if (!guest_request_parse(in->evidence, a, &rq, e))
        return false;
    *ret = rq;
    return true;
}

static bool guest_needs(const void *ev, const struct settings *s, struct needs *ret, struct err *e)
{
    const struct guest_request *rq = ev;

    return rq->isolation == NULL || rq->isolation->needs(rq->isolation_ev, s, ret, e);
}

static bool guest_bound(void *ev, const struct evidence_input *in, const struct verify_env *env,
                        struct err *e)
{
    (void)ev;
    (void)env;
    if (!in->sealed && !in->offline) /* a replayed request must yield nothing that is readable elsewhere */
        return err_set(e, ERR_INTERNAL, "AzureGuest request", "its token would leave unsealed");
    if (in->runtime.present || in->init.present)
        return err_set(e, ERR_NOT_BOUND, "AzureGuest request",
                       "carries no runtime or init-time data of its own");
    return true;
}

static bool guest_claims(const void *ev, const struct evidence_input *in, const struct verify_env *env,
                         struct claims *ret, struct err *e)
{
    (void)in;
    return guest_request_claims(ev, env, ret, e);
}

const struct evidence_kind evidence_azureguest = {
    .name = "AzureGuest",
    .token = "azurevm",
    .member = "AttestationInfo",
    .max_size = GUEST_MAX_SIZE,
    .parse = guest_parse,
    .needs = guest_needs,
    .verify = guest_verify,
    .bound = guest_bound,
    .claims = guest_claims,
};
