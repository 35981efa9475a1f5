/* cert.c: certificates; crl.c has the revocation lists. */
#include "crypto/cert.h"

#include "base/out.h"
#include "codec/der.h"
#include "codec/hex.h"
#include "codec/pem.h"
#include "codec/stamp.h"
#include "crypto/x509_priv.h"

#define OID_CN "\x55\x04\x03"
#define OID_SKID "\x55\x1d\x0e"
#define OID_KEY_USAGE "\x55\x1d\x0f"
#define OID_BASIC_CONSTRAINTS "\x55\x1d\x13"
#define OID_AKID "\x55\x1d\x23"

static const struct {
    struct bytes oid;
    enum sig_alg alg;
} sig_oids[] = {
    { { (const uint8_t *)"\x2a\x86\x48\xce\x3d\x04\x03\x02", 8 }, SIG_ES256 },
    { { (const uint8_t *)"\x2a\x86\x48\xce\x3d\x04\x03\x03", 8 }, SIG_ES384 },
    { { (const uint8_t *)"\x2a\x86\x48\xce\x3d\x04\x03\x04", 8 }, SIG_ES512 },
    { { (const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", 9 }, SIG_RS1 },
    { { (const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", 9 }, SIG_RS256 },
    { { (const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", 9 }, SIG_RS384 },
    { { (const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", 9 }, SIG_RS512 },
};

#define OID_PSS "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"

/* RSASSA-PSS-params (RFC 4055 section 3.1): the three profiles whose salt is as long as the hash. */
static enum sig_alg pss_alg(struct cur *params)
{
    struct cur hash_field, hash_alg, salt_field;
    struct bytes oid, ignored;
    uint64_t salt = 20;
    unsigned tag;

    if (der_peek(params) != DER_CONTEXT_C(0))
        return SIG_NONE;
    hash_field = der_enter(params, DER_CONTEXT_C(0), "hashAlgorithm");
    hash_alg = der_enter(&hash_field, DER_SEQUENCE, "hashAlgorithm");
    oid = der_take(&hash_alg, DER_OID, "hashAlgorithm");
    while (cur_left(params) > 0 && der_peek(params) != DER_CONTEXT_C(2))
        (void)der_any(params, &tag, &ignored, "PSS parameter");
    if (der_peek(params) == DER_CONTEXT_C(2)) {
        salt_field = der_enter(params, DER_CONTEXT_C(2), "saltLength");
        salt = der_uint(&salt_field, DER_INTEGER, 64, "saltLength");
    }
    if (!cur_ok(&hash_alg))
        return SIG_NONE;
    if (OID_IS(oid, "\x60\x86\x48\x01\x65\x03\x04\x02\x01") && salt == 32)
        return SIG_PS256;
    if (OID_IS(oid, "\x60\x86\x48\x01\x65\x03\x04\x02\x02") && salt == 48)
        return SIG_PS384;
    if (OID_IS(oid, "\x60\x86\x48\x01\x65\x03\x04\x02\x03") && salt == 64)
        return SIG_PS512;
    return SIG_NONE;
}

enum sig_alg x509_sig_alg(struct bytes algorithm)
{
    struct cur c = cur_open(algorithm);
    struct bytes oid = der_take(&c, DER_OID, "signature algorithm");

    if (OID_IS(oid, OID_PSS)) {
        struct cur params = der_enter(&c, DER_SEQUENCE, "PSS parameters");
        return pss_alg(&params);
    }
    for (size_t i = 0; i < COUNT(sig_oids); i++)
        if (bytes_equal(oid, sig_oids[i].oid))
            return sig_oids[i].alg;
    return SIG_NONE;
}

struct bytes x509_akid(struct bytes value)
{
    struct cur c = cur_open(value), seq = der_enter(&c, DER_SEQUENCE, "AuthorityKeyIdentifier");

    if (der_peek(&seq) != DER_CONTEXT(0))
        return (struct bytes){ NULL, 0 };
    return der_take(&seq, DER_CONTEXT(0), "keyIdentifier");
}

struct bytes name_attribute(struct bytes name_der, struct bytes oid)
{
    struct cur c = cur_open(name_der), rdns = der_enter(&c, DER_SEQUENCE, "Name");
    struct bytes found = { NULL, 0 };

    while (cur_left(&rdns) > 0) {
        struct cur set = der_enter(&rdns, DER_SET, "RelativeDistinguishedName");

        while (cur_left(&set) > 0) {
            struct cur pair = der_enter(&set, DER_SEQUENCE, "AttributeTypeAndValue");
            struct bytes type = der_take(&pair, DER_OID, "type"), value = { NULL, 0 };
            unsigned tag;

            (void)der_any(&pair, &tag, &value, "value");
            if (cur_ok(&pair) && bytes_equal(type, oid))
                found = value;
        }
    }
    return found;
}

const char *name_text(struct bytes name_der, struct arena *a)
{
    static const struct {
        uint8_t last;
        const char *label;
    } labels[] = { { 3, "CN" }, { 6, "C" }, { 7, "L" }, { 8, "ST" }, { 10, "O" }, { 11, "OU" }, { 5, "serialNumber" } };
    struct cur c = cur_open(name_der), rdns = der_enter(&c, DER_SEQUENCE, "Name");
    struct out o = out_open(a);

    while (cur_left(&rdns) > 0) {
        struct cur set = der_enter(&rdns, DER_SET, "RelativeDistinguishedName");
        struct cur pair = der_enter(&set, DER_SEQUENCE, "AttributeTypeAndValue");
        struct bytes type = der_take(&pair, DER_OID, "type"), value = { NULL, 0 };
        const char *label = "?";
        unsigned tag;

        (void)der_any(&pair, &tag, &value, "value");
        if (!cur_ok(&pair))
            break;
        if (type.n == 3 && type.p[0] == 0x55 && type.p[1] == 0x04)
            for (size_t i = 0; i < COUNT(labels); i++)
                if (labels[i].last == type.p[2])
                    label = labels[i].label;
        if (o.n > 0)
            out_text(&o, ", ");
        out_printf(&o, "%s=", label);
        for (size_t i = 0; i < value.n && i < 128; i++)
            out_char(&o, value.p[i] >= 0x20 && value.p[i] < 0x7f ? (char)value.p[i] : '?');
    }
    return out_view(&o).p == NULL ? "" : (const char *)o.p;
}

const char *cert_serial_hex(const struct cert *c, struct arena *a)
{
    struct bytes hex = hex_encode(a, c->serial);

    return hex.p == NULL ? "" : (const char *)hex.p;
}

static void read_known_extension(struct cert *r, struct bytes oid, struct bytes value, struct cur *fail)
{
    struct cur c = cur_open(value);

    if (OID_IS(oid, OID_BASIC_CONSTRAINTS)) {
        struct cur seq = der_enter(&c, DER_SEQUENCE, "basicConstraints");

        r->has_constraints = true;
        if (der_peek(&seq) == DER_BOOLEAN)
            r->ca = der_bool(&seq, "cA");
        if (der_peek(&seq) == DER_INTEGER)
            r->path_len = (int)der_uint(&seq, DER_INTEGER, 255, "pathLenConstraint");
        if (!cur_ok(&seq) || cur_left(&seq) != 0)
            cur_wrong(fail, "basicConstraints", "BasicConstraints");
    } else if (OID_IS(oid, OID_KEY_USAGE)) {
        struct bytes bits = der_take(&c, DER_BIT_STRING, "keyUsage");

        r->has_key_usage = true;
        if (bits.n < 1 || bits.n > 3 || bits.p[0] > 7 || (bits.n == 1 && bits.p[0] != 0) || cur_left(&c) != 0) {
            cur_wrong(fail, "keyUsage", "KeyUsage"); /* an empty bit string has no unused bits: X.690 section 8.6.2.3 */
            return;
        }
        for (unsigned i = 0; i < (bits.n - 1) * 8 - bits.p[0]; i++)
            if ((bits.p[1 + i / 8] >> (7 - i % 8) & 1) != 0)
                r->key_usage = (uint16_t)(r->key_usage | 1u << i);
    } else if (OID_IS(oid, OID_SKID)) {
        r->skid = der_take(&c, DER_OCTET_STRING, "subjectKeyIdentifier");
    } else if (OID_IS(oid, OID_AKID)) {
        r->akid = x509_akid(value);
    }
}

static void read_extensions(struct cert *r, struct cur *tbs)
{
    struct cur wrap = der_enter(tbs, DER_CONTEXT_C(3), "extensions");
    struct bytes seen[32];
    size_t count = 0;
    struct cur list;

    r->extensions = der_take(&wrap, DER_SEQUENCE, "extensions");
    if (!cur_ok(&wrap)) {
        cur_wrong(tbs, "extensions", "a sequence of extensions");
        return;
    }
    list = cur_open(r->extensions);
    while (cur_left(&list) > 0) {
        struct cur ext = der_enter(&list, DER_SEQUENCE, "extension");
        struct bytes oid = der_take(&ext, DER_OID, "extension identifier"), value;

        if (der_peek(&ext) == DER_BOOLEAN)
            (void)der_bool(&ext, "critical");
        value = der_take(&ext, DER_OCTET_STRING, "extension value");
        if (!cur_ok(&ext) || cur_left(&ext) != 0 || count == COUNT(seen)) {
            cur_wrong(tbs, "extensions", "at most 32 well-formed extensions");
            return;
        }
        for (size_t i = 0; i < count; i++)
            if (bytes_equal(seen[i], oid))
                cur_wrong(tbs, "extensions", "each extension once");
        seen[count++] = oid;
        read_known_extension(r, oid, value, tbs);
    }
    if (!cur_ok(&list))
        cur_wrong(tbs, "extensions", "well-formed extensions");
}

bool cert_parse(struct bytes der, const char *what, struct cert *ret, struct err *e)
{
    struct cur c = cur_open(der), whole, tbs, version, validity;
    struct bytes tbs_alg, alg;
    struct cert r = { .der = der, .path_len = -1 };
    uint64_t v = 0;

    whole = der_enter(&c, DER_SEQUENCE, "Certificate");
    r.tbs = bytes_part(whole.all, 0, 0);
    {
        struct cur look = whole;
        r.tbs = der_whole(&look, DER_SEQUENCE, "tbsCertificate");
    }
    tbs = der_enter(&whole, DER_SEQUENCE, "tbsCertificate");
    if (der_peek(&tbs) == DER_CONTEXT_C(0)) {
        version = der_enter(&tbs, DER_CONTEXT_C(0), "version");
        v = der_uint(&version, DER_INTEGER, 2, "version");
        if (!cur_ok(&version))
            cur_wrong(&tbs, "version", "1, 2 or 3");
    }
    r.serial = der_integer(&tbs, "serialNumber");
    tbs_alg = der_take(&tbs, DER_SEQUENCE, "signature");
    r.issuer = der_whole(&tbs, DER_SEQUENCE, "issuer");
    validity = der_enter(&tbs, DER_SEQUENCE, "validity");
    r.not_before = der_time(&validity, "notBefore");
    r.not_after = der_time(&validity, "notAfter");
    r.subject = der_whole(&tbs, DER_SEQUENCE, "subject");
    r.spki = der_whole(&tbs, DER_SEQUENCE, "subjectPublicKeyInfo");
    if (der_peek(&tbs) == 0x81)
        (void)der_take(&tbs, 0x81, "issuerUniqueID");
    if (der_peek(&tbs) == 0x82)
        (void)der_take(&tbs, 0x82, "subjectUniqueID");
    if (v == 2 && der_peek(&tbs) == DER_CONTEXT_C(3))
        read_extensions(&r, &tbs);
    alg = der_take(&whole, DER_SEQUENCE, "signatureAlgorithm");
    r.sig = der_bits(&whole, "signatureValue");
    if (!cur_check(&validity, ERR_CERT_FORMAT, what, e) || !cur_close(&tbs, ERR_CERT_FORMAT, what, e)
        || !cur_close(&whole, ERR_CERT_FORMAT, what, e) || !cur_close(&c, ERR_CERT_FORMAT, what, e))
        return false;
    if (!bytes_equal(alg, tbs_alg))
        return err_set(e, ERR_CERT_FORMAT, what, "the two signature algorithms of the certificate differ");
    r.sig_alg = x509_sig_alg(alg);
    r.issuer_cn = name_attribute(r.issuer, LIT(OID_CN));
    r.subject_cn = name_attribute(r.subject, LIT(OID_CN));
    *ret = r;
    return true;
}

bool cert_extension(const struct cert *c, struct bytes oid, struct bytes *ret_value, bool *ret_critical)
{
    struct cur list = cur_open(c->extensions);

    while (cur_left(&list) > 0) {
        struct cur ext = der_enter(&list, DER_SEQUENCE, "extension");
        struct bytes id = der_take(&ext, DER_OID, "identifier");
        bool critical = false;

        if (der_peek(&ext) == DER_BOOLEAN)
            critical = der_bool(&ext, "critical");
        if (!cur_ok(&ext) || !bytes_equal(id, oid))
            continue;
        *ret_value = der_take(&ext, DER_OCTET_STRING, "value");
        if (ret_critical != NULL)
            *ret_critical = critical;
        return true;
    }
    return false;
}

bool cert_check_critical(const struct cert *c, const struct bytes *known, size_t count, enum err_code code, const char *what,
                         struct err *e)
{
    struct cur list = cur_open(c->extensions);

    while (cur_left(&list) > 0) {
        struct cur ext = der_enter(&list, DER_SEQUENCE, "extension");
        struct bytes id = der_take(&ext, DER_OID, "identifier");
        bool ok = der_peek(&ext) != DER_BOOLEAN || !der_bool(&ext, "critical") || OID_IS(id, OID_BASIC_CONSTRAINTS)
            || OID_IS(id, OID_KEY_USAGE);

        for (size_t i = 0; i < count; i++)
            ok = ok || bytes_equal(id, known[i]);
        if (!ok)
            return err_set(e, code, what, "certificate '%.*s' has an unknown critical extension", (int)c->subject_cn.n,
                           (const char *)c->subject_cn.p);
    }
    return true;
}

bool cert_check_time(const struct cert *c, int64_t now, const char *what, struct err *e)
{
    if (now < c->not_before)
        return err_set(e, ERR_CERT_EXPIRED, what, "certificate '%.*s' is valid from %s, now is %s",
                       (int)c->subject_cn.n, (const char *)c->subject_cn.p, stamp_text(c->not_before).s,
                       stamp_text(now).s);
    if (now > c->not_after)
        return err_set(e, ERR_CERT_EXPIRED, what, "certificate '%.*s' ended at %s, now is %s",
                       (int)c->subject_cn.n, (const char *)c->subject_cn.p, stamp_text(c->not_after).s,
                       stamp_text(now).s);
    return true;
}

bool cert_signed_by(const struct cert *c, struct key *issuer_key)
{
    return key_verify(issuer_key, c->sig_alg, SIG_DER, c->tbs, c->sig);
}

bool cert_self_issued(const struct cert *c)
{
    return bytes_equal(c->issuer, c->subject);
}

bool cert_check_issued(const struct cert *child, const struct cert *parent, struct key *parent_key,
                       enum err_code code, const char *what, struct err *e)
{
    int n = (int)child->subject_cn.n, m = (int)parent->subject_cn.n;
    const char *who = (const char *)child->subject_cn.p, *by = (const char *)parent->subject_cn.p;

    if (!bytes_equal(child->issuer, parent->subject))
        return err_set(e, code, what, "issuer of '%.*s' is '%.*s', the next certificate is '%.*s'", n, who,
                       (int)child->issuer_cn.n, (const char *)child->issuer_cn.p, m, by);
    if (!parent->ca)
        return err_set(e, code, what, "'%.*s' signs '%.*s' but is not a CA (basicConstraints)", m, by, n, who);
    if (parent->has_key_usage && (parent->key_usage & KEY_USAGE_CERT_SIGN) == 0)
        return err_set(e, code, what, "'%.*s' signs '%.*s' but its keyUsage lacks keyCertSign", m, by, n, who);
    if (child->sig_alg == SIG_NONE)
        return err_set(e, code, what, "'%.*s' is signed with an algorithm that is not supported", n, who);
    if (child->sig_alg == SIG_RS1 && !bytes_equal(child->der, parent->der)) /* collisions are made at will; a root is trusted without its signature */
        return err_set(e, code, what, "'%.*s' is signed with SHA-1, which does not bind what it certifies", n, who);
    if (!cert_signed_by(child, parent_key))
        return err_set(e, code, what, "signature of '%.*s' does not verify with the key of '%.*s'", n, who, m, by);
    return true;
}

/* DER certificates one behind the other. */
static bool ders_read(struct bytes in, size_t max, const char *what, struct cert *list, size_t *count, struct err *e)
{
    struct cur c = cur_open(in);

    while (cur_left(&c) > 0) {
        struct bytes der = der_whole(&c, DER_SEQUENCE, "Certificate");

        if (!cur_check(&c, ERR_CERT_FORMAT, what, e))
            return false;
        if (*count == max)
            return err_set(e, ERR_CERT_FORMAT, what, "more than %zu certificates", max);
        if (!cert_parse(der, what, &list[*count], e))
            return false;
        (*count)++;
    }
    return true;
}

bool certs_read(struct bytes in, size_t max, const char *what, struct arena *a,
                struct cert **ret, size_t *ret_count, struct err *e)
{
    struct cert *list = arena_many(a, max, struct cert);
    struct err inner = { .code = ERR_NONE };
    size_t at = 0, count = 0;
    struct pem_block block;

    if (list == NULL)
        return err_memory(e, what);
    if (in.n > 0 && in.p[0] == DER_SEQUENCE) {
        if (!ders_read(in, max, what, list, &count, e))
            return false;
        *ret = list;
        *ret_count = count;
        return true;
    }
    while (pem_next(in, &at, what, a, &block, &inner)) {
        if (!bytes_is(block.label, "CERTIFICATE"))
            continue;
        if (count == max)
            return err_set(e, ERR_CERT_FORMAT, what, "more than %zu certificates", max);
        if (!cert_parse(block.der, what, &list[count], e))
            return false;
        count++;
    }
    if (inner.code != ERR_NONE)
        return err_set(e, inner.code, inner.what, "%s", inner.why);
    if (count == 0)
        return err_set(e, ERR_CERT_FORMAT, what, "no certificate in %zu bytes", in.n);
    *ret = list;
    *ret_count = count;
    return true;
}
