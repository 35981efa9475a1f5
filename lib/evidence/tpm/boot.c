/* boot.c: replay against a quote, and which data the digests cover. What it means is in claims.c. */
#include "evidence/tpm/boot.h"

#include "evidence/tpm/efi.h"
#include "evidence/tpm/sipa.h"

/* PCRs whose event types decide what a claim sees: Secure Boot policy, and Windows' boot events. */
#define TYPED_PCRS (1u << 7 | 1u << 12 | 1u << 13 | 1u << 14)
/* PCRs in which Windows measures SIPA elements. */
#define SIPA_PCRS (0xfu << 11 | 0x3fu << 17)

void tpm_state_open(struct tpm_state *s, struct arena *a)
{
    memset(s, 0, sizeof(*s));
    s->log = tpm_log_open(a);
    s->ima = ima_open(a);
}

bool tpm_state_add(struct tpm_state *s, bool ima, struct bytes log, const char *what, struct err *e)
{
    if (ima)
        return ima_add(&s->ima, log, &s->log.next_seq, what, e);
    return tpm_log_add(&s->log, log, what, e);
}

/* Digests of what separators hold (PFP 10.4.1, and "WBCL" of Windows), for one bank. */
struct separators {
    const struct tpm_bank *bank;
    struct digest d[4];
};

static void separators_make(struct separators *s, const struct tpm_bank *bank)
{
    static const char content[4][5] = { { 0, 0, 0, 0 },
                                        { '\xff', '\xff', '\xff', '\xff' },
                                        { 1, 0, 0, 0 },
                                        "WBCL" };

    if (s->bank == bank)
        return;
    s->bank = bank;
    for (size_t i = 0; i < COUNT(content); i++)
        s->d[i] = hash(bank->hash, bytes_of(content[i], 4));
}

static bool is_separator(const struct separators *s, struct bytes digest)
{
    for (size_t i = 0; i < COUNT(s->d); i++)
        if (bytes_equal(digest_bytes(&s->d[i]), digest))
            return true;
    return false;
}

static bool hashes_to(const struct tpm_bank *bank, struct bytes data, struct bytes digest)
{
    struct digest d = hash(bank->hash, data);

    return bytes_equal(digest_bytes(&d), digest);
}

static struct bytes after(struct bytes b, size_t n)
{
    return bytes_part(b, n, b.n);
}

static struct bytes cut_nul(struct bytes b)
{
    while (b.n > 0 && b.p[b.n - 1] == 0)
        b.n--;
    return b;
}

/* Texts of boot loaders: the digest covers what stands behind the prefix (evidence-tpm section 8). */
static bool covers_text(struct tpm_event *ev, const struct tpm_bank *bank, struct bytes digest)
{
    static const struct {
        const char *prefix;
        enum tpm_text kind;
    } rows[] = {
        { "grub_cmd: ", TEXT_GRUB_COMMAND },
        { "grub_cmd ", TEXT_GRUB_COMMAND },
        { "kernel_cmdline: ", TEXT_KERNEL_COMMAND_LINE },
        { "grub_kernel_cmdline ", TEXT_KERNEL_COMMAND_LINE },
        { "module_cmdline: ", TEXT_MODULE_COMMAND_LINE },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t n = strlen(rows[i].prefix);
        struct bytes with_nul = after(ev->data, n), text = cut_nul(with_nul);

        if (!bytes_is(bytes_part(ev->data, 0, n), rows[i].prefix))
            continue;
        if (!hashes_to(bank, text, digest) && (text.n == with_nul.n || !hashes_to(bank, with_nul, digest)))
            return false;
        ev->text_kind = rows[i].kind;
        ev->text = text;
        return true;
    }
    return false;
}

/* systemd-stub: the first event of a section covers its name in ASCII with a NUL. */
static bool covers_section_name(struct tpm_event *ev, const struct tpm_bank *bank, struct bytes digest)
{
    uint8_t ascii[64];
    size_t n = ev->data.n / 2;

    if (ev->data.n % 2 != 0 || n < 2 || n > sizeof(ascii))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (ev->data.p[2 * i + 1] != 0)
            return false;
        ascii[i] = ev->data.p[2 * i];
    }
    if (ascii[n - 1] != 0 || !hashes_to(bank, bytes_of(ascii, n), digest))
        return false;
    ev->text_kind = TEXT_SECTION_NAME;
    ev->text = ev->data;
    return true;
}

/* Old shim logs the variable that vouches with one byte more than it measures. */
static bool covers_but_last(const struct tpm_event *ev, const struct tpm_bank *bank, struct bytes digest)
{
    struct efi_variable v;

    return efi_variable_parse(ev->data, &v) && v.rest > 0
        && (bytes_equal(v.guid, LIT(EFI_SHIM_LOCK)) || bytes_equal(v.guid, LIT(EFI_IMAGE_SECURITY)))
        && hashes_to(bank, bytes_part(ev->data, 0, ev->data.n - 1), digest);
}

