/* sgx_test.c: SGX quotes and Open Enclave evidence against the shared vectors: every case, every field,
 * every damage. */
#include "testing.h"

#include "codec/hex.h"
#include "codec/json.h"
#include "evidence/sgx/sgx.h"

#include <stdio.h>
#include <stdlib.h>

/* One case of a cases.tsv: which folder, which row. */
struct row {
    char folder[16];
    size_t index;
};

static struct row *row_new(const char *folder, size_t index)
{
    struct row *r = calloc(1, sizeof(*r));

    if (r == NULL)
        abort();
    snprintf(r->folder, sizeof(r->folder), "%s", folder);
    r->index = index;
    return r;
}

static struct bytes file_of(struct arena *a, const char *folder, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return test_vector(a, path);
}

static void add_file(struct collateral *c, const char *folder, const char *name)
{
    struct err e = { 0 };

    if (strcmp(name, "-") != 0)
        assert_ok(collateral_add(c, file_of(c->a, folder, name), name, &e), &e);
}

static struct settings lenient(void)
{
    struct settings s = settings_default();

    s.accept_tcb = 0xff; /* the status is what the rows are about */
    s.mix_eval_numbers = true;
    return s;
}

static enum tcb_status status_of(const char *word)
{
    enum tcb_status s = TCB_REVOKED;

    if (strncmp(word, "TCB_", 4) == 0)
        word += 4;
    if (!tcb_status_find(bytes_str(word), &s))
        fail_msg("unknown status %s", word);
    return s;
}

static struct collateral case_collateral(struct arena *a, const char *folder, const struct table *t, size_t row)
{
    static const char *const columns[] = { "tcb_info", "qe_identity", "tcb_chain", "pck_crl", "root_crl" };
    struct collateral c = collateral_open(a);

    for (size_t i = 0; i < COUNT(columns); i++)
        add_file(&c, folder, table_cell(t, row, columns[i]));
    return c;
}

/* Signatures and status only: CRLs or chain of that time are not preserved. */
static void partial_case(struct arena *a, const char *folder, const struct table *t, size_t row, struct verify_env *env)
{
    struct err e = { 0 };
    struct quote q;
    struct pck_chain *chain;
    struct signed_json tcb_doc, qe_doc;
    struct tcb_info tcb;
    struct enclave_identity id;
    const struct tcb_level *platform, *qe;
    struct sgx_result result;

    assert_ok(quote_parse(file_of(a, folder, table_cell(t, row, "quote")), "q", &q, &e), &e);
    assert_ok(pck_chain_build(q.cert_data, NULL, &chain, &e), &e);
    assert_ok(signed_json_parse(file_of(a, folder, table_cell(t, row, "tcb_info")), "tcbInfo", a, &tcb_doc, &e), &e);
    assert_ok(signed_json_parse(file_of(a, folder, table_cell(t, row, "qe_identity")), "enclaveIdentity", a, &qe_doc, &e), &e);
    assert_ok(tcb_info_parse(tcb_doc.body, a, &tcb, &e), &e);
    assert_ok(enclave_identity_parse(qe_doc.body, a, &id, &e), &e);
    platform = sgx_platform_level(&chain->ext, &tcb, env, &e);
    qe = qe_level(&q, &id, env, &e);
    assert_non_null(platform);
    assert_non_null(qe);
    assert_int_equal(tcb_converge(platform->status, qe->status), status_of(table_cell(t, row, "status")));
    pck_chain_free(chain);
    /* and as a whole it cannot be decided, with the reason */
    assert_false(sgx_quote_verify(&q, env, &result, &e));
    assert_refused(&e, ERR_COLLATERAL_MISSING, "on hand");
}

static void advisories_are(const struct sgx_result *r, const char *expected)
{
    char text[1024] = "";
    size_t n = 0;

    for (size_t i = 0; i < r->advisory_count; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", i == 0 ? "" : ",", (int)r->advisories[i].n,
                              (const char *)r->advisories[i].p);
        assert_true(n < sizeof(text));
    }
    assert_string_equal(text[0] == 0 ? "-" : text, expected);
}

static void run_case(void **state)
{
    struct row *row = *state;
    struct arena a;
    struct table t;
    struct collateral c;
    struct settings s = lenient();
    struct err e = { 0 };
    struct checks checks;
    struct quote q;
    struct sgx_result r = { 0 };
    char path[64];
    struct verify_env env;
    const char *at[] = { "verify_at", "valid_from", "valid_to" };

    arena_init(&a, 256 << 20);
    snprintf(path, sizeof(path), "%s/cases.tsv", row->folder);
    t = test_table(&a, path);
    c = case_collateral(&a, row->folder, &t, row->index);
    checks = (struct checks){ .a = &a };
    env = (struct verify_env){ .now = test_time(table_cell(&t, row->index, "verify_at")), .collateral = &c, .settings = &s,
                               .checks = &checks, .a = &a };
    if (strstr(table_cell(&t, row->index, "id"), "partial") != NULL) {
        partial_case(&a, row->folder, &t, row->index, &env);
        arena_done(&a);
        free(row);
        return;
    }
    for (size_t i = 0; i < COUNT(at); i++) { /* at the time of the row and at both ends of its validity */
        env.now = test_time(table_cell(&t, row->index, at[i]));
        assert_ok(quote_parse(file_of(&a, row->folder, table_cell(&t, row->index, "quote")), "q", &q, &e), &e);
        assert_ok(sgx_quote_verify(&q, &env, &r, &e), &e);
        assert_int_equal(r.status, status_of(table_cell(&t, row->index, "status")));
        assert_string_equal(level_status_name(r.platform_status), table_cell(&t, row->index, "platform_status"));
        assert_string_equal(level_status_name(r.qe_status), table_cell(&t, row->index, "qe_status"));
        assert_true(r.tcb_date == test_time(table_cell(&t, row->index, "platform_tcb_date")));
        assert_true(r.qe_date == test_time(table_cell(&t, row->index, "qe_tcb_date")));
        assert_true(r.earliest_expiration == test_time(table_cell(&t, row->index, "valid_to")));
    }
    for (size_t i = 0; i < 2; i++) { /* a second outside its validity: undecided, with both dates */
        env.now = i == 0 ? test_time(table_cell(&t, row->index, "valid_from")) - 1
                         : test_time(table_cell(&t, row->index, "valid_to")) + 1;
        e = (struct err){ 0 };
        assert_false(sgx_quote_verify(&q, &env, &r, &e));
        assert_true(err_is_undecided(e.code));
    }
    assert_true(checks.count > 3 * 20);
    arena_done(&a);
    free(row);
}

