/* config.c: see config.h. libinih splits lines; the table decides what is known. */
#include "os/config.h"

#include "base/out.h"

#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *section, *key, *name, *otherwise, *meaning;
} rows[] = {
#define X(section, key, otherwise, meaning) { #section, #key, #section "." #key, otherwise, meaning },
    CONFIG_TABLE(X)
#undef X
};

const char *config_name(enum config_key k)
{
    return rows[k].name;
}

const char *config_default(enum config_key k)
{
    return rows[k].otherwise;
}

const char *config_meaning(enum config_key k)
{
    return rows[k].meaning;
}

/* Edit distance, for a suggestion. Names are short. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64], n = strlen(b);

    if (n >= COUNT(row))
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != 0; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t best = diagonal + (a[i] != b[j]);

            if (row[j] + 1 < best)
                best = row[j] + 1;
            diagonal = row[j + 1];
            if (diagonal + 1 < best)
                best = diagonal + 1;
            row[j + 1] = best;
        }
    }
    return row[n];
}

struct reading {
    struct config *c;
    struct arena *a;
    struct err *e;
    bool set[CONFIG_COUNT];
};

static int unknown(struct reading *r, const char *section, const char *name)
{
    char full[256];
    size_t best = SIZE_MAX, near = 0;

    snprintf(full, sizeof(full), "%s.%s", section, name);
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        size_t d = distance(full, rows[i].name);
        if (d < best) {
            best = d;
            near = i;
        }
    }
    (void)err_set(r->e, ERR_USAGE, "configuration", "'%s' is not known; did you mean '%s'?", full, rows[near].name);
    return 0;
}

static int on_value(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;

    if (strcmp(section, "internal") == 0 && strcmp(name, "dev") == 0) {
        r->c->dev = strcmp(value, "yes") == 0;
        return 1;
    }
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        if (strcmp(rows[i].section, section) != 0 || strcmp(rows[i].key, name) != 0)
            continue;
        if (r->set[i]) {
            (void)err_set(r->e, ERR_USAGE, "configuration", "'%s' stands twice", rows[i].name);
            return 0;
        }
        r->set[i] = true;
        r->c->value[i] = arena_str(r->a, bytes_str(value));
        return r->c->value[i] != NULL;
    }
    return unknown(r, section, name);
}

/* libinih cuts longer lines, and reads what is behind the cut as another one: a value would lose its end. */
static bool check_lines(struct bytes text, struct err *e)
{
    enum { LONGEST = INI_MAX_LINE - 1 };

    for (size_t at = 0, line = 1; at < text.n; line++) {
        const uint8_t *end = memchr(text.p + at, '\n', text.n - at);
        size_t n = end == NULL ? text.n - at : (size_t)(end - text.p) - at;

        if (n > LONGEST)
            return err_set(e, ERR_USAGE, "configuration", "line %zu has %zu bytes, at most %d are read", line, n, LONGEST);
        at += n + 1;
    }
    return true;
}

bool config_parse(struct bytes text, struct arena *a, struct config *ret, struct err *e)
{
    struct config c = { .dev = false };
    struct reading r = { .c = &c, .a = a, .e = e };
    char *copy = arena_str(a, text);
    int line;

    for (size_t i = 0; i < CONFIG_COUNT; i++)
        c.value[i] = rows[i].otherwise;
    if (copy == NULL)
        return err_memory(e, "configuration");
    if (!check_lines(text, e))
        return false;
    line = ini_parse_string(copy, on_value, &r);
    if (line != 0)
        return err_set(e, ERR_USAGE, "configuration", "line %d is not 'key = value'", line);
    *ret = c;
    return true;
}

struct bytes config_print(const struct config *c, struct arena *a)
{
    struct out o = out_open(a);
    const char *section = "";

    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        if (strcmp(section, rows[i].section) != 0)
            out_printf(&o, "[%s]\n", rows[i].section);
        section = rows[i].section;
        out_printf(&o, "%s=%s\n", rows[i].key, c->value[i]); /* no blanks: a line must not grow beyond what is read */
    }
    out_printf(&o, "[internal]\ndev = %s\n", c->dev ? "yes" : "no");
    return out_view(&o);
}

bool config_number(const struct config *c, enum config_key k, int64_t min, int64_t max, int64_t *ret, struct err *e)
{
    char *end;
    long long v = strtoll(c->value[k], &end, 10);

    if (end == c->value[k] || *end != 0 || v < min || v > max)
        return err_set(e, ERR_USAGE, "configuration", "'%s' is '%s', a number from %lld to %lld is expected", rows[k].name,
                       c->value[k], (long long)min, (long long)max);
    *ret = v;
    return true;
}

bool config_yes(const struct config *c, enum config_key k, bool *ret, struct err *e)
{
    *ret = strcmp(c->value[k], "yes") == 0;
    return *ret || strcmp(c->value[k], "no") == 0
        || err_set(e, ERR_USAGE, "configuration", "'%s' is '%s', yes or no is expected", rows[k].name, c->value[k]);
}
