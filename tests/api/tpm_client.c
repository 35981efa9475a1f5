/* tpm_client.c: see tpm_client.h. */
#include "tpm_client.h"

#include "codec/b64.h"

#include <stdio.h>

#define ARM "/subscriptions/s/resourceGroups/g/providers/Microsoft.Attestation/attestationProviders"

struct service the;
const char *const as_owner[] = { "Authorization: Bearer dev", "Content-Type: application/json", NULL };
const char *const as_nobody[] = { "Content-Type: application/json", NULL };

void expect_status(const struct answer *got, long status)
{
    if (got->status != status)
        fail_msg("HTTP %ld, expected %ld: %s", got->status, status, got->body.p == NULL ? "" : (const char *)got->body.p);
}

void expect_refused(const struct answer *got, const char *code, const char *part)
{
    expect_status(got, 400);
    assert_string_equal(answer_code(&the, got), code);
    if (strstr(answer_message(&the, got), part) == NULL)
        fail_msg("'%s' does not say '%s'", answer_message(&the, got), part);
}

struct answer provider_call(const char *tenant, const char *method, const char *path, const char *const *who, struct bytes body)
{
    return service_call_host(&the, arena_printf(&the.a, "%s.localhost", tenant), method,
                             arena_printf(&the.a, "%s?api-version=2022-08-01", path), who, body);
}

void make_provider(const char *name, const char *properties, const char *policy)
{
    struct answer got = service_call(&the, "PUT", arena_printf(&the.a, ARM "/%s?api-version=2021-06-01", name), as_owner,
                                     bytes_str(arena_printf(&the.a, "{\"location\":\"Local\",\"properties\":%s}", properties)));

    expect_status(&got, 201);
    if (policy == NULL)
        return;
    got = provider_call(name, "PUT", "/policies/Tpm", as_owner, bytes_str(policy));
    expect_status(&got, 200);
}

struct answer send_doc(const char *tenant, const char *const *who, struct bytes doc)
{
    struct jobj o = jobj_open(&the.a);

    jobj_b64url(&o, "data", doc);
    return provider_call(tenant, "POST", "/attest/Tpm", who, jobj_print(&o, false));
}

struct answer send_jws(const char *tenant, const char *const *who, struct bytes jws)
{
    struct jobj payload = jobj_open(&the.a), doc = jobj_open(&the.a);

    jobj_str(&payload, "request", jws);
    jobj_json(&doc, "payload", jobj_print(&payload, false));
    return send_doc(tenant, who, jobj_print(&doc, false));
}

struct bytes text_of(const struct json *j, const char *name)
{
    struct bytes b = NONE;

    if (!json_string(json_member(j, name), &b))
        fail_msg("member %s is missing", name);
    return b;
}

struct bytes decoded(const struct json *j, const char *name)
{
    struct err e = { 0 };
    struct bytes b;

    assert_ok(b64_decode(text_of(j, name), B64_URL_STRICT, name, &the.a, &b, &e), &e);
    return b;
}

const struct json *parsed(struct bytes text)
{
    struct err e = { 0 };
    const struct json *j;

    assert_ok(json_parse(text, 64, "document", &the.a, &j, &e), &e);
    return j;
}

const struct json *payload_of(const struct json *body)
{
    return json_member(parsed(decoded(body, "data")), "payload");
}

struct asked ask(const char *tenant, const char *const *who)
{
    struct answer got = send_doc(tenant, who, LIT("{\"payload\":{\"type\":\"aikcert\"}}"));
    const struct json *payload;

    expect_status(&got, 200);
    payload = payload_of(got.json);
    return (struct asked){ .challenge = decoded(payload, "challenge"), .context = text_of(payload, "service_context") };
}

struct bytes report_of(const struct answer *got)
{
    expect_status(got, 200);
    return text_of(payload_of(got->json), "report");
}
