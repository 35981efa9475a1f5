/* snp_certtable_fuzz.c: certificate tables: every blob lies inside the input and behind the table. */
#include "evidence/snp/snp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct bytes b, const uint8_t *data, size_t size, size_t entries)
{
    if (b.n > 0 && (b.p < data + (entries + 1) * 24 || b.p + b.n > data + size))
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snp_certtable t;
    struct err e = { 0 };

    if (!snp_certtable_parse(bytes_of(data, size), &t, &e)) {
        if (e.code == ERR_NONE)
            __builtin_trap();
        return 0;
    }
    inside(t.vcek, data, size, t.entries);
    inside(t.vlek, data, size, t.entries);
    inside(t.ask, data, size, t.entries);
    inside(t.ark, data, size, t.entries);
    inside(t.host_cpuid, data, size, t.entries);
    return 0;
}
