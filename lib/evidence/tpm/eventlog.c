/* eventlog.c: see eventlog.h. Two formats, one pass, no memory per byte beyond the list of events. */
#include "evidence/tpm/eventlog.h"

#include "base/cur.h"

enum {
    EVENT_DATA_MAX = 64 << 10, /* but variables, which may be as long as the log */
    OLD_HEADER = 32,
};

struct tpm_log tpm_log_open(struct arena *a)
{
    return (struct tpm_log){ .a = a, .locality = -1 };
}

static struct tpm_event *event_new(struct tpm_log *log)
{
    struct tpm_event *ev;

    if (log->count == log->room) {
        size_t room = log->room == 0 ? 128 : log->room * 2;
        struct tpm_event *list = arena_many(log->a, room, struct tpm_event);

        if (list == NULL)
            return NULL;
        if (log->count > 0)
            memcpy(list, log->events, log->count * sizeof(*list));
        log->events = list;
        log->room = room;
    }
    ev = &log->events[log->count++];
    *ev = (struct tpm_event){ .seq = log->next_seq++ };
    return ev;
}

static void read_spec_bank(struct cur *c, struct tpm_log_spec *r, uint32_t i)
{
    struct tpm_log_bank b = { .alg = cur_u16le(c, "algorithmId"), .size = cur_u16le(c, "digestSize") };

    b.bank = tpm_bank(b.alg);
    if (!cur_ok(c))
        return;
    if (b.bank != NULL && b.bank->size != b.size)
        cur_wrong(c, "digestSize", "the size of its algorithm");
    else if (b.size == 0 || b.size > HASH_MAX_SIZE)
        cur_wrong(c, "digestSize", "1 to 64");
    for (uint32_t k = 0; k < i; k++)
        if (r->banks[k].alg == b.alg)
            cur_wrong(c, "algorithmId", "each algorithm once");
    r->banks[i] = b;
}

/* TCG_EfiSpecIDEvent (PFP 10.4.5.1). */
static bool read_spec(struct bytes data, size_t at, const char *what, struct tpm_log_spec *ret, struct err *e)
{
    struct cur c = cur_open(data);
    struct tpm_log_spec r = { .crypto_agile = true };
    uint32_t n;

    c.base = at;
    cur_skip(&c, 16 + 4, "signature, platformClass");
    r.minor = cur_u8(&c, "specVersionMinor");
    r.major = cur_u8(&c, "specVersionMajor");
    r.errata = cur_u8(&c, "specErrata");
    cur_skip(&c, 1, "uintnSize");
    n = cur_u32le(&c, "numberOfAlgorithms");
    if (cur_ok(&c) && (n < 1 || n > TPM_LOG_MAX_BANKS))
        cur_wrong(&c, "numberOfAlgorithms", "1 to 16");
    for (uint32_t i = 0; i < n && cur_ok(&c); i++)
        read_spec_bank(&c, &r, i);
    r.count = n;
    cur_skip(&c, cur_u8(&c, "vendorInfoSize"), "vendorInfo");
    if (!cur_close(&c, ERR_LOG_FORMAT, what, e))
        return false;
    *ret = r;
    return true;
}

/* An EV_NO_ACTION event that means something for the replay (PFP 10.4.5.3). */
static void note_no_action(struct tpm_log *log, const struct tpm_event *ev, struct cur *c)
{
    struct bytes sig = bytes_part(ev->data, 0, 16);

    if (bytes_equal(sig, LIT("Spec ID Event03\0"))) {
        cur_wrong(c, "event", "the Spec ID event only once, at the start");
    } else if (bytes_equal(sig, LIT("StartupLocality\0"))) {
        uint8_t locality = ev->data.n == 17 ? ev->data.p[16] : 0xff;

        if (locality != 0 && locality != 3 && locality != 4)
            cur_wrong(c, "StartupLocality", "locality 0, 3 or 4");
        else if (log->locality >= 0 && log->locality != locality)
            cur_wrong(c, "StartupLocality", "one start-up locality");
        else
            log->locality = locality;
    }
}

