/* attestation.h: one attestation inside the core, shared by the corridor (attest.c) and the protocols around
 * it (protocol.c). */
#ifndef AVOUCH_CORE_ATTESTATION_H
#define AVOUCH_CORE_ATTESTATION_H

#include "core/provider.h"
#include "policy/policy.h"

/* Everything of one attestation, in the order in which it comes to be. */
struct attestation {
    struct core *core;
    const struct wire_fields *f;
    struct arena *a;
    int64_t now;
    const struct evidence_kind *kind;
    struct provider provider;
    const char *issuer;
    struct evidence_input in;
    int64_t challenge_expires; /* TPM: of in.challenge */
    struct settings settings;
    struct collateral collateral;
    enum sig_alg alg;
    struct bytes policy_text, policy_signer;
    bool draft, explain_full;
    const struct policy *policy;
    struct policy *compiled_draft; /* freed when the answer is written */
    struct bytes policy_hash;
    bool sets_asked;           /* the policy wants both TCB evaluation sets */
    const char *status;
    void *evidence;            /* as the kind parsed and verified it */
    struct claims found;
    struct policy_result issued;
    struct policy_trace trace;
    bool answered;             /* a first message of a protocol: `answer` is all there is */
    struct bytes answer;
};

/* Before anything is verified: TPM's first message is answered; of its second one the challenge is opened. */
bool protocol_begin(struct attestation *x, struct err *e) CHECKED;
/* After the evidence was verified: a challenge is answered once. What does not verify is no answer. */
bool protocol_verified(struct attestation *x, struct err *e) CHECKED;
/* Members iat, nbf, exp and jti, and how the header names the key, differ for TPM. */
struct token_form {
    int64_t not_before, expires;
    size_t jti_size;
    bool with_certificate; /* header x5c, else x5t; for others neither */
    bool with_thumbprint;
};
struct token_form protocol_token_form(const struct attestation *x);
/* What goes to the client for a token: itself, TPM's report, or Azure's sealed form. */
bool protocol_answer(struct attestation *x, struct bytes token, struct bytes *ret, struct err *e) CHECKED;

#endif
