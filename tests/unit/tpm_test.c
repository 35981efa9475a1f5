/* tpm_test.c: quotes, keys, certificates and the protocol of /attest/Tpm against the vectors. */
#include "testing.h"

#include "base/out.h"
#include "codec/b64.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/pem.h"
#include "evidence/tpm/akcert.h"
#include "evidence/tpm/tpm.h"
#include "evidence/tpm/tpm_priv.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <stdlib.h>

enum { BUDGET = 256 << 20 };

static const struct json *vector_json(struct arena *a, const char *path)
{
    const struct json *j = NULL;
    struct err e = { .code = ERR_NONE };

    assert_ok(json_parse(test_vector(a, path), JSON_DEPTH, path, a, &j, &e), &e);
    return j;
}

static struct bytes member_text(const struct json *j, const char *name)
{
    struct bytes b = { NULL, 0 };

    if (!json_string(json_member(j, name), &b))
        fail_msg("no string member %s", name);
    return b;
}

static struct bytes member_b64(struct arena *a, const struct json *j, const char *name)
{
    struct bytes b;
    struct err e = { .code = ERR_NONE };

    assert_ok(b64_decode(member_text(j, name), B64_ANY, name, a, &b, &e), &e);
    return b;
}

/* A map of banks to maps of indices to hexadecimal values. */
static void read_pcrs(struct arena *a, const char *path, struct pcr_set *to)
{
    const struct json *j = vector_json(a, path);

    to->count = 0;
    for (const struct json *b = j->child; b != NULL; b = b->next) {
        struct pcr_bank *bank = pcr_set_bank(to, tpm_bank_named(b->name));

        for (const struct json *v = b->child; v != NULL; v = v->next)
            assert_true(pcr_put(bank, (unsigned)strtoul(arena_str(a, v->name), NULL, 10),
                                test_hex(a, arena_str(a, v->text))));
    }
}

static struct key *key_of_pem(struct bytes pem, struct arena *a)
{
    struct err e = { .code = ERR_NONE };
    struct pem_block block;
    struct key *k = NULL;
    size_t at = 0;

    assert_ok(pem_next(pem, &at, "key", a, &block, &e), &e);
    assert_ok(key_from_spki(block.der, "key", &k, &e), &e);
    return k;
}

/* -- quotes -- */

static const struct quote_row {
    const char *folder, *attest, *sig, *key; /* key: PEM, or a public area */
    bool bare, allow_sha1;
    const char *nonce;  /* hexadecimal; NULL: empty */
    const char *select; /* first bank of the selection */
    size_t banks;
} quotes[] = {
    { "quotes/gce-cos85", "quote-sha1.attest", "quote-sha1.tpmt_signature", "ak.tpmt_public", false, false, NULL, "SHA1", 1 },
    { "quotes/gce-cos85", "quote-sha256.attest", "quote-sha256.tpmt_signature", "ak.pem", false, false, NULL, "SHA256", 1 },
    { "quotes/gce-cos85", "quote-sha384.attest", "quote-sha384.tpmt_signature", "ak.tpmt_public", false, false, NULL, "SHA384", 1 },
    { "quotes/gce-windows", "quote.attest", "quote.tpmt_signature", "ak.tpmt_public", false, true, NULL, "SHA1", 1 },
    { "quotes/azure-snp-vm-a", "quote.attest", "quote.rsassa-sha256.sig", "ak.pem", true, false, "6368616c6c656e6765", "SHA256", 1 },
    { "quotes/azure-snp-vm-b", "quote.attest", "quote.rsassa-sha256.sig", "ak.pem", true, false, "*", "SHA256", 1 },
    { "quotes/azure-tdx-vm", "quote.attest", "quote.rsassa-sha256.sig", "ak.pem", true, false, "6368616c6c656e6765", "SHA256", 1 },
    { "quotes/azure-tdx-ak-chain", "quote.attest", "quote.rsassa-sha256.sig", "ak-cert.pem", true, false,
      "0000000000000000000000000000000000000000000000000000000000000000", "SHA256", 1 },
#define NONCE "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define DEAD "deadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef"
#define BOOT(name, nonce) \
    { "qemu/" name, "quote256.attest", "quote256.sig", "ak.tpm2b_public", false, false, nonce, "SHA256", 1 }, \
    { "qemu/" name, "quoteall.attest", "quoteall.sig", "ak.pem", false, false, nonce, "SHA1", 3 }, \
    { "qemu/" name, "quoteecc.attest", "quoteecc.sig", "akecc.tpm2b_public", false, false, nonce, "SHA256", 1 }
    BOOT("shim-grub-sb", NONCE),
    BOOT("shim-grub-sb-cmdline", DEAD),
    BOOT("uki-sb", NONCE),
    BOOT("uki-nosb", NONCE),
};

struct quote {
    struct arena a;
    struct tpm_quote_check q;
    struct pcr_set *claimed, *verified;
    struct tpm_attest attest;
    struct key *key;
};

static struct key *load_key(struct quote *t, const char *path)
{
    struct err e = { .code = ERR_NONE };
    struct bytes in = test_vector(&t->a, path);
    struct tpm_public p;
    struct key *k = NULL;
    struct cert cert;

    if (strstr(path, "cert") != NULL) {
        assert_ok(ak_cert_read(in, "certificate", &t->a, &cert, &e), &e);
        assert_ok(key_from_spki(cert.spki, "certificate", &k, &e), &e);
        return k;
    }
    if (strstr(path, ".pem") != NULL)
        return key_of_pem(in, &t->a);
    assert_ok(tpm_public_parse(in, ERR_FORMAT, "public area", &p, &e), &e);
    assert_ok(tpm_public_check_ak(&p, "public area", &e), &e);
    assert_ok(tpm_public_key(&p, ERR_FORMAT, "public area", &k, &e), &e);
    return k;
}

static const char *path_of(struct quote *t, const struct quote_row *row, const char *file)
{
    return arena_printf(&t->a, "tpm/%s/%s", row->folder, file);
}

static void quote_load(struct quote *t, const struct quote_row *row)
{
    struct tpm_attest any;

    memset(t, 0, sizeof(*t));
    arena_init(&t->a, BUDGET);
    t->claimed = arena_new(&t->a, struct pcr_set);
    t->verified = arena_new(&t->a, struct pcr_set);
    read_pcrs(&t->a, path_of(t, row, "pcrs.json"), t->claimed);
    t->key = load_key(t, path_of(t, row, row->key));
    t->q = (struct tpm_quote_check){
        .attest = test_vector(&t->a, path_of(t, row, row->attest)),
        .signature = test_vector(&t->a, path_of(t, row, row->sig)),
        .key = t->key,
        .claimed = t->claimed,
        .form = row->bare ? TPM_SIG_TPMT_OR_BARE : TPM_SIG_TPMT,
        .allow_sha1 = row->allow_sha1,
        .what = "quote",
    };
    if (row->nonce != NULL && strcmp(row->nonce, "*") == 0) {
        assert_true(tpm_attest_parse(t->q.attest, ERR_QUOTE_FORMAT, "quote", &any, NULL));
        assert_int_equal(any.extra.n, 48);
        t->q.nonce = any.extra;
    } else if (row->nonce != NULL) {
        t->q.nonce = test_hex(&t->a, row->nonce);
    }
}

static void quote_done(struct quote *t)
{
    key_free(t->key);
    arena_done(&t->a);
}

static bool quote_check(struct quote *t, struct err *e)
{
    e->code = ERR_NONE;
    t->verified->count = 0;
    return tpm_quote_verify(&t->q, &t->attest, t->verified, e);
}

