/* oidc.h: what an issuer of bearer tokens publishes about itself: the discovery document (OpenID Connect
 * Discovery 1.0 section 3) and the key set that it names. */
#ifndef AVOUCH_JOSE_OIDC_H
#define AVOUCH_JOSE_OIDC_H

#include "jose/jwk.h"

#define OIDC_MAX_DOCUMENT ((size_t)64 << 10)
#define OIDC_MAX_KEYS ((size_t)256 << 10)
#define OIDC_MAX_URL 500
#define OIDC_MAX_ISSUERS 8

/* URLs of issuers with commas between them (auth.issuer); blanks around each are dropped, none may stand twice. */
bool oidc_issuers_read(struct bytes list, bool plain_http, struct bytes ret[OIDC_MAX_ISSUERS], size_t *ret_count, struct err *e) CHECKED;

/* https://host[:port][/path] of printable ASCII, without user, query or fragment; http only where `plain_http`. */
bool oidc_url_check(struct bytes url, bool plain_http, const char *what, struct err *e) CHECKED;
/* <issuer>/.well-known/openid-configuration; a slash at the end of the issuer is not doubled (section 4). */
const char *oidc_document_url(struct bytes issuer, struct arena *a); /* NULL: no memory */
/* The document of exactly this issuer (section 4.3); *ret_keys_url is its jwks_uri, checked by the rule above
 * except that a query is allowed. */
bool oidc_document_read(struct bytes text, struct bytes issuer, bool plain_http, struct arena *a, const char **ret_keys_url, struct err *e) CHECKED;
/* The key set. Keys that cannot verify here (other types, encryption, weak ones) are left out, as RFC 7517
 * section 5 asks; refused where none is left, or two that are left have one kid. Certificates beside the keys
 * are not looked at: the TLS connection is what vouches for the set. Until jwks_done(). */
bool oidc_keys_read(struct bytes text, struct arena *a, struct jwks *ret, struct err *e) CHECKED;

#endif
