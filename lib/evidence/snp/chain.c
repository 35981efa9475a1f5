/* chain.c: from the certificates at hand to a verified VCEK or VLEK (evidence-snp sections 2 and 3, steps 3 to 7).
 *
 * Two memories save work: a CA that an anchor issued, and a leaf that a CA issued. Both are only about
 * signatures and layout; whether the anchor is trusted, all times and revocation are looked at each time. */
#include "codec/b64.h"
#include "codec/stamp.h"
#include "evidence/snp/snp_priv.h"

#define WHAT "SEV-SNP certificate"

enum {
    MAX_CA_CANDIDATES = 16,
    MAX_CRLS = 16,
    ARENA_SLACK = 64, /* alignment of a single allocation */
    SKEW = 300, /* seconds that clocks may differ (section 3, step 6) */
};

static const char ca_tag, leaf_tag, crl_tag;
static char verified_mark;

static void ca_free(void *p)
{
    struct snp_ca *ca = p;
    struct arena own;

    if (ca == NULL)
        return;
    key_free(ca->key);
    key_free(ca->ark_key);
    own = ca->own; /* the arena holds the struct that holds it */
    arena_done(&own);
}

static void leaf_free(void *p)
{
    struct snp_leaf *leaf = p;
    struct arena own;

    if (leaf == NULL)
        return;
    key_free(leaf->key);
    own = leaf->own;
    arena_done(&own);
}

/* A marker of the memo: that it is there is all it says. */
static void nothing_to_free(void *p)
{
    (void)p;
}

void snp_chain_done(struct snp_chain *c, struct memo *memo)
{
    struct digest d;

    if (c->own_ca && memo != NULL) {
        d = sha256(c->ca->cert.der);
        (void)memo_put(memo, &ca_tag, d.p, c->ca, ca_free);
    } else if (c->own_ca) {
        ca_free(c->ca);
    }
    if (c->own_leaf && memo != NULL) {
        d = sha256(c->leaf->cert.der);
        (void)memo_put(memo, &leaf_tag, d.p, c->leaf, leaf_free);
    } else if (c->own_leaf) {
        leaf_free(c->leaf);
    }
    if (c->crl_verified && memo != NULL)
        (void)memo_put(memo, &crl_tag, c->crl_key, &verified_mark, nothing_to_free);
    *c = (struct snp_chain){ NULL };
}

static bool is_leaf(const struct cert *c)
{
    return bytes_is(c->subject_cn, "SEV-VCEK") || bytes_is(c->subject_cn, "SEV-VLEK");
}

static enum snp_signing_key leaf_kind(const struct cert *c)
{
    return bytes_is(c->subject_cn, "SEV-VLEK") ? SNP_VLEK : SNP_VCEK;
}

/* Which line an issuer of leaves serves: SEV-<line> signs VCEKs, SEV-VLEK-<line> signs VLEKs. */
static enum snp_line issuer_line(struct bytes issuer_cn, enum snp_signing_key kind)
{
    struct bytes prefix = kind == SNP_VLEK ? LIT("SEV-VLEK-") : LIT("SEV-");

    if (!bytes_equal(bytes_part(issuer_cn, 0, prefix.n), prefix))
        return SNP_LINE_UNKNOWN;
    for (size_t i = 0; i < SNP_LINES; i++)
        if (bytes_is(bytes_part(issuer_cn, prefix.n, issuer_cn.n), snp_line_name((enum snp_line)i)))
            return (enum snp_line)i;
    return SNP_LINE_UNKNOWN;
}

/* -- which certificate is the leaf -- */

/* Whether a leaf fits the report: from a folder of many the right one is taken. */
static bool leaf_fits(const struct cert *c, const struct snp_report *r)
{
    struct snp_leaf probe = { .cert = *c, .kind = leaf_kind(c), .line = issuer_line(c->issuer_cn, leaf_kind(c)) };
    struct err ignored = { .code = ERR_NONE };
    struct snp_tcb reported;

    if (probe.line >= SNP_LINES || probe.kind != snp_report_key(r) || !snp_leaf_extensions(&probe, &ignored))
        return false;
    reported = snp_tcb_read(r->reported_tcb, probe.line);
    return snp_tcb_at_least(reported, probe.spl) && snp_tcb_at_least(probe.spl, reported)
        && bytes_equal(probe.hwid, bytes_part(r->chip_id, 0, probe.hwid.n));
}

