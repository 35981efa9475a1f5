/* amd_pki.c: see amd_pki.h. A failure here is a broken test machine: abort. */
#include "pki/amd_pki.h"

#include "base/out.h"
#include "codec/pem.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(x) do { if (!(x)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); abort(); } } while (0)

static X509_NAME *name_of(const char *cn)
{
    static const struct {
        const char *key, *value;
    } rows[] = { { "OU", "Engineering" }, { "C", "US" }, { "L", "Santa Clara" }, { "ST", "CA" },
                 { "O", "Advanced Micro Devices" } };
    X509_NAME *n = X509_NAME_new();

    for (size_t i = 0; i < COUNT(rows); i++)
        MUST(X509_NAME_add_entry_by_txt(n, rows[i].key, MBSTRING_ASC, (const uint8_t *)rows[i].value, -1, -1, 0));
    MUST(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0));
    return n;
}

static EVP_MD_CTX *pss(EVP_PKEY *key, bool pkcs1)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;

    MUST(EVP_DigestSignInit(ctx, &pctx, EVP_sha384(), NULL, key) == 1);
    if (!pkcs1 && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
        MUST(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1);
        MUST(EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, EVP_sha384()) == 1);
        MUST(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, 48) == 1);
    }
    return ctx;
}

static struct bytes finish(struct arena *a, X509 *x, EVP_PKEY *signer, bool pkcs1)
{
    EVP_MD_CTX *ctx = pss(signer, pkcs1);
    unsigned char *der = NULL;
    struct bytes copy;
    int n;

    MUST(X509_sign_ctx(x, ctx) > 0);
    n = i2d_X509(x, &der);
    MUST(n > 0);
    copy = arena_copy(a, bytes_of(der, (size_t)n));
    OPENSSL_free(der);
    EVP_MD_CTX_free(ctx);
    X509_free(x);
    MUST(copy.p != NULL);
    return copy;
}

static X509 *start(const char *cn, const char *issuer, EVP_PKEY *key, long serial, int64_t from, int64_t to)
{
    X509 *x = X509_new();
    X509_NAME *s = name_of(cn), *i = name_of(issuer);

    MUST(X509_set_version(x, 2) && ASN1_INTEGER_set(X509_get_serialNumber(x), serial));
    MUST(X509_set_subject_name(x, s) && X509_set_issuer_name(x, i) && X509_set_pubkey(x, key));
    MUST(ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from) && ASN1_TIME_set(X509_getm_notAfter(x), (time_t)to));
    X509_NAME_free(s);
    X509_NAME_free(i);
    return x;
}

static void add_known(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    MUST(e != NULL && X509_add_ext(x, e, -1));
    X509_EXTENSION_free(e);
}

static void add_raw(X509 *x, const char *oid, const uint8_t *value, size_t n)
{
    ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    X509_EXTENSION *e;

    MUST(ASN1_OCTET_STRING_set(s, value, (int)n));
    e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, s);
    MUST(e != NULL && X509_add_ext(x, e, -1));
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(s);
    ASN1_OBJECT_free(o);
}

static void names(enum snp_line line, char ark[32], char ca[2][32])
{
    snprintf(ark, 32, "ARK-%s", snp_line_name(line));
    snprintf(ca[SNP_VCEK], 32, "SEV-%s", snp_line_name(line));
    snprintf(ca[SNP_VLEK], 32, "SEV-VLEK-%s", snp_line_name(line));
}

enum { YEAR = 365 * 86400 };