static void test_quote(void **state)
{
    const struct quote_row *row = *state;
    struct err e;
    struct quote t;

    quote_load(&t, row);
    assert_ok(quote_check(&t, &e), &e);
    assert_int_equal(t.verified->count, row->banks);
    assert_string_equal(t.verified->bank[0].bank->name, row->select);
    assert_true(t.attest.safe);
    quote_done(&t);
}

static bool refused_for_a_reason(const struct err *e)
{
    switch (e->code) {
    case ERR_QUOTE_FORMAT:
    case ERR_QUOTE_ALG:
    case ERR_QUOTE_SIGNATURE:
        return e->why[0] != 0;
    default:
        return false;
    }
}

/* Each flipped byte and each truncation of what is signed and of the signature is refused. */
static void test_quote_damage(void **state)
{
    const struct quote_row *row = *state;
    struct bytes *const parts[] = { NULL, NULL };
    struct quote t;
    struct err e;

    (void)parts;
    quote_load(&t, row);
    for (int which = 0; which < 2; which++) {
        struct bytes *part = which == 0 ? &t.q.attest : &t.q.signature, whole = *part;
        uint8_t *copy = arena_alloc(&t.a, whole.n);

        memcpy(copy, whole.p, whole.n);
        for (size_t i = 0; i < whole.n; i++) {
            copy[i] ^= 0x21;
            *part = bytes_of(copy, whole.n);
            assert_false(quote_check(&t, &e));
            assert_true(refused_for_a_reason(&e));
            copy[i] ^= 0x21;
            *part = bytes_part(whole, 0, i);
            assert_false(quote_check(&t, &e));
            assert_true(refused_for_a_reason(&e));
        }
        *part = whole;
    }
    quote_done(&t);
}

/* Steps 3 to 6, each with the error of its own. */
static void test_quote_steps(void **state)
{
    struct quote t;
    struct err e;
    uint8_t *v;

    (void)state;
    quote_load(&t, &quotes[8]);
    t.q.nonce = LIT("another nonce");
    assert_false(quote_check(&t, &e));
    assert_refused(&e, ERR_QUOTE_NONCE, "does not match the expected qualifyingData");
    t.q.any_nonce = true;
    assert_ok(quote_check(&t, &e), &e);
    t.q.exact = true;
    assert_false(quote_check(&t, &e));
    assert_refused(&e, ERR_QUOTE_PCR_VALUES, "which is not quoted");
    t.q.exact = false;
    v = pcr_set_find(t.claimed, tpm_bank(TPM_SHA256))->value[3];
    v[7] ^= 1;
    assert_false(quote_check(&t, &e));
    assert_refused(&e, ERR_QUOTE_PCR_DIGEST, "pcrDigest does not match");
    v[7] ^= 1;
    pcr_set_find(t.claimed, tpm_bank(TPM_SHA256))->present &= ~(1u << 3);
    assert_false(quote_check(&t, &e));
    assert_refused(&e, ERR_QUOTE_PCR_VALUES, "no value is given for PCR 3 of bank SHA256");
    t.claimed->count = 0;
    assert_false(quote_check(&t, &e));
    assert_refused(&e, ERR_QUOTE_PCR_VALUES, "no value is given for PCR 0 of bank SHA256");
    quote_done(&t);
}

static void test_sha1_refused(void **state)
{
    struct quote t;
    struct err e;

    (void)state;
    quote_load(&t, &quotes[3]);
    t.q.allow_sha1 = false;
    assert_false(quote_check(&t, &e));
    assert_refused(&e, ERR_QUOTE_ALG, "signature hash is SHA1");
    quote_done(&t);
}

/* A TPM 1.2: the quote is refused for what it is; its log is still read and replays. */
static void test_tpm12(void **state)
{
    struct err e = { .code = ERR_NONE };
    struct tpm_attest t;
    struct pcr_set *pcrs;
    struct tpm_state *s;
    struct arena a;

    (void)state;
    arena_init(&a, BUDGET);
    s = arena_new(&a, struct tpm_state);
    pcrs = arena_new(&a, struct pcr_set);
    assert_false(tpm_attest_parse(test_vector(&a, "tpm/quotes/linux-tpm12/quote.tpm_quote_info"), ERR_QUOTE_FORMAT,
                                  "quote", &t, &e));
    assert_refused(&e, ERR_TPM_VERSION, "TPM 1.2 quote");
    tpm_state_open(s, &a);
    read_pcrs(&a, "tpm/quotes/linux-tpm12/pcrs.json", pcrs);
    s->pcrs = *pcrs;
    e.code = ERR_NONE;
    assert_ok(tpm_state_add(s, false, test_vector(&a, "tpm/quotes/linux-tpm12/eventlog.bin"), "log", &e), &e);
    assert_ok(tpm_state_replay(s, true, "log", &e), &e);
    assert_int_equal(tpm_secure_boot(s), SECURE_BOOT_INCONSISTENT); /* it measures values without their names */
    arena_done(&a);
}

/* -- logs against quotes -- */

static const struct log_row {
    const char *folder, *log;
    bool allow_sha1;
    enum secure_boot secure_boot;
    const char *line; /* kernel command line, or NULL */
} state_rows[] = {
    { "quotes/gce-cos85", "eventlog.bin", false, SECURE_BOOT_ENABLED, NULL },
    { "quotes/gce-windows", "wbcl.bin", true, SECURE_BOOT_ENABLED, NULL },
    { "qemu/shim-grub-sb", "binary_bios_measurements", false, SECURE_BOOT_ENABLED, "cmdline.txt" },
    { "qemu/shim-grub-sb-cmdline", "binary_bios_measurements", false, SECURE_BOOT_ENABLED, "cmdline.txt" },
    { "qemu/uki-sb", "binary_bios_measurements", false, SECURE_BOOT_ENABLED, NULL },
    { "qemu/uki-nosb", "binary_bios_measurements", false, SECURE_BOOT_DISABLED, NULL },
};

static void load_state(struct arena *a, const struct log_row *row, struct tpm_state *s)
{
    struct pcr_set *pcrs = arena_new(a, struct pcr_set);
    struct err e = { .code = ERR_NONE };

    tpm_state_open(s, a);
    read_pcrs(a, arena_printf(a, "tpm/%s/pcrs.json", row->folder), pcrs);
    s->pcrs = *pcrs;
    assert_ok(tpm_state_add(s, false, test_vector(a, arena_printf(a, "tpm/%s/%s", row->folder, row->log)), "log", &e), &e);
}

static void test_state(void **state)
{
    const struct log_row *row = *state;
    struct err e = { .code = ERR_NONE };
    struct tpm_state *s;
    struct claims c, without;
    struct arena a;

    arena_init(&a, BUDGET);
    s = arena_new(&a, struct tpm_state);
    load_state(&a, row, s);
    assert_ok(tpm_state_replay(s, row->allow_sha1, "log", &e), &e);
    assert_int_equal(tpm_secure_boot(s), row->secure_boot);
    if (row->line != NULL) {
        struct bytes want = test_vector(&a, arena_printf(&a, "tpm/%s/%s", row->folder, row->line));
        struct bytes got = tpm_kernel_command_line(s, &a);

        while (want.n > 0 && want.p[want.n - 1] == '\n')
            want.n--;
        want = bytes_part(want, strlen("BOOT_IMAGE="), want.n); /* GRUB measures the line without it */
        assert_true(bytes_contain(got, want));
    }
    c = claims_open(&a);
    tpm_state_claims(s, true, &c);
    assert_false(c.failed);
    assert_int_equal(claims_find(&c, "tpmVersion")->integer, 2);
    assert_int_equal(claims_find(&c, "secureBootEnabled")->boolean, row->secure_boot == SECURE_BOOT_ENABLED);
    without = claims_open(&a);
    tpm_state_claims(s, false, &without); /* for a policy that does not read the events */
    assert_int_equal(without.count, c.count - 1);
    assert_non_null(claims_find(&c, "events"));
    assert_null(claims_find(&without, "events"));
    arena_done(&a);
}

