/* protocol.c: what stands around the corridor for kinds that are more than one message or one token: TPM's
 * challenge and report, Azure's sealed answer. */
#include "core/attestation.h"

#include "codec/b64.h"
#include "evidence/azureguest/azureguest.h"
#include "evidence/tpm/tpm.h"

#define CONTEXT_LABEL "avouch TPM service context, version 1"
#define TPM_LEEWAY 300 /* nbf = iat - 300: claims.md 1.1 */
#define TPM_JTI_SIZE 20

/* The key of service contexts is derived from the key set: every worker has it, nothing is stored. */
static struct digest context_key(const struct core *c)
{
    const struct bytes label = LIT(CONTEXT_LABEL);

    return hmac_sha256(BYTES(c->keys.mac), &label, 1);
}

static bool give_challenge(struct attestation *x, const struct tpm_context_keys *keys, struct err *e)
{
    uint8_t fresh[TPM_CHALLENGE_RANDOM];

    random_bytes(fresh, sizeof(fresh));
    x->answered = true;
    return tpm_challenge(keys, bytes_str(x->issuer), x->now, TPM_CONTEXT_LIFETIME, fresh, x->a, &x->answer, e);
}

static bool open_challenge(struct attestation *x, const struct tpm_context_keys *keys, struct bytes jws, struct err *e)
{
    uint8_t challenge[TPM_CHALLENGE_SIZE];
    struct tpm_request *rq;

    if (!tpm_request_parse(jws, x->a, &rq, e)
        || !tpm_context_open(keys, bytes_str(x->issuer), x->now, rq->service_context, x->a, challenge, &x->challenge_expires, e))
        return false;
    x->in.challenge = arena_copy(x->a, BYTES(challenge));
    return x->in.challenge.p != NULL || err_memory(e, "challenge");
}

bool protocol_begin(struct attestation *x, struct err *e)
{
    struct digest key;
    uint8_t keys[1][32];
    const struct tpm_context_keys context = { .key = (const uint8_t(*)[32])keys, .count = 1 };
    enum tpm_message message;
    struct bytes jws;

    x->in.sealed = x->kind == &evidence_azureguest;
    if (x->kind != &evidence_tpm)
        return true;
    key = context_key(x->core);
    memcpy(keys[0], key.p, sizeof(keys[0]));
    if (!tpm_message_parse(x->in.evidence, x->a, &message, &jws, e))
        return false;
    return message == TPM_MESSAGE_AIKCERT ? give_challenge(x, &context, e) : open_challenge(x, &context, jws, e);
}

bool protocol_verified(struct attestation *x, struct err *e)
{
    return x->in.challenge.n == 0 || tpm_replay_use(x->core->replay, x->in.challenge.p, x->challenge_expires, x->now, e);
}

struct token_form protocol_token_form(const struct attestation *x)
{
    int64_t minutes = x->issued.report_validity_in_minutes;

    if (x->kind != &evidence_tpm)
        return (struct token_form){ .not_before = x->now, .expires = x->now + wire_u32(x->f, TAG_LIFETIME, 28800), .jti_size = 32 };
    return (struct token_form){ .not_before = x->now - TPM_LEEWAY, .expires = x->now + (minutes > 0 ? minutes : 1440) * 60,
                                .jti_size = TPM_JTI_SIZE, .with_certificate = !x->issued.omit_x5c, .with_thumbprint = x->issued.omit_x5c };
}

bool protocol_answer(struct attestation *x, struct bytes token, struct bytes *ret, struct err *e)
{
    uint8_t fresh[GUEST_SEAL_RANDOM];

    *ret = token;
    if (x->kind == &evidence_tpm) {
        *ret = tpm_report(token, x->a);
        return ret->p != NULL || err_memory(e, "report");
    }
    if (x->kind != &evidence_azureguest || x->draft)
        return true;
    random_bytes(fresh, sizeof(fresh));
    return azureguest_seal(x->evidence, token, fresh, x->a, ret, e);
}