/* The leaf among the collateral: the one that fits, else any, so that the error can say what differs. */
static bool leaf_from_collateral(const struct snp_evidence *ev, const struct verify_env *env, struct cert *ret)
{
    struct err ignored = { .code = ERR_NONE };
    bool found = false;

    for (size_t i = 0; env->collateral != NULL && i < env->collateral->count; i++) {
        const struct collateral_item *item = &env->collateral->list[i];
        struct cert *list;
        size_t n;

        if (item->kind != COLL_CERTS
            || !certs_read(item->body, 16, WHAT, env->a, &list, &n, &ignored))
            continue;
        for (size_t k = 0; k < n; k++) {
            if (!is_leaf(&list[k]))
                continue;
            if (!found)
                *ret = list[k];
            found = true;
            if (leaf_fits(&list[k], &ev->report)) {
                *ret = list[k];
                return true;
            }
        }
    }
    return found;
}

static bool leaf_find(const struct snp_evidence *ev, const struct verify_env *env, struct cert *ret, struct err *e)
{
    const struct cert *found = NULL;

    for (size_t i = 0; i < ev->cert_count; i++) {
        if (!is_leaf(&ev->certs[i]))
            continue;
        if (found != NULL && !bytes_equal(found->der, ev->certs[i].der))
            return err_set(e, ERR_LEAF_AMBIGUOUS, WHAT, "leaf: two different certificates are named '%.*s' and '%.*s'",
                           (int)found->subject_cn.n, (const char *)found->subject_cn.p,
                           (int)ev->certs[i].subject_cn.n, (const char *)ev->certs[i].subject_cn.p);
        found = &ev->certs[i];
    }
    if (found != NULL) {
        *ret = *found;
        return true;
    }
    if (leaf_from_collateral(ev, env, ret))
        return true;
    if (ev->cert_count > 0 || snp_report_key(&ev->report) != SNP_VCEK)
        return err_set(e, ERR_LEAF_MISSING, WHAT, "leaf: none of %zu certificates is named SEV-VCEK or SEV-VLEK",
                       ev->cert_count);
    /* A VCEK is public: it could still be fetched. */
    return err_set(e, ERR_COLLATERAL_MISSING, WHAT, "leaf: the report came without its VCEK certificate and none is "
                   "on hand");
}

static bool leaf_select(const struct snp_evidence *ev, const struct verify_env *env, struct cert *ret, struct err *e)
{
    static const struct rule present = { "VCEK or VLEK certificate", "evidence-snp 3 step 3", WHAT, ERR_LEAF_MISSING };
    static const struct rule kind = { "kind of the signing key", "evidence-snp 3 step 3", WHAT, ERR_SIGNING_KEY_KIND };
    static const char *const names[] = { "SEV-VCEK", "SEV-VLEK" };
    struct cert leaf = { .path_len = 0 };

    if (!check_step(env->checks, &present, leaf_find(ev, env, &leaf, e), "found", e)
        || !check_text(env->checks, &kind, bytes_str(names[snp_report_key(&ev->report) & 1]), leaf.subject_cn, e))
        return false;
    *ret = leaf;
    return true;
}

/* -- signatures -- */

static bool is_pss(const struct cert *c, struct checks *list, struct err *e)
{
    static const struct rule rule = { "signature algorithm", "evidence-snp 2.1", WHAT, ERR_CERT_SIGNATURE_ALGORITHM };

    return check_true(list, &rule, c->sig_alg == SIG_PS384, "RSASSA-PSS with SHA-384, MGF1-SHA-384 and salt 48",
                      sig_alg_name(c->sig_alg), e);
}

/* An RSA-4096 key of a CA that may sign certificates. */
static struct key *ca_key(const struct cert *c)
{
    struct err ignored = { .code = ERR_NONE };
    struct key *k;

    if (!c->ca || (c->has_key_usage && (c->key_usage & KEY_USAGE_CERT_SIGN) == 0)
        || !key_from_spki(c->spki, WHAT, &k, &ignored))
        return NULL;
    if (key_kind(k) == KEY_RSA && key_bits(k) >= 4096)
        return k;
    key_free(k);
    return NULL;
}

static bool decode_root(const char *base64, struct arena *a, struct cert *ret)
{
    struct err ignored = { .code = ERR_NONE };
    struct bytes der;

    return b64_decode(bytes_str(base64), B64_STD_STRICT, WHAT, a, &der, &ignored)
        && cert_parse(der, WHAT, ret, &ignored);
}

