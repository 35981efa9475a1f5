/* jws.h: JSON Web Signatures in their compact form (RFC 7515): read, verified, put together.
 *
 * The core signs; this room only makes what is signed and joins the signature to it. */
#ifndef AVOUCH_JOSE_JWS_H
#define AVOUCH_JOSE_JWS_H

#include "codec/json.h"
#include "jose/jwk.h"

/* What a caller takes beyond the asymmetric algorithms with their registered names and raw ECDSA signatures. */
enum jws_accept {
    JWS_STRICT = 0,
    JWS_UNSIGNED = 1,  /* "none", with an empty signature */
    JWS_CLIENTS = 2,   /* policy uploads: RSA256 is RS256, ECDH256 is ES256, ECDSA may be DER (rest-api section 6.2) */
};

struct jws {
    struct bytes text;          /* all of it */
    struct bytes signing_input; /* header "." payload, as received */
    struct bytes payload_text;  /* base64url as received */
    struct bytes payload, signature;
    const struct json *header;
    struct bytes alg, kid;      /* as sent; kid may be empty */
    enum sig_alg sig_alg;       /* SIG_NONE where alg is "none" */
    bool is_unsigned;
};

/* Three parts of strict base64url; a header that is a JSON object with a known alg. `crit` is refused: no
 * extension is understood (RFC 7515 section 4.1.11), as is b64 (RFC 7797). Symmetric algorithms are refused by
 * name. Errors are of `code`, except that an unknown algorithm is ERR_UNSUPPORTED_ALGORITHM. */
bool jws_parse(struct bytes text, unsigned accept, enum err_code code, const char *what, struct arena *a,
               struct jws *ret,
               struct err *e) CHECKED;
/* Whether the signature over signing_input is the key's. Never true for an unsigned one. */
bool jws_signed_by(const struct jws *j, struct key *k, unsigned accept);
/* The same by a JWK, whose use, key_ops and alg must allow it. */
bool jws_verify(const struct jws *j, const struct jwk *k, unsigned accept, enum err_code code, const char *what,
                struct err *e) CHECKED;

/* base64url(header) "." base64url(payload): what is signed. */
struct bytes jws_input(struct bytes header_json, struct bytes payload, struct arena *a);
/* The compact form; an empty signature leaves the last part empty. */
struct bytes jws_join(struct bytes signing_input, struct bytes signature, struct arena *a);

#endif
