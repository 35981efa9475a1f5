/* collateral_priv.h: what the parts of the front's collateral share.
 *
 *     collateral.c        requests that wait     collateral_cache.c  what the collateral process gave, and is asked for
 *     collateral_sets.c   items of one set       collateral_folder.c the configured folder, and the parcel for the core */
#ifndef AVOUCH_FRONT_COLLATERAL_PRIV_H
#define AVOUCH_FRONT_COLLATERAL_PRIV_H

#include "front/link.h"

#include "evidence/needkey.h"

enum {
    CHAINS = 1024,
    MAX_NEEDS = 16,
};

#define ANY_DATE INT64_MIN

/* To the collateral process, about one key. The answer to the latest counts. */
struct question {
    bool asked;              /* it is under way */
    bool cached;             /* it only asks for what is there */
    int64_t newer;           /* what was issued before does not help; or ANY_DATE */
    uint64_t id;
    uint64_t retry_us;       /* the answer will be the same until then */
    struct err error;        /* why there is nothing, or nothing newer */
};

/* A key, and what the collateral process gave for it. Whoever wants something newer than what is there has a question of
 * its own: nobody else waits for that. */
struct entry {
    const char *key;
    struct arena own;        /* of the bodies */
    struct bytes bodies[8];
    size_t count;
    int64_t from, to, eval_number;
    uint64_t asked_us;
    struct question any, newer;
    size_t waits;            /* requests that wait for it */
    struct entry *next;
};

struct collateral_wait {
    struct request *rq;
    void (*then)(struct request *rq);
    enum collateral_use use;
    const struct settings *settings;
    struct needs *needs;
    bool completed;                /* what belongs together was looked for */
    struct entry *open[MAX_NEEDS]; /* NULL: decided */
    bool newer[MAX_NEEDS];         /* it waits for the answer to that question */
    size_t count;
    uint64_t deadline_us;
    struct collateral_wait *next;
};

struct collateral_link {
    struct link link;
    uint64_t last_id, status_id;
    struct arena status_arena;
    struct bytes status;     /* what the process said last about itself: JSON */
    struct entry *chains[CHAINS];
    size_t empty;
    struct collateral_wait *waits;
};

/* -- collateral_cache.c -- */

struct entry *entry_find(const struct collateral_link *l, const char *key);
struct entry *entry_make(struct collateral_link *l, const char *key); /* NULL: out of memory */
bool entry_valid(const struct front *f, const struct entry *x);
/* Asks the process, unless a question that serves as well is under way. */
void entry_ask(struct collateral_link *l, struct entry *x, bool cached, int64_t newer);

/* -- collateral.c -- */

/* The entry has the answer to these of its questions: whoever waits for nothing else goes on. */
void collateral_wake(struct front *f, struct entry *x, bool any, bool newer);
/* The date before which an item is too old under these settings; ANY_DATE where its age does not count. */
int64_t collateral_oldest(const struct front *f, const struct need_key *k, const struct settings *s);
/* Looks for the needs from `first` on; true: there is something to wait for. */
bool collateral_wait_for(struct front *f, struct collateral_wait *w, size_t first);

/* -- collateral_sets.c -- */

/* Items that belong to those that are there by now, once. true: there is more to wait for. */
bool collateral_complete(struct front *f, struct collateral_wait *w);

/* -- collateral_folder.c -- */

bool folder_load_trust(struct front *f, struct err *e) CHECKED;
/* Whether the configured folder has an item for the key that is valid now, and was issued at `oldest` or later. */
bool folder_has(const struct front *f, const struct need_key *k, int64_t oldest);
/* ... that may be over. */
bool folder_had(const struct front *f, const struct need_key *k);

#endif
