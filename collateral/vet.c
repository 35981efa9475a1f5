/* vet.c: see vet.h. */
#include "collateral/vet.h"

#include "base/out.h"
#include "codec/hex.h"
#include "codec/pem.h"
#include "evidence/sgx/sgx.h"
#include "evidence/snp/snp.h"

struct vetting {
    const struct need_key *k;
    const struct record *r;
    const struct trust *trust;
    bool loose;
    int64_t now;
    struct arena a;
    struct cert certs[32]; /* of the item itself, where it is made of them, and of the issuer chain */
    size_t cert_count;
    const struct collateral_item *item;
};

static void read_chain(struct vetting *v)
{
    for (size_t i = v->item->kind == COLL_CERTS ? 0 : 1; i < v->r->count; i++) {
        struct cert *list;
        size_t n;

        if (!certs_read(v->r->bodies[i], 16, "issuer chain", &v->a, &list, &n, NULL))
            continue;
        for (size_t m = 0; m < n && v->cert_count < COUNT(v->certs); m++)
            v->certs[v->cert_count++] = list[m];
    }
}

/* The key of the trusted root with this name: from the chain, or the anchor itself. */
static bool root_key(const struct vetting *v, struct bytes name, struct key **ret, struct err *e)
{
    for (size_t i = 0; i < v->cert_count; i++)
        if (cert_self_issued(&v->certs[i]) && bytes_equal(v->certs[i].subject, name) && intel_root_trusted(&v->certs[i], v->trust))
            return key_from_spki(v->certs[i].spki, "root certificate", ret, e);
    return intel_root_key(name, v->trust, ret, e);
}

/* That a trusted root issued the certificate. */
static bool issued_by_root(const struct vetting *v, const struct cert *c, struct err *e)
{
    AUTO_KEY root = NULL;

    return root_key(v, c->issuer, &root, e)
        && (cert_signed_by(c, root)
            || err_set(e, ERR_COLLATERAL_SIGNATURE, "issuer chain", "certificate '%.*s' is not signed by the root that it names",
                       (int)c->subject_cn.n, (const char *)c->subject_cn.p));
}

static bool vet_statement(struct vetting *v, const char *member, struct err *e)
{
    struct signed_json doc;
    bool any = false;

    if (!signed_json_parse(v->r->bodies[0], member, &v->a, &doc, e))
        return false;
    for (size_t i = 0; i < v->cert_count; i++) {
        AUTO_KEY k = NULL;

        if (cert_self_issued(&v->certs[i]) || !bytes_contain(v->certs[i].subject_cn, LIT("SGX TCB Signing")))
            continue;
        any = true;
        if (key_from_spki(v->certs[i].spki, "TCB signing certificate", &k, NULL)
            && key_verify(k, SIG_ES256, SIG_RAW, doc.signed_text, BYTES(doc.sig)))
            return issued_by_root(v, &v->certs[i], e);
    }
    if (any)
        return err_set(e, ERR_COLLATERAL_SIGNATURE, member, "signature does not verify with the TCB signing certificate that came with it");
    return err_set(e, ERR_COLLATERAL_MISSING, member, "came without its issuer chain");
}

static bool vet_crl(struct vetting *v, struct err *e)
{
    struct crl crl;
    AUTO_KEY k = NULL;
    const struct cert *issuer = NULL;

    if (!crl_read(v->r->bodies[0], "CRL", &v->a, &crl, e))
        return false;
    if (v->k->form == NEED_ROOT_CRL)
        return root_key(v, crl.issuer, &k, e)
            && (crl_signed_by(&crl, k) || err_set(e, ERR_COLLATERAL_SIGNATURE, "root CA CRL", "signature is not the root's"));
    for (size_t i = 0; i < v->cert_count; i++)
        if (bytes_equal(v->certs[i].subject, crl.issuer) && !cert_self_issued(&v->certs[i]))
            issuer = &v->certs[i];
    if (issuer == NULL)
        return v->loose || err_set(e, ERR_COLLATERAL_MISSING, "PCK CRL", "came without its issuer chain");
    return issued_by_root(v, issuer, e) && key_from_spki(issuer->spki, "issuer of the PCK CRL", &k, e)
        && (crl_signed_by(&crl, k) || err_set(e, ERR_COLLATERAL_SIGNATURE, "PCK CRL", "signature is not its issuer's"));
}

