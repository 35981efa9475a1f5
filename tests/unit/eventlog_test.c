/* eventlog_test.c: event logs, IMA lists, SIPA and EFI structures against the vectors. */
#include "testing.h"

#include "base/out.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "evidence/tpm/boot.h"
#include "evidence/tpm/efi.h"
#include "evidence/tpm/sipa.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUDGET = 256 << 20 };

static const char *const logs[] = {
    "gatt-coreos36-no-sb", "gatt-crypto-agile", "gatt-option-rom", "gatt-short-no-action", "gtt-arch-linux-workstation",
    "gtt-cos-101-amd-sev", "gtt-cos-85-amd-sev", "gtt-debian-10", "gtt-rhel8-uefi", "gtt-sp800155",
    "gtt-ubuntu-1804-amd-sev", "gtt-ubuntu-2104-no-dbx", "gtt-ubuntu-2404-amd-sevsnp", "ita-binary-bios-measurements20",
    "keylime-bogus", "keylime-no-sb", "rust-keylime-uefi", "t2t-event-bootorder", "t2t-event-sd-boot-fedora37",
    "t2t-event-uefiaction", "t2t-event-uefiservices", "t2t-event-uefivar", "t2t-event", "t2t-specid-vendordata",
    "tcglog-parser-ubuntu", "tss-hcrtm", "tss-pc_client",
};
static const char *const boots[] = { "shim-grub-sb", "shim-grub-sb-cmdline", "tpm12-shim-grub", "uki-nosb", "uki-sb" };

struct fixture {
    struct arena a;
    struct bytes log;
    const struct json *want;
    struct tpm_state *s;
};

static const struct json *vector_json(struct arena *a, const char *path)
{
    const struct json *j = NULL;
    struct err e = { .code = ERR_NONE };

    assert_ok(json_parse(test_vector(a, path), JSON_DEPTH, path, a, &j, &e), &e);
    return j;
}

static void fixture_init(struct fixture *f)
{
    arena_init(&f->a, BUDGET);
    f->s = arena_new(&f->a, struct tpm_state);
    assert_non_null(f->s);
    tpm_state_open(f->s, &f->a);
}

static int64_t int_of(const struct json *j)
{
    int64_t v = -1;

    assert_true(json_int(j, &v));
    return v;
}

static const struct json *at(const struct json *array, size_t i)
{
    const struct json *j = array->child;

    while (i-- > 0 && j != NULL)
        j = j->next;
    assert_non_null(j);
    return j;
}

static bool member_is_true(const struct json *j, const char *name)
{
    bool v = false;

    return json_bool(json_member(j, name), &v) && v;
}

static const char *text_of(struct fixture *f, const struct json *j)
{
    struct bytes b;

    assert_true(json_string(j, &b));
    return arena_str(&f->a, b);
}

/* Events as [index, pcr, type, data length, digest equals hash of data]. */
static void check_events(struct fixture *f)
{
    const struct json *list = json_member(f->want, "events");
    size_t i = 0;

    assert_int_equal(f->s->log.count, list->count);
    for (const struct json *row = list->child; row != NULL; row = row->next, i++) {
        const struct tpm_event *ev = &f->s->log.events[i];
        bool whole = false;

        assert_int_equal(ev->seq, int_of(at(row, 0)));
        assert_int_equal(ev->pcr, int_of(at(row, 1)));
        assert_int_equal(ev->type, strtoul(text_of(f, at(row, 2)), NULL, 16));
        assert_int_equal(ev->data.n, int_of(at(row, 3)));
        assert_true(json_bool(at(row, 4), &whole));
        if (whole && tpm_event_extends(ev) && ev->visible)
            assert_true(ev->covered);
    }
}

static void check_pcrs(struct fixture *f)
{
    const struct json *banks = json_member(f->want, "pcrs");

    for (const struct json *b = banks->child; b != NULL; b = b->next) {
        const struct tpm_bank *bank = tpm_bank_named(b->name);
        const struct tpm_event *missing;
        struct pcr_bank got;
        uint32_t seen = 0;

        assert_non_null(bank);
        assert_true(tpm_log_has_bank(&f->s->log, bank));
        if (!bank->known || (b->count == 0 && f->s->log.count > 1)) { /* declared, but events lack its digests */
            assert_false(tpm_log_replay(&f->s->log, bank, &got, &missing));
            continue;
        }
        assert_true(tpm_log_replay(&f->s->log, bank, &got, &missing));
        for (const struct json *p = b->child; p != NULL; p = p->next) {
            unsigned pcr = (unsigned)strtoul(arena_str(&f->a, p->name), NULL, 10);

            assert_bytes_equal(pcr_value(&got, pcr), test_hex(&f->a, text_of(f, p)));
            seen |= 1u << pcr;
        }
        assert_int_equal(seen, got.present);
    }
}

