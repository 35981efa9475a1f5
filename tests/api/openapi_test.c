/* openapi_test.c: the document that the service gives of itself is true: every route stands in it and every
 * path of it is a route; every error code of the table; and answers have statuses that it names. */
#include "service.h"

#include <stdio.h>

static struct service the;
static const struct json *document;

static void load(void **state)
{
    struct answer got = service_call(&the, "GET", "/openapi.json", NULL, (struct bytes){ NULL, 0 });

    (void)state;
    assert_int_equal(got.status, 200);
    assert_non_null(got.json);
    document = got.json;
}

/* "/a/{name}/b" without the names of its holes. */
static const char *bare(struct bytes path)
{
    char *to = arena_alloc(&the.a, path.n + 1);
    size_t n = 0;
    bool inside = false;

    for (size_t i = 0; i < path.n; i++) {
        inside = inside && path.p[i] != '}';
        if (!inside)
            to[n++] = (char)path.p[i];
        inside = inside || path.p[i] == '{';
    }
    to[n] = 0;
    return to;
}

static const struct json *operation(const char *method, const char *path)
{
    for (const struct json *p = json_member(document, "paths")->child; p != NULL; p = p->next)
        if (strcmp(bare(p->name), path) == 0)
            return json_member_nocase(p, method);
    return NULL;
}

static void routes(void **state)
{
    const char *const argv[] = { program_path(&the.a, "avouch-front"), "--routes", NULL };
    int status;
    char *text = arena_str(&the.a, run_program(&the.a, argv, &status)), *line;
    size_t routes_count = 0, documented = 0;

    (void)state;
    assert_int_equal(status, 0);
    while ((line = strsep(&text, "\n")) != NULL && *line != 0) {
        char *path = strchr(line, ' ');

        *path++ = 0;
        routes_count++;
        if (operation(line, path) == NULL)
            fail_msg("%s %s is not in the document", line, path);
    }
    for (const struct json *p = json_member(document, "paths")->child; p != NULL; p = p->next)
        documented += p->count;
    assert_int_equal(routes_count, documented);
}

static bool has_code(const char *code)
{
    const struct json *list = json_member(json_member(json_member(document, "components"), "schemas"), "Error");
    static const char *const steps[] = { "properties", "error", "properties", "code", "enum" };

    for (size_t i = 0; i < COUNT(steps); i++)
        list = json_member(list, steps[i]);
    for (const struct json *j = list->child; j != NULL; j = j->next)
        if (bytes_is(j->text, code))
            return true;
    return false;
}

static void codes(void **state)
{
    (void)state;
    for (int c = ERR_NONE + 1; err_name((enum err_code)c) != NULL && strcmp(err_name((enum err_code)c), "UNKNOWN") != 0; c++)
        if (!has_code(err_rest_code((enum err_code)c)))
            fail_msg("code %s of %s is not in the document", err_rest_code((enum err_code)c), err_name((enum err_code)c));
}

static const struct call {
    const char *method, *path, *pattern, *body;
} calls[] = {
    { "GET", "/certs", "/certs", NULL },
    { "GET", "/servicehealth", "/servicehealth", NULL },
    { "POST", "/attest/SgxEnclave?api-version=2022-08-01", "/attest/{}", "{}" },
    { "POST", "/attest/SgxEnclave", "/attest/{}", "{}" },
    { "GET", "/policies/SgxEnclave?api-version=2022-08-01", "/policies/{}", NULL },
    { "PUT", "/policies/SgxEnclave?api-version=2022-08-01", "/policies/{}", "x" },
    { "GET", "/tcbbaselines/SgxEnclave?api-version=2022-08-01", "/tcbbaselines/{}", NULL },
    { "GET", "/providers/Microsoft.Attestation/operations?api-version=2020-10-01", "/providers/Microsoft.Attestation/operations", NULL },
};

static void statuses(void **state)
{
    static const char *const who[][2] = { { "X-Nobody: 1", NULL }, { "Authorization: Bearer dev", NULL } };

    (void)state;
    for (size_t i = 0; i < COUNT(calls); i++)
        for (size_t w = 0; w < COUNT(who); w++) {
            struct answer got = service_call(&the, calls[i].method, calls[i].path, who[w],
                                             calls[i].body == NULL ? (struct bytes){ NULL, 0 } : bytes_str(calls[i].body));
            const struct json *op = operation(calls[i].method, calls[i].pattern);

            assert_non_null(op);
            if (json_member(json_member(op, "responses"), arena_printf(&the.a, "%ld", got.status)) == NULL)
                fail_msg("%s %s answers %ld, which the document does not name", calls[i].method, calls[i].path, got.status);
        }
}

static void stop(void **state)
{
    (void)state;
    assert_int_equal(service_stop(&the), 0);
}

int main(void)
{
    static const char *const dev[] = { "--dev", NULL };
    struct suite s = { 0 };

    service_start(&the, "workers = 1\n", dev);
    suite_add(&s, "the service gives the document", load, NULL);
    suite_add(&s, "routes and paths are the same", routes, NULL);
    suite_add(&s, "every error code", codes, NULL);
    suite_add(&s, "statuses of answers", statuses, NULL);
    suite_add(&s, "stops cleanly", stop, NULL);
    return suite_run("openapi", &s);
}