/* The anchors that may have issued a CA of this line: the ARK whose key is pinned, and configured ones. */
static bool ark_trusted(const struct cert *ark, enum snp_line line, const struct verify_env *env)
{
    struct digest d;

    if (trust_has(env->trust, ark->subject, ark->spki))
        return true;
    if (env->trust != NULL && env->trust->replace)
        return false;
    d = sha256(ark->spki);
    return bytes_equal(digest_bytes(&d), BYTES(snp_roots[line].ark_spki))
        && bytes_equal(bytes_part(ark->subject_cn, 0, 4), LIT("ARK-"))
        && bytes_is(bytes_part(ark->subject_cn, 4, ark->subject_cn.n), snp_line_name(line));
}

/* What the search for the issuer met: a key that signed the leaf, and whether memory ran out on the way. */
struct search {
    const struct verify_env *env;
    enum snp_line line;
    bool is_signed, no_memory;
};

static struct snp_ca *ca_new(const struct cert *cert, const struct cert *ark, struct search *s)
{
    size_t size = sizeof(struct snp_ca) + cert->der.n + ark->der.n;
    struct err ignored = { .code = ERR_NONE };
    struct snp_ca *ca;
    struct arena own;

    arena_init(&own, size + ARENA_SLACK);
    ca = arena_alloc(&own, size);
    if (ca == NULL) {
        s->no_memory = true;
        return NULL;
    }
    ca->own = own;
    memcpy(ca->mem, cert->der.p, cert->der.n);
    memcpy(ca->mem + cert->der.n, ark->der.p, ark->der.n);
    if (cert_parse(bytes_of(ca->mem, cert->der.n), WHAT, &ca->cert, &ignored)
        && cert_parse(bytes_of(ca->mem + cert->der.n, ark->der.n), WHAT, &ca->ark, &ignored)
        && (ca->key = ca_key(&ca->cert)) != NULL && (ca->ark_key = ca_key(&ca->ark)) != NULL)
        return ca;
    ca_free(ca);
    return NULL;
}

/* `cert` with the anchor that issued it, or NULL. */
static struct snp_ca *ca_under_ark(const struct cert *cert, const struct cert *ark, struct search *s)
{
    struct snp_ca *ca;

    if (!bytes_equal(cert->issuer, ark->subject) || cert->sig_alg != SIG_PS384)
        return NULL;
    ca = ca_new(cert, ark, s);
    if (ca != NULL && cert_signed_by(&ca->cert, ca->ark_key))
        return ca;
    ca_free(ca);
    return NULL;
}

bool snp_ark_embedded(enum snp_line line, struct arena *a, struct cert *ret)
{
    return decode_root(snp_roots[line].ark, a, ret);
}

static struct snp_ca *ca_under_anchor(const struct cert *cert, struct search *s)
{
    const struct trust *t = s->env->trust;
    struct snp_ca *ca = NULL;
    struct cert ark;

    if ((t == NULL || !t->replace) && decode_root(snp_roots[s->line].ark, s->env->a, &ark))
        ca = ca_under_ark(cert, &ark, s);
    for (size_t i = 0; ca == NULL && t != NULL && i < t->count; i++)
        ca = ca_under_ark(cert, &t->anchors[i], s);
    return ca;
}

struct candidates {
    struct cert list[MAX_CA_CANDIDATES];
    size_t count;
};

static void add_candidates(struct candidates *to, const struct cert *from, size_t n, struct bytes subject)
{
    for (size_t i = 0; i < n && to->count < MAX_CA_CANDIDATES; i++)
        if (bytes_equal(from[i].subject, subject))
            to->list[to->count++] = from[i];
}

/* Certificates that claim to be the leaf's issuer: embedded, sent, from the collateral. */
static void find_issuers(const struct snp_evidence *ev, const struct cert *leaf, enum snp_line line,
                         const struct verify_env *env, struct candidates *ret)
{
    struct err ignored = { .code = ERR_NONE };
    struct cert *list, embedded;
    size_t n;

    if ((env->trust == NULL || !env->trust->replace)
        && decode_root(snp_roots[line].ca[leaf_kind(leaf)], env->a, &embedded))
        add_candidates(ret, &embedded, 1, leaf->issuer);
    add_candidates(ret, ev->certs, ev->cert_count, leaf->issuer);
    for (size_t i = 0; env->collateral != NULL && i < env->collateral->count; i++)
        if (env->collateral->list[i].kind == COLL_CERTS
            && certs_read(env->collateral->list[i].body, 16, WHAT, env->a, &list, &n, &ignored))
            add_candidates(ret, list, n, leaf->issuer);
}

