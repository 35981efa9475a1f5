/* cbor.c: see cbor.h. */
#include "codec/cbor.h"

#include "codec/json.h"

enum { SIMPLE_FALSE = 20, SIMPLE_TRUE = 21, SIMPLE_NULL = 22, SIMPLE_UNDEFINED = 23 };

int cbor_peek(const struct cur *c)
{
    return cur_left(c) == 0 ? CBOR_END : c->all.p[c->at] >> 5;
}

/* Initial byte and argument (RFC 8949 section 3); the argument must be in its shortest form. */
static uint64_t take_head(struct cur *c, unsigned *ret_major, const char *field)
{
    static const uint64_t least[] = { 24, 0x100, 0x10000, 0x100000000 };
    uint8_t first = cur_u8(c, field);
    unsigned info = first & 31u;
    uint64_t v = 0;

    *ret_major = first >> 5;
    if (info < 24)
        return info;
    switch (info) {
    case 24:
        v = cur_u8(c, field);
        break;
    case 25:
        v = cur_u16be(c, field);
        break;
    case 26:
        v = cur_u32be(c, field);
        break;
    case 27:
        v = cur_u64be(c, field);
        break;
    default:
        cur_wrong(c, field, "a definite length");
        return 0;
    }
    if (v < least[info - 24] || *ret_major == CBOR_SIMPLE)
        cur_wrong(c, field, *ret_major == CBOR_SIMPLE ? "false, true, null or undefined" : "the shortest form");
    return v;
}

static uint64_t take(struct cur *c, unsigned major, const char *field, const char *expected)
{
    unsigned found;
    uint64_t v;

    if (cur_ok(c) && cbor_peek(c) != (int)major && cur_left(c) > 0)
        cur_wrong(c, field, expected);
    v = take_head(c, &found, field);
    return cur_ok(c) ? v : 0;
}

uint64_t cbor_uint(struct cur *c, const char *field)
{
    return take(c, CBOR_UINT, field, "a CBOR unsigned integer");
}

int64_t cbor_int(struct cur *c, const char *field)
{
    bool negative = cbor_peek(c) == CBOR_NEGATIVE;
    uint64_t v = take(c, negative ? CBOR_NEGATIVE : CBOR_UINT, field, "a CBOR integer");

    if (v > INT64_MAX) {
        cur_wrong(c, field, "an integer of 64 bits");
        return 0;
    }
    return negative && cur_ok(c) ? -1 - (int64_t)v : (int64_t)v;
}

static struct bytes take_string(struct cur *c, unsigned major, const char *field, const char *expected)
{
    uint64_t n = take(c, major, field, expected);

    return cur_take(c, n > SIZE_MAX ? SIZE_MAX : (size_t)n, field);
}

struct bytes cbor_bytes(struct cur *c, const char *field)
{
    return take_string(c, CBOR_BYTES, field, "a CBOR byte string");
}

struct bytes cbor_text(struct cur *c, const char *field)
{
    struct bytes text = take_string(c, CBOR_TEXT, field, "a CBOR text string");

    if (!utf8_valid(text))
        cur_wrong(c, field, "valid UTF-8");
    return text;
}

uint64_t cbor_array(struct cur *c, const char *field)
{
    uint64_t n = take(c, CBOR_ARRAY, field, "a CBOR array");

    if (n > cur_left(c)) { /* each element takes a byte at least, so a loop over n is bounded by the input */
        cur_wrong(c, field, "an array that fits into its input");
        return 0;
    }
    return n;
}

uint64_t cbor_map(struct cur *c, const char *field)
{
    uint64_t n = take(c, CBOR_MAP, field, "a CBOR map");

    if (n > CBOR_MAP_MAX) {
        cur_wrong(c, field, "a map of at most 64 entries");
        return 0;
    }
    return n;
}

uint64_t cbor_tag(struct cur *c, const char *field)
{
    return take(c, CBOR_TAG, field, "a CBOR tag");
}

static unsigned take_simple(struct cur *c, const char *field)
{
    uint64_t v = take(c, CBOR_SIMPLE, field, "a CBOR simple value");

    if (cur_ok(c) && (v < SIMPLE_FALSE || v > SIMPLE_UNDEFINED))
        cur_wrong(c, field, "false, true, null or undefined");
    return (unsigned)v;
}

bool cbor_bool(struct cur *c, const char *field)
{
    unsigned v = take_simple(c, field);

    if (cur_ok(c) && v > SIMPLE_TRUE)
        cur_wrong(c, field, "true or false");
    return cur_ok(c) && v == SIMPLE_TRUE;
}

