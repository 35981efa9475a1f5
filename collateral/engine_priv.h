/* engine_priv.h: what the parts of the engine share.
 *
 *     engine.c  opening, questions, the turn of the loop    job.c     jobs: which source is asked when
 *     take.c    what a source gave, kept or refused         upkeep.c  refreshing, warnings, the end of old items
 *     status.c  what it says about itself */
#ifndef AVOUCH_COLLATERAL_ENGINE_PRIV_H
#define AVOUCH_COLLATERAL_ENGINE_PRIV_H

#include "collateral/engine.h"
#include "collateral/store.h"

enum {
    SECOND_US = 1000000,
    PATIENCE_US = 20 * SECOND_US, /* a job waits so long for a source that is closed or busy; longer: failed */
    MAX_JOBS = 512,
    NEWER_US = 60 * SECOND_US,    /* sources that had nothing newer are not asked for it again so long */
    KEEP_EXPIRED = 40 * 86400,    /* longer than any grace that can be configured */
};

struct waiter {
    engine_done *done;
    void *user;
    uint64_t deadline_us;
    int64_t newer;           /* what was issued before does not help; INT64_MIN: whatever is valid */
    struct waiter *next;
};

/* What sources said of an item that they did not give. Only where all that could be asked know that they have not got it,
 * it is known: a source that is down may have it. */
enum said {
    SAID_UNKNOWN = 1,  /* that they do not know it: ERR_PLATFORM_UNKNOWN */
    SAID_ANOTHER = 2,  /* that they have none for this TCB or chip: ERR_CERTS_UNAVAILABLE */
    SAID_TROUBLE = 4,  /* nothing that decides: ERR_COLLATERAL_MISSING */
};                     /* none of these: nobody could be asked: ERR_RESOURCE_NOT_FOUND */

/* One attempt to get a key, whoever wants it. */
struct job {
    struct engine *engine;
    struct slot *slot;
    struct waiter *waiters;
    uint64_t tried;          /* a bit for each source */
    size_t source;           /* that is asked now */
    bool asking;
    bool conditional;
    bool found;              /* something valid, but not as new as somebody wants it */
    int64_t newer;           /* of the waiter that wants most */
    uint64_t wake_us;        /* when not asking */
    bool has_held;           /* an answer that is good once its issuers are there */
    struct record held;
    struct arena held_own;
    unsigned retry_after;    /* what a source said */
    unsigned said;           /* bits of enum said */
    char errors[768];
    struct job *next;
};

struct engine {
    struct sources sources;
    struct trust trust;
    struct store *store;
    struct net *net;
    struct job *jobs;
    size_t job_count;
    struct engine_options options;
    unsigned timeout_ms;
    int64_t warn;
    uint64_t tick_us;        /* of the next look at all items */
    int64_t newest[2];       /* evaluation number that was seen, SGX and TDX */
    uint64_t hits, misses, joined, fetches, refused;
};

/* -- engine.c -- */

int64_t engine_wall(const struct engine *x);
uint32_t engine_dice(void);
bool engine_valid(const struct engine *x, const struct slot *t); /* what is there may be served */
unsigned engine_seconds(uint64_t then_us, uint64_t now_us);      /* 1 to 3600 */
void engine_reply(const struct slot *t, const char *errors, enum err_code code, unsigned retry_after, engine_done *done, void *user);

/* -- job.c -- */

/* NULL: no memory, or too much is under way. It does nothing before job_next(). */
struct job *job_new(struct engine *x, struct slot *t);
bool job_wait(struct job *j, int64_t newer, uint64_t deadline_us, engine_done *done, void *user) CHECKED;
/* Asks the next source, or sets a time to do so, or ends the job. */
void job_next(struct job *j);
/* Answers all who wait; the job is gone. */
void job_end(struct job *j, bool found);
/* A source has given its newest. true: nobody wants a newer one; else those whom it satisfies are answered, and the next
 * source may have it. */
bool job_new_enough(struct job *j, const struct source *s);
void job_note(struct job *j, const char *source, const char *why);
void job_source_ok(struct engine *x, struct source *s);
/* `healthy`: the source works but has not got this item. */
void job_source_bad(struct job *j, struct source *s, bool healthy, const char *why);
void jobs_tick(struct engine *x);
uint64_t jobs_wake_us(const struct engine *x, uint64_t best);
void jobs_drop(struct engine *x);

/* -- take.c -- */

/* What a source gave: kept, or the reason why not. true: the job is done. */
bool take_record(struct job *j, struct source *s, const struct record *r, enum origin origin);
/* The answer of the source that the job asks (net_done). */
void take_net_answer(void *user, const struct net_answer *a);
/* The answer that was held until its issuers were asked for. */
void take_held(struct job *j);

/* -- upkeep.c -- */

void upkeep_refresh(struct engine *x, struct slot *t); /* where it is time to */
/* The vendor went over to a later set: what is of an earlier one is over for those who ask for the set of the day. */
void upkeep_note_set(struct engine *x, struct slot *t);
void upkeep_tick(struct engine *x);

#endif
