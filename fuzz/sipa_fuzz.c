/* sipa_fuzz.c: Windows boot events: what is well-formed prints as JSON with each name once. */
#include "codec/json.h"
#include "evidence/tpm/sipa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    const char *wrong = NULL;
    const struct json *j;
    struct err e = { 0 };
    struct arena a;
    struct out o;

    arena_init(&a, 64 << 20);
    if (!sipa_valid(in, &wrong)) {
        if (wrong == NULL)
            __builtin_trap();
    } else {
        o = out_open(&a);
        out_char(&o, '{');
        sipa_json(in, &o);
        out_char(&o, '}');
        if (out_ok(&o) && !json_parse(out_view(&o), JSON_DEPTH, "SIPA", &a, &j, &e) && e.code != ERR_NO_MEMORY)
            __builtin_trap();
    }
    arena_done(&a);
    return 0;
}
