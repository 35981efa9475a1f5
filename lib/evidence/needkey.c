/* needkey.c: see needkey.h. The paths are those of Intel's PCS and PCCS and of AMD's KDS. */
#include "evidence/needkey.h"

#include "codec/hex.h"
#include "crypto/cert.h"

#include <stdio.h>

static const char *const lines[] = { "Milan", "Genoa", "Turin" };
static const char *const spl_names[] = { "fmcSPL", "blSPL", "teeSPL", "snpSPL", "ucodeSPL" };

/* -- reading -- */

/* The text up to `stop`, which is taken off as well; the rest of the text where it does not occur. */
static struct bytes step(struct bytes *text, char stop)
{
    const uint8_t *at = text->n == 0 ? NULL : memchr(text->p, stop, text->n);
    size_t n = at == NULL ? text->n : (size_t)(at - text->p);
    struct bytes r = bytes_part(*text, 0, n);

    *text = bytes_part(*text, n + 1, text->n);
    return r;
}

/* Decimal without leading zeros beyond two digits (AMD writes 03). */
static bool small_number(struct bytes t, int64_t max, int64_t *ret)
{
    int64_t v = 0;

    if (t.n == 0 || t.n > 10)
        return false;
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] < '0' || t.p[i] > '9')
            return false;
        v = v * 10 + (t.p[i] - '0');
    }
    *ret = v;
    return v <= max;
}

struct query {
    struct need_key *k;
    unsigned seen; /* a bit for each name: none may stand twice */
};
#define SEEN_FMSPC 1u
#define SEEN_CA 2u
#define SEEN_EVAL 4u
#define SEEN_SPL 8u /* and the four bits above it */
#define SEEN_PCK 256u /* and the three bits above it */
#define SEEN_PPID 4096u

static bool once(struct query *q, unsigned bit)
{
    bool first = (q->seen & bit) == 0;

    q->seen |= bit;
    return first;
}

/* What names a PCK certificate: fixed numbers of hexadecimal digits. */
static bool take_platform(struct query *q, struct bytes name, struct bytes value)
{
    const struct {
        const char *name;
        uint8_t *to;
        size_t n;
    } parts[] = {
        { "qeid", q->k->qe_id, sizeof(q->k->qe_id) },
        { "cpusvn", q->k->cpu_svn, sizeof(q->k->cpu_svn) },
        { "pcesvn", q->k->pce_svn, sizeof(q->k->pce_svn) },
        { "pceid", q->k->pce_id, sizeof(q->k->pce_id) },
    };

    for (size_t i = 0; i < COUNT(parts); i++)
        if (bytes_is(name, parts[i].name))
            return once(q, SEEN_PCK << i) && hex_decode_exact(value, parts[i].to, parts[i].n);
    if (!bytes_is(name, "encrypted_ppid"))
        return false;
    q->k->ppid_size = sizeof(q->k->ppid);
    return once(q, SEEN_PPID) && hex_decode_exact(value, q->k->ppid, sizeof(q->k->ppid));
}

static bool take_parameter(struct query *q, struct bytes name, struct bytes value)
{
    int64_t v;

    if (bytes_is(name, "fmspc"))
        return once(q, SEEN_FMSPC) && hex_decode_exact(value, q->k->fmspc, sizeof(q->k->fmspc));
    if (bytes_is(name, "ca")) {
        q->k->platform_ca = bytes_is(value, "platform");
        return once(q, SEEN_CA) && (q->k->platform_ca || bytes_is(value, "processor"));
    }
    if (bytes_is(name, "eval")) {
        if (bytes_is(value, "early")) {
            q->k->eval = NEED_EVAL_EARLY;
            return once(q, SEEN_EVAL);
        }
        return once(q, SEEN_EVAL) && small_number(value, UINT32_MAX, &q->k->eval) && q->k->eval > 0;
    }
    for (size_t i = 0; i < COUNT(spl_names); i++)
        if (bytes_is(name, spl_names[i])) {
            if (!once(q, (unsigned)SEEN_SPL << i) || !small_number(value, 255, &v))
                return false;
            q->k->spl[i] = (uint8_t)v;
            q->k->has_fmc = q->k->has_fmc || i == 0;
            return true;
        }
    return take_platform(q, name, value);
}

static bool take_query(struct bytes text, struct need_key *k, unsigned *ret_seen)
{
    struct query q = { .k = k };

    while (text.n > 0) {
        struct bytes pair = step(&text, '&'), name = step(&pair, '=');

        if (!take_parameter(&q, name, pair))
            return false;
    }
    *ret_seen = q.seen;
    return true;
}

