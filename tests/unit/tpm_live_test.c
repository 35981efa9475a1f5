/* tpm_live_test.c: a software TPM, started here in its own folder, attests through the library: keys made,
 * PCRs extended, quotes verified; lies about the log, the nonce and the boot are noticed. */
#include "machine.h"

#include "base/out.h"
#include "codec/b64.h"
#include "codec/json.h"
#include "evidence/tpm/akcert.h"
#include "evidence/tpm/tpm.h"

#include <stdio.h>

#define LOG "tpm/qemu/shim-grub-sb/binary_bios_measurements"

static struct bytes make_request(struct machine *m, struct bytes log, struct bytes challenge)
{
    struct gather g = gather_default();
    struct err e = { .code = ERR_NONE };
    struct gathered have;
    struct bytes jws;

    g.log_path = machine_file(m, "log", log);
    assert_ok(gather_tpm(m->tpm, &g, challenge, &m->a, &have, &e), &e);
    assert_ok(request_make(m->tpm, &g, &have, challenge, LIT("context"), &m->a, &jws, &e), &e);
    gathered_done(m->tpm, &have);
    return jws;
}

static bool verify(struct machine *m, struct bytes jws, struct bytes challenge, struct tpm_request **ret, struct claims *c,
                   struct err *e)
{
    static const struct bytes no_issuer;
    struct settings settings = settings_default(); /* all PCRs are quoted; no root made the key's certificate */
    struct trust none = { .count = 0 };
    struct verify_env env = { .now = 1800000000, .trust = &none, .settings = &settings, .a = &m->a };

    settings.require_valid_aik_cert = false;
    e->code = ERR_NONE;
    *c = claims_open(&m->a);
    return tpm_request_parse(jws, &m->a, ret, e) && tpm_request_verify(*ret, challenge, &env, e)
        && tpm_request_claims(*ret, no_issuer, &env, c, e);
}

static void test_attest(void **state)
{
    struct bytes log, jws, challenge = LIT("0123456789abcdef");
    struct tpm_request *rq;
    struct machine m;
    struct claims c;
    struct err e;

    (void)state;
    machine_init(&m);
    log = test_vector(&m.a, LOG);
    machine_boot(&m, log);
    jws = make_request(&m, log, challenge);
    assert_ok(verify(&m, jws, challenge, &rq, &c, &e), &e);
    assert_true(claims_find(&c, "secureBootEnabled")->boolean);
    assert_true(bytes_contain(claims_find(&c, "kernelCommandLine")->text, LIT("console=ttyS0")));
    assert_true(bytes_contain(claims_find(&c, "x-ms-tpm-request-key")->text, LIT("\"tpm_certify\"")));
    assert_false(claims_find(&c, "aikValidated")->boolean);
    /* The same words to another challenge are an old answer. */
    assert_false(verify(&m, jws, LIT("fedcba9876543210"), &rq, &c, &e));
    assert_refused(&e, ERR_CHALLENGE_MISMATCH, "challenge");
    machine_done(&m);
}

/* A log from which one event is taken, and one with a byte changed. */
static void test_tampered_log(void **state)
{
    struct bytes log, jws, challenge = LIT("0123456789abcdef");
    struct tpm_log parsed;
    struct tpm_request *rq;
    struct machine m;
    struct out cut;
    struct claims c;
    struct err e;

    (void)state;
    machine_init(&m);
    log = test_vector(&m.a, LOG);
    machine_boot(&m, log);
    parsed = tpm_log_open(&m.a);
    assert_true(tpm_log_add(&parsed, log, "log", NULL));
    cut = out_open(&m.a);
    out_bytes(&cut, bytes_part(log, 0, parsed.events[20].offset));
    out_bytes(&cut, bytes_part(log, parsed.events[21].offset, log.n));
    jws = make_request(&m, out_view(&cut), challenge);
    assert_false(verify(&m, jws, challenge, &rq, &c, &e));
    assert_refused(&e, ERR_LOG_MISMATCH, arena_printf(&m.a, "quoted PCR %u", parsed.events[20].pcr));
    machine_done(&m);
}

