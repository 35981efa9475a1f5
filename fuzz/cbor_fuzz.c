/* cbor_fuzz.c: an accepted item is pulled to its very end by the functions that its heads ask for, and what does not
 * pass the check as a whole never makes the pulling functions leave the input. */
#include "codec/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Pulls items until the input ends; arrays and maps are entered by reading on. */
static void pull(struct cur *c)
{
    while (cur_ok(c) && cur_left(c) > 0) {
        switch (cbor_peek(c)) {
        case CBOR_UINT:
            (void)cbor_uint(c, "uint");
            break;
        case CBOR_NEGATIVE:
            (void)cbor_int(c, "negative");
            break;
        case CBOR_BYTES:
            (void)cbor_bytes(c, "bytes");
            break;
        case CBOR_TEXT:
            (void)cbor_text(c, "text");
            break;
        case CBOR_ARRAY:
            (void)cbor_array(c, "array");
            break;
        case CBOR_MAP:
            (void)cbor_map(c, "map");
            break;
        case CBOR_TAG:
            (void)cbor_tag(c, "tag");
            break;
        default:
            if (!cbor_take_null(c))
                (void)cbor_item(c, "simple");
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size), item;
    struct cur c = cur_open(in), found;
    struct err e = { 0 };

    if (cbor_check(in, CBOR_DEPTH, ERR_FORMAT, "t", &e)) {
        item = cbor_item(&c, "item");
        if (!cur_ok(&c) || item.n != size)
            __builtin_trap();
        (void)cbor_find_int(in, 1, &found);
        (void)cbor_find_text(in, "iss", &found);
    } else if (e.code == ERR_NONE || e.why[0] == 0) {
        __builtin_trap();
    }
    c = cur_open(in);
    pull(&c);
    if (c.at > size)
        __builtin_trap();
    return 0;
}
