/* eventlog_cmd.c: avouch eventlog FILE [--json] [--bank B] [--pcrs] [--compare F]
 *
 * Shows a firmware and OS event log, replays it, and says which event makes a PCR differ from another
 * machine's. F is a file of PCR values ({"sha256":{"0":"<hex>"}}, also below a member "pcrs") or another log. */

#include "cli/cli.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "evidence/tpm/boot.h"
#include "evidence/tpm/efi.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUDGET = 512 << 20, SUMMARY_MAX = 160, SKIP_MAX = 4096 };

struct view {
    struct arena a;
    const char *file, *compare;
    const struct tpm_bank *bank; /* NULL: all for PCRs, the strongest for digests */
    bool json, pcrs;
    struct tpm_state *s;
};

static int complain(const char *file, const struct err *e)
{
    fprintf(stderr, "avouch eventlog: %s: %s: %s\n", file, e->what, e->why);
    return 1;
}

static struct bytes read_file(struct arena *a, const char *path)
{
    struct out o = out_open(a);
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    uint8_t part[16384];
    size_t n;

    if (f == NULL)
        return (struct bytes){ NULL, 0 };
    while ((n = fread(part, 1, sizeof(part), f)) > 0 && o.n <= TPM_LOG_MAX_SIZE)
        out_bytes(&o, bytes_of(part, n));
    if (f != stdin)
        fclose(f);
    return out_view(&o);
}

/* The bank whose digests are shown: the wanted one, or the strongest that replays. */
static const struct tpm_bank *shown_bank(const struct view *v)
{
    const struct tpm_bank *best = v->bank;

    for (size_t i = 0; v->bank == NULL && i < v->s->pcrs.count; i++)
        if (best == NULL || best->rank < v->s->pcrs.bank[i].bank->rank)
            best = v->s->pcrs.bank[i].bank;
    return best;
}

/* -- for people -- */

static void put_printable(struct bytes text)
{
    size_t n = text.n > SUMMARY_MAX ? SUMMARY_MAX : text.n;

    for (size_t i = 0; i < n; i++)
        putchar(text.p[i] >= 0x20 && text.p[i] != 0x7f ? text.p[i] : '.');
    if (n < text.n)
        fputs("...", stdout);
}

static void print_variable(struct arena *a, const struct tpm_event *ev)
{
    struct efi_variable v;

    if (!efi_variable_parse(ev->data, &v))
        return;
    put_printable(utf16_text(a, v.name));
    if (v.data.n == 1)
        printf(" = %02x", v.data.p[0]);
    else
        printf(" (%zu bytes)", v.data.n);
}

static void print_image(struct arena *a, const struct tpm_event *ev)
{
    struct out path = out_open(a);
    struct efi_image image;

    if (!efi_image_parse(ev->data, &image))
        return;
    efi_path_print(&path, image.path, false);
    put_printable(out_view(&path));
}

static void print_text(struct arena *a, const struct tpm_event *ev)
{
    struct bytes t = ev->data;

    if (t.n >= 4 && t.n % 2 == 0 && t.p[1] == 0 && t.p[3] == 0)
        t = utf16_text(a, t);
    while (t.n > 0 && t.p[t.n - 1] == 0)
        t.n--;
    put_printable(t);
}

static void print_summary(struct arena *a, const struct tpm_event *ev)
{
    struct out o = out_open(a);

    switch (ev->type) {
    case EV_EFI_VARIABLE_DRIVER_CONFIG:
    case EV_EFI_VARIABLE_BOOT:
    case EV_EFI_VARIABLE_BOOT2:
    case EV_EFI_VARIABLE_AUTHORITY:
        print_variable(a, ev);
        break;
    case EV_EFI_BOOT_SERVICES_APPLICATION:
    case EV_EFI_BOOT_SERVICES_DRIVER:
    case EV_EFI_RUNTIME_SERVICES_DRIVER:
        print_image(a, ev);
        break;
    case EV_IPL:
    case EV_ACTION:
    case EV_EFI_ACTION:
    case EV_POST_CODE:
    case EV_S_CRTM_VERSION:
        print_text(a, ev);
        break;
    case EV_SEPARATOR:
        hex_print(&o, bytes_part(ev->data, 0, 8));
        put_printable(out_view(&o));
        break;
    case EV_EVENT_TAG:
        tpm_event_json(ev, &o);
        put_printable(out_view(&o));
        break;
    default:
        printf("%zu bytes", ev->data.n);
    }
}