/* Someone extends a PCR after the boot: the log no longer explains it. */
static void test_extended(void **state)
{
    struct bytes log, jws, challenge = LIT("0123456789abcdef");
    struct err e = { .code = ERR_NONE };
    struct tpm_request *rq;
    struct digest d;
    struct machine m;
    struct claims c;

    (void)state;
    machine_init(&m);
    log = test_vector(&m.a, LOG);
    machine_boot(&m, log);
    d = sha256(LIT("a module loaded later"));
    assert_ok(tpmdev_extend(m.tpm, 4, tpm_bank(TPM_SHA256), digest_bytes(&d), &e), &e);
    jws = make_request(&m, log, challenge);
    assert_false(verify(&m, jws, challenge, &rq, &c, &e));
    assert_refused(&e, ERR_LOG_MISMATCH, "quoted PCR 4");
    machine_done(&m);
}

static void test_old_nonce(void **state)
{
    struct tpm_quote_check q = { .form = TPM_SIG_TPMT, .what = "quote" };
    struct err e = { .code = ERR_NONE };
    struct tpmdev_key ak;
    struct pcr_set *pcrs, *verified;
    struct tpm_attest t;
    struct tpm_public p;
    AUTO_KEY key = NULL;
    struct machine m;

    (void)state;
    machine_init(&m);
    pcrs = arena_new(&m.a, struct pcr_set);
    verified = arena_new(&m.a, struct pcr_set);
    assert_ok(tpmdev_ak(m.tpm, TPMDEV_AK_HANDLE, &m.a, &ak, &e), &e);
    assert_ok(tpm_public_parse(ak.public, ERR_AK_KEY, "AK", &p, &e), &e);
    assert_ok(tpm_public_check_ak(&p, "AK", &e), &e);
    assert_true(tpm_public_named(&p, ak.name));
    assert_ok(tpm_public_key(&p, ERR_AK_KEY, "AK", &key, &e), &e);
    assert_ok(tpmdev_quote(m.tpm, &ak, LIT("yesterday"), tpm_bank(TPM_SHA256), 0xff, &m.a, &q.attest, &q.signature, &e), &e);
    assert_ok(tpmdev_pcrs(m.tpm, tpm_bank(TPM_SHA256), 0xff, pcrs, &e), &e);
    q.key = key;
    q.claimed = pcrs;
    q.nonce = LIT("yesterday");
    assert_ok(tpm_quote_verify(&q, &t, verified, &e), &e);
    q.nonce = LIT("today");
    assert_false(tpm_quote_verify(&q, &t, verified, &e));
    assert_refused(&e, ERR_QUOTE_NONCE, "does not match the expected qualifyingData");
    tpmdev_key_done(m.tpm, &ak);
    machine_done(&m);
}

/* After a reset the counter has grown, the key is the same, and the old log explains nothing. */
static void test_reboot(void **state)
{
    struct bytes log, before, after, challenge = LIT("0123456789abcdef");
    struct tpm_request *first, *second;
    struct machine m;
    struct claims c;
    struct err e;

    (void)state;
    machine_init(&m);
    log = test_vector(&m.a, LOG);
    machine_boot(&m, log);
    before = make_request(&m, log, challenge);
    assert_ok(verify(&m, before, challenge, &first, &c, &e), &e);
    machine_off(&m);
    machine_on(&m);
    after = make_request(&m, log, challenge);
    assert_false(verify(&m, after, challenge, &second, &c, &e));
    assert_refused(&e, ERR_LOG_MISMATCH, "does not replay to the quoted PCR");
    machine_boot(&m, log);
    after = make_request(&m, log, challenge);
    assert_ok(verify(&m, after, challenge, &second, &c, &e), &e);
    assert_bytes_equal(first->aik_spki, second->aik_spki);
    assert_true(second->current->state.quote.resets > first->current->state.quote.resets);
    machine_done(&m);
}