/* A CA that was verified before and signed this leaf; whether its anchor is trusted is asked at each use. */
static struct snp_ca *issuer_known(const struct cert *issuer, const struct cert *leaf, struct search *s)
{
    struct digest d = sha256(issuer->der);
    struct snp_ca *ca = memo_find(s->env->memo, &ca_tag, d.p);

    return ca != NULL && cert_signed_by(leaf, ca->key) ? ca : NULL;
}

static struct snp_ca *issuer_anew(const struct cert *issuer, const struct cert *leaf, struct search *s)
{
    AUTO_KEY k = ca_key(issuer);

    if (k == NULL || !cert_signed_by(leaf, k))
        return NULL;
    s->is_signed = true;
    return ca_under_anchor(issuer, s);
}

/* The CA whose key signed the leaf, up to an anchor; told apart: no such key, and a key without an anchor. */
static bool issuer_verify(const struct snp_evidence *ev, const struct cert *leaf, struct search *s,
                          struct snp_chain *ret)
{
    struct candidates issuers = { .count = 0 };

    find_issuers(ev, leaf, s->line, s->env, &issuers);
    for (size_t i = 0; i < issuers.count && ret->ca == NULL; i++)
        ret->ca = issuer_known(&issuers.list[i], leaf, s);
    if (ret->ca != NULL) {
        s->is_signed = true;
        return true;
    }
    for (size_t i = 0; i < issuers.count && ret->ca == NULL; i++)
        ret->ca = issuer_anew(&issuers.list[i], leaf, s);
    ret->own_ca = ret->ca != NULL;
    s->no_memory |= s->env->a->failed;
    return ret->own_ca;
}

static struct snp_leaf *leaf_new(const struct cert *cert, enum snp_line line, const struct snp_ca *ca,
                                 struct checks *list, struct err *e)
{
    static const struct rule extensions = { "AMD extensions", "evidence-snp 2.2", WHAT, ERR_CERT_EXTENSION };
    static const struct rule curve = { "key of the leaf", "evidence-snp 3 step 3", WHAT, ERR_LEAF_MISSING };
    size_t size = sizeof(struct snp_leaf) + cert->der.n;
    struct digest d = sha256(ca->cert.der);
    struct snp_leaf *leaf;
    struct arena own;

    arena_init(&own, size + ARENA_SLACK);
    leaf = arena_alloc(&own, size);
    if (leaf == NULL) {
        (void)err_memory(e, WHAT);
        return NULL;
    }
    leaf->own = own;
    memcpy(leaf->mem, cert->der.p, cert->der.n);
    memcpy(leaf->ca_hash, d.p, sizeof(leaf->ca_hash));
    leaf->line = line;
    leaf->kind = leaf_kind(cert);
    if (cert_parse(bytes_of(leaf->mem, cert->der.n), WHAT, &leaf->cert, e)
        && key_from_spki(leaf->cert.spki, WHAT, &leaf->key, e)
        && check_text(list, &curve, LIT("P-384"), bytes_str(key_kind_name(key_kind(leaf->key))), e)
        && check_step(list, &extensions, snp_leaf_extensions(leaf, e), "read", e))
        return leaf;
    leaf_free(leaf);
    return NULL;
}

static bool chain_anew(const struct snp_evidence *ev, const struct cert *cert, enum snp_line line,
                       const struct verify_env *env, struct snp_chain *ret, struct err *e)
{
    static const struct rule sig = { "signature of the leaf certificate", "evidence-snp 3 step 5", WHAT,
                                     ERR_CERT_SIGNATURE };
    static const struct rule root = { "chain to AMD's root key", "evidence-snp 2.3", WHAT, ERR_UNTRUSTED_ROOT };
    struct search s = { .env = env, .line = line };
    bool found;

    ret->ca = NULL; /* what memory had is not both halves of a chain */
    if (!is_pss(cert, env->checks, e))
        return false;
    found = issuer_verify(ev, cert, &s, ret);
    if (!found && s.no_memory)
        return err_memory(e, WHAT);
    if (!check_fact(env->checks, &sig, s.is_signed, "made by the issuing CA's key",
                    arena_printf(env->a, "no certificate named '%.*s' verifies it", (int)cert->issuer_cn.n,
                                 (const char *)cert->issuer_cn.p), e)
        || !check_fact(env->checks, &root, found, "an ARK of AMD or a configured anchor",
                       "the CA was issued by another root", e))
        return false;
    if (!cert_check_critical(cert, NULL, 0, ERR_CERT_EXTENSION, WHAT, e)
        || !cert_check_critical(&ret->ca->cert, NULL, 0, ERR_CERT_EXTENSION, WHAT, e))
        return false;
    ret->leaf = leaf_new(cert, line, ret->ca, env->checks, e);
    ret->own_leaf = ret->leaf != NULL;
    return ret->own_leaf;
}