static void print_event(struct view *v, const struct tpm_event *ev, const struct tpm_bank *bank)
{
    const char *name = tpm_event_type_name(ev->type);
    struct bytes d = bank == NULL ? (struct bytes){ NULL, 0 } : tpm_event_digest(ev, bank->alg);
    struct bytes hex = hex_encode(&v->a, bytes_part(d, 0, 8));
    char number[16];

    snprintf(number, sizeof(number), "0x%08x", ev->type);
    printf("%5u  PCR %2d  %-33s %s%s  ", ev->seq, (int)ev->pcr, name == NULL ? number : name,
           hex.n == 0 ? "----------------" : (const char *)hex.p, !tpm_event_extends(ev) ? " " : ev->covered ? "=" : "?");
    print_summary(&v->a, ev);
    putchar('\n');
}

static void print_pcrs(struct view *v)
{
    for (size_t i = 0; i < v->s->pcrs.count; i++) {
        const struct pcr_bank *b = &v->s->pcrs.bank[i];

        if (v->bank != NULL && b->bank != v->bank)
            continue;
        printf("%s:\n", b->bank->lower);
        for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++) {
            struct bytes value = pcr_value(b, pcr);

            if (value.n > 0)
                printf("  %2u: %s\n", pcr, (const char *)hex_encode(&v->a, value).p);
        }
    }
}

static void print_people(struct view *v)
{
    const struct tpm_bank *bank = shown_bank(v);

    if (v->pcrs) {
        print_pcrs(v);
        return;
    }
    for (size_t i = 0; i < v->s->log.count; i++)
        print_event(v, &v->s->log.events[i], bank);
    printf("%zu events (%s), digests %s; = the digest covers the data, ? it covers something else\n", v->s->log.count,
           v->s->log.spec->crypto_agile ? "crypto-agile" : "TPM 1.2 format", bank == NULL ? "none" : bank->lower);
    printf("Secure Boot: %s\n", tpm_secure_boot_name(tpm_secure_boot(v->s)));
}

/* -- JSON -- */

static struct bytes replayed_json(struct view *v)
{
    struct jobj o = jobj_open(&v->a);

    for (size_t i = 0; i < v->s->pcrs.count; i++) {
        const struct pcr_bank *b = &v->s->pcrs.bank[i];
        struct jobj values = jobj_open(&v->a);

        if (v->bank != NULL && b->bank != v->bank)
            continue;
        for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++) {
            struct bytes value = pcr_value(b, pcr);
            const char *name = arena_printf(&v->a, "%u", pcr);

            if (value.n > 0 && name != NULL)
                jobj_hex(&values, name, value);
        }
        jobj_json(&o, b->bank->lower, jobj_print(&values, false));
    }
    return jobj_print(&o, false);
}

static struct bytes banks_json(struct view *v)
{
    struct jarr list = jarr_open(&v->a);
    const struct tpm_log_spec *spec = v->s->log.spec;

    for (size_t i = 0; i < spec->count; i++)
        jarr_str(&list, spec->banks[i].bank == NULL ? bytes_str(arena_printf(&v->a, "0x%04x", spec->banks[i].alg))
                                                    : bytes_str(spec->banks[i].bank->lower));
    return jarr_close(&list);
}

static int print_json(struct view *v)
{
    struct jobj o = jobj_open(&v->a);
    const struct json *events = NULL;
    struct bytes text;

    if (!v->pcrs) {
        struct err e = { .code = ERR_NONE };

        if (!json_parse(tpm_events_json(v->s, &v->a), JSON_DEPTH, "events", &v->a, &events, &e))
            return complain(v->file, &e);
        jobj_text(&o, "format", v->s->log.spec->crypto_agile ? "crypto-agile" : "tcg12");
        jobj_json(&o, "banks", banks_json(v));
        jobj_text(&o, "secureBoot", tpm_secure_boot_name(tpm_secure_boot(v->s)));
        jobj_json(&o, "Events", json_member(events, "Events")->raw);
    }
    jobj_json(&o, "pcrs", replayed_json(v));
    text = jobj_print(&o, false);
    if (text.p == NULL) {
        fprintf(stderr, "avouch eventlog: %s: out of memory\n", v->file);
        return 1;
    }
    fwrite(text.p, 1, text.n, stdout);
    putchar('\n');
    return 0;
}

