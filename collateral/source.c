/* source.c: see source.h. The paths are those of evidence-sgx 4.4 to 4.6 and evidence-snp 2.4. */
#include "collateral/source.h"

#include "base/out.h"
#include "codec/b64.h"
#include "codec/hex.h"
#include "os/io.h"

#include <stdio.h>

enum { MAX_SOURCES = 32 };

#define PCS_URL "https://api.trustedservices.intel.com"
#define ROOT_CRL_URL "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
#define THIM_URL "https://global.acccache.azure.net"
#define KDS_URL "https://kdsintf.amd.com"

/* -- configuration -- */

static const struct word {
    const char *word;
    bool amd;
    enum source_kind kind;
    int version;
    const char *otherwise; /* URL where none is given; NULL: one must be given */
} words[] = {
    { "pcs", false, SOURCE_PCS, 4, PCS_URL },
    { "pcs3", false, SOURCE_PCS, 3, PCS_URL },
    { "pccs", false, SOURCE_PCCS, 4, NULL },
    { "pccs3", false, SOURCE_PCCS, 3, NULL },
    { "mirror", false, SOURCE_PCCS, 4, NULL },
    { "thim", false, SOURCE_THIM, 4, THIM_URL },
    { "kds", true, SOURCE_KDS, 0, KDS_URL },
    { "mirror", true, SOURCE_KDS, 0, NULL },
    { "thim", true, SOURCE_THIM_AMD, 0, THIM_URL },
};

struct reader {
    const struct config *c;
    struct arena *a;
    struct sources *to;
    double rate, amd_rate, burst;
    uint64_t now_us;
    bool early;
    const char *subscription_key;
};

static bool good_url(struct bytes url)
{
    bool https = url.n > 8 && memcmp(url.p, "https://", 8) == 0, http = url.n > 7 && memcmp(url.p, "http://", 7) == 0;

    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] >= 0x7f || url.p[i] == '?' || url.p[i] == '#')
            return false;
    return https || http;
}

static bool add(struct reader *r, const struct word *w, struct bytes url, struct err *e)
{
    struct source *s = &r->to->list[r->to->count];
    double rate = w->amd ? r->amd_rate : r->rate;

    while (url.n > 0 && url.p[url.n - 1] == '/')
        url.n--;
    if (!good_url(url))
        return err_set(e, ERR_USAGE, "configuration", "source '%s' has '%.*s', which is no http or https URL", w->word, (int)url.n,
                       url.n == 0 ? "" : (const char *)url.p);
    if (r->to->count == MAX_SOURCES)
        return err_set(e, ERR_USAGE, "configuration", "there are more than %d sources of collateral", MAX_SOURCES);
    *s = (struct source){ .kind = w->kind, .version = w->version, .early = r->early };
    s->base = arena_str(r->a, url);
    s->name = arena_printf(r->a, "%s %.*s", w->word, (int)url.n, (const char *)url.p);
    s->bucket = bucket_open(rate, r->burst, r->now_us);
    s->subscription_key = w->kind == SOURCE_PCS ? r->subscription_key : NULL;
    r->to->count++;
    return (s->base != NULL && s->name != NULL) || err_memory(e, "configuration");
}

static struct bytes trim(struct bytes b)
{
    while (b.n > 0 && b.p[0] == ' ')
        b = bytes_part(b, 1, b.n - 1);
    while (b.n > 0 && b.p[b.n - 1] == ' ')
        b.n--;
    return b;
}

static bool add_word(struct reader *r, struct bytes text, bool amd, struct err *e)
{
    const uint8_t *colon = memchr(text.p, ':', text.n);
    struct bytes name = colon == NULL ? text : bytes_part(text, 0, (size_t)(colon - text.p));
    struct bytes url = colon == NULL ? (struct bytes){ NULL, 0 } : bytes_part(text, name.n + 1, text.n);

    if (bytes_is(text, "none"))
        return true;
    for (size_t i = 0; i < COUNT(words); i++)
        if (words[i].amd == amd && bytes_is(name, words[i].word)) {
            if (url.n == 0 && words[i].otherwise == NULL)
                return err_set(e, ERR_USAGE, "configuration", "source '%s' needs a URL: %s:https://...", words[i].word, words[i].word);
            return add(r, &words[i], url.n == 0 ? bytes_str(words[i].otherwise) : url, e);
        }
    return err_set(e, ERR_USAGE, "configuration", "'%.*s' is no source of %s collateral", (int)text.n, (const char *)text.p, amd ? "AMD" : "Intel");
}

