/* front.h: the HTTP process: what its parts share.
 *
 *     http.c  bytes <-> request, reply     routes.c  which handler     attest.c  the attestation calls
 *     corelink.c  parcels to the core      main.c    sandbox and loop */
#ifndef AVOUCH_FRONT_FRONT_H
#define AVOUCH_FRONT_FRONT_H

#include "api/api.h"
#include "base/arena.h"
#include "evidence/evidence.h"
#include "os/config.h"
#include "wire/wire.h"

#include <poll.h>

struct front;
struct request;

#define REQUEST_BUDGET ((size_t)64 << 20)

/* A request from its first header to its reply. Made by http.c, ended by http.c. */
struct request {
    struct front *front;
    struct arena a;
    void *connection;       /* of the HTTP library */
    const char *method;     /* "GET" */
    const char *path;       /* percent-decoded, one trailing slash cut, "/" at least */
    struct bytes host;      /* Host without port, lower case is not enforced */
    struct bytes body;
    const char *issuer;     /* base URL of the provider that the host names */
    char request_id[64];    /* traceparent form */
    uint64_t started_us;
    /* reply */
    bool replied;
    int status;
    struct bytes reply;     /* lives in `a` */
    const char *allow;      /* for 405 */
    unsigned retry_after;   /* seconds; 0: no header */
    const char *error_code; /* x-ms-error-code, or NULL */
    bool public_answer;     /* may be cached */
    bool suspended;
    /* while the core works on it */
    uint64_t core_id;
    void (*on_answer)(struct request *rq, const struct wire_fields *f);
    struct request *next;   /* list of those that wait */
    /* of the HTTP side */
    uint8_t *raw;
    size_t raw_n, raw_cap;
    bool too_large;
    bool seen;
};

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

/* -- attest.c, discovery.c -- */

void handle_attest(struct request *rq, const char *type);
void handle_certs(struct request *rq, const char *unused);
void handle_metadata(struct request *rq, const char *unused);
void handle_health(struct request *rq, const char *unused);

struct front {
    struct config config;
    struct arena own;
    struct collateral collateral; /* of the configured folder */
    struct settings settings;
    const char *base_url;         /* of the shared provider */
    uint32_t wire_flags;
    int64_t lifetime, body_limit, header_limit, connections, idle, drain, core_wait;
    struct core_link *links;
    size_t link_count;
    struct http *http;
    uint64_t last_id;
    size_t in_flight;
    bool stopping;
};

/* Folder of collateral files: read once, before the sandbox closes. Files that are no collateral are named
 * in the log and left out. */
bool front_load_collateral(struct front *f, struct err *e) CHECKED;
/* Puts what the evidence needs into the parcel. */
void front_attach_collateral(const struct front *f, const struct needs *n, struct out *frame);

/* -- http.c -- */

bool http_open(struct front *f, int listener, struct http **ret, struct err *e) CHECKED;
int http_descriptor(const struct http *h); /* readable: call http_run() */
int http_timeout_ms(const struct http *h); /* -1: none */
void http_run(struct http *h);
void http_resume(struct request *rq);
bool http_reload(struct http *h, struct err *e) CHECKED; /* TLS certificate and key anew */
void http_stop_accepting(struct http *h);
void http_close(struct http *h);

/* -- corelink.c, for main.c -- */

bool corelink_open(struct front *f, struct err *e) CHECKED;
size_t corelink_poll(struct front *f, struct pollfd *p);       /* fills descriptors in; returns how many */
void corelink_serve(struct front *f, const struct pollfd *p, size_t n);
void corelink_expire(struct front *f, uint64_t now_us);
int corelink_timeout_ms(const struct front *f, uint64_t now_us);

#endif
