/* vbs_test.c: reports of VBS enclaves against the synthetic vectors. */
#include "testing.h"

#include "codec/json.h"
#include "evidence/tpm/boot.h"
#include "evidence/vbs/vbs.h"

struct fixture {
    struct arena a;
    struct bytes report;
    struct bytes key;
    struct tpm_state *s;
    const struct json *want;
};

static void load(struct fixture *f)
{
    struct err e = { .code = ERR_NONE };

    arena_init(&f->a, 64 << 20);
    f->report = test_vector(&f->a, "tpm/vbs/report.bin");
    assert_ok(json_parse(test_vector(&f->a, "tpm/vbs/expected.json"), JSON_DEPTH, "expected", &f->a, &f->want, &e), &e);
    f->s = arena_new(&f->a, struct tpm_state);
    tpm_state_open(f->s, &f->a);
    assert_ok(tpm_state_add(f->s, false, test_vector(&f->a, "tpm/vbs/synthetic-wbcl.bin"), "log", &e), &e);
    assert_ok(tpm_state_assume(f->s, "log", &e), &e);
    assert_ok(tpm_vbs_key(f->s, &f->key, &e), &e);
    assert_true(f->key.n > 0);
}

static bool check(struct fixture *f, struct bytes in, struct err *e)
{
    struct vbs_report r;

    return vbs_report_parse(in, "report", &f->a, &r, e) && vbs_report_verify(&r, f->key, "report", e);
}

static void check_members(struct fixture *f, const struct json *want, const struct claims *c)
{
    for (const struct json *w = want->child; w != NULL; w = w->next) {
        const struct claim *got = claims_find(c, arena_str(&f->a, w->name));

        if (got == NULL)
            fail_msg("claim %s is missing", arena_str(&f->a, w->name));
        if (w->type == JSON_STRING)
            assert_bytes_equal(got->text, w->text);
        else
            assert_bytes_equal(claim_value_json(got, &f->a), w->raw);
    }
}

static void test_claims(void **state)
{
    struct err e = { .code = ERR_NONE };
    struct vbs_report r;
    struct fixture f;
    struct claims c;

    (void)state;
    load(&f);
    assert_ok(vbs_report_parse(f.report, "report", &f.a, &r, &e), &e);
    assert_ok(vbs_report_verify(&r, f.key, "report", &e), &e);
    c = claims_open(&f.a);
    vbs_report_claims(&r, &c);
    check_members(&f, json_member(json_member(f.want, "report"), "claims"), &c);
    assert_int_equal(r.module_count, 1);
    assert_true(bytes_contain(claims_find(&c, "enclaveModules")->text, LIT("\"name\":\"enclave.dll\"")));
    assert_false(vbs_report_check_data(&r, LIT("{}"), "report", &e));
    assert_refused(&e, ERR_VBS_ENCLAVE_DATA, "EnclaveData is 60dfc797");
    c = claims_open(&f.a);
    tpm_state_claims(f.s, true, &c);
    {
        const struct json *scalars = json_member(f.want, "scalarClaims");

        for (const struct json *w = scalars->child; w != NULL; w = w->next)
            if (!bytes_is(w->name, "aikValidated"))
                assert_bytes_equal(claim_value_json(claims_find(&c, arena_str(&f.a, w->name)), &f.a), w->raw);
    }
    arena_done(&f.a);
}

static void test_debug(void **state)
{
    struct err e = { .code = ERR_NONE };
    struct vbs_report r;
    struct fixture f;

    (void)state;
    load(&f);
    assert_ok(vbs_report_parse(test_vector(&f.a, "tpm/vbs/report-debug.bin"), "report", &f.a, &r, &e), &e);
    assert_ok(vbs_report_verify(&r, f.key, "report", &e), &e);
    assert_int_equal(r.flags, 1);
    arena_done(&f.a);
}

/* Unsigned: the four reserved bytes of the header, 20 to 23. */
static void test_damage(void **state)
{
    struct fixture f;
    uint8_t *copy;

    (void)state;
    load(&f);
    copy = arena_alloc(&f.a, f.report.n);
    memcpy(copy, f.report.p, f.report.n);
    for (size_t i = 0; i < f.report.n; i++) {
        struct err e = { .code = ERR_NONE };

        for (int bit = 0; bit < 8; bit++) {
            copy[i] ^= (uint8_t)(1 << bit);
            e.code = ERR_NONE;
            if (i >= 20 && i < 24)
                assert_ok(check(&f, bytes_of(copy, f.report.n), &e), &e);
            else
                assert_false(check(&f, bytes_of(copy, f.report.n), &e));
            copy[i] ^= (uint8_t)(1 << bit);
        }
        e.code = ERR_NONE;
        assert_false(check(&f, bytes_part(f.report, 0, i), &e));
        assert_int_equal(e.code, ERR_VBS_FORMAT);
    }
    arena_done(&f.a);
}

static void test_key(void **state)
{
    struct err e = { .code = ERR_NONE };
    struct vbs_report r;
    struct fixture f;
    uint8_t *copy;

    (void)state;
    load(&f);
    assert_true(vbs_report_parse(f.report, "report", &f.a, &r, NULL));
    copy = arena_alloc(&f.a, f.key.n);
    memcpy(copy, f.key.p, f.key.n);
    copy[f.key.n - 3] ^= 2;
    assert_false(vbs_report_verify(&r, bytes_of(copy, f.key.n), "report", &e));
    assert_refused(&e, ERR_VBS_SIGNATURE, "does not verify with the key of the boot log");
    copy[0] = 2;
    e.code = ERR_NONE;
    assert_false(vbs_report_verify(&r, bytes_of(copy, f.key.n), "report", &e));
    assert_refused(&e, ERR_VBS_KEY, "RSA (1)");
    e.code = ERR_NONE;
    assert_false(vbs_report_verify(&r, bytes_part(f.key, 0, f.key.n - 1), "report", &e));
    assert_refused(&e, ERR_VBS_KEY, "modulus");
    arena_done(&f.a);
}

int main(void)
{
    struct suite s = { 0 };

    if (test_vectors() == NULL) {
        suite_add_skipped(&s, "VBS vectors");
        return suite_run("vbs", &s);
    }
    suite_add(&s, "claims", test_claims, NULL);
    suite_add(&s, "debug enclave", test_debug, NULL);
    suite_add(&s, "damage", test_damage, NULL);
    suite_add(&s, "key of the log", test_key, NULL);
    return suite_run("vbs", &s);
}
