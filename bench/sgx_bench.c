/* sgx_bench.c: primitives of libcrypto in this run, then SGX verification, policy and token against them.
 * Quotes are minted: many platforms, so that no cache is warmer than a fleet would make it. */
#include "bench/bench.h"
#include "core/core.h"
#include "pki/intel_pki.h"
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>

enum { PLATFORMS = 256 };
#define NOW 1750000000

static struct {
    struct arena a, request;
    struct bytes quotes[PLATFORMS];
    struct trust trust;
    struct collateral c;
    struct settings s;
    struct memo *memo;
    struct key *key[PLATFORMS];
    uint8_t sig[PLATFORMS][64];
    struct digest digest;
    struct key_set keys;
    struct core core;
    struct policy *policy;
    struct bytes frame_payload[PLATFORMS];
    struct wire_header header;
} the;

static void die(const struct err *e)
{
    fprintf(stderr, "%s: %s\n", e->what, e->why);
    exit(1);
}

static void set_up(void)
{
    struct intel_pki *p = intel_pki_new();
    struct pki_options o = pki_options(NOW);
    struct bytes (*const items[])(struct intel_pki *, const struct pki_options *, struct arena *) = {
        pki_root_crl, pki_pck_crl, pki_tcb_chain, pki_tcb_info, pki_qe_identity,
    };
    struct err e = { 0 };
    struct cert *root;
    size_t n;

    arena_init(&the.a, 512 << 20);
    arena_init(&the.request, 64 << 20);
    if (!certs_read(pki_root_pem(p, &o, &the.a), 1, "root", &the.a, &root, &n, &e))
        die(&e);
    the.trust = (struct trust){ .anchors = root, .count = n };
    the.c = collateral_open(&the.a);
    for (size_t i = 0; i < COUNT(items); i++)
        if (!collateral_add(&the.c, items[i](p, &o, &the.a), "item", &e))
            die(&e);
    for (size_t i = 0; i < the.c.count; i++) {
        collateral_digest(&the.c.list[i], the.c.list[i].digest);
        the.c.list[i].has_digest = true;
    }
    for (size_t i = 0; i < PLATFORMS; i++) {
        o.serial = 1000 + i;
        the.quotes[i] = pki_quote(p, &o, &the.a);
    }
    the.s = settings_default();
    if (!keys_make(&the.keys, &e))
        die(&e);
    intel_pki_free(p);
}

/* -- floors -- */

static void set_up_floor(void)
{
    struct err e = { 0 };
    struct bytes sig;

    the.digest = sha256(LIT("floor"));
    for (size_t i = 0; i < PLATFORMS; i++) {
        if (!key_from_spki(the.keys.p256.spki, "key", &the.key[i], &e)
            || !keys_sign(&the.keys.p256, SIG_ES256, LIT("floor"), &the.a, &sig, &e))
            die(&e);
        memcpy(the.sig[i], sig.p, 64);
    }
}

static void verify_p256(void *user, size_t i)
{
    (void)user;
    i %= PLATFORMS;
    if (!key_verify_digest(the.key[i], SIG_ES256, SIG_RAW, digest_bytes(&the.digest), bytes_of(the.sig[i], 64)))
        abort();
}

static void sign_with(void *user, size_t i)
{
    const enum sig_alg *alg = user;
    struct bytes sig;
    struct err e = { 0 };

    (void)i;
    arena_reset(&the.request, 1 << 20);
    if (!keys_sign(keys_for(&the.keys, *alg), *alg, LIT("floor"), &the.request, &sig, &e))
        die(&e);
}

static void digest_4k(void *user, size_t i)
{
    (void)user;
    (void)sha256(bytes_part(the.quotes[i % PLATFORMS], 0, 4096));
}

/* -- verification -- */

static void verify_quote(void *user, size_t i)
{
    struct memo *memo = *(struct memo **)user;
    struct evidence_input in = { .evidence = the.quotes[i % PLATFORMS] };
    struct claims claims;
    struct verify_env env;
    struct err e = { 0 };

    arena_reset(&the.request, 64 << 20);
    env = (struct verify_env){ .now = NOW, .trust = &the.trust, .collateral = &the.c, .settings = &the.s, .memo = memo, .a = &the.request };
    claims = claims_open(&the.request);
    if (!evidence_verify(evidence_kind_find(LIT("SgxEnclave")), &in, &env, &claims, NULL, &e))
        die(&e);
}

/* Collateral is known, the platform is not: its chain and QE report are verified anew. */
static void verify_new_platform(void *user, size_t i)
{
    static struct memo *memo;

    (void)user;
    if (i % PLATFORMS == 0) {
        memo_free(memo);
        memo = memo_new(4096);
    }
    verify_quote(&memo, i);
}