/* Both from memory, or neither. */
static bool chain_remembered(const struct cert *cert, struct memo *memo, struct snp_chain *ret)
{
    struct digest d;

    if (memo == NULL)
        return false;
    d = sha256(cert->der);
    ret->leaf = memo_find(memo, &leaf_tag, d.p);
    ret->ca = ret->leaf == NULL ? NULL : memo_find(memo, &ca_tag, ret->leaf->ca_hash);
    return ret->ca != NULL;
}

/* A root sent with the evidence that bears the anchor's name but not its key deserves a clear answer. */
static bool check_sent_roots(const struct snp_evidence *ev, const struct snp_ca *ca, struct checks *list,
                             struct err *e)
{
    static const struct rule rule = { "root that came with the evidence", "evidence-snp 3 step 4", WHAT,
                                      ERR_UNTRUSTED_ROOT };

    for (size_t i = 0; i < ev->cert_count; i++)
        if (bytes_equal(ev->certs[i].subject, ca->ark.subject) && !bytes_equal(ev->certs[i].spki, ca->ark.spki))
            return check_true(list, &rule, false, "the public key of AMD's root", "another key under its name", e);
    return true;
}

/* -- what is looked at each time -- */

bool snp_check_time(const struct cert *c, const struct verify_env *env, struct err *e)
{
    const char *name = arena_printf(env->a, "validity of %.*s", (int)c->subject_cn.n, (const char *)c->subject_cn.p);
    struct rule begun = { name, "evidence-snp 3 step 6", WHAT, ERR_CERT_NOT_YET_VALID };
    struct rule over = { name, "evidence-snp 3 step 6", WHAT, ERR_CERT_EXPIRED };

    if (name == NULL)
        return err_memory(e, WHAT);
    return check_window(env->checks, env->now + SKEW < c->not_before ? &begun : &over, c->not_before - SKEW,
                        c->not_after + SKEW, env->now, e);
}

/* Whether the ARK signed the list; remembered by the hash of list and key, but only once the chain is no
 * longer in use: putting something into the memo may drop the chain's own entries. */
static bool crl_genuine(const struct crl *crl, struct snp_chain *c, struct memo *memo)
{
    struct bytes parts[] = { crl->der, c->ca->ark.spki };
    struct digest d = hash_parts(HASH_SHA256, parts, 2);

    if (memo_find(memo, &crl_tag, d.p) != NULL)
        return true;
    if (crl->sig_alg != SIG_PS384 || !crl_signed_by(crl, c->ca->ark_key))
        return false;
    memcpy(c->crl_key, d.p, sizeof(c->crl_key));
    c->crl_verified = true;
    return true;
}

/* The newest genuine list of the anchor. *ret_seen counts lists under its name. */
static bool crl_find(struct snp_chain *c, const struct verify_env *env, struct crl *ret, size_t *ret_seen)
{
    const struct snp_ca *ca = c->ca;
    struct err ignored = { .code = ERR_NONE };
    bool found = false;

    *ret_seen = 0;
    for (size_t i = 0; env->collateral != NULL && i < env->collateral->count && *ret_seen < MAX_CRLS; i++) {
        const struct collateral_item *item = &env->collateral->list[i];
        struct crl crl;

        if (item->kind != COLL_CRL || !bytes_equal(item->issuer_cn, ca->ark.subject_cn)
            || !crl_read(item->body, WHAT, env->a, &crl, &ignored) || !bytes_equal(crl.issuer, ca->ark.subject))
            continue;
        (*ret_seen)++;
        if ((found && crl.this_update <= ret->this_update) || !crl_genuine(&crl, c, env->memo))
            continue;
        *ret = crl;
        found = true;
    }
    return found;
}

