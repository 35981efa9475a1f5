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

/* A key, and what the collateral process gave for it. */
struct entry {
    const char *key;
    struct arena own;        /* of the bodies and the error */
    struct bytes bodies[8];
    size_t count;
    int64_t to, eval_number;
    struct err error;        /* why there is nothing, or nothing newer */
    uint64_t asked_us, retry_us;
    bool asked;              /* a question is under way */
    bool cached;             /* which only asks for what is there */
    uint64_t id;             /* of that question */
    size_t waits;            /* requests that wait for it */
    struct entry *next;
};

struct collateral_wait {
    struct request *rq;
    void (*then)(struct request *rq);
    enum collateral_use use;
    struct needs *needs;
    bool paired;
    struct entry *open[MAX_NEEDS]; /* NULL: decided */
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
void entry_ask(struct collateral_link *l, struct entry *x, bool cached);

/* -- collateral.c -- */

/* The entry has its answer: whoever waits for nothing else goes on. */
void collateral_wake(struct front *f, struct entry *x);
/* Looks for the needs from `first` on; true: there is something to wait for. */
bool collateral_wait_for(struct front *f, struct collateral_wait *w, size_t first);

/* -- collateral_sets.c -- */

/* Items that belong to those that are there by now. true: there is more to wait for. */
bool collateral_pair_up(struct front *f, struct collateral_wait *w);

/* -- collateral_folder.c -- */

bool folder_load_trust(struct front *f, struct err *e) CHECKED;
/* Whether the configured folder has an item for the key that is valid now. */
bool folder_has(const struct front *f, const struct need_key *k, int64_t now);
/* ... that may be over. */
bool folder_had(const struct front *f, const struct need_key *k);

#endif
