/* claims.c: what a verified state says: Secure Boot, Windows' boot flags, Linux' boot path. */
#include "evidence/tpm/boot.h"

#include "base/cur.h"
#include "codec/hex.h"
#include "crypto/cert.h"
#include "evidence/tpm/efi.h"
#include "evidence/tpm/sipa.h"

#include <inttypes.h>

const char *tpm_secure_boot_name(enum secure_boot b)
{
    static const char *const names[] = { "unknown", "enabled", "disabled", "inconsistent", "debug" };

    return names[b];
}

static bool is_visible(const struct tpm_event *ev, unsigned pcr)
{
    return ev->visible && ev->pcr == pcr;
}

static bool is_global(const struct tpm_event *ev, const char *name, struct efi_variable *ret)
{
    return efi_variable_parse(ev->data, ret) && bytes_equal(ret->guid, LIT(EFI_GLOBAL))
        && utf16_is(ret->name, name);
}

/* Evidence-tpm 7.1. Every event before the separator must show data that its digest covers: else one
 * of them could be the variable with another value. */
enum secure_boot tpm_secure_boot(const struct tpm_state *s)
{
    struct bytes value = { NULL, 0 };
    bool debug = false;
    size_t count = 0;

    for (size_t i = 0; i < s->log.count; i++) {
        const struct tpm_event *ev = &s->log.events[i];
        struct efi_variable v;

        if (!is_visible(ev, 7))
            continue;
        if (ev->separator)
            break;
        if (!ev->covered)
            return SECURE_BOOT_INCONSISTENT;
        debug |= bytes_is(ev->data, "UEFI Debug Mode");
        if (is_global(ev, "SecureBoot", &v) && ev->type == EV_EFI_VARIABLE_DRIVER_CONFIG) {
            value = v.data;
            count++;
        }
    }
    if (count > 1)
        return SECURE_BOOT_INCONSISTENT;
    if (value.n != 1 || value.p[0] > 1)
        return SECURE_BOOT_UNKNOWN;
    if (value.p[0] == 0)
        return SECURE_BOOT_DISABLED;
    return debug ? SECURE_BOOT_DEBUG : SECURE_BOOT_ENABLED;
}

/* -- Windows -- */

#define WIN_PCRS (1u << 12 | 1u << 13 | 1u << 19 | 1u << 20)
#define VBS_PCRS (1u << 12 | 1u << 19)

static void latch_all(bool *seen, bool *all, bool v)
{
    *all = *seen ? *all && v : v;
    *seen = true;
}

static void take_flag(struct win_boot *w, const struct sipa *s, bool vbs_pcr)
{
    bool v = sipa_true(s->data);
    uint64_t n;

    switch (s->id) {
    case SIPA_BOOTDEBUGGING:
        w->boot_debug_seen = true;
        w->boot_debug |= v;
        break;
    case SIPA_OSKERNELDEBUG:
        w->kernel_debug |= v;
        break;
    case SIPA_HYPERVISOR_DEBUG:
        w->hypervisor_debug |= v;
        break;
    case SIPA_SAFEMODE:
        w->safe_mode |= v;
        break;
    case SIPA_WINPE:
        w->win_pe |= v;
        break;
    case SIPA_TESTSIGNING:
        w->test_signing |= v;
        break;
    case SIPA_FLIGHTSIGNING:
        w->flight_signing |= v;
        break;
    case SIPA_VBS_VSM_REQUIRED:
        if (vbs_pcr)
            latch_all(&w->vsm_seen, &w->vsm_all, v);
        break;
    case SIPA_VBS_IOMMU_REQUIRED:
        if (vbs_pcr)
            latch_all(&w->iommu_seen, &w->iommu_all, v);
        break;
    case SIPA_VBS_MANDATORY_ENFORCEMENT:
        if (vbs_pcr)
            latch_all(&w->mandatory_seen, &w->mandatory_all, v);
        break;
    case SIPA_VBS_HVCI_POLICY:
        if (sipa_uint(s->data, &n))
            w->hvci = n;
        break;
    case SIPA_ELAM_KEYNAME:
        w->elam |= s->depth > 0 && v;
        break;
    case SIPA_ELAM_POLICY:
    case SIPA_ELAM_MEASURED:
        w->elam = true;
        break;
    case SIPA_BOOTCOUNTER:
        w->has_boot_counter = sipa_uint(s->data, &w->boot_counter);
        break;
    case SIPA_TRANSFER_CONTROL:
        w->has_transfer = sipa_uint(s->data, &w->transfer);
        break;
    default:
        break;
    }
}

static void take_event(struct win_boot *w, const struct tpm_event *ev)
{
    bool vbs_pcr = (VBS_PCRS >> ev->pcr & 1) != 0;
    struct sipa_walk walk = sipa_open(ev->data);
    struct sipa s;

    if (ev->type != EV_EVENT_TAG || !ev->covered) {
        w->hidden |= !ev->covered && (ev->pcr == 12 || ev->pcr == 13);
        return;
    }
    while (sipa_next(&walk, &s)) {
        w->any = true;
        take_flag(w, &s, vbs_pcr);
    }
}