static bool intel_key(struct bytes path, unsigned seen, struct need_key *k)
{
    static const struct {
        const char *path;
        enum need_form form;
        unsigned must, may;
        bool tdx; /* TDX has one of its own */
    } forms[] = {
        { "tcb", NEED_TCB_INFO, SEEN_FMSPC, SEEN_EVAL, true },
        { "qe/identity", NEED_IDENTITY, 0, SEEN_EVAL, true },
        { "qve/identity", NEED_IDENTITY, 0, SEEN_EVAL, false },
        { "tcbevaluationdatanumbers", NEED_EVAL_NUMBERS, 0, 0, true },
        { "pckcrl", NEED_PCK_CRL, SEEN_CA, 0, false },
        { "rootcacrl", NEED_ROOT_CRL, 0, 0, false },
        { "pckcert", NEED_PCK, SEEN_PCK * 15, SEEN_PPID, false },
    };

    k->qve = bytes_is(path, "qve/identity");
    for (size_t i = 0; i < COUNT(forms); i++)
        if (bytes_is(path, forms[i].path)) {
            k->form = forms[i].form;
            return (seen & forms[i].must) == forms[i].must && (seen & ~(forms[i].must | forms[i].may)) == 0
                && (!k->tdx || forms[i].tdx);
        }
    return false;
}

static bool find_line(struct bytes name, struct need_key *k)
{
    for (size_t i = 0; i < COUNT(lines); i++)
        if (bytes_is(name, lines[i])) {
            snprintf(k->line, sizeof(k->line), "%s", lines[i]);
            return true;
        }
    return false;
}

static bool amd_key(struct bytes path, unsigned seen, struct need_key *k)
{
    struct bytes kind = step(&path, '/'), version = step(&path, '/'), line = step(&path, '/');
    unsigned spl = SEEN_SPL << 1 | SEEN_SPL << 2 | SEEN_SPL << 3 | SEEN_SPL << 4;

    k->vlek = bytes_is(kind, "vlek");
    if ((!k->vlek && !bytes_is(kind, "vcek")) || !bytes_is(version, "v1") || !find_line(line, k))
        return false;
    if (bytes_is(path, "cert_chain") || bytes_is(path, "crl")) {
        k->form = bytes_is(path, "crl") ? NEED_AMD_CRL : NEED_AMD_CHAIN;
        return seen == 0;
    }
    k->form = NEED_VCEK;
    k->hw_id_size = path.n / 2;
    if (strcmp(k->line, "Turin") == 0)
        spl |= SEEN_SPL;
    return !k->vlek && seen == spl && path.n == (k->has_fmc ? 16 : 128) && hex_decode_exact(path, k->hw_id, k->hw_id_size);
}

/* Printable ASCII without what would need quoting; whether it is allowed at all is the fetcher's list. */
static bool url_key(struct bytes url, struct need_key *k)
{
    if (url.n < 10 || url.n >= sizeof(k->url) || memcmp(url.p, "https://", 8) != 0)
        return false;
    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] >= 0x7f || strchr("\"<>\\^`{|}", url.p[i]) != NULL)
            return false;
    k->form = NEED_URL;
    memcpy(k->url, url.p, url.n);
    k->url[url.n] = 0;
    return true;
}

static bool parse(struct bytes text, struct need_key *k)
{
    struct bytes rest = text, vendor = step(&rest, '/'), path;
    unsigned seen;

    if (bytes_is(vendor, "url"))
        return url_key(rest, k);
    path = step(&rest, '?');
    k->tdx = bytes_is(vendor, "tdx");
    if (!take_query(rest, k, &seen))
        return false;
    if (k->tdx || bytes_is(vendor, "sgx"))
        return intel_key(path, seen, k);
    return bytes_is(vendor, "kds") && amd_key(path, seen, k);
}

bool need_key_parse(struct bytes text, struct need_key *ret, struct err *e)
{
    struct need_key k = { 0 };

    if (text.n > NEED_KEY_MAX || !parse(text, &k))
        return err_set(e, ERR_BAD_REQUEST, "collateral key", "'%.*s' names no collateral", (int)(text.n < 200 ? text.n : 200),
                       text.n == 0 ? "" : (const char *)text.p);
    *ret = k;
    return true;
}

/* -- writing -- */

