/* testing.c: see testing.h. */
#include "testing.h"

#include "codec/hex.h"
#include "codec/stamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *test_vectors(void)
{
    static char path[4096];
    const char *set = getenv("AVOUCH_VECTORS"), *source = getenv("AVOUCH_SOURCE");

    if (set != NULL)
        snprintf(path, sizeof(path), "%s", set);
    else
        snprintf(path, sizeof(path), "%s/../shared/vectors", source == NULL ? "." : source);
    return access(path, R_OK | X_OK) == 0 ? path : NULL;
}

struct bytes test_read(struct arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    struct bytes r = { NULL, 0 };
    long n;

    if (f == NULL)
        return r;
    if (fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0) {
        uint8_t *p = arena_alloc(a, (size_t)n + 1);
        if (p != NULL && fread(p, 1, (size_t)n, f) == (size_t)n)
            r = bytes_of(p, (size_t)n);
    }
    fclose(f);
    return r;
}

struct bytes test_vector(struct arena *a, const char *relative_path)
{
    char path[4096];
    struct bytes b;

    snprintf(path, sizeof(path), "%s/%s", test_vectors(), relative_path);
    b = test_read(a, path);
    if (b.p == NULL)
        fail_msg("cannot read %s", path);
    return b;
}

struct bytes test_hex(struct arena *a, const char *hex)
{
    struct bytes b = { NULL, 0 };

    if (!hex_decode(bytes_str(hex), a, &b))
        fail_msg("not hexadecimal: %s", hex);
    return b;
}

int64_t test_time(const char *rfc3339)
{
    int64_t t = 0;

    if (!stamp_parse(bytes_str(rfc3339), &t))
        fail_msg("not a time: %s", rfc3339);
    return t;
}

static size_t count_char(const char *s, char c, char stop)
{
    size_t n = 0;

    for (; *s != 0 && *s != stop; s++)
        n += *s == c;
    return n;
}

struct table test_table(struct arena *a, const char *relative_path)
{
    char path[4096];
    struct table t = { 0 };
    struct bytes b;
    char *p, *end;
    size_t cell = 0;

    snprintf(path, sizeof(path), "%s/%s", test_vectors(), relative_path);
    b = test_read(a, path);
    if (b.p == NULL)
        return t;
    p = arena_str(a, b);
    t.columns = count_char(p, '\t', '\n') + 1;
    t.rows = count_char(p, '\n', 0);
    t.names = arena_many(a, t.columns, const char *);
    t.cells = arena_many(a, t.columns * (t.rows + 1), const char *);
    for (size_t line = 0; line < t.rows && *p != 0; line++) {
        end = strchr(p, '\n');
        if (end != NULL)
            *end = 0;
        for (size_t col = 0; col < t.columns; col++) {
            char *tab = p == NULL ? NULL : strchr(p, '\t');
            if (tab != NULL)
                *tab = 0;
            *(line == 0 ? &t.names[col] : &t.cells[cell++]) = p == NULL ? "" : p;
            p = tab == NULL ? NULL : tab + 1;
        }
        if (end == NULL)
            break;
        p = end + 1;
    }
    t.rows = cell / t.columns;
    return t;
}

const char *table_cell(const struct table *t, size_t row, const char *column)
{
    for (size_t i = 0; i < t->columns; i++)
        if (strcmp(t->names[i], column) == 0)
            return t->cells[row * t->columns + i];
    return "";
}

void suite_add(struct suite *s, const char *name, CMUnitTestFunction f, void *state)
{
    char *copy;

    if (s->count == s->room) {
        s->room = s->room == 0 ? 64 : s->room * 2;
        s->list = realloc(s->list, s->room * sizeof(*s->list));
        if (s->list == NULL)
            abort();
    }
    copy = strdup(name);
    if (copy == NULL)
        abort();
    for (char *p = copy; *p != 0; p++) /* a name is one line of TAP */
        *p = *p == '\n' ? ' ' : *p;
    s->list[s->count++] = (struct CMUnitTest){ .name = copy, .test_func = f, .initial_state = state };
}

static void skipped(void **state)
{
    (void)state;
    skip();
}

void suite_add_skipped(struct suite *s, const char *name)
{
    suite_add(s, name, skipped, NULL);
}

int suite_run(const char *group, struct suite *s)
{
    int failed;

    cmocka_set_message_output(CM_OUTPUT_TAP);
    failed = _cmocka_run_group_tests(group, s->list, s->count, NULL, NULL);
    for (size_t i = 0; i < s->count; i++)
        free((void *)(uintptr_t)s->list[i].name);
    free(s->list);
    return failed == 0 ? 0 : 1;
}

void assert_refused(const struct err *e, enum err_code code, const char *part)
{
    char text[sizeof(e->what) + sizeof(e->why) + 2];

    snprintf(text, sizeof(text), "%s: %s", e->what, e->why);
    if (e->code != code)
        fail_msg("error is %s (%s), expected %s", err_name(e->code), text, err_name(code));
    if (part != NULL && strstr(text, part) == NULL)
        fail_msg("error text '%s' does not contain '%s'", text, part);
}