/* With SHA-1 alone quoted, nothing may be derived unless it is allowed. */
static void test_sha1_bank(void **state)
{
    struct err e = { .code = ERR_NONE };
    struct tpm_state *s;
    struct arena a;

    (void)state;
    arena_init(&a, BUDGET);
    s = arena_new(&a, struct tpm_state);
    load_state(&a, &state_rows[1], s);
    assert_false(tpm_state_replay(s, false, "log", &e));
    assert_refused(&e, ERR_LOG_BANK, "only the SHA-1 bank");
    arena_done(&a);
}

/* The SIPA events of a real Windows boot: each has its member, and the flags latch. */
static void test_windows_server(void **state)
{
    static const char *const parts[] = { "\"EVENT_TRUSTBOUNDARY\":{", "\"EVENT_BOOTDEBUGGING\":false",
        "\"EVENT_LOADEDMODULE_AGGREGATION\":[{", "\"EVENT_TRANSFER_CONTROL\":{\"Value\":1}",
        "\"EVENT_DATAEXECUTIONPREVENTION\":{\"Value\":1,\"String\":\"OptOut\"}", "\"EVENT_OS_REVOCATION_LIST\":{\"RawData\":",
        "\"EVENT_ELAM_KEYNAME\":", "winload.efi" };
    struct tpm_state *s;
    struct bytes events;
    struct win_boot w;
    struct arena a;

    (void)state;
    arena_init(&a, BUDGET);
    s = arena_new(&a, struct tpm_state);
    load_state(&a, &state_rows[1], s);
    assert_true(tpm_state_replay(s, true, "log", NULL));
    events = tpm_events_json(s, &a);
    for (size_t i = 0; i < COUNT(parts); i++)
        if (!bytes_contain(events, bytes_str(parts[i])))
            fail_msg("%s is not among the events", parts[i]);
    w = tpm_win_boot(s);
    assert_true(w.any && w.boot_debug_seen && !w.boot_debug && !w.safe_mode && !w.win_pe && !w.hidden);
    arena_done(&a);
}

/* -- certificates -- */

static void set_trust(struct arena *a, const char *path, struct trust *t)
{
    struct err e = { .code = ERR_NONE };
    struct cert *list;
    size_t n;

    assert_ok(certs_read(test_vector(a, path), 16, "root", a, &list, &n, &e), &e);
    *t = (struct trust){ .anchors = list, .count = n };
}

static const struct chain_row {
    const char *name, *leaf, *anchor; /* anchor NULL: the embedded fingerprints */
    const char *more[3];
    const char *at;
    bool ek;
    enum err_code code;
    const char *part;
} chains[] = {
    { "Azure TDX 2026, embedded root", "quotes/azure-tdx-ak-chain/ak-cert.pem", NULL,
      { "quotes/azure-tdx-ak-chain/intermediate-1.pem", "quotes/azure-tdx-ak-chain/intermediate-2.pem",
        "quotes/azure-tdx-ak-chain/azure-virtual-tpm-root-ca-2023.pem" }, "2026-07-01T00:00:00Z", false, ERR_NONE, NULL },
    { "Azure TDX 2026, configured root", "quotes/azure-tdx-ak-chain/ak-cert.pem",
      "quotes/azure-tdx-ak-chain/azure-virtual-tpm-root-ca-2023.pem",
      { "quotes/azure-tdx-ak-chain/intermediate-1.pem", "quotes/azure-tdx-ak-chain/intermediate-2.pem" },
      "2026-07-01T00:00:00Z", false, ERR_NONE, NULL },
    { "Azure TDX 2026, before its time", "quotes/azure-tdx-ak-chain/ak-cert.pem", NULL,
      { "quotes/azure-tdx-ak-chain/intermediate-1.pem", "quotes/azure-tdx-ak-chain/intermediate-2.pem",
        "quotes/azure-tdx-ak-chain/azure-virtual-tpm-root-ca-2023.pem" }, "2026-06-01T00:00:00Z", false,
      ERR_CERT_EXPIRED, "is valid from" },
    { "Azure TDX 2026, an intermediate is missing", "quotes/azure-tdx-ak-chain/ak-cert.pem", NULL,
      { "quotes/azure-tdx-ak-chain/intermediate-1.pem", "quotes/azure-tdx-ak-chain/azure-virtual-tpm-root-ca-2023.pem" },
      "2026-07-01T00:00:00Z", false, ERR_AK_CERT_CHAIN, "is neither a trusted root nor known" },
    { "Azure Trusted Launch", "quotes/azure-trustedlaunch-windows/ak-cert.der", NULL,
      { "quotes/azure-trustedlaunch-windows/global-virtual-tpm-ca-01.pem",
        "quotes/azure-trustedlaunch-windows/azure-virtual-tpm-root-ca-2023.pem" }, "2025-01-01T00:00:00Z", false,
      ERR_NONE, NULL },
    { "Azure Trusted Launch, after its time", "quotes/azure-trustedlaunch-windows/ak-cert.der", NULL,
      { "quotes/azure-trustedlaunch-windows/global-virtual-tpm-ca-01.pem",
        "quotes/azure-trustedlaunch-windows/azure-virtual-tpm-root-ca-2023.pem" }, "2026-01-01T00:00:00Z", false,
      ERR_CERT_EXPIRED, "ended at" },
    { "Google, an AK with the usage of an EK", "quotes/gce-cos85/ak-cert.der", NULL,
      { "quotes/gce-cos85/gce-ek-intermediate-2.der", "quotes/gce-cos85/gce-ek-root-1.der" }, "2026-01-01T00:00:00Z",
      false, ERR_NONE, NULL },
    { "EK of a software TPM", "qemu/uki-sb/ekcert.der", "qemu/ca/ek-root.pem", { "qemu/ca/ek-issuer.pem" },
      "2027-01-01T00:00:00Z", true, ERR_NONE, NULL },
    { "EK certificate in place of an AK's", "qemu/uki-sb/ekcert.der", "qemu/ca/ek-root.pem", { "qemu/ca/ek-issuer.pem" },
      "2027-01-01T00:00:00Z", false, ERR_AK_CERT_CHAIN, "" },
};

