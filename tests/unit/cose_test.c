/* cose_test.c: CBOR, signed statements, did:x509 on its published vectors, ledger receipts. */
#include "testing.h"

#include "codec/b64.h"
#include "codec/cbor.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "cose/cose.h"
#include "evidence/snp/uvm.h"

#include <stdio.h>
#include <stdlib.h>

static struct arena shared;

/* -- CBOR -- */

static const struct cbor_row {
    const char *name, *hex, *why; /* NULL: accepted */
} cbor_rows[] = {
    { "small integer", "17", NULL },
    { "negative", "3863", NULL },
    { "64 bits", "1bffffffffffffffff", NULL },
    { "nested", "a2016161026162", NULL },
    { "tag", "d28440a0f640", NULL },
    { "simple values", "84f4f5f6f7", NULL },
    { "empty input", "", "needs 1 bytes" },
    { "cut string", "430102", "needs 3 bytes" },
    { "trailing byte", "0000", "1 bytes follow the end" },
    { "one byte where none is needed", "1817", "expected the shortest form" },
    { "two bytes where one is enough", "1900ff", "expected the shortest form" },
    { "four bytes where two are enough", "1a0000ffff", "expected the shortest form" },
    { "eight bytes where four are enough", "1b00000000ffffffff", "expected the shortest form" },
    { "long length of a string", "580100", "expected the shortest form" },
    { "indefinite array", "9f00ff", "expected a definite length" },
    { "indefinite string", "5f4100ff", "expected a definite length" },
    { "reserved length", "1c", "expected a definite length" },
    { "duplicate integer key", "a201000101", "expected each key of a map once" },
    { "duplicate text key", "a2616100616101", "expected each key of a map once" },
    { "bad UTF-8", "61ff", "expected valid UTF-8" },
    { "float", "f93c00", "expected false, true, null or undefined" },
    { "simple value 0", "e0", "expected false, true, null or undefined" },
    { "simple value of two bytes", "f8ff", "expected false, true, null or undefined" },
    { "array of 2^32", "9affffffff", "an array that fits into its input" },
    { "map of 65", "b841", "a map of at most 64 entries" },
    { "string of 2^64 - 1", "5bffffffffffffffff", "are left" },
    { "depth 8", "818181818181818100", NULL },
    { "depth 9", "81818181818181818100", "expected no deeper nesting" },
    { "tags count as depth", "c1c1c1c1c1c1c1c1c100", "expected no deeper nesting" },
};

static void cbor_row(void **state)
{
    const struct cbor_row *row = *state;
    struct arena a;
    struct err e = { 0 };
    bool ok;

    arena_init(&a, 1 << 20);
    ok = cbor_check(test_hex(&a, row->hex), 8, ERR_COSE_FORMAT, "t", &e);
    if (row->why == NULL)
        assert_ok(ok, &e);
    else
        assert_refused(&e, ERR_COSE_FORMAT, row->why);
    arena_done(&a);
}

static void cbor_maps(void **state)
{
    struct arena a;
    struct bytes map;
    struct cur c;

    (void)state;
    arena_init(&a, 1 << 20);
    /* {2^64 - 1: 1, "x": 2, -7: 3, 2: h'aa'} */
    map = test_hex(&a, "a41bffffffffffffffff01617802260302" "41aa");
    assert_true(cbor_find_int(map, 2, &c)); /* a key of 64 bits before it hides nothing */
    assert_bytes_equal(cbor_bytes(&c, "v"), test_hex(&a, "aa"));
    assert_true(cbor_find_int(map, -7, &c) && cbor_int(&c, "v") == 3);
    assert_true(cbor_find_text(map, "x", &c) && cbor_uint(&c, "v") == 2);
    assert_false(cbor_find_int(map, 3, &c));
    assert_false(cbor_find_text(map, "y", &c));
    assert_false(cbor_find_int(test_hex(&a, "80"), 2, &c)); /* no map */
    arena_done(&a);
}

/* -- did:x509 -- */

