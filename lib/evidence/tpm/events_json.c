/* events_json.c: the JSON that policies query: {"Events":[...]} and {"PCRs":[...]} (claims.md 5.2, 5.3).
 *
 * Only events whose PCR the quote binds appear. Data of an event whose digest does not cover them are
 * shown parsed only for types whose digest never does (image loads, firmware blobs), DataVerified false. */
#include "evidence/tpm/boot.h"

#include "base/cur.h"
#include "codec/b64.h"
#include "codec/hex.h"
#include "evidence/tpm/efi.h"
#include "evidence/tpm/sipa.h"

static void member_b64(struct out *o, const char *name, struct bytes b)
{
    out_char(o, '"');
    out_text(o, name);
    out_text(o, "\":\"");
    b64url_print(o, b);
    out_char(o, '"');
}

/* `before` ends in the member's name and a colon. */
static void number(struct out *o, const char *before, uint64_t v)
{
    out_text(o, before);
    out_uint(o, v);
}

static bool has_signature_lists(const struct efi_variable *v)
{
    static const char *const names[] = { "PK", "KEK", "db", "dbx", "dbt", "dbr" };

    for (size_t i = 0; i < COUNT(names); i++)
        if (utf16_is(v->name, names[i]))
            return true;
    return false;
}

static void variable_json(const struct tpm_event *ev, struct out *o)
{
    struct efi_variable v;
    struct out lists;

    if (!ev->covered || !efi_variable_parse(ev->data, &v))
        return;
    out_text(o, "\"VariableGuid\":\"");
    efi_guid_print(o, v.guid, true);
    out_text(o, "\",\"UnicodeName\":");
    json_print_string(o, utf16_text(o->a, v.name));
    out_char(o, ',');
    member_b64(o, "VariableData", v.data);
    if (ev->type != EV_EFI_VARIABLE_DRIVER_CONFIG || !has_signature_lists(&v))
        return;
    lists = out_open(o->a);
    if (efi_siglist_json(v.data, &lists)) {
        out_text(o, ",\"SignatureLists\":");
        out_bytes(o, out_view(&lists));
    }
}

static void image_json(const struct tpm_event *ev, struct out *o)
{
    struct efi_image image;
    struct out path = out_open(o->a), full = out_open(o->a);

    if (!efi_image_parse(ev->data, &image))
        return;
    efi_path_print(&path, image.path, false);
    efi_path_print(&full, image.path, true);
    number(o, "\"ImageLocation\":", image.location);
    number(o, ",\"ImageLength\":", image.length);
    out_text(o, ",\"DevicePath\":");
    text_json(o, out_view(&path));
    out_text(o, ",\"FullDevicePath\":");
    text_json(o, out_view(&full));
}

static void gpt_json(const struct tpm_event *ev, struct out *o)
{
    struct out gpt = out_open(o->a);

    if (ev->covered && efi_gpt_json(ev->data, &gpt))
        out_bytes(o, out_view(&gpt));
}

static void blob_json(const struct tpm_event *ev, struct out *o)
{
    struct cur c = cur_open(ev->data);
    struct bytes name = { NULL, 0 };
    uint64_t base, length;

    if (ev->type == EV_EFI_PLATFORM_FIRMWARE_BLOB2)
        name = cur_take(&c, cur_u8(&c, "size"), "description");
    base = cur_u64le(&c, "BlobBase");
    length = cur_u64le(&c, "BlobLength");
    if (!cur_ok(&c))
        return;
    number(o, "\"BlobBase\":", base);
    number(o, ",\"BlobLength\":", length);
    if (name.n > 0) {
        out_text(o, ",\"BlobDescription\":");
        text_json(o, name);
    }
}

static void text_member(const struct tpm_event *ev, struct out *o)
{
    struct bytes t = ev->data;

    if (!ev->covered && ev->type != EV_IPL) /* of EV_IPL the text may name a file whose content is measured */
        return;
    if (ev->text_kind == TEXT_UTF16 && t.n >= 2 && t.n % 2 == 0 && t.p[1] == 0)
        t = utf16_text(o->a, t);
    else if (ev->text_kind == TEXT_SECTION_NAME)
        t = utf16_text(o->a, t);
    while (t.n > 0 && t.p[t.n - 1] == 0)
        t.n--;
    out_text(o, "\"String\":");
    text_json(o, t);
}

static void separator_json(const struct tpm_event *ev, struct out *o)
{
    if (ev->covered)
        member_b64(o, "Separator", ev->data);
}

static void tag_json(const struct tpm_event *ev, struct out *o)
{
    const char *wrong;

    if (ev->covered && sipa_valid(ev->data, &wrong))
        sipa_json(ev->data, o);
}

static void version_json(const struct tpm_event *ev, struct out *o)
{
    if (!ev->covered || ev->data.n < 2 || ev->data.n % 2 != 0)
        return;
    out_text(o, "\"String\":");
    json_print_string(o, utf16_text(o->a, ev->data));
}