/* -- comparing -- */

/* The events of one PCR, in order. */
static size_t events_of(const struct tpm_state *s, unsigned pcr, struct arena *a, const struct tpm_event ***ret)
{
    const struct tpm_event **list = arena_many(a, s->log.count + 1, const struct tpm_event *);
    size_t n = 0;

    for (size_t i = 0; list != NULL && i < s->log.count; i++)
        if (tpm_event_extends(&s->log.events[i]) && s->log.events[i].pcr == pcr)
            list[n++] = &s->log.events[i];
    *ret = list;
    return n;
}

static void say(struct view *v, unsigned pcr, const struct tpm_bank *bank, const struct tpm_event *ev, const char *why)
{
    printf("PCR %u (%s): %s", pcr, bank->lower, why);
    if (ev == NULL) {
        putchar('\n');
        return;
    }
    fputs(":\n", stdout);
    print_event(v, ev, bank);
}

static void extend(const struct tpm_bank *bank, const struct tpm_event *ev, struct digest *pcr)
{
    const struct bytes two[] = { digest_bytes(pcr), tpm_event_digest(ev, bank->alg) };

    *pcr = hash_parts(bank->hash, two, 2);
}

static struct digest start_of(const struct tpm_log *log, const struct tpm_bank *bank, unsigned pcr)
{
    struct digest d = { .n = bank->size };

    if (pcr == 0 && (log->hcrtm || log->locality > 0))
        d.p[bank->size - 1] = (uint8_t)(log->hcrtm ? 4 : log->locality);
    return d;
}

/* Whether leaving out one event gives the wanted value; a bounded search, since it is quadratic. */
static const struct tpm_event *without_one(const struct tpm_log *log, const struct tpm_bank *bank, unsigned pcr,
                                           const struct tpm_event **list, size_t n, struct bytes want)
{
    struct digest before = start_of(log, bank, pcr);

    for (size_t skip = 0; n <= SKIP_MAX && skip < n; skip++) {
        struct digest d = before;

        for (size_t i = skip + 1; i < n; i++)
            extend(bank, list[i], &d);
        if (bytes_equal(digest_bytes(&d), want))
            return list[skip];
        extend(bank, list[skip], &before);
    }
    return NULL;
}

static void explain(struct view *v, unsigned pcr, const struct tpm_bank *bank, struct bytes want)
{
    const struct tpm_event **list, *one;
    size_t n = events_of(v->s, pcr, &v->a, &list);
    struct digest d = start_of(&v->s->log, bank, pcr);

    for (size_t i = 0; i <= n; i++) {
        if (bytes_equal(digest_bytes(&d), want)) {
            say(v, pcr, bank, i < n ? list[i] : NULL, i < n ? "the given value is the state before this event" : "is equal");
            return;
        }
        if (i < n)
            extend(bank, list[i], &d);
    }
    one = without_one(&v->s->log, bank, pcr, list, n, want);
    if (one != NULL)
        say(v, pcr, bank, one, "the given value is the state without this event");
    else if (n > 0)
        say(v, pcr, bank, list[0], "no single event explains the given value; the first event of this PCR");
    else
        say(v, pcr, bank, NULL, "has no event in this log, but the given value is not its start value");
}

static bool at_rest(struct bytes value)
{
    return bytes_all_zero(value) || (value.n > 0 && value.p[0] == 0xff && value.p[value.n - 1] == 0xff);
}

/* 0: equal; 1: different; 2: the file has no such form. */
static int compare_values(struct view *v, const struct json *top)
{
    const struct json *banks = json_member(top, "pcrs") != NULL ? json_member(top, "pcrs") : top;
    int different = 0;
    bool any = false;

    for (const struct json *b = banks->child; b != NULL; b = b->next) {
        const struct tpm_bank *bank = tpm_bank_named(b->name);
        const struct pcr_bank *mine = bank == NULL ? NULL : pcr_set_find(&v->s->pcrs, bank);

        if (mine == NULL || (v->bank != NULL && bank != v->bank))
            continue;
        any = true;
        for (const struct json *p = b->child; p != NULL; p = p->next) {
            unsigned pcr = (unsigned)strtoul(arena_str(&v->a, p->name), NULL, 10);
            struct bytes want, have = pcr_value(mine, pcr);

            if (pcr >= TPM_PCRS || !hex_decode(p->text, &v->a, &want) || want.n != bank->size)
                return 2;
            if (bytes_equal(want, have) || (have.n == 0 && at_rest(want)))
                continue;
            different = 1;
            explain(v, pcr, bank, want);
        }
    }
    return any ? different : 2;
}