static void mint_cas(struct amd_pki *p)
{
    char ark[32], ca[2][32];
    X509 *x;

    names(p->line, ark, ca);
    x = start(ark, ark, p->ark, 0x70000, p->now - YEAR, p->now + 10 * (int64_t)YEAR);
    add_known(x, NID_basic_constraints, "critical,CA:TRUE");
    add_known(x, NID_key_usage, "critical,keyCertSign,cRLSign");
    p->ark_der = finish(p->a, x, p->ark, false);
    for (int i = 0; i < 2; i++) {
        p->ca_serial[i] = 0x70001 + i * 0x100;
        x = start(ca[i], ark, p->ca[i], p->ca_serial[i], p->now - YEAR, p->now + 10 * (int64_t)YEAR);
        add_known(x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
        add_known(x, NID_key_usage, "critical,keyCertSign");
        p->ca_der[i] = finish(p->a, x, p->ark, false);
    }
}

void amd_pki_init(struct amd_pki *p, enum snp_line line, int64_t now, int bits, struct arena *a)
{
    *p = (struct amd_pki){ .a = a, .line = line, .now = now };
    p->ark = EVP_RSA_gen((unsigned)bits);
    p->ca[0] = EVP_RSA_gen((unsigned)bits);
    p->ca[1] = EVP_RSA_gen((unsigned)bits);
    MUST(p->ark != NULL && p->ca[0] != NULL && p->ca[1] != NULL);
    mint_cas(p);
}

void amd_pki_relabel(struct amd_pki *p, enum snp_line line, struct amd_pki *ret)
{
    *ret = *p;
    EVP_PKEY_up_ref(p->ark);
    EVP_PKEY_up_ref(p->ca[0]);
    EVP_PKEY_up_ref(p->ca[1]);
    ret->line = line;
    mint_cas(ret);
}

void amd_pki_done(struct amd_pki *p)
{
    EVP_PKEY_free(p->ark);
    EVP_PKEY_free(p->ca[0]);
    EVP_PKEY_free(p->ca[1]);
}

struct amd_leaf_spec amd_leaf_spec(const struct amd_pki *p, enum snp_signing_key kind, unsigned chip)
{
    static const char *const products[] = { "Milan-B0", "Genoa", "Turin" };
    struct amd_leaf_spec s = { .kind = kind, .product = products[p->line], .spl = { 1, 4, 0, 20, 200 } };

    if (p->line != SNP_TURIN)
        s.spl.fmc = 0;
    if (kind == SNP_VLEK) {
        s.csp = "CN=test-region.example";
        return s;
    }
    s.hwid_size = p->line == SNP_TURIN ? 8 : 64;
    for (size_t i = 0; i < s.hwid_size; i++)
        s.hwid[i] = (uint8_t)(chip >> (8 * (i % 4)) ^ (i * 29 + 1));
    return s;
}

static void add_spl(X509 *x, const char *oid, int v)
{
    const uint8_t small[] = { 2, 1, (uint8_t)v }, large[] = { 2, 2, (uint8_t)(v >> 8), (uint8_t)v };

    add_raw(x, oid, v < 128 ? small : large, v < 128 ? sizeof(small) : sizeof(large));
}

static void add_text(X509 *x, const char *oid, const char *text)
{
    uint8_t value[128] = { 0x16, (uint8_t)strlen(text) };

    if (strlen(text) > 100)
        abort();
    memcpy(value + 2, text, strlen(text));
    add_raw(x, oid, value, 2 + strlen(text));
}

static void add_amd(X509 *x, const struct amd_pki *p, const struct amd_leaf_spec *s)
{
    const struct {
        const char *oid;
        int value;
        bool present;
    } spl[] = {
        { "1.3.6.1.4.1.3704.1.3.1", s->spl_override > 0 ? s->spl_override : s->spl.bl, true },
        { "1.3.6.1.4.1.3704.1.3.2", s->spl.tee, true },
        { "1.3.6.1.4.1.3704.1.3.3", s->spl.snp, true },
        { "1.3.6.1.4.1.3704.1.3.8", s->spl.ucode, true },
        { "1.3.6.1.4.1.3704.1.3.9", s->spl.fmc, p->line == SNP_TURIN },
    };
    uint8_t wrapped[66] = { 4, (uint8_t)s->hwid_size };

    add_spl(x, "1.3.6.1.4.1.3704.1.1", p->line == SNP_TURIN);
    if (s->product != NULL)
        add_text(x, "1.3.6.1.4.1.3704.1.2", s->product);
    for (unsigned i = 0; i < COUNT(spl); i++)
        if (spl[i].present && (s->omit >> i & 1) == 0)
            add_spl(x, spl[i].oid, spl[i].value);
    memcpy(wrapped + 2, s->hwid, s->hwid_size);
    if (s->hwid_size > 0)
        add_raw(x, "1.3.6.1.4.1.3704.1.4", s->hwid_wrapped ? wrapped : s->hwid,
                s->hwid_size + (s->hwid_wrapped ? 2 : 0));
    if (s->csp != NULL)
        add_text(x, "1.3.6.1.4.1.3704.1.5", s->csp);
}

struct amd_leaf amd_leaf_new(const struct amd_pki *p, const struct amd_leaf_spec *s)
{
    struct amd_leaf leaf = { .key = EVP_EC_gen(s->p256 ? "P-256" : "P-384") };
    char ark[32], ca[2][32];
    X509 *x;

    MUST(leaf.key != NULL);
    names(p->line, ark, ca);
    x = start(s->cn != NULL ? s->cn : s->kind == SNP_VLEK ? "SEV-VLEK" : "SEV-VCEK", ca[s->kind], leaf.key, 0,
              s->not_before != 0 ? s->not_before : p->now - YEAR,
              s->not_after != 0 ? s->not_after : p->now + 6 * (int64_t)YEAR);
    add_amd(x, p, s);
    if (s->odd_critical)
        add_known(x, NID_netscape_comment, "critical,odd");
    leaf.der = finish(p->a, x, p->ca[s->kind], s->pkcs1);
    return leaf;
}

static void put_tcb(uint8_t *to, struct snp_tcb t, enum snp_line line)
{
    const uint8_t turin[8] = { t.fmc, t.bl, t.tee, t.snp, 0, 0, 0, t.ucode };
    const uint8_t older[8] = { t.bl, t.tee, 0, 0, 0, 0, t.snp, t.ucode };

    memcpy(to, line == SNP_TURIN ? turin : older, 8);
}

uint8_t *amd_report(const struct amd_pki *p, const struct amd_leaf_spec *s)
{
    static const uint8_t cpuid[][3] = { { 0x19, 0x01, 1 }, { 0x19, 0xaf, 1 }, { 0x1a, 0x02, 1 } };
    uint8_t *r = arena_alloc(p->a, SNP_REPORT_SIZE);

    MUST(r != NULL);
    r[0] = p->line == SNP_TURIN ? 5 : 3;
    r[0x08] = 0x1f;
    r[0x0a] = 0x03;
    r[0x34] = 1;
    r[0x48] = (uint8_t)(s->kind << 2);
    memset(r + 0x50, 0xab, 32);
    memset(r + 0x90, 0xcd, 48);
    memset(r + 0x160, 0xff, 32);
    memcpy(r + 0x188, cpuid[p->line], 3);
    memcpy(r + 0x1a0, s->hwid, s->hwid_size);
    put_tcb(r + 0x38, s->spl, p->line);
    put_tcb(r + 0x180, s->spl, p->line);
    put_tcb(r + 0x1e0, s->spl, p->line);
    put_tcb(r + 0x1f0, s->spl, p->line);
    r[0x1e9] = r[0x1ed] = 55;
    r[0x1ea] = r[0x1ee] = 1;
    return r;
}

void amd_report_sign(uint8_t *report, EVP_PKEY *key)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t der[160];
    const uint8_t *at = der;
    size_t n = sizeof(der);
    ECDSA_SIG *sig;

    MUST(EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, key) == 1);
    MUST(EVP_DigestSign(ctx, der, &n, report, SNP_SIGNED_SIZE) == 1);
    sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
    MUST(sig != NULL);
    memset(report + 0x2a0, 0, 144);
    MUST(BN_bn2lebinpad(ECDSA_SIG_get0_r(sig), report + 0x2a0, 72) == 72);
    MUST(BN_bn2lebinpad(ECDSA_SIG_get0_s(sig), report + 0x2e8, 72) == 72);
    ECDSA_SIG_free(sig);
    EVP_MD_CTX_free(ctx);
}

