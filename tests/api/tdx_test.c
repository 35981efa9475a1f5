/* tdx_test.c: /attest/TdxVm over HTTPS: every case of the vectors, at its time and with its collateral alone. */
#include "service.h"

#include "codec/b64.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct service the;
static struct arena shared;
static struct table cases;
static const struct json *quotes;

/* A folder with what one case has, and nothing else. */
static const char *collateral_folder(size_t row)
{
    static const char *const columns[] = { "tcb_info", "qe_identity", "tcb_chain", "pck_crl", "root_crl" };
    char *folder = arena_str(&shared, LIT("/tmp/avouch-tdx-XXXXXX"));

    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < COUNT(columns); i++) {
        struct bytes content = test_vector(&shared, arena_printf(&shared, "tdx/%s", table_cell(&cases, row, columns[i])));
        FILE *f = fopen(arena_printf(&shared, "%s/%s", folder, columns[i]), "w");

        assert_non_null(f);
        assert_int_equal(fwrite(content.p, 1, content.n, f), content.n);
        assert_int_equal(fclose(f), 0);
    }
    return folder;
}

static void remove_folder(const char *folder)
{
    static const char *const columns[] = { "tcb_info", "qe_identity", "tcb_chain", "pck_crl", "root_crl" };

    for (size_t i = 0; i < COUNT(columns); i++)
        (void)unlink(arena_printf(&shared, "%s/%s", folder, columns[i]));
    (void)rmdir(folder);
}

static struct answer send(struct bytes quote)
{
    static const char *const json[] = { "Content-Type: application/json", NULL };
    struct jobj o = jobj_open(&the.a);

    jobj_b64url(&o, "quote", quote);
    return service_call(&the, "POST", "/attest/TdxVm?api-version=2025-06-01", json, jobj_print(&o, false));
}

/* "quotes/oe_v4.bin" -> its fields as the vectors' own reader saw them. */
static const struct json *fields_of(const char *file)
{
    const char *name = strrchr(file, '/') + 1;

    return json_member(json_member_bytes(quotes, bytes_of(name, strcspn(name, "."))), "body");
}

static struct bytes text_of(const struct json *j, const char *name)
{
    struct bytes b = { NULL, 0 };

    if (!json_string(json_member(j, name), &b))
        fail_msg("member %s is missing", name);
    return b;
}

static void check_token(const struct answer *got, const char *file)
{
    static const char *const members[] = { "mrtd", "mrseam", "mrconfigid", "mrowner", "xfam", "rtmr0", "rtmr1", "rtmr2", "rtmr3" };
    struct bytes token = text_of(got->json, "token"), want;
    const struct json *claims = token_part(&the.a, token, 1), *body = fields_of(file);

    assert_text(text_of(claims, "x-ms-attestation-type"), "tdxvm");
    for (size_t i = 0; i < COUNT(members); i++)
        if (json_string(json_member(body, members[i]), &want))
            assert_bytes_equal(text_of(claims, arena_printf(&the.a, "tdx_%s", members[i])), want);
}

static const struct {
    const char *status;
    long http;
    const char *part;
} outcomes[] = {
    { "OK", 200, NULL },
    { "TCB_OUT_OF_DATE", 400, "OUT_OF_DATE" },
    { "TCB_NOT_SUPPORTED", 400, "platform TCB level" },
};

static void start(size_t row, const char *folder)
{
    service_start(&the, arena_printf(&shared, "base_url = https://localhost:8443\nworkers = 1\n[collateral]\ndirectory = %s\n[dev]\nclock = %s\n",
                                     folder, table_cell(&cases, row, "verify_at")), (const char *const[]){ "--dev", NULL });
}

static void case_row(void **state)
{
    size_t row = (size_t)(uintptr_t)*state;
    const char *status = table_cell(&cases, row, "status"), *folder = collateral_folder(row), *file = table_cell(&cases, row, "quote");
    struct answer got;
    size_t i = 0;

    start(row, folder);
    got = send(test_vector(&the.a, arena_printf(&the.a, "tdx/%s", file)));
    while (i < COUNT(outcomes) && strcmp(outcomes[i].status, status) != 0)
        i++;
    assert_true(i < COUNT(outcomes));
    if (got.status != outcomes[i].http)
        fail_msg("%s: HTTP %ld: %s", status, got.status, (const char *)got.body.p);
    if (got.status == 200)
        check_token(&got, file);
    else if (strstr(answer_message(&the, &got), outcomes[i].part) == NULL)
        fail_msg("'%s' does not say '%s'", answer_message(&the, &got), outcomes[i].part);
    assert_int_equal(service_stop(&the), 0);
    remove_folder(folder);
}

/* Without collateral nothing is decided. */
static void no_collateral(void **state)
{
    struct answer got;

    (void)state;
    service_start(&the, "base_url = https://localhost:8443\nworkers = 1\n[dev]\nclock = 2025-07-04T10:16:31Z\n",
                  (const char *const[]){ "--dev", NULL });
    got = send(test_vector(&the.a, "tdx/quotes/phala_v4.bin"));
    assert_int_equal(got.status, 503);
    assert_non_null(strstr(answer_message(&the, &got), "b0c06f000000"));
    assert_int_equal(service_stop(&the), 0);
}

static void bent_quote(void **state)
{
    const char *folder = collateral_folder(0);
    struct bytes quote;
    struct answer got;
    uint8_t *bent;

    (void)state;
    start(0, folder);
    quote = test_vector(&the.a, arena_printf(&the.a, "tdx/%s", table_cell(&cases, 0, "quote")));
    bent = arena_alloc(&the.a, quote.n);
    memcpy(bent, quote.p, quote.n);
    bent[48 + 136] ^= 1; /* MRTD */
    got = send(bytes_of(bent, quote.n));
    assert_int_equal(got.status, 400);
    assert_non_null(strstr(answer_message(&the, &got), "signature"));
    assert_int_equal(service_stop(&the), 0);
    remove_folder(folder);
}

int main(void)
{
    struct suite s = { 0 };
    struct err e = { 0 };
    int status;

    if (test_vectors() == NULL) {
        suite_add_skipped(&s, "TDX vectors are missing");
        return suite_run("api-tdx", &s);
    }
    arena_init(&shared, 64 << 20);
    cases = test_table(&shared, "tdx/cases.tsv");
    if (!json_parse(test_vector(&shared, "tdx/quotes.json"), 32, "quotes.json", &shared, &quotes, &e))
        return 1;
    for (size_t i = 0; i < cases.rows; i++)
        suite_add(&s, table_cell(&cases, i, "id"), case_row, (void *)(uintptr_t)i);
    suite_add(&s, "no collateral", no_collateral, NULL);
    suite_add(&s, "bent quote", bent_quote, NULL);
    status = suite_run("api-tdx", &s);
    arena_done(&shared);
    return status;
}