struct win_boot tpm_win_boot(const struct tpm_state *s)
{
    struct win_boot w = { .any = false };
    uint32_t ended = 0;

    for (size_t i = 0; i < s->log.count; i++) {
        const struct tpm_event *ev = &s->log.events[i];

        if (!ev->visible || (WIN_PCRS >> ev->pcr & 1) == 0 || (ended >> ev->pcr & 1) != 0)
            continue;
        if (ev->separator)
            ended |= 1u << ev->pcr;
        else
            take_event(&w, ev);
    }
    w.hidden |= ((s->removed | s->unexplained) & (1u << 12 | 1u << 13)) != 0;
    return w;
}

static bool is_vbs_candidate(const struct tpm_event *ev)
{
    return ev->visible && ev->covered && ev->type == EV_EVENT_TAG
        && (ev->pcr == 12 || ev->pcr == 19 || ev->pcr == 20);
}

bool tpm_vbs_key(const struct tpm_state *s, struct bytes *ret_info, struct err *e)
{
    bool resumed = tpm_win_boot(s).transfer == 2;
    struct bytes found = { NULL, 0 };
    uint32_t ended = 0;

    for (size_t i = 0; i < s->log.count; i++) {
        const struct tpm_event *ev = &s->log.events[i];
        struct sipa_walk walk = sipa_open(ev->data);
        struct sipa el;

        if (ev->visible && ev->separator && ev->pcr >= 12)
            ended |= 1u << ev->pcr;
        if (!is_vbs_candidate(ev) || (ended >> ev->pcr & 1) != 0)
            continue;
        while (sipa_next(&walk, &el)) {
            if (el.id != SIPA_VSM_IDKS_INFO || bytes_equal(found, el.data))
                continue;
            if (found.n > 0 && !resumed)
                return err_set(e, ERR_VBS_KEY, "log",
                               "two different VBS signing keys are measured, without a resume");
            found = el.data;
        }
    }
    *ret_info = found;
    return true;
}

/* -- Linux and firmware -- */

/* Separators of PCR 0 to 7: exactly one each, with zeros or ones (PFP 3.3.2); evidence-tpm 7.2. The digest tells
 * what is one: its type could be given otherwise. */
static bool separators_valid(const struct tpm_state *s)
{
    uint8_t count[8] = { 0 };

    for (size_t i = 0; i < s->log.count; i++) {
        const struct tpm_event *ev = &s->log.events[i];

        if (!ev->visible || !ev->separator || ev->pcr > 7)
            continue;
        if (!ev->covered || (!bytes_all_zero(ev->data) && !bytes_equal(ev->data, LIT("\xff\xff\xff\xff"))))
            return false;
        if (count[ev->pcr] < 2)
            count[ev->pcr]++;
    }
    for (size_t i = 0; i < COUNT(count); i++)
        if (count[i] != 1)
            return false;
    return true;
}

static bool exit_boot_services(const struct tpm_state *s)
{
    for (size_t i = 0; i < s->log.count; i++)
        if (is_visible(&s->log.events[i], 5) && s->log.events[i].covered
            && bytes_is(s->log.events[i].data, "Exit Boot Services Returned with Success"))
            return true;
    return false;
}

static bool is_image(uint32_t type)
{
    return type == EV_EFI_BOOT_SERVICES_APPLICATION || type == EV_EFI_BOOT_SERVICES_DRIVER
        || type == EV_EFI_RUNTIME_SERVICES_DRIVER;
}

/* Digest of each image load in PCR 2 and 4; the path is not covered by it and only informs. */
static struct bytes boot_images(const struct tpm_state *s, struct arena *a)
{
    struct jarr list = jarr_open(a);

    for (size_t i = 0; i < s->log.count; i++) {
        const struct tpm_event *ev = &s->log.events[i];
        struct jobj o = jobj_open(a);
        struct out path = out_open(a);
        struct efi_image image;

        if (!ev->visible || !is_image(ev->type) || !efi_image_parse(ev->data, &image))
            continue;
        efi_path_print(&path, image.path, false);
        jobj_int(&o, "pcr", ev->pcr);
        jobj_hex(&o, s->cover[ev->pcr]->lower, tpm_event_digest(ev, s->cover[ev->pcr]->alg));
        {
            struct out text = out_open(a);
            text_json(&text, out_view(&path));
            jobj_json(&o, "path", out_view(&text));
        }
        jarr_raw(&list, jobj_print(&o, false));
    }
    return jarr_close(&list);
}

static void add_authority(struct jarr *list, const struct efi_variable *v, struct arena *a)
{
    struct bytes owner = bytes_part(v->data, 0, 16), der = bytes_part(v->data, 16, v->data.n);
    struct jobj o = jobj_open(a);
    struct out guid = out_open(a), name = out_open(a);
    struct cert cert;
    struct digest d;

    utf16_print(&name, v->name);
    jobj_str(&o, "variable", out_view(&name));
    if (v->data.n > 16 && cert_parse(der, "authority", &cert, NULL)) {
        d = sha256(der);
        efi_guid_print(&guid, owner, true);
        jobj_str(&o, "owner", out_view(&guid));
        jobj_hex(&o, "sha256", digest_bytes(&d));
        jobj_text(&o, "subject", name_text(cert.subject, a));
    }
    jarr_raw(list, jobj_print(&o, false));
}