bool cbor_take_null(struct cur *c)
{
    if (cur_left(c) == 0 || c->all.p[c->at] != (CBOR_SIMPLE << 5 | SIMPLE_NULL))
        return false;
    cur_skip(c, 1, "null");
    return true;
}

static void walk(struct cur *c, unsigned depth, const char *field);

static void walk_map(struct cur *c, unsigned depth, const char *field)
{
    struct bytes keys[CBOR_MAP_MAX];
    uint64_t n = cbor_map(c, field);

    for (uint64_t i = 0; i < n && cur_ok(c); i++) {
        size_t start = c->at;

        walk(c, depth, field);
        keys[i] = bytes_part(c->all, start, c->at - start);
        for (uint64_t k = 0; k < i; k++) /* the shortest form is the only one, so equal keys are equal bytes */
            if (cur_ok(c) && bytes_equal(keys[k], keys[i]))
                cur_wrong(c, field, "each key of a map once");
        walk(c, depth, field);
    }
}

/* One item with everything inside; the recursion is as deep as `depth` and no deeper. */
static void walk(struct cur *c, unsigned depth, const char *field)
{
    int major = cbor_peek(c);
    uint64_t n;

    if ((major == CBOR_ARRAY || major == CBOR_MAP || major == CBOR_TAG) && depth == 0) {
        cur_wrong(c, field, "no deeper nesting");
        return;
    }
    switch (major) {
    case CBOR_BYTES:
        (void)cbor_bytes(c, field);
        break;
    case CBOR_TEXT:
        (void)cbor_text(c, field);
        break;
    case CBOR_ARRAY:
        n = cbor_array(c, field);
        for (uint64_t i = 0; i < n && cur_ok(c); i++)
            walk(c, depth - 1, field);
        break;
    case CBOR_MAP:
        walk_map(c, depth - 1, field);
        break;
    case CBOR_TAG:
        (void)cbor_tag(c, field);
        walk(c, depth - 1, field);
        break;
    case CBOR_SIMPLE:
        (void)take_simple(c, field);
        break;
    default: /* integers, and the end, which take() reports */
        (void)take(c, major == CBOR_NEGATIVE ? CBOR_NEGATIVE : CBOR_UINT, field, "a CBOR item");
        break;
    }
}

bool cbor_check(struct bytes in, unsigned depth, enum err_code code, const char *what, struct err *e)
{
    struct cur c = cur_open(in);

    walk(&c, depth, "CBOR");
    return cur_close(&c, code, what, e);
}

struct bytes cbor_item(struct cur *c, const char *field)
{
    size_t start = c->at;

    walk(c, CBOR_DEPTH, field);
    return cur_ok(c) ? bytes_part(c->all, start, c->at - start) : (struct bytes){ NULL, 0 };
}

/* Takes an integer of any size and says whether it is `key`: a key of 64 bits is another key, not an error. */
static bool take_key(struct cur *c, int64_t key)
{
    unsigned major;
    uint64_t v = take_head(c, &major, "key");

    return cur_ok(c) && v <= INT64_MAX && (major == CBOR_NEGATIVE ? -1 - (int64_t)v : (int64_t)v) == key;
}

bool cbor_find_int(struct bytes map, int64_t key, struct cur *ret)
{
    struct cur c = cur_open(map);
    uint64_t n = cbor_peek(&c) == CBOR_MAP ? cbor_map(&c, "map") : 0;

    for (uint64_t i = 0; i < n && cur_ok(&c); i++) {
        int major = cbor_peek(&c);

        if (major != CBOR_UINT && major != CBOR_NEGATIVE) {
            (void)cbor_item(&c, "key");
        } else if (take_key(&c, key)) {
            *ret = c;
            return true;
        }
        (void)cbor_item(&c, "value");
    }
    return false;
}

bool cbor_find_text(struct bytes map, const char *key, struct cur *ret)
{
    struct cur c = cur_open(map);
    uint64_t n = cbor_peek(&c) == CBOR_MAP ? cbor_map(&c, "map") : 0;

    for (uint64_t i = 0; i < n && cur_ok(&c); i++) {
        if (cbor_peek(&c) != CBOR_TEXT) {
            (void)cbor_item(&c, "key");
        } else if (bytes_is(cbor_text(&c, "key"), key) && cur_ok(&c)) {
            *ret = c;
            return true;
        }
        (void)cbor_item(&c, "value");
    }
    return false;
}
