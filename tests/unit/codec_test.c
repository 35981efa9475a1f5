/* codec_test.c: JSON against its public suite, base64, hexadecimal, times, DER, PEM. */
#include "testing.h"

#include "codec/b64.h"
#include "codec/der.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/pem.h"
#include "codec/stamp.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* A file of the public JSON suite: y_ must be read, n_ must be refused, i_ is free but must not crash. */
static void json_suite_file(void **state)
{
    char *name = *state, path[300];
    struct arena a;
    const struct json *j;
    struct err e = { 0 };
    bool ok;

    arena_init(&a, 64 << 20);
    snprintf(path, sizeof(path), "json/%s", name);
    ok = json_parse(test_vector(&a, path), 256, name, &a, &j, &e);
    /* two files have duplicate names: legal to RFC 8259, refused here on purpose */
    if (strncmp(name, "y_object_duplicated_key", 23) == 0)
        assert_refused(&e, ERR_JSON_SYNTAX, "stands twice");
    else if (name[0] == 'y')
        assert_ok(ok, &e);
    else if (name[0] == 'n')
        assert_false(ok);
    if (ok) { /* what was read prints to something that reads the same */
        struct out once = out_open(&a), twice = out_open(&a);
        const struct json *k;

        json_print(&once, j, true);
        assert_ok(json_parse(out_view(&once), 256, name, &a, &k, &e), &e);
        json_print(&twice, k, true);
        assert_bytes_equal(out_view(&once), out_view(&twice));
    }
    arena_done(&a);
    free(name);
}

static void add_json_suite(struct suite *s)
{
    char path[4200];
    DIR *d;

    snprintf(path, sizeof(path), "%s/json", test_vectors() == NULL ? "" : test_vectors());
    d = test_vectors() == NULL ? NULL : opendir(path);
    if (d == NULL) {
        suite_add_skipped(s, "JSON suite (vectors missing)");
        return;
    }
    for (struct dirent *f; (f = readdir(d)) != NULL;)
        if (f->d_name[0] != '.' && f->d_name[1] == '_')
            suite_add(s, f->d_name, json_suite_file, strdup(f->d_name));
    closedir(d);
}

/* Text that was cut inside a character still prints as JSON. */
static void json_print_repairs(void **state)
{
    static const struct {
        const char *text, *printed;
    } rows[] = { { "a\xc3\xa9", "\"a\xc3\xa9\"" }, { "a\xc3", "\"a\xef\xbf\xbd\"" }, { "\xff\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
                 { "\xe2\x82\xac\n", "\"\xe2\x82\xac\\n\"" }, { "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" } };
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct out o = out_open(&a);

        json_print_string(&o, bytes_str(rows[i].text));
        assert_text(out_view(&o), rows[i].printed);
    }
    arena_done(&a);
}

static void json_details(void **state)
{
    static const char text[] = " {\"a\": [1, -0, 1e3, \"x\\u00e9\\ud83d\\ude00\\n\"], \"b\":{ \"z\":1,\"y\":null} } ";
    struct arena a;
    const struct json *j, *item;
    struct err e = { 0 };
    struct out o;
    int64_t v;

    (void)state;
    arena_init(&a, 1 << 20);
    o = out_open(&a);
    assert_ok(json_parse(LIT(text), 4, "t", &a, &j, &e), &e);
    item = json_member(j, "a")->child;
    assert_true(json_int(item, &v) && v == 1);
    assert_false(json_int(item->next->next, &v)); /* an exponent is no integer here */
    assert_text(item->next->next->next->text, "x\xc3\xa9\xf0\x9f\x98\x80\n");
    assert_text(json_member(j, "b")->raw, "{ \"z\":1,\"y\":null}"); /* exactly as it stood */
    json_print(&o, j, true);
    assert_text(out_view(&o), "{\"a\":[1,-0,1e3,\"x\xc3\xa9\xf0\x9f\x98\x80\\n\"],\"b\":{\"y\":null,\"z\":1}}");
    assert_null(json_member(j, "A"));
    assert_non_null(json_member_nocase(j, "A"));
    assert_false(json_parse(LIT("[[[]]]"), 2, "deep", &a, &j, &e));
    assert_refused(&e, ERR_JSON_SYNTAX, "deep: JSON at offset 3: expected no deeper nesting");
    arena_done(&a);
}