static struct bytes authorities(const struct tpm_state *s, struct arena *a)
{
    struct jarr list = jarr_open(a);

    for (size_t i = 0; i < s->log.count; i++) {
        const struct tpm_event *ev = &s->log.events[i];
        struct efi_variable v;

        if (is_visible(ev, 7) && ev->covered && ev->type == EV_EFI_VARIABLE_AUTHORITY
            && efi_variable_parse(ev->data, &v))
            add_authority(&list, &v, a);
    }
    return jarr_close(&list);
}

static struct bytes texts(const struct tpm_state *s, enum tpm_text kind, struct arena *a)
{
    struct jarr list = jarr_open(a);

    for (size_t i = 0; i < s->log.count; i++) {
        const struct tpm_event *ev = &s->log.events[i];
        struct out text = out_open(a);

        if (!ev->visible || ev->text_kind != kind)
            continue;
        text_json(&text, kind == TEXT_SECTION_NAME ? utf16_text(a, ev->text) : ev->text);
        jarr_raw(&list, out_view(&text));
    }
    return jarr_close(&list);
}

static void windows_claims(const struct tpm_state *s, struct claims *ret)
{
    struct win_boot w = tpm_win_boot(s);
    bool vbs = (w.vsm_seen || w.mandatory_seen) && (!w.vsm_seen || w.vsm_all)
        && (!w.mandatory_seen || w.mandatory_all);

    claims_bool(ret, "iommuEnabled", CLAIM_TO_POLICY, w.iommu_seen && w.iommu_all && !w.hidden);
    claims_bool(ret, "bootDebuggingDisabled", CLAIM_TO_POLICY,
                w.boot_debug_seen && !w.boot_debug && !w.hidden);
    claims_bool(ret, "notSafeMode", CLAIM_TO_POLICY, !w.safe_mode && !w.hidden);
    claims_bool(ret, "notWinPE", CLAIM_TO_POLICY, !w.win_pe && !w.hidden);
    claims_bool(ret, "vbsEnabled", CLAIM_TO_POLICY, vbs && !w.hidden);
}

static void linux_claims(const struct tpm_state *s, struct claims *ret)
{
    struct bytes line = tpm_kernel_command_line(s, ret->a);

    if (line.n > 0 && utf8_valid(line))
        claims_str(ret, "kernelCommandLine", CLAIM_TO_POLICY, line);
    claims_json(ret, "grubCommands", CLAIM_TO_POLICY, texts(s, TEXT_GRUB_COMMAND, ret->a));
    claims_json(ret, "unifiedKernelSections", CLAIM_TO_POLICY, texts(s, TEXT_SECTION_NAME, ret->a));
}

void tpm_state_claims(const struct tpm_state *s, bool with_events, struct claims *ret)
{
    enum secure_boot sb = tpm_secure_boot(s);

    claims_int(ret, "tpmVersion", CLAIM_TO_POLICY, 2);
    claims_bool(ret, "secureBootEnabled", CLAIM_TO_POLICY, sb == SECURE_BOOT_ENABLED);
    windows_claims(s, ret);
    if (with_events)
        claims_json(ret, "events", CLAIM_TO_POLICY, tpm_events_json(s, ret->a));
    claims_json(ret, "pcrs", CLAIM_TO_POLICY | CLAIM_READ_ONLY, tpm_pcrs_json(s, ret->a));
    claims_str(ret, "secureBootState", CLAIM_TO_POLICY, bytes_str(tpm_secure_boot_name(sb)));
    claims_bool(ret, "firmwareSeparatorsValid", CLAIM_TO_POLICY, separators_valid(s));
    claims_bool(ret, "exitBootServicesSeen", CLAIM_TO_POLICY, exit_boot_services(s));
    claims_json(ret, "bootImages", CLAIM_TO_POLICY, boot_images(s, ret->a));
    claims_json(ret, "secureBootAuthorities", CLAIM_TO_POLICY, authorities(s, ret->a));
    linux_claims(s, ret);
    claims_str(ret, "firmwareVersion", CLAIM_TO_POLICY,
               bytes_str(arena_printf(ret->a, "0x%016" PRIx64, s->quote.firmware)));
    claims_int(ret, "tpmClock", CLAIM_TO_POLICY, (int64_t)(s->quote.clock & INT64_MAX));
    claims_int(ret, "tpmResetCount", CLAIM_TO_POLICY, s->quote.resets);
    claims_int(ret, "tpmRestartCount", CLAIM_TO_POLICY, s->quote.restarts);
    claims_bool(ret, "tpmClockSafe", CLAIM_TO_POLICY, s->quote.safe);
}
