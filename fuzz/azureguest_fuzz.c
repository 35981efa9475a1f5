/* azureguest_fuzz.c: requests of Azure guests: what parses and is not trusted is refused with a reason. */
#include "evidence/azureguest/azureguest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings settings = settings_default();
    struct trust none = { .count = 0, .replace = true };
    struct guest_request *rq;
    struct verify_env env;
    struct err e = { 0 };
    struct arena a;

    arena_init(&a, 64 << 20);
    env = (struct verify_env){ .now = 1800000000, .trust = &none, .settings = &settings, .a = &a };
    if (guest_request_parse(bytes_of(data, size), &a, &rq, &e) && rq->isolation == NULL
        && evidence_azureguest.verify(rq, &env, &e))
        __builtin_trap(); /* nothing is trusted here */
    if (e.code == ERR_NONE && rq->isolation == NULL)
        __builtin_trap();
    arena_done(&a);
    return 0;
}