static void check_variables(struct fixture *f)
{
    const struct json *list = json_member(f->want, "variables");

    for (const struct json *row = list->child; row != NULL; row = row->next) {
        const struct tpm_event *ev = &f->s->log.events[int_of(json_member(row, "seq"))];
        struct out guid = out_open(&f->a);
        struct efi_variable v;
        struct digest d;

        assert_true(efi_variable_parse(ev->data, &v));
        efi_guid_print(&guid, v.guid, false);
        assert_text(out_view(&guid), text_of(f, json_member(row, "guid")));
        assert_text(utf16_text(&f->a, v.name), text_of(f, json_member(row, "name")));
        assert_int_equal(v.data.n, int_of(json_member(row, "size")));
        d = sha256(v.data);
        assert_bytes_equal(digest_bytes(&d), test_hex(&f->a, text_of(f, json_member(row, "sha256"))));
        if (json_member(row, "digestOver") != NULL && ev->visible)
            assert_true(ev->covered);
    }
}

static void check_images(struct fixture *f)
{
    const struct json *list = json_member(f->want, "images");

    for (const struct json *row = list->child; row != NULL; row = row->next) {
        const struct tpm_event *ev = &f->s->log.events[int_of(json_member(row, "seq"))];
        struct out path = out_open(&f->a);
        struct efi_image image;

        assert_true(efi_image_parse(ev->data, &image));
        efi_path_print(&path, image.path, false);
        assert_text(out_view(&path), text_of(f, json_member(row, "path")));
    }
}

static void check_secure_boot(struct fixture *f)
{
    const struct json *want = json_member(f->want, "secureBootEnabled");
    enum secure_boot got = tpm_secure_boot(f->s);

    if (want->type == JSON_NULL)
        assert_int_equal(got, SECURE_BOOT_UNKNOWN);
    else
        assert_int_equal(got, want->boolean ? SECURE_BOOT_ENABLED : SECURE_BOOT_DISABLED);
}

static void check_start(struct fixture *f)
{
    const struct json *locality = json_member(f->want, "startupLocality");

    assert_int_equal(f->s->log.locality, locality->type == JSON_NULL ? -1 : int_of(locality));
    assert_int_equal(f->s->log.hcrtm, member_is_true(f->want, "hcrtm"));
    assert_int_equal(f->s->log.spec->crypto_agile, bytes_is(json_member(f->want, "format")->text, "crypto-agile"));
}

/* The JSON is well-formed and has every visible event once. */
static void check_json(struct fixture *f)
{
    const struct json *j = NULL;
    struct err e = { .code = ERR_NONE };
    size_t visible = f->s->ima.count;

    for (size_t i = 0; i < f->s->log.count; i++)
        visible += f->s->log.events[i].visible;
    assert_ok(json_parse(tpm_events_json(f->s, &f->a), JSON_DEPTH, "events", &f->a, &j, &e), &e);
    assert_int_equal(json_member(j, "Events")->count, visible);
    assert_ok(json_parse(tpm_pcrs_json(f->s, &f->a), JSON_DEPTH, "pcrs", &f->a, &j, &e), &e);
}

static void check_all(struct fixture *f)
{
    struct err e = { .code = ERR_NONE };

    assert_ok(tpm_state_assume(f->s, "log", &e), &e);
    check_start(f);
    check_events(f);
    check_pcrs(f);
    check_variables(f);
    check_images(f);
    check_secure_boot(f);
    check_json(f);
}

static void test_log(void **state)
{
    const char *name = *state;
    struct err e = { .code = ERR_NONE };
    struct fixture f;
    bool ok;

    fixture_init(&f);
    f.log = test_vector(&f.a, arena_printf(&f.a, "tpm/eventlogs/%s.bin", name));
    f.want = vector_json(&f.a, arena_printf(&f.a, "tpm/eventlogs/%s.json", name));
    ok = tpm_log_add(&f.s->log, f.log, "log", &e);
    if (json_member(f.want, "parse") != NULL) {
        assert_false(ok);
        assert_refused(&e, ERR_LOG_FORMAT, "event 0 at offset 0 is truncated or malformed");
    } else if (json_member(f.want, "trailingBytes") != NULL) { /* vendorInfo behind the end of its event */
        assert_false(ok);
        assert_refused(&e, ERR_LOG_FORMAT, "vendorInfo");
    } else {
        assert_ok(ok, &e);
        check_all(&f);
    }
    arena_done(&f.a);
}

static void test_boot(void **state)
{
    const char *name = *state;
    struct err e = { .code = ERR_NONE };
    struct fixture f;

    fixture_init(&f);
    f.log = test_vector(&f.a, arena_printf(&f.a, "tpm/qemu/%s/binary_bios_measurements", name));
    f.want = vector_json(&f.a, arena_printf(&f.a, "tpm/qemu/%s/expected.json", name));
    assert_ok(tpm_log_add(&f.s->log, f.log, "log", &e), &e);
    check_all(&f);
    arena_done(&f.a);
}