/* What both formats share once header and data are there. */
static void finish_event(struct tpm_log *log, const struct tpm_event *ev, struct cur *c)
{
    if (!cur_ok(c))
        return;
    if (ev->pcr >= TPM_PCRS && !(ev->pcr == UINT32_MAX && ev->type == EV_NO_ACTION)) {
        cur_wrong(c, "pcrIndex", "0 to 23");
        return;
    }
    if (ev->type == EV_NO_ACTION)
        note_no_action(log, ev, c);
    else if (ev->type == EV_EFI_HCRTM_EVENT && ev->pcr == 0)
        log->hcrtm = true;
}

static struct bytes take_data(struct cur *c, uint32_t type)
{
    uint32_t n = cur_u32le(c, "eventSize");
    bool variable = type == EV_EFI_VARIABLE_DRIVER_CONFIG || type == EV_EFI_VARIABLE_BOOT
        || type == EV_EFI_VARIABLE_BOOT2 || type == EV_EFI_VARIABLE_AUTHORITY;

    if (cur_ok(c) && n > EVENT_DATA_MAX && !variable)
        cur_wrong(c, "eventSize", "at most 65536 bytes");
    return cur_take(c, n, "event data");
}

/* TCG_PCR_EVENT (PFP 10.2.1), the format of TPM 1.2. */
static void read_old(struct cur *c, struct tpm_event *ev)
{
    ev->pcr = cur_u32le(c, "pcrIndex");
    ev->type = cur_u32le(c, "eventType");
    ev->digests = cur_take(c, 20, "digest");
    ev->digest_count = 1;
    ev->data = take_data(c, ev->type);
}

static const struct tpm_log_bank *declared(const struct tpm_log_spec *spec, uint16_t alg)
{
    for (size_t i = 0; i < spec->count; i++)
        if (spec->banks[i].alg == alg)
            return &spec->banks[i];
    return NULL;
}

/* TCG_PCR_EVENT2 (PFP 10.2.2). */
static void read_agile(struct cur *c, const struct tpm_log_spec *spec, struct tpm_event *ev)
{
    uint16_t seen[TPM_LOG_MAX_BANKS];
    uint32_t count;
    size_t from;

    ev->spec = spec;
    ev->pcr = cur_u32le(c, "pcrIndex");
    ev->type = cur_u32le(c, "eventType");
    count = cur_u32le(c, "digestCount");
    if (cur_ok(c) && count > spec->count)
        cur_wrong(c, "digestCount", "at most the number of declared banks");
    from = c->at;
    for (uint32_t i = 0; i < count && cur_ok(c); i++) {
        uint16_t alg = cur_u16le(c, "algorithmId");
        const struct tpm_log_bank *b = cur_ok(c) ? declared(spec, alg) : NULL;

        if (cur_ok(c) && b == NULL)
            cur_wrong(c, "algorithmId", "one that the Spec ID event declares");
        for (uint32_t k = 0; k < i; k++)
            if (seen[k] == alg)
                cur_wrong(c, "algorithmId", "each algorithm once");
        seen[i] = alg;
        cur_skip(c, b == NULL ? 0 : b->size, "digest");
    }
    ev->digest_count = count;
    if (cur_ok(c))
        ev->digests = bytes_part(c->all, from, c->at - from);
    ev->data = take_data(c, ev->type);
}

static bool all_are(struct bytes b, uint8_t v)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] != v)
            return false;
    return true;
}

/* Where the filling behind the last event would begin: all 00 or all FF from there on (evidence-tpm 4.3). */
static size_t fill_start(struct bytes in, uint8_t v)
{
    size_t n = in.n;

    while (n > 0 && in.p[n - 1] == v)
        n--;
    return n;
}

