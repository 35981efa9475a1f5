/* cbor.h: CBOR (RFC 8949) pulled from the cursor, item by item.
 *
 * An own reader and not libcbor 0.8: that one builds a tree with an allocation for each item, knows no
 * depth limit of the caller's, and lets duplicate keys and longer-than-needed integers pass, all of
 * which decide here whether two readers of one signed header understand the same.
 *
 * Accepted: definite lengths in their shortest form, maps without duplicate keys, valid UTF-8, simple
 * values false, true, null, undefined. Call cbor_check() once on the whole input; afterwards the
 * pulling functions only meet well-formed items. */
#ifndef AVOUCH_CODEC_CBOR_H
#define AVOUCH_CODEC_CBOR_H

#include "base/cur.h"

enum cbor_major {
    CBOR_UINT,
    CBOR_NEGATIVE,
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_TAG,
    CBOR_SIMPLE,
    CBOR_END = -1, /* nothing is left, or the cursor has failed */
};

enum {
    CBOR_DEPTH = 8,     /* nesting that COSE headers need (evidence-snp section 8.2) */
    CBOR_MAP_MAX = 64,  /* entries of one map; bounds the search for duplicate keys */
};

/* Exactly one well-formed item of at most `depth` levels, and nothing behind it. */
bool cbor_check(struct bytes in, unsigned depth, enum err_code code, const char *what, struct err *e) CHECKED;

int cbor_peek(const struct cur *c); /* enum cbor_major */
uint64_t cbor_uint(struct cur *c, const char *field);
int64_t cbor_int(struct cur *c, const char *field); /* either sign */
struct bytes cbor_bytes(struct cur *c, const char *field);
struct bytes cbor_text(struct cur *c, const char *field);
uint64_t cbor_array(struct cur *c, const char *field); /* number of elements that follow */
uint64_t cbor_map(struct cur *c, const char *field);   /* number of pairs that follow */
uint64_t cbor_tag(struct cur *c, const char *field);   /* its item follows */
bool cbor_bool(struct cur *c, const char *field);
/* Whether null comes next; takes it if so. */
bool cbor_take_null(struct cur *c);
/* The next item as it stands, with everything inside it. */
struct bytes cbor_item(struct cur *c, const char *field);

/* Puts the cursor behind the key of a map (whole item); false: the map has no such key, *ret is untouched. */
bool cbor_find_int(struct bytes map, int64_t key, struct cur *ret);
bool cbor_find_text(struct bytes map, const char *key, struct cur *ret);

#endif
