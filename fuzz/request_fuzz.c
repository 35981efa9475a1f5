/* request_fuzz.c: bodies of the attestation calls. */
#include "api/api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct api_limits limits = API_LIMITS_DEFAULT;
    struct arena a;
    struct api_attest body;
    struct err e = { 0 };

    arena_init(&a, 32 << 20);
    if (!api_attest_parse(bytes_of(data, size), "quote", &limits, &a, &body, &e)) {
        const char *message = api_error_message(&e, &a);

        if (e.code == ERR_NONE || message == NULL || api_error(&e, message, (struct bytes){ NULL, 0 }, &a).p == NULL)
            __builtin_trap();
    }
    arena_done(&a);
    return 0;
}
