/* policy_jws.h: the envelope of policies and of requests about policy certificates (rest-api sections 6.2,
 * 6.3, 7.2), and the hashes that stand in tokens. */
#ifndef AVOUCH_JOSE_POLICY_JWS_H
#define AVOUCH_JOSE_POLICY_JWS_H

#include "jose/jws.h"

#define ANY_TIME INT64_MIN /* do not check the certificates' validity */

/* A request body that is a JWS, signed or not, by somebody whose certificate or key is in its header. */
struct signed_request {
    struct jws jws;
    bool is_signed;
    struct key *signer;         /* owned: signed_request_done(); NULL: unsigned */
    struct cert *chain;         /* of the signer, leaf first; empty where the header has a bare jwk */
    size_t chain_count;
    const struct json *x5c;     /* as sent, or NULL */
    const struct json *payload; /* parsed; NULL: empty */
};

/* Steps 1 to 5 of section 6.2. White space around, and a body that is the JWS as a JSON string, are taken.
 * What the header points to (jku, x5u) is never followed. ERR_INVALID_OPERATION: form; ERR_SIGNER_SIGNATURE,
 * ERR_SIGNER_CHAIN, ERR_CERT_*: the signer's. `now` may be ANY_TIME: validity is checked at upload only. */
bool signed_request_open(struct bytes body, int64_t now, struct arena *a, struct signed_request *ret,
                         struct err *e) CHECKED;
void signed_request_done(struct signed_request *r);

/* Whether a body is a policy in the clear rather than a JWS: it begins with "version". AAD mode takes it
 * (section 6.2). */
bool policy_body_is_text(struct bytes body);

/* The base64url text in the member AttestationPolicy, decoded. *ret_empty: the payload is empty, "", null or
 * {}: a reset. ERR_INVALID_OPERATION where the member is missing or no base64url (section 6.2 step 7). */
bool policy_of_request(const struct signed_request *r, struct arena *a, struct bytes *ret_text, bool *ret_empty,
                       struct err *e) CHECKED;

/* Section 7.2: {"policyCertificate":{"kty":"RSA","x5c":[...]}}, older member names included; the first
 * certificate. */
bool policy_certificate_of_request(const struct signed_request *r, struct arena *a, struct cert *ret,
                                   struct err *e) CHECKED;

/* x-ms-policy-signer of the answer to a PUT: {"alg","kty","use","x5c"}, or the key's members where there is no
 * x5c. */
struct bytes policy_signer_json(const struct signed_request *r, struct arena *a);

/* Header {"alg":"none"}, payload {"AttestationPolicy":"..."}. An empty text gives the token that means "no
 * policy". */
struct bytes policy_wrap(struct bytes text, struct arena *a);
/* What a signer signs: header {"alg":alg,"x5c":[...]} and the payload; chain_der is leaf first. jws_join() the
 * rest. */
struct bytes policy_signing_input(struct bytes text, const char *alg, const struct bytes *chain_der, size_t count,
                                  struct arena *a);

/* x-ms-policy-hash: base64url(SHA-256(ASCII(base64url(text)))). */
struct bytes policy_hash(struct bytes text, struct arena *a);
/* x-ms-policy-token-hash: base64url(SHA-256(the JWS as received)). */
struct bytes policy_token_hash(struct bytes jws, struct arena *a);

#endif