static void test_chain(void **state)
{
    const struct chain_row *row = *state;
    struct err e = { .code = ERR_NONE };
    struct settings settings = settings_default();
    struct trust trust = { 0 };
    struct verify_env env;
    struct cert leaf, more[3];
    struct arena a;
    size_t n = 0;
    bool ok;

    arena_init(&a, BUDGET);
    assert_ok(ak_cert_read(test_vector(&a, arena_printf(&a, "tpm/%s", row->leaf)), "leaf", &a, &leaf, &e), &e);
    for (; n < 3 && row->more[n] != NULL; n++)
        assert_ok(ak_cert_read(test_vector(&a, arena_printf(&a, "tpm/%s", row->more[n])), "more", &a, &more[n], &e), &e);
    if (row->anchor != NULL)
        set_trust(&a, arena_printf(&a, "tpm/%s", row->anchor), &trust);
    env = (struct verify_env){ .now = test_time(row->at), .trust = &trust, .settings = &settings, .a = &a };
    ok = row->ek ? ek_cert_check_chain(&leaf, more, n, &env, "certificate", &e)
                 : ak_cert_check_chain(&leaf, more, n, &env, "certificate", &e);
    if (row->code == ERR_NONE) {
        assert_ok(ok, &e);
        trust.replace = true; /* without embedded roots, and without the configured one */
        trust.count = 0;
        assert_false(ak_cert_check_chain(&leaf, more, n, &env, "certificate", &e));
        assert_refused(&e, ERR_AK_CERT_CHAIN, "neither a trusted root nor known");
    } else {
        assert_false(ok);
        assert_refused(&e, row->code, row->part);
    }
    arena_done(&a);
}

static void test_cert_padding(void **state)
{
    struct err e = { .code = ERR_NONE };
    struct bytes der;
    struct cert c;
    uint8_t *p;
    struct arena a;

    (void)state;
    arena_init(&a, BUDGET);
    der = test_vector(&a, "tpm/quotes/gce-cos85/ak-cert.der");
    p = arena_alloc(&a, 4096);
    memcpy(p, der.p, der.n);
    assert_ok(ak_cert_read(bytes_of(p, 4096), "certificate", &a, &c, &e), &e);
    assert_int_equal(c.der.n, der.n);
    memset(p + der.n, 0xff, 4096 - der.n);
    assert_ok(ak_cert_read(bytes_of(p, 4096), "certificate", &a, &c, &e), &e);
    p[4000] = 1;
    assert_false(ak_cert_read(bytes_of(p, 4096), "certificate", &a, &c, &e));
    assert_refused(&e, ERR_AK_CERT_FORMAT, "are no padding");
    arena_done(&a);
}

/* That memory ran out says nothing about the certificate. */
static void test_cert_memory(void **state)
{
    struct bytes pem;
    struct arena a;
    bool ok = false;

    (void)state;
    arena_init(&a, BUDGET);
    pem = test_vector(&a, "tpm/protocol/aik-root.pem");
    for (size_t budget = 64; !ok; budget += budget / 4) {
        struct err e = { .code = ERR_NONE };
        struct arena small;
        struct cert c;

        arena_init(&small, budget);
        ok = ak_cert_read(pem, "certificate", &small, &c, &e);
        if (!ok)
            assert_refused(&e, ERR_NO_MEMORY, NULL);
        arena_done(&small);
        assert_true(budget < BUDGET);
    }
    arena_done(&a);
}

/* -- public areas -- */

static void test_names(void **state)
{
    static const char *const folders[] = { "shim-grub-sb", "uki-sb", "uki-nosb", "shim-grub-sb-cmdline" };

    (void)state;
    for (size_t i = 0; i < COUNT(folders); i++) {
        struct err e = { .code = ERR_NONE };
        struct tpm_public ak, k;
        struct tpm_attest cert;
        AUTO_KEY key = NULL;
        const struct tpm_sig_rule rule = { TPM_SIG_TPMT, false, ERR_CERTIFY_FORMAT, ERR_CERTIFY_SIGNATURE,
                                           ERR_CERTIFY_SIGNATURE };
        enum hash_alg h;
        struct arena a;
        struct bytes in;

        arena_init(&a, BUDGET);
#define FILE_OF(name) test_vector(&a, arena_printf(&a, "tpm/qemu/%s/%s", folders[i], name))
        in = FILE_OF("ak.tpm2b_public");
        assert_ok(tpm_public_parse(in, ERR_FORMAT, "AK", &ak, &e), &e);
        assert_true(tpm_public_named(&ak, FILE_OF("ak.name")));
        assert_ok(tpm_public_parse(bytes_part(in, 2, in.n), ERR_FORMAT, "AK", &ak, &e), &e); /* without its size */
        assert_true(tpm_public_named(&ak, FILE_OF("ak.name")));
        assert_ok(tpm_public_key(&ak, ERR_FORMAT, "AK", &key, &e), &e);
        assert_ok(tpm_public_parse(FILE_OF("k.tpm2b_public"), ERR_FORMAT, "key", &k, &e), &e);
        assert_false(tpm_public_check_ak(&k, "key", &e));
        assert_refused(&e, ERR_AK_KEY, "attribute restricted is clear");
        assert_ok(tpm_attest_parse(FILE_OF("certify.attest"), ERR_FORMAT, "certification", &cert, &e), &e);
        assert_int_equal(cert.type, TPM_ATTEST_CERTIFY);
        assert_true(tpm_public_named(&k, cert.name));
        assert_false(tpm_public_named(&ak, cert.name));
        e.code = ERR_NONE;
        assert_ok(tpm_signature_verify(FILE_OF("certify.sig"), key, cert.all, &rule, "certification", &h, &e), &e);
        for (size_t n = 0; n < in.n; n++)
            assert_false(tpm_public_parse(bytes_part(in, 0, n), ERR_FORMAT, "AK", &k, NULL));
        arena_done(&a);
    }
}

static void out_2b(struct out *o, struct bytes b)
{
    out_u8(o, (uint8_t)(b.n >> 8));
    out_u8(o, (uint8_t)b.n);
    out_bytes(o, b);
}

static struct bytes sign(EVP_PKEY *key, int padding, struct bytes data, struct arena *a)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *of_key;
    uint8_t raw[256];
    size_t n = sizeof(raw);

    assert_int_equal(EVP_DigestSignInit(ctx, &of_key, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(of_key, padding), 1);
    assert_int_equal(EVP_DigestSign(ctx, raw, &n, data.p, data.n), 1);
    EVP_MD_CTX_free(ctx);
    return arena_copy(a, bytes_of(raw, n));
}

/* As a TPM gives it: RSASSA with SHA-256. */
static struct bytes tpm_signature(EVP_PKEY *aik, struct bytes data, struct arena *a)
{
    struct out o = out_open(a);

    out_bytes(&o, LIT("\0\x14\0\x0b"));
    out_2b(&o, sign(aik, RSA_PKCS1_PADDING, data, a));
    return out_view(&o);
}

/* A certification as a TPM makes it, and its signature by an attestation key that we made up. */
static void certify(EVP_PKEY *aik, struct bytes name, struct bytes challenge, struct arena *a, struct tpm_key_object *k)
{
    struct out o = out_open(a);

    out_bytes(&o, LIT("\xff\x54\x43\x47\x80\x17"));
    out_2b(&o, (struct bytes){ NULL, 0 });
    out_2b(&o, challenge);
    out_bytes(&o, LIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0"));
    out_2b(&o, name);
    out_2b(&o, (struct bytes){ NULL, 0 });
    k->certification = out_view(&o);
    k->signature = tpm_signature(aik, k->certification, a);
}

static struct key *public_of(EVP_PKEY *pkey)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(pkey, &der);
    struct err e = { .code = ERR_NONE };
    struct key *k = NULL;

    assert_true(n > 0);
    assert_ok(key_from_spki(bytes_of(der, (size_t)n), "key", &k, &e), &e);
    OPENSSL_free(der);
    return k;
}

