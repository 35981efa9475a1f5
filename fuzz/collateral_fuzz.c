/* collateral_fuzz.c: collateral of any vendor by its content; Intel's statements down to their levels. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct collateral c;
    struct err e = { 0 };

    arena_init(&a, 32 << 20);
    c = collateral_open(&a);
    if (!collateral_add(&c, bytes_of(data, size), "file", &e) && e.code == ERR_NONE)
        __builtin_trap();
    statements(bytes_of(data, size), &a);
    arena_done(&a);
    return 0;
}