/* -- hibernation: the state before it travels as boot_attestation -- */

static void put_event(struct out *o, uint32_t pcr, uint32_t type, struct bytes data)
{
    struct digest d = sha256(data);

    out_u32le(o, pcr);
    out_u32le(o, type);
    out_u32le(o, 1);
    out_u16le(o, TPM_SHA256);
    out_bytes(o, digest_bytes(&d));
    out_u32le(o, (uint32_t)data.n);
    out_bytes(o, data);
}

/* A Windows boot as far as it matters: which boot it is, and what it hands over to (1 loader, 2 resume). */
static struct bytes windows_log(struct arena *a, uint8_t counter, uint8_t transfer)
{
    struct out o = out_open(a), tag = out_open(a);

    out_u32le(&o, 0);
    out_u32le(&o, EV_NO_ACTION);
    out_bytes(&o, LIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    out_u32le(&o, 33);
    out_bytes(&o, LIT("Spec ID Event03\0\0\0\0\0\0\2\0\2\1\0\0\0\x0b\0\x20\0\0"));
    out_u32le(&tag, 0x40010001);
    out_u32le(&tag, 16 + 12);
    out_u32le(&tag, 0x00020002);
    out_u32le(&tag, 8);
    out_u64le(&tag, counter);
    out_u32le(&tag, 0x00020003);
    out_u32le(&tag, 4);
    out_u32le(&tag, transfer);
    put_event(&o, 12, EV_EVENT_TAG, out_view(&tag));
    put_event(&o, 12, EV_SEPARATOR, LIT("WBCL"));
    return out_view(&o);
}

static struct bytes payload_of(struct machine *m, struct bytes jws)
{
    const uint8_t *first = memchr(jws.p, '.', jws.n), *second = memchr(first + 1, '.', jws.n - (size_t)(first + 1 - jws.p));
    struct bytes payload;

    assert_true(b64_decode(bytes_of(first + 1, (size_t)(second - first - 1)), B64_URL_STRICT, "payload", &m->a, &payload, NULL));
    return payload;
}

/* The request of now with the state of before, signed again by the request key. */
static struct bytes with_boot(struct machine *m, struct bytes log, struct bytes before, struct bytes challenge)
{
    static const char mark[] = "\"tpm_att_data\":{";
    struct gather g = gather_default();
    struct err e = { .code = ERR_NONE };
    struct out text = out_open(&m->a), jws = out_open(&m->a);
    struct bytes now, sig, plain;
    const struct json *j, *data;
    struct gathered have;
    char *at;

