/* sipa.c: see sipa.h. Names and JSON forms: claims.md 5.3. */
#include "evidence/tpm/sipa.h"

#include "base/cur.h"
#include "codec/b64.h"
#include "codec/json.h"
#include "evidence/tpm/efi.h"

#include <inttypes.h>

enum form {
    F_OBJECT,  /* a container: object of its children */
    F_MODULES, /* a container that repeats: array of objects */
    F_NUMBER,
    F_VALUE,   /* {"Value":n} */
    F_BOOL,
    F_RAW,     /* {"RawData":b64u} */
    F_RAWS,    /* the same, repeating: array */
    F_B64,     /* a string */
    F_TEXT,    /* UTF-16LE */
    F_KEY,
    F_DEP,     /* {"Value":n,"String":s} with texts of their own */
    F_DRIVER,
    F_HVCI,
    F_BITLOCKER,
    F_DRTM_AUTH,
};

/* clang-format off */
static const struct row {
    uint32_t id;
    enum form form;
    const char *name;
} rows[] = {
    { 0x40010001, F_OBJECT,  "TRUSTBOUNDARY" },
    { 0x40010002, F_OBJECT,  "ELAM_AGGREGATION" },
    { 0x40010003, F_MODULES, "LOADEDMODULE_AGGREGATION" },
    { 0xc0010004, F_OBJECT,  "TRUSTPOINT_AGGREGATION" },
    { 0x40010005, F_OBJECT,  "KSR_AGGREGATION" },
    { 0x40010006, F_OBJECT,  "KSR_SIGNED_MEASUREMENT_AGGREGATION" },
    { 0x00020001, F_RAW,     "INFORMATION" },
    { 0x00020002, F_NUMBER,  "BOOTCOUNTER" },
    { 0x00020003, F_VALUE,   "TRANSFER_CONTROL" },
    { 0x00020004, F_VALUE,   "APPLICATION_RETURN" },
    { 0x00020005, F_BITLOCKER, "BITLOCKER_UNLOCK" },
    { 0x00020006, F_NUMBER,  "EVENTCOUNTER" },
    { 0x00020007, F_NUMBER,  "COUNTERID" },
    { 0x00020008, F_BOOL,    "MORBIT_NOT_CANCELABLE" },
    { 0x00020009, F_NUMBER,  "APPLICATION_SVN" },
    { 0x0002000a, F_NUMBER,  "SVN_CHAIN_STATUS" },
    { 0x0002000b, F_NUMBER,  "MORBIT_API_STATUS" },
    { 0x0002000c, F_NUMBER,  "IDK_GENERATION_STATUS" },
    { 0x00030001, F_RAW,     "FIRMWAREFAILURE" },
    { 0x80030002, F_RAW,     "TPMFAILURE" },
    { 0x00030003, F_RAW,     "INTERNALFAILURE" },
    { 0x80030004, F_RAW,     "KSRFAILURE" },
    { 0x00030005, F_RAW,     "HYPERVISORFAILURE" },
    { 0x00040001, F_BOOL,    "BOOTDEBUGGING" },
    { 0x00040002, F_RAW,     "BOOT_REVOCATION_LIST" },
    { 0x00050001, F_BOOL,    "OSKERNELDEBUG" },
    { 0x00050002, F_BOOL,    "CODEINTEGRITY" },
    { 0x00050003, F_BOOL,    "TESTSIGNING" },
    { 0x00050004, F_DEP,     "DATAEXECUTIONPREVENTION" },
    { 0x00050005, F_BOOL,    "SAFEMODE" },
    { 0x00050006, F_BOOL,    "WINPE" },
    { 0x00050007, F_NUMBER,  "PHYSICALADDRESSEXTENSION" },
    { 0x00050008, F_NUMBER,  "OSDEVICE" },
    { 0x00050009, F_TEXT,    "SYSTEMROOT" },
    { 0x0005000a, F_VALUE,   "HYPERVISOR_LAUNCH_TYPE" },
    { 0x0005000b, F_TEXT,    "HYPERVISOR_PATH" },
    { 0x0005000c, F_VALUE,   "HYPERVISOR_IOMMU_POLICY" },
    { 0x0005000d, F_BOOL,    "HYPERVISOR_DEBUG" },
    { 0x0005000e, F_DRIVER,  "DRIVER_LOAD_POLICY" },
    { 0x0005000f, F_RAWS,    "SI_POLICY" },
    { 0x00050010, F_VALUE,   "HYPERVISOR_MMIO_NX_POLICY" },
    { 0x00050011, F_VALUE,   "HYPERVISOR_MSR_FILTER_POLICY" },
    { 0x00050012, F_VALUE,   "VSM_LAUNCH_TYPE" },
    { 0x00050013, F_RAW,     "OS_REVOCATION_LIST" },
    { 0x00050014, F_NUMBER,  "SMT_STATUS" },
    { 0x00050020, F_KEY,     "VSM_IDK_INFO" },
    { 0x00050021, F_BOOL,    "FLIGHTSIGNING" },
    { 0x00050022, F_BOOL,    "PAGEFILE_ENCRYPTION_ENABLED" },
    { 0x00050023, F_KEY,     "VSM_IDKS_INFO" },
    { 0x00050024, F_BOOL,    "HIBERNATION_DISABLED" },
    { 0x00050025, F_BOOL,    "DUMPS_DISABLED" },
    { 0x00050026, F_BOOL,    "DUMP_ENCRYPTION_ENABLED" },
    { 0x00050027, F_RAW,     "DUMP_ENCRYPTION_KEY_DIGEST" },
    { 0x00050028, F_NUMBER,  "LSAISO_CONFIG" },
    { 0x00050029, F_RAW,     "SBCP_INFO" },
    { 0x00050030, F_BOOL,    "HYPERVISOR_BOOT_DMA_PROTECTION" },
    { 0x00050031, F_RAW,     "SI_POLICY_SIGNER" },
    { 0x00050032, F_RAW,     "SI_POLICY_UPDATE_SIGNER" },
    { 0x0005003a, F_RAW,     "VSM_SEALED_SI_POLICY" },
    { 0x0005003b, F_RAW,     "DRTM_KEYROLL_DETECTED" },
    { 0x0005003c, F_RAW,     "SRTM_UNSEAL_POLICY" },
    { 0x0005003d, F_RAW,     "SRTM_ANTI_ROLLBACK_COUNTER" },
    { 0x00050040, F_RAW,     "VTL1_DUMP_CONFIG" },
    { 0x00060001, F_BOOL,    "NOAUTHORITY" },
    { 0x00060002, F_RAW,     "AUTHORITYPUBKEY" },
    { 0x00070001, F_TEXT,    "FILEPATH" },
    { 0x00070002, F_NUMBER,  "IMAGESIZE" },
    { 0x00070003, F_NUMBER,  "HASHALGORITHMID" },
    { 0x00070004, F_B64,     "AUTHENTICODEHASH" },
    { 0x00070005, F_TEXT,    "AUTHORITYISSUER" },
    { 0x00070006, F_B64,     "AUTHORITYSERIAL" },
    { 0x00070007, F_NUMBER,  "IMAGEBASE" },
    { 0x00070008, F_TEXT,    "AUTHORITYPUBLISHER" },
    { 0x00070009, F_B64,     "AUTHORITYSHA1THUMBPRINT" },
    { 0x0007000a, F_BOOL,    "IMAGEVALIDATED" },
    { 0x0007000b, F_NUMBER,  "MODULE_SVN" },
    { 0x0007000c, F_RAW,     "MODULE_PLUTON" },
    { 0x0007000d, F_TEXT,    "MODULE_ORIGINAL_FILENAME" },
    { 0x0007000e, F_RAW,     "MODULE_VERSION" },
    { 0x0007000f, F_TEXT,    "PUBLISHER_OEMNAME" },
    { 0x00090001, F_TEXT,    "ELAM_KEYNAME" },
    { 0x00090002, F_RAW,     "ELAM_CONFIGURATION" },
    { 0x00090003, F_RAW,     "ELAM_POLICY" },
    { 0x00090004, F_RAW,     "ELAM_MEASURED" },
    { 0x000a0001, F_BOOL,    "VBS_VSM_REQUIRED" },
    { 0x000a0002, F_BOOL,    "VBS_SECUREBOOT_REQUIRED" },
    { 0x000a0003, F_BOOL,    "VBS_IOMMU_REQUIRED" },
    { 0x000a0004, F_BOOL,    "VBS_MMIO_NX_REQUIRED" },
    { 0x000a0005, F_BOOL,    "VBS_MSR_FILTERING_REQUIRED" },
    { 0x000a0006, F_BOOL,    "VBS_MANDATORY_ENFORCEMENT" },
    { 0x000a0007, F_HVCI,    "VBS_HVCI_POLICY" },
    { 0x000a0008, F_BOOL,    "VBS_MICROSOFT_BOOT_CHAIN_REQUIRED" },
    { 0x000a0009, F_BOOL,    "VBS_DUMP_USES_AMEROOT" },
    { 0x000a000a, F_BOOL,    "VBS_VSM_NOSECRETS_ENFORCED" },
    { 0x000b0001, F_RAW,     "KSR_SIGNATURE" },
    { 0x000c0001, F_DRTM_AUTH, "DRTM_STATE_AUTH" },
    { 0x000c0002, F_VALUE,   "DRTM_SMM" },
    { 0x000c0003, F_RAW,     "DRTM_AMD_SMM_HASH" },
    { 0x000c0004, F_RAW,     "DRTM_AMD_SMM_SIGNER_KEY" },
    { 0x80080001, F_RAW,     "QUOTE" },
    { 0x80080002, F_RAW,     "QUOTESIGNATURE" },
    { 0x80080003, F_RAW,     "AIKID" },
    { 0x80080004, F_RAW,     "AIKPUBDIGEST" },
};

