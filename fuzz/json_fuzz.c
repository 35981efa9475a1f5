/* json_fuzz.c: what is read prints to something that reads and prints the same. */
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    const struct json *j, *k;
    struct err e = { 0 };

    arena_init(&a, 32 << 20);
    if (json_parse(bytes_of(data, size), 64, "text", &a, &j, &e)) {
        struct out once = out_open(&a), twice = out_open(&a);

        json_print(&once, j, true);
        if (out_ok(&once)) {
            if (!json_parse(out_view(&once), 64, "text", &a, &k, &e))
                __builtin_trap();
            json_print(&twice, k, true);
            if (out_ok(&twice) && !bytes_equal(out_view(&once), out_view(&twice)))
                __builtin_trap();
        }
    } else if (e.code == ERR_NONE) {
        __builtin_trap();
    }
    arena_done(&a);
    return 0;
}
