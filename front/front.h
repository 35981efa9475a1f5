/* front.h: the HTTP process: what its parts share.
 *
 *     http.c  bytes <-> request, reply     routes.c  which handler     attest.c  the attestation calls
 *     corelink.c  parcels to the core      main.c    sandbox and loop */
#ifndef AVOUCH_FRONT_FRONT_H
#define AVOUCH_FRONT_FRONT_H

#include "api/api.h"
#include "base/arena.h"
#include "evidence/evidence.h"
#include "jose/jwk.h"
#include "os/config.h"
#include "store/store.h"
#include "wire/wire.h"

#include <poll.h>

struct front;
struct request;

#define REQUEST_BUDGET ((size_t)64 << 20)

/* A request from its first header to its reply. Made by http.c, ended by http.c. */
/* Who asks, and what they may do. */
enum permission {
    MAY_READ_DATA = 1,      /* .../attestationProviders/attestation/read */
    MAY_WRITE_DATA = 2,
    MAY_DELETE_DATA = 4,
    MAY_READ_CONTROL = 8,   /* .../attestationProviders/read, and so on */
    MAY_WRITE_CONTROL = 16,
    MAY_DELETE_CONTROL = 32,
};

enum { MAX_GRANTS = 8, MAX_STEPS = 6 };

/* Everywhere, or below a scope: a provider's name or the beginning of a resource path. */
struct grant {
    unsigned permissions;
    char scope[200]; /* "": everywhere */
};

struct principal {
    char id[80], name[80], app[80]; /* of the audit record */
    struct grant grants[MAX_GRANTS];
    size_t grant_count;
};

/* The provider that the host names. */
struct tenant {
    bool shared;
    struct store_provider row; /* of own providers */
};

struct request {
    struct front *front;
    struct arena a;
    void *connection;       /* of the HTTP library */
    const char *method;     /* "GET" */
    const char *path;       /* percent-decoded, one trailing slash cut, "/" at least */
    struct bytes host;      /* Host without port, lower case is not enforced */
    struct bytes body;
    const char *issuer;     /* base URL of the provider that the host names */
    struct tenant tenant;
    struct principal principal; /* empty id: nobody was asked */
    const char *steps[MAX_STEPS]; /* texts of the holes in the route's path */
    const char *operation;  /* of the audit record: "AttestSgxEnclave" */
    const char *failure;    /* message of a refusal, for the audit record */
    struct bytes evidence_hash, policy_hash; /* lower-case hex and base64url, for the audit record */
    char request_id[64];    /* traceparent form */
    uint64_t started_us;
    /* reply */
    bool replied;
    int status;
    struct bytes reply;     /* lives in `a` */
    const char *allow;      /* for 405 */
    const char *authenticate; /* WWW-Authenticate of a 401 */
    unsigned retry_after;   /* seconds; 0: no header */
    const char *error_code; /* x-ms-error-code, or NULL */
    const char *error_name; /* of the error table: "QUOTE_SIGNATURE" */
    const char *evidence_type; /* name of the kind, for audit and metrics */
    bool public_answer;     /* may be cached */
    const char *content_type; /* NULL: JSON */
    struct {
        const char *name, *value;
    } extra[4];             /* more headers; those with a value are sent */
    bool suspended;
    bool keys_awaited; /* auth_check() has waited for the issuer's keys: it does so once */
    bool awaits_keys;  /* ... and does so now; issuer.c routes the request again */
    /* while the core works on it */
    uint64_t core_id, asked_us;
    uint64_t collateral_us; /* until when it waits for collateral; 0: it did not yet */
    uint32_t route;         /* not 0: requests with the same number go to the same worker, while it lives */
    struct bytes core_frame; /* kept until the answer is there, for another worker */
    bool core_handed_over;
    unsigned core_asked_anew; /* how often the provider was changed meanwhile */
    void *call;             /* of the handler, while it waits */
    void (*on_answer)(struct request *rq, const struct wire_fields *f);
    struct request *next;   /* list of those that wait */
    /* of the HTTP side */
    uint8_t *raw;
    size_t raw_n, raw_cap;
    bool too_large;
    bool seen;
};

