/* jmespath_fuzz.c: "EXPRESSION NUL JSON": a search ends within its budget, and what it prints is JSON that
 * prints the same. */
#include "jmespath/jmespath.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_print(const struct jvalue *v, struct arena *a)
{
    struct out once = out_open(a), twice = out_open(a);
    const struct jvalue *again;
    struct err e = { 0 };

    jvalue_print(&once, v);
    if (!out_ok(&once))
        return;
    if (!jvalue_parse(out_view(&once), "result", a, &again, &e)) {
        must(e.code == ERR_NO_MEMORY || strstr(e.why, "nesting") != NULL);
        return;
    }
    jvalue_print(&twice, again);
    must(!out_ok(&twice) || bytes_equal(out_view(&once), out_view(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *split = size == 0 ? NULL : memchr(data, 0, size);
    size_t n = split == NULL ? size : (size_t)(split - data);
    struct arena a;
    const struct jmespath *j;
    const struct jvalue *in, *found;
    uint64_t steps = 200000;
    struct err e = { 0 }, json_error = { 0 };

    arena_init(&a, (size_t)64 << 20);
    if (jvalue_parse(bytes_part(bytes_of(data, size), n + 1, size), "input", &a, &in, &json_error)) {
        if (jmespath_compile(bytes_of(data, n), &a, &j, &e) && jmespath_search(j, in, &a, &steps, &found, &e))
            check_print(found, &a);
        else
            must(e.code == ERR_EXPRESSION || e.code == ERR_NO_MEMORY);
    }
    arena_done(&a);
    return 0;
}
