/* der.h: DER (X.690) on the cursor: definite lengths in their shortest form, low tag numbers. */
#ifndef AVOUCH_CODEC_DER_H
#define AVOUCH_CODEC_DER_H

#include "base/cur.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8 = 0x0c,
    DER_PRINTABLE = 0x13,
    DER_IA5 = 0x16,
    DER_UTCTIME = 0x17,
    DER_GENTIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};
#define DER_CONTEXT(n) (0x80 | (n))      /* [n] primitive */
#define DER_CONTEXT_C(n) (0xa0 | (n))    /* [n] constructed */

/* The tag that comes next, or -1 at the end or after a failure. */
int der_peek(const struct cur *c);
/* The content of the next element, which must have this tag. */
struct bytes der_take(struct cur *c, unsigned tag, const char *field);
struct cur der_enter(struct cur *c, unsigned tag, const char *field);
/* The next element of any tag: whole (with header) and content. */
struct bytes der_any(struct cur *c, unsigned *ret_tag, struct bytes *ret_content, const char *field);
/* The next element with its header, which must have this tag. */
struct bytes der_whole(struct cur *c, unsigned tag, const char *field);

/* A non-negative INTEGER (or ENUMERATED content) up to `max`. */
uint64_t der_uint(struct cur *c, unsigned tag, uint64_t max, const char *field);
/* Content of an INTEGER in its shortest form, sign byte included: serial numbers. */
struct bytes der_integer(struct cur *c, const char *field);
bool der_bool(struct cur *c, const char *field);
/* A BIT STRING without unused bits. */
struct bytes der_bits(struct cur *c, const char *field);
int64_t der_time(struct cur *c, const char *field); /* UTCTime or GeneralizedTime */

/* Compares an OBJECT IDENTIFIER's content with its encoding. */
#define OID_IS(content, encoding) bytes_equal((content), LIT(encoding))

#endif
