/* vet.c: AMD's certificates and revocation lists by themselves: whether they are AMD's, before somebody keeps them. */
#include "evidence/snp/snp_priv.h"

#define WHAT "SEV-SNP certificate"

bool snp_line_find(struct bytes name, enum snp_line *ret)
{
    for (size_t i = 0; i < SNP_LINES; i++)
        if (bytes_is(name, snp_line_name((enum snp_line)i))) {
            *ret = (enum snp_line)i;
            return true;
        }
    return false;
}

bool snp_leaf_verify(struct cert *certs, size_t count, const struct trust *trust, int64_t now, struct arena *a,
                     struct snp_leaf_facts *ret, struct err *e)
{
    struct settings settings = settings_default();
    struct verify_env env = { .now = now, .trust = trust, .settings = &settings, .a = a };
    struct snp_evidence ev = { .certs = certs, .cert_count = count };
    struct snp_chain c;

    settings.snp.crl = CRL_OFF;
    for (size_t i = 0; i < count; i++)
        if (bytes_is(certs[i].subject_cn, "SEV-VLEK")) /* the report would say so */
            ev.report.key_info = (uint32_t)SNP_VLEK << 2;
    if (!snp_chain_verify(&ev, &env, &c, e))
        return false;
    *ret = (struct snp_leaf_facts){ .line = c.leaf->line, .kind = c.leaf->kind, .tcb = c.leaf->spl, .hwid = arena_copy(a, c.leaf->hwid) };
    snp_chain_done(&c, NULL);
    return !a->failed || err_memory(e, WHAT);
}

bool snp_leaf_read(const struct cert *vcek, struct snp_leaf_facts *ret, struct err *e)
{
    struct snp_leaf leaf = { .cert = *vcek, .kind = SNP_VCEK };
    struct bytes cn = vcek->issuer_cn;

    if (!bytes_equal(bytes_part(cn, 0, 4), LIT("SEV-")) || !snp_line_find(bytes_part(cn, 4, cn.n), &leaf.line))
        return err_set(e, ERR_UNTRUSTED_ROOT, WHAT, "is issued by '%.*s', which is no CA of Milan, Genoa or Turin", (int)cn.n,
                       cn.n == 0 ? "" : (const char *)cn.p);
    if (!snp_leaf_extensions(&leaf, e))
        return false;
    *ret = (struct snp_leaf_facts){ .line = leaf.line, .kind = SNP_VCEK, .tcb = leaf.spl, .hwid = leaf.hwid };
    return true;
}

/* A root that came along under the anchor's name has the anchor's key, or the answer is a trap for somebody else. */
static bool check_roots(const struct cert *certs, size_t count, const struct cert *ark, struct err *e)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(certs[i].subject, ark->subject) && !bytes_equal(certs[i].spki, ark->spki))
            return err_set(e, ERR_UNTRUSTED_ROOT, WHAT, "'%.*s' that came along has another key than the trust anchor of this name",
                           (int)certs[i].subject_cn.n, (const char *)certs[i].subject_cn.p);
    return true;
}

bool snp_issuer_verify(const struct cert *certs, size_t count, enum snp_line line, enum snp_signing_key kind,
                       const struct trust *trust, int64_t now, struct arena *a, struct err *e)
{
    struct settings settings = settings_default();
    struct verify_env env = { .now = now, .trust = trust, .settings = &settings, .a = a };
    const char *name = arena_printf(a, "%s%s", kind == SNP_VLEK ? "SEV-VLEK-" : "SEV-", snp_line_name(line));
    struct cert ark;

    if (name == NULL)
        return err_memory(e, WHAT);
    for (size_t i = 0; i < count; i++)
        if (bytes_is(certs[i].subject_cn, name))
            return snp_ca_check(&certs[i], line, &env, &ark, e) && check_roots(certs, count, &ark, e);
    return err_set(e, ERR_CHAIN, WHAT, "none of %zu certificates is named '%s'", count, name);
}

static bool signed_by(const struct crl *crl, const struct cert *ark)
{
    AUTO_KEY k = NULL;

    return bytes_equal(ark->subject, crl->issuer) && key_from_spki(ark->spki, WHAT, &k, NULL) && crl_signed_by(crl, k);
}

bool snp_crl_verify(const struct crl *crl, enum snp_line line, const struct trust *trust, struct arena *a, struct err *e)
{
    static const char what[] = "SEV-SNP CRL";
    bool genuine = false;
    struct cert ark;

    if (crl->sig_alg != SIG_PS384)
        return err_set(e, ERR_CRL_SIGNATURE, what, "is signed with %s, RSASSA-PSS with SHA-384 is expected", sig_alg_name(crl->sig_alg));
    if (!crl->has_next_update)
        return err_set(e, ERR_CRL_EXPIRED, what, "does not say when the next one comes");
    if (trust == NULL || !trust->replace) {
        if (!snp_ark_embedded(line, a, &ark))
            return err_memory(e, what);
        genuine = signed_by(crl, &ark);
    }
    for (size_t i = 0; trust != NULL && i < trust->count; i++)
        genuine = genuine || signed_by(crl, &trust->anchors[i]);
    return genuine || err_set(e, ERR_CRL_SIGNATURE, what, "is signed neither by AMD's root of %s nor by a configured anchor", snp_line_name(line));
}