static bool add_list(struct reader *r, struct bytes list, bool amd, struct err *e)
{
    while (list.n > 0) {
        const uint8_t *comma = memchr(list.p, ',', list.n);
        struct bytes word = bytes_part(list, 0, comma == NULL ? list.n : (size_t)(comma - list.p));

        if (trim(word).n > 0 && !add_word(r, trim(word), amd, e))
            return false;
        list = bytes_part(list, word.n + 1, list.n);
    }
    return true;
}

static bool add_file(struct reader *r, enum source_kind kind, const char *path, struct err *e)
{
    if (path[0] == 0)
        return true;
    r->to->list[r->to->count++] = (struct source){
        .kind = kind, .base = path, .name = arena_printf(r->a, "%s %s", kind == SOURCE_BUNDLE ? "bundle" : "directory", path),
    };
    return r->to->list[r->to->count - 1].name != NULL || err_memory(e, "configuration");
}

/* One line of printable characters. It is not part of the configuration's own text: that is handed to every process. */
static bool read_subscription_key(struct reader *r, const char *path, struct err *e)
{
    struct bytes key;

    if (path[0] == 0)
        return true;
    if (!file_read(path, 4096, r->a, &key, e))
        return false;
    while (key.n > 0 && (key.p[key.n - 1] == '\n' || key.p[key.n - 1] == '\r'))
        key.n--;
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] <= ' ' || key.p[i] >= 0x7f)
            return err_set(e, ERR_USAGE, "configuration", "the key in %s has a byte 0x%02x at %zu, one line of printable characters is expected", path,
                           key.p[i], i);
    if (key.n == 0 || key.n > 256)
        return err_set(e, ERR_USAGE, "configuration", "the key in %s has %zu characters, 1 to 256 are expected", path, key.n);
    r->subscription_key = arena_str(r->a, key);
    return r->subscription_key != NULL || err_memory(e, "configuration");
}

bool sources_read(const struct config *c, struct arena *a, struct sources *ret, struct err *e)
{
    struct reader r = { .c = c, .a = a, .to = ret, .now_us = clock_monotonic_us() };
    /* development trusts roots of its own, for which no vendor has collateral */
    const char *intel = c->value[CONFIG_collateral_intel][0] == 0 ? (c->dev ? "none" : "pcs") : c->value[CONFIG_collateral_intel];
    const char *amd = c->value[CONFIG_collateral_amd][0] == 0 ? (c->dev ? "none" : "kds") : c->value[CONFIG_collateral_amd];
    int64_t rate, amd_rate, burst;

    *ret = (struct sources){ .list = arena_many(a, MAX_SOURCES + 2, struct source) };
    if (ret->list == NULL)
        return err_memory(e, "configuration");
    if (!config_number(c, CONFIG_collateral_rate, 1, 10000, &rate, e) || !config_number(c, CONFIG_collateral_amd_rate, 1, 10000, &amd_rate, e)
        || !config_number(c, CONFIG_collateral_burst, 1, 100000, &burst, e))
        return false;
    r.rate = (double)rate;
    r.amd_rate = (double)amd_rate;
    r.burst = (double)burst;
    r.early = strcmp(c->value[CONFIG_collateral_update], "early") == 0;
    if (!r.early && strcmp(c->value[CONFIG_collateral_update], "standard") != 0)
        return err_set(e, ERR_USAGE, "configuration", "'collateral.update' is '%s', standard or early is expected", c->value[CONFIG_collateral_update]);
    return read_subscription_key(&r, c->value[CONFIG_collateral_pcs_key], e) && add_file(&r, SOURCE_DIRECTORY, c->value[CONFIG_collateral_directory], e)
        && add_file(&r, SOURCE_BUNDLE, c->value[CONFIG_collateral_bundle], e) && add_list(&r, bytes_str(intel), false, e)
        && add_list(&r, bytes_str(amd), true, e);
}