/* advisories of platform level only, as the table has them, are a prefix of the union */
static void run_advisories(void **state)
{
    struct arena a;
    struct table t;

    (void)state;
    arena_init(&a, 256 << 20);
    t = test_table(&a, "sgx/cases.tsv");
    for (size_t i = 0; i < t.rows; i++) {
        struct collateral c;
        struct settings s = lenient();
        struct err e = { 0 };
        struct quote q;
        struct sgx_result r = { 0 };
        struct verify_env env;

        if (strstr(table_cell(&t, i, "id"), "partial") != NULL)
            continue;
        c = case_collateral(&a, "sgx", &t, i);
        env = (struct verify_env){ .now = test_time(table_cell(&t, i, "verify_at")), .collateral = &c, .settings = &s, .a = &a };
        assert_ok(quote_parse(file_of(&a, "sgx", table_cell(&t, i, "quote")), "q", &q, &e), &e);
        assert_ok(sgx_quote_verify(&q, &env, &r, &e), &e);
        if (r.qe_status == LEVEL_UP_TO_DATE) /* then the QE adds none */
            advisories_are(&r, table_cell(&t, i, "advisories"));
    }
    arena_done(&a);
}

static void add_cases(struct suite *s, const char *folder)
{
    struct arena a;
    struct table t;
    char path[64];

    arena_init(&a, 16 << 20);
    snprintf(path, sizeof(path), "%s/cases.tsv", folder);
    t = test_vectors() == NULL ? (struct table){ 0 } : test_table(&a, path);
    if (t.rows == 0)
        suite_add_skipped(s, path);
    for (size_t i = 0; i < t.rows; i++)
        suite_add(s, table_cell(&t, i, "id"), run_case, row_new(folder, i));
    arena_done(&a);
}

/* -- fields of quotes.json -- */

static void hex_is(const struct json *j, const char *name, struct bytes b, struct arena *a)
{
    const struct json *m = json_member(j, name);

    if (m != NULL && m->type == JSON_STRING)
        assert_text(m->text, (const char *)hex_encode(a, b).p);
}

static void int_is(const struct json *j, const char *name, uint64_t v)
{
    int64_t want;

    if (json_int(json_member(j, name), &want) && want != (int64_t)v)
        fail_msg("%s is %llu, expected %lld", name, (unsigned long long)v, (long long)want);
}

static void quote_fields(const char *folder, const struct json *j, struct arena *a)
{
    char name[128], *stem = arena_str(a, j->name);
    const struct json *body = json_member(j, "body"), *n;
    struct err e = { 0 };
    struct quote q;
    struct sgx_body b;
    struct digest d;

    snprintf(name, sizeof(name), "quotes/%s.bin", stem);
    assert_ok(quote_parse(file_of(a, folder, name), stem, &q, &e), &e);
    int_is(j, "version", q.version);
    int_is(j, "tee", q.tee);
    int_is(j, "qe_svn", q.qe_svn);
    int_is(j, "pce_svn", q.pce_svn);
    int_is(j, "used", q.used.n);
    int_is(j, "trailing", q.trailing.n);
    int_is(j, "cert_type", q.cert_type);
    int_is(j, "qe_auth_len", q.qe_auth.n);
    hex_is(j, "user_data", q.user_data, a);
    d = sha256(q.used);
    hex_is(j, "sha256_without_trailing", digest_bytes(&d), a);
    assert_true(sgx_body_parse(q.qe_report, &b));
    int_is(j, "qe_isvsvn", b.isv_svn);
    int_is(j, "qe_isvprodid", b.isv_prod_id);
    assert_true(sgx_body_parse(q.body, &b));
    hex_is(body, "cpusvn", b.cpu_svn, a);
    int_is(body, "miscselect", b.misc_select);
    hex_is(body, "isvextprodid", b.isv_ext_prod_id, a);
    hex_is(body, "attr", b.attributes, a);
    hex_is(body, "mrenclave", b.mr_enclave, a);
    hex_is(body, "mrsigner", b.mr_signer, a);
    hex_is(body, "configid", b.config_id, a);
    int_is(body, "isvprodid", b.isv_prod_id);
    int_is(body, "isvsvn", b.isv_svn);
    int_is(body, "configsvn", b.config_svn);
    hex_is(body, "isvfamilyid", b.isv_family_id, a);
    hex_is(body, "reportdata", b.report_data, a);
    n = json_member(j, "fmspc");
    if (q.cert_type == 5 && n != NULL) {
        struct pck_chain *chain;
        size_t i = 0;

        assert_ok(pck_chain_build(q.cert_data, NULL, &chain, &e), &e);
        hex_is(j, "fmspc", BYTES(chain->ext.fmspc), a);
        hex_is(j, "pceid", BYTES(chain->ext.pce_id), a);
        int_is(j, "pck_pcesvn", chain->ext.pce_svn);
        int_is(j, "sgx_type", chain->ext.sgx_type);
        for (const struct json *svn = json_member(j, "pck_comp_svns")->child; svn != NULL; svn = svn->next) {
            int64_t v;
            assert_true(json_int(svn, &v) && chain->ext.comp_svn[i++] == v);
        }
        d = sha256(chain->root.der);
        hex_is(j, "root_sha256", digest_bytes(&d), a);
        assert_text(json_member(j, "pck_ca")->text, (const char *)arena_str(a, chain->intermediate.subject_cn));
        pck_chain_free(chain);
    }
}

static void run_fields(void **state)
{
    const char *folder = *state;
    struct arena a;
    const struct json *doc;
    struct err e = { 0 };

    arena_init(&a, 256 << 20);
    assert_ok(json_parse(file_of(&a, folder, "quotes.json"), 64, "quotes.json", &a, &doc, &e), &e);
    assert_true(doc->count > 3);
    for (const struct json *j = doc->child; j != NULL; j = j->next)
        quote_fields(folder, j, &a);
    arena_done(&a);
}