/* The IMA list of a booted machine replays to PCR 10 of every bank. */
static void test_boot_ima(void **state)
{
    const char *name = *state;
    struct err e = { .code = ERR_NONE };
    const struct json *ima, *files, *banks;
    struct fixture f;
    struct bytes in;
    size_t i = 0;

    fixture_init(&f);
    in = test_vector(&f.a, arena_printf(&f.a, "tpm/qemu/%s/ima_binary_runtime_measurements", name));
    ima = json_member(vector_json(&f.a, arena_printf(&f.a, "tpm/qemu/%s/expected.json", name)), "ima");
    assert_ok(tpm_state_add(f.s, true, in, "IMA log", &e), &e);
    assert_int_equal(f.s->ima.count, int_of(json_member(ima, "entries")));
    files = json_member(ima, "files");
    for (const struct json *row = files->child; row != NULL; row = row->next, i++) {
        struct bytes file, digest;

        assert_true(f.s->ima.list[i].covered);
        assert_true(ima_file(&f.s->ima.list[i], &f.a, &file, &digest));
        assert_text(file, text_of(&f, at(row, 0)));
        assert_text(digest, text_of(&f, at(row, 1)));
    }
    banks = json_member(ima, "pcr10");
    for (const struct json *b = banks->child; b != NULL; b = b->next) {
        struct pcr_bank *to = pcr_set_bank(&f.s->pcrs, tpm_bank_named(b->name));

        assert_true(pcr_put(to, IMA_PCR, test_hex(&f.a, text_of(&f, b))));
    }
    assert_ok(ima_check(&f.s->ima, &f.s->pcrs, true, "IMA log", &e), &e);
    if (f.s->pcrs.count == 1) { /* a TPM 1.2 has SHA-1 alone */
        assert_false(ima_check(&f.s->ima, &f.s->pcrs, false, "IMA log", &e));
        assert_refused(&e, ERR_IMA_PCR10, "SHA-256 or stronger");
    }
    f.s->pcrs.bank[0].value[IMA_PCR][0] ^= 1;
    e.code = ERR_NONE;
    assert_false(ima_check(&f.s->ima, &f.s->pcrs, true, "IMA log", &e));
    assert_refused(&e, ERR_IMA_MISMATCH, "do not replay to the quoted PCR 10");
    check_json(&f);
    arena_done(&f.a);
}

static void check_ima_entries(struct fixture *f, const struct json *want)
{
    const struct json *events = json_member(want, "events");
    size_t i = 0;

    assert_int_equal(f->s->ima.count, events->count);
    for (const struct json *row = events->child; row != NULL; row = row->next, i++) {
        const struct ima_entry *en = &f->s->ima.list[i];
        struct bytes file, digest;

        assert_text(en->template, text_of(f, json_member(row, "template")));
        assert_int_equal(en->violation, member_is_true(row, "violation"));
        assert_int_equal(en->covered, member_is_true(row, "digestMatches"));
        assert_true(ima_file(en, &f->a, &file, &digest));
        assert_text(file, text_of(f, json_member(row, "file")));
        assert_text(digest, text_of(f, json_member(row, "fileDigest")));
    }
}

static void test_ima(void **state)
{
    const char *name = *state;
    const struct json *want;
    struct err e = { .code = ERR_NONE };
    int64_t trailing;
    struct fixture f;
    struct bytes in;

    fixture_init(&f);
    in = test_vector(&f.a, arena_printf(&f.a, "tpm/ima/%s", name));
    want = json_member(vector_json(&f.a, "tpm/ima/expected.json"), name);
    trailing = int_of(json_member(want, "trailingBytes"));
    if (trailing > 0) { /* an incomplete last entry is an error; what stands before it is read */
        assert_false(tpm_state_add(f.s, true, in, "IMA log", &e));
        assert_refused(&e, ERR_IMA_FORMAT, "is truncated or malformed");
        tpm_state_open(f.s, &f.a);
        e.code = ERR_NONE;
        in.n -= (size_t)trailing;
    }
    assert_ok(tpm_state_add(f.s, true, in, "IMA log", &e), &e);
    check_ima_entries(&f, want);
    for (const struct json *b = json_member(want, "pcr10Replay")->child; b != NULL; b = b->next) {
        const struct tpm_bank *bank = tpm_bank_named(b->name);
        struct digest own = ima_replay(&f.s->ima, bank, IMA_OWN_HASH), sha1 = ima_replay(&f.s->ima, bank, IMA_PADDED_SHA1);
        struct bytes w = test_hex(&f.a, text_of(&f, b));

        assert_true(bytes_equal(digest_bytes(&own), w) || bytes_equal(digest_bytes(&sha1), w));
    }
    check_json(&f);
    arena_done(&f.a);
}

/* Every truncation is refused, or ends at an event and yields a beginning of the log. */
static void test_truncations(void **state)
{
    struct arena a;
    struct bytes in;

    (void)state;
    arena_init(&a, BUDGET);
    in = test_vector(&a, "tpm/eventlogs/t2t-event-sd-boot-fedora37.bin");
    for (size_t n = 0; n < in.n; n++) {
        struct arena b;
        struct tpm_log log;
        struct err e = { .code = ERR_NONE };

        arena_init(&b, 1 << 20);
        log = tpm_log_open(&b);
        if (!tpm_log_add(&log, bytes_part(in, 0, n), "log", &e))
            assert_refused(&e, ERR_LOG_FORMAT, "is truncated or malformed");
        else
            assert_true(log.count < 28);
        arena_done(&b);
    }
    arena_done(&a);
}

/* A flipped byte of a log is refused against the PCRs of the whole log, or changes nothing that counts:
 * what is covered still hashes to its digest, and Secure Boot never turns on. */