    assert_true(json_parse(payload_of(m, before), 16, "before", &m->a, &j, NULL));
    data = json_member(json_member(json_member(j, "att_data"), "tpm_att_data"), "current_attestation");
    g.log_path = machine_file(m, "log", log);
    assert_ok(gather_tpm(m->tpm, &g, challenge, &m->a, &have, &e), &e);
    assert_ok(request_make(m->tpm, &g, &have, challenge, LIT("context"), &m->a, &now, &e), &e);
    plain = payload_of(m, now);
    at = memmem(plain.p, plain.n, mark, strlen(mark));
    assert_non_null(at);
    at += strlen(mark);
    out_bytes(&text, bytes_of(plain.p, (size_t)((uint8_t *)at - plain.p)));
    out_text(&text, "\"boot_attestation\":");
    out_bytes(&text, data->raw);
    out_char(&text, ',');
    out_bytes(&text, bytes_of(at, plain.n - (size_t)((uint8_t *)at - plain.p)));
    b64url_print(&jws, LIT("{\"alg\":\"PS256\",\"typ\":\"attReqV2\"}"));
    out_char(&jws, '.');
    b64url_print(&jws, out_view(&text));
    assert_ok(tpmdev_sign(m->tpm, &have.request_key, out_view(&jws), &m->a, &sig, &e), &e);
    out_char(&jws, '.');
    b64url_print(&jws, sig);
    gathered_done(m->tpm, &have);
    return out_view(&jws);
}

/* The IMA list of another machine, of which 30 entries were measured before the quote and 12 after it. */
static void test_ima(void **state)
{
    struct bytes log, ima, jws, challenge = LIT("0123456789abcdef");
    struct gather g = gather_default();
    struct err e = { .code = ERR_NONE };
    struct gathered have;
    struct tpm_request *rq;
    struct ima_log list;
    struct machine m;
    struct claims c;
    uint32_t seq = 0;

    (void)state;
    machine_init(&m);
    log = test_vector(&m.a, LOG);
    ima = test_vector(&m.a, "tpm/qemu/shim-grub-sb/ima_binary_runtime_measurements");
    machine_boot(&m, log);
    list = ima_open(&m.a);
    assert_ok(ima_add(&list, ima, &seq, "list", &e), &e);
    for (size_t i = 0; i < 30; i++) {
        struct digest d = sha256(list.list[i].data);

        assert_ok(tpmdev_extend(m.tpm, IMA_PCR, tpm_bank(TPM_SHA256), digest_bytes(&d), &e), &e);
    }
    g.log_path = machine_file(&m, "log", log);
    g.ima_path = machine_file(&m, "ima", ima);
    assert_ok(gather_tpm(m.tpm, &g, challenge, &m.a, &have, &e), &e);
    assert_ok(request_make(m.tpm, &g, &have, challenge, LIT("context"), &m.a, &jws, &e), &e);
    gathered_done(m.tpm, &have);
    assert_ok(verify(&m, jws, challenge, &rq, &c, &e), &e);
    assert_int_equal(rq->current->state.ima.count, 30);
    assert_true(bytes_contain(claims_find(&c, "events")->text, LIT("\"FileName\":\"/bin/busybox\"")));
    machine_done(&m);
}

static const struct resume {
    const char *name;
    uint8_t boot_counter, resume_counter, transfer;
    enum err_code code;
    const char *part;
} resumes[] = {
    { "resumed", 7, 7, 2, ERR_NONE, NULL },
    { "of another boot", 7, 8, 2, ERR_BOOT_ATTESTATION, "BOOTCOUNTER is 7 at the boot and 8 now" },
    { "booted anew", 7, 7, 1, ERR_BOOT_ATTESTATION, "shows no resume" },
};

static void test_resume(void **state)
{
    const struct resume *row = *state;
    struct bytes before, now, log, challenge = LIT("0123456789abcdef");
    struct tpm_request *rq;
    struct machine m;
    struct claims c;
    struct err e;

    machine_init(&m);
    log = windows_log(&m.a, row->boot_counter, 1);
    machine_boot(&m, log);
    before = make_request(&m, log, LIT("an older challenge"));
    machine_off(&m);
    machine_on(&m);
    log = windows_log(&m.a, row->resume_counter, row->transfer);
    machine_boot(&m, log);
    now = with_boot(&m, log, before, challenge);
    if (row->code == ERR_NONE) {
        assert_ok(verify(&m, now, challenge, &rq, &c, &e), &e);
        assert_true(bytes_contain(claims_find(&c, "bootEvents")->text, LIT("\"EVENT_TRANSFER_CONTROL\":{\"Value\":1}")));
        assert_true(bytes_contain(claims_find(&c, "events")->text, LIT("\"EVENT_TRANSFER_CONTROL\":{\"Value\":2}")));
    } else {
        assert_false(verify(&m, now, challenge, &rq, &c, &e));
        assert_refused(&e, row->code, row->part);
    }
    machine_done(&m);
}

/* The service makes a credential for this TPM and this key; only they open it. */
static void test_activation(void **state)
{
    const bool ecc = *state != NULL;
    const uint8_t seed[32] = { 7, 1, 4, 9 };
    struct bytes id_object, encrypted, secret = { NULL, 0 };
    struct err e = { .code = ERR_NONE };
    struct tpmdev_key ak, ek, other;
    struct tpm_public p;
    AUTO_KEY key = NULL;
    struct machine m;

    machine_init(&m);
    assert_ok(tpmdev_ak(m.tpm, TPMDEV_AK_HANDLE, &m.a, &ak, &e), &e);
    assert_ok(tpmdev_ek(m.tpm, ecc, &m.a, &ek, &e), &e);
    assert_ok(tpm_public_parse(ek.public, ERR_FORMAT, "EK", &p, &e), &e);
    assert_int_equal(p.attributes, 0x000300b2);
    assert_ok(tpm_public_key(&p, ERR_FORMAT, "EK", &key, &e), &e);
    assert_ok(tpm_make_credential(key, ak.name, LIT("a secret of 24 bytes....") , seed, &m.a, &id_object, &encrypted, &e), &e);
    assert_ok(tpmdev_activate(m.tpm, &ak, &ek, id_object, encrypted, &m.a, &secret, &e), &e);
    assert_text(secret, "a secret of 24 bytes....");
    assert_ok(tpmdev_request_key(m.tpm, &m.a, &other, &e), &e); /* another key of the same TPM */
    assert_false(tpmdev_activate(m.tpm, &other, &ek, id_object, encrypted, &m.a, &secret, &e));
    assert_refused(&e, ERR_UNAVAILABLE, "activating the credential");
    tpmdev_key_done(m.tpm, &other);
    tpmdev_key_done(m.tpm, &ak);
    tpmdev_key_done(m.tpm, &ek);
    machine_done(&m);
}

/* Kept at a handle, the key is found there and is the one that was made. */
static void test_keep(void **state)
{
    struct err e = { .code = ERR_NONE };
    struct tpmdev_key made, kept;
    struct machine m;

    (void)state;
    machine_init(&m);
    assert_ok(tpmdev_ak(m.tpm, TPMDEV_AK_HANDLE, &m.a, &made, &e), &e);
    assert_true(made.transient);
    assert_ok(tpmdev_keep(m.tpm, &made, TPMDEV_AK_HANDLE, &e), &e);
    tpmdev_key_done(m.tpm, &made);
    assert_ok(tpmdev_ak(m.tpm, TPMDEV_AK_HANDLE, &m.a, &kept, &e), &e);
    assert_false(kept.transient);
    assert_bytes_equal(made.name, kept.name);
    machine_done(&m);
}

static void test_hardware(void **state)
{
    struct hardware h[HARDWARE_SOURCES];
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    hardware_read(LIT("data"), &a, h);
    for (size_t i = 0; i < HARDWARE_SOURCES; i++)
        assert_true(h[i].report.n > 0 || h[i].why[0] != 0);
    arena_done(&a);
}

int main(void)
{
    struct suite s = { 0 };
    const char *why;

    suite_add(&s, "hardware sources say why not", test_hardware, NULL);
    if (!machine_possible(&why)) {
        suite_add_skipped(&s, why);
        return suite_run("tpm_live", &s);
    }
    suite_add(&s, "old nonce", test_old_nonce, NULL);
    suite_add(&s, "credential activation", test_activation, NULL);
    suite_add(&s, "credential activation, ECC", test_activation, (void *)(uintptr_t)"ecc");
    suite_add(&s, "kept key", test_keep, NULL);
    for (size_t i = 0; i < COUNT(resumes); i++) {
        char name[64];

        snprintf(name, sizeof(name), "hibernation: %s", resumes[i].name);
        suite_add(&s, name, test_resume, (void *)(uintptr_t)&resumes[i]);
    }
    if (test_vectors() == NULL) {
        suite_add_skipped(&s, "log vectors are missing");
        return suite_run("tpm_live", &s);
    }
    suite_add(&s, "attest", test_attest, NULL);
    suite_add(&s, "IMA list that grew after the quote", test_ima, NULL);
    suite_add(&s, "tampered log", test_tampered_log, NULL);
    suite_add(&s, "PCR extended after the log", test_extended, NULL);
    suite_add(&s, "reboot", test_reboot, NULL);
    return suite_run("tpm_live", &s);
}