/* -- files -- */

static bool load_directory(struct source *s, struct err *e)
{
    const char *const *names;
    size_t count;

    if (!folder_list(s->base, &s->own, &names, &count, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct err why = { .code = ERR_NONE };
        struct bytes body;

        if (!file_read(arena_printf(&s->own, "%s/%s", s->base, names[i]), 4 << 20, &s->own, &body, &why)
            || !collateral_add(&s->pool, body, names[i], &why))
            log_error("collateral", &why);
    }
    return true;
}

static bool load_bundle(struct source *s, struct err *e)
{
    struct bytes file;

    return file_read(s->base, BUNDLE_MAX_SIZE, &s->own, &file, e) && bundle_parse(file, &s->own, &s->records, &s->record_count, e);
}

void sources_load_files(struct sources *all)
{
    for (size_t i = 0; i < all->count; i++) {
        struct source *s = &all->list[i];
        struct err e = { .code = ERR_NONE };

        if (!source_is_file(s))
            continue;
        arena_done(&s->own);
        arena_init(&s->own, (size_t)1 << 30);
        s->pool = collateral_open(&s->own);
        s->records = NULL;
        s->record_count = 0;
        s->error[0] = 0;
        if (!(s->kind == SOURCE_DIRECTORY ? load_directory(s, &e) : load_bundle(s, &e))) {
            s->record_count = 0;
            snprintf(s->error, sizeof(s->error), "%.250s", e.why);
            log_error("collateral", &e);
        }
    }
}

bool source_is_file(const struct source *s)
{
    return s->kind == SOURCE_DIRECTORY || s->kind == SOURCE_BUNDLE;
}

static bool better(const struct collateral_item *x, const struct collateral_item *y, int64_t now)
{
    bool xv = x->from <= now && now <= x->to, yv = y->from <= now && now <= y->to;

    if (xv != yv)
        return xv;
    return x->eval_number != y->eval_number ? x->eval_number > y->eval_number : x->from > y->from;
}

/* Whether a file of certificates may hold issuers of the item: not the leaves of other chips, nor another vendor's. */
static bool may_issue(const struct need_key *k, const struct collateral_item *i)
{
    bool amd = bytes_equal(bytes_part(i->subject_cn, 0, 4), LIT("SEV-")) || bytes_equal(bytes_part(i->subject_cn, 0, 4), LIT("ARK-"));

    if (i->kind != COLL_CERTS || bytes_is(i->subject_cn, "SEV-VCEK") || bytes_is(i->subject_cn, "SEV-VLEK"))
        return false;
    return amd == (k->form == NEED_VCEK || k->form == NEED_AMD_CHAIN || k->form == NEED_AMD_CRL);
}

static bool find_in_pool(const struct source *s, const struct need_key *k, int64_t now, struct record *ret)
{
    const struct collateral_item *best = NULL;

    for (size_t i = 0; i < s->pool.count; i++)
        if (need_key_serves(k, &s->pool.list[i]) && (best == NULL || better(&s->pool.list[i], best, now)))
            best = &s->pool.list[i];
    if (best == NULL)
        return false;
    *ret = (struct record){ .source = bytes_str(s->name), .fetched = now, .bodies = { best->body }, .count = 1 };
    for (size_t i = 0; i < s->pool.count && ret->count < BUNDLE_MAX_BODIES; i++)
        if (&s->pool.list[i] != best && may_issue(k, &s->pool.list[i]))
            ret->bodies[ret->count++] = s->pool.list[i].body;
    return true;
}

bool source_find(const struct source *s, const struct need_key *k, int64_t now, struct record *ret)
{
    struct need_key name = need_key_name(k);
    struct arena a;
    const char *key;
    bool found = false;

    if (s->kind == SOURCE_DIRECTORY)
        return find_in_pool(s, k, now, ret);
    arena_init(&a, 1 << 16);
    key = need_key_print(&name, &a);
    for (size_t i = 0; key != NULL && i < s->record_count; i++)
        if (bytes_is(s->records[i].key, key)) {
            *ret = s->records[i];
            found = true;
        }
    arena_done(&a);
    return found;
}

/* -- requests -- */

bool source_serves(const struct source *s, const struct need_key *k)
{
    bool amd = k->form == NEED_VCEK || k->form == NEED_AMD_CHAIN || k->form == NEED_AMD_CRL;

    switch (s->kind) {
    case SOURCE_DIRECTORY: /* nothing in a PCK certificate tells the QE that it is for */
        return k->form != NEED_URL && k->form != NEED_PCK;
    case SOURCE_BUNDLE:
        return k->form != NEED_URL;
    case SOURCE_PCS:
    case SOURCE_PCCS:
        return !amd && k->form != NEED_URL && (s->version == 4 || (!k->tdx && k->eval <= 0 && k->form != NEED_EVAL_NUMBERS));
    case SOURCE_THIM:
        return !amd && k->form != NEED_URL && k->form != NEED_EVAL_NUMBERS && !k->qve && k->eval >= 0;
    case SOURCE_KDS:
        return amd;
    case SOURCE_THIM_AMD: /* Milan and Genoa: the number of the TCB has their layout */
        return k->form == NEED_VCEK && !k->has_fmc;
    case SOURCE_URL:
        return k->form == NEED_URL && strcmp(k->url, s->base) == 0;
    }
    return false;
}

const char *source_refuses(const struct source *s, const struct need_key *k)
{
    if (k->form != NEED_PCK || s->kind != SOURCE_PCS)
        return NULL;
    if (s->subscription_key == NULL)
        return "gives PCK certificates to subscribers only (collateral.pcs_key)";
    if (strncmp(s->base, "https://", 8) != 0)
        return "has no https URL: the subscription key is not sent in the clear";
    return k->ppid_size == 0 ? "tells platforms by their encrypted PPID, which was not given" : NULL;
}

static const char *eval_query(const struct source *s, const struct need_key *k, char mark, struct arena *a)
{
    if (k->eval > 0)
        return arena_printf(a, "%ctcbEvaluationDataNumber=%lld", mark, (long long)k->eval);
    return k->eval == NEED_EVAL_EARLY || s->early ? arena_printf(a, "%cupdate=early", mark) : "";
}

/* Azure's cache writes the two-byte numbers big-endian, everybody else as they stand in memory (evidence-sgx 4.6). */
static const char *swapped(const uint8_t two[2], bool swap, struct arena *a)
{
    return arena_printf(a, "%02x%02x", two[swap ? 1 : 0], two[swap ? 0 : 1]);
}

static const char *pck_url(const struct source *s, const struct need_key *k, const char *base, struct arena *a)
{
    bool thim = s->kind == SOURCE_THIM;
    struct out o = out_open(a);

    out_printf(&o, "%s/pckcert?", base);
    if (s->kind != SOURCE_PCS)
        out_printf(&o, "qeid=%s&", (const char *)hex_encode(a, BYTES(k->qe_id)).p);
    if (k->ppid_size > 0)
        out_printf(&o, "encrypted_ppid=%s&", (const char *)hex_encode(a, bytes_of(k->ppid, k->ppid_size)).p);
    out_printf(&o, "cpusvn=%s&pcesvn=%s&pceid=%s", (const char *)hex_encode(a, BYTES(k->cpu_svn)).p, swapped(k->pce_svn, thim, a),
               swapped(k->pce_id, thim, a));
    if (thim)
        out_text(&o, "&clientid=production_client&api-version=2021-07-22-preview");
    return out_ok(&o) && !a->failed ? (const char *)out_view(&o).p : NULL;
}

static const char *intel_url(const struct source *s, const struct need_key *k, struct arena *a)
{
    const char *base = arena_printf(a, "%s/%s/certification/v%d", s->base, k->tdx ? "tdx" : "sgx", s->version);

    switch (k->form) {
    case NEED_TCB_INFO:
        return arena_printf(a, "%s/tcb?fmspc=%s%s", base, (const char *)hex_encode(a, BYTES(k->fmspc)).p, eval_query(s, k, '&', a));
    case NEED_IDENTITY:
        return arena_printf(a, "%s/%s/identity%s", base, k->qve ? "qve" : "qe", eval_query(s, k, '?', a));
    case NEED_EVAL_NUMBERS:
        return arena_printf(a, "%s/tcbevaluationdatanumbers", base);
    case NEED_PCK_CRL:
        return arena_printf(a, "%s/pckcrl?ca=%s&encoding=der", base, k->platform_ca ? "platform" : "processor");
    case NEED_ROOT_CRL:
        if (s->kind == SOURCE_PCS)
            return strcmp(s->base, PCS_URL) == 0 ? ROOT_CRL_URL : arena_printf(a, "%s/IntelSGXRootCA.der", s->base);
        return arena_printf(a, "%s/rootcacrl", base);
    case NEED_PCK:
        return pck_url(s, k, base, a);
    default:
        return NULL;
    }
}

/* The answer to pckcrl?uri= is the list that Intel's certificates point to. */
static const char *thim_url(const struct source *s, const struct need_key *k, struct arena *a)
{
    static const char tail[] = "clientid=production_client&api-version=2018-10-01-preview";
    const char *base = arena_printf(a, "%s/%s/certification/v4", s->base, k->tdx ? "tdx" : "sgx"), *eval = "";

    if (k->eval > 0)
        eval = arena_printf(a, "customParameter=%s&",
                            (const char *)b64std_encode(a, bytes_str(arena_printf(a, "tcbEvaluationDataNumber=%lld", (long long)k->eval))).p);
    switch (k->form) {
    case NEED_TCB_INFO:
        return arena_printf(a, "%s/tcb?fmspc=%s&%s%s", base, (const char *)hex_encode(a, BYTES(k->fmspc)).p, eval, tail);
    case NEED_IDENTITY:
        return arena_printf(a, "%s/qe/identity?%s%s", base, eval, tail);
    case NEED_PCK_CRL:
        return arena_printf(a, "%s/pckcrl?uri=https%%3A%%2F%%2Fapi.trustedservices.intel.com%%2Fsgx%%2Fcertification%%2Fv4%%2Fpckcrl%%3Fca%%3D%s%%26encoding%%3Dder&%s",
                            base, k->platform_ca ? "platform" : "processor", tail);
    case NEED_PCK:
        return pck_url(s, k, base, a);
    case NEED_ROOT_CRL:
        return arena_printf(a, "%s/pckcrl?uri=https%%3A%%2F%%2Fcertificates.trustedservices.intel.com%%2FIntelSGXRootCA.der&%s", base, tail);
    default:
        return NULL;
    }
}

/* TCB_VERSION of Milan and Genoa as a number: boot loader in the lowest byte, TEE next, SNP and microcode on top. */
static const char *thim_amd_url(const struct source *s, const struct need_key *k, struct arena *a)
{
    static const char inside[] = "/metadata/THIM";
    size_t n = strlen(s->base), m = sizeof(inside) - 1;
    uint64_t tcb = (uint64_t)k->spl[1] | (uint64_t)k->spl[2] << 8 | (uint64_t)k->spl[3] << 48 | (uint64_t)k->spl[4] << 56;

    if (n >= m && strcmp(s->base + n - m, inside) == 0) /* inside a VM: the certificate of its own chip, whichever that is */
        return arena_printf(a, "%s/amd/certification", s->base);
    return arena_printf(a, "%s/SevSnpVM/certificates/%s/%016llx?api-version=2020-10-15-preview", s->base,
                        (const char *)hex_encode(a, bytes_of(k->hw_id, k->hw_id_size)).p, (unsigned long long)tcb);
}

const char *source_url(const struct source *s, const struct need_key *k, struct arena *a)
{
    const char *key;

    switch (s->kind) {
    case SOURCE_PCS:
    case SOURCE_PCCS:
        return intel_url(s, k, a);
    case SOURCE_THIM:
        return thim_url(s, k, a);
    case SOURCE_KDS:
        key = need_key_print(k, a);
        return key == NULL ? NULL : arena_printf(a, "%s/%s", s->base, key + sizeof("kds/") - 1);
    case SOURCE_THIM_AMD:
        return thim_amd_url(s, k, a);
    case SOURCE_URL:
        return s->base;
    default:
        return NULL;
    }
}