/* clang-format off */
static const struct {
    uint32_t type;
    void (*print)(const struct tpm_event *ev, struct out *o);
} printers[] = {
    { EV_SEPARATOR,                     separator_json },
    { EV_ACTION,                        text_member },
    { EV_EFI_ACTION,                    text_member },
    { EV_IPL,                           text_member },
    { EV_EVENT_TAG,                     tag_json },
    { EV_S_CRTM_VERSION,                version_json },
    { EV_EFI_VARIABLE_DRIVER_CONFIG,    variable_json },
    { EV_EFI_VARIABLE_BOOT,             variable_json },
    { EV_EFI_VARIABLE_BOOT2,            variable_json },
    { EV_EFI_VARIABLE_AUTHORITY,        variable_json },
    { EV_EFI_SPDM_DEVICE_POLICY,        variable_json },
    { EV_EFI_SPDM_DEVICE_AUTHORITY,     variable_json },
    { EV_EFI_BOOT_SERVICES_APPLICATION, image_json },
    { EV_EFI_BOOT_SERVICES_DRIVER,      image_json },
    { EV_EFI_RUNTIME_SERVICES_DRIVER,   image_json },
    { EV_EFI_GPT_EVENT,                 gpt_json },
    { EV_EFI_PLATFORM_FIRMWARE_BLOB,    blob_json },
    { EV_EFI_PLATFORM_FIRMWARE_BLOB2,   blob_json },
};
/* clang-format on */

void tpm_event_json(const struct tpm_event *ev, struct out *o)
{
    out_char(o, '{');
    for (size_t i = 0; i < COUNT(printers); i++)
        if (printers[i].type == ev->type)
            printers[i].print(ev, o);
    out_char(o, '}');
}

static void digests_json(const struct tpm_event *ev, struct out *o)
{
    bool any = false;

    out_text(o, "\"Digests\":{");
    for (size_t i = 0; i < ev->digest_count; i++) {
        uint16_t alg = 0;
        struct bytes d = tpm_event_digest_at(ev, i, &alg);
        const struct tpm_bank *b = tpm_bank(alg);

        if (b == NULL)
            continue;
        out_text(o, any ? ",\"" : "\"");
        out_text(o, b->name);
        out_text(o, "\":\"");
        hex_print(o, d);
        out_char(o, '"');
        any = true;
    }
    out_char(o, '}');
}

static void log_event_json(const struct tpm_event *ev, struct out *o)
{
    const char *name = tpm_event_type_name(ev->type);

    number(o, "{\"EventSeq\":", ev->seq);
    number(o, ",\"PcrIndex\":", ev->pcr);
    number(o, ",\"EventType\":", ev->type);
    out_text(o, ",\"EventTypeString\":\"");
    if (name != NULL)
        out_text(o, name);
    else
        out_printf(o, "0x%08X", ev->type);
    out_text(o, "\",");
    digests_json(ev, o);
    out_text(o, ev->covered ? ",\"DataVerified\":true," : ",\"DataVerified\":false,");
    member_b64(o, "RawData", ev->data);
    out_text(o, ",\"ProcessedData\":");
    tpm_event_json(ev, o);
    out_char(o, '}');
}

static void ima_event_json(const struct ima_entry *en, struct out *o)
{
    number(o, "{\"EventSeq\":", en->seq);
    number(o, ",\"PcrIndex\":", IMA_PCR);
    out_text(o, ",\"EventTypeString\":\"IMA_MEASUREMENT_EVENT\",\"Digests\":{\"SHA1\":\"");
    hex_print(o, en->digest);
    out_text(o, en->covered ? "\"},\"DataVerified\":true," : "\"},\"DataVerified\":false,");
    member_b64(o, "RawData", en->data);
    out_text(o, ",\"ProcessedData\":{");
    ima_json(en, o);
    out_text(o, "}}");
}

/* Both lists are in order of their numbers; they are merged. */
struct bytes tpm_events_json(const struct tpm_state *s, struct arena *a)
{
    struct out o = out_open(a);
    bool any = false;
    size_t i = 0, k = 0;

    out_text(&o, "{\"Events\":[");
    while (i < s->log.count || k < s->ima.count) {
        const struct tpm_event *ev = i < s->log.count ? &s->log.events[i] : NULL;
        const struct ima_entry *en = k < s->ima.count ? &s->ima.list[k] : NULL;
        bool ima = ev == NULL || (en != NULL && en->seq < ev->seq);

        i += !ima;
        k += ima;
        if (!ima && !ev->visible)
            continue;
        if (any)
            out_char(&o, ',');
        any = true;
        if (ima)
            ima_event_json(en, &o);
        else
            log_event_json(ev, &o);
    }
    out_text(&o, "]}");
    return out_view(&o);
}

struct bytes tpm_pcrs_json(const struct tpm_state *s, struct arena *a)
{
    struct out o = out_open(a);
    bool any = false;

    out_text(&o, "{\"PCRs\":[");
    for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++) {
        bool first = true;

        for (size_t i = 0; i < s->pcrs.count; i++) {
            struct bytes v = pcr_value(&s->pcrs.bank[i], pcr);

            if (v.n == 0)
                continue;
            if (first)
                out_printf(&o, "%s{\"Index\":%u,\"Digests\":{", any ? "," : "", pcr);
            out_printf(&o, "%s\"%s\":\"", first ? "" : ",", s->pcrs.bank[i].bank->name);
            hex_print(&o, v);
            out_char(&o, '"');
            first = false;
        }
        if (!first)
            out_text(&o, "}}");
        any |= !first;
    }
    out_text(&o, "]}");
    return out_view(&o);
}