struct ends {
    size_t zeros, ones;
};

static bool at_end(const struct cur *c, const struct ends *ends)
{
    struct bytes head = bytes_part(c->all, c->at, OLD_HEADER);

    return c->at >= ends->zeros || c->at >= ends->ones
        || (head.n >= 8 && all_are(bytes_part(head, 0, 8), 0xff))
        || (head.n == OLD_HEADER && all_are(head, 0));
}

static bool tell(const struct cur *c, const struct tpm_log *log, size_t start, const char *what,
                 struct err *e)
{
    struct err inner = { .code = ERR_NONE };

    if (cur_check(c, ERR_LOG_FORMAT, what, &inner))
        return true;
    return err_set(e, ERR_LOG_FORMAT, what, "event %u at offset %zu is truncated or malformed: %s",
                   log->next_seq == 0 ? 0 : log->next_seq - 1, start, inner.why);
}

static bool is_spec_id(const struct tpm_event *ev)
{
    return ev->type == EV_NO_ACTION && ev->pcr == 0
        && bytes_equal(bytes_part(ev->data, 0, 16), LIT("Spec ID Event03\0"));
}

/* The first event is in the old format in both; it decides. */
static bool read_first(struct tpm_log *log, struct cur *c, struct tpm_log_spec *spec, const char *what,
                       struct err *e)
{
    struct tpm_event *ev = event_new(log);

    if (ev == NULL)
        return err_memory(e, what);
    read_old(c, ev);
    if (cur_ok(c) && is_spec_id(ev))
        return read_spec(ev->data, OLD_HEADER, what, spec, e);
    finish_event(log, ev, c);
    spec->banks[0] = (struct tpm_log_bank){ TPM_SHA1, 20, tpm_bank(TPM_SHA1) };
    spec->count = 1;
    return tell(c, log, 0, what, e);
}

bool tpm_log_add(struct tpm_log *log, struct bytes in, const char *what, struct err *e)
{
    struct ends ends = { fill_start(in, 0), fill_start(in, 0xff) };
    struct tpm_log_spec *spec = arena_new(log->a, struct tpm_log_spec);
    struct cur c = cur_open(in);

    if (in.n > TPM_LOG_MAX_SIZE)
        return err_set(e, ERR_LIMIT, what, "log has %zu bytes, at most %d are accepted", in.n,
                       TPM_LOG_MAX_SIZE);
    if (log->logs == TPM_LOGS_MAX)
        return err_set(e, ERR_LIMIT, what, "more than %d logs", TPM_LOGS_MAX);
    if (spec == NULL)
        return err_memory(e, what);
    if (!read_first(log, &c, spec, what, e))
        return false;
    while (!at_end(&c, &ends)) {
        size_t start = c.at;
        struct tpm_event *ev;

        if (log->count == TPM_LOG_MAX_EVENTS)
            return err_set(e, ERR_LIMIT, what, "more than %d events", TPM_LOG_MAX_EVENTS);
        ev = event_new(log);
        if (ev == NULL)
            return err_memory(e, what);
        if (spec->crypto_agile)
            read_agile(&c, spec, ev);
        else
            read_old(&c, ev);
        ev->offset = start;
        finish_event(log, ev, &c);
        if (!tell(&c, log, start, what, e))
            return false;
    }
    if (log->logs++ == 0)
        log->spec = spec;
    if (log->hcrtm && log->locality >= 0 && log->locality != 4)
        return err_set(e, ERR_LOG_FORMAT, what, "an H-CRTM event needs locality 4, StartupLocality says %d",
                       log->locality);
    return true;
}

struct bytes tpm_event_digest_at(const struct tpm_event *ev, size_t i, uint16_t *ret_alg)
{
    struct cur c = cur_open(ev->digests);
    struct bytes d = { NULL, 0 };

