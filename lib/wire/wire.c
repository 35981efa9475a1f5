/* wire.c: see wire.h. */
#include "wire/wire.h"

#include <stdio.h>

bool wire_header_parse(struct bytes b, struct wire_header *ret)
{
    struct cur c = cur_open(b);
    uint32_t size = cur_u32le(&c, "payload length");
    uint16_t message = cur_u16le(&c, "message"), zero = cur_u16le(&c, "zero");
    uint64_t id = cur_u64le(&c, "request id");

    if (!cur_ok(&c) || cur_left(&c) != 0 || size > WIRE_MAX_PAYLOAD || message == 0 || message >= MSG_COUNT || zero != 0)
        return false;
    *ret = (struct wire_header){ .size = size, .message = (enum wire_message)message, .id = id };
    return true;
}

bool wire_fields_parse(struct bytes payload, struct arena *a, struct wire_fields *ret, struct err *e)
{
    enum { MAX = 256 };
    struct wire_field *list = arena_many(a, MAX, struct wire_field);
    struct cur c = cur_open(payload);
    size_t n = 0;

    if (list == NULL)
        return err_memory(e, "message");
    while (cur_left(&c) > 0) {
        uint16_t tag = cur_u16le(&c, "tag");
        struct bytes value = cur_take(&c, cur_u32le(&c, "length"), "value");

        if (!cur_check(&c, ERR_FORMAT, "message", e))
            return false;
        if (n == MAX || tag == TAG_END || tag >= TAG_COUNT)
            return err_set(e, ERR_FORMAT, "message", "field %zu has tag %u; %d fields with known tags are accepted", n, tag, MAX);
        list[n++] = (struct wire_field){ .tag = tag, .value = value };
    }
    *ret = (struct wire_fields){ .list = list, .count = n };
    return true;
}

bool wire_find(const struct wire_fields *f, enum wire_tag tag, struct bytes *ret)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->list[i].tag == (uint16_t)tag) {
            *ret = f->list[i].value;
            return true;
        }
    return false;
}

uint32_t wire_u32(const struct wire_fields *f, enum wire_tag tag, uint32_t otherwise)
{
    struct bytes b;
    struct cur c;
    uint32_t v;

    if (!wire_find(f, tag, &b))
        return otherwise;
    c = cur_open(b);
    v = cur_u32le(&c, "number");
    return cur_ok(&c) ? v : otherwise;
}

int64_t wire_i64(const struct wire_fields *f, enum wire_tag tag, int64_t otherwise)
{
    struct bytes b;
    struct cur c;
    uint64_t v;

    if (!wire_find(f, tag, &b))
        return otherwise;
    c = cur_open(b);
    v = cur_u64le(&c, "time");
    return cur_ok(&c) ? (int64_t)v : otherwise;
}

struct out wire_begin(struct arena *a, enum wire_message message, uint64_t id)
{
    struct out o = out_open(a);

    out_u32le(&o, 0);
    out_u16le(&o, (uint16_t)message);
    out_u16le(&o, 0);
    out_u64le(&o, id);
    return o;
}

void wire_put(struct out *o, enum wire_tag tag, struct bytes value)
{
    if (value.n > WIRE_MAX_PAYLOAD) {
        o->failed = true;
        return;
    }
    out_u16le(o, (uint16_t)tag);
    out_u32le(o, (uint32_t)value.n);
    out_bytes(o, value);
}

void wire_put_u32(struct out *o, enum wire_tag tag, uint32_t v)
{
    const uint8_t b[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };

    wire_put(o, tag, BYTES(b));
}

void wire_put_i64(struct out *o, enum wire_tag tag, int64_t v)
{
    uint8_t b[8];

    for (size_t i = 0; i < sizeof(b); i++)
        b[i] = (uint8_t)((uint64_t)v >> (8 * i));
    wire_put(o, tag, BYTES(b));
}

struct bytes wire_end(struct out *o)
{
    size_t n;

    if (!out_ok(o) || o->n - WIRE_HEADER_SIZE > WIRE_MAX_PAYLOAD)
        return (struct bytes){ NULL, 0 };
    n = o->n - WIRE_HEADER_SIZE;
    for (int i = 0; i < 4; i++)
        o->p[i] = (uint8_t)(n >> (8 * i));
    return bytes_of(o->p, o->n);
}

void wire_put_error(struct out *o, const struct err *e)
{
    const uint8_t code[2] = { (uint8_t)e->code, (uint8_t)(e->code >> 8) };

    wire_put(o, TAG_ERROR, BYTES(code));
    wire_put(o, TAG_ERROR_WHAT, bytes_str(e->what));
    wire_put(o, TAG_ERROR_WHY, bytes_str(e->why));
}

bool wire_error(const struct wire_fields *f, struct err *ret)
{
    struct bytes b, what = { NULL, 0 }, why = { NULL, 0 };
    struct cur c;

    if (!wire_find(f, TAG_ERROR, &b))
        return false;
    c = cur_open(b);
    (void)wire_find(f, TAG_ERROR_WHAT, &what);
    (void)wire_find(f, TAG_ERROR_WHY, &why);
    *ret = (struct err){ .code = (enum err_code)cur_u16le(&c, "code") };
    snprintf(ret->what, sizeof(ret->what), "%.*s", (int)what.n, (const char *)what.p);
    snprintf(ret->why, sizeof(ret->why), "%.*s", (int)why.n, (const char *)why.p);
    return true;
}