static const struct { uint32_t value; const char *text; }
dep_texts[] = { { 0, "OptIn" }, { 1, "OptOut" }, { 2, "AlwaysOff" }, { 3, "AlwaysOn" } },
driver_texts[] = { { 1, "GoodUnknown" }, { 3, "GoodUnknownBadCritical" }, { 7, "All" }, { 8, "GoodOnly" } },
bitlocker_texts[] = { { 0x1, "cached" }, { 0x2, "media" }, { 0x4, "TPM" }, { 0x10, "PIN" }, { 0x20, "external" },
                      { 0x40, "recovery" }, { 0x80, "passphrase" }, { 0x100, "NBP" }, { 0x200, "AUK_OSFVEINFO" } };
/* clang-format on */

static const struct row *row_of(uint32_t id)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].id == id)
            return &rows[i];
    return NULL;
}

const char *sipa_name(uint32_t id)
{
    const struct row *r = row_of(id);

    return r == NULL ? NULL : r->name;
}

struct sipa_walk sipa_open(struct bytes in)
{
    struct sipa_walk w = { .depth = 0 };

    w.level[0] = in;
    return w;
}

/* Fewer than eight bytes behind the last element must be zero. */
static bool level_done(struct sipa_walk *w, struct bytes left)
{
    if (left.n >= 8)
        return false;
    if (!bytes_all_zero(left))
        w->wrong = "bytes behind the last element are not zero";
    return true;
}