static bool check_revoked(struct snp_chain *c, const struct verify_env *env, struct err *e)
{
    static const struct rule missing = { "AMD's revocation list", "evidence-snp 2.6", "SEV-SNP CRL", ERR_CRL_MISSING };
    static const struct rule genuine = { "signature of the revocation list", "evidence-snp 2.6", "SEV-SNP CRL",
                                         ERR_CRL_SIGNATURE };
    static const struct rule current = { "age of the revocation list", "evidence-snp 2.6", "SEV-SNP CRL",
                                         ERR_CRL_EXPIRED };
    static const struct rule revoked = { "CA is not revoked", "evidence-snp 2.6", WHAT, ERR_CA_REVOKED };
    enum crl_use use = env->settings->snp.crl;
    struct crl crl = { .this_update = 0 };
    size_t seen = 0;
    bool found = use != CRL_OFF && crl_find(c, env, &crl, &seen);

    if (use == CRL_OFF || (use == CRL_IF_PRESENT && seen == 0)) {
        check_skip(env->checks, &missing, use == CRL_OFF ? "turned off" : "none is on hand, none is required");
        return true;
    }
    return check_fact(env->checks, &missing, seen > 0, "a list of the ARK", "none is on hand", e)
        && check_fact(env->checks, &genuine, found, "made by the ARK", "no list on hand verifies", e)
        && check_window(env->checks, &current, crl.this_update, crl.has_next_update ? crl.next_update : INT64_MIN,
                        env->now, e)
        && check_true(env->checks, &revoked, !crl_lists(&crl, c->ca->cert.serial), "its serial number is not listed",
                      cert_serial_hex(&c->ca->cert, env->a), e);
}

static bool check_anchor(const struct snp_chain *c, const struct verify_env *env, struct err *e)
{
    static const struct rule rule = { "trust in the root key", "evidence-snp 2.3", WHAT, ERR_UNTRUSTED_ROOT };

    return check_true(env->checks, &rule, ark_trusted(&c->ca->ark, c->leaf->line, env),
                      "an ARK of AMD or a configured anchor", name_text(c->ca->ark.subject, env->a), e);
}

bool snp_chain_verify(const struct snp_evidence *ev, const struct verify_env *env, struct snp_chain *ret,
                      struct err *e)
{
    static const struct rule known = { "issuer of the leaf", "evidence-snp 3 step 4", WHAT, ERR_UNTRUSTED_ROOT };
    struct snp_chain c = { NULL };
    enum snp_line line;
    struct cert cert;

    if (!leaf_select(ev, env, &cert, e))
        return false;
    line = issuer_line(cert.issuer_cn, leaf_kind(&cert));
    if (!check_true(env->checks, &known, line < SNP_LINES, "a CA of Milan, Genoa or Turin for this kind of leaf",
                    name_text(cert.issuer, env->a), e))
        return false;
    if ((chain_remembered(&cert, env->memo, &c) || chain_anew(ev, &cert, line, env, &c, e))
        && check_anchor(&c, env, e) && check_sent_roots(ev, c.ca, env->checks, e)
        && snp_check_time(&c.leaf->cert, env, e) && snp_check_time(&c.ca->cert, env, e) && snp_check_time(&c.ca->ark, env, e)
        && check_revoked(&c, env, e)) {
        *ret = c;
        return true;
    }
    snp_chain_done(&c, env->memo);
    return false;
}

bool snp_ca_check(const struct cert *cert, enum snp_line line, const struct verify_env *env, struct cert *ret_ark, struct err *e)
{
    struct search s = { .env = env, .line = line };
    struct snp_ca *ca = ca_under_anchor(cert, &s);
    struct err ignored = { .code = ERR_NONE };
    bool ok;

    if (ca == NULL && (s.no_memory || env->a->failed))
        return err_memory(e, WHAT);
    if (ca == NULL)
        return err_set(e, ERR_UNTRUSTED_ROOT, WHAT, "'%.*s' was issued neither by AMD's root of its line nor by a configured anchor",
                       (int)cert->subject_cn.n, (const char *)cert->subject_cn.p);
    ok = snp_check_time(&ca->cert, env, e) && snp_check_time(&ca->ark, env, e)
        && (cert_parse(arena_copy(env->a, ca->ark.der), WHAT, ret_ark, &ignored) || err_memory(e, WHAT));
    ca_free(ca);
    return ok;
}
