/* testing.h: what every test program shares: cmocka, files, the vectors, tables of rows. */
#ifndef AVOUCH_TESTS_TESTING_H
#define AVOUCH_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"

/* Folder of the shared vectors, or NULL where they are missing: the test is then skipped. */
const char *test_vectors(void);
/* A file below the vectors folder; fails the test where it cannot be read. */
struct bytes test_vector(struct arena *a, const char *relative_path);
/* Any file; p is NULL where it cannot be read. */
struct bytes test_read(struct arena *a, const char *path);
struct bytes test_hex(struct arena *a, const char *hex);
int64_t test_time(const char *rfc3339);

/* A tab-separated table with names in its first line. Cells are C strings. */
struct table {
    size_t columns, rows;
    const char **names;
    const char **cells;
};
struct table test_table(struct arena *a, const char *relative_path);
const char *table_cell(const struct table *t, size_t row, const char *column); /* "" if absent */

/* A list of named tests made at run time. Names are copied. */
struct suite {
    struct CMUnitTest *list;
    size_t count, room;
};
void suite_add(struct suite *s, const char *name, CMUnitTestFunction f, void *state);
/* Runs and reports as TAP; the result is the exit status. Frees the list. */
int suite_run(const char *group, struct suite *s);

/* For lists whose vectors are missing: adds one test that reports itself as skipped. */
void suite_add_skipped(struct suite *s, const char *name);

#define assert_bytes_equal(x, y) do { \
    struct bytes x_ = (x), y_ = (y); \
    assert_int_equal(x_.n, y_.n); \
    if (x_.n > 0) assert_memory_equal(x_.p, y_.p, x_.n); \
} while (0)
#define assert_text(x, s) assert_bytes_equal((x), bytes_str(s))
/* That `e` is set, with this code, and its text contains `part`. */
void assert_refused(const struct err *e, enum err_code code, const char *part);
#define assert_ok(ok, e) do { \
    if (!(ok)) fail_msg("%s: %s: %s", err_name((e)->code), (e)->what, (e)->why); \
} while (0)

#endif
