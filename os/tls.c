/* tls.c: see tls.h. */
#include "os/tls.h"

#include "os/io.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

static bool add_extension(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    bool ok;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static X509 *make(EVP_PKEY *key)
{
    X509 *x = X509_new();
    BIGNUM *serial = BN_new();
    X509_NAME *name;
    bool ok = x != NULL && serial != NULL && X509_set_version(x, 2) == 1 && BN_rand(serial, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1
        && BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)) != NULL && X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL
        && X509_gmtime_adj(X509_getm_notAfter(x), 365L * 86400) != NULL && X509_set_pubkey(x, key) == 1;

    if (ok) {
        name = X509_get_subject_name(x);
        ok = X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0) == 1
            && X509_set_issuer_name(x, name) == 1
            && add_extension(x, NID_subject_alt_name, "DNS:localhost,DNS:*.localhost,IP:127.0.0.1,IP:::1")
            && add_extension(x, NID_basic_constraints, "critical,CA:TRUE")
            && add_extension(x, NID_subject_key_identifier, "hash") && X509_sign(x, key, EVP_sha256()) > 0;
    }
    BN_free(serial);
    if (!ok) {
        X509_free(x);
        return NULL;
    }
    return x;
}

static bool write_bio(BIO *b, const char *path, unsigned mode, struct err *e)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);

    return n > 0 && file_write(path, bytes_of(p, (size_t)n), mode, e);
}

bool tls_make_development(const char *cert_path, const char *key_path, struct err *e)
{
    EVP_PKEY *key;
    X509 *cert = NULL;
    BIO *k, *c;
    bool ok;

    if (access(cert_path, R_OK) == 0 && access(key_path, R_OK) == 0)
        return true;
    key = EVP_EC_gen("P-256");
    if (key != NULL)
        cert = make(key);
    k = BIO_new(BIO_s_mem());
    c = BIO_new(BIO_s_mem());
    ok = cert != NULL && k != NULL && c != NULL && PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) == 1
        && PEM_write_bio_X509(c, cert) == 1 && write_bio(k, key_path, 0600, e) && write_bio(c, cert_path, 0644, e);
    BIO_free(k);
    BIO_free(c);
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok || err_set(e, ERR_INTERNAL, "development certificate", "could not be made");
}
