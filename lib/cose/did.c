/* did.c: did:x509 version 0 (https://github.com/microsoft/did-x509; evidence-snp section 8.3).
 *
 * did:x509:0:<hash>:<fingerprint of a CA of the chain>::<predicate>:<value>[::...], all predicates about the leaf. */
#include "codec/b64.h"
#include "codec/der.h"
#include "cose/cose.h"

#define WHAT "did:x509"
#define OID_EKU "\x55\x1d\x25"
#define OID_FULCIO_ISSUER "\x2b\x06\x01\x04\x01\x83\xbf\x30\x01\x01"

enum { MAX_FIELDS = 16, MAX_PREDICATES = 16, MAX_OID = 64 };

/* A predicate split at its colons, values percent-decoded. */
struct fields {
    struct bytes list[MAX_FIELDS];
    size_t count;
};

static bool mismatch(struct err *e, const char *why)
{
    return err_set(e, ERR_DID_MISMATCH, WHAT, "%s", why);
}

static bool malformed(struct err *e, const char *why)
{
    return err_set(e, ERR_DID_FORMAT, WHAT, "%s", why);
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool percent_decode(struct bytes text, struct arena *a, struct bytes *ret, struct err *e)
{
    struct out o = out_open(a);

    for (size_t i = 0; i < text.n; i++) {
        int hi, lo;

        if (text.p[i] != '%') {
            out_u8(&o, text.p[i]);
            continue;
        }
        hi = i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
        lo = i + 2 < text.n ? hex_digit(text.p[i + 2]) : -1;
        if (hi < 0 || lo < 0)
            return malformed(e, "a percent sign is not followed by two hexadecimal digits");
        out_u8(&o, (uint8_t)(hi << 4 | lo));
        i += 2;
    }
    if (!out_ok(&o))
        return err_memory(e, WHAT);
    *ret = out_view(&o);
    return true;
}

/* Up to the next separator; *rest is what stands behind it. */
static struct bytes split(struct bytes *rest, struct bytes separator, bool *ret_more)
{
    const uint8_t *at = rest->n == 0 ? NULL : memmem(rest->p, rest->n, separator.p, separator.n);
    struct bytes head = *rest;

    *ret_more = at != NULL;
    if (at != NULL)
        head.n = (size_t)(at - rest->p);
    *rest = bytes_part(*rest, head.n + (at == NULL ? 0 : separator.n), rest->n);
    return head;
}

static bool split_fields(struct bytes predicate, struct arena *a, struct fields *ret, struct err *e)
{
    bool more = true;

    ret->count = 0;
    while (more) {
        struct bytes field = split(&predicate, LIT(":"), &more);

        if (ret->count == MAX_FIELDS)
            return malformed(e, "a predicate has more than 16 fields");
        if (!percent_decode(field, a, &ret->list[ret->count++], e))
            return false;
    }
    return true;
}

static size_t put_base128(uint8_t *to, uint64_t v)
{
    size_t n = 1;

    for (uint64_t rest = v >> 7; rest != 0; rest >>= 7)
        n++;
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)((v >> (7 * (n - 1 - i)) & 0x7f) | (i + 1 < n ? 0x80 : 0));
    return n;
}

/* "1.2.840" to the content of an OBJECT IDENTIFIER. */
static bool oid_encode(struct bytes text, uint8_t to[MAX_OID], struct bytes *ret)
{
    uint64_t arc = 0, first = 0;
    size_t n = 0, arcs = 0, digits = 0;

    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] >= '0' && text.p[i] <= '9' && digits < 10 && (digits == 0 || arc != 0)) {
            arc = arc * 10 + text.p[i] - '0';
            digits++;
            continue;
        }
        if (digits == 0 || (i < text.n && text.p[i] != '.') || n + 6 > MAX_OID)
            return false;
        if (arcs == 0)
            first = arc;
        else
            n += put_base128(to + n, arcs == 1 ? first * 40 + arc : arc);
        if (arcs == 0 ? arc > 2 : arcs == 1 && first < 2 && arc > 39)
            return false;
        arcs++;
        arc = digits = 0;
    }
    *ret = bytes_of(to, n);
    return arcs >= 2;
}

/* -- predicates -- */

struct predicate {
    const struct cert *leaf;
    const struct fields *f; /* f->list[0] is its name */
    struct arena *a;
};

static const struct {
    const char *key;
    struct bytes oid;
} name_keys[] = {
    { "CN", { (const uint8_t *)"\x55\x04\x03", 3 } },     { "L", { (const uint8_t *)"\x55\x04\x07", 3 } },
    { "ST", { (const uint8_t *)"\x55\x04\x08", 3 } },     { "O", { (const uint8_t *)"\x55\x04\x0a", 3 } },
    { "OU", { (const uint8_t *)"\x55\x04\x0b", 3 } },     { "C", { (const uint8_t *)"\x55\x04\x06", 3 } },
    { "STREET", { (const uint8_t *)"\x55\x04\x09", 3 } },
};