/* -- policy, token, the whole core -- */

static void evaluate(void *user, size_t i)
{
    struct claims *claims = user;
    struct policy_result r;
    struct err e = { 0 };

    (void)i;
    arena_reset(&the.request, 16 << 20);
    if (!policy_eval(the.policy, claims, &the.request, &r, NULL, &e))
        die(&e);
}

static void make_parcels(void)
{
    struct arena scratch;
    struct out o;
    struct bytes frame;

    arena_init(&scratch, 512 << 20);
    for (size_t i = 0; i < PLATFORMS; i++) {
        o = wire_begin(&scratch, MSG_ATTEST, i);
        wire_put(&o, TAG_KIND, LIT("SgxEnclave"));
        wire_put(&o, TAG_ISSUER, LIT("https://localhost:8443"));
        wire_put(&o, TAG_EVIDENCE, the.quotes[i]);
        for (size_t k = 0; k < the.c.count; k++)
            wire_put(&o, TAG_COLLATERAL, the.c.list[k].body);
        frame = wire_end(&o);
        the.frame_payload[i] = bytes_part(frame, WIRE_HEADER_SIZE, frame.n);
        (void)!wire_header_parse(bytes_part(frame, 0, WIRE_HEADER_SIZE), &the.header);
    }
    the.core.keys = the.keys;
    the.core.trust = the.trust;
    the.core.memo = memo_new(8192);
    the.core.items = memo_new(4096);
    the.core.policies = memo_new(64);
    for (size_t i = 0; i < KEY_SLOTS; i++)
        the.core.self[i].kind = "none";
}

static void attest(void *user, size_t i)
{
    struct bytes frame;

    (void)user;
    arena_reset(&the.request, CORE_REQUEST_BUDGET);
    if (!core_dispatch(&the.core, &the.header, the.frame_payload[i % PLATFORMS], NOW, &the.request, &frame) || frame.n < 1000)
        abort();
}

/* Measures and prints unless a word on the command line leaves it out. */
static const char *only;

static void measure(const char *name, bench_function *f, void *user, double floor)
{
    size_t n;
    double us;

    if (only != NULL && strstr(name, only) == NULL)
        return;
    for (size_t i = 0; strstr(name, "known") != NULL && i < PLATFORMS; i++)
        f(user, i); /* every platform has been seen once */
    us = bench_cpu_us(f, user, &n);
    bench_print(name, us, "us", floor, n);
}

int main(int argc, char **argv)
{
    enum sig_alg rs256 = SIG_RS256, es256 = SIG_ES256;
    struct memo *none = NULL, *memo = memo_new(8192);
    double p256, rsa, ecdsa, sha;
    struct claims claims;
    struct bytes text;
    struct err e = { 0 };
    size_t n;

    only = argc > 1 ? argv[1] : NULL;
    set_up();
    set_up_floor();
    p256 = bench_cpu_us(verify_p256, NULL, &n);
    bench_print("floor: P-256 verify", p256, "us", 0, n);
    rsa = bench_cpu_us(sign_with, &rs256, &n);
    bench_print("floor: RSA-2048 sign", rsa, "us", 0, n);
    ecdsa = bench_cpu_us(sign_with, &es256, &n);
    bench_print("floor: P-256 sign", ecdsa, "us", 0, n);
    sha = bench_cpu_us(digest_4k, NULL, &n);
    bench_print("floor: SHA-256 of 4096 bytes", sha, "us", 0, n);

    measure("SGX verify: nothing known (chain, collateral, quote: 11 signatures)", verify_quote, &none, 11 * p256);
    measure("SGX verify: collateral known, platform new (5 signatures)", verify_new_platform, NULL, 5 * p256);
    measure("SGX verify: collateral and platform known (1 signature)", verify_quote, &memo, p256);

    arena_init(&the.core.keys.own, 0);
    if (!policy_default(LIT("SgxEnclave"), &text) || !policy_compile(text, LIT("SgxEnclave"), &the.policy, NULL, &e))
        die(&e);
    {
        struct evidence_input in = { .evidence = the.quotes[0] };
        struct verify_env env = { .now = NOW, .trust = &the.trust, .collateral = &the.c, .settings = &the.s, .a = &the.a };

        claims = claims_open(&the.a);
        if (!evidence_verify(evidence_kind_find(LIT("SgxEnclave")), &in, &env, &claims, NULL, &e))
            die(&e);
    }
    measure("policy: default SGX policy", evaluate, &claims, 0);
    make_parcels();
    measure("core: parcel to RS256 token, known platform", attest, NULL, p256 + rsa);
    return 0;
}