/* Seconds since 1970, as the core counts them. */
int64_t front_now(const struct front *f);

const char *request_query(const struct request *rq, const char *name);  /* NULL: absent */
const char *request_header(const struct request *rq, const char *name); /* NULL: absent */

/* Replies. Each request gets exactly one. */
void reply_json(struct request *rq, int status, struct bytes body);
void reply_empty(struct request *rq, int status);
void reply_error(struct request *rq, const struct err *e);
void reply_error_details(struct request *rq, const struct err *e, struct bytes details);

/* -- corelink.c -- */

/* Sends the frame; on_answer is called with the answer, or the request gets 503 by itself. */
void core_ask(struct request *rq, struct out *frame, uint64_t id, void (*on_answer)(struct request *, const struct wire_fields *));
uint64_t core_next_id(struct front *f);
/* The error of an answer as a reply: true if there was one. */
bool core_replied_error(struct request *rq, const struct wire_fields *f);

/* -- routes.c -- */

/* Finds the route and calls its handler, or replies 404 / 405 / 400. */
void route(struct request *rq);
/* Each row on standard output, for the test of the OpenAPI document. */
void routes_print(void);

/* -- handlers; each replies or asks the core -- */

void handle_attest(struct request *rq);
void handle_certs(struct request *rq);
void handle_metadata(struct request *rq);
void handle_health(struct request *rq);
void handle_openapi(struct request *rq);

void handle_policy_get(struct request *rq);
void handle_policy_put(struct request *rq);
void handle_policy_reset(struct request *rq);
void handle_policy_history(struct request *rq);
void handle_policy_rollback(struct request *rq);
void handle_signers_get(struct request *rq);
void handle_signers_add(struct request *rq);
void handle_signers_remove(struct request *rq);
void handle_baselines(struct request *rq);
void handle_audit(struct request *rq);

void handle_mirror_intel(struct request *rq);
void handle_mirror_qve(struct request *rq);
void handle_mirror_amd(struct request *rq);

void handle_arm_put(struct request *rq);
void handle_arm_get(struct request *rq);
void handle_arm_patch(struct request *rq);
void handle_arm_delete(struct request *rq);
void handle_arm_list(struct request *rq);
void handle_arm_defaults(struct request *rq);
void handle_arm_default(struct request *rq);
void handle_arm_operations(struct request *rq);
void handle_arm_connection_put(struct request *rq);
void handle_arm_connection_get(struct request *rq);
void handle_arm_connection_delete(struct request *rq);
void handle_arm_connections(struct request *rq);
void handle_arm_links(struct request *rq);

/* -- attest.c -- */

bool attest_open(struct front *f, struct err *e) CHECKED;

/* -- tenant.c -- */

/* Finds the provider that the Host header names; replies 404 (alike for all that are not there) or 503. */
bool tenant_find(struct request *rq) CHECKED;
/* Base URL of a provider of this name. */
const char *tenant_url(const struct front *f, const char *name, struct arena *a);
/* Whether a host has the form of a provider's host (there may be no such provider). */
bool tenant_is_provider_host(const struct front *f, struct bytes host);
/* Head and MAC, or the issuer of the shared provider; for a type also its stored policy. */
bool tenant_put(struct request *rq, const char *type, struct out *frame, struct err *e) CHECKED;
/* Whether the store has another head by now than the one that the request was given. */
bool tenant_changed(struct request *rq);

/* -- network.c -- */

bool network_open(struct front *f, struct err *e) CHECKED;
/* Whether the caller's network may use the provider that was found; replies 403 where not. */
bool network_check(struct request *rq) CHECKED;

/* -- auth.c -- */