static bool name_key(struct bytes key, uint8_t buffer[MAX_OID], struct bytes *ret)
{
    for (size_t i = 0; i < COUNT(name_keys); i++)
        if (bytes_is(key, name_keys[i].key)) {
            *ret = name_keys[i].oid;
            return true;
        }
    return oid_encode(key, buffer, ret);
}

/* Attribute types of a name with a limit that no honest one meets; false: malformed or a type twice. */
static bool attributes_once(struct bytes name)
{
    struct cur c = cur_open(name), rdns = der_enter(&c, DER_SEQUENCE, "Name");
    struct bytes seen[MAX_FIELDS];
    size_t count = 0;

    while (cur_left(&rdns) > 0) {
        struct cur set = der_enter(&rdns, DER_SET, "RelativeDistinguishedName");

        while (cur_left(&set) > 0) {
            struct cur pair = der_enter(&set, DER_SEQUENCE, "AttributeTypeAndValue");
            struct bytes type = der_take(&pair, DER_OID, "type");

            if (!cur_ok(&pair) || count == MAX_FIELDS)
                return false;
            for (size_t i = 0; i < count; i++)
                if (bytes_equal(seen[i], type))
                    return false;
            seen[count++] = type;
        }
    }
    return cur_ok(&rdns);
}

static bool check_subject(const struct predicate *p, struct err *e)
{
    uint8_t buffers[MAX_FIELDS][MAX_OID];
    struct bytes oids[MAX_FIELDS];
    size_t pairs = 0;

    if (p->f->count < 3 || p->f->count % 2 == 0)
        return malformed(e, "the subject predicate needs pairs of key and value");
    if (!attributes_once(p->leaf->subject))
        return mismatch(e, "the leaf's subject has an attribute twice");
    for (size_t i = 1; i + 1 < p->f->count; i += 2, pairs++) {
        if (!name_key(p->f->list[i], buffers[pairs], &oids[pairs]))
            return malformed(e, "the subject predicate has an unknown key");
        for (size_t k = 0; k < pairs; k++)
            if (bytes_equal(oids[k], oids[pairs]))
                return malformed(e, "the subject predicate has a key twice");
    }
    for (size_t i = 0; i < pairs; i++) {
        struct bytes value = name_attribute(p->leaf->subject, oids[i]);

        if (value.p == NULL || !bytes_equal(value, p->f->list[2 + 2 * i]))
            return mismatch(e, "the subject predicate does not fit the leaf's subject");
    }
    return true;
}

struct san_search {
    enum san_type type;
    struct bytes value;
    bool found;
};

static bool san_compare(enum san_type type, struct bytes value, void *state)
{
    struct san_search *s = state;

    if (type == s->type && bytes_equal(value, s->value))
        s->found = true;
    return true;
}

static bool check_san(const struct predicate *p, struct err *e)
{
    static const struct {
        const char *name;
        enum san_type type;
    } types[] = { { "email", SAN_EMAIL }, { "dns", SAN_DNS }, { "uri", SAN_URI } };
    struct san_search s = { .type = SAN_OTHER };

    if (p->f->count != 3)
        return malformed(e, "the san predicate needs exactly one type and one value");
    s.value = p->f->list[2];
    for (size_t i = 0; i < COUNT(types); i++)
        if (bytes_is(p->f->list[1], types[i].name))
            s.type = types[i].type;
    if (s.type == SAN_OTHER)
        return malformed(e, "the san predicate has an unknown type");
    if (!san_walk(p->leaf, san_compare, &s))
        return mismatch(e, "the leaf's alternative names are malformed");
    return s.found || mismatch(e, "the san predicate does not fit the leaf's alternative names");
}

static bool check_eku(const struct predicate *p, struct err *e)
{
    uint8_t buffer[MAX_OID];
    struct bytes value, oid;
    struct cur c, list;

    if (p->f->count != 2 || !oid_encode(p->f->list[1], buffer, &oid))
        return malformed(e, "the eku predicate needs exactly one object identifier");
    if (!cert_extension(p->leaf, LIT(OID_EKU), &value, NULL))
        return mismatch(e, "the leaf has no extended key usage");
    c = cur_open(value);
    list = der_enter(&c, DER_SEQUENCE, "extKeyUsage");
    while (cur_left(&list) > 0)
        if (bytes_equal(der_take(&list, DER_OID, "KeyPurposeId"), oid) && cur_ok(&list))
            return true;
    return mismatch(e, "the eku predicate does not fit the leaf's extended key usage");
}

