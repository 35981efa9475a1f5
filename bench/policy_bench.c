/* policy_bench.c: what policies cost: each default, and the largest published one over a long boot log. The first
 * argument is that policy's file; without it only the defaults are measured. */
#include "bench/bench.h"
#include "crypto/hash.h"
#include "jmespath/jmespath.h"
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>

struct work {
    const struct policy *policy;
    const struct claims *claims;
    struct bytes text;
    struct arena *a; /* reset before each run */
};

struct call {
    void (*run)(struct work *w);
    struct work *work;
};

static void one_call(void *user, size_t i)
{
    const struct call *c = user;

    (void)i;
    arena_reset(c->work->a, (size_t)256 << 20);
    c->run(c->work);
}

static double measure(void (*run)(struct work *w), struct work *w, size_t *ret_n)
{
    struct call c = { run, w };

    return bench_cpu_us(one_call, &c, ret_n);
}

static void die(const struct err *e)
{
    fprintf(stderr, "%s: %s\n", e->what, e->why);
    exit(1);
}

static void eval_policy(struct work *w)
{
    struct policy_result r;
    struct err e = { 0 };

    if (!policy_eval(w->policy, w->claims, w->a, &r, NULL, &e))
        die(&e);
}

static void compile_policy(struct work *w)
{
    struct policy *p;
    struct err e = { 0 };

    if (!policy_compile(w->text, LIT("Tpm"), &p, NULL, &e))
        die(&e);
    policy_free(p);
}

/* The floor of a policy over claims: every byte of their texts is looked at once. */
static void hash_claims(struct work *w)
{
    for (size_t i = 0; i < w->claims->count; i++)
        (void)sha256(w->claims->list[i].text);
}

/* The floor of a policy over a log: its JSON is read once. */
static void parse_text(struct work *w)
{
    const struct jvalue *v;
    struct err e = { 0 };

    if (!jvalue_parse(w->text, "log", w->a, &v, &e))
        die(&e);
}

static struct policy *compile(struct bytes text, const char *type)
{
    struct policy *p = NULL;
    struct err e = { 0 };

    if (!policy_compile(text, bytes_str(type), &p, NULL, &e))
        die(&e);
    return p;
}

static struct claims sgx_claims(struct arena *a)
{
    struct claims c = claims_open(a);
    static const char hex[] = "b779202618becb636768e5d902f28d524222735fafb539ea9ba07c3fc171a1c2";

    claims_bool(&c, "x-ms-sgx-is-debuggable", CLAIM_TO_BOTH, false);
    claims_int(&c, "x-ms-sgx-product-id", CLAIM_TO_BOTH, 1);
    claims_int(&c, "x-ms-sgx-svn", CLAIM_TO_BOTH, 1);
    claims_str(&c, "x-ms-sgx-mrenclave", CLAIM_TO_BOTH, LIT(hex));
    claims_str(&c, "x-ms-sgx-mrsigner", CLAIM_TO_BOTH, LIT(hex));
    claims_str(&c, "x-ms-sgx-report-data", CLAIM_TO_BOTH, LIT(hex));
    claims_json(&c, "x-ms-sgx-collateral", CLAIM_TO_BOTH, LIT("{\"quotehash\":\"00\"}"));
    claims_str(&c, "x-ms-attestation-type", CLAIM_TO_BOTH, LIT("sgx"));
    claims_str(&c, "x-ms-ver", CLAIM_TO_BOTH, LIT("1.0"));
    for (int i = 0; i < 15; i++)
        claims_str(&c, arena_printf(a, "other-%d", i), CLAIM_TO_POLICY, LIT(hex));
    return c;
}

/* A boot log of 500 events like Windows', about 200 bytes each. */
static struct bytes boot_log(struct arena *a)
{
    struct out o = out_open(a);

