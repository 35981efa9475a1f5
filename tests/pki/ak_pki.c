/* ak_pki.c: see ak_pki.h. */
#include "pki/ak_pki.h"

#include "base/out.h"
#include "codec/pem.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum { DAY = 24 * 3600, SERIAL = 2 };

#define ISSUER "Avouch test AK issuer"

static void need(int ok)
{
    if (ok != 1)
        abort();
}

static void set_name(X509_NAME *n, const char *cn)
{
    need(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0));
}

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (ext == NULL)
        abort();
    need(X509_add_ext(x, ext, -1));
    X509_EXTENSION_free(ext);
}

static X509 *blank(const char *name, const char *issuer, long serial, EVP_PKEY *key)
{
    X509 *x = X509_new();

    need(X509_set_version(x, 2));
    need(ASN1_INTEGER_set(X509_get_serialNumber(x), serial));
    if (X509_gmtime_adj(X509_getm_notBefore(x), -DAY) == NULL || X509_gmtime_adj(X509_getm_notAfter(x), 365L * DAY) == NULL)
        abort();
    set_name(X509_get_subject_name(x), name);
    set_name(X509_get_issuer_name(x), issuer);
    need(X509_set_pubkey(x, key));
    return x;
}

static struct bytes sign(const struct ak_pki *p, X509 *x)
{
    unsigned char *der = NULL;
    struct bytes r;
    int n;

    if (X509_sign(x, p->key, EVP_sha256()) == 0)
        abort();
    n = i2d_X509(x, &der);
    if (n <= 0)
        abort();
    r = arena_copy(p->a, bytes_of(der, (size_t)n));
    OPENSSL_free(der);
    X509_free(x);
    return r;
}

void ak_pki_init(struct ak_pki *p, struct arena *a)
{
    struct out pem = out_open(a);
    X509 *x;

    p->a = a;
    p->key = EVP_RSA_gen(2048);
    x = blank(ISSUER, ISSUER, 1, p->key);
    extend(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    extend(x, x, NID_key_usage, "critical,keyCertSign");
    extend(x, x, NID_subject_key_identifier, "hash");
    p->root_der = sign(p, x);
    pem_print(&pem, "CERTIFICATE", p->root_der);
    p->root_pem = out_view(&pem);
}

void ak_pki_done(struct ak_pki *p)
{
    EVP_PKEY_free(p->key);
}

struct bytes ak_pki_issue(const struct ak_pki *p, const char *name, struct bytes spki)
{
    const unsigned char *at = spki.p;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.n);
    X509 *x;

    if (key == NULL)
        abort();
    x = blank(name, ISSUER, SERIAL, key);
    EVP_PKEY_free(key);
    extend(x, x, NID_basic_constraints, "critical,CA:FALSE");
    extend(x, x, NID_key_usage, "critical,digitalSignature");
    extend(x, x, NID_ext_key_usage, "2.23.133.8.3");
    return sign(p, x);
}

struct bytes ak_pki_revoke(const struct ak_pki *p)
{
    X509_CRL *crl = X509_CRL_new();
    X509_REVOKED *entry = X509_REVOKED_new();
    X509_NAME *name = X509_NAME_new();
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, -DAY), *to = X509_gmtime_adj(NULL, 30L * DAY);
    unsigned char *der = NULL;
    struct bytes r;
    int n;

    set_name(name, ISSUER);
    need(ASN1_INTEGER_set(serial, SERIAL));
    need(X509_REVOKED_set_serialNumber(entry, serial));
    need(X509_REVOKED_set_revocationDate(entry, from));
    need(X509_CRL_set_version(crl, 1));
    need(X509_CRL_set_issuer_name(crl, name));
    need(X509_CRL_set1_lastUpdate(crl, from));
    need(X509_CRL_set1_nextUpdate(crl, to));
    need(X509_CRL_add0_revoked(crl, entry));
    if (X509_CRL_sign(crl, p->key, EVP_sha256()) == 0)
        abort();
    n = i2d_X509_CRL(crl, &der);
    if (n <= 0)
        abort();
    r = arena_copy(p->a, bytes_of(der, (size_t)n));
    OPENSSL_free(der);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    ASN1_INTEGER_free(serial);
    X509_NAME_free(name);
    X509_CRL_free(crl);
    return r;
}