bool auth_open(struct front *f, struct err *e) CHECKED; /* after the links to the core are open */
void auth_forget_tokens(struct front *f); /* other keys: what was validated before is validated anew */
/* Whether the caller has the permission (for this provider); replies 401 as recorded where not. May suspend the
 * request until the issuer's keys are there and route it again: call it before anything is changed. `scope` is the
 * provider's name or a resource path, NULL: any valid caller will do. */
bool auth_check(struct request *rq, enum permission p, const char *scope) CHECKED;
/* Replies with the error; a 401 says where tokens come from. */
void auth_refuse(struct request *rq, bool control, const struct err *e);
/* Whether the client showed a certificate, and there are CAs to hold it against (tls.client_ca). */
bool http_client_shown(const struct request *rq);
/* Common name of the certificate, if it is a client's and verifies; ERR_UNAUTHORIZED else. */
bool http_client_name(const struct request *rq, char *to, size_t size, struct err *e) CHECKED;
/* Address of the peer as text; owned by the request. */
const char *http_client_address(struct request *rq);

/* -- audit.c, metrics.c -- */

bool audit_open(struct front *f, struct err *e) CHECKED;
/* Called once for each request, with its reply. */
void audit_record(struct request *rq);
void audit_flush(struct front *f);
int audit_timeout_ms(const struct front *f, uint64_t now_us);
/* One step of forgetting records older than audit.keep, where it is this front's turn. */
void audit_trim(struct front *f, uint64_t now_us);
int audit_trim_timeout_ms(const struct front *f, uint64_t now_us);
void metrics_count(const struct request *rq);
/* `memory_fd` is a shared file of metrics_size() bytes; `listener` -1: another front serves the readers. */
bool metrics_open(struct front *f, int listener, int memory_fd, size_t slot, size_t slots, struct err *e) CHECKED;
size_t metrics_size(size_t slots);
int metrics_descriptor(const struct front *f); /* -1: none */
void metrics_run(struct front *f);

/* -- limit.c: token buckets per address and per provider -- */

/* Takes one from both; replies 429 with Retry-After where one is empty. */
bool limit_take(struct request *rq) CHECKED;

struct front {
    struct config config;
    struct arena own;
    struct collateral collateral; /* of the configured folder */
    struct settings settings;
    const char *base_url;         /* of the shared provider */
    uint32_t wire_flags, setting_bits;
    int64_t lifetime, body_limit, header_limit, connections, idle, drain, core_wait;
    struct core_link *links;
    size_t link_count;
    struct http *http;
    struct store *store;
    struct jwks local_keys;       /* of the core's own issuer of operators' tokens */
    struct jwks issuer_keys;      /* of auth.jwks */
    struct issuer_link *issuers;  /* whose keys are asked for */
    struct arena auth_arena;
    struct memo *tokens;          /* validated bearer tokens */
    const char *provider_prefix, *provider_suffix; /* what stands around the name in a provider's host */
    struct network *networks;     /* that count as private */
    size_t network_count;
    struct memo *buckets;
    struct memo *wishes;          /* what policies ask of collateral, as the core told */
    int64_t rate, tenant_rate;
    struct audit *audit;
    size_t slot;                  /* number of this front: the first one keeps the house */
    int64_t audit_keep;           /* days; 0: for ever */
    uint64_t trim_us;             /* when audit records are looked at again */
    struct metrics *metrics;
    struct collateral_link *collateral_link;
    struct trust trust;           /* development's anchors: who may ask vendors for collateral */
    int64_t clock_offset; /* --dev only: pretended minus real time */
    uint64_t last_id;
    size_t in_flight;
    bool stopping;
};

/* -- collateral*.c -- */

/* Calls `then` when what is needed is there. `needs` lives as long as the request, and may grow. For the mirror `then` is
 * called in any case, and the folder does not count. */
enum collateral_use {
    COLLATERAL_VERIFY,
    COLLATERAL_MIRROR,        /* only what is in the cache */
    COLLATERAL_MIRROR_FETCH,
};
void collateral_await(struct request *rq, struct needs *needs, enum collateral_use use, void (*then)(struct request *rq));
/* For a verification under these settings, which live as long as the request: 503 where something cannot be had in time. What
 * is there but older than they allow is waited for as well, until the deadline, and then goes to the core as it is. */