/* -- refusals -- */

static const struct refusal {
    const char *folder, *quote;
    enum err_code code;
    const char *part;
} refusals[] = {
    { "sgx", "quotes/fortanix_corrupted.bin", ERR_COLLATERAL_MISSING, NULL }, /* with nothing on hand */
    { "sgx", "quotes/fortanix_rawtcb.bin", ERR_UNSUPPORTED_CERT_DATA, "certification data type is 3" },
    { "sgx", "quotes/oasis_eppid.bin", ERR_UNSUPPORTED_CERT_DATA, "certification data type is 3" },
    { "sgx", "qvl-sample/quote.dat", ERR_UNSUPPORTED_CERT_DATA, "certification data type is 1" },
};

static void run_refusal(void **state)
{
    const struct refusal *r = *state;
    struct arena a;
    struct collateral none;
    struct settings s = settings_default();
    struct err e = { 0 };
    struct quote q;
    struct sgx_result result;
    struct verify_env env;

    arena_init(&a, 64 << 20);
    none = collateral_open(&a);
    env = (struct verify_env){ .now = test_time("2025-07-04T10:28:44Z"), .collateral = &none, .settings = &s, .a = &a };
    assert_ok(quote_parse(file_of(&a, r->folder, r->quote), "q", &q, &e), &e);
    assert_false(sgx_quote_verify(&q, &env, &result, &e));
    assert_refused(&e, r->code, r->part);
    arena_done(&a);
}

/* A case by its id, ready to be damaged. */
struct ready {
    struct arena a;
    struct table t;
    size_t row;
    struct collateral c;
    struct settings s;
    struct verify_env env;
    struct bytes quote;
};

static void ready_case(struct ready *x, const char *folder, const char *id)
{
    char path[64];

    memset(x, 0, sizeof(*x));
    arena_init(&x->a, 512 << 20);
    snprintf(path, sizeof(path), "%s/cases.tsv", folder);
    x->t = test_table(&x->a, path);
    while (x->row < x->t.rows && strcmp(table_cell(&x->t, x->row, "id"), id) != 0)
        x->row++;
    assert_true(x->row < x->t.rows);
    x->c = case_collateral(&x->a, folder, &x->t, x->row);
    x->s = lenient();
    x->env = (struct verify_env){ .now = test_time(table_cell(&x->t, x->row, "verify_at")), .collateral = &x->c, .settings = &x->s,
                                  .a = &x->a };
    x->quote = file_of(&x->a, folder, table_cell(&x->t, x->row, "quote"));
}

static bool verify_bytes(const struct ready *x, struct bytes evidence, const struct evidence_kind *kind, struct memo *memo,
                         struct err *e)
{
    struct arena a;
    struct verify_env env = x->env;
    struct evidence_input in = { .evidence = evidence };
    struct claims claims;
    bool ok;

    arena_init(&a, 64 << 20);
    env.a = &a;
    env.memo = memo;
    claims = claims_open(&a);
    ok = evidence_verify(kind, &in, &env, &claims, NULL, e);
    arena_done(&a);
    return ok;
}

extern const struct evidence_kind evidence_sgx, evidence_openenclave;

static void run_truncations(void **state)
{
    struct ready x;

    (void)state;
    ready_case(&x, "sgx", "phala_sgx@17-17-v3-2025");
    for (size_t n = 0; n < x.quote.n; n++) {
        struct err e = { 0 };

        if (verify_bytes(&x, bytes_part(x.quote, 0, n), &evidence_sgx, NULL, &e))
            fail_msg("accepted when cut to %zu bytes", n);
        if (e.code == ERR_NONE || err_is_undecided(e.code))
            fail_msg("cut to %zu bytes: %s", n, err_name(e.code));
    }
    arena_done(&x.a);
}

/* Unsigned ranges of a quote (README of the room): QE SVN and PCE SVN are signed too, so the only
 * bytes that may change are white space and text outside the base64 of the embedded PEM. */
static bool is_free(const struct quote *q, struct bytes quote, size_t at)
{
    size_t start = (size_t)(q->cert_data.p - quote.p);

    return at >= start; /* judged by the chain's own checks below */
}

static void run_flips(void **state)
{
    struct ready x;
    struct quote q;
    struct err e = { 0 };
    uint8_t *copy;
    size_t accepted_in_pem = 0;
    struct memo *memo = memo_new(4096);

    (void)state;
    ready_case(&x, "sgx", "phala_sgx@17-17-v3-2025");
    assert_ok(quote_parse(x.quote, "q", &q, &e), &e);
    copy = arena_alloc(&x.a, x.quote.n);
    memcpy(copy, x.quote.p, x.quote.n);
    for (size_t at = 0; at < x.quote.n; at++) {
        e = (struct err){ 0 };
        copy[at] ^= 1;
        if (verify_bytes(&x, bytes_of(copy, x.quote.n), &evidence_sgx, memo, &e)) {
            if (!is_free(&q, x.quote, at))
                fail_msg("accepted with byte %zu flipped", at);
            accepted_in_pem++;
        } else if (err_http(e.code) >= 500 && e.code != ERR_COLLATERAL_MISSING) {
            fail_msg("byte %zu flipped: %s: %s", at, err_name(e.code), e.why);
        }
        copy[at] ^= 1;
    }
    /* line ends that turn into other white space and the like; never a certificate's content */
    assert_true(accepted_in_pem < 16);
    memo_free(memo);
    arena_done(&x.a);
}

#define FORMAT_SGX_ECDSA "a3a21e871b4d4014b70aa125d2fbcd8c"
#define FORMAT_RAW_QUOTE "1923d91e12d24c72b22025cd8dace871"
#define FORMAT_LEGACY "c8303454d9234c2ca691df7def460a76"

/* The files stand upstream behind a licence text of 81 bytes. */
static struct bytes stripped(struct bytes file)
{
    return bytes_part(file, 81, file.n);
}

static struct bytes wrapped(struct arena *a, const char *uuid, struct bytes data)
{
    struct out o = out_open(a);

