/* parcel_fuzz.c: whatever a front could send to the core: answered once or the connection ends, and no
 * token for what is no evidence. */
#include "core/core.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct core *the_core(void)
{
    static struct core c;
    struct err e = { 0 };

    if (c.memo != NULL)
        return &c;
    c.memo = memo_new(64);
    c.items = memo_new(512);
    c.policies = memo_new(16);
    c.seen = memo_new(64);
    arena_init(&c.replay_arena, 1 << 20);
    c.replay = tpm_replay_open(&c.replay_arena, 64);
    c.self[0].kind = c.self[1].kind = c.self[2].kind = "none";
    if (c.memo == NULL || c.items == NULL || c.policies == NULL || !keys_make(&c.keys, &e))
        abort();
    return &c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_header h;
    struct wire_fields f;
    struct arena a;
    struct bytes frame, body;
    struct err e = { 0 };

    if (size < WIRE_HEADER_SIZE || !wire_header_parse(bytes_of(data, WIRE_HEADER_SIZE), &h))
        return 0;
    arena_init(&a, 8 << 20);
    if (core_dispatch(the_core(), &h, bytes_of(data + WIRE_HEADER_SIZE, size - WIRE_HEADER_SIZE), 1650000000, &a, &frame)) {
        struct wire_header answer;

        if (!wire_header_parse(bytes_part(frame, 0, WIRE_HEADER_SIZE), &answer) || answer.message != MSG_ANSWER || answer.id != h.id)
            __builtin_trap();
        if (h.message == MSG_ATTEST
            && (!wire_fields_parse(bytes_part(frame, WIRE_HEADER_SIZE, frame.n), &a, &f, &e) || wire_find(&f, TAG_BODY, &body)))
            __builtin_trap();
    }
    arena_done(&a);
    return 0;
}