void collateral_await_for(struct request *rq, struct needs *needs, const struct settings *s, void (*then)(struct request *rq));
/* Whether something is not there, or too old, and would have to be fetched. */
bool collateral_lacks(const struct front *f, const struct needs *n, const struct settings *s);
/* Why something could not be had, or had anew; "" where nothing failed. */
const char *collateral_errors(struct request *rq, const struct needs *n);
/* What the sources said together when they were asked last, for the mirror: ERR_PLATFORM_UNKNOWN, ERR_CERTS_UNAVAILABLE,
 * ERR_RESOURCE_NOT_FOUND where nobody can be asked, else 503: a source that is down may have it. */
void collateral_said(struct request *rq, const struct needs *n, struct err *ret);
/* What the collateral process says about its sources and items (JSON; empty: nothing yet), as of the call before
 * this one: it asks for the next. */
struct bytes collateral_status(struct front *f);
/* The same in the text form of metrics. */
void collateral_metrics(struct front *f, struct out *o);
/* What the collateral process gave for a key: the item, then its certificates; until the next turn of the loop. */
bool collateral_bodies(const struct front *f, const char *key, const struct bytes **ret, size_t *ret_count);
bool collateral_link_open(struct front *f, struct err *e) CHECKED;
struct pollfd collateral_link_poll(const struct front *f);
void collateral_link_serve(struct front *f, const struct pollfd *p);
void collateral_link_expire(struct front *f, uint64_t now_us);
int collateral_link_timeout_ms(const struct front *f, uint64_t now_us);

/* Folder of collateral files: read once, before the sandbox closes. Files that are no collateral are named
 * in the log and left out. */
bool front_load_collateral(struct front *f, struct err *e) CHECKED;
/* Puts what the evidence needs into the parcel. */
void front_attach_collateral(const struct front *f, const struct needs *n, struct out *frame);

/* -- issuer.c: keys of the issuers (auth.issuer) that the collateral process fetches -- */

bool issuer_open(struct front *f, struct err *e) CHECKED;
/* The key of this issuer with this kid, as of now. NULL: with rq->awaits_keys set the request is suspended and will
 * be routed again; else ERR_UNAUTHORIZED (no such issuer, no such key) or ERR_UNAVAILABLE (cannot decide). */
const struct jwk *issuer_key(struct request *rq, struct bytes issuer, struct bytes kid, struct err *e) CHECKED;
/* The first configured issuer: where tokens come from. */
const char *issuer_first(struct request *rq);
struct pollfd issuer_link_poll(const struct front *f);
void issuer_link_serve(struct front *f, const struct pollfd *p);
void issuer_link_expire(struct front *f, uint64_t now_us);
int issuer_link_timeout_ms(const struct front *f, uint64_t now_us);

/* -- http.c -- */

bool http_open(struct front *f, int listener, struct http **ret, struct err *e) CHECKED;
int http_descriptor(const struct http *h); /* readable: call http_run() */
int http_timeout_ms(const struct http *h); /* -1: none */
void http_run(struct http *h);
void http_resume(struct request *rq);
void http_stop_accepting(struct http *h);
void http_close(struct http *h);

/* -- corelink.c, for main.c -- */

bool corelink_open(struct front *f, struct err *e) CHECKED;
size_t corelink_poll(struct front *f, struct pollfd *p);       /* fills descriptors in; returns how many */
void corelink_serve(struct front *f, const struct pollfd *p, size_t n);
/* Asks worker 0 and waits for the answer; only before the loop runs. */
bool corelink_ask_now(struct front *f, struct bytes frame, struct arena *a, struct wire_fields *ret, struct err *e) CHECKED;
void corelink_expire(struct front *f, uint64_t now_us);
int corelink_timeout_ms(const struct front *f, uint64_t now_us);

#endif