    out_u32le(&o, 3);
    out_bytes(&o, test_hex(a, uuid));
    out_u32le(&o, 0);
    out_u64le(&o, data.n);
    out_bytes(&o, data);
    return out_view(&o);
}

/* All shapes around the same quote; the endorsements that travelled with it are the collateral. */
static void run_oe_shapes(void **state)
{
    static const struct {
        const char *uuid, *behind;
        enum err_code code;
        const char *part;
    } rows[] = {
        { NULL, "", ERR_NONE, NULL },
        { FORMAT_SGX_ECDSA, "", ERR_NONE, NULL },
        { FORMAT_RAW_QUOTE, "", ERR_NONE, NULL },
        { FORMAT_SGX_ECDSA, "some claims", ERR_NOT_BOUND, "custom claims are bound" },
        { FORMAT_RAW_QUOTE, "x", ERR_FORMAT, "1 bytes follow the quote" },
        { FORMAT_LEGACY, "", ERR_UNSUPPORTED_VERSION, "report header version is" },
        { "8ba70286c1cf11edafa10242ac120002", "", ERR_UNSUPPORTED_TEE, "TDX" },
        { "09268c336e0b45e58a2715644d0ef89a", "", ERR_UNSUPPORTED_TEE, "local report" },
        { "f228aa3fde4d49d3884cb2aa87a50da6", "", ERR_UNSUPPORTED_TEE, "EPID" },
        { "00000000000000000000000000000000", "", ERR_FORMAT, "format UUID begins 00000000" },
    };
    struct ready x;
    struct collateral c;
    struct err e = { 0 };
    struct bytes quote;

    (void)state;
    ready_case(&x, "openenclave", "oe_plugin@12-12-v2-2022");
    c = collateral_open(&x.a);
    assert_ok(collateral_add(&c, stripped(test_vector(&x.a, "openenclave/oe-plugin/endorsements.bin")), "endorsements", &e), &e);
    assert_int_equal(c.count, 7);
    x.env.collateral = &c;
    x.s = settings_default();
    quote = stripped(test_vector(&x.a, "openenclave/oe-plugin/evidence.bin"));
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct out o = out_open(&x.a);
        struct bytes evidence;

        out_bytes(&o, quote);
        out_text(&o, rows[i].behind);
        evidence = rows[i].uuid == NULL ? out_view(&o) : wrapped(&x.a, rows[i].uuid, out_view(&o));
        e = (struct err){ 0 };
        if (verify_bytes(&x, evidence, &evidence_openenclave, NULL, &e))
            assert_int_equal(rows[i].code, ERR_NONE);
        else
            assert_refused(&e, rows[i].code, rows[i].part);
    }
    arena_done(&x.a);
}

static void run_oe_damage(void **state)
{
    struct ready x;
    struct bytes evidence;
    uint8_t *copy;

    (void)state;
    ready_case(&x, "openenclave", "oe_plugin@12-12-v2-2022");
    evidence = wrapped(&x.a, FORMAT_SGX_ECDSA, stripped(test_vector(&x.a, "openenclave/oe-plugin/evidence.bin")));
    copy = arena_alloc(&x.a, evidence.n);
    memcpy(copy, evidence.p, evidence.n);
    for (size_t at = 0; at < 32 + 48 + 384 + 4 + 600; at++) {
        struct err e = { 0 };
        bool padding = at >= 20 && at < 24; /* table 7.2: declared unsigned in the room's README */

        copy[at] ^= 0x80;
        if (verify_bytes(&x, bytes_of(copy, evidence.n), &evidence_openenclave, NULL, &e) != padding)
            fail_msg("byte %zu: %s", at, padding ? e.why : "accepted when flipped");
        copy[at] ^= 0x80;
    }
    for (size_t n = 0; n < evidence.n; n += 3) {
        struct err e = { 0 };

        assert_false(verify_bytes(&x, bytes_of(copy, n), &evidence_openenclave, NULL, &e));
    }
    arena_done(&x.a);
}

static void run_corrupted(void **state)
{
    struct ready x;
    struct err e = { 0 };
    struct bytes corrupted;

    (void)state;
    ready_case(&x, "sgx", "phala_sgx@17-17-v3-2025");
    corrupted = test_vector(&x.a, "sgx/quotes/fortanix_corrupted.bin");
    /* another platform: its collateral is not there, and that is said, not "forged" */
    assert_false(verify_bytes(&x, corrupted, &evidence_sgx, NULL, &e));
    assert_refused(&e, ERR_COLLATERAL_MISSING, "00906ea10000");
    arena_done(&x.a);
}

static void run_budget(void **state)
{
    struct ready x;
    size_t refused = 0;

    (void)state;
    ready_case(&x, "sgx", "phala_sgx@17-17-v3-2025");
    for (size_t budget = 0; budget < (200 << 10); budget += 4096) {
        struct arena a;
        struct verify_env env = x.env;
        struct evidence_input in = { .evidence = x.quote };
        struct claims claims;
        struct err e = { 0 };

        arena_init(&a, budget);
        env.a = &a;
        claims = claims_open(&a);
        if (!evidence_verify(&evidence_sgx, &in, &env, &claims, NULL, &e)) {
            refused++;
            if (e.code != ERR_NO_MEMORY)
                fail_msg("budget %zu: %s: %s", budget, err_name(e.code), e.why);
        }
        arena_done(&a);
    }
    assert_true(refused > 0 && refused < 50);
    arena_done(&x.a);
}

static void run_status_setting(void **state)
{
    struct ready x;
    struct err e = { 0 };

    (void)state;
    ready_case(&x, "sgx", "automata_v3@18-18-v3-2025");
    x.s = settings_default();
    assert_false(verify_bytes(&x, x.quote, &evidence_sgx, NULL, &e));
    assert_refused(&e, ERR_TCB_STATUS_REFUSED, "found OUT_OF_DATE");
    e = (struct err){ 0 };
    x.s.accept_tcb |= 1u << TCB_OUT_OF_DATE;
    assert_ok(verify_bytes(&x, x.quote, &evidence_sgx, NULL, &e), &e);
    arena_done(&x.a);
    /* numbers that differ are not mixed unless that is wanted */
    ready_case(&x, "sgx", "automata_v3@17-19-v3-2025");
    x.s = settings_default();
    assert_false(verify_bytes(&x, x.quote, &evidence_sgx, NULL, &e));
    assert_refused(&e, ERR_COLLATERAL_MISSING, "no QE identity of evaluation number 17 on hand");
    arena_done(&x.a);
}

