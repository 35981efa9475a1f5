/* oidc_test.c: addresses, discovery documents and key sets of issuers: what is read, and why the rest is refused. */
#include "testing.h"

#include "jose/oidc.h"

#include <stdio.h>

#define ISSUER "https://issuer.example/t"
/* public key of RFC 7517 appendix A.1 */
#define EC "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\""

static struct arena suite_arena;

/* `why` NULL: taken. `shown`: the issuers that were read, with a blank behind each. */
static const struct list_row {
    const char *list, *shown, *why;
    bool plain_http;
} lists[] = {
    { "https://a.example", "https://a.example ", NULL, false },
    { "https://a.example/x/, https://b.example:8443 ", "https://a.example/x/ https://b.example:8443 ", NULL, false },
    { "http://127.0.0.1:80", "http://127.0.0.1:80 ", NULL, true },
    { "https://[::1]:8443", "https://[::1]:8443 ", NULL, false },
    { "http://127.0.0.1:80", NULL, "'http://127.0.0.1:80' does not begin with https://", false },
    { "HTTPS://a.example", NULL, "does not begin with https://", false },
    { "urn:issuer", NULL, "'urn:issuer' does not begin with https:// or http://", true },
    { "https://", NULL, "has no host", false },
    { "https:///x", NULL, "has no host", false },
    { "https://?x", NULL, "has no host", false },
    { "https://a.example,", "https://a.example ", NULL, false },
    { ",https://a.example", NULL, "'' does not begin with https://", false },
    { "https://a.example,,https://b.example", NULL, "'' does not begin with https://", false },
    { "https://a.example,https://a.example", NULL, "names 'https://a.example' twice", false },
    { "https://u@a.example", NULL, "has the byte 40 at 9", false },
    { "https://a.example/?q", NULL, "has the byte 3f at 18", false },
    { "https://a.example/#f", NULL, "has the byte 23 at 18", false },
    { "https://a b", NULL, "has the byte 20 at 9", false },
    { "https://a\\b", NULL, "has the byte 5c at 9", false },
    { "https://a\x7f", NULL, "has the byte 7f at 9", false },
    { "https://1,https://2,https://3,https://4,https://5,https://6,https://7,https://8,https://9", NULL, "names more than 8 issuers", false },
};

static void list(void **state)
{
    const struct list_row *r = *state;
    struct bytes urls[OIDC_MAX_ISSUERS];
    struct err e = { .code = ERR_NONE };
    char shown[300] = "";
    size_t n = 0;

    if (!oidc_issuers_read(bytes_str(r->list), r->plain_http, urls, &n, &e)) {
        if (r->why == NULL || strstr(e.why, r->why) == NULL)
            fail_msg("%s: %s", e.what, e.why);
        return;
    }
    assert_null(r->why);
    for (size_t i = 0; i < n; i++)
        snprintf(shown + strlen(shown), sizeof(shown) - strlen(shown), "%.*s ", (int)urls[i].n, (const char *)urls[i].p);
    assert_string_equal(shown, r->shown);
}

static void long_url(void **state)
{
    char text[OIDC_MAX_URL + 2] = "https://";
    struct err e = { .code = ERR_NONE };

    (void)state;
    memset(text + 8, 'a', OIDC_MAX_URL - 8);
    assert_ok(oidc_url_check(bytes_of(text, OIDC_MAX_URL), false, "url", &e), &e);
    text[OIDC_MAX_URL] = 'a';
    assert_false(oidc_url_check(bytes_of(text, OIDC_MAX_URL + 1), false, "url", &e));
    assert_refused(&e, ERR_UNAVAILABLE, "501 bytes, more than 500");
}

static void document_url(void **state)
{
    (void)state;
    assert_string_equal(oidc_document_url(LIT(ISSUER), &suite_arena), ISSUER "/.well-known/openid-configuration");
    assert_string_equal(oidc_document_url(LIT(ISSUER "/"), &suite_arena), ISSUER "/.well-known/openid-configuration");
}

