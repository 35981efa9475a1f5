/* certificate.c: the token key's certificate, byte for byte in the recorded form (rest-api 4.2): serial 1,
 * CN = issuer as UTF8String, both dates as GeneralizedTime, empty basicConstraints, key identifiers,
 * evidence about the core. */
#include "core/core.h"

#include "codec/der.h"

#define OID(bytes) LIT(bytes)

static void put_length(struct out *o, size_t n)
{
    if (n < 0x80) {
        out_u8(o, (uint8_t)n);
        return;
    }
    if (n < 0x100) {
        out_u8(o, 0x81);
        out_u8(o, (uint8_t)n);
        return;
    }
    out_u8(o, n < 0x10000 ? 0x82 : 0x83);
    if (n >= 0x10000)
        out_u8(o, (uint8_t)(n >> 16));
    out_u8(o, (uint8_t)(n >> 8));
    out_u8(o, (uint8_t)n);
}

static struct bytes element(struct arena *a, unsigned tag, struct bytes content)
{
    struct out o = out_open(a);

    out_u8(&o, (uint8_t)tag);
    put_length(&o, content.n);
    out_bytes(&o, content);
    return out_view(&o);
}

static struct bytes join(struct arena *a, unsigned tag, const struct bytes *parts, size_t n)
{
    struct out o = out_open(a);

    for (size_t i = 0; i < n; i++)
        out_bytes(&o, parts[i]);
    return element(a, tag, out_view(&o));
}

#define SEQUENCE(a, ...) join((a), DER_SEQUENCE, (const struct bytes[]){ __VA_ARGS__ }, \
                              sizeof((const struct bytes[]){ __VA_ARGS__ }) / sizeof(struct bytes))

static struct bytes algorithm(struct arena *a, enum sig_alg alg)
{
    if (alg == SIG_ES256)
        return SEQUENCE(a, element(a, DER_OID, OID("\x2a\x86\x48\xce\x3d\x04\x03\x02")));
    if (alg == SIG_ES384)
        return SEQUENCE(a, element(a, DER_OID, OID("\x2a\x86\x48\xce\x3d\x04\x03\x03")));
    return SEQUENCE(a, element(a, DER_OID, OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b")), element(a, DER_NULL, (struct bytes){ NULL, 0 }));
}

static struct bytes extension(struct arena *a, struct bytes oid, struct bytes value)
{
    return SEQUENCE(a, element(a, DER_OID, oid), element(a, DER_OCTET_STRING, value));
}

/* SHA-1 of the key bits (RFC 5280 section 4.2.1.2 method 1). */
static struct digest key_identifier(struct bytes spki)
{
    struct cur c = cur_open(spki), seq = der_enter(&c, DER_SEQUENCE, "SubjectPublicKeyInfo");

    (void)der_take(&seq, DER_SEQUENCE, "algorithm");
    return hash(HASH_SHA1, der_bits(&seq, "key"));
}

static struct bytes extensions(struct arena *a, struct bytes spki, const struct self_evidence *self)
{
    struct digest id = key_identifier(spki);
    struct bytes list[5];
    size_t n = 0;

    list[n++] = extension(a, OID("\x55\x1d\x13"), SEQUENCE(a, (struct bytes){ NULL, 0 }));
    list[n++] = extension(a, OID("\x55\x1d\x0e"), element(a, DER_OCTET_STRING, digest_bytes(&id)));
    list[n++] = extension(a, OID("\x55\x1d\x23"), SEQUENCE(a, element(a, DER_CONTEXT(0), digest_bytes(&id))));
    if (self->statement.n > 0)
        list[n++] = extension(a, OID("\x2b\x06\x01\x04\x01\x82\x37\x69\x87\x68\x01"), element(a, DER_UTF8, self->statement));
    list[n++] = extension(a, OID("\x2b\x06\x01\x04\x01\x82\x37\x69\x87\x68\x02"), element(a, DER_UTF8, bytes_str(self->kind)));
    return join(a, DER_CONTEXT_C(3), (const struct bytes[]){ join(a, DER_SEQUENCE, list, n) }, 1);
}

bool signing_certificate(struct signing_key *k, enum sig_alg alg, const char *issuer, const struct self_evidence *self,
                         struct arena *a, struct bytes *ret_der, struct err *e)
{
    struct bytes cn = SEQUENCE(a, element(a, DER_OID, OID("\x55\x04\x03")), element(a, DER_UTF8, bytes_str(issuer)));
    struct bytes name = SEQUENCE(a, element(a, DER_SET, cn)), tbs, sig, bits;
    struct out o = out_open(a);

    tbs = SEQUENCE(a, element(a, DER_CONTEXT_C(0), element(a, DER_INTEGER, LIT("\x02"))), element(a, DER_INTEGER, LIT("\x01")),
                   algorithm(a, alg), name,
                   SEQUENCE(a, element(a, DER_GENTIME, LIT("20190501000000Z")), element(a, DER_GENTIME, LIT("20501231235959Z"))),
                   name, k->spki, extensions(a, k->spki, self));
    if (a->failed)
        return err_memory(e, "signing certificate");
    if (!keys_sign_der(k, alg, tbs, a, &sig, e))
        return false;
    out_u8(&o, 0);
    out_bytes(&o, sig);
    bits = element(a, DER_BIT_STRING, out_view(&o));
    *ret_der = SEQUENCE(a, tbs, algorithm(a, alg), bits);
    return !a->failed || err_memory(e, "signing certificate");
}