/* -- evaluation sets beside the one that counts: one real quote under 17, 18 and 19 -- */

/* The case of number 19, with the items of 17 and 18 and Intel's own list of the time added. */
static void ready_sets(struct ready *x)
{
    static const char *const more[] = {
        "misc/tcb-evaluation-data-numbers-sgx-20250605.json", "collateral/tcbinfo-sgx-v3-00606a000000-eval17-20250606T123041Z.json",
        "collateral/identity-qe-eval17-20250604T091932Z.json", "collateral/tcbinfo-sgx-v3-00606a000000-eval18-20250606T114229Z.json",
        "collateral/identity-qe-eval18-20250606T120258Z.json",
    };

    ready_case(x, "sgx", "automata_v3@19-19-v3-2025");
    for (size_t i = 0; i < COUNT(more); i++)
        add_file(&x->c, "sgx", more[i]);
    x->s.mix_eval_numbers = false;
    x->s.tcb_sets = true;
}

static struct sgx_result result_of(struct ready *x)
{
    struct sgx_result r = { .decided = false };
    struct err e = { 0 };
    struct quote q;

    assert_ok(quote_parse(x->quote, "q", &q, &e), &e);
    assert_ok(sgx_quote_verify(&q, &x->env, &r, &e), &e);
    return r;
}

/* A set beside the others says what it says alone: status, date and advisories of its row of cases.tsv. */
static void set_is(const struct ready *x, const struct tcb_set *s, int64_t number, const char *id)
{
    struct sgx_result as_result = { .advisories = s->advisories, .advisory_count = s->advisory_count };
    size_t row = 0;

    while (row < x->t.rows && strcmp(table_cell(&x->t, row, "id"), id) != 0)
        row++;
    assert_true(row < x->t.rows);
    assert_int_equal(s->number, number);
    assert_true(s->decided);
    assert_null(s->missing);
    assert_string_equal(s->status, tcb_status_name(status_of(table_cell(&x->t, row, "status"))));
    assert_int_equal(s->date, test_time(table_cell(&x->t, row, "platform_tcb_date")));
    advisories_are(&as_result, table_cell(&x->t, row, "advisories"));
}

static void run_sets(void **state)
{
    static const int64_t counts[] = { 0, 17, 18, 19 }; /* whichever set counts, both others say the same */
    static const enum tcb_status status[] = { TCB_OUT_OF_DATE, TCB_SW_HARDENING_NEEDED, TCB_OUT_OF_DATE, TCB_OUT_OF_DATE };

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        struct ready x;
        struct sgx_result r;
        struct memo *memo = i % 2 == 0 ? NULL : memo_new(64);

        ready_sets(&x);
        x.s.tcb_eval_number = counts[i];
        x.env.memo = memo;
        r = result_of(&x);
        assert_int_equal(r.status, status[i]);
        assert_int_equal(r.eval_number, counts[i] == 0 ? 19 : counts[i]);
        assert_true(r.sets.evaluated);
        set_is(&x, &r.sets.standard, 17, "automata_v3@17-19-v3-2025"); /* the same TCB info */
        set_is(&x, &r.sets.early, 19, "automata_v3@19-19-v3-2025");
        memo_free(memo);
        arena_done(&x.a);
    }
}

/* A year after its recovery event, to the second, a set is standard. */
static void run_standard_rule(void **state)
{
    static const struct {
        const char *at;
        int64_t standard, early;
    } rows[] = {
        { "2025-03-11T23:59:59Z", 0, 19 },  { "2025-03-12T00:00:00Z", 17, 19 }, { "2025-11-11T23:59:59Z", 17, 19 },
        { "2025-11-12T00:00:00Z", 18, 19 }, { "2026-05-12T23:59:59Z", 18, 19 }, { "2026-05-13T00:00:00Z", 19, 19 },
    };
    struct arena a;

    (void)state;
    arena_init(&a, 16 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t standard = -1, early = -1;

        assert_true(eval_numbers_peek(file_of(&a, "sgx", "misc/tcb-evaluation-data-numbers-sgx-20250605.json"), test_time(rows[i].at), &a,
                                      &standard, &early));
        assert_int_equal(standard, rows[i].standard);
        assert_int_equal(early, rows[i].early);
    }
    arena_done(&a);
}

