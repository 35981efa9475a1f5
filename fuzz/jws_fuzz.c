/* jws_fuzz.c: bodies of policy requests and key sets: read or refused with a reason; an envelope that is made
 * of what was read is read again as the same text. */
#include "jose/policy_jws.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_wrap(struct bytes text, struct arena *a)
{
    struct signed_request r;
    struct bytes again;
    struct err e = { 0 };
    bool empty;

    must(signed_request_open(policy_wrap(text, a), ANY_TIME, a, &r, &e));
    must(policy_of_request(&r, a, &again, &empty, &e));
    must(bytes_equal(text, again));
    signed_request_done(&r);
}

static void try_request(struct bytes in, struct arena *a)
{
    struct signed_request r;
    struct bytes text;
    struct cert cert;
    struct err e = { 0 }, inner = { 0 };
    bool empty;

    if (!signed_request_open(in, ANY_TIME, a, &r, &e)) {
        must(e.code != ERR_NONE && e.why[0] != 0);
        return;
    }
    must(r.is_signed == (r.signer != NULL));
    if (policy_of_request(&r, a, &text, &empty, &inner))
        check_wrap(text, a);
    (void)!policy_certificate_of_request(&r, a, &cert, &inner);
    if (r.is_signed)
        (void)policy_signer_json(&r, a);
    signed_request_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    const struct json *j;
    struct jwks keys;
    struct err e = { 0 };

    arena_init(&a, (size_t)32 << 20);
    try_request(bytes_of(data, size), &a);
    if (json_parse(bytes_of(data, size), 16, "keys", &a, &j, &e) && jwks_read(j, "keys", &a, &keys, &e)) {
        for (size_t i = 0; i < keys.count; i++)
            must(jwk_thumbprint(keys.list[i].key, &a).n == 43);
        jwks_done(&keys);
    }
    arena_done(&a);
    return 0;
}