/* Whoever finds two public areas with one SHA-1 gets the one certified that is his to load, and shows the other. */
static void test_name_algorithm(void **state)
{
    static const struct {
        uint8_t alg;
        enum err_code code;
    } rows[] = { { TPM_SHA256, ERR_NONE }, { TPM_SHA384, ERR_NONE }, { TPM_SHA1, ERR_CERTIFY_NAME } };
    const struct bytes challenge = LIT("0123456789abcdef");
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    AUTO_KEY aik = public_of(pkey);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tpm_key_object k = { .binding = TPM_BOUND_CERTIFY };
        struct err e = { .code = ERR_NONE };
        uint8_t name[2 + HASH_MAX_SIZE], *area;
        struct tpm_public p;
        struct arena a;
        size_t n;

        arena_init(&a, BUDGET);
        k.public = arena_copy(&a, test_vector(&a, "tpm/qemu/uki-sb/k.tpm2b_public"));
        area = arena_alloc(&a, k.public.n);
        memcpy(area, k.public.p, k.public.n);
        area[5] = rows[i].alg; /* behind the size and the type */
        k.public.p = area;
        assert_ok(tpm_public_parse(k.public, ERR_FORMAT, "public", &p, &e), &e);
        k.jwk.n = p.n;
        k.jwk.e = LIT("\1\0\1");
        assert_true(tpm_public_name(&p, name, &n));
        certify(pkey, bytes_of(name, n), challenge, &a, &k);
        if (rows[i].code == ERR_NONE) {
            assert_ok(tpm_key_object_check(&k, aik, challenge, "request_key", &e), &e);
        } else {
            assert_false(tpm_key_object_check(&k, aik, challenge, "request_key", &e));
            assert_refused(&e, rows[i].code, "SHA1");
        }
        arena_done(&a);
    }
    EVP_PKEY_free(pkey);
}

/* -- protocol -- */

static const char *const protocol[] = {
    "reject-aik-cert-other-key", "reject-certify-other-challenge", "reject-certify-other-object",
    "reject-custom-claim-type", "reject-jwk-text-changed", "reject-jws-rs256", "reject-jws-signed-by-other-key",
    "reject-jws-typ-v1", "reject-log-event-removed", "reject-other-key-tpm_quote", "reject-pcr-value-changed",
    "reject-quote-other-challenge", "reject-request-key-unbound", "reject-three-other-keys", "reject-vbs-enclave-data",
    "reject-vbs-other-idks", "reject-vbs-truncated", "v1-basic", "v1-vbs", "v2-basic-aik-untrusted", "v2-basic-ima",
    "v2-basic-jwk-text", "v2-basic-tpm_certify", "v2-basic-tpm_quote", "v2-basic-two-banks-custom-claims",
    "v2-basic-windows", "v2-vbs-debug", "v2-vbs",
};

struct exchange {
    struct arena a;
    const struct json *j;
    struct settings settings;
    struct trust trust;
    struct checks checks;
    struct verify_env env;
    struct bytes jws, challenge;
    struct tpm_request *rq;
};

static void exchange_load(struct exchange *x, const char *name)
{
    arena_init(&x->a, BUDGET);
    x->j = vector_json(&x->a, arena_printf(&x->a, "tpm/protocol/%s.json", name));
    x->jws = member_text(x->j, "request");
    x->challenge = member_b64(&x->a, x->j, "challenge");
    x->settings = settings_default();
    x->settings.required_pcr_mask = 0; /* the policy's defaults are stricter than the vectors; see test_settings() */
    x->settings.require_valid_aik_cert = false;
    set_trust(&x->a, "tpm/protocol/aik-root.pem", &x->trust);
    x->checks = (struct checks){ .a = &x->a };
    x->env = (struct verify_env){ .now = test_time("2026-11-26T12:00:00Z"), .trust = &x->trust,
                                  .settings = &x->settings, .checks = &x->checks, .a = &x->a };
    x->rq = NULL;
}

static bool exchange_run(struct exchange *x, struct claims *c, struct err *e)
{
    return tpm_request_parse(x->jws, &x->a, &x->rq, e) && tpm_request_verify(x->rq, x->challenge, &x->env, e)
        && tpm_request_claims(x->rq, LIT("https://p.example"), &x->env, c, e);
}

static void check_claim(struct exchange *x, const struct claims *c, const struct json *want)
{
    const struct claim *got = claims_find(c, arena_str(&x->a, want->name));
    struct out sorted = out_open(&x->a), sorted_want = out_open(&x->a);
    const struct json *parsed;

    if (got == NULL)
        fail_msg("claim %.*s is missing", (int)want->name.n, (const char *)want->name.p);
    assert_true(json_parse(claim_value_json(got, &x->a), JSON_DEPTH, "claim", &x->a, &parsed, NULL));
    json_print(&sorted, parsed, true);
    json_print(&sorted_want, want, true);
    if (!bytes_equal(out_view(&sorted), out_view(&sorted_want)))
        fail_msg("claim %.*s is %s, expected %s", (int)want->name.n, (const char *)want->name.p,
                 (const char *)out_view(&sorted).p, (const char *)out_view(&sorted_want).p);
}

static enum err_code code_named(struct bytes name)
{
    for (int i = 0; i <= ERR_USAGE; i++)
        if (bytes_is(name, err_name((enum err_code)i)))
            return (enum err_code)i;
    fail_msg("no error %.*s", (int)name.n, (const char *)name.p);
    return ERR_NONE;
}

static void test_protocol(void **state)
{
    struct err e = { .code = ERR_NONE };
    struct exchange x;
    struct claims c;
    bool ok;

    exchange_load(&x, *state);
    c = claims_open(&x.a);
    ok = exchange_run(&x, &c, &e);
    if (bytes_is(member_text(x.j, "expect"), "reject")) {
        assert_false(ok);
        assert_refused(&e, code_named(member_text(x.j, "error")), NULL);
        assert_true(e.why[0] != 0);
    } else {
        assert_ok(ok, &e);
        for (const struct json *w = json_member(x.j, "claims")->child; w != NULL; w = w->next)
            check_claim(&x, &c, w);
        assert_non_null(claims_find(&c, "events"));
        assert_non_null(claims_find(&c, "pcrs"));
        assert_non_null(claims_find(&c, "cnf"));
    }
    arena_done(&x.a);
}

static void test_custom_claims(void **state)
{
    struct err e = { .code = ERR_NONE };
    struct exchange x;
    struct claims c;

    (void)state;
    exchange_load(&x, "v2-basic-two-banks-custom-claims");
    c = claims_open(&x.a);
    assert_ok(exchange_run(&x, &c, &e), &e);
    assert_text(claims_find(&c, "team")->text, "blue");
    assert_int_equal(claims_find(&c, "level")->integer, 7);
    assert_true(claims_find(&c, "https://p.example/prod")->boolean);
    assert_int_equal(claims_find(&c, "prod")->issuer, ISSUER_CUSTOM);
    arena_done(&x.a);
}

static void test_settings(void **state)
{
    struct err e = { .code = ERR_NONE };
    struct exchange x;
    struct claims c;

    (void)state;
    exchange_load(&x, "v2-basic-aik-untrusted");
    c = claims_open(&x.a);
    x.settings.require_valid_aik_cert = true;
    assert_false(exchange_run(&x, &c, &e));
    assert_refused(&e, ERR_AK_CERT_CHAIN, "requires a valid AIK certificate");
    arena_done(&x.a);
    exchange_load(&x, "v2-basic-two-banks-custom-claims");
    c = claims_open(&x.a);
    x.settings.required_pcr_mask = 1u << 12;
    e.code = ERR_NONE;
    assert_false(exchange_run(&x, &c, &e));
    assert_refused(&e, ERR_QUOTE_SELECTION, "PCR 12 is not quoted");
    arena_done(&x.a);
}