    if (i >= ev->digest_count)
        return d;
    if (ev->spec == NULL) {
        *ret_alg = TPM_SHA1;
        return ev->digests;
    }
    for (size_t k = 0; k <= i; k++) {
        const struct tpm_log_bank *b = declared(ev->spec, *ret_alg = cur_u16le(&c, "algorithmId"));

        d = cur_take(&c, b == NULL ? 0 : b->size, "digest");
    }
    return d;
}

struct bytes tpm_event_digest(const struct tpm_event *ev, uint16_t alg)
{
    struct cur c = cur_open(ev->digests);

    if (ev->spec == NULL)
        return alg == TPM_SHA1 ? ev->digests : (struct bytes){ NULL, 0 };
    for (size_t i = 0; i < ev->digest_count; i++) {
        uint16_t have = cur_u16le(&c, "algorithmId");
        const struct tpm_log_bank *b = declared(ev->spec, have);
        struct bytes d = cur_take(&c, b == NULL ? 0 : b->size, "digest");

        if (have == alg)
            return d;
    }
    return (struct bytes){ NULL, 0 };
}

bool tpm_log_has_bank(const struct tpm_log *log, const struct tpm_bank *bank)
{
    for (size_t i = 0; log->spec != NULL && i < log->spec->count; i++)
        if (log->spec->banks[i].bank == bank)
            return true;
    return false;
}

/* Start values: zero; PCR 0 ends in the locality; 17 to 22 are replayed from zero, as after a
 * dynamic launch. */
static void start_values(const struct tpm_log *log, struct pcr_bank *r)
{
    memset(r->value, 0, sizeof(r->value));
    r->present = 0;
    if (log->hcrtm)
        r->value[0][r->bank->size - 1] = 4;
    else if (log->locality > 0)
        r->value[0][r->bank->size - 1] = (uint8_t)log->locality;
}

bool tpm_log_replay(const struct tpm_log *log, const struct tpm_bank *bank, struct pcr_bank *ret,
                    const struct tpm_event **ret_missing)
{
    *ret_missing = NULL;
    ret->bank = bank;
    start_values(log, ret);
    if (!bank->known)
        return false;
    for (size_t i = 0; i < log->count; i++) {
        const struct tpm_event *ev = &log->events[i];
        struct bytes two[2];
        struct digest d;

        if (!tpm_event_extends(ev))
            continue;
        two[0] = bytes_of(ret->value[ev->pcr], bank->size);
        two[1] = tpm_event_digest(ev, bank->alg);
        if (two[1].n != bank->size) {
            *ret_missing = ev;
            return false;
        }
        d = hash_parts(bank->hash, two, 2);
        memcpy(ret->value[ev->pcr], d.p, d.n);
        ret->present |= 1u << ev->pcr;
    }
    return true;
}