bool sipa_next(struct sipa_walk *w, struct sipa *ret)
{
    struct cur c;

    while (w->wrong == NULL && level_done(w, w->level[w->depth])) {
        if (w->depth == 0 || w->wrong != NULL)
            return false;
        w->depth--;
    }
    if (w->wrong != NULL)
        return false;
    c = cur_open(w->level[w->depth]);
    ret->id = cur_u32le(&c, "id");
    ret->data = cur_take(&c, cur_u32le(&c, "size"), "data");
    ret->depth = w->depth;
    if (!cur_ok(&c)) {
        w->wrong = "an element is longer than what is left";
        return false;
    }
    if (w->count++ == SIPA_MAX_ELEMENTS) {
        w->wrong = "more than 65536 elements";
        return false;
    }
    w->level[w->depth] = cur_rest(&c);
    if ((ret->id & SIPA_CONTAINER) != 0) {
        if (w->depth == SIPA_MAX_DEPTH) {
            w->wrong = "containers are nested more than 8 deep";
            return false;
        }
        w->level[++w->depth] = ret->data;
    }
    return true;
}

bool sipa_valid(struct bytes in, const char **ret_wrong)
{
    struct sipa_walk w = sipa_open(in);
    struct sipa s;

    while (sipa_next(&w, &s))
        ;
    *ret_wrong = w.wrong != NULL ? w.wrong : w.count == 0 ? "no element" : NULL;
    return *ret_wrong == NULL;
}

