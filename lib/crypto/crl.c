/* crl.c: certificate revocation lists (RFC 5280 section 5). */
#include "crypto/cert.h"

#include "codec/der.h"
#include "codec/hex.h"
#include "codec/pem.h"
#include "crypto/x509_priv.h"

#define OID_CRL_NUMBER "\x55\x1d\x14"
#define OID_AKID "\x55\x1d\x23"

static void read_extensions(struct crl *r, struct cur *tbs)
{
    struct cur wrap = der_enter(tbs, DER_CONTEXT_C(0), "crlExtensions");
    struct cur list = der_enter(&wrap, DER_SEQUENCE, "crlExtensions");

    while (cur_left(&list) > 0) {
        struct cur ext = der_enter(&list, DER_SEQUENCE, "extension"), number;
        struct bytes oid = der_take(&ext, DER_OID, "extension identifier"), value;
        bool critical = der_peek(&ext) == DER_BOOLEAN && der_bool(&ext, "critical");

        value = der_take(&ext, DER_OCTET_STRING, "extension value");
        if (!cur_ok(&ext)) {
            cur_wrong(tbs, "crlExtensions", "well-formed extensions");
            return;
        }
        if (OID_IS(oid, OID_CRL_NUMBER)) {
            number = cur_open(value);
            r->number = der_integer(&number, "cRLNumber");
            r->has_number = cur_ok(&number);
        } else if (OID_IS(oid, OID_AKID)) {
            r->has_akid = true;
            r->akid = x509_akid(value);
        } else if (critical) { /* e.g. an indirect or partial list: it would be read wrongly */
            cur_wrong(tbs, "crlExtensions", "no critical extension");
        }
    }
    if (!cur_ok(&list))
        cur_wrong(tbs, "crlExtensions", "well-formed extensions");
}

/* Walks the whole list once so that later look-ups meet no malformed entry. */
static void check_entries(const struct crl *r, struct cur *tbs)
{
    struct cur list = cur_open(r->revoked);

    while (cur_left(&list) > 0) {
        struct cur entry = der_enter(&list, DER_SEQUENCE, "revokedCertificate");

        (void)der_integer(&entry, "userCertificate");
        (void)der_time(&entry, "revocationDate");
        if (!cur_ok(&entry))
            cur_wrong(&list, "revokedCertificate", "serial number and date");
    }
    if (!cur_ok(&list))
        cur_wrong(tbs, "revokedCertificates", "serial numbers and dates");
}

bool crl_parse(struct bytes der, const char *what, struct crl *ret, struct err *e)
{
    struct cur c = cur_open(der), whole = der_enter(&c, DER_SEQUENCE, "CertificateList"), look = whole, tbs;
    struct crl r = { .der = der };
    struct bytes tbs_alg, alg;

    r.tbs = der_whole(&look, DER_SEQUENCE, "tbsCertList");
    tbs = der_enter(&whole, DER_SEQUENCE, "tbsCertList");
    if (der_peek(&tbs) == DER_INTEGER)
        (void)der_uint(&tbs, DER_INTEGER, 1, "version");
    tbs_alg = der_take(&tbs, DER_SEQUENCE, "signature");
    r.issuer = der_whole(&tbs, DER_SEQUENCE, "issuer");
    r.this_update = der_time(&tbs, "thisUpdate");
    if (der_peek(&tbs) == DER_UTCTIME || der_peek(&tbs) == DER_GENTIME) {
        r.next_update = der_time(&tbs, "nextUpdate");
        r.has_next_update = true;
    }
    if (der_peek(&tbs) == DER_SEQUENCE)
        r.revoked = der_take(&tbs, DER_SEQUENCE, "revokedCertificates");
    if (der_peek(&tbs) == DER_CONTEXT_C(0))
        read_extensions(&r, &tbs);
    alg = der_take(&whole, DER_SEQUENCE, "signatureAlgorithm");
    r.sig = der_bits(&whole, "signatureValue");
    check_entries(&r, &tbs);
    if (!cur_close(&tbs, ERR_CERT_FORMAT, what, e) || !cur_close(&whole, ERR_CERT_FORMAT, what, e)
        || !cur_close(&c, ERR_CERT_FORMAT, what, e))
        return false;
    if (!bytes_equal(alg, tbs_alg))
        return err_set(e, ERR_CERT_FORMAT, what, "the two signature algorithms of the CRL differ");
    r.sig_alg = x509_sig_alg(alg);
    *ret = r;
    return true;
}

bool crl_read(struct bytes in, const char *what, struct arena *a, struct crl *ret, struct err *e)
{
    struct pem_block block;
    struct bytes der;
    size_t at = 0;

    while (in.n > 0 && (in.p[in.n - 1] == 0 || in.p[in.n - 1] == '\n' || in.p[in.n - 1] == '\r'
                        || in.p[in.n - 1] == ' ')
           && in.p[0] != DER_SEQUENCE)
        in.n--;
    if (in.n == 0)
        return err_set(e, ERR_CERT_FORMAT, what, "is empty");
    if (in.p[0] == DER_SEQUENCE) {
        struct cur c = cur_open(in);

        der = der_whole(&c, DER_SEQUENCE, "CertificateList");
        if (!cur_check(&c, ERR_CERT_FORMAT, what, e))
            return false;
        if (!bytes_all_zero(cur_rest(&c)))
            return err_set(e, ERR_CERT_FORMAT, what, "%zu bytes follow the end", in.n - der.n);
        der = arena_copy(a, der);
    } else if (in.p[0] == '-') {
        if (!pem_next(in, &at, what, a, &block, e))
            return err_set(e, ERR_CERT_FORMAT, what, "no PEM block");
        der = block.der;
    } else if (!hex_decode(in, a, &der)) {
        return a->failed ? err_memory(e, what)
                         : err_set(e, ERR_CERT_FORMAT, what, "neither DER nor PEM nor hexadecimal text");
    }
    if (der.p == NULL)
        return err_memory(e, what);
    return crl_parse(der, what, ret, e);
}

bool crl_signed_by(const struct crl *c, struct key *issuer_key)
{
    return key_verify(issuer_key, c->sig_alg, SIG_DER, c->tbs, c->sig);
}

bool crl_lists(const struct crl *c, struct bytes serial)
{
    struct cur list = cur_open(c->revoked);

    while (cur_left(&list) > 0) {
        struct cur entry = der_enter(&list, DER_SEQUENCE, "entry");

        if (bytes_equal(der_integer(&entry, "serial"), serial))
            return true;
    }
    return false;
}

size_t crl_count(const struct crl *c)
{
    struct cur list = cur_open(c->revoked);
    size_t n = 0;

    while (cur_left(&list) > 0) {
        (void)der_take(&list, DER_SEQUENCE, "entry");
        n++;
    }
    return n;
}
