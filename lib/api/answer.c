/* answer.c: what the service says: errors, tokens, metadata. */
#include "api/api.h"

const char *api_error_message(const struct err *e, struct arena *a)
{
    const char *hint = err_hint(e->code);

    return hint[0] == 0 ? arena_printf(a, "%s: %s", e->what, e->why)
                        : arena_printf(a, "%s: %s [%s; %s]", e->what, e->why, err_name(e->code), hint);
}

struct bytes api_error(const struct err *e, const char *message, struct bytes details, struct arena *a)
{
    struct jobj inner = jobj_open(a), error = jobj_open(a), whole = jobj_open(a);

    jobj_text(&inner, "code", err_rest_code(e->code));
    jobj_text(&inner, "message", message);
    jobj_text(&error, "code", err_rest_code(e->code));
    jobj_text(&error, "message", message);
    jobj_json(&error, "innererror", jobj_print(&inner, false));
    if (details.n > 0)
        jobj_json(&error, "details", details);
    jobj_json(&whole, "error", jobj_print(&error, false));
    return jobj_print(&whole, false);
}

struct bytes api_token(struct bytes token, struct arena *a)
{
    struct jobj o = jobj_open(a);

    jobj_str(&o, "token", token);
    return jobj_print(&o, false);
}

struct bytes api_openid_configuration(const char *issuer, struct bytes alg, struct arena *a)
{
    static const char *const claims[] = {
        "cnf", "nonce", "x-ms-ver", "x-ms-attestation-type", "x-ms-policy-hash", "x-ms-policy-signer", "x-ms-sgx-is-debuggable",
        "x-ms-sgx-mrenclave", "x-ms-sgx-mrsigner", "x-ms-sgx-svn", "x-ms-sgx-ehd", "x-ms-sgx-collateral", "is-debuggable",
        "sgx-mrsigner", "sgx-mrenclave", "product-id", "svn", "tee",
    };
    struct jobj o = jobj_open(a);
    struct jarr supported = jarr_open(a), algs = jarr_open(a);

    for (size_t i = 0; i < COUNT(claims); i++)
        jarr_str(&supported, bytes_str(claims[i]));
    jarr_str(&algs, alg);
    jobj_json(&o, "response_types_supported", LIT("[\"token\",\"none\"]"));
    jobj_json(&o, "id_token_signing_alg_values_supported", jarr_close(&algs));
    jobj_text(&o, "revocation_endpoint", arena_printf(a, "%s/revoke", issuer));
    jobj_text(&o, "issuer", issuer);
    jobj_text(&o, "jwks_uri", arena_printf(a, "%s/certs", issuer));
    jobj_json(&o, "claims_supported", jarr_close(&supported));
    return jobj_print(&o, false);
}

bool api_version_known(struct bytes version)
{
    static const char *const known[] = { "2018-09-01-preview", "2018-09-01", "2020-10-01", "2022-08-01", "2022-09-01-preview",
                                         "2022-09-01", "2025-06-01", "2026-03-11-preview" };

    for (size_t i = 0; i < COUNT(known); i++)
        if (bytes_equal_nocase(version, bytes_str(known[i])))
            return true;
    return false;
}
