/* tpm_bench.c: verification of a TPM request with logs of 100, 500 and 5,000 events against its floor: the
 * two RSA signatures that every such request has (JWS and quote), with keys ready made. */
#include "bench/bench.h"

#include "codec/b64.h"
#include "evidence/tpm/tpm.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

#define CHALLENGE LIT("0123456789abcdef")

static struct {
    struct arena a, request;
    EVP_PKEY *ak, *rk;
    struct bytes jws;
    struct settings settings;
    struct trust none;
    struct key *ak_public, *rk_public;
    struct bytes quote, quote_sig, signing_input, jws_sig;
    struct tpm_log log;
} the;

static struct bytes sign(EVP_PKEY *k, bool pss, struct bytes data)
{
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;
    uint8_t *sig = arena_alloc(&the.a, 512);
    size_t n = 512;

    if (EVP_DigestSignInit(m, &ctx, EVP_sha256(), NULL, k) != 1
        || (pss && (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) != 1
                    || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32) != 1))
        || EVP_DigestSign(m, sig, &n, data.p, data.n) != 1)
        abort();
    EVP_MD_CTX_free(m);
    return bytes_of(sig, n);
}

static struct bytes modulus(EVP_PKEY *k)
{
    BIGNUM *n = NULL;
    uint8_t *p = arena_alloc(&the.a, 256);

    if (EVP_PKEY_get_bn_param(k, OSSL_PKEY_PARAM_RSA_N, &n) != 1 || BN_bn2binpad(n, p, 256) != 256)
        abort();
    BN_free(n);
    return bytes_of(p, 256);
}

static struct key *public_of(EVP_PKEY *k)
{
    struct key *r = NULL;

    if (!key_from_rsa(modulus(k), LIT("\1\0\1"), "key", &r, NULL))
        abort();
    return r;
}

static struct bytes jwk(EVP_PKEY *k)
{
    struct jobj o = jobj_open(&the.a);

    jobj_text(&o, "kty", "RSA");
    jobj_b64url(&o, "n", modulus(k));
    jobj_text(&o, "e", "AQAB");
    return jobj_print(&o, false);
}

/* -- a log: a third variables, a third texts of a boot loader, the rest images -- */

static void put_event(struct out *o, uint32_t pcr, uint32_t type, struct bytes data, struct bytes measured)
{
    struct digest d1 = hash(HASH_SHA1, measured), d2 = sha256(measured);

    out_u32le(o, pcr);
    out_u32le(o, type);
    out_u32le(o, 2);
    out_u16le(o, TPM_SHA1);
    out_bytes(o, digest_bytes(&d1));
    out_u16le(o, TPM_SHA256);
    out_bytes(o, digest_bytes(&d2));
    out_u32le(o, (uint32_t)data.n);
    out_bytes(o, data);
}

static void put_variable(struct out *o, size_t i)
{
    struct out v = out_open(&the.a);

    out_bytes(&v, LIT("\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c"));
    out_u64le(&v, 4);
    out_u64le(&v, 200);
    out_bytes(&v, LIT("B\0o\0o\0t\0"));
    for (size_t k = 0; k < 200; k++)
        out_u8(&v, (uint8_t)(i + k));
    put_event(o, 1, EV_EFI_VARIABLE_BOOT2, out_view(&v), out_view(&v));
}

static struct bytes make_log(size_t events)
{
    static const char image[32 + 4] = { [24] = 4, [32] = 0x7f, [33] = '\xff', [34] = 4 };
    struct out o = out_open(&the.a);

    out_u32le(&o, 0);
    out_u32le(&o, EV_NO_ACTION);
    for (int i = 0; i < 20; i++)
        out_u8(&o, 0);
    out_u32le(&o, 37);
    out_bytes(&o, LIT("Spec ID Event03\0\0\0\0\0\0\2\0\2\2\0\0\0"));
    out_bytes(&o, LIT("\4\0\x14\0\x0b\0\x20\0\0"));
    for (size_t i = 1; i < events; i++) {
        const char *text = arena_printf(&the.a, "grub_cmd: set variable_%zu=value", i);

        if (i % 3 == 0)
            put_variable(&o, i);
        else if (i % 3 == 1)
            put_event(&o, 8, EV_IPL, bytes_str(text), bytes_str(text + strlen("grub_cmd: ")));
        else
            put_event(&o, 4, EV_EFI_BOOT_SERVICES_APPLICATION, BYTES(image), bytes_str(text));
    }
    return out_view(&o);
}

/* -- the quote over what the log replays to, PCRs 0 to 15 -- */

