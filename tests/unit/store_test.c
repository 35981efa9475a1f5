/* store_test.c: what two processes do to one store. */
#include "testing.h"

#include "store/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Of a provider only what is given changes: a request that read it before another changed it takes nothing back. */
static void test_update(void **state)
{
    const struct store_provider made = { .name = "contoso", .subscription = "s", .group = "g", .location = "x", .tags = "{}",
                                         .head = LIT("head"), .mac = LIT("mac") };
    const bool on = true;
    const struct store_update flag = { .tpm_authentication = &on }, tags = { .tags = "{\"a\":\"b\"}" };
    char folder[] = "/tmp/avouch-store-XXXXXX", path[64];
    struct err e = { .code = ERR_NONE };
    struct store *one, *two;
    struct store_provider p;
    struct arena a;
    bool found;

    (void)state;
    arena_init(&a, 1 << 20);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/store.db", folder);
    assert_ok(store_open(path, &one, &e), &e);
    assert_ok(store_open(path, &two, &e), &e);
    assert_ok(store_provider_add(one, &made, &e), &e);
    assert_ok(store_provider_find(two, "contoso", &a, &p, &found, &e) && found, &e); /* as it was */
    assert_false(p.tpm_authentication);
    assert_ok(store_provider_update(one, "contoso", &flag, &e), &e);
    assert_ok(store_provider_update(two, "contoso", &tags, &e), &e);
    assert_ok(store_provider_find(one, "contoso", &a, &p, &found, &e) && found, &e);
    assert_true(p.tpm_authentication);
    assert_false(p.public_access);
    assert_string_equal(p.tags, "{\"a\":\"b\"}");
    store_close(one);
    store_close(two);
    (void)unlink(path);
    assert_int_equal(rmdir(folder), 0);
    arena_done(&a);
}

/* -- what is kept, and for how long -- */

static struct store *opened(struct arena *a, char *folder, const char **ret_path)
{
    struct err e = { .code = ERR_NONE };
    struct store *s;

    arena_init(a, 8 << 20);
    assert_non_null(mkdtemp(folder));
    *ret_path = arena_printf(a, "%s/store.db", folder);
    assert_ok(store_open(*ret_path, &s, &e), &e);
    return s;
}

static void removed(struct arena *a, struct store *s, const char *folder, const char *path)
{
    store_close(s);
    (void)unlink(path);
    assert_int_equal(rmdir(folder), 0);
    arena_done(a);
}

static void set_policy(struct store *s, struct arena *a, const char *type, int version)
{
    const struct store_policy p = { .type = type, .version = version, .jws = bytes_str(arena_printf(a, "policy %d", version)), .who = "w",
                                    .when = version, .mac = bytes_str(arena_printf(a, "mac %d", version)) };
    struct err e = { .code = ERR_NONE };

    assert_ok(store_change(s, "contoso", LIT("head"), LIT("head"), LIT("mac"), &p, &e), &e);
}

/* Of each type the newest versions stay, the one that counts among them. */
static void test_versions(void **state)
{
    const struct store_provider made = { .name = "contoso", .subscription = "s", .group = "g", .location = "x", .tags = "{}",
                                         .head = LIT("head"), .mac = LIT("mac") };
    char folder[] = "/tmp/avouch-store-XXXXXX";
    struct err e = { .code = ERR_NONE };
    struct store_policy *rows, one;
    const char *path;
    struct store *s;
    struct arena a;
    bool found;
    size_t n;

    (void)state;
    s = opened(&a, folder, &path);
    assert_ok(store_provider_add(s, &made, &e), &e);
    set_policy(s, &a, "TdxVm", 1);
    for (int v = 2; v < STORE_POLICY_VERSIONS + 2; v++)
        set_policy(s, &a, "SgxEnclave", v);
    assert_ok(store_policy_history(s, "contoso", "SgxEnclave", 0, &a, &rows, &n, &e), &e);
    assert_int_equal(n, STORE_POLICY_VERSIONS);
    assert_int_equal(rows[n - 1].version, 2);
    set_policy(s, &a, "SgxEnclave", STORE_POLICY_VERSIONS + 2);
    assert_ok(store_policy_history(s, "contoso", "SgxEnclave", 0, &a, &rows, &n, &e), &e);
    assert_int_equal(n, STORE_POLICY_VERSIONS);
    assert_int_equal(rows[0].version, STORE_POLICY_VERSIONS + 2);
    assert_int_equal(rows[n - 1].version, 3);
    assert_text(rows[n - 1].mac, "mac 3");
    assert_ok(store_policy_find(s, "contoso", "TdxVm", &a, &one, &found, &e) && found, &e); /* another type is not touched */
    assert_text(one.jws, "policy 1");
    assert_text(one.mac, "mac 1");
    removed(&a, s, folder, path);
}

static void test_audit_trim(void **state)
{
    char folder[] = "/tmp/avouch-store-XXXXXX";
    struct err e = { .code = ERR_NONE };
    struct bytes *records;
    int64_t *ids, deleted;
    const char *path;
    struct store *s;
    struct arena a;
    size_t n;

    (void)state;
    s = opened(&a, folder, &path);
    for (int i = 0; i < 10; i++)
        assert_ok(store_audit_add(s, 100 + i, i % 2 == 0 ? "" : "contoso", bytes_str(arena_printf(&a, "%d", i)), &e), &e);
    assert_ok(store_audit_trim(s, 100, 4, &deleted, &e), &e);
    assert_int_equal(deleted, 0);
    assert_ok(store_audit_trim(s, 106, 4, &deleted, &e), &e); /* a bounded step: the oldest */
    assert_int_equal(deleted, 4);
    assert_ok(store_audit_list(s, "", 0, 100, &a, &records, &ids, &n, &e), &e);
    assert_int_equal(n, 3);
    assert_text(records[0], "4");
    assert_ok(store_audit_trim(s, 106, 4, &deleted, &e), &e);
    assert_int_equal(deleted, 2);
    assert_ok(store_audit_list(s, "contoso", 0, 100, &a, &records, &ids, &n, &e), &e);
    assert_int_equal(n, 2);
    assert_text(records[0], "7");
    removed(&a, s, folder, path);
}

/* A store of the first schema is brought up to date; what it holds has no MAC. */
static void test_first_schema(void **state)
{
    char folder[] = "/tmp/avouch-store-XXXXXX";
    struct err e = { .code = ERR_NONE };
    struct store_policy row;
    const char *path;
    struct store *s;
    struct arena a;
    sqlite3 *db;
    bool found;

    (void)state;
    s = opened(&a, folder, &path);
    store_close(s);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP INDEX audit_by_time; ALTER TABLE policy DROP COLUMN mac; PRAGMA user_version=1;"
                                  "INSERT INTO policy VALUES('contoso', 'TdxVm', 7, CAST('old' AS BLOB), 'w', 1)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_ok(store_open(path, &s, &e), &e);
    assert_ok(store_policy_find(s, "contoso", "TdxVm", &a, &row, &found, &e) && found, &e);
    assert_int_equal(row.version, 7);
    assert_text(row.jws, "old");
    assert_int_equal(row.mac.n, 0);
    removed(&a, s, folder, path);
}

int main(void)
{
    struct suite s = { 0 };

    suite_add(&s, "a part of a provider is updated", test_update, NULL);
    suite_add(&s, "the newest versions of a policy are kept", test_versions, NULL);
    suite_add(&s, "old audit records go in bounded steps", test_audit_trim, NULL);
    suite_add(&s, "store of the first schema", test_first_schema, NULL);
    return suite_run("store", &s);
}
