/* engine.h: who wants what, what is there, what is under way: the middle of the collateral process.
 *
 *     ask -> cached and valid: answered at once, refreshed behind the back when half of its life is over
 *         -> not there: one job a key, whoever asks meanwhile waits for the same job
 *     job -> the sources in their order, each within its bucket and breaker, until one gives what is wanted
 *
 * What was cached is served within its own validity, whatever happens to the sources. The same engine runs
 * in the process avouch-collateral and in `avouch collateral fetch`. */
#ifndef AVOUCH_COLLATERAL_ENGINE_H
#define AVOUCH_COLLATERAL_ENGINE_H

#include "collateral/net.h"
#include "collateral/source.h"
#include "collateral/vet.h"

struct engine;

struct engine_answer {
    const struct record *record; /* NULL: none is there; may be past its end, then errors say why no newer one */
    int64_t from, to, eval_number;
    const char *errors;          /* of the sources, for people; "" where nothing failed */
    enum err_code code;          /* what they said together, where errors say something (enum said) */
    unsigned retry_after;        /* seconds; 0: nothing failed */
};
/* Called once for each question, perhaps before engine_ask() returns; the answer lives for the call. */
typedef void engine_done(void *user, const struct engine_answer *answer);

struct engine_options {
    const char *folder;    /* of the cache; made by the caller */
    int64_t clock_offset;  /* pretended minus real time; 0 but in development */
    bool forever;          /* refreshes what is there; a tool that ends does not */
};

/* Reads the cache and all files that are needed later: before the sandbox closes. */
bool engine_open(const struct config *c, const struct engine_options *o, struct arena *a, struct engine **ret, struct err *e) CHECKED;
void engine_close(struct engine *x);
/* The network of this process, run by engine_run(). */
struct net *engine_net(struct engine *x);

enum engine_mode {
    ENGINE_FETCH,  /* what is there and valid, else fetched */
    ENGINE_CACHED, /* only what is there */
    ENGINE_ANEW,   /* asks the sources whatever is there */
};
/* ERR_BAD_REQUEST: no key. The answer comes by deadline_us of the monotonic clock. */
bool engine_ask(struct engine *x, struct bytes key, enum engine_mode mode, uint64_t deadline_us, engine_done *done, void *user, struct err *e) CHECKED;
/* ENGINE_FETCH of an item that was issued at `issued` or later. Where no source has one, what there is, with errors that say
 * so; whoever asks again meanwhile causes no request. */
bool engine_ask_newer(struct engine *x, struct bytes key, int64_t issued, uint64_t deadline_us, engine_done *done, void *user,
                      struct err *e) CHECKED;
/* Reads the cache folder and the file sources anew. */
void engine_reload(struct engine *x);
/* Puts a record into the cache: vetted like a source's answer, never over a newer one. `complete`: with all that verifies
 * it; else a PCK CRL may lack its issuer chain. */
bool engine_import(struct engine *x, const struct record *r, bool complete, bool *ret_newer, struct err *e) CHECKED;

/* One turn: waits for sockets, `extra` and timers, at most max_ms. */
void engine_run(struct engine *x, struct curl_waitfd *extra, unsigned extra_count, int max_ms);
bool engine_busy(const struct engine *x); /* a job runs */

/* JSON: sources with their health, items with age and end, counters. */
struct bytes engine_status(struct engine *x, struct arena *a);

struct engine_item {
    const struct record *record;
    int64_t from, to, eval_number;
};
/* The items of the cache, in the order of their keys; `ret` lives in the arena. */
bool engine_items(struct engine *x, struct arena *a, struct engine_item **ret, size_t *ret_count) CHECKED;

/* Certificates of a folder as trust anchors. */
bool engine_trust(const char *folder, struct arena *a, struct trust *ret, struct err *e) CHECKED;

#endif
