/* bytes.h: a view of memory that somebody else owns. Views never free. */
#ifndef AVOUCH_BASE_BYTES_H
#define AVOUCH_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CHECKED __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct bytes {
    const uint8_t *p;
    size_t n;
};

/* A file, or whatever else has a name to tell it by. */
struct named_bytes {
    const char *name;
    struct bytes body;
};

#define BYTES(array) ((struct bytes){ (const uint8_t *)(array), sizeof(array) })
/* The characters of a string literal, without its NUL. */
#define LIT(text) ((struct bytes){ (const uint8_t *)(text), sizeof(text) - 1 })

static inline struct bytes bytes_of(const void *p, size_t n)
{
    return (struct bytes){ (const uint8_t *)p, n };
}

static inline struct bytes bytes_str(const char *s)
{
    return (struct bytes){ (const uint8_t *)s, s == NULL ? 0 : strlen(s) };
}

/* Public data only: secrets are compared with secret_equal(). */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool bytes_is(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_str(text));
}

/* Order by bytes, shorter first where one is the beginning of the other. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n == 0 ? 0 : memcmp(a.p, b.p, n);

    return d != 0 ? d : (a.n > b.n) - (a.n < b.n);
}

/* The part [at, at + n); cut to what is there, never beyond. */
static inline struct bytes bytes_part(struct bytes b, size_t at, size_t n)
{
    if (at > b.n)
        at = b.n;
    if (n > b.n - at)
        n = b.n - at;
    return (struct bytes){ b.n == 0 ? b.p : b.p + at, n };
}

static inline bool bytes_all_zero(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] != 0)
            return false;
    return true;
}

/* ASCII case only: names on the wire, never user text. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);

/* Whether a contains b. */
bool bytes_contain(struct bytes a, struct bytes b);

#endif