bool sipa_uint(struct bytes data, uint64_t *ret)
{
    if (data.n != 1 && data.n != 2 && data.n != 4 && data.n != 8)
        return false;
    *ret = 0;
    for (size_t i = 0; i < data.n; i++)
        *ret |= (uint64_t)data.p[i] << (8 * i);
    return true;
}

bool sipa_true(struct bytes data)
{
    return data.n > 0 && !bytes_all_zero(data);
}

bool sipa_key_parse(struct bytes data, const char *what, struct sipa_key *ret, struct err *e)
{
    struct cur c = cur_open(data);
    struct sipa_key r;
    uint32_t e_n, m_n;

    r.alg = cur_u32le(&c, "keyAlgId");
    r.bits = cur_u32le(&c, "bitLength");
    e_n = cur_u32le(&c, "exponentLength");
    m_n = cur_u32le(&c, "modulusLength");
    r.exponent = cur_take(&c, e_n, "exponent");
    r.modulus = cur_take(&c, m_n, "modulus");
    if (!cur_close(&c, ERR_VBS_KEY, what, e))
        return false;
    *ret = r;
    return true;
}

static void print_raw(struct out *o, struct bytes data)
{
    out_text(o, "{\"RawData\":\"");
    b64url_print(o, data);
    out_text(o, "\"}");
}

static void print_key(struct out *o, struct bytes data)
{
    struct sipa_key k;

    if (!sipa_key_parse(data, "key", &k, NULL)) {
        print_raw(o, data);
        return;
    }
    out_printf(o, "{\"KeyAlgId\":%" PRIu32 ",\"BitLength\":%" PRIu32 ",\"Exponent\":\"", k.alg, k.bits);
    b64url_print(o, k.exponent);
    out_text(o, "\",\"Modulus\":\"");
    b64url_print(o, k.modulus);
    out_text(o, "\"}");
}

static void print_bitlocker(struct out *o, uint64_t v)
{
    bool any = false;

    if (v == 0)
        out_text(o, "none");
    for (size_t i = 0; i < COUNT(bitlocker_texts); i++)
        if ((v & bitlocker_texts[i].value) != 0) {
            out_printf(o, "%s%s", any ? "|" : "", bitlocker_texts[i].text);
            any = true;
        }
}

static const char *value_text(enum form form, uint64_t v)
{
    for (size_t i = 0; form == F_DEP && i < COUNT(dep_texts); i++)
        if (dep_texts[i].value == v)
            return dep_texts[i].text;
    for (size_t i = 0; form == F_DRIVER && i < COUNT(driver_texts); i++)
        if (driver_texts[i].value == v)
            return driver_texts[i].text;
    return form == F_HVCI && v == 1 ? "HypervisorEnforcedCodeIntegrityEnable" : NULL;
}

static void print_value(struct out *o, enum form form, struct bytes data)
{
    const char *text;
    uint64_t v;

    if (!sipa_uint(data, &v)) {
        print_raw(o, data);
        return;
    }
    out_printf(o, "{\"Value\":%" PRIu64, v);
    text = value_text(form, v);
    if (text != NULL)
        out_printf(o, ",\"String\":\"%s\"", text);
    if (form == F_BITLOCKER) {
        out_text(o, ",\"String\":\"");
        print_bitlocker(o, v);
        out_char(o, '"');
    }
    out_char(o, '}');
}

static void print_members(struct out *o, struct bytes in, unsigned depth);

