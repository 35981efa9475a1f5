/* check.h: every comparison that a verification makes, made in one way and told to whoever asks.
 *
 * Each function compares, records what was compared (when a list is given), and on failure fills the
 * error with object, rule and both values. So a verifier is a chain of check_...() && check_...(). */
#ifndef AVOUCH_EVIDENCE_CHECK_H
#define AVOUCH_EVIDENCE_CHECK_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

enum check_result {
    CHECK_OK,
    CHECK_FAILED,
    CHECK_SKIPPED,
    CHECK_UNDECIDED,
};

struct check {
    const char *name;     /* "PCK chain", stable and short */
    enum check_result result;
    const char *expected; /* may be NULL */
    const char *actual;
    const char *source;   /* standard or vendor document and section: "SGX DCAP 5 step 9" */
    const struct check *next;
};

struct checks {
    struct arena *a;
    const struct check *first;
    struct check *last;
    size_t count;
};

/* What a check is about; the error of its failure. */
struct rule {
    const char *name;
    const char *source;
    const char *what;   /* the object, for the error: "SGX quote" */
    enum err_code code;
};

/* `list` may be NULL in all of them: then nothing is recorded. */
bool check_true(struct checks *list, const struct rule *r, bool ok, const char *expected, const char *actual,
                struct err *e) CHECKED;
/* The same for a plain fact: `actual` tells what is there instead where it does not hold. */
bool check_fact(struct checks *list, const struct rule *r, bool ok, const char *expected, const char *actual,
                struct err *e) CHECKED;
bool check_bytes(struct checks *list, const struct rule *r, struct bytes expected, struct bytes actual,
                 struct err *e) CHECKED; /* equal; told as hexadecimal, up to 64 bytes */
bool check_text(struct checks *list, const struct rule *r, struct bytes expected, struct bytes actual,
                struct err *e) CHECKED;
bool check_uint(struct checks *list, const struct rule *r, uint64_t expected, uint64_t actual, struct err *e) CHECKED;
bool check_at_least(struct checks *list, const struct rule *r, uint64_t least, uint64_t actual,
                    struct err *e) CHECKED;
/* from <= now <= to, both inclusive. */
bool check_window(struct checks *list, const struct rule *r, int64_t from, int64_t to, int64_t now,
                  struct err *e) CHECKED;
/* Records the outcome of a step that fills the error itself: return check_step(list, r, ok, actual, e). */
bool check_step(struct checks *list, const struct rule *r, bool ok, const char *actual, struct err *e) CHECKED;
/* Records only. */
void check_skip(struct checks *list, const struct rule *r, const char *why);

/* As the JSON array of `avouch verify --json`. */
struct bytes checks_json(const struct checks *list, struct arena *a);
const char *check_result_name(enum check_result r);

#endif