/* The resolver's words, and ours. */
static const struct {
    const char *theirs, *ours;
} did_words[] = {
    { "Certificate chain verification failed: certificate signature failure.", "does not verify with the key of" },
    { "Certificate chain must contain at least two certificates.", "at least two are expected" },
    { "Certificate chain verification failed: unhandled critical extension.", "unknown critical extension" },
    { "Certificate name contains duplicate attributes.", "subject has an attribute twice" },
    { "Certificate does not contain a Fulcio issuer extension.", "no Fulcio issuer extension" },
    { "Certificate chain verification failed: invalid CA certificate.", "" }, /* not a CA, or keyUsage: see below */
    { "Leaf certificate key usage does not support DID operations.", "neither digitalSignature nor keyAgreement" },
    { "Certificate chain verification failed: path length constraint exceeded.", "certificate authorities below it" },
    { "Certificate chain verification failed: permitted subtree violation.", "outside the permitted subtree" },
    { "Certificate chain verification failed: excluded subtree violation.", "within an excluded subtree" },
    { "Supplied chain does not match the verified chain.", "the next certificate is" },
    { "Certificate contains an unsupported SAN type.", "alternative name of a type that is not supported" },
    { "DID URL paths are not supported.", "paths and queries" },
    { "DID URL queries are not supported.", "paths and queries" },
    { "DID must contain at least one predicate.", "has no predicate" },
    { "EKU predicate does not match the certificate.", "eku predicate does not fit" },
    { "Certificate does not contain an EKU extension.", "no extended key usage" },
    { "Fulcio issuer predicate does not match the certificate.", "fulcio-issuer predicate does not fit" },
    { "DID prefix is invalid.", "does not begin with did:x509:0:" },
    { "SAN predicate does not match the certificate.", "san predicate does not fit" },
    { "SAN predicate requires exactly one type and value.", "exactly one type and one value" },
    { "Subject predicate contains duplicate fields.", "a key twice" },
    { "Subject predicate does not match the certificate.", "subject predicate does not fit" },
    { "Subject predicate contains an unknown key.", "unknown key" },
    { "Subject predicate requires key-value pairs.", "pairs of key and value" },
    { "DID contains an unknown predicate.", "an unknown predicate" },
    { "Fingerprint algorithm is not supported.", "none of sha256, sha384, sha512" },
    { "CA fingerprint does not match the certificate chain.", "no certificate authority of the chain has the fingerprint" },
};

static struct bytes text_of(const struct json *j, const char *name)
{
    struct bytes t = { NULL, 0 };

    if (!json_string(json_member(j, name), &t))
        fail_msg("no string member %s", name);
    return t;
}

static const char *our_words(struct bytes theirs)
{
    for (size_t i = 0; i < COUNT(did_words); i++)
        if (bytes_is(theirs, did_words[i].theirs))
            return did_words[i].ours;
    fail_msg("unknown expectation %.*s", (int)theirs.n, (const char *)theirs.p);
    return NULL;
}

static void did_vector(void **state)
{
    const struct json *v = *state, *input = json_member(v, "input"), *output = json_member(v, "output");
    const struct json *error = json_member(output, "error");
    struct cert chain[8];
    struct arena a;
    struct err e = { 0 };
    struct bytes id, der;
    size_t n = 0;
    bool ok;

    arena_init(&a, 4 << 20);
    for (const struct json *c = json_member(input, "chain")->child; c != NULL; c = c->next) {
        assert_ok(b64_decode(c->text, B64_ANY, "chain", &a, &der, &e) && cert_parse(der, "chain", &chain[n++], &e), &e);
    }
    ok = did_x509_check(text_of(input, "did"), chain, n, &a, &id, &e);
    if (error == NULL) {
        assert_ok(ok, &e);
        assert_bytes_equal(id, text_of(json_member(output, "document"), "id"));
    } else {
        assert_false(ok);
        assert_refused(&e, e.code == ERR_DID_FORMAT ? ERR_DID_FORMAT : ERR_DID_MISMATCH, our_words(error->text));
    }
    arena_done(&a);
}