static void print_eval(struct out *o, const struct need_key *k, char mark)
{
    if (k->eval == NEED_EVAL_EARLY)
        out_printf(o, "%ceval=early", mark);
    else if (k->eval != 0)
        out_printf(o, "%ceval=%lld", mark, (long long)k->eval);
}

static void print_pck(struct out *o, const struct need_key *k)
{
    out_text(o, "sgx/pckcert?qeid=");
    hex_print(o, BYTES(k->qe_id));
    out_text(o, "&cpusvn=");
    hex_print(o, BYTES(k->cpu_svn));
    out_text(o, "&pcesvn=");
    hex_print(o, BYTES(k->pce_svn));
    out_text(o, "&pceid=");
    hex_print(o, BYTES(k->pce_id));
    if (k->ppid_size > 0) {
        out_text(o, "&encrypted_ppid=");
        hex_print(o, bytes_of(k->ppid, k->ppid_size));
    }
}

static void print_vcek(struct out *o, const struct need_key *k)
{
    char mark = '?';

    hex_print(o, bytes_of(k->hw_id, k->hw_id_size));
    for (size_t i = k->has_fmc ? 0 : 1; i < COUNT(spl_names); i++) {
        out_printf(o, "%c%s=%u", mark, spl_names[i], k->spl[i]);
        mark = '&';
    }
}

const char *need_key_print(const struct need_key *k, struct arena *a)
{
    struct out o = out_open(a);
    const char *tee = k->tdx ? "tdx" : "sgx";

    switch (k->form) {
    case NEED_TCB_INFO:
        out_printf(&o, "%s/tcb?fmspc=", tee);
        hex_print(&o, BYTES(k->fmspc));
        print_eval(&o, k, '&');
        break;
    case NEED_IDENTITY:
        out_printf(&o, "%s/%s/identity", tee, k->qve ? "qve" : "qe");
        print_eval(&o, k, '?');
        break;
    case NEED_EVAL_NUMBERS:
        out_printf(&o, "%s/tcbevaluationdatanumbers", tee);
        break;
    case NEED_PCK_CRL:
        out_printf(&o, "sgx/pckcrl?ca=%s", k->platform_ca ? "platform" : "processor");
        break;
    case NEED_ROOT_CRL:
        out_text(&o, "sgx/rootcacrl");
        break;
    case NEED_PCK:
        print_pck(&o, k);
        break;
    case NEED_VCEK:
        out_printf(&o, "kds/vcek/v1/%s/", k->line);
        print_vcek(&o, k);
        break;
    case NEED_AMD_CHAIN:
    case NEED_AMD_CRL:
        out_printf(&o, "kds/%s/v1/%s/%s", k->vlek ? "vlek" : "vcek", k->line, k->form == NEED_AMD_CRL ? "crl" : "cert_chain");
        break;
    case NEED_URL:
        out_printf(&o, "url/%s", k->url);
        break;
    }
    return out_ok(&o) ? (const char *)out_view(&o).p : NULL;
}

static const char *eval_text(const struct need_key *k, struct arena *a)
{
    return k->eval == 0 ? ""
        : k->eval == NEED_EVAL_EARLY ? " of the newest evaluation number"
                                     : arena_printf(a, " of evaluation number %lld", (long long)k->eval);
}

const char *need_key_text(const struct need_key *k, struct arena *a)
{
    const char *eval = eval_text(k, a), *tee = k->tdx ? "TDX " : "";

    switch (k->form) {
    case NEED_TCB_INFO:
        return arena_printf(a, "%sTCB info%s on hand for FMSPC %s", tee, eval, (const char *)hex_encode(a, BYTES(k->fmspc)).p);
    case NEED_IDENTITY:
        return arena_printf(a, "%s%s identity%s on hand", tee, k->qve ? "QvE" : "QE", eval);
    case NEED_EVAL_NUMBERS:
        return arena_printf(a, "%sTCB evaluation numbers on hand", tee);
    case NEED_PCK_CRL:
        return arena_printf(a, "PCK CRL on hand for CA %s", k->platform_ca ? "platform" : "processor");
    case NEED_ROOT_CRL:
        return "root CA CRL on hand";
    case NEED_PCK:
        return arena_printf(a, "PCK certificate on hand for QE %s", (const char *)hex_encode(a, BYTES(k->qe_id)).p);
    case NEED_VCEK:
        return arena_printf(a, "VCEK on hand for a %s chip %.16s...", k->line, (const char *)hex_encode(a, bytes_of(k->hw_id, k->hw_id_size)).p);
    case NEED_AMD_CHAIN:
        return arena_printf(a, "%s chain on hand for %s", k->vlek ? "VLEK" : "VCEK", k->line);
    case NEED_AMD_CRL:
        return arena_printf(a, "%s CRL on hand for %s", k->vlek ? "VLEK" : "VCEK", k->line);
    case NEED_URL:
        return arena_printf(a, "document of %s", k->url);
    }
    return "collateral on hand";
}

