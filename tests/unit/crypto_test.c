/* crypto_test.c: signatures against the Wycheproof suites, one test for each vector; keys and their limits. */
#include "testing.h"

#include "codec/hex.h"
#include "codec/json.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "crypto/p384.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static const struct wycheproof {
    const char *file;
    enum sig_alg alg;
    enum sig_form form;
} files[] = {
    { "ecdsa_secp256r1_sha256_p1363_test.json", SIG_ES256, SIG_RAW },
    { "ecdsa_secp256r1_sha256_test.json", SIG_ES256, SIG_DER },
    { "ecdsa_secp384r1_sha384_p1363_test.json", SIG_ES384, SIG_RAW },
    { "ecdsa_secp384r1_sha384_test.json", SIG_ES384, SIG_DER },
    { "rsa_pss_4096_sha384_mgf1_48_test.json", SIG_PS384, SIG_RAW },
    { "rsa_signature_2048_sha256_test.json", SIG_RS256, SIG_RAW },
};

/* The parsed suites live as long as the program. */
static struct arena suites;

struct vector {
    const struct wycheproof *suite;
    struct bytes spki, message, sig;
    bool valid, free_choice;
};

static struct bytes member_hex(const struct json *j, const char *name)
{
    struct bytes text = { NULL, 0 }, b = { NULL, 0 };

    if (!json_string(json_member(j, name), &text) || !hex_decode(text, &suites, &b))
        abort();
    return b;
}

/* What libcrypto says about the same key and signature: the two must not differ on P-384. */
static bool libcrypto_accepts(struct key *k, struct bytes message, struct bytes der_sig)
{
    struct digest d = hash(HASH_SHA384, message);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key_evp(k), NULL);
    bool ok = EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_verify(ctx, der_sig.p, der_sig.n, d.p, d.n) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static void wycheproof_vector(void **state)
{
    struct vector *v = *state;
    AUTO_KEY k = NULL;
    struct err e = { 0 };
    bool ok;

    assert_ok(key_from_spki(v->spki, "vector", &k, &e), &e);
    ok = key_verify(k, v->suite->alg, v->suite->form, v->message, v->sig);
    if (!v->free_choice)
        assert_int_equal(ok, v->valid);
    if (v->suite->alg == SIG_ES384 && v->suite->form == SIG_DER)
        assert_int_equal(ok, libcrypto_accepts(k, v->message, v->sig));
    free(v);
}

static void add_group(struct suite *s, const struct wycheproof *suite, const struct json *group)
{
    struct bytes spki = member_hex(group, "publicKeyDer");

    for (const struct json *t = json_member(group, "tests")->child; t != NULL; t = t->next) {
        struct vector *v = calloc(1, sizeof(*v));
        struct bytes result = { NULL, 0 }, comment = { NULL, 0 };
        int64_t id = 0;
        char name[300];

        if (v == NULL || !json_string(json_member(t, "result"), &result) || !json_int(json_member(t, "tcId"), &id)
            || !json_string(json_member(t, "comment"), &comment))
            abort();
        *v = (struct vector){ .suite = suite, .spki = spki, .message = member_hex(t, "msg"),
                              .sig = member_hex(t, "sig"), .valid = bytes_is(result, "valid"),
                              .free_choice = bytes_is(result, "acceptable") };
        snprintf(name, sizeof(name), "%s %lld: %.*s", suite->file, (long long)id, (int)comment.n,
                 (const char *)comment.p);
        for (char *p = name; *p != 0; p++)
            if (*p == '#') /* would be a directive in TAP */
                *p = ' ';
        suite_add(s, name, wycheproof_vector, v);
    }
}

static void add_wycheproof(struct suite *s, const struct wycheproof *w)
{
    char path[300];
    const struct json *j;
    struct err e = { 0 };

    snprintf(path, sizeof(path), "wycheproof/%s", w->file);
    if (!json_parse(test_vector(&suites, path), 64, w->file, &suites, &j, &e))
        abort();
    for (const struct json *g = json_member(j, "testGroups")->child; g != NULL; g = g->next)
        add_group(s, w, g);
}

