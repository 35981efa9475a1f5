/* ima_fuzz.c: IMA lists: entries lie one behind the other, and print as JSON. */
#include "codec/json.h"
#include "evidence/tpm/ima.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct ima_entry *en, struct arena *a)
{
    const struct json *j;
    struct err e = { 0 };
    struct out o = out_open(a);

    out_char(&o, '{');
    ima_json(en, &o);
    out_char(&o, '}');
    if (out_ok(&o) && !json_parse(out_view(&o), JSON_DEPTH, "entry", a, &j, &e) && e.code != ERR_NO_MEMORY)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    struct ima_log log;
    uint32_t seq = 0;
    struct arena a;

    arena_init(&a, 64 << 20);
    log = ima_open(&a);
    if (!ima_add(&log, bytes_of(data, size), &seq, "list", &e)) {
        if (e.code == ERR_NONE)
            __builtin_trap();
    } else {
        if (seq != log.count || log.count > size / 28)
            __builtin_trap();
        for (size_t i = 0; i < log.count; i++)
            check_entry(&log.list[i], &a);
        (void)ima_replay(&log, tpm_bank(TPM_SHA256), IMA_OWN_HASH);
        (void)ima_replay(&log, tpm_bank(TPM_SHA384), IMA_PADDED_SHA1);
    }
    arena_done(&a);
    return 0;
}