enum collateral_kind need_key_kind(const struct need_key *k)
{
    static const enum collateral_kind kinds[] = {
        [NEED_TCB_INFO] = COLL_TCB_INFO, [NEED_IDENTITY] = COLL_QE_IDENTITY, [NEED_EVAL_NUMBERS] = COLL_EVAL_NUMBERS,
        [NEED_PCK_CRL] = COLL_CRL, [NEED_ROOT_CRL] = COLL_CRL, [NEED_PCK] = COLL_CERTS, [NEED_VCEK] = COLL_CERTS, [NEED_AMD_CHAIN] = COLL_CERTS,
        [NEED_AMD_CRL] = COLL_CRL, [NEED_URL] = COLL_CERTS,
    };

    return kinds[k->form];
}

struct need_key need_key_name(const struct need_key *k)
{
    struct need_key name = *k;

    memset(name.ppid, 0, sizeof(name.ppid));
    name.ppid_size = 0;
    return name;
}

/* -- matching -- */

static bool fits_eval(const struct need_key *k, const struct collateral_item *i)
{
    return k->eval <= 0 || i->eval_number == k->eval;
}

/* The chip's id stands raw in extension 1.3.6.1.4.1.3704.1.4, or wrapped as an OCTET STRING (evidence-snp 2.2). */
static bool is_vcek_of(const struct need_key *k, const struct collateral_item *i)
{
    static const uint8_t oid[] = { 0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01, 0x04 };
    struct arena a;
    struct cert *list;
    size_t count;
    struct bytes id;
    bool critical, ok = false;

    if (!bytes_is(i->subject_cn, "SEV-VCEK"))
        return false;
    arena_init(&a, 1 << 20);
    if (certs_read(i->body, 16, "VCEK", &a, &list, &count, NULL) && cert_extension(&list[0], BYTES(oid), &id, &critical)) {
        if (id.n == k->hw_id_size + 2 && id.p[0] == 0x04 && id.p[1] == k->hw_id_size)
            id = bytes_part(id, 2, id.n);
        ok = bytes_equal(id, bytes_of(k->hw_id, k->hw_id_size));
    }
    arena_done(&a);
    return ok;
}

static bool named(struct bytes cn, const char *before, const char *line)
{
    char name[48];

    snprintf(name, sizeof(name), "%s%s", before, line);
    return bytes_is(cn, name);
}

static bool serves_certificates(const struct need_key *k, const struct collateral_item *i)
{
    if (k->form == NEED_VCEK)
        return named(i->issuer_cn, "SEV-", k->line) && is_vcek_of(k, i);
    if (k->form == NEED_PCK)
        return bytes_contain(i->subject_cn, LIT("SGX PCK Certificate"));
    return k->form == NEED_AMD_CHAIN && named(i->subject_cn, k->vlek ? "SEV-VLEK-" : "SEV-", k->line);
}

static bool serves_crl(const struct need_key *k, const struct collateral_item *i)
{
    if (k->form == NEED_AMD_CRL)
        return named(i->issuer_cn, "ARK-", k->line);
    return bytes_contain(i->issuer_cn, k->form == NEED_ROOT_CRL ? LIT("SGX Root CA")
                             : k->platform_ca                   ? LIT("PCK Platform CA")
                                                                : LIT("PCK Processor CA"));
}

bool need_key_serves(const struct need_key *k, const struct collateral_item *i)
{
    if (k->form == NEED_URL || i->kind != need_key_kind(k))
        return false;
    switch (i->kind) {
    case COLL_TCB_INFO:
        return bytes_is(i->id, k->tdx ? "TDX" : "SGX") && memcmp(i->fmspc, k->fmspc, sizeof(k->fmspc)) == 0 && fits_eval(k, i);
    case COLL_QE_IDENTITY:
        return bytes_is(i->id, k->tdx ? "TD_QE" : k->qve ? "QVE" : "QE") && fits_eval(k, i);
    case COLL_EVAL_NUMBERS:
        return bytes_is(i->id, k->tdx ? "TDX" : "SGX");
    case COLL_CRL:
        return serves_crl(k, i);
    case COLL_CERTS:
        return serves_certificates(k, i);
    }
    return false;
}
