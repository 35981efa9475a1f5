/* cur.h: the one reader of untrusted bytes.
 *
 * It never passes the end. The first read that does not fit is remembered with its field's name;
 * later reads give zero and empty views; cur_close() tells. So a parser looks like the layout table
 * of its specification and checks once. Before a value steers a loop or an allocation: cur_ok(). */
#ifndef AVOUCH_BASE_CUR_H
#define AVOUCH_BASE_CUR_H

#include "base/bytes.h"
#include "base/err.h"

struct cur {
    struct bytes all;
    size_t base;       /* offset of all.p in the outermost input, for messages */
    size_t at;
    const char *field; /* first field that did not fit, or NULL */
    const char *wrong; /* not NULL: the field was there but had a wrong form; says which was expected */
    size_t failed_at;  /* offset of that field in the outermost input */
    size_t want;
    size_t had;
};

struct cur cur_open(struct bytes in);

uint8_t cur_u8(struct cur *c, const char *field);
uint16_t cur_u16le(struct cur *c, const char *field);
uint32_t cur_u32le(struct cur *c, const char *field);
uint64_t cur_u64le(struct cur *c, const char *field);
uint16_t cur_u16be(struct cur *c, const char *field);
uint32_t cur_u32be(struct cur *c, const char *field);
uint64_t cur_u64be(struct cur *c, const char *field);
struct bytes cur_take(struct cur *c, size_t n, const char *field);
struct bytes cur_rest(struct cur *c); /* all that is left */
void cur_skip(struct cur *c, size_t n, const char *field);

/* A cursor on the next n bytes: an inner length cannot reach outside them. */
struct cur cur_sub(struct cur *c, size_t n, const char *field);

/* Marks the cursor as failed at its place: field is there but is not `expected`. */
void cur_wrong(struct cur *c, const char *field, const char *expected);

static inline size_t cur_left(const struct cur *c)
{
    return c->field != NULL ? 0 : c->all.n - c->at;
}

static inline bool cur_ok(const struct cur *c)
{
    return c->field == NULL;
}

/* Everything fitted. `code` and `what` go into the error. */
bool cur_check(const struct cur *c, enum err_code code, const char *what, struct err *e) CHECKED;
/* Everything fitted and nothing is left over. */
bool cur_close(const struct cur *c, enum err_code code, const char *what, struct err *e) CHECKED;

#endif
