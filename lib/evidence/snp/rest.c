/* rest.c: the forms in which a report with its certificates arrives (evidence-snp sections 4.1, 2.5, 5.2). */
#include "codec/b64.h"
#include "codec/json.h"
#include "evidence/snp/hcl.h"
#include "evidence/snp/snp_priv.h"

#define WHAT "SEV-SNP report"

enum { MAX_UVM = 4, MAX_UVM_SIZE = 64 << 10, MEMBER_DEPTH = 32 };

static bool add_certs(struct snp_evidence *ev, struct bytes in, struct arena *a, struct err *e)
{
    struct err inner = { .code = ERR_NONE };
    struct cert *list;
    size_t n;

    if (in.n == 0)
        return true;
    if (!certs_read(in, SNP_MAX_CERTS, "SEV-SNP certificates", a, &list, &n, &inner)) {
        if (inner.code == ERR_NO_MEMORY)
            return err_memory(e, WHAT);
        return err_set(e, ERR_CERT_PARSE, "SEV-SNP certificates", "%s", inner.why);
    }
    for (size_t i = 0; i < n; i++) {
        if (list[i].der.n > SNP_MAX_CERT_SIZE || ev->cert_count == SNP_MAX_CERTS)
            return err_set(e, ERR_CERT_PARSE, "SEV-SNP certificates",
                           "certificate %zu has %zu bytes; at most %d of at most %d bytes are accepted",
                           ev->cert_count, list[i].der.n, SNP_MAX_CERTS, SNP_MAX_CERT_SIZE);
        ev->certs[ev->cert_count++] = list[i];
    }
    return true;
}

static struct snp_evidence *evidence_new(struct arena *a, struct err *e)
{
    struct snp_evidence *ev = arena_new(a, struct snp_evidence);

    if (ev == NULL || (ev->certs = arena_many(a, SNP_MAX_CERTS, struct cert)) == NULL) {
        (void)err_memory(e, WHAT);
        return NULL;
    }
    ev->line = SNP_LINE_UNKNOWN;
    return ev;
}

bool snp_evidence_make(struct bytes report, struct bytes chain, struct arena *a, struct snp_evidence **ret,
                       struct err *e)
{
    struct snp_evidence *ev = evidence_new(a, e);

    if (ev == NULL || !snp_report_parse(report, &ev->report, e) || !add_certs(ev, chain, a, e))
        return false;
    *ret = ev;
    return true;
}

/* -- raw -- */

/* A report alone, or with the certificate table of an extended guest request behind it. */
static bool parse_raw(struct bytes in, struct arena *a, struct snp_evidence **ret, struct err *e)
{
    struct bytes table = bytes_part(in, SNP_REPORT_SIZE, in.n);
    struct err ignored = { .code = ERR_NONE };
    struct snp_certtable t = { .entries = 0 };
    struct snp_evidence *ev;

    if (in.n > SNP_REPORT_SIZE && (!snp_certtable_parse(table, &t, &ignored) || t.entries == 0))
        return snp_evidence_make(in, (struct bytes){ NULL, 0 }, a, ret, e); /* tells the length */
    if (!snp_evidence_make(bytes_part(in, 0, SNP_REPORT_SIZE), (struct bytes){ NULL, 0 }, a, &ev, e)
        || !add_certs(ev, t.vcek, a, e) || !add_certs(ev, t.vlek, a, e) || !add_certs(ev, t.ask, a, e)
        || !add_certs(ev, t.ark, a, e))
        return false;
    *ret = ev;
    return true;
}

static bool parse_hcl(struct bytes in, struct arena *a, struct snp_evidence **ret, struct err *e)
{
    static const struct rule kind = { "hardware report type", "evidence-snp 5.2", "HCL report", ERR_HCL_REPORT_TYPE };
    struct snp_evidence *ev;
    struct hcl_report h;

    if (!hcl_parse(in, &h, e) || !check_uint(NULL, &kind, HCL_SNP, h.report_type, e)
        || !snp_evidence_make(h.hardware, (struct bytes){ NULL, 0 }, a, &ev, e))
        return false;
    ev->hcl = arena_new(a, struct hcl_report);
    if (ev->hcl == NULL)
        return err_memory(e, WHAT);
    *ev->hcl = h;
    *ret = ev;
    return true;
}

/* -- the REST member `report` -- */

/* A member in any case of letters, at most once; *ret NULL: absent or null. */
static bool member_once(const struct json *j, const char *name, const struct json **ret, struct err *e)
{
    const struct json *found = NULL;

    for (const struct json *m = j->child; m != NULL; m = m->next) {
        if (!bytes_equal_nocase(m->name, bytes_str(name)))
            continue;
        if (found != NULL)
            return err_set(e, ERR_JSON_SYNTAX, WHAT, "member '%s' stands twice", name);
        found = m;
    }
    *ret = json_is(found, JSON_NULL) ? NULL : found;
    return true;
}

