/* bundle.c: see bundle.h. */
#include "collateral/bundle.h"

#include "base/cur.h"
#include "base/out.h"
#include "crypto/hash.h"

static const char magic[] = "AVOUCH COLLATERAL 1\n";
enum { MAGIC = sizeof(magic) - 1, DIGEST = 32, MAX_TEXT = 1024 };

static struct bytes text(struct cur *c, const char *field)
{
    uint16_t n = cur_u16le(c, field);

    if (cur_ok(c) && n > MAX_TEXT)
        cur_wrong(c, field, "at most 1024 bytes");
    return cur_take(c, cur_ok(c) ? n : 0, field);
}

/* What a later request may send as a header: one line. */
static struct bytes header_text(struct cur *c, const char *field)
{
    struct bytes b = text(c, field);

    for (size_t i = 0; i < b.n && cur_ok(c); i++)
        if (b.p[i] < ' ' || b.p[i] == 0x7f)
            cur_wrong(c, field, "printable characters");
    return b;
}

static void read_record(struct cur *c, struct record *r)
{
    uint16_t count;

    r->key = text(c, "key");
    r->source = text(c, "source");
    r->fetched = (int64_t)cur_u64le(c, "time");
    r->max_age = cur_u32le(c, "max-age");
    r->etag = header_text(c, "etag");
    r->modified = header_text(c, "last-modified");
    count = cur_u16le(c, "count");
    if (cur_ok(c) && (count == 0 || count > BUNDLE_MAX_BODIES))
        cur_wrong(c, "count", "1 to 8 bodies");
    for (uint16_t i = 0; cur_ok(c) && i < count; i++) {
        uint32_t n = cur_u32le(c, "length of a body");

        r->bodies[i] = cur_take(c, n, "body");
    }
    r->count = count;
}

/* How many records there are; the sizes alone say it. */
static size_t count_records(struct bytes in)
{
    struct cur c = cur_open(in);
    size_t n = 0;

    while (cur_left(&c) > 0) {
        cur_skip(&c, cur_u32le(&c, "record"), "record");
        n++;
    }
    return n;
}

bool bundle_is(struct bytes in)
{
    return in.n >= MAGIC && memcmp(in.p, magic, MAGIC) == 0;
}

bool bundle_parse(struct bytes in, struct arena *a, struct record **ret, size_t *ret_count, struct err *e)
{
    static const char what[] = "collateral bundle";
    struct bytes records = bytes_part(in, MAGIC, in.n - MAGIC - DIGEST);
    struct record *list;
    struct cur c;
    struct digest d;
    size_t count;

    if (in.n < MAGIC + DIGEST || !bundle_is(in))
        return err_set(e, ERR_COLLATERAL_FORMAT, what, "does not begin with '%.*s'", MAGIC - 1, magic);
    d = sha256(bytes_part(in, 0, in.n - DIGEST));
    if (!bytes_equal(digest_bytes(&d), bytes_part(in, in.n - DIGEST, DIGEST)))
        return err_set(e, ERR_COLLATERAL_FORMAT, what, "was cut or damaged: the digest at its end is not that of its %zu bytes", in.n);
    count = count_records(records);
    list = arena_many(a, count + 1, struct record);
    if (list == NULL)
        return err_memory(e, what);
    c = cur_open(records);
    for (size_t i = 0; i < count; i++) {
        uint32_t size = cur_u32le(&c, "length of a record");
        struct cur inner = cur_sub(&c, size, "record");

        read_record(&inner, &list[i]);
        if (!cur_close(&inner, ERR_COLLATERAL_FORMAT, what, e))
            return false;
    }
    if (!cur_close(&c, ERR_COLLATERAL_FORMAT, what, e))
        return false;
    *ret = list;
    *ret_count = count;
    return true;
}

static bool fits(const struct record *r)
{
    return r->count >= 1 && r->count <= BUNDLE_MAX_BODIES && r->key.n <= MAX_TEXT && r->source.n <= MAX_TEXT && r->etag.n <= MAX_TEXT
        && r->modified.n <= MAX_TEXT;
}

static void put_text(struct out *o, struct bytes b)
{
    out_u16le(o, (uint16_t)b.n);
    out_bytes(o, b);
}

static size_t record_size(const struct record *r)
{
    size_t n = 2 + r->key.n + 2 + r->source.n + 8 + 4 + 2 + r->etag.n + 2 + r->modified.n + 2;

    for (size_t i = 0; i < r->count; i++)
        n += 4 + r->bodies[i].n;
    return n;
}

struct bytes bundle_print(const struct record *list, size_t count, struct arena *a)
{
    struct out o = out_open(a);
    struct digest d;

    out_bytes(&o, bytes_of(magic, MAGIC));
    for (size_t i = 0; i < count; i++) {
        const struct record *r = &list[i];

        if (!fits(r) || record_size(r) > BUNDLE_MAX_SIZE)
            return (struct bytes){ NULL, 0 };
        out_u32le(&o, (uint32_t)record_size(r));
        put_text(&o, r->key);
        put_text(&o, r->source);
        out_u64le(&o, (uint64_t)r->fetched);
        out_u32le(&o, r->max_age);
        put_text(&o, r->etag);
        put_text(&o, r->modified);
        out_u16le(&o, (uint16_t)r->count);
        for (size_t k = 0; k < r->count; k++) {
            out_u32le(&o, (uint32_t)r->bodies[k].n);
            out_bytes(&o, r->bodies[k]);
        }
    }
    d = sha256(out_view(&o));
    out_bytes(&o, digest_bytes(&d));
    return out_ok(&o) ? out_view(&o) : (struct bytes){ NULL, 0 };
}