static void print_leaf(struct out *o, enum form form, struct bytes data)
{
    uint64_t v;

    switch (form) {
    case F_NUMBER:
        if (sipa_uint(data, &v))
            out_printf(o, "%" PRIu64, v);
        else
            print_raw(o, data);
        break;
    case F_BOOL:
        out_text(o, sipa_true(data) ? "true" : "false");
        break;
    case F_B64:
        out_char(o, '"');
        b64url_print(o, data);
        out_char(o, '"');
        break;
    case F_TEXT:
        json_print_string(o, utf16_text(o->a, data));
        break;
    case F_KEY:
        print_key(o, data);
        break;
    case F_VALUE:
    case F_DEP:
    case F_DRIVER:
    case F_HVCI:
    case F_BITLOCKER:
        print_value(o, form, data);
        break;
    case F_DRTM_AUTH: /* the trust anchor of this signature is not public: never valid here */
        out_text(o, "{\"SignatureValid\":false,\"RawData\":\"");
        b64url_print(o, data);
        out_text(o, "\"}");
        break;
    default:
        print_raw(o, data);
    }
}

struct child {
    uint32_t id;
    struct bytes data;
};

/* By id, equal ones in their order: merge sort, since a hostile log chooses the order. */
static bool sort_children(struct arena *a, struct child *list, size_t n)
{
    struct child *from = list, *to = arena_many(a, n, struct child);

    if (to == NULL)
        return false;
    for (size_t width = 1; width < n; width *= 2) {
        struct child *swap = from;

        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
            size_t x = lo, y = mid;

            for (size_t k = lo; k < hi; k++)
                to[k] = y >= hi || (x < mid && from[x].id <= from[y].id) ? from[x++] : from[y++];
        }
        from = to;
        to = swap;
    }
    if (from != list)
        memcpy(list, from, n * sizeof(*list));
    return true;
}

static struct child *collect(struct out *o, struct bytes in, size_t *ret_n)
{
    struct cur count = cur_open(in), c = cur_open(in);
    struct child *list;
    size_t n = 0;

    while (cur_left(&count) >= 8) {
        cur_skip(&count, 4, "id");
        cur_skip(&count, cur_u32le(&count, "size"), "data");
        n++;
    }
    list = arena_many(o->a, n == 0 ? 1 : n, struct child);
    for (size_t i = 0; list != NULL && i < n; i++) {
        list[i].id = cur_u32le(&c, "id");
        list[i].data = cur_take(&c, cur_u32le(&c, "size"), "data");
    }
    if (list == NULL || !sort_children(o->a, list, n)) {
        o->failed = true;
        return NULL;
    }
    *ret_n = n;
    return list;
}

static void print_one(struct out *o, uint32_t id, enum form form, struct bytes data, unsigned depth)
{
    if ((id & SIPA_CONTAINER) == 0 || depth >= SIPA_MAX_DEPTH) {
        print_leaf(o, form, data);
        return;
    }
    out_char(o, '{');
    print_members(o, data, depth + 1);
    out_char(o, '}');
}

static void print_group(struct out *o, const struct child *list, size_t n, unsigned depth)
{
    const struct row *r = row_of(list[0].id);
    enum form form = r != NULL ? r->form : F_RAW;
    bool array = form == F_MODULES || form == F_RAWS;

    if (r != NULL)
        out_printf(o, "\"EVENT_%s\":", r->name);
    else
        out_printf(o, "\"EVENT_%08X\":", list[0].id);
    if (array)
        out_char(o, '[');
    for (size_t i = array ? 0 : n - 1; i < n; i++) { /* of single values the last one counts */
        if (array && i > 0)
            out_char(o, ',');
        print_one(o, list[0].id, form, list[i].data, depth);
    }
    if (array)
        out_char(o, ']');
}

static void print_members(struct out *o, struct bytes in, unsigned depth)
{
    size_t n = 0;
    struct child *list = collect(o, in, &n);

    for (size_t i = 0, k; list != NULL && i < n; i = k) {
        for (k = i; k < n && list[k].id == list[i].id; k++)
            ;
        if (i > 0)
            out_char(o, ',');
        print_group(o, list + i, k - i, depth);
    }
}

void sipa_json(struct bytes in, struct out *o)
{
    print_members(o, in, 0);
}
