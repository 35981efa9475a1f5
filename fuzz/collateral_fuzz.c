/* collateral_fuzz.c: collateral of any vendor by its content; Intel's statements down to their levels. */
#include "evidence/needkey.h"
#include "evidence/sgx/sgx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void statements(struct bytes b, struct arena *a)
{
    struct signed_json doc;
    struct tcb_info tcb;
    struct enclave_identity id;
    struct err e = { 0 };

    if (signed_json_parse(b, "tcbInfo", a, &doc, &e) && tcb_info_parse(doc.body, a, &tcb, &e))
        for (size_t i = 1; i < tcb.level_count; i++)
            if (memcmp(tcb.levels[i - 1].sgx, tcb.levels[i].sgx, 16) < 0)
                __builtin_trap(); /* levels are sorted whatever the file's order */
    e = (struct err){ 0 };
    if (signed_json_parse(b, "enclaveIdentity", a, &doc, &e))
        (void)!enclave_identity_parse(doc.body, a, &id, &e);
}

/* Whatever time it is: the standard set is one of the list and never above the early one, and time only raises it. */
static void sets(struct bytes b, struct arena *a)
{
    static const int64_t times[] = { 0, 1750000000, 1900000000, INT64_C(253402300799) };
    int64_t last = 0;

    for (size_t i = 0; i < COUNT(times); i++) {
        int64_t standard, early;

        if (!eval_numbers_peek(b, times[i], a, &standard, &early))
            return;
        if (standard < last || early < standard || standard < 0)
            __builtin_trap();
        last = standard;
    }
}

/* Each key that an item is kept under is read back as it was printed, and names this item. */
static void names(const struct collateral_item *i, const struct cert *cert, struct arena *a)
{
    struct need_key keys[NEED_MAX_NAMES], again;
    struct err e = { 0 };
    size_t n = 0;

    if (!need_keys_of(i, cert, keys, &n, &e)) {
        if (e.code == ERR_NONE)
            __builtin_trap();
        return;
    }
    for (size_t k = 0; k < n; k++) {
        const char *text = need_key_print(&keys[k], a);

        if (text == NULL || !need_key_parse(bytes_str(text), &again, &e) || strcmp(need_key_print(&again, a), text) != 0)
            __builtin_trap();
        if (i->kind != COLL_CERTS && !need_key_serves(&again, i))
            __builtin_trap();
    }
}

static void all_names(const struct collateral_item *i, struct arena *a)
{
    struct cert *list;
    size_t n;

    if (i->kind != COLL_CERTS)
        names(i, NULL, a);
    else if (certs_read(i->body, 16, "file", a, &list, &n, NULL))
        for (size_t k = 0; k < n; k++)
            names(i, &list[k], a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct collateral c;
    struct err e = { 0 };

    arena_init(&a, 32 << 20);
    c = collateral_open(&a);
    if (!collateral_add(&c, bytes_of(data, size), "file", &e) && e.code == ERR_NONE)
        __builtin_trap();
    for (size_t i = 0; i < c.count; i++)
        all_names(&c.list[i], &a);
    statements(bytes_of(data, size), &a);
    sets(bytes_of(data, size), &a);
    arena_done(&a);
    return 0;
}
