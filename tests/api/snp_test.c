/* snp_test.c: the recorded SevSnpVm request against a running service; its token beside the real one. */
#include "service.h"

#include <stdio.h>

static struct service the;

static struct answer send(const char *file)
{
    static const char *const json[] = { "Content-Type: application/json", NULL };

    return service_call(&the, "POST", "/attest/SevSnpVm?api-version=2022-08-01", json, test_vector(&the.a, file));
}

static struct bytes printed(const struct json *j)
{
    struct out o = out_open(&the.a);

    json_print(&o, j, true);
    return out_view(&o);
}

/* Members of tokens from 2026 on, which the token of 2025 lacks, and the mark of a development service. */
static bool newer(struct bytes name)
{
    static const char *const names[] = {
        "x-ms-sevsnpvm-singlesocket", "x-ms-sevsnpvm-cxl-allowed", "x-ms-sevsnpvm-mem-aes256-xts-required",
        "x-ms-sevsnpvm-rapl-disabled", "x-ms-sevsnpvm-ciphertext-hiding-dram-enabled",
        "x-ms-sevsnpvm-page-swap-disabled", "x-avouch-dev",
    };

    for (size_t i = 0; i < COUNT(names); i++)
        if (bytes_is(name, names[i]))
            return true;
    return false;
}

static bool of_the_moment(struct bytes name)
{
    return bytes_is(name, "iss") || bytes_is(name, "jti") || bytes_is(name, "iat") || bytes_is(name, "nbf")
        || bytes_is(name, "exp");
}

static void recorded_request(void **state)
{
    struct bytes token = { NULL, 0 }, real = test_vector(&the.a, "rest/tokens/sevsnp-apr2025.jwt");
    struct answer a = send("rest/evidence/sevsnp-attest-request.json");
    const struct json *ours, *theirs;

    (void)state;
    if (a.status != 200)
        fail_msg("%ld: %s", a.status, (const char *)a.body.p);
    while (real.n > 0 && (real.p[real.n - 1] == '\n' || real.p[real.n - 1] == '\r'))
        real.n--;
    assert_true(json_string(json_member(a.json, "token"), &token));
    ours = token_part(&the.a, token, 1);
    theirs = token_part(&the.a, real, 1);
    for (const struct json *m = theirs->child; m != NULL; m = m->next) {
        const struct json *n = json_member_bytes(ours, m->name);

        if (n == NULL)
            fail_msg("claim %.*s is missing", (int)m->name.n, (const char *)m->name.p);
        if (!of_the_moment(m->name))
            assert_bytes_equal(printed(n), printed(m));
    }
    for (const struct json *m = ours->child; m != NULL; m = m->next)
        if (json_member_bytes(theirs, m->name) == NULL && !newer(m->name))
            fail_msg("claim %.*s is not in the real token", (int)m->name.n, (const char *)m->name.p);
}

static void wrong_runtime_data(void **state)
{
    struct answer a = send("rest/evidence/sevsnp-attest-request-with-wrong-runtime.json");

    (void)state;
    assert_int_equal(a.status, 400);
    assert_string_equal(answer_code(&the, &a), "InvalidParameter");
    assert_non_null(strstr(answer_message(&the, &a), "report data carry the hash of runtimeData"));
}

static void damaged_report(void **state)
{
    static const char *const json[] = { "Content-Type: application/json", NULL };
    struct answer a = service_call(&the, "POST", "/attest/SevSnpVm?api-version=2022-08-01", json,
                                   LIT("{\"report\":\"eyJTbnBSZXBvcnQiOiJBQUFBIn0\"}"));

    (void)state;
    assert_int_equal(a.status, 400);
    assert_non_null(strstr(answer_message(&the, &a), "report length is 3 bytes, exactly 1184 are expected"));
}

int main(void)
{
    struct suite s = { 0 };
    int status;

    if (test_vectors() == NULL) {
        suite_add_skipped(&s, "recorded request (vectors missing)");
        return suite_run("api-snp", &s);
    }
    service_start(&the, "base_url = https://localhost:8443\nworkers = 1\n[token]\ncompatible = yes\n"
                        "[dev]\nclock = 2025-04-08T04:15:00Z\n", (const char *const[]){ "--dev", NULL });
    suite_add(&s, "recorded request, token beside the real one", recorded_request, NULL);
    suite_add(&s, "recorded request with wrong runtime data", wrong_runtime_data, NULL);
    suite_add(&s, "damaged report", damaged_report, NULL);
    status = suite_run("api-snp", &s);
    (void)service_stop(&the);
    return status;
}