    out_text(&o, "{\"Events\":[");
    for (int i = 0; i < 500; i++) {
        out_printf(&o, "%s{\"EventSeq\":%d,\"PcrIndex\":%d,\"EventType\":%d,\"Digests\":{\"SHA256\":"
                   "\"b779202618becb636768e5d902f28d524222735fafb539ea9ba07c3fc171a1c2\"},", i == 0 ? "" : ",", i,
                   i % 5 == 0 ? 12 : i % 14, i % 5 == 0 ? 6 : 1);
        if (i == 7)
            out_text(&o, "\"EventTypeString\":\"EV_EFI_VARIABLE_DRIVER_CONFIG\",\"ProcessedData\":{\"UnicodeName\":\"SecureBoot\","
                         "\"VariableData\":\"AQ\",\"VariableGuid\":\"8BE4DF61-93CA-11D2-AA0D-00E098032B8C\"}}");
        else if (i % 5 == 0)
            out_text(&o, "\"EventTypeString\":\"EV_EVENT_TAG\",\"ProcessedData\":{\"EVENT_TRUSTBOUNDARY\":{\"EVENT_CODEINTEGRITY\":true,"
                         "\"EVENT_BOOTDEBUGGING\":false,\"EVENT_LOADEDMODULE_AGGREGATION\":[{\"EVENT_FILEPATH\":\"\\\\Windows\\\\x.sys\","
                         "\"EVENT_IMAGEVALIDATED\":true}]}}}");
        else
            out_text(&o, "\"EventTypeString\":\"EV_EFI_BOOT_SERVICES_APPLICATION\",\"ProcessedData\":{}}");
    }
    out_text(&o, "]}");
    return out_view(&o);
}

static struct bytes file_of(struct arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    struct out o = out_open(a);
    char block[4096];
    size_t n;

    if (f == NULL)
        return (struct bytes){ NULL, 0 };
    while ((n = fread(block, 1, sizeof(block), f)) > 0)
        out_bytes(&o, bytes_of(block, n));
    fclose(f);
    return out_view(&o);
}

static void bench_defaults(struct arena *keep, struct arena *a)
{
    static const char *const types[] = { "SgxEnclave", "SevSnpVm", "TdxVm", "AzureGuest" };
    struct claims c = sgx_claims(keep);
    double floor_us;
    size_t n;

    for (size_t i = 0; i < COUNT(types); i++) {
        struct bytes text = { NULL, 0 };
        struct policy *p;
        struct work w = { .claims = &c, .a = a };
        char name[80];

        if (!policy_default(bytes_str(types[i]), &text))
            continue;
        p = compile(text, types[i]);
        w.policy = p;
        floor_us = measure(hash_claims, &w, &n);
        snprintf(name, sizeof(name), "policy: default %s", types[i]);
        bench_print(name, measure(eval_policy, &w, &n), "us", floor_us, n);
        policy_free(p);
    }
}

/* The largest sample policy (the Windows health policy) over the log; its path is the first argument. */
static void bench_log(struct arena *keep, struct arena *a, const char *path)
{
    struct claims c = claims_open(keep);
    struct work w = { .claims = &c, .a = a, .text = boot_log(keep) };
    struct bytes text = file_of(keep, path);
    struct policy *p;
    double floor_us;
    size_t n;

    if (text.p == NULL) {
        fprintf(stderr, "%s: cannot be read; skipped\n", path);
        return;
    }
    claims_json(&c, "events", CLAIM_TO_POLICY, w.text);
    claims_bool(&c, "aikValidated", CLAIM_TO_POLICY, true);
    p = compile(text, "Tpm");
    w.policy = p;
    floor_us = measure(parse_text, &w, &n);
    bench_print("policy: largest sample, 500 events", measure(eval_policy, &w, &n), "us", floor_us, n);
    w.text = text;
    bench_print("policy: compile the largest sample", measure(compile_policy, &w, &n), "us", 0, n);
    policy_free(p);
}

int main(int argc, char **argv)
{
    struct arena keep, a;

    arena_init(&keep, (size_t)64 << 20);
    arena_init(&a, (size_t)256 << 20);
    bench_defaults(&keep, &a);
    if (argc > 1)
        bench_log(&keep, &a, argv[1]);
    arena_done(&a);
    arena_done(&keep);
    return 0;
}