struct bytes amd_crl(const struct amd_pki *p, long serial, int64_t from, int64_t to, EVP_PKEY *signer)
{
    X509_CRL *crl = X509_CRL_new();
    char ark[32], ca[2][32];
    X509_NAME *n;
    ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)from), *u = ASN1_TIME_set(NULL, (time_t)to);
    EVP_MD_CTX *ctx = pss(signer, false);
    unsigned char *der = NULL;
    struct bytes copy;
    int size;

    names(p->line, ark, ca);
    n = name_of(ark);
    MUST(X509_CRL_set_version(crl, 1) && X509_CRL_set_issuer_name(crl, n));
    MUST(X509_CRL_set1_lastUpdate(crl, t) && X509_CRL_set1_nextUpdate(crl, u));
    if (serial != 0) {
        X509_REVOKED *r = X509_REVOKED_new();
        ASN1_INTEGER *s = ASN1_INTEGER_new();

        MUST(ASN1_INTEGER_set(s, serial) && X509_REVOKED_set_serialNumber(r, s));
        MUST(X509_REVOKED_set_revocationDate(r, t) && X509_CRL_add0_revoked(crl, r));
        ASN1_INTEGER_free(s);
    }
    MUST(X509_CRL_sign_ctx(crl, ctx) > 0);
    size = i2d_X509_CRL(crl, &der);
    MUST(size > 0);
    copy = arena_copy(p->a, bytes_of(der, (size_t)size));
    OPENSSL_free(der);
    EVP_MD_CTX_free(ctx);
    ASN1_TIME_free(t);
    ASN1_TIME_free(u);
    X509_NAME_free(n);
    X509_CRL_free(crl);
    return copy;
}

struct bytes amd_pem(struct arena *a, const struct bytes *ders, size_t n)
{
    struct out o = out_open(a);

    for (size_t i = 0; i < n; i++)
        pem_print(&o, "CERTIFICATE", ders[i]);
    return out_view(&o);
}
