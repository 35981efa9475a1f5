/* policy_priv.h: what the files of `avouch policy` share. */
#ifndef AVOUCH_CLI_POLICY_PRIV_H
#define AVOUCH_CLI_POLICY_PRIV_H

#include "claims/claims.h"
#include "cli/cli.h"
#include "policy/policy.h"

/* Options of all subcommands; NULL or false where not given. */
struct policy_args {
    const char *files[2];
    int count;
    const char *type, *claims, *key, *cert, *alg;
    bool json, trace, token;
};

/* -- policy_claims.c: claims from JSON -- */

/* An array of {type, value, valueType, issuer, readOnly}; or an object with such an array in "incoming"; or an
 * object whose members (or those of its member "claims") are claims of the service, arrays being several. */
bool claims_read(struct bytes json_text, const char *what, struct arena *a, struct claims *ret,
                 struct err *e) CHECKED;
/* [{"type","value","valueType","issuer"}] */
struct bytes claims_list_json(const struct claims *c, struct arena *a);

/* -- policy_sign.c: the operator's key -- */

/* The policy as a signed JWS. alg NULL: RS256 for RSA keys, the one of its curve for EC keys. */
bool policy_sign(struct bytes text, struct bytes key_pem, struct bytes cert_pem, const char *alg, struct arena *a,
                 struct bytes *ret, struct err *e) CHECKED;

/* -- policy_diff.c -- */

int policy_diff(const struct policy_args *args, struct arena *a);
/* The text of a policy file; a JWS is opened and its signature verified. */
bool policy_file(const char *path, struct arena *a, struct bytes *ret_text, struct err *e) CHECKED;

#endif