/* G of P-384 (FIPS 186-4 D.1.2.4). */
#define G384                                                                                             \
    "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7"   \
    "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f"

static void points_off_the_curve(void **state)
{
    static const struct {
        enum key_kind kind;
        const char *name, *hex, *why;
    } rows[] = {
        { KEY_P384, "one bit of y",
          "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7"
          "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5e",
          "not a point of P-384" },
        { KEY_P384, "x of p",
          "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff"
          "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
          "not a point of P-384" },
        { KEY_P384, "short", "aa87", "has 2 bytes" },
        { KEY_P256, "zeros", "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
                             "000000000000000000000000000000000000000000000000", "not a point of P-256" },
    };
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_KEY k = NULL;
        struct err e = { 0 };

        assert_false(key_from_point(rows[i].kind, test_hex(&a, rows[i].hex), rows[i].name, &k, &e));
        assert_refused(&e, ERR_CERT_FORMAT, rows[i].why);
    }
    arena_done(&a);
}

static void p384_key_round_trip(void **state)
{
    AUTO_KEY k = NULL;
    AUTO_KEY again = NULL;
    struct arena a;
    struct err e = { 0 };

    (void)state;
    arena_init(&a, 1 << 20);
    assert_ok(key_from_point(KEY_P384, test_hex(&a, G384), "G", &k, &e), &e);
    assert_int_equal(key_bits(k), 384);
    assert_ok(key_from_spki(key_spki(k, &a), "SPKI", &again, &e), &e);
    assert_bytes_equal(key_point(again), test_hex(&a, G384));
    assert_false(key_verify(k, SIG_ES256, SIG_RAW, LIT("x"), test_hex(&a, G384))); /* algorithm of another curve */
    arena_done(&a);
}

/* Our SubjectPublicKeyInfo is libcrypto's, byte for byte, for fresh keys of each kind. */
static void spki_as_libcrypto(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    for (int i = 0; i < 40; i++) {
        EVP_PKEY *made = i % 8 == 0 ? EVP_RSA_gen(i == 0 ? 3072u : 2048u)
                                    : EVP_EC_gen(i % 3 == 0 ? "P-256" : i % 3 == 1 ? "P-384" : "P-521");
        unsigned char *der = NULL;
        int n = i2d_PUBKEY(made, &der);
        struct err e = { 0 };
        AUTO_KEY k = NULL;

        assert_true(n > 0);
        assert_ok(key_from_spki(bytes_of(der, (size_t)n), "made", &k, &e), &e);
        assert_bytes_equal(key_spki(k, &a), bytes_of(der, (size_t)n));
        OPENSSL_free(der);
        EVP_PKEY_free(made);
    }
    arena_done(&a);
}

/* A certificate whose keyUsage holds these bytes, signed by itself. */
static struct bytes certificate_with_usage(struct arena *a, const char *usage)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    struct bytes raw = test_hex(a, usage), der;
    X509_EXTENSION *ext;
    unsigned char *p = NULL;
    int n;

    assert_true(X509_set_version(x, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1
                && X509_gmtime_adj(X509_getm_notBefore(x), 0) != NULL && X509_gmtime_adj(X509_getm_notAfter(x), 60) != NULL
                && X509_set_pubkey(x, key) == 1 && ASN1_OCTET_STRING_set(value, raw.p, (int)raw.n) == 1);
    ext = X509_EXTENSION_create_by_NID(NULL, NID_key_usage, 1, value);
    assert_true(X509_add_ext(x, ext, -1) == 1 && X509_sign(x, key, EVP_sha256()) > 0);
    n = i2d_X509(x, &p);
    assert_true(n > 0);
    der = arena_copy(a, bytes_of(p, (size_t)n));
    OPENSSL_free(p);
    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(value);
    X509_free(x);
    EVP_PKEY_free(key);
    return der;
}