static void be(struct out *o, uint64_t v, int n)
{
    while (n-- > 0)
        out_u8(o, (uint8_t)(v >> (8 * n)));
}

static struct bytes make_quote(const struct pcr_bank *b, struct bytes nonce)
{
    struct bytes parts[16];
    struct out o = out_open(&the.a);
    struct digest d;

    for (unsigned i = 0; i < 16; i++)
        parts[i] = bytes_of(b->value[i], 32);
    d = hash_parts(HASH_SHA256, parts, 16);
    be(&o, 0xff544347, 4);
    be(&o, TPM_ATTEST_QUOTE, 2);
    be(&o, 0, 2);
    be(&o, nonce.n, 2);
    out_bytes(&o, nonce);
    be(&o, 1000, 8);
    be(&o, 1, 4);
    be(&o, 0, 4);
    be(&o, 1, 1);
    be(&o, 0, 8);
    be(&o, 1, 4);
    be(&o, TPM_SHA256, 2);
    be(&o, 3, 1);
    be(&o, 0xffff00, 3);
    be(&o, 32, 2);
    out_bytes(&o, digest_bytes(&d));
    return out_view(&o);
}

static struct bytes pcrs_member(const struct pcr_bank *b)
{
    struct jarr values = jarr_open(&the.a), banks = jarr_open(&the.a);
    struct jobj bank = jobj_open(&the.a);

    for (unsigned i = 0; i < 16; i++) {
        struct jobj o = jobj_open(&the.a);

        jobj_int(&o, "index", i);
        jobj_b64url(&o, "digest", bytes_of(b->value[i], 32));
        jarr_raw(&values, jobj_print(&o, false));
    }
    jobj_int(&bank, "algorithm", TPM_SHA256);
    jobj_json(&bank, "values", jarr_close(&values));
    jarr_raw(&banks, jobj_print(&bank, false));
    return jarr_close(&banks);
}

static struct bytes attestation(struct bytes log, const struct pcr_bank *b)
{
    struct jobj o = jobj_open(&the.a), l = jobj_open(&the.a);
    struct jarr logs = jarr_open(&the.a);
    struct out sig = out_open(&the.a);

    be(&sig, TPM_RSASSA, 2);
    be(&sig, TPM_SHA256, 2);
    be(&sig, 256, 2);
    out_bytes(&sig, the.quote_sig);
    jobj_text(&l, "type", "TCG");
    jobj_b64url(&l, "log", log);
    jarr_raw(&logs, jobj_print(&l, false));
    jobj_json(&o, "logs", jarr_close(&logs));
    jobj_json(&o, "aik_pub", jwk(the.ak));
    jobj_json(&o, "pcrs", pcrs_member(b));
    jobj_b64url(&o, "quote", the.quote);
    jobj_b64url(&o, "signature", out_view(&sig));
    return jobj_print(&o, false);
}

static struct bytes payload(struct bytes log, const struct pcr_bank *b, struct bytes key)
{
    struct jobj data = jobj_open(&the.a), rk = jobj_open(&the.a), o = jobj_open(&the.a), top = jobj_open(&the.a);

    jobj_json(&data, "current_attestation", attestation(log, b));
    jobj_json(&rk, "jwk", key);
    jobj_json(&rk, "info", LIT("{\"tpm_quote\":{\"hash_alg\":\"sha-256\"}}"));
    jobj_b64url(&o, "challenge", CHALLENGE);
    jobj_json(&o, "tpm_att_data", jobj_print(&data, false));
    jobj_json(&o, "request_key", jobj_print(&rk, false));
    jobj_text(&o, "service_context", "");
    jobj_text(&top, "att_type", "basic");
    jobj_json(&top, "att_data", jobj_print(&o, false));
    return jobj_print(&top, false);
}

static void set_up(size_t events)
{
    struct bytes log = make_log(events), key = jwk(the.rk);
    const struct bytes bound[] = { key, LIT("\0"), CHALLENGE };
    struct digest nonce = hash_parts(HASH_SHA256, bound, COUNT(bound));
    struct pcr_bank *b = arena_new(&the.a, struct pcr_bank);
    const struct tpm_event *missing;
    struct out jws = out_open(&the.a);

    the.log = tpm_log_open(&the.a);
    if (!tpm_log_add(&the.log, log, "log", NULL) || !tpm_log_replay(&the.log, tpm_bank(TPM_SHA256), b, &missing))
        abort();
    the.quote = make_quote(b, digest_bytes(&nonce));
    the.quote_sig = sign(the.ak, false, the.quote);
    b64url_print(&jws, LIT("{\"alg\":\"PS256\",\"typ\":\"attReqV2\"}"));
    out_char(&jws, '.');
    b64url_print(&jws, payload(log, b, key));
    the.signing_input = arena_copy(&the.a, out_view(&jws));
    the.jws_sig = sign(the.rk, true, the.signing_input);
    out_char(&jws, '.');
    b64url_print(&jws, the.jws_sig);
    the.jws = out_view(&jws);
}