static const struct {
    uint32_t type;
    const char *name;
} type_names[] = {
    { 0x00000000, "EV_PREBOOT_CERT" },
    { 0x00000001, "EV_POST_CODE" },
    { 0x00000002, "EV_UNUSED" },
    { 0x00000003, "EV_NO_ACTION" },
    { 0x00000004, "EV_SEPARATOR" },
    { 0x00000005, "EV_ACTION" },
    { 0x00000006, "EV_EVENT_TAG" },
    { 0x00000007, "EV_S_CRTM_CONTENTS" },
    { 0x00000008, "EV_S_CRTM_VERSION" },
    { 0x00000009, "EV_CPU_MICROCODE" },
    { 0x0000000a, "EV_PLATFORM_CONFIG_FLAGS" },
    { 0x0000000b, "EV_TABLE_OF_DEVICES" },
    { 0x0000000c, "EV_COMPACT_HASH" },
    { 0x0000000d, "EV_IPL" },
    { 0x0000000e, "EV_IPL_PARTITION_DATA" },
    { 0x0000000f, "EV_NONHOST_CODE" },
    { 0x00000010, "EV_NONHOST_CONFIG" },
    { 0x00000011, "EV_NONHOST_INFO" },
    { 0x00000012, "EV_OMIT_BOOT_DEVICE_EVENTS" },
    { 0x00000013, "EV_POST_CODE2" },
    { 0x80000000, "EV_EFI_EVENT_BASE" },
    { 0x80000001, "EV_EFI_VARIABLE_DRIVER_CONFIG" },
    { 0x80000002, "EV_EFI_VARIABLE_BOOT" },
    { 0x80000003, "EV_EFI_BOOT_SERVICES_APPLICATION" },
    { 0x80000004, "EV_EFI_BOOT_SERVICES_DRIVER" },
    { 0x80000005, "EV_EFI_RUNTIME_SERVICES_DRIVER" },
    { 0x80000006, "EV_EFI_GPT_EVENT" },
    { 0x80000007, "EV_EFI_ACTION" },
    { 0x80000008, "EV_EFI_PLATFORM_FIRMWARE_BLOB" },
    { 0x80000009, "EV_EFI_HANDOFF_TABLES" },
    { 0x8000000a, "EV_EFI_PLATFORM_FIRMWARE_BLOB2" },
    { 0x8000000b, "EV_EFI_HANDOFF_TABLES2" },
    { 0x8000000c, "EV_EFI_VARIABLE_BOOT2" },
    { 0x8000000d, "EV_EFI_GPT_EVENT2" },
    { 0x80000010, "EV_EFI_HCRTM_EVENT" },
    { 0x800000e0, "EV_EFI_VARIABLE_AUTHORITY" },
    { 0x800000e1, "EV_EFI_SPDM_FIRMWARE_BLOB" },
    { 0x800000e2, "EV_EFI_SPDM_FIRMWARE_CONFIG" },
    { 0x800000e3, "EV_EFI_SPDM_DEVICE_POLICY" },
    { 0x800000e4, "EV_EFI_SPDM_DEVICE_AUTHORITY" },
    { 0x00000401, "EVTYPE_PCRMAPPING" },
    { 0x00000402, "EVTYPE_HASH_START" },
    { 0x00000403, "EVTYPE_COMBINED_HASH" },
    { 0x00000404, "EVTYPE_MLE_HASH" },
    { 0x0000040a, "EVTYPE_BIOSAC_REG_DATA" },
    { 0x0000040b, "EVTYPE_CPU_SCRTM_STAT" },
    { 0x0000040c, "EVTYPE_LCP_CONTROL_HASH" },
    { 0x0000040d, "EVTYPE_ELEMENTS_HASH" },
    { 0x0000040e, "EVTYPE_STM_HASH" },
    { 0x0000040f, "EVTYPE_OSSINITDATA_CAP_HASH" },
    { 0x00000410, "EVTYPE_SINIT_PUBKEY_HASH" },
    { 0x00000411, "EVTYPE_LCP_HASH" },
    { 0x00000412, "EVTYPE_LCP_DETAILS_HASH" },
    { 0x00000413, "EVTYPE_LCP_AUTHORITIES_HASH" },
    { 0x00000414, "EVTYPE_NV_INFO_HASH" },
    { 0x0000041e, "EVTYPE_COLD_BOOT_BIOS_HASH" },
    { 0x0000041f, "EVTYPE_KM_HASH" },
    { 0x00000420, "EVTYPE_BPM_HASH" },
    { 0x00000421, "EVTYPE_KM_INFO_HASH" },
    { 0x00000422, "EVTYPE_BPM_INFO_HASH" },
    { 0x00000423, "EVTYPE_BOOT_POL_HASH" },
    { 0x000004fe, "EVTYPE_RANDOM_VALUE" },
    { 0x000004ff, "EVTYPE_CAP_VALUE" },
};

const char *tpm_event_type_name(uint32_t type)
{
    for (size_t i = 0; i < COUNT(type_names); i++)
        if (type_names[i].type == type)
            return type_names[i].name;
    return NULL;
}
