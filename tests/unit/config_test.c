/* config_test.c: what the configuration file may look like, and that nothing of it is lost on the way to other processes. */
#include "testing.h"

#include "os/config.h"

#include <stdio.h>

static const struct row {
    const char *name, *text;
    const char *part; /* of the refusal; NULL: read */
} rows[] = {
    { "empty", "", NULL },
    { "comments and blanks", "; a\n# b\n\n[limits]\n  rate = 7 ; c\n", NULL },
    { "unknown key", "[limits]\nrates = 7\n", "did you mean 'limits.rate'?" },
    { "unknown section", "[limit]\nrate = 7\n", "did you mean 'limits.rate'?" },
    { "twice", "[limits]\nrate = 7\nrate = 8\n", "'limits.rate' stands twice" },
    { "no value", "[limits]\nrate\n", "line 2 is not 'key = value'" },
};

static void run_row(void **state)
{
    const struct row *r = *state;
    struct arena a;
    struct config c;
    struct err e = { 0 };

    arena_init(&a, 1 << 20);
    if (config_parse(bytes_str(r->text), &a, &c, &e))
        assert_null(r->part);
    else
        assert_refused(&e, ERR_USAGE, r->part);
    arena_done(&a);
}

/* The reader of lines cuts long ones: what stands behind the cut would be a line of its own, or a comment. */
static void long_lines(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 16 << 20);
    for (int n = 1; n < 1000; n++) {
        const char *value = arena_printf(&a, "%0*d;b=Owner", n, 0);
        struct config c, again;
        struct err e = { 0 };

        if (!config_parse(bytes_str(arena_printf(&a, "[auth]\nrole_map=%s\n", value)), &a, &c, &e)) {
            assert_refused(&e, ERR_USAGE, "line 2 has");
            continue;
        }
        assert_string_equal(c.value[CONFIG_auth_role_map], value);
        assert_ok(config_parse(config_print(&c, &a), &a, &again, &e), &e);
        assert_string_equal(again.value[CONFIG_auth_role_map], value);
    }
    arena_done(&a);
}

int main(void)
{
    struct suite s = { 0 };

    for (size_t i = 0; i < COUNT(rows); i++)
        suite_add(&s, rows[i].name, run_row, (void *)(uintptr_t)&rows[i]);
    suite_add(&s, "long lines", long_lines, NULL);
    return suite_run("config", &s);
}
