/* json_print.c: compact JSON text; sorted members where tokens and hashes need one form. */
#include "codec/json.h"

#include "codec/b64.h"
#include "codec/hex.h"

/* The first byte at or after `at` that cannot stand as it is. Eight at a time: tokens are long. */
static size_t plain_until(struct bytes text, size_t at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    uint64_t w, quote, slash;

    while (at + 8 <= text.n) {
        memcpy(&w, text.p + at, 8);
        quote = w ^ ('"' * ones);
        slash = w ^ ('\\' * ones);
        /* a byte below 0x20, a quote or a backslash sets its top bit in one of these; so does one above 0x7f */
        if (((w | (w - 0x20 * ones) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & tops) != 0)
            break;
        at += 8;
    }
    return at;
}

void json_print_string(struct out *o, struct bytes text)
{
    size_t from = 0;

    out_char(o, '"');
    for (size_t i = plain_until(text, 0); i < text.n; i++) {
        static const char plain[] = "\"\\\b\f\n\r\t", escaped[] = "\"\\bfnrt";
        uint8_t c = text.p[i];
        const char *f;
        size_t n;

        if (c >= 0x80 && (n = utf8_length(text.p + i, text.n - i)) > 0) {
            i += n - 1;
            continue;
        }
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\')
            continue;
        out_bytes(o, bytes_part(text, from, i - from));
        from = i + 1;
        f = c == 0 ? NULL : strchr(plain, c);
        if (c >= 0x80) {
            out_text(o, "\xef\xbf\xbd");
        } else if (f != NULL) {
            out_char(o, '\\');
            out_char(o, escaped[f - plain]);
        } else {
            out_printf(o, "\\u%04x", c);
        }
    }
    out_bytes(o, bytes_part(text, from, text.n - from));
    out_char(o, '"');
}

/* Sorts pointers to members by name; insertion into halves keeps it n log n. */
static bool sort_members(struct arena *a, const struct json **list, size_t n)
{
    const struct json **from = list, **to = arena_many(a, n, const struct json *);

    if (to == NULL)
        return false;
    for (size_t width = 1; width < n; width *= 2) {
        const struct json **swap = from;

        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
            size_t x = lo, y = mid;

            for (size_t k = lo; k < hi; k++)
                to[k] = y >= hi || (x < mid && bytes_compare(from[x]->name, from[y]->name) <= 0) ? from[x++]
                                                                                                 : from[y++];
        }
        from = to;
        to = swap;
    }
    if (from != list)
        memcpy(list, from, n * sizeof(*list));
    return true;
}

static void print_members(struct out *o, const struct json *j, bool sorted)
{
    const struct json **list = arena_many(o->a, j->count, const struct json *);
    size_t n = 0;

    if (list == NULL) {
        o->failed = true;
        return;
    }
    for (const struct json *m = j->child; m != NULL; m = m->next)
        list[n++] = m;
    if (sorted && !sort_members(o->a, list, n)) {
        o->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            out_char(o, ',');
        json_print_string(o, list[i]->name);
        out_char(o, ':');
        json_print(o, list[i], sorted);
    }
}

void json_print(struct out *o, const struct json *j, bool sorted)
{
    switch (j->type) {
    case JSON_OBJECT:
        out_char(o, '{');
        print_members(o, j, sorted);
        out_char(o, '}');
        break;
    case JSON_ARRAY:
        out_char(o, '[');
        for (const struct json *m = j->child; m != NULL; m = m->next) {
            if (m != j->child)
                out_char(o, ',');
            json_print(o, m, sorted);
        }
        out_char(o, ']');
        break;
    case JSON_STRING:
        json_print_string(o, j->text);
        break;
    case JSON_NUMBER:
        out_bytes(o, j->text);
        break;
    case JSON_BOOLEAN:
        out_text(o, j->boolean ? "true" : "false");
        break;
    case JSON_NULL:
        out_text(o, "null");
        break;
    }
}

struct jobj jobj_open(struct arena *a)
{
    return (struct jobj){ .a = a };
}