/* -- a request made here, with a key that no TPM has: for quotes that no TPM at hand makes -- */

static struct bytes jwk_of(const struct key *k, struct arena *a)
{
    struct jobj o = jobj_open(a);

    jobj_text(&o, "kty", "RSA");
    jobj_b64url(&o, "n", key_modulus(k));
    jobj_b64url(&o, "e", key_exponent(k));
    return jobj_print(&o, false);
}

/* Zeros in all PCRs of these banks. */
struct made_bank {
    uint16_t alg;
    uint32_t pcrs;
};

static struct bytes quote_of(const struct made_bank *banks, size_t count, struct bytes nonce, struct arena *a)
{
    struct out o = out_open(a), values = out_open(a);
    struct digest d;

    out_bytes(&o, LIT("\xff\x54\x43\x47\x80\x18\0\0"));
    out_2b(&o, nonce);
    out_bytes(&o, LIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0"));
    out_u8(&o, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        out_u8(&o, 0);
        out_u8(&o, (uint8_t)banks[i].alg);
        out_u8(&o, 3);
        for (unsigned k = 0; k < 24; k += 8)
            out_u8(&o, (uint8_t)(banks[i].pcrs >> k));
        for (int n = __builtin_popcount(banks[i].pcrs); n > 0; n--)
            out_bytes(&values, bytes_of((const uint8_t[HASH_MAX_SIZE]){ 0 }, tpm_bank(banks[i].alg)->size));
    }
    d = sha256(out_view(&values));
    out_2b(&o, digest_bytes(&d));
    return out_view(&o);
}

static struct bytes values_of(const struct made_bank *banks, size_t count, struct arena *a)
{
    struct jarr list = jarr_open(a);

    for (size_t i = 0; i < count; i++) {
        struct jobj bank = jobj_open(a);
        struct jarr values = jarr_open(a);

        for (int pcr = 0; pcr < 24; pcr++)
            if ((banks[i].pcrs >> pcr & 1) != 0) {
                struct jobj v = jobj_open(a);

                jobj_int(&v, "index", pcr);
                jobj_b64url(&v, "digest", bytes_of((const uint8_t[HASH_MAX_SIZE]){ 0 }, tpm_bank(banks[i].alg)->size));
                jarr_raw(&values, jobj_print(&v, false));
            }
        jobj_int(&bank, "algorithm", banks[i].alg);
        jobj_json(&bank, "values", jarr_close(&values));
        jarr_raw(&list, jobj_print(&bank, false));
    }
    return jarr_close(&list);
}

/* attReqV2 without logs; one key attests and signs. */
static struct bytes made_request(EVP_PKEY *pkey, const struct made_bank *banks, size_t count, struct bytes challenge,
                                 struct arena *a)
{
    AUTO_KEY k = public_of(pkey);
    struct bytes jwk = jwk_of(k, a), quote;
    const struct bytes bound[] = { jwk, LIT("\0"), challenge };
    struct digest nonce = hash_parts(HASH_SHA256, bound, COUNT(bound));
    struct jobj key = jobj_open(a), now = jobj_open(a), tpm = jobj_open(a), data = jobj_open(a), all = jobj_open(a);
    struct out o = out_open(a);

    quote = quote_of(banks, count, digest_bytes(&nonce), a);
    jobj_json(&key, "jwk", jwk);
    jobj_json(&key, "info", LIT("{\"tpm_quote\":{\"hash_alg\":\"sha-256\"}}"));
    jobj_json(&now, "logs", LIT("[]"));
    jobj_json(&now, "aik_pub", jwk);
    jobj_json(&now, "pcrs", values_of(banks, count, a));
    jobj_b64url(&now, "quote", quote);
    jobj_b64url(&now, "signature", tpm_signature(pkey, quote, a));
    jobj_json(&tpm, "current_attestation", jobj_print(&now, false));
    jobj_json(&data, "request_key", jobj_print(&key, false));
    jobj_b64url(&data, "challenge", challenge);
    jobj_json(&data, "tpm_att_data", jobj_print(&tpm, false));
    jobj_text(&all, "att_type", "basic");
    jobj_json(&all, "att_data", jobj_print(&data, false));
    b64url_print(&o, LIT("{\"alg\":\"PS256\",\"typ\":\"attReqV2\"}"));
    out_char(&o, '.');
    b64url_print(&o, jobj_print(&all, false));
    quote = sign(pkey, RSA_PKCS1_PSS_PADDING, out_view(&o), a);
    out_char(&o, '.');
    b64url_print(&o, quote);
    return out_view(&o);
}

/* A PCR counts as quoted in a bank in which a log can be replayed. */
static void test_required_pcrs(void **state)
{
    static const struct {
        struct made_bank banks[2];
        const char *part; /* NULL: accepted */
    } rows[] = {
        { { { TPM_SHA256, 0xffffff }, { TPM_SM3_256, 0xff } }, NULL },
        { { { TPM_SHA256, 0xff }, { TPM_SHA384, 0xffff00 } }, NULL },
        { { { TPM_SHA256, 0xff }, { TPM_SM3_256, 0xffffff } }, "PCR 8 is not quoted" },
        { { { TPM_SHA256, 0xff }, { TPM_SHA3_256, 0xffffff } }, "PCR 8 is not quoted" },
        { { { TPM_SHA256, 0xff }, { TPM_SHA1, 0xffffff } }, "PCR 8 is not quoted" },
    };
    EVP_PKEY *pkey = EVP_RSA_gen(2048);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = { .code = ERR_NONE };
        struct settings settings = settings_default();
        struct exchange x = { .challenge = LIT("0123456789abcdef") };
        struct claims c;

        arena_init(&x.a, BUDGET);
        settings.require_valid_aik_cert = false;
        x.env = (struct verify_env){ .now = test_time("2026-11-26T12:00:00Z"), .settings = &settings, .a = &x.a };
        x.jws = made_request(pkey, rows[i].banks, 2, x.challenge, &x.a);
        c = claims_open(&x.a);
        if (rows[i].part == NULL) {
            assert_ok(exchange_run(&x, &c, &e), &e);
        } else {
            assert_false(exchange_run(&x, &c, &e));
            assert_refused(&e, ERR_QUOTE_SELECTION, rows[i].part);
        }
        arena_done(&x.a);
    }
    EVP_PKEY_free(pkey);
}

static void test_other_challenge(void **state)
{
    struct err e = { .code = ERR_NONE };
    struct exchange x;
    struct claims c;

    (void)state;
    exchange_load(&x, "v2-basic-tpm_quote");
    c = claims_open(&x.a);
    x.challenge = LIT("0123456789abcdef");
    assert_false(exchange_run(&x, &c, &e));
    assert_refused(&e, ERR_CHALLENGE_MISMATCH, "the challenge of the context");
    arena_done(&x.a);
}

/* Any flipped character of a JWS is refused: at every 37th one, and all of the signature. */
static void test_jws_damage(void **state)
{
    struct exchange x;
    struct bytes whole;
    uint8_t *copy;

    (void)state;
    exchange_load(&x, "v2-basic-tpm_quote");
    whole = x.jws;
    copy = arena_alloc(&x.a, whole.n);
    memcpy(copy, whole.p, whole.n);
    for (size_t i = 0; i < whole.n; i += i + 400 > whole.n ? 1 : 37) {
        struct err e = { .code = ERR_NONE };
        uint8_t old = copy[i];
        struct arena a;
        struct tpm_request *rq;
        struct verify_env env = x.env;

        arena_init(&a, 64 << 20);
        env.a = &a;
        env.checks = NULL;
        copy[i] = old == 'A' ? 'B' : 'A';
        assert_false(tpm_request_parse(bytes_of(copy, whole.n), &a, &rq, &e)
                     && tpm_request_verify(rq, x.challenge, &env, &e));
        assert_true(e.code != ERR_NONE && err_http(e.code) == 400 && e.why[0] != 0);
        copy[i] = old;
        arena_done(&a);
    }
    arena_done(&x.a);
}