static void test_flips(void **state)
{
    struct fixture f;
    uint8_t *copy;
    size_t refused = 0;

    (void)state;
    fixture_init(&f);
    f.log = test_vector(&f.a, "tpm/qemu/uki-nosb/binary_bios_measurements");
    assert_true(tpm_log_add(&f.s->log, f.log, "log", NULL));
    assert_true(tpm_state_assume(f.s, "log", NULL));
    copy = arena_alloc(&f.a, f.log.n);
    memcpy(copy, f.log.p, f.log.n);
    for (size_t i = 0; i < f.log.n; i++) {
        struct arena b;
        struct tpm_state *s;
        struct err e = { .code = ERR_NONE };

        arena_init(&b, 8 << 20);
        s = arena_new(&b, struct tpm_state);
        tpm_state_open(s, &b);
        s->pcrs = f.s->pcrs;
        copy[i] ^= 0x41;
        if (!tpm_log_add(&s->log, bytes_of(copy, f.log.n), "log", &e) || !tpm_state_replay(s, false, "log", &e)) {
            assert_true(e.code == ERR_LOG_FORMAT || e.code == ERR_LOG_MISMATCH || e.code == ERR_LOG_BANK);
            refused++;
        } else {
            assert_int_not_equal(tpm_secure_boot(s), SECURE_BOOT_ENABLED);
        }
        copy[i] ^= 0x41;
        arena_done(&b);
    }
    assert_true(refused > f.log.n / 3);
    arena_done(&f.a);
}

/* -- logs made here: what a hostile sender would try -- */

struct maker {
    struct out o;
    struct fixture f;
};

static void put_event(struct out *o, uint32_t pcr, uint32_t type, struct bytes data, struct bytes measured)
{
    struct digest d = sha256(measured);

    out_u32le(o, pcr);
    out_u32le(o, type);
    out_u32le(o, 1);
    out_u16le(o, TPM_SHA256);
    out_bytes(o, digest_bytes(&d));
    out_u32le(o, (uint32_t)data.n);
    out_bytes(o, data);
}