static void floor_rsa(void *user, size_t i)
{
    struct digest d = sha256(the.quote);

    (void)user;
    (void)i;
    if (!key_verify_digest(the.ak_public, SIG_RS256, SIG_DER, digest_bytes(&d), the.quote_sig))
        abort();
    (void)key_verify_digest(the.rk_public, SIG_PS256_ANY_SALT, SIG_DER, digest_bytes(&d), the.jws_sig);
}

static bool verify(struct tpm_request **rq, struct verify_env *env, struct err *e)
{
    arena_reset(&the.request, 256 << 20);
    *env = (struct verify_env){ .now = 1800000000, .trust = &the.none, .settings = &the.settings, .a = &the.request };
    return tpm_request_parse(the.jws, &the.request, rq, e) && tpm_request_verify(*rq, CHALLENGE, env, e);
}

static void verify_only(void *user, size_t i)
{
    struct tpm_request *rq;
    struct verify_env env;
    struct err e = { 0 };

    (void)user;
    (void)i;
    if (!verify(&rq, &env, &e)) {
        fprintf(stderr, "%s: %s\n", e.what, e.why);
        exit(1);
    }
}

static bool reads_no_events(const void *policy, struct bytes claim)
{
    (void)policy;
    return !bytes_is(claim, "events");
}

/* `user`: the policy does not read the events. */
static void with_claims(void *user, size_t i)
{
    static const struct bytes no_issuer;
    struct tpm_request *rq;
    struct verify_env env;
    struct claims c;
    struct err e = { 0 };

    (void)i;
    if (!verify(&rq, &env, &e))
        exit(1);
    env.reads = user == NULL ? NULL : reads_no_events;
    c = claims_open(&the.request);
    if (!tpm_request_claims(rq, no_issuer, &env, &c, &e))
        exit(1);
}

/* What nobody can leave out: the two signatures, the digest that one of them is over, an extension and a digest
 * of the data of each event. */
static void floor_hashes(void *user, size_t i)
{
    const struct tpm_log *log = user;
    struct digest pcr = sha256(the.signing_input);

    floor_rsa(NULL, i);
    for (size_t k = 1; k < log->count; k++) {
        struct digest d = sha256(log->events[k].data);
        const struct bytes two[] = { digest_bytes(&pcr), digest_bytes(&d) };

        pcr = hash_parts(HASH_SHA256, two, COUNT(two));
    }
}

int main(void)
{
    static const size_t sizes[] = { 100, 500, 5000 };
    double rsa;
    size_t n;

    arena_init(&the.a, (size_t)1 << 30);
    arena_init(&the.request, 256 << 20);
    the.settings = settings_default();
    the.settings.required_pcr_mask = 0xffff;
    the.settings.require_valid_aik_cert = false;
    the.ak = EVP_RSA_gen(2048);
    the.rk = EVP_RSA_gen(2048);
    the.ak_public = public_of(the.ak);
    the.rk_public = public_of(the.rk);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char name[64];
        double us;

        set_up(sizes[i]);
        rsa = bench_cpu_us(floor_rsa, NULL, &n);
        if (i == 0)
            bench_print("tpm.floor.two_rsa_verifications", rsa, "us", 0, n);
        us = bench_cpu_us(floor_hashes, &the.log, &n);
        snprintf(name, sizeof(name), "tpm.floor.with_hashes.%zu_events", sizes[i]);
        bench_print(name, us, "us", rsa, n);
        us = bench_cpu_us(verify_only, NULL, &n);
        snprintf(name, sizeof(name), "tpm.verify.%zu_events", sizes[i]);
        bench_print(name, us, "us", rsa, n);
        us = bench_cpu_us(with_claims, &the, &n);
        snprintf(name, sizeof(name), "tpm.verify_and_claims.%zu_events", sizes[i]);
        bench_print(name, us, "us", rsa, n);
        us = bench_cpu_us(with_claims, NULL, &n);
        snprintf(name, sizeof(name), "tpm.verify_and_claims_with_events.%zu_events", sizes[i]);
        bench_print(name, us, "us", rsa, n);
    }
    key_free(the.ak_public);
    key_free(the.rk_public);
    EVP_PKEY_free(the.ak);
    EVP_PKEY_free(the.rk);
    arena_done(&the.request);
    arena_done(&the.a);
    return 0;
}
