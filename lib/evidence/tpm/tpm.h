/* tpm.h: POST /attest/Tpm: the challenge protocol, versions 1 and 2, as pure functions (evidence-tpm 12).
 *
 * Two walks. First: tpm_message_parse() says aikcert; tpm_challenge() makes the answer, whose service
 * context carries challenge, tenant and expiry sealed under a key of the core, so nothing is kept.
 * Second: tpm_message_parse() says request; then
 *     tpm_request_parse()  ->  tpm_context_open()  ->  tpm_request_verify()  ->  [tpm_replay_use()]
 *     ->  tpm_request_claims()  ->  policy, token  ->  tpm_report().
 * A context may be answered more than once within its life on different nodes: harmless, since the
 * quote is bound to the challenge; tpm_replay_use() refuses the second answer on the same node. */
#ifndef AVOUCH_EVIDENCE_TPM_TPM_H
#define AVOUCH_EVIDENCE_TPM_TPM_H

#include "evidence/evidence.h"
#include "evidence/tpm/boot.h"
#include "evidence/vbs/vbs.h"

enum {
    TPM_REQUEST_MAX_SIZE = 4 << 20,
    TPM_CHALLENGE_SIZE = 16,
    TPM_CHALLENGE_RANDOM = TPM_CHALLENGE_SIZE + 12, /* the challenge and the IV of its seal */
    TPM_CONTEXT_LIFETIME = 300,                     /* seconds; default */
    TPM_OTHER_KEYS_MAX = 2,
    TPM_CUSTOM_MAX = 64,
    TPM_CUSTOM_TEXT_MAX = 4096,
};

/* -- first walk -- */

enum tpm_message {
    TPM_MESSAGE_AIKCERT, /* {"payload":{"type":"aikcert"}} */
    TPM_MESSAGE_REQUEST, /* {"payload":{"request":"<JWS>"}} */
};
/* `doc` is the decoded member data. ERR_TPM_MESSAGE. */
bool tpm_message_parse(struct bytes doc, struct arena *a, enum tpm_message *ret_kind, struct bytes *ret_jws,
                       struct err *e) CHECKED;

/* Keys of service contexts, 32 random bytes each, the newest first: it seals, all of them open. */
struct tpm_context_keys {
    const uint8_t (*key)[32];
    size_t count;
};
/* The text of the answer's member data. `tenant` names the provider; `random` is fresh. */
bool tpm_challenge(const struct tpm_context_keys *keys, struct bytes tenant, int64_t now, int64_t lifetime,
                   const uint8_t random[TPM_CHALLENGE_RANDOM], struct arena *a, struct bytes *ret_data,
                   struct err *e) CHECKED;

/* -- second walk -- */

/* A public key as JSON (RFC 7517): RSA, or EC where a caller allows it. */
struct tpm_jwk {
    struct bytes raw;     /* exact text: tpm_quote binds it */
    bool ec;
    enum key_kind curve;  /* ec */
    struct bytes n, e;    /* RSA, decoded */
    struct bytes x, y;    /* EC, decoded */
    struct bytes compact; /* {"kty","n","e"} or {"kty","crv","x","y"}: what a token shows */
};
bool tpm_jwk_key(const struct tpm_jwk *j, const char *what, struct key **ret, struct err *e) CHECKED;

enum tpm_binding {
    TPM_BOUND_NOT,
    TPM_BOUND_QUOTE,   /* the quote's qualifyingData has a hash of the key's text */
    TPM_BOUND_CERTIFY, /* the attestation key certifies it */
};
struct tpm_key_object {
    struct tpm_jwk jwk;
    enum tpm_binding binding;
    const struct tpm_bank *hash; /* of tpm_quote */
    struct bytes hash_name;
    struct bytes public, certification, signature; /* of tpm_certify */
};

struct tpm_log_ref {
    bool ima;
    struct bytes log;
};
struct tpm_attestation {
    const char *what; /* "current_attestation" */
    struct tpm_log_ref logs[TPM_LOGS_MAX];
    size_t log_count;
    struct bytes aik_cert; /* empty: none */
    struct tpm_jwk aik_pub;
    struct pcr_set claimed;
    struct bytes quote, signature;
    enum tpm_sig_form sig_form;
    /* Results: */
    struct tpm_state state;
};

struct tpm_custom {
    struct bytes name, text;
    enum claim_type type;
    int64_t integer;
    bool boolean;
};

struct tpm_request {
    int version; /* 1, 2 */
    bool vbs;
    struct bytes signing_input, jws_signature;
    struct bytes challenge;
    struct bytes service_context; /* text as received */
    struct bytes rp_id, rp_data;  /* texts as received; empty: none */
    struct bytes report_signed;   /* vbs: exact text */
    struct bytes vsm_report;      /* vbs: decoded */
    struct tpm_attestation *current, *boot; /* boot NULL: none */
    bool resumed;                 /* boot is the state before a hibernation */
    struct tpm_key_object request_key, other[TPM_OTHER_KEYS_MAX];
    size_t other_count;
    struct tpm_custom *custom;
    size_t custom_count;
    /* Results of tpm_request_verify(): */
    bool verified;
    bool aik_valid;
    struct bytes aik_spki;
    struct vbs_report report;
};

/* The compact JWS: header, structure and algorithms; no signature yet. */
bool tpm_request_parse(struct bytes jws, struct arena *a, struct tpm_request **ret, struct err *e) CHECKED;
/* Opens the service context: key, seal, tenant, expiry. ret_challenge is the one that was given out. */
bool tpm_context_open(const struct tpm_context_keys *keys, struct bytes tenant, int64_t now,
                      struct bytes context, struct arena *a, uint8_t ret_challenge[TPM_CHALLENGE_SIZE],
                      int64_t *ret_expires, struct err *e) CHECKED;
/* Steps 3 to 9 of evidence-tpm 12.5 with the challenge that tpm_context_open() gave. */
bool tpm_request_verify(struct tpm_request *rq, struct bytes challenge, const struct verify_env *env,
                        struct err *e) CHECKED;
/* Claims.md 5 and 6, custom claims, rp_data, nonce and cnf. `iss` (may be empty) prefixes the second
 * name of custom claims. Only after tpm_request_verify(). */
bool tpm_request_claims(const struct tpm_request *rq, struct bytes iss, const struct verify_env *env,
                        struct claims *ret, struct err *e) CHECKED;
/* The text of the answer's member data. */
struct bytes tpm_report(struct bytes token, struct arena *a);

/* -- optional: each challenge once on this node -- */

/* A table of fixed size in the caller's arena; the oldest entry makes room when it is full. */
struct tpm_replay;
struct tpm_replay *tpm_replay_open(struct arena *a, size_t max);
/* ERR_CHALLENGE_USED where this challenge was used before and has not expired. */
bool tpm_replay_use(struct tpm_replay *r, const uint8_t challenge[TPM_CHALLENGE_SIZE], int64_t expires,
                    int64_t now, struct err *e) CHECKED;

/* The row of the table of kinds. in->challenge must be the one that tpm_context_open() gave: without it the
 * request is refused. Tools that look at one message set in->offline: then in->nonce is compared,
 * or, where that is empty too, the check of freshness is recorded as skipped. */
extern const struct evidence_kind evidence_tpm;

#endif
