/* store_test.c: what two processes do to one store. */
#include "testing.h"

#include "store/store.h"

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

int main(void)
{
    struct suite s = { 0 };

    suite_add(&s, "a part of a provider is updated", test_update, NULL);
    return suite_run("store", &s);
}
