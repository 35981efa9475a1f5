/* snp_bench.c: P-384 by libcrypto and by ours over many keys, then SEV-SNP and TDX verification against these floors.
 * Processors are minted: many, so that no cache is warmer than a fleet would make it. */
#include "bench/bench.h"
#include "codec/json.h"
#include "crypto/p384.h"
#include "evidence/tdx/tdx.h"
#include "pki/amd_pki.h"
#include "pki/intel_pki.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHIPS = 256, COLD_MEMO = 16 };
#define NOW INT64_C(1790000000)

static struct {
    struct arena a, request;
    struct amd_pki pki;
    struct bytes reports[CHIPS], rest[CHIPS], raw[CHIPS], quotes[CHIPS];
    struct key *keys[CHIPS];
    EVP_PKEY_CTX *evp[CHIPS];
    uint8_t sig[CHIPS][96];
    struct bytes sig_der[CHIPS];
    struct digest digest[CHIPS];
    struct cert leaf;
    struct key *ca;
    struct trust amd, intel;
    struct collateral collateral;
    struct settings settings;
    struct key *p256[CHIPS];
    uint8_t p256_sig[CHIPS][64];
} the;

static void die(const struct err *e)
{
    fprintf(stderr, "%s: %s\n", e->what, e->why);
    exit(1);
}

static struct bytes rest_json(struct bytes report, const struct bytes *ders)
{
    struct jobj o = jobj_open(&the.a);

    jobj_b64url(&o, "SnpReport", report);
    jobj_b64url(&o, "VcekCertChain", amd_pem(&the.a, ders, 3));
    return jobj_print(&o, false);
}

/* The signature of a report as both want it. */
static void keep_signature(size_t i, struct bytes report, EVP_PKEY *key)
{
    struct snp_report r;
    struct err e = { .code = ERR_NONE };
    unsigned char *der = NULL;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    int n;

    if (!snp_report_parse(report, &r, &e) || !snp_report_signature(&r, the.sig[i]))
        die(&e);
    the.digest[i] = hash(HASH_SHA384, r.signed_part);
    ECDSA_SIG_set0(sig, BN_bin2bn(the.sig[i], 48, NULL), BN_bin2bn(the.sig[i] + 48, 48, NULL));
    n = i2d_ECDSA_SIG(sig, &der);
    the.sig_der[i] = arena_copy(&the.a, bytes_of(der, (size_t)n));
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
    the.evp[i] = EVP_PKEY_CTX_new(key, NULL);
    EVP_PKEY_verify_init(the.evp[i]);
}

static void mint_amd(void)
{
    struct err e = { .code = ERR_NONE };
    struct cert *ark = arena_new(&the.a, struct cert), ca;

    amd_pki_init(&the.pki, SNP_MILAN, NOW, 4096, &the.a);
    for (unsigned i = 0; i < CHIPS; i++) {
        struct amd_leaf_spec spec = amd_leaf_spec(&the.pki, SNP_VCEK, i + 1);
        struct amd_leaf leaf = amd_leaf_new(&the.pki, &spec);
        struct bytes ders[3] = { leaf.der, the.pki.ca_der[SNP_VCEK], the.pki.ark_der };
        uint8_t *report = amd_report(&the.pki, &spec);

        amd_report_sign(report, leaf.key);
        the.reports[i] = bytes_of(report, SNP_REPORT_SIZE);
        the.rest[i] = rest_json(the.reports[i], ders);
        if (!cert_parse(leaf.der, "leaf", &the.leaf, &e) || !key_from_spki(the.leaf.spki, "leaf", &the.keys[i], &e))
            die(&e);
        keep_signature(i, the.reports[i], leaf.key);
        EVP_PKEY_free(leaf.key);
    }
    if (!cert_parse(the.pki.ark_der, "ARK", ark, &e) || !cert_parse(the.pki.ca_der[0], "ASK", &ca, &e)
        || !key_from_spki(ca.spki, "ASK", &the.ca, &e))
        die(&e);
    the.amd = (struct trust){ ark, 1, true };
}

static void mint_intel(void)
{
    struct intel_pki *p = intel_pki_new();
    struct pki_options o = pki_options(NOW);
    struct bytes (*const items[])(struct intel_pki *, const struct pki_options *, struct arena *) = {
        pki_root_crl, pki_pck_crl, pki_tcb_chain, pki_tcb_info, pki_qe_identity,
    };
    struct err e = { .code = ERR_NONE };
    struct cert *root;
    struct quote q;
    size_t n;

    o.tdx = o.td_15 = true;
    o.quote_version = 5;
    if (!certs_read(pki_root_pem(p, &o, &the.a), 1, "root", &the.a, &root, &n, &e))
        die(&e);
    the.intel = (struct trust){ root, n, false };
    the.collateral = collateral_open(&the.a);
    for (size_t i = 0; i < COUNT(items); i++)
        if (!collateral_add(&the.collateral, items[i](p, &o, &the.a), "item", &e))
            die(&e);
    for (size_t i = 0; i < the.collateral.count; i++) { /* as the core does when collateral arrives */
        collateral_digest(&the.collateral.list[i], the.collateral.list[i].digest);
        the.collateral.list[i].has_digest = true;
    }
    for (size_t i = 0; i < CHIPS; i++) {
        o.serial = 1000 + i;
        the.quotes[i] = pki_quote(p, &o, &the.a);
        if (!quote_parse(the.quotes[i], "quote", &q, &e) || !key_from_point(KEY_P256, q.ak, "ak", &the.p256[i], &e))
            die(&e);
        memcpy(the.p256_sig[i], q.sig.p, 64);
    }
    intel_pki_free(p);
}