/* -- PCK certificates -- */

/* It may be of an older TCB than the platform's, never of a newer one: the platform has no key for that. */
static bool vet_pck_tcb(struct vetting *v, const struct pck_extension *x, struct err *e)
{
    static const char what[] = "PCK certificate";
    const struct need_key *k = v->k;
    uint16_t pce_svn = (uint16_t)(k->pce_svn[0] | k->pce_svn[1] << 8);

    if (x->pce_id[0] != k->pce_id[0] || x->pce_id[1] != k->pce_id[1])
        return err_set(e, ERR_TCB_MISMATCH, what, "is of PCE %02x%02x, %02x%02x was asked for", x->pce_id[0], x->pce_id[1], k->pce_id[0],
                       k->pce_id[1]);
    if (x->pce_svn > pce_svn)
        return err_set(e, ERR_TCB_MISMATCH, what, "is of PCESVN %u, above the %u that was asked for", x->pce_svn, pce_svn);
    for (size_t i = 0; i < sizeof(k->cpu_svn); i++)
        if (x->cpu_svn[i] > k->cpu_svn[i])
            return err_set(e, ERR_TCB_MISMATCH, what, "is of CPUSVN %s, above the %s that was asked for",
                           (const char *)hex_encode(&v->a, BYTES(x->cpu_svn)).p, (const char *)hex_encode(&v->a, BYTES(k->cpu_svn)).p);
    return true;
}

static bool check_times(const struct pck_chain *c, int64_t now, struct vetted *dates, struct err *e)
{
    const struct cert *const above[] = { &c->intermediate, &c->root };

    for (size_t i = 0; i < (c->has_root ? COUNT(above) : 1); i++) {
        if (!cert_check_time(above[i], now, "issuer of the PCK certificate", e))
            return false;
        if (above[i]->not_after < dates->to)
            dates->to = above[i]->not_after;
    }
    return true;
}

static bool vet_pck(struct vetting *v, struct vetted *dates, struct err *e)
{
    struct out pem = out_open(&v->a);
    struct pck_chain *c;
    bool ok;

    for (size_t i = 0; i < v->cert_count; i++)
        pem_print(&pem, "CERTIFICATE", v->certs[i].der);
    if (!out_ok(&pem))
        return err_memory(e, "PCK certificate");
    if (!pck_chain_build(out_view(&pem), v->trust, &c, e))
        return false;
    ok = check_times(c, v->now, dates, e) && vet_pck_tcb(v, &c->ext, e);
    pck_chain_free(c);
    return ok;
}

/* -- AMD -- */

static bool vet_vcek(struct vetting *v, struct err *e)
{
    const struct need_key *k = v->k;
    struct snp_tcb asked = { .fmc = k->has_fmc ? k->spl[0] : 0, .bl = k->spl[1], .tee = k->spl[2], .snp = k->spl[3], .ucode = k->spl[4] };
    /* one that has ended is told apart by its own dates, not by those of its issuers */
    int64_t at = v->now < v->item->from ? v->item->from : v->now > v->item->to ? v->item->to : v->now;
    struct snp_leaf_facts leaf;

    if (!snp_leaf_verify(v->certs, v->cert_count, v->trust, at, &v->a, &leaf, e))
        return false;
    return (snp_tcb_at_least(leaf.tcb, asked) && snp_tcb_at_least(asked, leaf.tcb))
        || err_set(e, ERR_TCB_MISMATCH, "VCEK", "is of TCB %s, %s was asked for", snp_tcb_text(leaf.tcb, leaf.line, &v->a),
                   snp_tcb_text(asked, leaf.line, &v->a));
}

