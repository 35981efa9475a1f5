/* core.h: the trusted process: what its parts share. */
#ifndef AVOUCH_CORE_CORE_H
#define AVOUCH_CORE_CORE_H

#include "base/memo.h"
#include "core/keys.h"
#include "core/selfevidence.h"
#include "crypto/cert.h"
#include "evidence/evidence.h"
#include "evidence/tpm/tpm.h"
#include "wire/wire.h"

#define CORE_REQUEST_BUDGET ((size_t)64 << 20)
#define CORE_POLICY_MEMORY ((size_t)384 << 20) /* of a worker; more than any two policies hold */

struct core {
    struct key_set keys;
    struct trust trust;
    struct self_evidence self[KEY_SLOTS]; /* rsa, p256, p384 */
    bool dev;             /* --dev: the development anchor is trusted and tokens say so */
    bool probe;           /* answers MSG_PROBE: tests of the sandbox */
    int64_t clock_offset; /* --dev only: pretended minus real time */
    struct memo *memo;    /* verified chains and collateral */
    struct memo *policies; /* opened and compiled, limited by what they hold */
    struct tpm_replay *replay; /* challenges that were answered, in an arena of its own */
    struct arena replay_arena;
    struct memo *seen;    /* newest version of each provider's head */
    struct memo *items;   /* collateral as it arrived, with its digests */
};

/* One request in, one answer out; the frame lives in the arena. false: the peer broke the protocol. */
bool core_dispatch(struct core *c, const struct wire_header *h, struct bytes payload, int64_t now, struct arena *a,
                   struct bytes *ret_frame) CHECKED;

/* Handlers: fields of the answer, or the error. */
bool core_attest(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e) CHECKED;
bool core_certs(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e) CHECKED;

bool core_provider_new(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e) CHECKED;
bool core_policy_get(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e) CHECKED;
bool core_policy_set(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e) CHECKED;
bool core_policy_rollback(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e) CHECKED;
bool core_policy_reset(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e) CHECKED;
bool core_signers_get(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e) CHECKED;
bool core_signers_change(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e) CHECKED;
bool core_admin_token(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e) CHECKED;

#define LOCAL_ISSUER "urn:avouch:local" /* of operators' tokens that the core itself signs */

struct policy_diagnostics;
/* Puts the recorded form of the first syntax error into e. */
void policy_error(const struct policy_diagnostics *d, struct arena *a, struct err *e);

/* -- token.c -- */

struct token_form;
/* A compact JWS over `claims` (JSON): header {"alg","jku","kid","typ"}, with a form (NULL: none) also x5c or x5t.
 * `unsigned_token`: alg none, empty signature. */
bool token_sign(struct core *c, const char *issuer, enum sig_alg alg, bool unsigned_token, const struct token_form *form,
                struct bytes claims, struct arena *a, struct bytes *ret, struct err *e) CHECKED;
/* "RS256" and the other three that a provider may choose. */
bool token_alg(struct bytes name, enum sig_alg *ret, struct err *e) CHECKED;

/* -- certificate.c -- */

/* The self-signed certificate of a token key as this issuer shows it (rest-api 4.2). */
bool signing_certificate(struct signing_key *k, enum sig_alg alg, const char *issuer, const struct self_evidence *self,
                         struct arena *a, struct bytes *ret_der, struct err *e) CHECKED;

#endif
