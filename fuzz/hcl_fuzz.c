/* hcl_fuzz.c: HCL reports and the runtime data inside them. */
#include "evidence/snp/hcl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hcl_runtime rt;
    struct hcl_report h;
    struct arena a;
    struct err e = { 0 };

    arena_init(&a, 16 << 20);
    if (!hcl_parse(bytes_of(data, size), &h, &e)) {
        if (e.code == ERR_NONE)
            __builtin_trap();
    } else {
        AUTO_KEY k = NULL;

        if (h.runtime.p < data || h.runtime.p + h.runtime.n > data + size || h.hardware.n != 1184)
            __builtin_trap();
        if (!hcl_check(&h, HCL_SNP, bytes_part(h.hardware, 0x50, 64), NULL, &e) && e.code == ERR_NONE)
            __builtin_trap();
        if (hcl_runtime_parse(h.runtime, &a, &rt, &e) && hcl_ak_key(&rt, &k, &e)
            && !hcl_ak_check(&rt, key_modulus(k), key_exponent(k), NULL, &e))
            __builtin_trap(); /* a key is itself */
    }
    arena_done(&a);
    return 0;
}