/* Evidence-tpm section 6: the ways in which the digest of a type may cover its data. Where types decide, a
 * part of the data is not enough: under a type that measures a part, the bytes of any other event can be
 * wrapped into data that look like nothing. */
static bool covers(struct tpm_event *ev, const struct tpm_bank *bank, struct bytes digest)
{
    struct efi_variable v;

    if (hashes_to(bank, ev->data, digest)) {
        if (ev->type == EV_IPL) {
            ev->text_kind = TEXT_UTF16;
            ev->text = ev->data;
        }
        return true;
    }
    if (ev->type == EV_EFI_VARIABLE_AUTHORITY)
        return covers_but_last(ev, bank, digest);
    if ((TYPED_PCRS >> ev->pcr & 1) != 0)
        return false;
    switch (ev->type) {
    case EV_EFI_VARIABLE_BOOT:
        return efi_variable_parse(ev->data, &v) && hashes_to(bank, v.data, digest);
    case EV_IPL:
        return covers_text(ev, bank, digest) || covers_section_name(ev, bank, digest);
    default:
        return false;
    }
}

static bool names_secure_boot(struct bytes data)
{
    struct efi_variable v;

    return efi_variable_parse(data, &v) && bytes_equal(v.guid, LIT(EFI_GLOBAL))
        && utf16_is(v.name, "SecureBoot");
}

static bool contradicts(const struct tpm_event *ev, const char *what, const char *why, struct err *e)
{
    const char *type = tpm_event_type_name(ev->type);

    return err_set(e, ERR_LOG_MISMATCH, what, "event %u (PCR %u, %s) at offset %zu: %s", ev->seq, ev->pcr,
                   type == NULL ? "unknown type" : type, ev->offset, why);
}

/* Firmware measures SecureBoot once, as a variable, before the separator. Whoever runs later could extend
 * the PCR with another value. */
static bool check_secure_boot_event(const struct tpm_event *ev, bool after_separator, const char *what,
                                    struct err *e)
{
    if (!ev->covered || !names_secure_boot(ev->data))
        return true;
    if (ev->type != EV_EFI_VARIABLE_DRIVER_CONFIG)
        return contradicts(ev, what, "its data are the variable SecureBoot, its type is another", e);
    if (after_separator)
        return contradicts(ev, what, "the variable SecureBoot is measured behind the separator", e);
    return true;
}

/* Elements of Windows' boot events: in a container, or alone under an id that is one of theirs. */
static bool is_sipa(struct bytes data)
{
    struct sipa_walk w = sipa_open(data);
    const char *wrong;
    struct sipa first;

    return data.n >= 8 && sipa_valid(data, &wrong) && sipa_next(&w, &first)
        && ((first.id & SIPA_CONTAINER) != 0 || sipa_name(first.id) != NULL);
}

/* Types are not measured; a log that gives an event another type could hide it from claims and policies. */
static bool check_type(const struct tpm_event *ev, bool after_separator, const char *what, struct err *e)
{
    if ((TYPED_PCRS >> ev->pcr & 1) == 0)
        return true;
    if (ev->separator && ev->type != EV_SEPARATOR)
        return contradicts(ev, what, "its digest is that of a separator, its type is not", e);
    if (ev->type == EV_SEPARATOR && !ev->covered)
        return contradicts(ev, what, "its digest is not that of its data, as a separator's is", e);
    if (ev->pcr == 7)
        return check_secure_boot_event(ev, after_separator, what, e);
    if (ev->type == EV_EVENT_TAG && !ev->covered)
        return contradicts(ev, what, "its digest is not that of its data, as a tagged event's is", e);
    if (ev->covered && ev->type != EV_EVENT_TAG && is_sipa(ev->data))
        return contradicts(ev, what, "its data are boot events of Windows, its type is not EV_EVENT_TAG", e);
    return true;
}

static bool check_sipa(const struct tpm_event *ev, const char *what, struct err *e)
{
    const char *wrong;

    if (ev->type != EV_EVENT_TAG || !ev->covered || (SIPA_PCRS >> ev->pcr & 1) == 0
        || sipa_valid(ev->data, &wrong))
        return true;
    return err_set(e, ERR_LOG_FORMAT, what, "event %u (PCR %u): boot events of Windows are malformed: %s",
                   ev->seq, ev->pcr, wrong);
}