static void json_integers(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t v;
    } rows[] = {
        { "9223372036854775807", true, INT64_MAX }, { "9223372036854775808", false, 0 },
        { "-9223372036854775808", true, INT64_MIN }, { "-9223372036854775809", false, 0 },
        { "0", true, 0 }, { "1.0", false, 0 }, { "1e1", false, 0 },
    };
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct json *j;
        struct err e = { 0 };
        int64_t v = 0;

        assert_ok(json_parse(bytes_str(rows[i].text), 1, "n", &a, &j, &e), &e);
        assert_int_equal(json_int(j, &v), rows[i].ok);
        if (rows[i].ok)
            assert_true(v == rows[i].v);
    }
    arena_done(&a);
}

static void json_many_members_in_time(void **state)
{
    struct arena a;
    struct out o;
    const struct json *j;
    struct err e = { 0 };

    (void)state;
    arena_init(&a, 256 << 20);
    o = out_open(&a);
    out_char(&o, '{');
    for (int i = 0; i < 200000; i++)
        out_printf(&o, "\"k%d\":0,", i);
    out_text(&o, "\"k77\":1}");
    assert_false(json_parse(out_view(&o), 4, "many", &a, &j, &e));
    assert_refused(&e, ERR_JSON_SYNTAX, "member 'k77' stands twice");
    arena_done(&a);
}

static void json_within_budget(void **state)
{
    (void)state;
    for (size_t budget = 0; budget < 2000; budget += 16) {
        struct arena a;
        const struct json *j;
        struct err e = { 0 };

        arena_init(&a, budget);
        if (!json_parse(LIT("{\"a\":[1,2,\"\\n\"],\"b\":{}}"), 8, "t", &a, &j, &e))
            assert_int_equal(e.code, ERR_NO_MEMORY);
        arena_done(&a);
    }
}

static void base64_rows(void **state)
{
    static const struct {
        const char *text;
        enum b64_form form;
        const char *hex; /* NULL: refused */
    } rows[] = {
        { "", B64_URL_STRICT, "" }, { "AQ", B64_URL_STRICT, "01" }, { "AQ==", B64_STD_STRICT, "01" },
        { "AQ==", B64_URL_STRICT, NULL }, { "AQ", B64_STD_STRICT, NULL }, { "AR", B64_URL_STRICT, NULL },
        { "-_8", B64_URL_STRICT, "fbff" }, { "+/8", B64_URL_STRICT, NULL }, { "+/8=", B64_STD_STRICT, "fbff" },
        { "+_8=", B64_ANY, "fbff" }, { "-_8", B64_ANY, "fbff" }, { "AQI", B64_ANY, "0102" },
        { "A", B64_ANY, NULL }, { "AQ=", B64_ANY, NULL }, { "A Q", B64_ANY, NULL }, { "AQ\n", B64_ANY, NULL },
    };
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes b;
        struct err e = { 0 };
        bool ok = b64_decode(bytes_str(rows[i].text), rows[i].form, "t", &a, &b, &e);

        if (ok != (rows[i].hex != NULL))
            fail_msg("row %zu '%s'", i, rows[i].text);
        if (ok)
            assert_bytes_equal(b, test_hex(&a, rows[i].hex));
    }
    assert_text(b64url_encode(&a, LIT("\xfb\xff\xfe\x01")), "-__-AQ");
    assert_text(b64std_encode(&a, LIT("\xfb\xff\xfe\x01")), "+//+AQ==");
    arena_done(&a);
}

static void times(void **state)
{
    int64_t t;

    (void)state;
    assert_true(stamp_parse(LIT("1970-01-01T00:00:00Z"), &t) && t == 0);
    assert_true(stamp_parse(LIT("2025-07-04T10:28:44Z"), &t) && t == 1751624924);
    assert_string_equal(stamp_text(1751624924).s, "2025-07-04T10:28:44Z");
    assert_true(stamp_parse(LIT("2024-02-29T00:00:00Z"), &t));
    assert_false(stamp_parse(LIT("2023-02-29T00:00:00Z"), &t));
    assert_false(stamp_parse(LIT("2023-13-01T00:00:00Z"), &t));
    assert_false(stamp_parse(LIT("2023-01-01T24:00:00Z"), &t));
    assert_false(stamp_parse(LIT("2023-01-01T00:00:00"), &t));
    assert_false(stamp_parse(LIT("2023-01-01T00:00:00+00:00"), &t));
    assert_true(stamp_parse_utctime(LIT("491231235959Z"), &t));
    assert_string_equal(stamp_text(t).s, "2049-12-31T23:59:59Z");
    assert_true(stamp_parse_utctime(LIT("500101000000Z"), &t));
    assert_string_equal(stamp_text(t).s, "1950-01-01T00:00:00Z");
    for (int64_t day = -719162; day < 2932896; day += 997) { /* years 1 to 9999 there and back */
        int64_t back = 0;

        assert_true(stamp_parse(bytes_str(stamp_text(day * 86400 + 12345).s), &back));
        assert_true(back == day * 86400 + 12345);
    }
}