static bool vet_amd(struct vetting *v, struct err *e)
{
    enum snp_line line;
    struct crl crl;

    if (!snp_line_find(bytes_str(v->k->line), &line))
        return err_set(e, ERR_UNTRUSTED_ROOT, "answer", "is of line %s, of which no root is known", v->k->line);
    if (v->k->form == NEED_AMD_CHAIN)
        return snp_issuer_verify(v->certs, v->cert_count, line, v->k->vlek ? SNP_VLEK : SNP_VCEK, v->trust, v->now, &v->a, e);
    return crl_read(v->r->bodies[0], "SEV-SNP CRL", &v->a, &crl, e) && snp_crl_verify(&crl, line, v->trust, &v->a, e);
}

static bool vet_signature(struct vetting *v, struct vetted *dates, struct err *e)
{
    switch (v->k->form) {
    case NEED_TCB_INFO:
        return vet_statement(v, "tcbInfo", e);
    case NEED_IDENTITY:
        return vet_statement(v, "enclaveIdentity", e);
    case NEED_EVAL_NUMBERS:
        return vet_statement(v, "tcbEvaluationDataNumbers", e);
    case NEED_PCK_CRL:
    case NEED_ROOT_CRL:
        return vet_crl(v, e);
    case NEED_PCK:
        return vet_pck(v, dates, e);
    case NEED_VCEK:
        return vet_vcek(v, e);
    case NEED_AMD_CHAIN:
    case NEED_AMD_CRL:
        return vet_amd(v, e);
    case NEED_URL:
        return true;
    }
    return false;
}

/* What is no vendor's statement lives as long as its source says: a document that must be JSON. */
static bool vet_url(struct vetting *v, struct vetted *ret, struct err *e)
{
    const struct json *j;
    int64_t life = v->r->max_age == 0 ? 3600 : v->r->max_age;

    if (!json_parse(v->r->bodies[0], JSON_DEPTH, "document", &v->a, &j, e))
        return false;
    if (!json_is(j, JSON_OBJECT))
        return err_set(e, ERR_COLLATERAL_FORMAT, "document", "is of type %s, an object is expected", json_type_name(j->type));
    *ret = (struct vetted){ .from = v->r->fetched, .to = v->r->fetched + life };
    return true;
}

static bool vet_item(struct vetting *v, struct vetted *ret, struct err *e)
{
    struct collateral c = collateral_open(&v->a);
    struct vetted dates;

    if (v->k->form == NEED_URL)
        return vet_url(v, ret, e);
    if (!collateral_add(&c, v->r->bodies[0], "answer", e))
        return false;
    if (c.count == 1 && v->k->form == NEED_VCEK && bytes_is(c.list[0].subject_cn, "SEV-VCEK") && !need_key_serves(v->k, &c.list[0]))
        return err_set(e, ERR_CHIP_ID_MISMATCH, "answer", "is the VCEK of another chip or line than was asked for");
    if (c.count != 1 || !need_key_serves(v->k, &c.list[0]))
        return err_set(e, ERR_COLLATERAL_FORMAT, "answer", "is a %s, but not of what was asked for", collateral_kind_name(c.list[0].kind));
    v->item = &c.list[0];
    read_chain(v);
    dates = (struct vetted){ .from = c.list[0].from, .to = c.list[0].to, .eval_number = c.list[0].eval_number };
    if (!vet_signature(v, &dates, e))
        return false;
    *ret = dates;
    return true;
}

bool vet_record(const struct need_key *k, const struct record *r, const struct trust *trust, bool loose, int64_t now, struct vetted *ret,
                struct err *e)
{
    struct vetting v = { .k = k, .r = r, .trust = trust, .loose = loose, .now = now };
    bool ok;

    arena_init(&v.a, (size_t)64 << 20);
    ok = vet_item(&v, ret, e);
    arena_done(&v.a);
    return ok;
}