static bool judge_events(struct tpm_state *s, const char *what, struct err *e)
{
    struct separators sep = { .bank = NULL };
    uint32_t ended = 0;

    for (size_t i = 0; i < s->log.count; i++) {
        struct tpm_event *ev = &s->log.events[i];
        const struct tpm_bank *bank = ev->pcr < TPM_PCRS ? s->cover[ev->pcr] : NULL;
        struct bytes digest;

        ev->visible = bank != NULL && tpm_event_extends(ev);
        if (!ev->visible)
            continue;
        digest = tpm_event_digest(ev, bank->alg);
        separators_make(&sep, bank);
        ev->covered = covers(ev, bank, digest);
        ev->separator = is_separator(&sep, digest);
        if (!check_type(ev, (ended >> ev->pcr & 1) != 0, what, e) || !check_sipa(ev, what, e))
            return false;
        if (ev->separator)
            ended |= 1u << ev->pcr;
    }
    return true;
}

static bool compare_bank(struct tpm_state *s, const struct pcr_bank *quoted, const struct pcr_bank *replayed,
                         bool usable, const char *what, struct err *e)
{
    for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++) {
        struct bytes have = pcr_value(quoted, pcr), want = pcr_value(replayed, pcr);

        if (have.n == 0 || want.n == 0)
            continue;
        if (!bytes_equal(have, want))
            return err_set(e, ERR_LOG_MISMATCH, what,
                           "the log does not replay to the quoted PCR %u of bank %s", pcr,
                           quoted->bank->name);
        if (usable && (s->cover[pcr] == NULL || s->cover[pcr]->rank < quoted->bank->rank))
            s->cover[pcr] = quoted->bank;
    }
    return true;
}

static void note_events(struct tpm_state *s)
{
    for (size_t i = 0; i < s->log.count; i++)
        if (tpm_event_extends(&s->log.events[i]))
            s->with_events |= 1u << s->log.events[i].pcr;
    for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++)
        if ((s->with_events >> pcr & 1) != 0 && s->cover[pcr] == NULL)
            s->removed |= 1u << pcr;
}

static bool at_start(struct bytes value)
{
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] != value.p[0] || (value.p[i] != 0 && value.p[i] != 0xff))
            return false;
    return true;
}

static void note_unexplained(struct tpm_state *s)
{
    for (size_t i = 0; i < s->pcrs.count; i++)
        for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++)
            if ((s->with_events >> pcr & 1) == 0 && !at_start(pcr_value(&s->pcrs.bank[i], pcr))
                && !(pcr == IMA_PCR && s->ima.count > 0))
                s->unexplained |= 1u << pcr;
}

static bool replay_banks(struct tpm_state *s, bool allow_sha1, const char *what, struct err *e)
{
    bool common = false, usable_seen = false;
    struct pcr_bank *replayed = arena_new(s->log.a, struct pcr_bank);
    const struct tpm_event *missing;

    if (replayed == NULL)
        return err_memory(e, what);
    for (size_t i = 0; i < s->pcrs.count; i++) {
        const struct pcr_bank *quoted = &s->pcrs.bank[i];
        bool usable = quoted->bank->alg != TPM_SHA1 || allow_sha1;

        if (!tpm_log_replay(&s->log, quoted->bank, replayed, &missing))
            continue;
        common = true;
        usable_seen |= usable;
        if (!compare_bank(s, quoted, replayed, usable, what, e))
            return false;
    }
    if (!common)
        return err_set(e, ERR_LOG_BANK, what, "no PCR bank is both quoted and complete in the log");
    if (!usable_seen)
        return err_set(e, ERR_LOG_BANK, what, "only the SHA-1 bank is both quoted and complete in the log");
    return true;
}

bool tpm_state_replay(struct tpm_state *s, bool allow_sha1, const char *what, struct err *e)
{
    if (s->log.count > 0 && !replay_banks(s, allow_sha1, what, e))
        return false;
    note_events(s);
    note_unexplained(s);
    return judge_events(s, what, e)
        && (s->ima.count == 0 || ima_check(&s->ima, &s->pcrs, allow_sha1, what, e));
}

bool tpm_state_assume(struct tpm_state *s, const char *what, struct err *e)
{
    const struct tpm_event *missing;
    const struct tpm_bank *bank;

    for (size_t i = 0; (bank = tpm_bank_at(i)) != NULL; i++) {
        struct pcr_bank *to;

        if (!bank->known || !tpm_log_has_bank(&s->log, bank))
            continue;
        to = pcr_set_bank(&s->pcrs, bank);
        if (to != NULL && !tpm_log_replay(&s->log, bank, to, &missing))
            s->pcrs.count--;
    }
    if (s->pcrs.count == 0)
        return s->log.count == 0 ? true
                                 : err_set(e, ERR_LOG_BANK, what, "no bank of the log can be replayed");
    return tpm_state_replay(s, true, what, e);
}