static void der_rows(void **state)
{
    static const struct {
        const char *name, *hex;
        bool ok;
    } rows[] = {
        { "small", "020105", true }, { "sign byte", "02020080", true }, { "negative", "020180", false },
        { "padded", "02020005", false }, { "empty", "0200", false }, { "long form of a short length", "02810105", false },
        { "indefinite", "02800500", false }, { "cut", "0203", false }, { "other tag", "040105", false },
    };
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cur c = cur_open(test_hex(&a, rows[i].hex));

        (void)der_uint(&c, DER_INTEGER, UINT64_MAX, "v");
        if (cur_ok(&c) != rows[i].ok)
            fail_msg("%s", rows[i].name);
    }
    arena_done(&a);
}

static void pem_blocks(void **state)
{
    static const char text[] = "junk\n-----BEGIN A-----\nAQID\n-----END A-----\nmore\n-----BEGIN B-----\r\nBAU=\r\n-----END B-----";
    struct arena a;
    struct pem_block b;
    struct err e = { 0 };
    size_t at = 0;
    struct out o;

    (void)state;
    arena_init(&a, 1 << 20);
    assert_true(pem_next(LIT(text), &at, "t", &a, &b, &e));
    assert_text(b.label, "A");
    assert_bytes_equal(b.der, LIT("\1\2\3"));
    assert_true(pem_next(LIT(text), &at, "t", &a, &b, &e));
    assert_bytes_equal(b.der, LIT("\4\5"));
    assert_false(pem_next(LIT(text), &at, "t", &a, &b, &e));
    assert_int_equal(e.code, ERR_NONE);
    at = 0;
    assert_false(pem_next(LIT("-----BEGIN A-----\nAQ!D\n-----END A-----"), &at, "t", &a, &b, &e));
    assert_int_equal(e.code, ERR_CERT_FORMAT);
    o = out_open(&a);
    pem_print(&o, "X", LIT("\1\2\3"));
    assert_text(out_view(&o), "-----BEGIN X-----\nAQID\n-----END X-----\n");
    arena_done(&a);
}

static void object_builder(void **state)
{
    struct arena a;
    struct jobj o;

    (void)state;
    arena_init(&a, 1 << 20);
    o = jobj_open(&a);
    jobj_int(&o, "b", -5);
    jobj_text(&o, "a", "x\"\x01");
    jobj_bool(&o, "c", true);
    jobj_int(&o, "b", 7);
    assert_text(jobj_print(&o, false), "{\"b\":7,\"a\":\"x\\\"\\u0001\",\"c\":true}");
    assert_text(jobj_print(&o, true), "{\"a\":\"x\\\"\\u0001\",\"b\":7,\"c\":true}");
    arena_done(&a);
}

int main(void)
{
    struct suite s = { 0 };

    add_json_suite(&s);
    suite_add(&s, "JSON details", json_details, NULL);
    suite_add(&s, "JSON printing repairs", json_print_repairs, NULL);
    suite_add(&s, "JSON integers", json_integers, NULL);
    suite_add(&s, "JSON duplicates among 200,000 members", json_many_members_in_time, NULL);
    suite_add(&s, "JSON within a budget", json_within_budget, NULL);
    suite_add(&s, "base64", base64_rows, NULL);
    suite_add(&s, "times", times, NULL);
    suite_add(&s, "DER integers", der_rows, NULL);
    suite_add(&s, "PEM", pem_blocks, NULL);
    suite_add(&s, "object builder", object_builder, NULL);
    return suite_run("codec", &s);
}
