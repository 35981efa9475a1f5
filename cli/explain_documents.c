/* explain_documents.c: what travels beside evidence: requests, collateral, certificates, revocation lists. */
#include "cli/explain.h"

#include "codec/b64.h"
#include "evidence/collateral.h"

/* A recorded request: the evidence stands in one of these members, as base64url. */
static const char *const request_members[] = { "quote", "report", "attestationInfo", "data", "hcl_report" };

static const struct json *request_member(struct bytes in, struct arena *a, const struct json **ret_all)
{
    struct err ignored = { .code = ERR_NONE };
    const struct json *j;

    if (in.n == 0 || in.n > ((size_t)8 << 20) || !json_parse(in, JSON_DEPTH, "request", a, &j, &ignored))
        return NULL;
    for (size_t i = 0; i < COUNT(request_members); i++)
        if (json_is(json_member_nocase(j, request_members[i]), JSON_STRING)) {
            *ret_all = j;
            return json_member_nocase(j, request_members[i]);
        }
    return NULL;
}

static bool looks_json(struct bytes in)
{
    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] != ' ' && in.p[i] != '\n' && in.p[i] != '\r' && in.p[i] != '\t')
            return in.p[i] == '{';
    return false;
}

static bool is_request(struct bytes in)
{
    const struct json *all;
    struct arena a;
    bool yes;

    if (!looks_json(in))
        return false;
    arena_init(&a, (size_t)64 << 20);
    yes = request_member(in, &a, &all) != NULL;
    arena_done(&a);
    return yes;
}

static bool attached(const struct json *all, const char *name, struct page *p, struct err *e)
{
    const struct json *m = json_member_nocase(all, name);
    struct bytes text, data;

    if (!json_string(json_member_nocase(m, "data"), &text) || text.n == 0)
        return true;
    if (!b64_decode(text, B64_ANY, name, p->a, &data, e))
        return false;
    page_text(p, name, data);
    return true;
}

static bool explain_request(struct bytes in, struct page *p, struct err *e)
{
    const struct json *all = NULL, *m = request_member(in, p->a, &all);
    struct bytes evidence;

    if (m == NULL || !b64_decode(m->text, B64_ANY, "evidence", p->a, &evidence, e)
        || !attached(all, "runtimeData", p, e) || !attached(all, "initTimeData", p, e))
        return false;
    return page_nested(p, "evidence", evidence, e);
}

/* -- what an Azure host answers about its processor's certificates (THIM) -- */

static const struct json *host_answer(struct bytes in, struct arena *a)
{
    struct err ignored = { .code = ERR_NONE };
    const struct json *j;

    if (!looks_json(in) || in.n > ((size_t)1 << 20) || !json_parse(in, JSON_DEPTH, "host", a, &j, &ignored))
        return NULL;
    return json_is(json_member(j, "vcekCert"), JSON_STRING) ? j : NULL;
}

static bool is_host_answer(struct bytes in)
{
    struct arena a;
    bool yes;

    arena_init(&a, (size_t)16 << 20);
    yes = host_answer(in, &a) != NULL;
    arena_done(&a);
    return yes;
}

static bool explain_host_answer(struct bytes in, struct page *p, struct err *e)
{
    const struct json *j = host_answer(in, p->a);
    struct bytes tcb;

    (void)e;
    if (json_string(json_member(j, "tcbm"), &tcb))
        page_text(p, "TCB (byte 7 first)", tcb);
    page_certs(p, "vcekCert", json_member(j, "vcekCert")->text);
    if (json_is(json_member(j, "certificateChain"), JSON_STRING))
        page_certs(p, "certificateChain", json_member(j, "certificateChain")->text);
    return true;
}

/* -- collateral, as the collateral bag recognises it -- */

static bool is_collateral(struct bytes in)
{
    struct err ignored = { .code = ERR_NONE };
    struct collateral bag;
    struct arena a;
    bool yes;

    arena_init(&a, (size_t)64 << 20);
    bag = collateral_open(&a);
    yes = collateral_add(&bag, in, "file", &ignored);
    arena_done(&a);
    return yes;
}

static bool explain_collateral(struct bytes in, struct page *p, struct err *e)
{
    struct collateral bag = collateral_open(p->a);
    const struct collateral_item *item;
    struct crl crl;

    if (!collateral_add(&bag, in, "file", e))
        return false;
    item = &bag.list[0];
    page_line(p, "kind", "%s", collateral_kind_name(item->kind));
    page_time(p, "from", item->from);
    if (item->to != INT64_MAX)
        page_time(p, "to", item->to);
    if (item->id.n > 0)
        page_text(p, "id", item->id);
    if (item->kind == COLL_TCB_INFO)
        page_hex(p, "FMSPC", BYTES(item->fmspc));
    if (item->kind == COLL_TCB_INFO || item->kind == COLL_QE_IDENTITY)
        page_line(p, "version, evaluation number", "%lld, %lld", (long long)item->version, (long long)item->eval_number);
    if (item->kind == COLL_CERTS)
        page_certs(p, "certificate", item->body);
    if (item->kind == COLL_CRL && crl_read(item->body, "CRL", p->a, &crl, e)) {
        page_text(p, "issuer", bytes_str(name_text(crl.issuer, p->a)));
        page_line(p, "revoked certificates", "%zu", crl_count(&crl));
    }
    return true;
}

const struct explainer explain_documents[] = {
    { "attestation request", is_request, explain_request },
    { "certificates of a host (THIM)", is_host_answer, explain_host_answer },
    { "collateral", is_collateral, explain_collateral },
};
const size_t explain_documents_count = COUNT(explain_documents);