/* An arena that runs out anywhere gives an error of memory and nothing else. */
static void test_out_of_memory(void **state)
{
    static const char *const names[] = { "v2-basic-tpm_certify", "v2-vbs", "v1-basic", "v2-basic-ima" };

    (void)state;
    for (size_t k = 0; k < COUNT(names); k++) {
        struct exchange x;
        bool done = false;

        exchange_load(&x, names[k]);
        for (size_t budget = 4 << 10; !done; budget += budget / 5) {
            static const struct bytes no_issuer;
            struct err e = { .code = ERR_NONE };
            struct verify_env env = x.env;
            struct tpm_request *rq;
            struct claims c;
            struct arena a;

            arena_init(&a, budget);
            env.a = &a;
            env.checks = NULL;
            c = claims_open(&a);
            done = tpm_request_parse(x.jws, &a, &rq, &e) && tpm_request_verify(rq, x.challenge, &env, &e)
                && tpm_request_claims(rq, no_issuer, &env, &c, &e);
            if (!done)
                assert_refused(&e, ERR_NO_MEMORY, NULL);
            arena_done(&a);
            assert_true(budget < BUDGET);
        }
        arena_done(&x.a);
    }
}

/* The row of functions that tools use: transport text in, claims out. */
static void test_kind(void **state)
{
    const struct evidence_kind *kind = evidence_kind_find(LIT("vbsenclave"));
    struct err e = { .code = ERR_NONE };
    struct evidence_input in = { .nonce = { NULL, 0 } };
    struct exchange x;
    struct jobj payload, doc;
    struct claims c;

    (void)state;
    assert_ptr_equal(kind, &evidence_tpm);
    exchange_load(&x, "v2-vbs");
    payload = jobj_open(&x.a);
    doc = jobj_open(&x.a);
    jobj_str(&payload, "request", x.jws);
    jobj_json(&doc, "payload", jobj_print(&payload, false));
    in.evidence = jobj_print(&doc, false);
    c = claims_open(&x.a);
    assert_false(evidence_verify(kind, &in, &x.env, &c, NULL, &e));
    assert_refused(&e, ERR_NONCE, "no challenge of ours");
    in.nonce = x.challenge; /* what the sender says about it counts nothing */
    e.code = ERR_NONE;
    assert_false(evidence_verify(kind, &in, &x.env, &c, NULL, &e));
    e.code = ERR_NONE;
    in.challenge = x.challenge;
    assert_ok(evidence_verify(kind, &in, &x.env, &c, NULL, &e), &e);
    in.challenge.n = 0;
    in.offline = true;
    assert_ok(evidence_verify(kind, &in, &x.env, &c, NULL, &e), &e);
    in.nonce.n = 0;
    assert_ok(evidence_verify(kind, &in, &x.env, &c, NULL, &e), &e);
    in.nonce = x.challenge;
    assert_ok(evidence_verify(kind, &in, &x.env, &c, NULL, &e), &e);
    in.nonce = LIT("0123456789abcdef");
    assert_false(evidence_verify(kind, &in, &x.env, &c, NULL, &e));
    assert_refused(&e, ERR_CHALLENGE_MISMATCH, "challenge");
    in.nonce = x.challenge;
    in.runtime.present = true;
    e.code = ERR_NONE;
    assert_false(evidence_verify(kind, &in, &x.env, &c, NULL, &e));
    assert_refused(&e, ERR_NOT_BOUND, "carries no runtime");
    arena_done(&x.a);
}

/* What the token calls it: an enclave behind the request or none. */
static void test_type(void **state)
{
    static const struct {
        const char *name, *type;
    } rows[] = { { "v2-vbs", "vbs" }, { "v1-vbs", "vbs" }, { "v2-basic-tpm_quote", "tpm" }, { "v1-basic", "tpm" } };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = { .code = ERR_NONE };
        struct tpm_request *rq;
        struct exchange x;

        exchange_load(&x, rows[i].name);
        assert_ok(tpm_request_parse(x.jws, &x.a, &rq, &e), &e);
        assert_string_equal(evidence_type(&evidence_tpm, rq), rows[i].type);
        arena_done(&x.a);
    }
    assert_string_equal(evidence_type(evidence_kind_find(LIT("AzureGuest")), NULL), "azurevm");
}

/* -- messages, challenges, contexts -- */

static const struct message_row {
    const char *name, *doc, *part; /* part NULL: accepted */
} messages[] = {
    { "aikcert", "{\"payload\": { \"type\": \"aikcert\" } }", NULL },
    { "with metadata", "{\"payload\":{\"request\":\"a.b.c\"},\"metadata\":{\"os_ver\":\"10.0\"}}", NULL },
    { "empty", "{}", "payload is missing" },
    { "both", "{\"payload\":{\"type\":\"aikcert\",\"request\":\"a.b.c\"}}", "not exactly one" },
    { "neither", "{\"payload\":{}}", "not exactly one" },
    { "other type", "{\"payload\":{\"type\":\"other\"}}", "is not aikcert" },
    { "number", "{\"payload\":{\"request\":1}}", "is no string" },
    { "no JSON", "abc", "" },
};

static void test_message(void **state)
{
    const struct message_row *row = *state;
    struct err e = { .code = ERR_NONE };
    enum tpm_message kind;
    struct bytes jws;
    struct arena a;
    bool ok;

    arena_init(&a, 1 << 20);
    ok = tpm_message_parse(bytes_str(row->doc), &a, &kind, &jws, &e);
    if (row->part == NULL) {
        assert_ok(ok, &e);
    } else {
        assert_false(ok);
        assert_refused(&e, ERR_TPM_MESSAGE, row->part);
    }
    arena_done(&a);
}

static const uint8_t context_keys[2][32] = { { 1, 2, 3 }, { 4, 5, 6 } };

static struct bytes make_context(struct arena *a, const struct tpm_context_keys *keys, int64_t now, uint8_t challenge[16])
{
    uint8_t random[TPM_CHALLENGE_RANDOM];
    struct err e = { .code = ERR_NONE };
    const struct json *j, *payload;
    struct bytes data, doc, got;

    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)(i * 7 + 1);
    assert_ok(tpm_challenge(keys, LIT("tenant"), now, TPM_CONTEXT_LIFETIME, random, a, &data, &e), &e);
    assert_ok(b64_decode(data, B64_URL_STRICT, "data", a, &doc, &e), &e);
    assert_ok(json_parse(doc, 8, "data", a, &j, &e), &e);
    payload = json_member(j, "payload");
    got = member_b64(a, payload, "challenge");
    assert_bytes_equal(got, bytes_of(random, 16));
    memcpy(challenge, got.p, 16);
    return member_text(payload, "service_context");
}