/* A base64 member; empty where it is absent. */
static bool member_bytes(const struct json *j, const char *name, struct arena *a, struct bytes *ret, struct err *e)
{
    const struct json *m = NULL;
    struct bytes text;

    *ret = (struct bytes){ NULL, 0 };
    if (!member_once(j, name, &m, e))
        return false;
    if (m == NULL)
        return true;
    if (!json_string(m, &text))
        return err_set(e, ERR_BAD_REQUEST, WHAT, "member '%s' is of type %s, a base64url string is expected", name,
                       json_type_name(m->type));
    return b64_decode(text, B64_ANY, name, a, ret, e);
}

static bool add_uvm(struct snp_evidence *ev, const struct json *list, struct arena *a, struct err *e)
{
    struct bytes text;

    if (!json_is(list, JSON_ARRAY) || list->count > MAX_UVM)
        return err_set(e, ERR_BAD_REQUEST, WHAT, "member 'Uvm' is not an array of at most %d endorsements", MAX_UVM);
    ev->uvm = arena_many(a, MAX_UVM, struct bytes);
    if (ev->uvm == NULL)
        return err_memory(e, WHAT);
    for (const struct json *item = list->child; item != NULL; item = item->next) {
        struct bytes *to = &ev->uvm[ev->uvm_count];

        if (!json_string(item, &text))
            return err_set(e, ERR_BAD_REQUEST, WHAT, "an element of 'Uvm' is of type %s, a base64url string is expected",
                           json_type_name(item->type));
        if (!b64_decode(text, B64_ANY, "Uvm", a, to, e))
            return false;
        if (to->n > MAX_UVM_SIZE)
            return err_set(e, ERR_TOO_LARGE, WHAT, "an endorsement has %zu bytes, at most %d are accepted", to->n,
                           MAX_UVM_SIZE);
        ev->uvm_count++;
    }
    return true;
}

/* Endorsements: base64url of a JSON object, or that object itself; absent, null or "" means none. */
static bool add_endorsements(struct snp_evidence *ev, const struct json *j, struct arena *a, struct err *e)
{
    const struct json *m = NULL, *uvm = NULL;
    struct bytes text, inner;

    if (!member_once(j, "Endorsements", &m, e))
        return false;
    if (m == NULL || (json_string(m, &text) && text.n == 0))
        return true;
    if (json_string(m, &text)
        && (!b64_decode(text, B64_ANY, "Endorsements", a, &inner, e)
            || !json_parse(inner, MEMBER_DEPTH, "Endorsements", a, &m, e)))
        return false;
    if (!json_is(m, JSON_OBJECT))
        return err_set(e, ERR_BAD_REQUEST, WHAT, "member 'Endorsements' is of type %s, an object is expected",
                       json_type_name(m->type));
    return member_once(m, "Uvm", &uvm, e) && (uvm == NULL || add_uvm(ev, uvm, a, e));
}

static bool parse_json(struct bytes in, struct arena *a, struct snp_evidence **ret, struct err *e)
{
    struct snp_evidence *ev;
    struct bytes report, chain;
    const struct json *j;

    if (!json_parse(in, MEMBER_DEPTH, WHAT, a, &j, e))
        return false;
    if (!json_is(j, JSON_OBJECT))
        return err_set(e, ERR_FORMAT, WHAT, "JSON is of type %s, an object is expected", json_type_name(j->type));
    if (!member_bytes(j, "SnpReport", a, &report, e) || !member_bytes(j, "VcekCertChain", a, &chain, e))
        return false;
    if (report.n == 0)
        return err_set(e, ERR_BAD_REQUEST, WHAT, "member 'SnpReport' is missing");
    if (!snp_evidence_make(report, chain, a, &ev, e) || !add_endorsements(ev, j, a, e)
        || !member_bytes(j, "IdBlock", a, &ev->id_block, e) || !member_bytes(j, "IdAuth", a, &ev->id_auth, e))
        return false;
    *ret = ev;
    return true;
}

/* A report begins with a small version number: three zero bytes at 1, which no JSON text has. */
static bool looks_raw(struct bytes in)
{
    return in.n >= 4 && bytes_all_zero(bytes_part(in, 1, 3));
}

bool snp_evidence_parse(struct bytes in, struct arena *a, struct snp_evidence **ret, struct err *e)
{
    if (looks_raw(in))
        return parse_raw(in, a, ret, e);
    if (bytes_equal(bytes_part(in, 0, 4), LIT("HCLA")))
        return parse_hcl(in, a, ret, e);
    return parse_json(in, a, ret, e);
}
