/* claims.h: named, typed statements: what evidence yields, what policies test and issue.
 *
 * One list in order of insertion; that order is visible to policies (policy-language section 6). */
#ifndef AVOUCH_CLAIMS_CLAIMS_H
#define AVOUCH_CLAIMS_CLAIMS_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

enum claim_type {
    CLAIM_STRING,
    CLAIM_INTEGER,
    CLAIM_BOOLEAN,
    CLAIM_JSON, /* text is JSON: a String to policies, an object or array in a token */
};

enum claim_issuer {
    ISSUER_SERVICE, /* "AttestationService" */
    ISSUER_POLICY,  /* "AttestationPolicy" */
    ISSUER_CUSTOM,  /* "CustomClaim" */
};

/* Where a claim of the service goes. */
enum claim_use {
    CLAIM_TO_POLICY = 1, /* in the incoming set */
    CLAIM_TO_TOKEN = 2,  /* a member of the token by itself */
    CLAIM_READ_ONLY = 4, /* a policy may test but never issue it */
};
#define CLAIM_TO_BOTH (CLAIM_TO_POLICY | CLAIM_TO_TOKEN)

struct claim {
    struct bytes name; /* the policy language calls it "type" */
    enum claim_type type;
    enum claim_issuer issuer;
    unsigned use;
    struct bytes text; /* STRING, JSON */
    int64_t integer;
    bool boolean;
};

struct claims {
    struct arena *a;
    struct claim *list;
    size_t count;
    size_t room;
    bool failed; /* out of memory; sticky */
};

struct claims claims_open(struct arena *a);
void claims_add(struct claims *c, struct claim claim); /* names and texts are not copied */

/* Claims of the service. Names are literals or live as long as the arena. */
void claims_str(struct claims *c, const char *name, unsigned use, struct bytes text);
void claims_hex(struct claims *c, const char *name, unsigned use, struct bytes b);
void claims_b64url(struct claims *c, const char *name, unsigned use, struct bytes b);
void claims_int(struct claims *c, const char *name, unsigned use, int64_t v);
void claims_bool(struct claims *c, const char *name, unsigned use, bool v);
void claims_json(struct claims *c, const char *name, unsigned use, struct bytes json_text);

/* The first claim of this name, or NULL. */
const struct claim *claims_find(const struct claims *c, const char *name);

bool claim_same(const struct claim *a, const struct claim *b); /* name, type, value and issuer */
const char *claim_type_name(enum claim_type type);             /* "String", "Integer", "Boolean" */
const char *claim_issuer_name(enum claim_issuer issuer);
/* The value as JSON text. */
struct bytes claim_value_json(const struct claim *c, struct arena *a);

/* Writes the claims that have a bit of `use` as members; several of one name become an array, in order. */
void claims_to_object(const struct claims *c, unsigned use, struct jobj *o);

#endif
