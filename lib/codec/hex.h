/* hex.h: hexadecimal text. */
#ifndef AVOUCH_CODEC_HEX_H
#define AVOUCH_CODEC_HEX_H

#include "base/arena.h"
#include "base/err.h"
#include "base/out.h"

void hex_print(struct out *o, struct bytes b);                   /* lower case */
struct bytes hex_encode(struct arena *a, struct bytes b);        /* lower case */
struct bytes hex_encode_upper(struct arena *a, struct bytes b);

/* Either case; an even number of digits and nothing else. */
bool hex_decode(struct bytes text, struct arena *a, struct bytes *ret);
/* Exactly n bytes into `to`; false leaves `to` undefined. */
bool hex_decode_exact(struct bytes text, uint8_t *to, size_t n);

#endif