static const struct document_row {
    const char *name, *text, *url, *why;
} documents[] = {
    { "as it should be", "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"https://keys.example/k?v=1\"}", "https://keys.example/k?v=1", NULL },
    { "escaped", "{\"issuer\":\"https:\\/\\/issuer.example\\/t\",\"jwks_uri\":\"https:\\/\\/k\"}", "https://k", NULL },
    { "another issuer", "{\"issuer\":\"https://issuer.example/T\",\"jwks_uri\":\"https://k\"}", NULL, "is that of issuer 'https://issuer.example/T', '" ISSUER "'" },
    { "more behind it", "{\"issuer\":\"" ISSUER "\\u0000x\",\"jwks_uri\":\"https://k\"}", NULL, "is that of issuer" },
    { "no issuer", "{\"jwks_uri\":\"https://k\"}", NULL, "has no string member 'issuer'" },
    { "an array", "[]", NULL, "has no string member 'issuer'" },
    { "plain http", "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"http://k\"}", NULL, "'http://k' does not begin with https://" },
    { "a NUL in the address", "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"https://k\\u0000.example\"}", NULL, "has the byte 00 at 9" },
    { "a line in the address", "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"https://k\\r\\nX: y\"}", NULL, "has the byte 0d at 9" },
    { "no address", "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":1}", NULL, "has no string member 'jwks_uri'" },
    { "no JSON", "<html>", NULL, "" },
    { "empty", "", NULL, "" },
    { "deep", "{\"a\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}", NULL, "" },
};

static void document(void **state)
{
    const struct document_row *r = *state;
    const char *url = NULL;
    struct err e = { .code = ERR_NONE };
    bool ok = oidc_document_read(bytes_str(r->text), LIT(ISSUER), false, &suite_arena, &url, &e);

    if (r->why != NULL) {
        assert_false(ok);
        assert_null(url);
        assert_refused(&e, ERR_UNAVAILABLE, r->why);
        return;
    }
    assert_ok(ok, &e);
    assert_string_equal(url, r->url);
}

static const struct keys_row {
    const char *name, *text;
    size_t count;
    const char *why;
} sets[] = {
    { "one key", "{\"keys\":[{" EC ",\"kid\":\"1\"}]}", 1, NULL },
    { "without kid", "{\"keys\":[{" EC "}]}", 1, NULL },
    { "for signatures", "{\"keys\":[{" EC ",\"use\":\"sig\"}]}", 1, NULL },
    { "certificates that cannot be read", "{\"keys\":[{" EC ",\"x5c\":[\"AA\"]}]}", 1, NULL },
    { "others beside it", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"},7,{" EC ",\"kid\":\"1\"},{" EC ",\"kid\":\"1\",\"use\":\"enc\"},{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\"}]}", 1, NULL },
    { "one kid twice", "{\"keys\":[{" EC ",\"kid\":\"1\"},{" EC ",\"kid\":\"1\"}]}", 0, "two keys have the kid '1'" },
    { "for encryption alone", "{\"keys\":[{" EC ",\"use\":\"enc\"}]}", 0, "none of its 1 keys can verify signatures here" },
    { "a private key", "{\"keys\":[{" EC ",\"d\":\"AA\"}]}", 0, "the JWK holds a private or symmetric key" },
    { "off the curve", "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\"}]}", 0, "none of its 1 keys" },
    { "certificate alone", "{\"keys\":[{\"kty\":\"EC\",\"x5c\":[\"AA\"]}]}", 0, "the JWK has no key in the clear" },
    { "none", "{\"keys\":[]}", 0, "none of its 0 keys" },
    { "no array", "{\"keys\":\"x\"}", 0, "'keys' must be an array of at most 64 keys" },
    { "no set", "{}", 0, "'keys' must be an array of at most 64 keys" },
    { "no JSON", "x", 0, "" },
};

static void keys(void **state)
{
    const struct keys_row *r = *state;
    struct jwks set;
    struct err e = { .code = ERR_NONE };
    bool ok = oidc_keys_read(bytes_str(r->text), &suite_arena, &set, &e);

    if (r->why != NULL) {
        assert_false(ok);
        assert_refused(&e, ERR_UNAVAILABLE, r->why);
        return;
    }
    assert_ok(ok, &e);
    assert_int_equal(set.count, r->count);
    jwks_done(&set);
}

static void sizes(void **state)
{
    uint8_t *p = arena_alloc(&suite_arena, OIDC_MAX_KEYS + 1);
    struct err e = { .code = ERR_NONE }, f = { .code = ERR_NONE }, g = { .code = ERR_NONE };
    struct out o = out_open(&suite_arena);
    const char *url;
    struct jwks set;

    (void)state;
    memset(p, ' ', OIDC_MAX_KEYS + 1);
    assert_false(oidc_document_read(bytes_of(p, OIDC_MAX_DOCUMENT + 1), LIT(ISSUER), false, &suite_arena, &url, &e));
    assert_refused(&e, ERR_UNAVAILABLE, "has 65537 bytes, at most 65536 are read");
    assert_false(oidc_keys_read(bytes_of(p, OIDC_MAX_KEYS + 1), &suite_arena, &set, &f));
    assert_refused(&f, ERR_UNAVAILABLE, "has 262145 bytes, at most 262144 are read");
    out_text(&o, "{\"keys\":[1");
    for (int i = 0; i < 64; i++)
        out_text(&o, ",1");
    out_text(&o, "]}");
    assert_false(oidc_keys_read(out_view(&o), &suite_arena, &set, &g));
    assert_refused(&g, ERR_UNAVAILABLE, "at most 64 keys");
}

int main(void)
{
    struct suite s = { 0 };
    int status;

    arena_init(&suite_arena, 64 << 20);
    for (size_t i = 0; i < COUNT(lists); i++)
        suite_add(&s, arena_printf(&suite_arena, "issuers: %s", lists[i].list), list, (void *)(uintptr_t)&lists[i]);
    suite_add(&s, "an address that is too long", long_url, NULL);
    suite_add(&s, "address of the document", document_url, NULL);
    for (size_t i = 0; i < COUNT(documents); i++)
        suite_add(&s, arena_printf(&suite_arena, "document: %s", documents[i].name), document, (void *)(uintptr_t)&documents[i]);
    for (size_t i = 0; i < COUNT(sets); i++)
        suite_add(&s, arena_printf(&suite_arena, "keys: %s", sets[i].name), keys, (void *)(uintptr_t)&sets[i]);
    suite_add(&s, "sizes", sizes, NULL);
    status = suite_run("oidc", &s);
    arena_done(&suite_arena);
    return status;
}