/* -- floors -- */

static void p384_libcrypto(void *user, size_t i)
{
    (void)user;
    i %= CHIPS;
    if (EVP_PKEY_verify(the.evp[i], the.sig_der[i].p, the.sig_der[i].n, the.digest[i].p, the.digest[i].n) != 1)
        abort();
}

static void p384_ours(void *user, size_t i)
{
    (void)user;
    i %= CHIPS;
    if (!key_verify_digest(the.keys[i], SIG_ES384, SIG_RAW, digest_bytes(&the.digest[i]), BYTES(the.sig[i])))
        abort();
}

static void p384_ours_new_key(void *user, size_t i)
{
    struct p384 *k;

    (void)user;
    i %= CHIPS;
    k = p384_new(key_point(the.keys[i]));
    if (!p384_verify(k, digest_bytes(&the.digest[i]), BYTES(the.sig[i])))
        abort();
    p384_free(k);
}

static void rsa4096(void *user, size_t i)
{
    (void)user;
    (void)i;
    if (!cert_signed_by(&the.leaf, the.ca))
        abort();
}

static void p256(void *user, size_t i)
{
    struct quote q;

    (void)user;
    i %= CHIPS;
    if (!quote_parse(the.quotes[i], "quote", &q, NULL)
        || !key_verify(the.p256[i], SIG_ES256, SIG_RAW, q.signed_part, BYTES(the.p256_sig[i])))
        abort();
}

/* -- verification -- */

static void verify(const struct evidence_kind *kind, struct bytes evidence, const struct trust *trust, struct memo *memo)
{
    struct evidence_input in = { .evidence = evidence };
    struct verify_env env = { .now = NOW, .trust = trust, .collateral = &the.collateral, .settings = &the.settings,
                              .memo = memo, .a = &the.request };
    struct err e = { .code = ERR_NONE };
    struct claims c;

    arena_reset(&the.request, 16 << 20);
    c = claims_open(&the.request);
    if (!evidence_verify(kind, &in, &env, &c, NULL, &e))
        die(&e);
}

static void snp(void *memo, size_t i)
{
    verify(&evidence_snp, the.rest[i % CHIPS], &the.amd, memo);
}

static void tdx(void *memo, size_t i)
{
    verify(&evidence_tdx, the.quotes[i % CHIPS], &the.intel, memo);
}

static void row(const char *name, bench_function *f, struct memo *memo, double floor_us)
{
    size_t n;
    double us = bench_cpu_us(f, memo, &n);

    bench_print(name, us, "us", floor_us, n);
}

int main(void)
{
    struct memo *warm = memo_new(8192), *cold = memo_new(COLD_MEMO);
    double openssl, fresh, known, rsa, ec256;
    size_t n;

    arena_init(&the.a, 512 << 20);
    arena_init(&the.request, 16 << 20);
    the.settings = settings_default();
    mint_amd();
    mint_intel();
    openssl = bench_cpu_us(p384_libcrypto, NULL, &n);
    bench_print("floor: P-384 verify, libcrypto, 256 keys", openssl, "us", 0, n);
    fresh = bench_cpu_us(p384_ours_new_key, NULL, &n);
    bench_print("floor: P-384 verify, ours, a new key", fresh, "us", openssl, n);
    for (size_t i = 0; i < 4 * CHIPS; i++) /* until each key has its long table */
        p384_ours(NULL, i);
    known = bench_cpu_us(p384_ours, NULL, &n);
    bench_print("floor: P-384 verify, ours, 256 known keys", known, "us", openssl, n);
    rsa = bench_cpu_us(rsa4096, NULL, &n);
    bench_print("floor: RSA-4096 PSS verify", rsa, "us", 0, n);
    ec256 = bench_cpu_us(p256, NULL, &n);
    bench_print("floor: P-256 verify of a TD quote, key at hand", ec256, "us", 0, n);
    for (size_t i = 0; i < 4 * CHIPS; i++) { /* what "known" means is known before it counts */
        snp(warm, i);
        tdx(warm, i);
    }
    row("SNP verify: processor known (1 P-384)", snp, warm, known);
    row("SNP verify: CA known, processor new (RSA-4096 and P-384)", snp, cold, fresh + rsa);
    row("SNP verify: nothing known (2 RSA-4096 and P-384)", snp, NULL, fresh + 2 * rsa);
    row("TDX verify: collateral and platform known (1 P-256)", tdx, warm, ec256);
    return 0;
}
