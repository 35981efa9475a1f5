/* eventlog_fuzz.c: event logs: parsed, replayed against themselves, printed; the print is JSON. */
#include "evidence/tpm/boot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(struct tpm_state *s, struct arena *a)
{
    struct bytes text = tpm_events_json(s, a);
    const struct json *j, *list;
    struct err e = { 0 };
    size_t visible = 0;

    if (text.p == NULL)
        return; /* out of memory */
    if (!json_parse(text, JSON_DEPTH, "events", a, &j, &e)) {
        if (e.code != ERR_NO_MEMORY)
            __builtin_trap();
        return;
    }
    list = json_member(j, "Events");
    for (size_t i = 0; i < s->log.count; i++)
        visible += s->log.events[i].visible;
    if (list->count != visible)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tpm_state *s;
    struct err e = { 0 };
    struct arena a;

    arena_init(&a, 64 << 20);
    s = arena_new(&a, struct tpm_state);
    tpm_state_open(s, &a);
    if (!tpm_state_add(s, false, bytes_of(data, size), "log", &e) || !tpm_state_assume(s, "log", &e)) {
        if (e.code == ERR_NONE || e.why[0] == 0)
            __builtin_trap();
    } else {
        for (size_t i = 1; i < s->log.count; i++)
            if (s->log.events[i].offset <= s->log.events[i - 1].offset)
                __builtin_trap();
        (void)tpm_secure_boot(s);
        (void)tpm_win_boot(s);
        check_json(s, &a);
    }
    arena_done(&a);
    return 0;
}