static void did_text_damage(void **state)
{
    static const struct {
        const char *did, *why;
    } rows[] = {
        { "did:x509:0:sha256:%s::subject:CN:a%2", "percent sign" },
        { "did:x509:0:sha256:%s::subject:CN:a%zz", "percent sign" },
        { "did:x509:0:sha256:%s::", "an unknown predicate" },
        { "did:x509:0:sha256:%s::eku:1", "exactly one object identifier" },
        { "did:x509:0:sha256:%s::eku:1.02.3", "exactly one object identifier" },
        { "did:x509:0:sha256:%s::eku:3.2.3", "exactly one object identifier" },
        { "did:x509:0:sha256:%s::eku:1..3", "exactly one object identifier" },
        { "did:x509:0:sha256:%s::san:ip:1", "unknown type" },
        { "did:x509:0:sha256:AAAA::eku:1.2.3", "base64url of a hash" },
        { "did:x509:0:sha256", "none of sha256" },
        { "did:x509:1:sha256:%s::eku:1.2.3", "does not begin with" },
        { "", "does not begin with" },
    };
    const struct json *all, *good = NULL;
    struct cert chain[3];
    struct digest d;
    struct bytes der, id;
    struct arena a;
    struct err e = { 0 };
    size_t n = 0;

    (void)state;
    arena_init(&a, 8 << 20);
    assert_ok(json_parse(test_vector(&a, "snp/uvm/did-x509-test-vectors.json"), 16, "did", &a, &all, &e), &e);
    for (const struct json *v = all->child; v != NULL; v = v->next)
        if (bytes_is(text_of(v, "id"), "root-ca"))
            good = json_member(v, "input");
    for (const struct json *c = json_member(good, "chain")->child; c != NULL && n < 3; c = c->next)
        assert_true(b64_decode(c->text, B64_ANY, "chain", &a, &der, &e) && cert_parse(der, "chain", &chain[n++], &e));
    d = sha256(chain[2].der);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct out o = out_open(&a);

        for (const char *p = rows[i].did; *p != 0; p++)
            if (p[0] == '%' && p[1] == 's') {
                b64url_print(&o, digest_bytes(&d));
                p++;
            } else {
                out_char(&o, *p);
            }
        e = (struct err){ 0 };
        if (did_x509_check(out_view(&o), chain, n, &a, &id, &e))
            fail_msg("%s accepted", rows[i].did);
        assert_refused(&e, ERR_DID_FORMAT, rows[i].why);
    }
    arena_done(&a);
}

/* -- statements -- */

#define ISSUER "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2"

static const struct statement {
    const char *file;
    bool base64;
    enum sig_alg alg;
    const char *issuer, *feed;
    int64_t svn;
    bool svn_is_integer;
    const char *time, *measurement; /* NULL: no endorsement of ours */
    const char *leaf_from, *leaf_to;
} statements[] = {
    { "snp/aci-milan-v2/body.uvm_reference_info.bin", false, SIG_PS384, ISSUER, "ContainerPlat-AMD-UVM", 22, false,
      "2023-02-08T05:42:23Z",
      "51068107cdc7ee3d89c7821b05bca6147eb77b2005ae759050fc049b65a1b0beabc65a9d857acecf23225f5ec76849f5",
      "2023-01-05", "2024-01-03" },
    { "snp/aci-security-context/reference-info-base64", true, SIG_PS384, ISSUER, "ContainerPlat-AMD-UVM", 100, false,
      "2023-04-20T23:48:38Z",
      "03fea02823189b25d0623a5c81f97c8ba4d2fbc48c914a55ce525f90454ddcec303743dac2fc013f0846912d1412f6df",
      "2023-01-05", "2024-01-03" },
    { "snp/uvm/esrp_transparent_hash_envelop.cose", false, SIG_PS384, ISSUER, "ContainerPlat-AMD-UVM", 104, true,
      "2026-03-26T17:03:27Z",
      "dc3f5a934489232a9b1818f12a0a88d2324ced00f8ab370f40451a76b7880bc3e211849a0739642d3d6c3b2b4bfb9866",
      "2025-05-15", "2026-05-15" },
};

