/* bundle.h: collateral as files: what the cache keeps on disk, and what one site carries to another.
 *
 * Both are the same: records of what a vendor answered, unchanged, so every item is still the vendor's
 * signed statement. All integers are little-endian:
 *
 *     "AVOUCH COLLATERAL 1\n"
 *     record: u32 size of what follows   u16 key   u16 source   i64 fetched   u32 max-age   u16 etag
 *             u16 last-modified   u16 count   count times u32 body     (u16, u32: length, then the bytes)
 *     SHA-256 of all before it: a copy that was cut or damaged is noticed; who may write it is not its matter */
#ifndef AVOUCH_COLLATERAL_BUNDLE_H
#define AVOUCH_COLLATERAL_BUNDLE_H

#include "base/arena.h"
#include "base/err.h"

#define BUNDLE_MAX_BODIES 8
#define BUNDLE_MAX_SIZE ((size_t)256 << 20)

struct record {
    struct bytes key;       /* need_key_print() */
    struct bytes source;    /* who gave it, for people */
    int64_t fetched;
    uint32_t max_age;       /* seconds that the source allows; 0: it said nothing */
    struct bytes etag, modified; /* for conditional requests; may be empty */
    struct bytes bodies[BUNDLE_MAX_BODIES]; /* the item itself first, then its certificates */
    size_t count;
};

/* By its first line. */
bool bundle_is(struct bytes in);
/* Views into `in`; the list lives in the arena. */
bool bundle_parse(struct bytes in, struct arena *a, struct record **ret, size_t *ret_count, struct err *e) CHECKED;
/* p NULL: out of memory, or a record that no bundle can hold. */
struct bytes bundle_print(const struct record *list, size_t count, struct arena *a);

#endif
