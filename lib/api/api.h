/* api.h: the documents of the REST API as structs: read from JSON, written to JSON. */
#ifndef AVOUCH_API_API_H
#define AVOUCH_API_API_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

/* -- POST /attest/{type} (rest-api 5.1, 5.2) -- */

struct api_attached {
    bool present;
    bool json; /* dataType JSON, else Binary */
    struct bytes data;
};

struct api_attest {
    struct bytes evidence; /* decoded */
    struct api_attached runtime, init;
    bool has_draft;
    struct bytes draft;    /* policy text, or a JWS that carries one */
    struct bytes nonce;    /* empty: none */
};

struct api_limits {
    size_t nonce; /* bytes */
    size_t data;  /* of runtimeData and initTimeData, decoded */
};
#define API_LIMITS_DEFAULT ((struct api_limits){ .nonce = 1024, .data = (size_t)1 << 20 })

/* `member` is the name of the evidence member ("quote"). Names are compared without case, null is absent,
 * unknown members are ignored, a BOM is skipped. */
bool api_attest_parse(struct bytes body, const char *member, const struct api_limits *limits, struct arena *a,
                      struct api_attest *ret, struct err *e) CHECKED;

/* -- answers -- */

/* {"error":{"code","message","innererror":{...},"details"?}} (rest-api 10). `details` is JSON or empty. */
struct bytes api_error(const struct err *e, const char *message, struct bytes details, struct arena *a);
/* The message of an error as people read it: object, reason, what the sender can do. */
const char *api_error_message(const struct err *e, struct arena *a);
/* {"token":"..."} */
struct bytes api_token(struct bytes token, struct arena *a);
/* The metadata document of a provider (rest-api 4.1), members in the recorded order. */
struct bytes api_openid_configuration(const char *issuer, struct bytes alg, struct arena *a);

/* api-version of the query, if it is one that is known (rest-api 1.3). */
bool api_version_known(struct bytes version);

#endif