/* The bit string is the sender's: more unused bits than there are bits must not be counted. */
static void key_usage(void **state)
{
    static const struct {
        const char *value;
        int usage; /* -1: refused */
    } rows[] = {
        { "03020106", KEY_USAGE_CERT_SIGN | KEY_USAGE_CRL_SIGN }, { "03020780", KEY_USAGE_DIGITAL_SIGNATURE },
        { "0303070080", 1 << 8 }, { "030100", 0 },
        { "030101", -1 }, { "030107", -1 }, { "03020880", -1 }, { "0300", -1 }, { "030400808080", -1 },
        { "0302010600", -1 }, { "040106", -1 }, { "", -1 },
    };
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = { 0 };
        struct cert c;
        bool ok = cert_parse(certificate_with_usage(&a, rows[i].value), "made", &c, &e);

        if (rows[i].usage < 0) {
            assert_false(ok);
            assert_refused(&e, ERR_CERT_FORMAT, "keyUsage");
        } else {
            assert_ok(ok, &e);
            assert_int_equal(c.key_usage, rows[i].usage);
        }
    }
    arena_done(&a);
}

/* A CA's certificate over `subject_key`, signed by `key`. */
static struct bytes ca_certificate(struct arena *a, const char *name, EVP_PKEY *subject_key, const char *issuer, EVP_PKEY *key, const EVP_MD *md)
{
    X509 *x = X509_new();
    X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    unsigned char *p = NULL;
    struct bytes der;
    int n;

    assert_true(X509_set_version(x, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1
                && X509_gmtime_adj(X509_getm_notBefore(x), 0) != NULL && X509_gmtime_adj(X509_getm_notAfter(x), 60) != NULL
                && X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1
                && X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_ASC, (const unsigned char *)issuer, -1, -1, 0) == 1
                && X509_set_pubkey(x, subject_key) == 1 && X509_add_ext(x, ca, -1) == 1 && X509_sign(x, key, md) > 0);
    n = i2d_X509(x, &p);
    assert_true(n > 0);
    der = arena_copy(a, bytes_of(p, (size_t)n));
    OPENSSL_free(p);
    X509_EXTENSION_free(ca);
    X509_free(x);
    return der;
}

/* A signature with SHA-1 says nothing about who is certified; a root's over itself says nothing anyway. */
static void sha1_certificates(void **state)
{
    EVP_PKEY *root_key = EVP_RSA_gen(2048), *key = EVP_RSA_gen(2048);
    struct arena a;
    struct cert root, good, bad;
    struct err e = { 0 };
    AUTO_KEY k = NULL;

    (void)state;
    arena_init(&a, 1 << 20);
    assert_ok(cert_parse(ca_certificate(&a, "root", root_key, "root", root_key, EVP_sha1()), "root", &root, &e)
              && cert_parse(ca_certificate(&a, "good", key, "root", root_key, EVP_sha256()), "good", &good, &e)
              && cert_parse(ca_certificate(&a, "bad", key, "root", root_key, EVP_sha1()), "bad", &bad, &e)
              && key_from_spki(root.spki, "root", &k, &e), &e);
    assert_ok(cert_check_issued(&root, &root, k, ERR_CHAIN, "chain", &e), &e);
    assert_ok(cert_check_issued(&good, &root, k, ERR_CHAIN, "chain", &e), &e);
    assert_false(cert_check_issued(&bad, &root, k, ERR_CHAIN, "chain", &e));
    assert_refused(&e, ERR_CHAIN, "'bad' is signed with SHA-1");
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(key);
    arena_done(&a);
}

int main(void)
{
    struct suite s = { 0 };
    int status;

    arena_init(&suites, 256 << 20);
    if (test_vectors() == NULL)
        suite_add_skipped(&s, "Wycheproof suites (vectors missing)");
    else
        for (size_t i = 0; i < COUNT(files); i++)
            add_wycheproof(&s, &files[i]);
    suite_add(&s, "keyUsage, well-formed and not", key_usage, NULL);
    suite_add(&s, "SHA-1 certifies nobody", sha1_certificates, NULL);
    suite_add(&s, "points off the curve are refused", points_off_the_curve, NULL);
    suite_add(&s, "SubjectPublicKeyInfo as libcrypto writes it", spki_as_libcrypto, NULL);
    suite_add(&s, "a P-384 key survives its own encoding", p384_key_round_trip, NULL);
    status = suite_run("crypto", &s);
    arena_done(&suites);
    return status;
}