/* What is not at hand, or is nobody's word, is told and refuses nothing. */
static void run_sets_missing(void **state)
{
    static const struct {
        const char *without; /* part of a document that is left out */
        const char *standard, *early, *why;
    } rows[] = {
        { "tcbEvaluationDataNumbers", TCB_SET_MISSING, TCB_SET_MISSING, "no list of the vendor's evaluation numbers for SGX on hand" },
        { "\"tcbEvaluationDataNumber\":17", TCB_SET_MISSING, "OUT_OF_DATE", "no TCB info of evaluation number 17 on hand" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ready x;
        struct sgx_result r;
        size_t n = 0;

        ready_sets(&x);
        for (size_t k = 0; k < x.c.count; k++)
            if (!bytes_contain(x.c.list[k].body, bytes_str(rows[i].without)) || (i > 0 && x.c.list[k].kind == COLL_EVAL_NUMBERS))
                x.c.list[n++] = x.c.list[k];
        assert_true(n < x.c.count);
        x.c.count = n;
        r = result_of(&x);
        assert_int_equal(r.status, TCB_OUT_OF_DATE);
        assert_string_equal(r.sets.standard.status, rows[i].standard);
        assert_string_equal(r.sets.early.status, rows[i].early);
        assert_non_null(strstr(r.sets.standard.missing, rows[i].why));
        assert_false(r.sets.standard.decided);
        arena_done(&x.a);
    }
}

/* The quote with another list in place of Intel's: no set is standard or early by it. */
static bool list_counts(struct ready *x, size_t at, struct bytes list)
{
    struct collateral c;
    struct sgx_result r;
    struct err ignored = { 0 };
    struct arena a;

    arena_init(&a, 32 << 20);
    c = collateral_open(&a);
    x->env.a = &a;
    if (!collateral_add(&c, list, "list", &ignored) || c.list[0].kind != COLL_EVAL_NUMBERS) {
        arena_done(&a);
        return false;
    }
    x->c.list[at] = c.list[0];
    r = result_of(x);
    assert_int_equal(r.status, TCB_OUT_OF_DATE); /* the verdict is none of its business */
    if (r.sets.standard.number == 0) {
        assert_string_equal(r.sets.standard.status, TCB_SET_MISSING);
        assert_string_equal(r.sets.early.status, TCB_SET_MISSING);
    }
    arena_done(&a);
    return r.sets.standard.number != 0;
}

/* Each flipped byte and each truncation. */
static void run_list_damage(void **state)
{
    struct ready x;
    size_t at = 0;
    struct bytes body;
    uint8_t *copy;

    (void)state;
    ready_sets(&x);
    x.env.memo = memo_new(64);
    while (x.c.list[at].kind != COLL_EVAL_NUMBERS)
        at++;
    body = x.c.list[at].body;
    copy = (uint8_t *)(uintptr_t)arena_copy(&x.a, body).p;
    assert_true(list_counts(&x, at, body));
    for (size_t i = 0; i < body.n; i++) {
        copy[i] ^= 1;
        assert_false(list_counts(&x, at, bytes_of(copy, body.n)));
        copy[i] ^= 1;
        assert_false(list_counts(&x, at, bytes_part(body, 0, i)));
    }
    assert_true(list_counts(&x, at, body));
    memo_free(x.env.memo);
    arena_done(&x.a);
}

/* -- the collateral documents of misc/ and json/ -- */

static const struct document {
    const char *path, *member;
    bool add_pce_id;
    enum err_code code; /* ERR_NONE: parses */
    const char *part;
} documents[] = {
#define V2(file, code, part) { "openenclave/json/tcbinfo-v2/" file, "tcbInfo", true, code, part }
#define ID(file, code, part) { "openenclave/json/identity-v2/" file, "enclaveIdentity", false, code, part }
    V2("tcbInfo.json", ERR_NONE, NULL),
    V2("tcbInfoAdvisoryIds.json", ERR_NONE, NULL),
    V2("tcbInfoNegativeFloat.json", ERR_COLLATERAL_FORMAT, NULL),
    V2("tcbInfoNegativeIntegerOverflow.json", ERR_COLLATERAL_FORMAT, NULL),
    V2("tcbInfoNegativeInvalidIssueDate.json", ERR_COLLATERAL_FORMAT, "issueDate"),
    V2("tcbInfoNegativeInvalidNextUpdate.json", ERR_COLLATERAL_FORMAT, "nextUpdate"),
    V2("tcbInfoNegativePceSvn.json", ERR_COLLATERAL_FORMAT, "pcesvn"),
    V2("tcbInfoNegativePropertyMissingLevel0.json", ERR_COLLATERAL_FORMAT, "'signature' is missing"),
    V2("tcbInfoNegativePropertyMissingLevel2.json", ERR_COLLATERAL_FORMAT, "is missing"),
    V2("tcbInfoNegativePropertyMissingLevel3.json", ERR_COLLATERAL_FORMAT, "is missing"),
    V2("tcbInfoNegativePropertyWrongTypeLevel1.json", ERR_COLLATERAL_FORMAT, NULL),
    V2("tcbInfoNegativePropertyWrongTypeLevel2.json", ERR_COLLATERAL_FORMAT, NULL),
    V2("tcbInfoNegativeSignature.json", ERR_COLLATERAL_FORMAT, NULL),
    V2("tcbInfoNegativeStringEscape.json", ERR_COLLATERAL_FORMAT, NULL),
    { "openenclave/json/tcbinfo-v2/tcbInfo_with_pceid.json", "tcbInfo", false, ERR_NONE, NULL },
    { "openenclave/json/tcbinfo-v3/tcbinfo_sgx.json", "tcbInfo", false, ERR_NONE, NULL },
    { "openenclave/json/tcbinfo-v3/tcbinfo_tdx.json", "tcbInfo", false, ERR_NONE, NULL },
    ID("qe_identity_ok.json", ERR_NONE, NULL),
    ID("qe_identity_with_advisoryids.json", ERR_NONE, NULL),
    ID("qve_identity_ok.json", ERR_NONE, NULL),
    ID("qe_identity_missing_attributes.json", ERR_COLLATERAL_FORMAT, "attributes"),
    ID("qe_identity_missing_attributesmask.json", ERR_COLLATERAL_FORMAT, "attributesMask"),
    ID("qe_identity_missing_issuedate.json", ERR_COLLATERAL_FORMAT, "issueDate"),
    ID("qe_identity_missing_isvprodid.json", ERR_COLLATERAL_FORMAT, "isvprodid"),
    ID("qe_identity_missing_miscselect.json", ERR_COLLATERAL_FORMAT, "miscselect"),
    ID("qe_identity_missing_miscselectmask.json", ERR_COLLATERAL_FORMAT, "miscselectMask"),
    ID("qe_identity_missing_nextupdate.json", ERR_COLLATERAL_FORMAT, "nextUpdate"),
    ID("qe_identity_missing_qeidentity.json", ERR_COLLATERAL_FORMAT, "expected a member name"),
    ID("qe_identity_missing_tcb_date.json", ERR_COLLATERAL_FORMAT, "tcbDate"),
    ID("qe_identity_missing_tcb_eval_data_num.json", ERR_COLLATERAL_FORMAT, "tcbEvaluationDataNumber"),
    ID("qe_identity_missing_tcb_status.json", ERR_COLLATERAL_FORMAT, "tcbStatus"),
    ID("qe_identity_missing_version.json", ERR_COLLATERAL_FORMAT, "version"),
#undef V2
#undef ID
};

static struct bytes with_pce_id(struct arena *a, struct bytes text)
{
    const uint8_t *at = memmem(text.p, text.n, "\"fmspc\"", 7);
    struct out o = out_open(a);

    if (at == NULL)
        return text;
    out_bytes(&o, bytes_part(text, 0, (size_t)(at - text.p)));
    out_text(&o, "\"pceId\":\"0000\",");
    out_bytes(&o, bytes_part(text, (size_t)(at - text.p), text.n));
    return out_view(&o);
}

static void run_document(void **state)
{
    const struct document *d = *state;
    struct arena a;
    struct bytes text;
    struct signed_json doc;
    struct err e = { 0 };
    struct tcb_info tcb;
    struct enclave_identity id;
    bool ok;

    arena_init(&a, 64 << 20);
    text = test_vector(&a, d->path);
    if (d->add_pce_id)
        text = with_pce_id(&a, text);
    ok = signed_json_parse(text, d->member, &a, &doc, &e)
        && (strcmp(d->member, "tcbInfo") == 0 ? tcb_info_parse(doc.body, &a, &tcb, &e)
                                              : enclave_identity_parse(doc.body, &a, &id, &e));
    if (d->code == ERR_NONE)
        assert_ok(ok, &e);
    else
        assert_refused(&e, d->code, d->part);
    arena_done(&a);
}

/* Signatures of the documents in misc/, made by the TCB signing key (evidence-sgx 3.2). */
static const struct signature_row {
    const char *path, *member;
    bool genuine;
} signatures[] = {
    { "sgx/misc/qe-identity-good-20200512.json", "enclaveIdentity", true },
    { "sgx/misc/qe-identity-corrupt-signature.json", "enclaveIdentity", false },
    { "sgx/misc/tcbinfo-00606a-20221219.json", "tcbInfo", true },
    { "sgx/misc/tcbinfo-pretty-printed.json", "tcbInfo", false },
    { "sgx/misc/qe-identity-pretty-printed.json", "enclaveIdentity", false },
    { "sgx/misc/identity-qve-eval17-20250527.json", "enclaveIdentity", true },
    { "sgx/misc/identity-qae-eval17-20250527.json", "enclaveIdentity", true },
    { "sgx/misc/tcb-evaluation-data-numbers-sgx-20250605.json", "tcbEvaluationDataNumbers", true },
};

static void run_signature(void **state)
{
    const struct signature_row *r = *state;
    struct arena a;
    struct signed_json doc;
    struct cert *chain;
    size_t n;
    struct err e = { 0 };
    struct key *k = NULL;

    arena_init(&a, 64 << 20);
    assert_ok(certs_read(test_vector(&a, "sgx/misc/tcb-chain-good.pem"), 4, "chain", &a, &chain, &n, &e), &e);
    for (size_t i = 0; i < n && k == NULL; i++)
        if (bytes_contain(chain[i].subject_cn, LIT("TCB Signing")))
            assert_ok(key_from_spki(chain[i].spki, "signer", &k, &e), &e);
    assert_non_null(k);
    assert_ok(signed_json_parse(test_vector(&a, r->path), r->member, &a, &doc, &e), &e);
    assert_int_equal(key_verify(k, SIG_ES256, SIG_RAW, doc.signed_text, BYTES(doc.sig)), r->genuine);
    key_free(k);
    arena_done(&a);
}

/* The whole sample of Intel's library: certification data 1, certificates from outside, a test root. */
static void run_qvl_sample(void **state)
{
    static const char *const files[] = { "pckCert.pem", "pckSignChain.pem", "tcbInfo.json", "tcbSignChain.pem", "qeIdentity.json",
                                         "rootCaCrl.der", "intermediateCaCrl.pem" };
    struct ready x;
    struct cert *root;
    size_t n;
    struct err e = { 0 };
    struct trust trust;

    (void)state;
    memset(&x, 0, sizeof(x));
    arena_init(&x.a, 64 << 20);
    x.c = collateral_open(&x.a);
    for (size_t i = 0; i < COUNT(files); i++)
        add_file(&x.c, "sgx/qvl-sample", files[i]);
    assert_ok(certs_read(test_vector(&x.a, "sgx/qvl-sample/trustedRootCaCert.pem"), 1, "root", &x.a, &root, &n, &e), &e);
    trust = (struct trust){ .anchors = root, .count = 1 };
    x.s = settings_default();
    x.s.mix_eval_numbers = true;
    x.env = (struct verify_env){ .now = test_time("2026-01-01T00:00:00Z"), .trust = &trust, .collateral = &x.c, .settings = &x.s, .a = &x.a };
    x.quote = test_vector(&x.a, "sgx/qvl-sample/quote.dat");
    assert_ok(verify_bytes(&x, x.quote, &evidence_sgx, NULL, &e), &e);
    x.env.trust = NULL; /* its root is nobody's without that setting */
    assert_false(verify_bytes(&x, x.quote, &evidence_sgx, NULL, &e));
    assert_refused(&e, ERR_UNTRUSTED_ROOT, "is not a trust anchor");
    arena_done(&x.a);
}

static void run_wrong_identity(void **state)
{
    struct ready x;
    struct err e = { 0 };
    struct collateral c;

    (void)state;
    ready_case(&x, "sgx", "automata_v3@18-18-v3-2025");
    c = collateral_open(&x.a);
    add_file(&c, "sgx", "misc/identity-qve-eval17-20250527.json");
    for (size_t i = 0; i < x.c.count; i++)
        if (x.c.list[i].kind != COLL_QE_IDENTITY)
            assert_ok(collateral_add(&c, x.c.list[i].body, "item", &e), &e);
    x.env.collateral = &c;
    assert_false(verify_bytes(&x, x.quote, &evidence_sgx, NULL, &e));
    assert_refused(&e, ERR_QE_IDENTITY_MISMATCH, "expected 'QE', found 'QVE'");
    arena_done(&x.a);
}

static void run_bad_chain(void **state)
{
    struct ready x;
    struct err e = { 0 };
    struct collateral c;

    (void)state;
    ready_case(&x, "sgx", "phala_sgx@17-17-v3-2025");
    c = collateral_open(&x.a);
    add_file(&c, "sgx", "misc/tcb-chain-bad.pem");
    for (size_t i = 0; i < x.c.count; i++)
        if (x.c.list[i].kind != COLL_CERTS)
            assert_ok(collateral_add(&c, x.c.list[i].body, "item", &e), &e);
    x.env.collateral = &c;
    assert_false(verify_bytes(&x, x.quote, &evidence_sgx, NULL, &e));
    assert_true(err_is_undecided(e.code));
    arena_done(&x.a);
}

static void run_roots(void **state)
{
    static const char *const files[] = { "sgx/roots/root-44a0196b.der", "sgx/roots/root-fc64f807.der" };
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < COUNT(files); i++) {
        struct cert c;
        struct err e = { 0 };
        struct trust only = { .replace = true };

        assert_ok(cert_parse(test_vector(&a, files[i]), "root", &c, &e), &e);
        assert_true(intel_root_trusted(&c, NULL));
        assert_false(intel_root_trusted(&c, &only));
    }
    arena_done(&a);
}

