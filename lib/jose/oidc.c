/* oidc.c: see oidc.h. */
#include "jose/oidc.h"

enum { MAX_KEYS = 64, DEPTH = 16, SHOWN = 200 };

static int shown(struct bytes b)
{
    return (int)(b.n > SHOWN ? SHOWN : b.n);
}

static bool starts_with(struct bytes b, const char *head)
{
    return bytes_is(bytes_part(b, 0, strlen(head)), head);
}

static bool url_ok(struct bytes url, bool plain_http, bool query, const char *what, struct err *e)
{
    size_t scheme = starts_with(url, "https://") ? 8 : plain_http && starts_with(url, "http://") ? 7 : 0;

    if (scheme == 0)
        return err_set(e, ERR_UNAVAILABLE, what, "'%.*s' does not begin with https://%s", shown(url), (const char *)url.p,
                       plain_http ? " or http://" : "");
    if (url.n > OIDC_MAX_URL || url.n == scheme || url.p[scheme] == '/' || url.p[scheme] == '?')
        return err_set(e, ERR_UNAVAILABLE, what, "'%.*s' has no host or %zu bytes, more than %d", shown(url), (const char *)url.p, url.n,
                       OIDC_MAX_URL);
    for (size_t i = 0; i < url.n; i++) {
        uint8_t c = url.p[i];

        if (c <= ' ' || c > '~' || c == '#' || c == '@' || c == '\\' || c == '"' || (c == '?' && !query))
            return err_set(e, ERR_UNAVAILABLE, what, "'%.*s' has the byte %02x at %zu, which is not allowed there", shown(url),
                           (const char *)url.p, c, i);
    }
    return true;
}

bool oidc_url_check(struct bytes url, bool plain_http, const char *what, struct err *e)
{
    return url_ok(url, plain_http, false, what, e);
}

static struct bytes trimmed(struct bytes b)
{
    while (b.n > 0 && b.p[0] == ' ')
        b = bytes_part(b, 1, b.n - 1);
    while (b.n > 0 && b.p[b.n - 1] == ' ')
        b.n--;
    return b;
}

bool oidc_issuers_read(struct bytes list, bool plain_http, struct bytes ret[OIDC_MAX_ISSUERS], size_t *ret_count, struct err *e)
{
    struct bytes found[OIDC_MAX_ISSUERS];
    size_t n = 0;

    while (list.n > 0) {
        const uint8_t *comma = memchr(list.p, ',', list.n);
        struct bytes one = bytes_part(list, 0, comma == NULL ? list.n : (size_t)(comma - list.p));

        list = bytes_part(list, one.n + 1, list.n);
        one = trimmed(one);
        if (n == OIDC_MAX_ISSUERS)
            return err_set(e, ERR_USAGE, "auth.issuer", "names more than %d issuers", OIDC_MAX_ISSUERS);
        if (!oidc_url_check(one, plain_http, "auth.issuer", e))
            return false;
        for (size_t i = 0; i < n; i++)
            if (bytes_equal(found[i], one))
                return err_set(e, ERR_USAGE, "auth.issuer", "names '%.*s' twice", shown(one), (const char *)one.p);
        found[n++] = one;
    }
    memcpy(ret, found, n * sizeof(*ret));
    *ret_count = n;
    return true;
}

const char *oidc_document_url(struct bytes issuer, struct arena *a)
{
    if (issuer.n > 0 && issuer.p[issuer.n - 1] == '/')
        issuer.n--;
    return arena_printf(a, "%.*s/.well-known/openid-configuration", (int)issuer.n, (const char *)issuer.p);
}

bool oidc_document_read(struct bytes text, struct bytes issuer, bool plain_http, struct arena *a, const char **ret_keys_url, struct err *e)
{
    static const char what[] = "discovery document";
    struct bytes said = { NULL, 0 }, url;
    const struct json *j;
    struct err why = { .code = ERR_NONE };
    const char *copy;

    if (text.n > OIDC_MAX_DOCUMENT)
        return err_set(e, ERR_UNAVAILABLE, what, "has %zu bytes, at most %zu are read", text.n, OIDC_MAX_DOCUMENT);
    if (!json_parse(text, DEPTH, what, a, &j, &why))
        return err_set(e, why.code == ERR_NO_MEMORY ? why.code : ERR_UNAVAILABLE, what, "%s", why.why);
    if (!json_string(json_member(j, "issuer"), &said))
        return err_set(e, ERR_UNAVAILABLE, what, "has no string member 'issuer'");
    if (!bytes_equal(said, issuer))
        return err_set(e, ERR_UNAVAILABLE, what, "is that of issuer '%.*s', '%.*s' is configured (auth.issuer)", shown(said),
                       (const char *)said.p, shown(issuer), (const char *)issuer.p);
    if (!json_string(json_member(j, "jwks_uri"), &url))
        return err_set(e, ERR_UNAVAILABLE, what, "has no string member 'jwks_uri'");
    if (!url_ok(url, plain_http, true, "jwks_uri", e))
        return false;
    copy = arena_str(a, url);
    if (copy == NULL)
        return err_memory(e, what);
    *ret_keys_url = copy;
    return true;
}

static bool for_signatures(const struct json *j)
{
    struct bytes use;

    return !json_string(json_member(j, "use"), &use) || bytes_is(use, "sig");
}

bool oidc_keys_read(struct bytes text, struct arena *a, struct jwks *ret, struct err *e)
{
    static const char what[] = "key set";
    const struct json *j, *keys;
    struct err why = { .code = ERR_NONE };
    struct jwks s = { 0 };

    if (text.n > OIDC_MAX_KEYS)
        return err_set(e, ERR_UNAVAILABLE, what, "has %zu bytes, at most %zu are read", text.n, OIDC_MAX_KEYS);
    if (!json_parse(text, DEPTH, what, a, &j, &why))
        return err_set(e, why.code == ERR_NO_MEMORY ? why.code : ERR_UNAVAILABLE, what, "%s", why.why);
    keys = json_member(j, "keys");
    if (!json_is(keys, JSON_ARRAY) || keys->count > MAX_KEYS)
        return err_set(e, ERR_UNAVAILABLE, what, "'keys' must be an array of at most %d keys", MAX_KEYS);
    s.list = arena_many(a, keys->count + 1, struct jwk);
    if (s.list == NULL)
        return err_memory(e, what);
    for (const struct json *k = keys->child; k != NULL; k = k->next) {
        struct jwk *one = &s.list[s.count];

        if (!for_signatures(k) || !jwk_read_plain(k, what, a, one, &why))
            continue;
        s.count++;
        if (one->kid.n > 0 && jwks_find(&s, one->kid) != one) {
            (void)err_set(e, ERR_UNAVAILABLE, what, "two keys have the kid '%.*s'", shown(one->kid), (const char *)one->kid.p);
            jwks_done(&s);
            return false;
        }
    }
    if (s.count == 0)
        return err_set(e, ERR_UNAVAILABLE, what, "none of its %zu keys can verify signatures here%s%s", keys->count,
                       why.code == ERR_NONE ? "" : ": ", why.why);
    *ret = s;
    return true;
}