static struct bytes read_statement(struct arena *a, const char *file, bool base64)
{
    struct bytes b = test_vector(a, file), decoded = { NULL, 0 };
    struct err e = { 0 };

    if (!base64)
        return b;
    while (b.n > 0 && (b.p[b.n - 1] == '\n' || b.p[b.n - 1] == '\r'))
        b.n--;
    assert_ok(b64_decode(b, B64_ANY, file, a, &decoded, &e), &e);
    return decoded;
}

static void statement_fields(void **state)
{
    const struct statement *s = *state;
    struct cose_sign1 m;
    struct snp_uvm u;
    struct arena a;
    struct err e = { 0 };
    struct bytes in;

    arena_init(&a, 8 << 20);
    in = read_statement(&a, s->file, s->base64);
    assert_ok(cose_parse(in, "statement", &m, &e), &e);
    assert_int_equal(m.alg, s->alg);
    assert_int_equal(m.chain_count, 3);
    assert_ok(snp_uvm_read(in, NULL, &a, &u, &e), &e);
    assert_text(u.issuer, s->issuer);
    assert_text(u.feed, s->feed);
    assert_true(u.svn == s->svn && u.svn_is_integer == s->svn_is_integer);
    assert_true(u.has_time && u.time == test_time(s->time));
    assert_text(hex_encode(&a, u.measurement), s->measurement);
    assert_true(u.not_before / 86400 == test_time(arena_printf(&a, "%sT00:00:00Z", s->leaf_from)) / 86400);
    assert_true(u.not_after / 86400 == test_time(arena_printf(&a, "%sT00:00:00Z", s->leaf_to)) / 86400);
    if (in.p[0] == 0xd2) { /* the untagged form says the same */
        assert_ok(snp_uvm_read(bytes_part(in, 1, in.n), NULL, &a, &u, &e), &e);
        assert_text(hex_encode(&a, u.measurement), s->measurement);
    }
    arena_done(&a);
}

/* Every byte outside of the unprotected header is refused when altered; inside it, nothing depends on it. */
static void statement_damage(void **state)
{
    const struct statement *s = *state;
    struct cose_sign1 m;
    struct arena a;
    struct err e = { 0 };
    struct bytes in;
    uint8_t *copy;
    size_t from, to;

    arena_init(&a, 8 << 20);
    in = read_statement(&a, s->file, s->base64);
    assert_ok(cose_parse(in, "statement", &m, &e), &e);
    from = (size_t)(m.unprotected.p - in.p);
    to = from + m.unprotected.n;
    copy = arena_alloc(&a, in.n);
    memcpy(copy, in.p, in.n);
    for (size_t i = 0; i < in.n; i++) {
        struct arena one;
        struct snp_uvm u;
        bool ok;

        arena_init(&one, 4 << 20);
        copy[i] = (uint8_t)(copy[i] ^ 1u << (i % 8));
        e = (struct err){ 0 };
        ok = snp_uvm_read(bytes_of(copy, in.n), NULL, &one, &u, &e);
        if (ok && (i < from || i >= to))
            fail_msg("byte %zu altered and still verified", i);
        if (ok)
            assert_text(hex_encode(&one, u.measurement), s->measurement);
        else
            assert_true(e.code != ERR_NONE && e.why[0] != 0);
        copy[i] = in.p[i];
        arena_done(&one);
    }
    for (size_t n = 0; n < in.n; n += n < 200 ? 1 : 97) {
        struct snp_uvm u;

        e = (struct err){ 0 };
        assert_false(snp_uvm_read(bytes_part(in, 0, n), NULL, &a, &u, &e));
        assert_int_equal(e.code, ERR_COSE_FORMAT);
    }
    arena_done(&a);
}

