/* json.c: the reader; json_print.c is the writer. */
#include "codec/json.h"

#include <stdlib.h>

struct reader {
    struct bytes in;
    size_t at;
    unsigned depth; /* still allowed */
    struct arena *a;
    const char *what;
    struct err *e;
};

static bool read_value(struct reader *r, struct json *v);

static bool fail(struct reader *r, const char *expected)
{
    if (r->a->failed)
        return err_memory(r->e, r->what);
    if (r->at >= r->in.n)
        return err_set(r->e, ERR_JSON_SYNTAX, r->what, "JSON ends at offset %zu, expected %s", r->in.n, expected);
    return err_set(r->e, ERR_JSON_SYNTAX, r->what, "JSON at offset %zu: expected %s", r->at, expected);
}

static void skip_space(struct reader *r)
{
    while (r->at < r->in.n) {
        uint8_t c = r->in.p[r->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        r->at++;
    }
}

static bool take(struct reader *r, char c)
{
    if (r->at >= r->in.n || r->in.p[r->at] != (uint8_t)c)
        return false;
    r->at++;
    return true;
}

/* Length of the valid UTF-8 sequence at p, 0 if there is none (RFC 3629 section 4). */
size_t utf8_length(const uint8_t *p, size_t n)
{
    uint8_t c = p[0], low = 0x80, high = 0xbf;
    size_t need;

    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    need = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (need > n)
        return 0;
    if (c == 0xe0)
        low = 0xa0;
    else if (c == 0xed)
        high = 0x9f;
    else if (c == 0xf0)
        low = 0x90;
    else if (c == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

bool utf8_valid(struct bytes b)
{
    for (size_t i = 0; i < b.n;) {
        size_t n = utf8_length(b.p + i, b.n - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

static bool hex4(struct reader *r, uint32_t *ret)
{
    uint32_t v = 0;

    if (r->in.n - r->at < 4)
        return fail(r, "four hexadecimal digits");
    for (int i = 0; i < 4; i++) {
        uint8_t c = r->in.p[r->at];
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            v = v << 4 | (uint32_t)(c - 'A' + 10);
        else
            return fail(r, "a hexadecimal digit");
        r->at++;
    }
    *ret = v;
    return true;
}

static size_t put_utf8(uint8_t *q, uint32_t c)
{
    if (c < 0x80) {
        q[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        q[0] = (uint8_t)(0xc0 | c >> 6);
        q[1] = (uint8_t)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        q[0] = (uint8_t)(0xe0 | c >> 12);
        q[1] = (uint8_t)(0x80 | (c >> 6 & 63));
        q[2] = (uint8_t)(0x80 | (c & 63));
        return 3;
    }
    q[0] = (uint8_t)(0xf0 | c >> 18);
    q[1] = (uint8_t)(0x80 | (c >> 12 & 63));
    q[2] = (uint8_t)(0x80 | (c >> 6 & 63));
    q[3] = (uint8_t)(0x80 | (c & 63));
    return 4;
}

/* The character after a backslash; writes its UTF-8 at q. */
static bool read_escape(struct reader *r, uint8_t *q, size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t c, low;
    const char *f;

    if (r->at >= r->in.n)
        return fail(r, "an escape");
    f = r->in.p[r->at] == 0 ? NULL : strchr(from, r->in.p[r->at]);
    if (f != NULL) {
        r->at++;
        *q = (uint8_t)to[f - from];
        *n = 1;
        return true;
    }
    if (!take(r, 'u'))
        return fail(r, "one of the escapes of JSON");
    if (!hex4(r, &c))
        return false;
    if (c >= 0xdc00 && c <= 0xdfff)
        return fail(r, "no lone surrogate");
    if (c >= 0xd800 && c <= 0xdbff) {
        if (!take(r, '\\') || !take(r, 'u') || !hex4(r, &low))
            return fail(r, "the second half of a surrogate pair");
        if (low < 0xdc00 || low > 0xdfff)
            return fail(r, "the second half of a surrogate pair");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    *n = put_utf8(q, c);
    return true;
}

/* How many characters of ASCII that need no care come next; most of any text. */
static size_t plain_length(const struct reader *r)
{
    size_t n = 0, left = r->in.n - r->at;
    const uint8_t *p = r->in.p + r->at;

    while (n < left && p[n] >= 0x20 && p[n] < 0x80 && p[n] != '"' && p[n] != '\\')
        n++;
    return n;
}

/* Whether one of eight characters needs a closer look: a control character, 7f or above, a quote, a backslash.
 * A carry can only accuse a character that stands behind a guilty one. */
static bool not_plain(uint64_t x)
{
    const uint64_t ones = 0x0101010101010101u, high = ones << 7;
    uint64_t quote = x ^ ones * '"', slash = x ^ ones * '\\';

    return (((x - ones * 0x20) | (x + ones) | x | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & high) != 0;
}

/* Characters that stand for themselves: most of a long string, so they are passed in one go. */
static size_t plain_run(const struct reader *r)
{
    size_t i = r->at;
    uint64_t eight;

    for (; r->in.n - i >= sizeof(eight); i += sizeof(eight)) {
        memcpy(&eight, r->in.p + i, sizeof(eight));
        if (not_plain(eight))
            break;
    }
    while (i < r->in.n && r->in.p[i] >= 0x20 && r->in.p[i] < 0x7f && r->in.p[i] != '"' && r->in.p[i] != '\\')
        i++;
    return i - r->at;
}

/* The opening quote is taken already. Without escapes the result is a view of the input. */
static bool read_string(struct reader *r, struct bytes *ret)
{
    size_t start = r->at, n = 0;
    uint8_t *copy = NULL;

    for (;;) {
        uint8_t c;
        size_t len = plain_run(r);

        if (copy != NULL && len > 0) {
            memcpy(copy + n, r->in.p + r->at, len);
            n += len;
        }
        r->at += len;
        if (r->at >= r->in.n)
            return fail(r, "the closing quote of a string");
        c = r->in.p[r->at];
        if (c == '"')
            break;
        if (c < 0x20)
            return fail(r, "no control character in a string");
        if (c == '\\') {
            if (copy == NULL) {
                /* the decoded text is never longer than what is left up to the closing quote */
                size_t end = r->at;

                while (end < r->in.n && r->in.p[end] != '"')
                    end += r->in.p[end] == '\\' ? 2 : 1;
                copy = arena_alloc(r->a, (end > r->in.n ? r->in.n : end) - start + 4);
                if (copy == NULL)
                    return fail(r, "memory");
                n = r->at - start;
                memcpy(copy, r->in.p + start, n);
            }
            r->at++;
            if (!read_escape(r, copy + n, &len))
                return false;
            n += len;
            continue;
        }
        len = c < 0x80 ? plain_length(r) : utf8_length(r->in.p + r->at, r->in.n - r->at);
        if (len == 0)
            return fail(r, "valid UTF-8");
        if (copy != NULL) {
            memcpy(copy + n, r->in.p + r->at, len);
            n += len;
        }
        r->at += len;
    }
    *ret = copy != NULL ? (struct bytes){ copy, n } : bytes_part(r->in, start, r->at - start);
    r->at++;
    return true;
}

static size_t take_digits(struct reader *r)
{
    size_t start = r->at;

    while (r->at < r->in.n && r->in.p[r->at] >= '0' && r->in.p[r->at] <= '9')
        r->at++;
    return r->at - start;
}

static bool read_number(struct reader *r)
{
    (void)take(r, '-');
    if (!take(r, '0') && take_digits(r) == 0)
        return fail(r, "a digit");
    if (take(r, '.') && take_digits(r) == 0)
        return fail(r, "a digit behind the point");
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+'))
            (void)take(r, '-');
        if (take_digits(r) == 0)
            return fail(r, "a digit of the exponent");
    }
    return true;
}

static bool read_word(struct reader *r, struct bytes word)
{
    if (!bytes_equal(bytes_part(r->in, r->at, word.n), word))
        return fail(r, "a value");
    r->at += word.n;
    return true;
}

/* Bottom-up merge sort: duplicates are found in n log n whatever the names are. */
static bool names_differ(struct reader *r, const struct json *first, size_t n)
{
    struct bytes *from = arena_many(r->a, n, struct bytes), *to = arena_many(r->a, n, struct bytes);
    size_t i = 0;

    if (from == NULL || to == NULL)
        return fail(r, "memory");
    for (const struct json *j = first; j != NULL; j = j->next)
        from[i++] = j->name;
    for (size_t width = 1; width < n; width *= 2) {
        struct bytes *swap = from;

        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
            size_t x = lo, y = mid;

            for (size_t k = lo; k < hi; k++)
                to[k] = y >= hi || (x < mid && bytes_compare(from[x], from[y]) <= 0) ? from[x++] : from[y++];
        }
        from = to;
        to = swap;
    }
    for (i = 1; i < n; i++)
        if (bytes_equal(from[i - 1], from[i]))
            return err_set(r->e, ERR_JSON_SYNTAX, r->what, "member '%.*s' stands twice in one object",
                           (int)(from[i].n > 40 ? 40 : from[i].n), (const char *)from[i].p);
    return true;
}

static bool few_names_differ(struct reader *r, const struct json *first)
{
    for (const struct json *j = first; j != NULL; j = j->next)
        for (const struct json *k = j->next; k != NULL; k = k->next)
            if (bytes_equal(j->name, k->name))
                return err_set(r->e, ERR_JSON_SYNTAX, r->what, "member '%.*s' stands twice in one object",
                               (int)(j->name.n > 40 ? 40 : j->name.n), (const char *)j->name.p);
    return true;
}

static bool read_container(struct reader *r, struct json *v)
{
    bool object = v->type == JSON_OBJECT;
    char close = object ? '}' : ']';
    struct json *last = NULL;

    if (r->depth == 0)
        return fail(r, "no deeper nesting");
    r->depth--;
    skip_space(r);
    if (take(r, close)) {
        r->depth++;
        return true;
    }
    for (;;) {
        struct json *item = arena_new(r->a, struct json);

        if (item == NULL)
            return fail(r, "memory");
        skip_space(r);
        if (object) {
            if (!take(r, '"'))
                return fail(r, "a member name");
            if (!read_string(r, &item->name))
                return false;
            skip_space(r);
            if (!take(r, ':'))
                return fail(r, "':'");
            skip_space(r);
        }
        if (!read_value(r, item))
            return false;
        if (last == NULL)
            v->child = item;
        else
            last->next = item;
        last = item;
        v->count++;
        skip_space(r);
        if (take(r, close))
            break;
        if (!take(r, ','))
            return fail(r, object ? "',' or '}'" : "',' or ']'");
    }
    r->depth++;
    if (!object || v->count < 2)
        return true;
    return v->count <= 12 ? few_names_differ(r, v->child) : names_differ(r, v->child, v->count);
}

static bool read_value(struct reader *r, struct json *v)
{
    size_t start = r->at;
    bool ok;

    if (r->at >= r->in.n)
        return fail(r, "a value");
    switch (r->in.p[r->at]) {
    case '{':
    case '[':
        v->type = r->in.p[r->at++] == '{' ? JSON_OBJECT : JSON_ARRAY;
        ok = read_container(r, v);
        break;
    case '"':
        v->type = JSON_STRING;
        r->at++;
        ok = read_string(r, &v->text);
        break;
    case 't':
        v->type = JSON_BOOLEAN;
        v->boolean = true;
        ok = read_word(r, LIT("true"));
        break;
    case 'f':
        v->type = JSON_BOOLEAN;
        ok = read_word(r, LIT("false"));
        break;
    case 'n':
        v->type = JSON_NULL;
        ok = read_word(r, LIT("null"));
        break;
    default:
        v->type = JSON_NUMBER;
        ok = read_number(r);
        v->text = bytes_part(r->in, start, r->at - start);
        break;
    }
    v->raw = bytes_part(r->in, start, r->at - start);
    return ok;
}

bool json_parse(struct bytes in, unsigned max_depth, const char *what, struct arena *a,
                const struct json **ret, struct err *e)
{
    struct reader r = { .in = in, .depth = max_depth, .a = a, .what = what, .e = e };
    struct json *v = arena_new(a, struct json);

    if (v == NULL)
        return err_memory(e, what);
    skip_space(&r);
    if (!read_value(&r, v))
        return false;
    skip_space(&r);
    if (r.at != in.n)
        return fail(&r, "the end of the text");
    *ret = v;
    return true;
}

const struct json *json_member_bytes(const struct json *j, struct bytes name)
{
    if (j == NULL || j->type != JSON_OBJECT)
        return NULL;
    for (const struct json *m = j->child; m != NULL; m = m->next)
        if (bytes_equal(m->name, name))
            return m;
    return NULL;
}

const struct json *json_member(const struct json *j, const char *name)
{
    return json_member_bytes(j, bytes_str(name));
}

const struct json *json_member_nocase(const struct json *j, const char *name)
{
    if (j == NULL || j->type != JSON_OBJECT)
        return NULL;
    for (const struct json *m = j->child; m != NULL; m = m->next)
        if (bytes_equal_nocase(m->name, bytes_str(name)))
            return m;
    return NULL;
}

bool json_is(const struct json *j, enum json_type type)
{
    return j != NULL && j->type == type;
}

bool json_string(const struct json *j, struct bytes *ret)
{
    if (!json_is(j, JSON_STRING))
        return false;
    *ret = j->text;
    return true;
}

bool json_int(const struct json *j, int64_t *ret)
{
    int64_t v = 0;
    bool minus;

    if (!json_is(j, JSON_NUMBER))
        return false;
    minus = j->text.p[0] == '-';
    for (size_t i = minus ? 1 : 0; i < j->text.n; i++) {
        int d = j->text.p[i] - '0';

        if (d < 0 || d > 9 || __builtin_mul_overflow(v, 10, &v)
            || (minus ? __builtin_sub_overflow(v, d, &v) : __builtin_add_overflow(v, d, &v)))
            return false;
    }
    *ret = v;
    return true;
}

bool json_bool(const struct json *j, bool *ret)
{
    if (!json_is(j, JSON_BOOLEAN))
        return false;
    *ret = j->boolean;
    return true;
}

const char *json_type_name(enum json_type type)
{
    static const char *const names[] = { "null", "boolean", "number", "string", "array", "object" };

    return names[type];
}