static bool check_fulcio(const struct predicate *p, struct err *e)
{
    static const char scheme[] = "https://";
    struct bytes value, prefix = LIT(scheme);
    bool critical = false;

    if (p->f->count != 2)
        return malformed(e, "the fulcio-issuer predicate needs exactly one value");
    if (!cert_extension(p->leaf, LIT(OID_FULCIO_ISSUER), &value, &critical) || critical)
        return mismatch(e, "the leaf has no Fulcio issuer extension that is not critical");
    return (bytes_equal(bytes_part(value, 0, prefix.n), prefix)
            && bytes_equal(bytes_part(value, prefix.n, value.n), p->f->list[1]))
        || mismatch(e, "the fulcio-issuer predicate does not fit the leaf");
}

static const struct {
    const char *name;
    bool (*check)(const struct predicate *p, struct err *e);
} predicates[] = {
    { "subject", check_subject },
    { "san", check_san },
    { "eku", check_eku },
    { "fulcio-issuer", check_fulcio },
};

static bool check_predicate(struct bytes text, const struct cert *leaf, struct arena *a, struct err *e)
{
    struct fields f;
    struct predicate p = { .leaf = leaf, .f = &f, .a = a };

    if (!split_fields(text, a, &f, e))
        return false;
    for (size_t i = 0; i < COUNT(predicates); i++)
        if (bytes_is(f.list[0], predicates[i].name))
            return predicates[i].check(&p, e);
    return malformed(e, "an unknown predicate");
}

/* -- the identifier -- */

/* "sha256:<fingerprint>" against the CAs of the chain; the leaf does not count. */
static bool check_fingerprint(struct bytes text, const struct cert *chain, size_t n, struct arena *a, struct err *e)
{
    static const struct {
        const char *name;
        enum hash_alg alg;
    } hashes[] = { { "sha256", HASH_SHA256 }, { "sha384", HASH_SHA384 }, { "sha512", HASH_SHA512 } };
    struct err inner = { .code = ERR_NONE };
    struct bytes alg, wanted;
    size_t which = COUNT(hashes);
    bool more;

    alg = split(&text, LIT(":"), &more);
    for (size_t i = 0; i < COUNT(hashes); i++)
        if (bytes_is(alg, hashes[i].name))
            which = i;
    if (!more || which == COUNT(hashes))
        return malformed(e, "the fingerprint's algorithm is none of sha256, sha384, sha512");
    if (!b64_decode(text, B64_URL_STRICT, WHAT, a, &wanted, &inner)
        || wanted.n != hash_size(hashes[which].alg))
        return malformed(e, "the fingerprint is not base64url of a hash of its algorithm");
    for (size_t i = 1; i < n; i++) {
        struct digest d = hash(hashes[which].alg, chain[i].der);

        if (bytes_equal(digest_bytes(&d), wanted))
            return true;
    }
    return mismatch(e, "no certificate authority of the chain has the fingerprint");
}

static bool check_leaf_usage(const struct cert *leaf, struct err *e)
{
    const unsigned digital_signature = 1u << 0, key_agreement = 1u << 4;

    return !leaf->has_key_usage || (leaf->key_usage & (digital_signature | key_agreement)) != 0
        || mismatch(e, "the leaf's keyUsage has neither digitalSignature nor keyAgreement");
}

static bool san_known(enum san_type type, struct bytes value, void *state)
{
    (void)value;
    (void)state;
    return type != SAN_OTHER;
}

bool did_x509_check(struct bytes did, const struct cert *chain, size_t n, struct arena *a, struct bytes *ret_id,
                    struct err *e)
{
    static const char prefix[] = "did:x509:0:";
    struct bytes rest, head;
    bool more;

    did = split(&did, LIT("#"), &more);
    if (!bytes_equal(bytes_part(did, 0, sizeof(prefix) - 1), LIT(prefix)))
        return malformed(e, "the identifier does not begin with did:x509:0:");
    if (memchr(did.p, '/', did.n) != NULL || memchr(did.p, '?', did.n) != NULL)
        return malformed(e, "paths and queries are not supported");
    if (!path_check(chain, n, ERR_DID_MISMATCH, WHAT, e))
        return false;
    rest = bytes_part(did, sizeof(prefix) - 1, did.n);
    head = split(&rest, LIT("::"), &more);
    if (!check_fingerprint(head, chain, n, a, e))
        return false;
    if (!more)
        return malformed(e, "the identifier has no predicate");
    for (size_t count = 0; more; count++) {
        struct bytes predicate = split(&rest, LIT("::"), &more);

        if (count == MAX_PREDICATES)
            return malformed(e, "the identifier has more than 16 predicates");
        if (!check_predicate(predicate, &chain[0], a, e))
            return false;
    }
    if (!check_leaf_usage(&chain[0], e))
        return false;
    if (!san_walk(&chain[0], san_known, NULL))
        return mismatch(e, "the leaf has an alternative name of a type that is not supported");
    *ret_id = did;
    return true;
}