/* Test material of others: its signatures are good, its issuers are nobody to us. */
static void statements_of_others(void **state)
{
    static const struct {
        const char *file;
        enum sig_alg alg;
        const char *feed, *issuer;
    } rows[] = {
        { "snp/uvm/esrp.test.cose", SIG_ES384, "KensHouseOfUVMImages",
          "did:x509:0:sha256:T3wuOi7RTvgBsJ9df38hYzZTcuj-AECHzLeS-882ops::subject:CN:Gen%20Purpose%20NoCS%20P384%20384%20"
          "Test%201%20%28DO%20NOT%20TRUST%29" },
        { "snp/uvm/aci-cc-ttl.ttl.cose", SIG_ES384, "acidevacr.azurecr.io/internal/aci/aci-cc-ttl",
          "did:x509:0:sha256:wVkSM46SDpw4LuyEYoH6r5ym07whL5lWxNlGN-UPtf4::eku:1.3.6.1.4.1.311.10.3.13" },
    };
    struct arena a;

    (void)state;
    arena_init(&a, 8 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes in = test_vector(&a, rows[i].file);
        struct cose_sign1 m;
        struct snp_uvm u;
        struct err e = { 0 };

        assert_ok(cose_parse(in, "statement", &m, &e), &e);
        assert_int_equal(m.alg, rows[i].alg);
        assert_text(m.issuer, rows[i].issuer);
        assert_text(m.feed, rows[i].feed);
        assert_false(snp_uvm_read(in, NULL, &a, &u, &e));
        print_message("# %s: %s: %s\n", rows[i].file, err_name(e.code), e.why);
        assert_true(e.code == ERR_PAYLOAD_FORMAT || e.code == ERR_COSE_SIGNATURE || e.code == ERR_DID_MISMATCH
                    || e.code == ERR_COSE_CHAIN);
        for (size_t k = 0; k < snp_profiles_builtin.uvm_count; k++)
            assert_false(bytes_is(m.issuer, snp_profiles_builtin.uvm[k].issuer));
    }
    arena_done(&a);
}

/* -- receipts -- */

static size_t builtin_ledgers(struct arena *a, struct cose_ledger *list)
{
    const struct snp_profiles *p = &snp_profiles_builtin;

    for (size_t i = 0; i < p->ledger_count; i++)
        list[i] = (struct cose_ledger){ bytes_str(p->ledgers[i].host), bytes_str(p->ledgers[i].kid),
                                        test_hex(a, p->ledgers[i].point) };
    return p->ledger_count;
}

static void receipt_of_the_statement(void **state)
{
    struct cose_ledger list[8];
    struct cose_receipt r;
    struct cose_sign1 m;
    struct arena a;
    struct err e = { 0 };
    struct bytes in;
    size_t n;

    (void)state;
    arena_init(&a, 8 << 20);
    n = builtin_ledgers(&a, list);
    in = test_vector(&a, "snp/uvm/esrp_transparent_hash_envelop.cose");
    assert_ok(cose_parse(in, "statement", &m, &e) && cose_receipt_verify(&m, list, n, &a, &r, &e), &e);
    assert_text(r.host, "esrp-cts-db.confidential-ledger.azure.com");
    assert_text(r.txid, "685.17239");
    assert_true(r.has_time && r.time == 1774544608);
    assert_false(cose_receipt_verify(&m, list, 1, &a, &r, &e)); /* the ledger's other key */
    assert_refused(&e, ERR_COSE_RECEIPT, "is not in the trusted list");
    arena_done(&a);
}

static void ledger_keys_fit_their_names(void **state)
{
    struct cose_ledger list[8];
    struct arena a;
    size_t n;

    (void)state;
    arena_init(&a, 1 << 20);
    n = builtin_ledgers(&a, list);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        struct err e = { 0 };
        struct digest d;
        AUTO_KEY k = NULL;

        assert_ok(key_from_point(KEY_P384, list[i].point, "ledger", &k, &e), &e);
        d = sha256(key_spki(k, &a));
        assert_bytes_equal(hex_encode(&a, digest_bytes(&d)), list[i].kid);
    }
    arena_done(&a);
}