static void maker_init(struct maker *m)
{
    fixture_init(&m->f);
    m->o = out_open(&m->f.a);
    out_u32le(&m->o, 0);
    out_u32le(&m->o, EV_NO_ACTION);
    out_bytes(&m->o, LIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    out_u32le(&m->o, 33);
    out_bytes(&m->o, LIT("Spec ID Event03\0\0\0\0\0\0\2\0\2\1\0\0\0"));
    out_u16le(&m->o, TPM_SHA256);
    out_u16le(&m->o, 32);
    out_u8(&m->o, 0);
}

static struct bytes secure_boot_variable(struct arena *a, uint8_t v)
{
    struct out o = out_open(a);

    out_bytes(&o, LIT(EFI_GLOBAL));
    out_u64le(&o, 10);
    out_u64le(&o, 1);
    out_bytes(&o, LIT("S\0e\0c\0u\0r\0e\0B\0o\0o\0t\0"));
    out_u8(&o, v);
    return out_view(&o);
}

static bool maker_judge(struct maker *m, struct err *e)
{
    return tpm_log_add(&m->f.s->log, out_view(&m->o), "log", e) && tpm_state_assume(m->f.s, "log", e);
}

#define ZEROS LIT("\0\0\0\0")

static const struct forged {
    const char *name;
    int how;
    enum err_code code;   /* ERR_NONE: accepted, and `state` must come out */
    const char *part;
    enum secure_boot state;
} forged[] = {
    { "honest: on", 0, ERR_NONE, NULL, SECURE_BOOT_ENABLED },
    { "honest: off", 1, ERR_NONE, NULL, SECURE_BOOT_DISABLED },
    { "variable hidden as another type", 2, ERR_LOG_MISMATCH, "are the variable SecureBoot", 0 },
    { "variable hidden behind other data", 3, ERR_NONE, NULL, SECURE_BOOT_INCONSISTENT },
    { "variable's data exchanged", 4, ERR_NONE, NULL, SECURE_BOOT_INCONSISTENT },
    { "separator hidden as an action", 5, ERR_LOG_MISMATCH, "is that of a separator", 0 },
    { "separator invented before", 6, ERR_LOG_MISMATCH, "as a separator's is", 0 },
    { "second variable behind the separator", 7, ERR_LOG_MISMATCH, "measured behind the separator", 0 },
    { "two variables", 8, ERR_NONE, NULL, SECURE_BOOT_INCONSISTENT },
    { "debug firmware", 9, ERR_NONE, NULL, SECURE_BOOT_DEBUG },
    { "debug firmware hidden in a boot variable", 10, ERR_NONE, NULL, SECURE_BOOT_INCONSISTENT },
    { "debug firmware hidden in an authority", 11, ERR_NONE, NULL, SECURE_BOOT_INCONSISTENT },
    { "debug firmware hidden in a boot loader's text", 12, ERR_NONE, NULL, SECURE_BOOT_INCONSISTENT },
};

/* Data of types of which a part alone is measured: around bytes that were measured as something else. */
static struct bytes in_variable(struct arena *a, struct bytes inner)
{
    struct out o = out_open(a);

    out_bytes(&o, LIT(EFI_GLOBAL));
    out_u64le(&o, 1);
    out_u64le(&o, inner.n);
    out_bytes(&o, LIT("X\0"));
    out_bytes(&o, inner);
    return out_view(&o);
}

static struct bytes between(struct arena *a, const char *before, struct bytes inner, const char *after)
{
    struct out o = out_open(a);

    out_text(&o, before);
    out_bytes(&o, inner);
    out_text(&o, after);
    return out_view(&o);
}

static void forge(struct maker *m, int how)
{
    struct bytes on = secure_boot_variable(&m->f.a, 1), off = secure_boot_variable(&m->f.a, 0);
    const struct bytes debug = LIT("UEFI Debug Mode");
    struct out *o = &m->o;

    if (how == 6)
        put_event(o, 7, EV_SEPARATOR, ZEROS, LIT("something else"));
    if (how == 9)
        put_event(o, 7, EV_EFI_ACTION, LIT("UEFI Debug Mode"), LIT("UEFI Debug Mode"));
    if (how == 10)
        put_event(o, 7, EV_EFI_VARIABLE_BOOT, in_variable(&m->f.a, debug), debug);
    if (how == 11)
        put_event(o, 7, EV_EFI_VARIABLE_AUTHORITY, between(&m->f.a, "", debug, "x"), debug);
    if (how == 12)
        put_event(o, 7, EV_IPL, between(&m->f.a, "grub_cmd: ", debug, ""), debug);
    if (how == 0 || how == 6 || how == 8 || how >= 9)
        put_event(o, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, on, on);
    else if (how == 2)
        put_event(o, 7, EV_EFI_VARIABLE_AUTHORITY, off, off);
    else if (how == 3)
        put_event(o, 7, EV_POST_CODE, LIT("code"), off);
    else if (how == 4)
        put_event(o, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, on, off);
    else
        put_event(o, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, off, off);
    if (how == 8)
        put_event(o, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, off, off);
    put_event(o, 7, how == 5 ? EV_EFI_ACTION : EV_SEPARATOR, ZEROS, ZEROS);
    if (how == 7 || how == 5)
        put_event(o, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, on, on);
}

static void test_forged(void **state)
{
    const struct forged *row = *state;
    struct err e = { .code = ERR_NONE };
    struct maker m;

    maker_init(&m);
    forge(&m, row->how);
    if (row->code == ERR_NONE) {
        assert_ok(maker_judge(&m, &e), &e);
        assert_int_equal(tpm_secure_boot(m.f.s), row->state);
    } else {
        assert_false(maker_judge(&m, &e));
        assert_refused(&e, row->code, row->part);
    }
    arena_done(&m.f.a);
}

/* -- the kernel command line: what root could add after the boot, and what the sender could call otherwise -- */

#define LINE "/vmlinuz root=/dev/sda1 ro"
#define OTHER "/vmlinuz root=/dev/sda1 ro lockdown=integrity"

static const struct line_row {
    const char *name;
    struct {
        uint32_t pcr, type;
        const char *data, *measured; /* measured NULL: the data */
    } events[6];
    const char *want; /* NULL: no claim */
} line_rows[] = {
    { "one", { { 8, EV_IPL, "grub_cmd: linux " LINE, "linux " LINE }, { 8, EV_IPL, "kernel_cmdline: " LINE, LINE } }, LINE },
    { "one, without commands", { { 8, EV_IPL, "grub_kernel_cmdline " LINE, LINE } }, LINE },
    { "words in quotes",
      { { 8, EV_IPL, "grub_cmd: linux /vmlinuz dm=1 none", "linux /vmlinuz dm=1 none" },
        { 8, EV_IPL, "kernel_cmdline: /vmlinuz \"dm=1 none\"", "/vmlinuz \"dm=1 none\"" } }, "/vmlinuz \"dm=1 none\"" },
    { "a command with more",
      { { 8, EV_IPL, "grub_cmd: linux /vmlinuz ro x", "linux /vmlinuz ro x" }, { 8, EV_IPL, "kernel_cmdline: /vmlinuz ro", "/vmlinuz ro" } }, NULL },
    { "the same twice", { { 8, EV_IPL, "kernel_cmdline: " LINE, LINE }, { 8, EV_IPL, "kernel_cmdline: " LINE, LINE } }, LINE },
    { "with a module's", { { 8, EV_IPL, "kernel_cmdline: " LINE, LINE }, { 8, EV_IPL, "module_cmdline: " OTHER, OTHER } }, LINE },
    { "none", { { 8, EV_IPL, "grub_cmd: linux " LINE, "linux " LINE } }, NULL },
    { "another one later", { { 8, EV_IPL, "kernel_cmdline: " LINE, LINE }, { 8, EV_IPL, "kernel_cmdline: " OTHER, OTHER } }, NULL },
    { "another form later", { { 8, EV_IPL, "kernel_cmdline: " LINE, LINE }, { 8, EV_IPL, "grub_kernel_cmdline " OTHER, OTHER } }, NULL },
    { "another one in PCR 12",
      { { 8, EV_IPL, "kernel_cmdline: " LINE, LINE }, { 12, EV_IPL, "o\0t\0h\0e\0r", NULL } }, NULL },
    { "the real one called a command",
      { { 8, EV_IPL, "grub_cmd: linux " LINE, "linux " LINE }, { 8, EV_IPL, "grub_cmd: " LINE, LINE },
        { 8, EV_IPL, "kernel_cmdline: " OTHER, OTHER } }, NULL },
    { "the real one called a module's",
      { { 8, EV_IPL, "module_cmdline: linuxefi " LINE, "linuxefi " LINE }, { 8, EV_IPL, "module_cmdline: " LINE, LINE },
        { 8, EV_IPL, "kernel_cmdline: " OTHER, OTHER } }, NULL },
    { "the real one without its prefix",
      { { 8, EV_IPL, "linux16 " LINE, NULL }, { 8, EV_IPL, LINE, NULL }, { 8, EV_IPL, "kernel_cmdline: " OTHER, OTHER } }, NULL },
    { "the real one behind other data",
      { { 8, EV_IPL, "(hd0)/grub.cfg", "linux " LINE }, { 8, EV_IPL, "(hd0)/vmlinuz", LINE }, { 8, EV_IPL, "kernel_cmdline: " OTHER, OTHER } },
      NULL },
    { "the real one as another type",
      { { 8, EV_ACTION, "linux " LINE, NULL }, { 8, EV_ACTION, LINE, NULL }, { 8, EV_IPL, "kernel_cmdline: " OTHER, OTHER } }, NULL },
    { "added commands", { { 8, EV_IPL, "grub_cmd: linux " LINE, "linux " LINE }, { 8, EV_IPL, "grub_cmd: " LINE, LINE },
      { 8, EV_IPL, "grub_cmd: linux " OTHER, "linux " OTHER }, { 8, EV_IPL, "kernel_cmdline: " OTHER, OTHER } }, NULL },
};

static void test_line(void **state)
{
    const struct line_row *row = *state;
    struct err e = { .code = ERR_NONE };
    struct bytes got;
    struct maker m;

    maker_init(&m);
    for (size_t i = 0; i < COUNT(row->events) && row->events[i].data != NULL; i++) {
        struct bytes data = row->events[i].pcr == 12 ? LIT("o\0t\0h\0e\0r\0\0\0") : bytes_str(row->events[i].data);

        put_event(&m.o, row->events[i].pcr, row->events[i].type, data,
                  row->events[i].measured == NULL ? data : bytes_str(row->events[i].measured));
    }
    assert_ok(maker_judge(&m, &e), &e);
    got = tpm_kernel_command_line(m.f.s, &m.f.a);
    assert_text(got, row->want == NULL ? "" : row->want);
    arena_done(&m.f.a);
}

/* A boot event of Windows: a trust boundary with one flag. */
static struct bytes win_flag(struct arena *a, uint32_t id, uint8_t v)
{
    struct out o = out_open(a);

    out_u32le(&o, SIPA_TRUSTBOUNDARY);
    out_u32le(&o, 9);
    out_u32le(&o, id);
    out_u32le(&o, 1);
    out_u8(&o, v);
    return out_view(&o);
}

static void test_windows_flags(void **state)
{
    struct err e = { .code = ERR_NONE };
    struct win_boot w;
    struct maker m;
    struct bytes bad, vsm, late;

    (void)state;
    maker_init(&m);
    bad = win_flag(&m.f.a, SIPA_SAFEMODE, 1);
    vsm = win_flag(&m.f.a, SIPA_VBS_VSM_REQUIRED, 1);
    late = win_flag(&m.f.a, SIPA_VBS_IOMMU_REQUIRED, 1);
    put_event(&m.o, 12, EV_EVENT_TAG, bad, bad);
    put_event(&m.o, 12, EV_EVENT_TAG, vsm, vsm);
    put_event(&m.o, 12, EV_SEPARATOR, LIT("WBCL"), LIT("WBCL"));
    put_event(&m.o, 12, EV_EVENT_TAG, late, late);
    assert_ok(maker_judge(&m, &e), &e);
    w = tpm_win_boot(m.f.s);
    assert_true(w.any && w.safe_mode && w.vsm_seen && w.vsm_all);
    assert_false(w.iommu_seen); /* behind the separator */
    arena_done(&m.f.a);

    maker_init(&m); /* the flag hidden behind a type, and behind other data */
    bad = win_flag(&m.f.a, SIPA_SAFEMODE, 1);
    put_event(&m.o, 12, EV_IPL, bad, bad);
    assert_false(maker_judge(&m, &e));
    assert_refused(&e, ERR_LOG_MISMATCH, "boot events of Windows, its type is not EV_EVENT_TAG");
    arena_done(&m.f.a);

    maker_init(&m);
    put_event(&m.o, 13, EV_IPL, LIT("x"), win_flag(&m.f.a, SIPA_SAFEMODE, 1));
    e.code = ERR_NONE;
    assert_ok(maker_judge(&m, &e), &e);
    assert_true(tpm_win_boot(m.f.s).hidden);
    arena_done(&m.f.a);
}

/* A bad flag under types of which a part of the data is measured: nobody can tell that it is none. */
static const struct disguise {
    const char *name;
    int how;
    enum err_code code; /* ERR_NONE: accepted, but something is hidden */
} disguises[] = {
    { "a boot loader's text", 0, ERR_NONE },
    { "a boot variable", 1, ERR_NONE },
    { "an authority", 2, ERR_NONE },
    { "the name of a section", 3, ERR_NONE },
    { "another type, without a container", 4, ERR_LOG_MISMATCH },
};

static void test_disguise(void **state)
{
    const struct disguise *row = *state;
    const struct bytes bare = LIT("\5\0\5\0\2\0\0\0\1\0"); /* SAFEMODE */
    struct err e = { .code = ERR_NONE };
    struct bytes bad;
    struct maker m;

    maker_init(&m);
    bad = win_flag(&m.f.a, SIPA_SAFEMODE, 1);
    switch (row->how) {
    case 0:
        put_event(&m.o, 12, EV_IPL, between(&m.f.a, "grub_cmd: ", bad, ""), bad);
        break;
    case 1:
        put_event(&m.o, 12, EV_EFI_VARIABLE_BOOT, in_variable(&m.f.a, bad), bad);
        break;
    case 2:
        put_event(&m.o, 13, EV_EFI_VARIABLE_AUTHORITY, between(&m.f.a, "", bad, "x"), bad);
        break;
    case 3:
        put_event(&m.o, 13, EV_IPL, LIT("\5\0\0\0\5\0\0\0\2\0\0\0\0\0\0\0\1\0\0\0"), bare);
        break;
    default:
        put_event(&m.o, 12, EV_IPL, bare, bare);
    }
    if (row->code == ERR_NONE) {
        assert_ok(maker_judge(&m, &e), &e);
        assert_true(tpm_win_boot(m.f.s).hidden);
    } else {
        assert_false(maker_judge(&m, &e));
        assert_refused(&e, row->code, "boot events of Windows, its type is not EV_EVENT_TAG");
    }
    arena_done(&m.f.a);
}

/* Separators of PCR 0 to 7: types are not measured, so a second one, or one that tells an error, counts under any. */
static const struct separator_row {
    const char *name;
    uint32_t type; /* of one more event in PCR 4; 0: none */
    const char *content;
    bool valid;
} separator_rows[] = {
    { "one each", 0, NULL, true },
    { "two", EV_SEPARATOR, "\0\0\0\0", false },
    { "a second one as an action", EV_EFI_ACTION, "\0\0\0\0", false },
    { "an error as an action", EV_EFI_ACTION, "\1\0\0\0", false },
    { "of Windows", EV_SEPARATOR, "WBCL", false },
};

static void test_separators(void **state)
{
    const struct separator_row *row = *state;
    struct err e = { .code = ERR_NONE };
    struct claims c;
    struct maker m;

    maker_init(&m);
    if (row->type != 0)
        put_event(&m.o, 4, row->type, bytes_of(row->content, 4), bytes_of(row->content, 4));
    for (uint32_t pcr = 0; pcr < 8; pcr++)
        if (pcr != 4 || row->content == NULL || row->content[0] == 0)
            put_event(&m.o, pcr, EV_SEPARATOR, ZEROS, ZEROS);
    assert_ok(maker_judge(&m, &e), &e);
    c = claims_open(&m.f.a);
    tpm_state_claims(m.f.s, false, &c);
    assert_int_equal(claims_find(&c, "firmwareSeparatorsValid")->boolean, row->valid);
    arena_done(&m.f.a);
}

/* A deep or endless nesting ends with a reason. */
static void test_sipa_limits(void **state)
{
    uint8_t deep[20 * 8];
    const char *wrong = NULL;

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        memcpy(deep + 8 * i, "\x01\x00\x01\x40\x00\x00\x00\x00", 8);
        deep[8 * i + 4] = (uint8_t)(sizeof(deep) - 8 * (i + 1));
    }
    assert_false(sipa_valid(BYTES(deep), &wrong));
    assert_non_null(strstr(wrong, "more than 8 deep"));
    assert_false(sipa_valid(LIT("\1\0\2\0\4\0\0\0abc"), &wrong));
    assert_non_null(strstr(wrong, "longer than what is left"));
    assert_true(sipa_valid(LIT("\1\0\2\0\3\0\0\0abc\0\0\0"), &wrong));
    assert_false(sipa_valid(LIT("\1\0\2\0\3\0\0\0abcx"), &wrong));
    assert_non_null(strstr(wrong, "not zero"));
}