static const struct context_row {
    const char *name;
    const char *tenant;
    int64_t after;    /* seconds */
    int keys;         /* 0: the same, 1: rotated, 2: lost */
    enum err_code code;
    const char *part;
} contexts[] = {
    { "at once", "tenant", 0, 0, ERR_NONE, NULL },
    { "at the last second", "tenant", TPM_CONTEXT_LIFETIME, 0, ERR_NONE, NULL },
    { "after a rotation of keys", "tenant", 5, 1, ERR_NONE, NULL },
    { "too late", "tenant", TPM_CONTEXT_LIFETIME + 1, 0, ERR_CONTEXT_EXPIRED, "expired at" },
    { "other provider", "tenant2", 0, 0, ERR_CONTEXT_INVALID, "another provider" },
    { "key is gone", "tenant", 0, 2, ERR_CONTEXT_INVALID, "does not hold" },
    { "clock set back", "tenant", -100000, 0, ERR_CONTEXT_INVALID, "in the future" },
};

static void test_context(void **state)
{
    const struct context_row *row = *state;
    const struct tpm_context_keys made = { context_keys + 1, 1 };
    const struct tpm_context_keys have = { context_keys + (row->keys == 0 ? 1 : 0), row->keys == 1 ? 2 : 1 };
    const int64_t now = 1800000000;
    struct err e = { .code = ERR_NONE };
    uint8_t challenge[16], got[16];
    struct bytes context;
    struct arena a;
    int64_t expires;
    bool ok;

    arena_init(&a, 1 << 20);
    context = make_context(&a, &made, now, challenge);
    ok = tpm_context_open(&have, bytes_str(row->tenant), now + row->after, context, &a, got, &expires, &e);
    if (row->code == ERR_NONE) {
        assert_ok(ok, &e);
        assert_memory_equal(got, challenge, 16);
        assert_int_equal(expires, now + TPM_CONTEXT_LIFETIME);
    } else {
        assert_false(ok);
        assert_refused(&e, row->code, row->part);
    }
    arena_done(&a);
}

/* Each flipped character of a context is refused. */
static void test_context_damage(void **state)
{
    const struct tpm_context_keys keys = { context_keys, 2 };
    const int64_t now = 1800000000;
    uint8_t challenge[16], *copy;
    struct bytes context;
    struct arena a;
    int64_t expires;

    (void)state;
    arena_init(&a, 64 << 20);
    context = make_context(&a, &keys, now, challenge);
    copy = arena_alloc(&a, context.n);
    memcpy(copy, context.p, context.n);
    for (size_t i = 0; i < context.n; i++) {
        struct err e = { .code = ERR_NONE };

        copy[i] = copy[i] == 'Q' ? 'R' : 'Q';
        if (!bytes_equal(bytes_of(copy, context.n), context)) {
            assert_false(tpm_context_open(&keys, LIT("tenant"), now, bytes_of(copy, context.n), &a, challenge, &expires, &e));
            assert_int_equal(e.code, ERR_CONTEXT_INVALID);
        }
        copy[i] = context.p[i];
    }
    arena_done(&a);
}

static void test_replay_guard(void **state)
{
    struct err e = { .code = ERR_NONE };
    struct tpm_replay *r;
    uint8_t c[16] = { 0 };
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    r = tpm_replay_open(&a, 8);
    for (uint8_t i = 0; i < 8; i++) {
        c[0] = (uint8_t)(i * 8); /* all in one bucket */
        assert_true(tpm_replay_use(r, c, 1000, 900, &e));
    }
    for (uint8_t i = 0; i < 8; i++) {
        c[0] = (uint8_t)(i * 8);
        e.code = ERR_NONE;
        assert_false(tpm_replay_use(r, c, 1000, 900, &e));
        assert_refused(&e, ERR_CHALLENGE_USED, "answered before");
    }
    c[0] = 1;
    assert_true(tpm_replay_use(r, c, 1000, 900, &e)); /* the oldest makes room */
    c[0] = 0;
    assert_true(tpm_replay_use(r, c, 1000, 900, &e));
    c[0] = 16;
    assert_false(tpm_replay_use(r, c, 1000, 900, &e));
    assert_true(tpm_replay_use(r, c, 2000, 1001, &e)); /* expired: it may come again */
    arena_done(&a);
}

static void test_report(void **state)
{
    struct bytes text;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    assert_true(b64_decode(tpm_report(LIT("a.b.c"), &a), B64_URL_STRICT, "data", &a, &text, NULL));
    assert_text(text, "{\"payload\":{\"report\":\"a.b.c\"}}");
    arena_done(&a);
}

static void add_vectors(struct suite *s)
{
    char name[160];

    if (test_vectors() == NULL) {
        suite_add_skipped(s, "TPM vectors");
        return;
    }
    for (size_t i = 0; i < COUNT(quotes); i++) {
        snprintf(name, sizeof(name), "quote %s/%s", quotes[i].folder, quotes[i].attest);
        suite_add(s, name, test_quote, (void *)(uintptr_t)&quotes[i]);
        snprintf(name, sizeof(name), "damage to quote %s/%s", quotes[i].folder, quotes[i].attest);
        suite_add(s, name, test_quote_damage, (void *)(uintptr_t)&quotes[i]);
    }
    suite_add(s, "steps of a quote", test_quote_steps, NULL);
    suite_add(s, "SHA-1 signature is refused", test_sha1_refused, NULL);
    suite_add(s, "TPM 1.2", test_tpm12, NULL);
    for (size_t i = 0; i < COUNT(state_rows); i++) {
        snprintf(name, sizeof(name), "log against PCRs of %s", state_rows[i].folder);
        suite_add(s, name, test_state, (void *)(uintptr_t)&state_rows[i]);
    }
    suite_add(s, "SHA-1 bank is refused", test_sha1_bank, NULL);
    suite_add(s, "Windows Server", test_windows_server, NULL);
    for (size_t i = 0; i < COUNT(chains); i++) {
        snprintf(name, sizeof(name), "chain: %s", chains[i].name);
        suite_add(s, name, test_chain, (void *)(uintptr_t)&chains[i]);
    }
    suite_add(s, "algorithms of names", test_name_algorithm, NULL);
    suite_add(s, "banks that count as quoted", test_required_pcrs, NULL);
    suite_add(s, "padded certificate", test_cert_padding, NULL);
    suite_add(s, "certificate and no memory", test_cert_memory, NULL);
    suite_add(s, "names and public areas", test_names, NULL);
    for (size_t i = 0; i < COUNT(protocol); i++) {
        snprintf(name, sizeof(name), "protocol %s", protocol[i]);
        suite_add(s, name, test_protocol, (void *)(uintptr_t)protocol[i]);
    }
    suite_add(s, "custom claims", test_custom_claims, NULL);
    suite_add(s, "settings", test_settings, NULL);
    suite_add(s, "another challenge", test_other_challenge, NULL);
    suite_add(s, "damage to a request", test_jws_damage, NULL);
    suite_add(s, "kind", test_kind, NULL);
    suite_add(s, "type", test_type, NULL);
    suite_add(s, "out of memory", test_out_of_memory, NULL);
}

int main(void)
{
    struct suite s = { 0 };
    char name[160];

    add_vectors(&s);
    for (size_t i = 0; i < COUNT(messages); i++) {
        snprintf(name, sizeof(name), "message: %s", messages[i].name);
        suite_add(&s, name, test_message, (void *)(uintptr_t)&messages[i]);
    }
    for (size_t i = 0; i < COUNT(contexts); i++) {
        snprintf(name, sizeof(name), "context: %s", contexts[i].name);
        suite_add(&s, name, test_context, (void *)(uintptr_t)&contexts[i]);
    }
    suite_add(&s, "damage to a context", test_context_damage, NULL);
    suite_add(&s, "replay guard", test_replay_guard, NULL);
    suite_add(&s, "report", test_report, NULL);
    return suite_run("tpm", &s);
}