static void run_oe_reports(void **state)
{
    static const struct {
        const char *report, *held, *id;
    } rows[] = {
        { "azs_oe_debug.report", "azs_oe_debug.ehd", "azs_oe_debug@12-12-v2-2022" },
        { "azs_oe_release.report", "azs_oe_release.ehd", "azs_oe_release@17-17-v3-2025" },
        { "azs_oe_prodid.report", "azs_oe_prodid.ehd", "azs_oe_prodid@19-19-v3-2025" },
        { "azs_post.report", "azs_post.ehd", "azs_post@12-12-v2-2022" },
        { "azcpp_debug.report", "azcpp.ehd", "azcpp_debug@12-12-v2-2022" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ready x;
        char path[64];
        struct evidence_input in = { 0 };
        struct err e = { 0 };
        struct claims claims;
        const char *status;
        uint8_t *wrong;

        ready_case(&x, "openenclave", rows[i].id);
        snprintf(path, sizeof(path), "reports/%s", rows[i].report);
        in.evidence = file_of(&x.a, "openenclave", path);
        snprintf(path, sizeof(path), "reports/%s", rows[i].held);
        in.runtime = (struct attached){ .present = true, .data = file_of(&x.a, "openenclave", path) };
        claims = claims_open(&x.a);
        assert_ok(evidence_verify(&evidence_openenclave, &in, &x.env, &claims, &status, &e), &e);
        assert_non_null(claims_find(&claims, "x-ms-sgx-ehd"));
        assert_string_equal(status, "OUT_OF_DATE");
        wrong = arena_alloc(&x.a, in.runtime.data.n);
        memcpy(wrong, in.runtime.data.p, in.runtime.data.n);
        wrong[0] ^= 1;
        in.runtime.data.p = wrong;
        assert_false(evidence_verify(&evidence_openenclave, &in, &x.env, &claims, &status, &e));
        assert_refused(&e, ERR_NOT_BOUND, "runtimeData is bound");
        arena_done(&x.a);
    }
}

static void run_memo_keeps_checks(void **state)
{
    struct ready x;
    struct memo *memo = memo_new(64);
    struct err e = { 0 };

    (void)state;
    ready_case(&x, "sgx", "phala_sgx@17-17-v3-2025");
    for (int i = 0; i < 3; i++)
        assert_ok(verify_bytes(&x, x.quote, &evidence_sgx, memo, &e), &e);
    assert_int_equal(memo_count(memo), 6); /* chain, QE report, two statements, two lists */
    x.env.now = test_time("2049-01-01T00:00:00Z"); /* what is remembered is not trusted longer */
    assert_false(verify_bytes(&x, x.quote, &evidence_sgx, memo, &e));
    assert_refused(&e, ERR_CERT_EXPIRED, "2030-09-20T21:53:43Z");
    memo_free(memo);
    arena_done(&x.a);
}

int main(void)
{
    struct suite s = { 0 };

    if (test_vectors() == NULL) {
        suite_add_skipped(&s, "SGX and Open Enclave vectors are missing");
        return suite_run("sgx", &s);
    }
    add_cases(&s, "sgx");
    add_cases(&s, "openenclave");
    suite_add(&s, "advisories", run_advisories, NULL);
    suite_add(&s, "fields of sgx/quotes.json", run_fields, (void *)(uintptr_t)"sgx");
    suite_add(&s, "fields of openenclave/quotes.json", run_fields, (void *)(uintptr_t)"openenclave");
    for (size_t i = 0; i < COUNT(refusals); i++)
        suite_add(&s, refusals[i].quote, run_refusal, (void *)(uintptr_t)&refusals[i]);
    for (size_t i = 0; i < COUNT(documents); i++)
        suite_add(&s, documents[i].path, run_document, (void *)(uintptr_t)&documents[i]);
    for (size_t i = 0; i < COUNT(signatures); i++)
        suite_add(&s, signatures[i].path, run_signature, (void *)(uintptr_t)&signatures[i]);
    suite_add(&s, "roots", run_roots, NULL);
    suite_add(&s, "Intel's sample with a test root", run_qvl_sample, NULL);
    suite_add(&s, "identity of another enclave", run_wrong_identity, NULL);
    suite_add(&s, "TCB chain of somebody else", run_bad_chain, NULL);
    suite_add(&s, "status setting", run_status_setting, NULL);
    suite_add(&s, "both evaluation sets, whichever counts", run_sets, NULL);
    suite_add(&s, "a set is standard after a year", run_standard_rule, NULL);
    suite_add(&s, "sets that are not at hand", run_sets_missing, NULL);
    suite_add(&s, "a damaged list of sets is none", run_list_damage, NULL);
    suite_add(&s, "corrupted quote of an unknown platform", run_corrupted, NULL);
    suite_add(&s, "Open Enclave reports with held data", run_oe_reports, NULL);
    suite_add(&s, "shapes of Open Enclave evidence, with its endorsements", run_oe_shapes, NULL);
    suite_add(&s, "memo never skips times", run_memo_keeps_checks, NULL);
    suite_add(&s, "memory budget from nothing upwards", run_budget, NULL);
    suite_add(&s, "every truncation is refused", run_truncations, NULL);
    suite_add(&s, "every flipped byte is refused", run_flips, NULL);
    suite_add(&s, "damaged Open Enclave evidence", run_oe_damage, NULL);
    return suite_run("sgx", &s);
}
