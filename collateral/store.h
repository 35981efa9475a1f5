/* store.h: the table of items by key, in memory and as files; which generation stays. */
#ifndef AVOUCH_COLLATERAL_STORE_H
#define AVOUCH_COLLATERAL_STORE_H

#include "collateral/vet.h"

struct job;

/* An item with its certificates, owned as one. */
struct content {
    struct arena own;
    struct record record;
    struct vetted v;
    int64_t refresh_at; /* wall clock */
};

/* A key: with its content, or with the memory of failing to get it. */
struct slot {
    const char *key;
    struct need_key need;
    uint64_t hash;
    struct content *content; /* NULL: none */
    struct job *job;         /* NULL: nothing is under way */
    unsigned failures;       /* in a row */
    uint64_t retry_us;       /* not before: monotonic clock */
    uint64_t recheck_us;     /* until then the sources are known to have nothing newer: monotonic clock */
    char errors[768];        /* of the last attempt */
    enum err_code code;      /* what they come to */
    int64_t warned_at;
    struct slot *next;       /* in its chain */
    struct slot *newer, *older; /* of those without content, by last use */
};

struct store;

struct store *store_new(const char *folder, const struct trust *trust); /* NULL: no memory */
void store_free(struct store *s);
/* The slot of a key, made where there is none. Slots without content, job and use are forgotten when they are
 * many, so that invented keys cannot fill the memory. NULL: no memory. */
struct slot *store_slot(struct store *s, const struct need_key *k);
/* Every slot, in no order. */
void store_each(struct store *s, void (*f)(void *user, struct slot *slot), void *user);
size_t store_count(const struct store *s); /* of slots with content */

/* Reads the folder; what is damaged, foreign or older than what is there is left out and told in the log. `owner`: the
 * process to which the folder belongs starts, so that damaged files and half-written ones go; a tool beside it must leave
 * them: it may be about to finish one. */
void store_load(struct store *s, bool owner, int64_t now);
enum origin {
    ORIGIN_SOURCE,   /* an answer from the network: complete and valid now, or refused */
    ORIGIN_OPERATOR, /* a file that an operator put there: its issuer chain may be missing */
    ORIGIN_CACHE,    /* our own file: may have ended meanwhile; it is not written again */
};
/* Vets and takes a record over by copying. An item never gives way to one with an older date. *ret_newer false:
 * what was there already was as new. */
bool store_put(struct store *s, struct slot *slot, const struct record *r, enum origin origin, int64_t now, bool *ret_newer,
               struct err *e) CHECKED;
/* The source says that the content is still its newest (304). */
void store_renew(struct store *s, struct slot *slot, int64_t now);
/* Forgets content and file. */
void store_drop(struct store *s, struct slot *slot);

#endif