static int compare_logs(struct view *v, struct tpm_state *other)
{
    const struct tpm_bank *bank = shown_bank(v);
    int different = 0;

    for (unsigned pcr = 0; bank != NULL && pcr < TPM_PCRS; pcr++) {
        const struct tpm_event **mine, **theirs;
        size_t n = events_of(v->s, pcr, &v->a, &mine), m = events_of(other, pcr, &v->a, &theirs), i = 0;

        while (i < n && i < m && bytes_equal(tpm_event_digest(mine[i], bank->alg), tpm_event_digest(theirs[i], bank->alg)))
            i++;
        if (i == n && i == m)
            continue;
        different = 1;
        say(v, pcr, bank, i < n ? mine[i] : NULL, i < n ? "the first event that differs" : "ends before the other log's");
        if (i < m) {
            fputs("  in its place in the other log:\n", stdout);
            print_event(v, theirs[i], bank);
        }
    }
    return different;
}

static int compare(struct view *v)
{
    struct bytes in = read_file(&v->a, v->compare);
    struct tpm_state *other = arena_new(&v->a, struct tpm_state);
    struct err e = { .code = ERR_NONE };
    const struct json *j;
    int r;

    if (in.p == NULL || other == NULL) {
        fprintf(stderr, "avouch eventlog: %s cannot be read\n", v->compare);
        return 2;
    }
    if (json_parse(in, JSON_DEPTH, v->compare, &v->a, &j, NULL)) {
        r = compare_values(v, j);
        if (r == 2)
            fprintf(stderr, "avouch eventlog: %s has no PCR values of a bank of this log\n", v->compare);
    } else {
        tpm_state_open(other, &v->a);
        if (!tpm_state_add(other, false, in, "log", &e) || !tpm_state_assume(other, "log", &e))
            return complain(v->compare, &e);
        r = compare_logs(v, other);
    }
    if (r == 0)
        puts("no difference");
    return r;
}

static int show(struct view *v)
{
    struct bytes in = read_file(&v->a, v->file);
    struct err e = { .code = ERR_NONE };

    v->s = arena_new(&v->a, struct tpm_state);
    if (in.p == NULL || v->s == NULL) {
        fprintf(stderr, "avouch eventlog: %s cannot be read\n", v->file);
        return 2;
    }
    tpm_state_open(v->s, &v->a);
    if (!tpm_state_add(v->s, false, in, "log", &e) || !tpm_state_assume(v->s, "log", &e))
        return complain(v->file, &e);
    if (v->bank != NULL && pcr_set_find(&v->s->pcrs, v->bank) == NULL) {
        fprintf(stderr, "avouch eventlog: %s: bank %s cannot be replayed: some event has no digest in it\n", v->file,
                v->bank->lower);
        return 1;
    }
    if (v->compare != NULL)
        return compare(v);
    if (v->json)
        return print_json(v);
    print_people(v);
    return 0;
}

int cmd_eventlog(int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },          { "pcrs", no_argument, NULL, 'p' },
        { "bank", required_argument, NULL, 'b' },    { "compare", required_argument, NULL, 'c' },
        { NULL, 0, NULL, 0 },
    };
    struct view v = { .json = false };
    bool wrong = false;
    int c, r;

    optind = 0;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'j': v.json = true; break;
        case 'p': v.pcrs = true; break;
        case 'c': v.compare = optarg; break;
        case 'b':
            v.bank = tpm_bank_named(bytes_str(optarg));
            wrong |= v.bank == NULL;
            break;
        default: wrong = true;
        }
    }
    if (wrong || optind + 1 != argc) {
        fputs("usage: avouch eventlog FILE [--json] [--bank sha256] [--pcrs] [--compare PCRS.json|LOG]\n", stderr);
        return 2;
    }
    v.file = argv[optind];
    arena_init(&v.a, BUDGET);
    r = show(&v);
    arena_done(&v.a);
    return r;
}