static const struct limit {
    const char *name;
    const char *hex; /* behind the Spec ID event */
    const char *part;
} limits[] = {
    { "PCR 24", "18000000 05000000 00000000 00000000", "pcrIndex" },
    { "two digests, one declared", "04000000 05000000 02000000 00000000", "digestCount" },
    { "digest of another bank", "04000000 05000000 01000000 0400 0000000000000000000000000000000000000000 00000000",
      "algorithmId" },
    { "data longer than the log", "04000000 05000000 00000000 ffff0000 00", "event data" },
    { "data longer than 64 KiB", "04000000 05000000 00000000 00000200", "at most 65536" },
    { "bytes that are no event", "010203", "pcrIndex" },
    { "a second Spec ID", "00000000 03000000 00000000 10000000 53706563204944204576656e74303300",
      "only once" },
    { "locality 9", "00000000 03000000 00000000 11000000 537461727475704c6f63616c69747900 09", "locality 0, 3 or 4" },
};

static void test_limit(void **state)
{
    const struct limit *row = *state;
    struct err e = { .code = ERR_NONE };
    char compact[512];
    struct maker m;
    size_t n = 0;

    for (const char *p = row->hex; *p != 0; p++)
        if (*p != ' ')
            compact[n++] = *p;
    compact[n] = 0;
    maker_init(&m);
    out_bytes(&m.o, test_hex(&m.f.a, compact));
    assert_false(tpm_log_add(&m.f.s->log, out_view(&m.o), "log", &e));
    assert_refused(&e, ERR_LOG_FORMAT, row->part);
    arena_done(&m.f.a);
}