static struct jobj_member *find(const struct jobj *o, struct bytes name)
{
    for (struct jobj_member *m = o->first; m != NULL; m = m->next)
        if (bytes_equal(m->name, name))
            return m;
    return NULL;
}

bool jobj_has(const struct jobj *o, struct bytes name)
{
    return find(o, name) != NULL;
}

void jobj_append(struct jobj *o, struct bytes name, struct bytes json_text)
{
    struct jobj_member *m = arena_new(o->a, struct jobj_member);

    if (m == NULL || json_text.p == NULL) {
        o->failed = true;
        return;
    }
    *m = (struct jobj_member){ .name = name, .value = json_text };
    if (o->last == NULL)
        o->first = m;
    else
        o->last->next = m;
    o->last = m;
}

void jobj_raw(struct jobj *o, struct bytes name, struct bytes json_text)
{
    struct jobj_member *m = find(o, name);

    if (m == NULL)
        jobj_append(o, name, json_text);
    else if (json_text.p == NULL)
        o->failed = true;
    else
        m->value = json_text;
}

void jobj_json(struct jobj *o, const char *name, struct bytes json_text)
{
    jobj_raw(o, bytes_str(name), json_text);
}

void jobj_str(struct jobj *o, const char *name, struct bytes text)
{
    struct out t = out_open(o->a);

    json_print_string(&t, text);
    jobj_raw(o, bytes_str(name), out_view(&t));
}

void jobj_text(struct jobj *o, const char *name, const char *text)
{
    jobj_str(o, name, bytes_str(text));
}

void jobj_int(struct jobj *o, const char *name, int64_t v)
{
    struct out text = out_open(o->a);

    if (v < 0)
        out_char(&text, '-');
    out_uint(&text, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
    jobj_raw(o, bytes_str(name), out_view(&text));
}

void jobj_bool(struct jobj *o, const char *name, bool v)
{
    jobj_raw(o, bytes_str(name), v ? LIT("true") : LIT("false"));
}

void jobj_hex(struct jobj *o, const char *name, struct bytes b)
{
    jobj_str(o, name, hex_encode(o->a, b));
}

void jobj_b64url(struct jobj *o, const char *name, struct bytes b)
{
    jobj_str(o, name, b64url_encode(o->a, b));
}

/* Tokens have some dozens of members; a list and a selection by name is enough below that, and
 * merge sort takes over by way of an array. */
struct bytes jobj_print(struct jobj *o, bool sorted)
{
    struct out t = out_open(o->a);
    size_t n = 0, i = 0;
    struct json *list;
    const struct json **order;

    for (struct jobj_member *m = o->first; m != NULL; m = m->next)
        n++;
    list = arena_many(o->a, n, struct json);
    order = arena_many(o->a, n, const struct json *);
    if (o->failed || list == NULL || order == NULL)
        return (struct bytes){ NULL, 0 };
    for (struct jobj_member *m = o->first; m != NULL; m = m->next, i++) {
        list[i] = (struct json){ .name = m->name, .raw = m->value };
        order[i] = &list[i];
    }
    if (sorted && !sort_members(o->a, order, n))
        return (struct bytes){ NULL, 0 };
    out_char(&t, '{');
    for (i = 0; i < n; i++) {
        if (i > 0)
            out_char(&t, ',');
        json_print_string(&t, order[i]->name);
        out_char(&t, ':');
        out_bytes(&t, order[i]->raw);
    }
    out_char(&t, '}');
    return out_view(&t);
}

struct jarr jarr_open(struct arena *a)
{
    struct jarr j = { .o = out_open(a) };

    out_char(&j.o, '[');
    return j;
}

void jarr_raw(struct jarr *j, struct bytes json_text)
{
    if (json_text.p == NULL)
        j->o.failed = true;
    if (j->any)
        out_char(&j->o, ',');
    j->any = true;
    out_bytes(&j->o, json_text);
}

void jarr_str(struct jarr *j, struct bytes text)
{
    if (j->any)
        out_char(&j->o, ',');
    j->any = true;
    json_print_string(&j->o, text);
}

struct bytes jarr_close(struct jarr *j)
{
    out_char(&j->o, ']');
    return out_view(&j->o);
}
