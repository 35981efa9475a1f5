/* bundle_fuzz.c: bundles and files of the cache, and the keys in them. What parses prints to the same bytes. */
#include "collateral/vet.h"
#include "crypto/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void records(struct bytes file, struct arena *a)
{
    struct record *list;
    struct err e = { 0 };
    size_t n;

    if (!bundle_parse(file, a, &list, &n, &e)) {
        if (e.code == ERR_NONE)
            __builtin_trap();
        return;
    }
    if (!bytes_equal(bundle_print(list, n, a), file))
        __builtin_trap();
    for (size_t i = 0; i < n && i < 4; i++) {
        struct need_key k;
        struct vetted v;

        if (need_key_parse(list[i].key, &k, &e))
            (void)!vet_record(&k, &list[i], NULL, true, 1767225600, &v, &e);
    }
}

/* The digest at the end is made to fit: what lies before it shall be reached. */
static struct bytes with_digest(struct bytes in, struct arena *a)
{
    struct out o = out_open(a);
    struct digest d;

    out_text(&o, "AVOUCH COLLATERAL 1\n");
    out_bytes(&o, in);
    d = sha256(out_view(&o));
    out_bytes(&o, digest_bytes(&d));
    return out_view(&o);
}

static void key(struct bytes text, struct arena *a)
{
    struct need_key k, again;
    const char *printed;

    if (!need_key_parse(text, &k, NULL))
        return;
    printed = need_key_print(&k, a);
    if (printed == NULL || !need_key_parse(bytes_str(printed), &again, NULL) || strcmp(need_key_print(&again, a), printed) != 0)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct arena a;

    arena_init(&a, 64 << 20);
    records(in, &a);
    records(with_digest(in, &a), &a);
    key(in, &a);
    arena_done(&a);
    return 0;
}