/* Padding behind the last event, as ACPI areas have. */
static void test_padding(void **state)
{
    static const char *const fills[] = { "00", "0000000000", "ffff", "ffffffffffffffffffff" };

    (void)state;
    for (size_t i = 0; i < COUNT(fills); i++) {
        struct err e = { .code = ERR_NONE };
        struct maker m;

        maker_init(&m);
        put_event(&m.o, 4, EV_EFI_ACTION, LIT("abc"), LIT("abc"));
        out_bytes(&m.o, test_hex(&m.f.a, fills[i]));
        assert_ok(tpm_log_add(&m.f.s->log, out_view(&m.o), "log", &e), &e);
        assert_int_equal(m.f.s->log.count, 2);
        arena_done(&m.f.a);
    }
}

/* An arena that runs out anywhere gives an error of memory and nothing else. */
static void test_out_of_memory(void **state)
{
    struct arena a;
    struct bytes in;

    (void)state;
    arena_init(&a, BUDGET);
    in = test_vector(&a, "tpm/qemu/uki-sb/binary_bios_measurements");
    for (size_t budget = 1 << 10; budget < 4 << 20; budget += budget / 8) {
        struct err e = { .code = ERR_NONE };
        struct arena b;
        struct tpm_state *s;

        arena_init(&b, budget);
        s = arena_new(&b, struct tpm_state);
        if (s != NULL) {
            tpm_state_open(s, &b);
            if (!tpm_state_add(s, false, in, "log", &e) || !tpm_state_assume(s, "log", &e))
                assert_int_equal(e.code, ERR_NO_MEMORY);
            else if (tpm_events_json(s, &b).p == NULL)
                assert_true(b.failed);
        }
        arena_done(&b);
    }
    arena_done(&a);
}

