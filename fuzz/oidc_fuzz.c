/* oidc_fuzz.c: discovery documents and key sets of issuers: read or refused with a reason. What is read keeps its
 * promises: an address of the allowed scheme, keys that can be told apart. */
#include "jose/oidc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void try_document(struct bytes in, bool plain_http, struct arena *a)
{
    struct bytes issuer = LIT("https://issuer.example");
    const char *url;
    struct err e = { 0 };

    if (!oidc_document_read(in, issuer, plain_http, a, &url, &e)) {
        must(e.code != ERR_NONE && e.why[0] != 0);
        return;
    }
    must(strlen(url) <= OIDC_MAX_URL);
    must(strncmp(url, "https://", 8) == 0 || (plain_http && strncmp(url, "http://", 7) == 0));
    must(strpbrk(url, " @#\\\"\r\n") == NULL);
}

static void try_keys(struct bytes in, struct arena *a)
{
    struct jwks keys;
    struct err e = { 0 };

    if (!oidc_keys_read(in, a, &keys, &e)) {
        must(e.code != ERR_NONE && e.why[0] != 0);
        return;
    }
    must(keys.count > 0);
    for (size_t i = 0; i < keys.count; i++) {
        must(jwk_thumbprint(keys.list[i].key, a).n == 43);
        must(keys.list[i].kid.n == 0 || jwks_find(&keys, keys.list[i].kid) == &keys.list[i]);
    }
    jwks_done(&keys);
}

static void try_list(struct bytes in)
{
    struct bytes urls[OIDC_MAX_ISSUERS];
    struct err e = { 0 };
    size_t n;

    if (!oidc_issuers_read(in, true, urls, &n, &e))
        return;
    must(n <= OIDC_MAX_ISSUERS);
    for (size_t i = 0; i < n; i++)
        must(memchr(urls[i].p, ',', urls[i].n) == NULL && oidc_url_check(urls[i], true, "url", &e));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;

    arena_init(&a, (size_t)32 << 20);
    try_document(bytes_of(data, size), false, &a);
    try_document(bytes_of(data, size), true, &a);
    try_keys(bytes_of(data, size), &a);
    try_list(bytes_of(data, size));
    arena_done(&a);
    return 0;
}