/* A receipt grafted onto another statement: its signature is good, it is about something else. */
static void grafted_receipt(void **state)
{
    struct cose_ledger list[8];
    struct cose_receipt r;
    struct cose_sign1 donor, m;
    struct arena a;
    struct err e = { 0 };
    size_t n;

    (void)state;
    arena_init(&a, 8 << 20);
    n = builtin_ledgers(&a, list);
    assert_ok(cose_parse(test_vector(&a, "snp/uvm/esrp_transparent_hash_envelop.cose"), "donor", &donor, &e)
              && cose_parse(test_vector(&a, "snp/aci-milan-v2/body.uvm_reference_info.bin"), "statement", &m, &e), &e);
    m.unprotected = donor.unprotected;
    assert_false(cose_receipt_verify(&m, list, n, &a, &r, &e));
    assert_refused(&e, ERR_COSE_RECEIPT, "the data hash of the proof is not that of this statement");
    arena_done(&a);
}

static void receipt_damage(void **state)
{
    struct cose_ledger list[8];
    struct cose_sign1 m, damaged;
    struct arena a;
    struct err e = { 0 };
    struct bytes in;
    uint8_t *copy;
    size_t n, from;

    (void)state;
    arena_init(&a, 64 << 20);
    n = builtin_ledgers(&a, list);
    in = test_vector(&a, "snp/uvm/esrp_transparent_hash_envelop.cose");
    assert_ok(cose_parse(in, "statement", &m, &e), &e);
    from = (size_t)(m.unprotected.p - in.p);
    copy = arena_alloc(&a, in.n);
    memcpy(copy, in.p, in.n);
    for (size_t i = from; i < from + m.unprotected.n; i++) {
        struct cose_receipt r;

        copy[i] ^= 0x04;
        e = (struct err){ 0 };
        if (cose_parse(bytes_of(copy, in.n), "statement", &damaged, &e)
            && cose_receipt_verify(&damaged, list, n, &a, &r, &e))
            fail_msg("byte %zu of the receipts altered and still verified", i - from);
        assert_true(e.code == ERR_COSE_RECEIPT || e.code == ERR_COSE_FORMAT);
        copy[i] = in.p[i];
    }
    arena_done(&a);
}

static void add_did(struct suite *s)
{
    const struct json *all;
    struct err e = { 0 };
    size_t n = 0;

    if (!json_parse(test_vector(&shared, "snp/uvm/did-x509-test-vectors.json"), 16, "did", &shared, &all, &e))
        abort();
    for (const struct json *v = all->child; v != NULL; v = v->next, n++) {
        char name[200];

        snprintf(name, sizeof(name), "did:x509 %.*s", (int)json_member(v, "id")->text.n,
                 (const char *)json_member(v, "id")->text.p);
        suite_add(s, name, did_vector, (void *)(uintptr_t)v);
    }
    if (n != 58)
        abort();
}

int main(void)
{
    struct suite s = { 0 };
    int status;

    arena_init(&shared, 16 << 20);
    for (size_t i = 0; i < COUNT(cbor_rows); i++)
        suite_add(&s, cbor_rows[i].name, cbor_row, (void *)(uintptr_t)&cbor_rows[i]);
    suite_add(&s, "keys of CBOR maps", cbor_maps, NULL);
    suite_add(&s, "ledger keys fit their names", ledger_keys_fit_their_names, NULL);
    if (test_vectors() == NULL) {
        suite_add_skipped(&s, "COSE vectors (missing)");
    } else {
        add_did(&s);
        suite_add(&s, "did:x509 texts", did_text_damage, NULL);
        for (size_t i = 0; i < COUNT(statements); i++) {
            char name[200];

            suite_add(&s, statements[i].file, statement_fields, (void *)(uintptr_t)&statements[i]);
            snprintf(name, sizeof(name), "%s damaged", statements[i].file);
            suite_add(&s, name, statement_damage, (void *)(uintptr_t)&statements[i]);
        }
        suite_add(&s, "statements of others", statements_of_others, NULL);
        suite_add(&s, "receipt", receipt_of_the_statement, NULL);
        suite_add(&s, "grafted receipt", grafted_receipt, NULL);
        suite_add(&s, "receipt damaged", receipt_damage, NULL);
    }
    status = suite_run("cose", &s);
    arena_done(&shared);
    return status;
}