static void add_vectors(struct suite *s)
{
    static const char *const ima[] = {
        "tss-sml-ima-ng-sha1-invalidated.bin", "tss-sml-ima-ng-sha1.bin", "tss-sml-ima-sha1-invalidated.bin",
        "tss-sml-ima-sha1.bin", "tss-sml-ima-sig-sha256-invalidated.bin", "tss-sml-ima-sig-sha256.bin",
    };
    char name[128];

    if (test_vectors() == NULL) {
        suite_add_skipped(s, "event log vectors");
        return;
    }
    for (size_t i = 0; i < COUNT(logs); i++) {
        snprintf(name, sizeof(name), "log %s", logs[i]);
        suite_add(s, name, test_log, (void *)(uintptr_t)logs[i]);
    }
    for (size_t i = 0; i < COUNT(boots); i++) {
        snprintf(name, sizeof(name), "boot %s", boots[i]);
        suite_add(s, name, test_boot, (void *)(uintptr_t)boots[i]);
        snprintf(name, sizeof(name), "IMA list of boot %s", boots[i]);
        suite_add(s, name, test_boot_ima, (void *)(uintptr_t)boots[i]);
    }
    for (size_t i = 0; i < COUNT(ima); i++) {
        snprintf(name, sizeof(name), "IMA %s", ima[i]);
        suite_add(s, name, test_ima, (void *)(uintptr_t)ima[i]);
    }
    suite_add(s, "truncations", test_truncations, NULL);
    suite_add(s, "flipped bytes", test_flips, NULL);
    suite_add(s, "out of memory", test_out_of_memory, NULL);
}

int main(void)
{
    struct suite s = { 0 };
    char name[128];

    add_vectors(&s);
    for (size_t i = 0; i < COUNT(forged); i++) {
        snprintf(name, sizeof(name), "PCR 7: %s", forged[i].name);
        suite_add(&s, name, test_forged, (void *)(uintptr_t)&forged[i]);
    }
    for (size_t i = 0; i < COUNT(disguises); i++) {
        snprintf(name, sizeof(name), "Windows flag as %s", disguises[i].name);
        suite_add(&s, name, test_disguise, (void *)(uintptr_t)&disguises[i]);
    }
    for (size_t i = 0; i < COUNT(separator_rows); i++) {
        snprintf(name, sizeof(name), "separators: %s", separator_rows[i].name);
        suite_add(&s, name, test_separators, (void *)(uintptr_t)&separator_rows[i]);
    }
    for (size_t i = 0; i < COUNT(limits); i++) {
        snprintf(name, sizeof(name), "malformed: %s", limits[i].name);
        suite_add(&s, name, test_limit, (void *)(uintptr_t)&limits[i]);
    }
    for (size_t i = 0; i < COUNT(line_rows); i++) {
        snprintf(name, sizeof(name), "kernel command line: %s", line_rows[i].name);
        suite_add(&s, name, test_line, (void *)(uintptr_t)&line_rows[i]);
    }
    suite_add(&s, "Windows flags", test_windows_flags, NULL);
    suite_add(&s, "SIPA limits", test_sipa_limits, NULL);
    suite_add(&s, "padding", test_padding, NULL);
    return suite_run("eventlog", &s);
}
