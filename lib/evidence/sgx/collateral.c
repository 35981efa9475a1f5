/* collateral.c: verifies the items that judge a platform, and keeps what was verified once (section 5 steps 3 to 6). Dates are
 * checked at each use. */
#include "evidence/sgx/sgx.h"

#include "codec/pem.h"
#include "codec/stamp.h"

/* -- verifying -- */

void statement_free(struct statement *s)
{
    struct arena own = s->own;

    arena_done(&own);
}

static void free_statement(void *s)
{
    statement_free(s);
}

static void free_revocation(void *r)
{
    struct arena own = ((struct revocation *)r)->own;

    arena_done(&own);
}

static bool is_signer(const struct cert *c)
{
    return !cert_self_issued(c) && bytes_contain(c->subject_cn, LIT("SGX TCB Signing"));
}

/* Looks through all certificates of the bag for a TCB signer whose key made the signature, preferring
 * one that is valid now, and for its root. */
struct search {
    const struct verify_env *env;
    const struct signed_json *doc;
    struct arena *own;
    bool any_signer;
    bool found, root_found;
    struct cert signer, root;
};

static void consider(struct search *s, const struct cert *c)
{
    struct key *k = NULL;
    bool made_it;

    if (!is_signer(c))
        return;
    s->any_signer = true;
    if (s->found && s->signer.not_before <= s->env->now && s->env->now <= s->signer.not_after
        && !(c->not_before <= s->env->now && s->env->now <= c->not_after && c->not_before > s->signer.not_before))
        return;
    if (!key_from_spki(c->spki, "TCB signing certificate", &k, NULL))
        return;
    made_it = key_verify(k, SIG_ES256, SIG_RAW, s->doc->signed_text, BYTES(s->doc->sig));
    key_free(k);
    if (made_it) {
        s->signer = *c;
        s->found = true;
    }
}

static bool each_certificate(struct search *s, void (*f)(struct search *, const struct cert *), struct err *e)
{
    for (size_t i = 0; i < s->env->collateral->count; i++) {
        const struct collateral_item *item = &s->env->collateral->list[i];
        struct bytes copy;
        struct cert *list;
        size_t n;

        if (item->kind != COLL_CERTS)
            continue;
        copy = arena_copy(s->own, item->body);
        if (copy.p == NULL)
            return err_memory(e, "TCB signing chain");
        while (copy.n > 0 && copy.p[copy.n - 1] == 0)
            copy.n--;
        if (!certs_read(copy, 16, "TCB signing chain", s->own, &list, &n, NULL))
            continue; /* not for us: other vendors' certificates share the bag */
        for (size_t k = 0; k < n; k++)
            f(s, &list[k]);
    }
    return true;
}

static void consider_root(struct search *s, const struct cert *c)
{
    bool better = !s->root_found || (s->root.not_after < s->env->now && c->not_after >= s->env->now);

    if (better && cert_self_issued(c) && bytes_equal(c->subject, s->signer.issuer)
        && intel_root_trusted(c, s->env->trust)) {
        s->root = *c;
        s->root_found = true;
    }
}

static bool check_chain(struct statement *st, const struct verify_env *env, struct err *e)
{
    static const char what[] = "TCB signing chain";
    struct cert anchor = { .ca = true, .subject = st->signer.issuer };
    struct key *root_key = NULL;
    struct err inner = { .code = ERR_NONE };
    bool ok;

    if (st->has_root)
        ok = key_from_spki(st->root.spki, what, &root_key, &inner)
            && cert_check_issued(&st->root, &st->root, root_key, ERR_TCB_CHAIN_INVALID, what, &inner);
    else
        ok = intel_root_key(st->signer.issuer, env->trust, &root_key, &inner);
    ok = ok && cert_check_issued(&st->signer, st->has_root ? &st->root : &anchor, root_key, ERR_TCB_CHAIN_INVALID, what, &inner);
    key_free(root_key);
    if (!ok)
        return err_set(e, ERR_TCB_CHAIN_INVALID, what, "%s", inner.why);
    if (st->signer.ca)
        return err_set(e, ERR_TCB_CHAIN_INVALID, what, "TCB signing certificate is a CA");
    return cert_check_critical(&st->signer, NULL, 0, ERR_TCB_CHAIN_INVALID, what, e);
}

/* SHA-256 of a document with the NUL that ends it in Open Enclave's endorsements: what tokens state. */
static void hash_with_nul(struct bytes document, uint8_t to[32])
{
    const struct bytes parts[] = { document, { (const uint8_t *)"", 1 } };
    struct digest d = hash_parts(HASH_SHA256, parts, COUNT(parts));

    memcpy(to, d.p, 32);
}

static bool chain_text(struct statement *st)
{
    struct out o = out_open(&st->own);

    pem_print(&o, "CERTIFICATE", st->signer.der);
    if (st->has_root)
        pem_print(&o, "CERTIFICATE", st->root.der);
    hash_with_nul(out_view(&o), st->chain_hash);
    return out_ok(&o);
}

/* How each kind of statement is named, and what a wrong signature is. */
static const struct {
    const char *member;
    enum err_code code;
} statements[] = {
    [COLL_TCB_INFO] = { "tcbInfo", ERR_TCB_INFO_SIGNATURE },
    [COLL_QE_IDENTITY] = { "enclaveIdentity", ERR_QE_IDENTITY_SIGNATURE },
    [COLL_EVAL_NUMBERS] = { "tcbEvaluationDataNumbers", ERR_COLLATERAL_SIGNATURE },
};

static bool statement_read(struct statement *st, enum collateral_kind kind, const struct json *body, struct err *e)
{
    switch (kind) {
    case COLL_TCB_INFO:
        return tcb_info_parse(body, &st->own, &st->tcb, e);
    case COLL_QE_IDENTITY:
        return enclave_identity_parse(body, &st->own, &st->identity, e);
    default:
        return eval_numbers_parse(body, &st->own, &st->numbers, e);
    }
}

static bool statement_fill(struct statement *st, const struct collateral_item *item, const struct verify_env *env,
                           struct err *e)
{
    const char *member = statements[item->kind].member;
    struct signed_json doc;
    struct search s = { .env = env, .doc = &doc, .own = &st->own };
    struct bytes body = arena_copy(&st->own, item->body);

    if (body.p == NULL)
        return err_memory(e, collateral_kind_name(item->kind));
    if (!signed_json_parse(body, member, &st->own, &doc, e)
        || !each_certificate(&s, consider, e))
        return false;
    if (!s.any_signer)
        return err_set(e, ERR_COLLATERAL_MISSING, "TCB signing chain", "no TCB signing certificate on hand");
    if (!s.found)
        return err_set(e, statements[item->kind].code, collateral_kind_name(item->kind),
                       "signature over the %zu bytes of '%s' does not verify with any TCB signing certificate on hand",
                       doc.signed_text.n, member);
    if (!each_certificate(&s, consider_root, e))
        return false;
    hash_with_nul(item->body, st->item_hash);
    st->signer = s.signer;
    st->root = s.root;
    st->has_root = s.root_found;
    return check_chain(st, env, e) && chain_text(st) && statement_read(st, item->kind, doc.body, e);
}

/* What was verified depends on the item and on every certificate that was there. */
static void bag_key(const struct collateral_item *item, const struct verify_env *env, bool with_certificates, uint8_t key[32])
{
    uint8_t all[32 * 17];
    size_t n = 0;
    struct digest d;

    collateral_digest(item, all);
    n += 32;
    for (size_t i = 0; with_certificates && i < env->collateral->count && n < sizeof(all); i++)
        if (env->collateral->list[i].kind == COLL_CERTS) {
            collateral_digest(&env->collateral->list[i], all + n);
            n += 32;
        }
    d = sha256(bytes_of(all, n));
    memcpy(key, d.p, 32);
}

/* false: it could not be kept and is freed. */
static bool keep(struct intel_judge *j, const struct verify_env *env, const void *tag, const uint8_t key[32], void *v,
                 void (*free_v)(void *), struct err *e)
{
    /* Judges point into memo entries only for the length of one verification, during which at most
     * a score are added (the set that counts, and two others); a memo of that size or less must not be used. */
    if (env->memo != NULL)
        return memo_put(env->memo, tag, key, v, free_v) || err_memory(e, "collateral");
    j->owned[j->owned_count] = v;
    j->free_owned[j->owned_count++] = free_v;
    return true;
}

static const struct statement *statement_get(struct intel_judge *j, const struct collateral_item *item,
                                             const struct verify_env *env, struct err *e)
{
    static const char tag;
    uint8_t key[32] = { 0 };
    struct statement *st = NULL;
    struct arena own;

    if (env->memo != NULL) {
        bag_key(item, env, true, key);
        st = memo_find(env->memo, &tag, key);
        if (st != NULL && env->now >= st->signer.not_before && env->now <= st->signer.not_after)
            return st;
    }
    arena_init(&own, (size_t)4 << 20);
    st = arena_new(&own, struct statement);
    if (st == NULL) {
        arena_done(&own);
        (void)err_memory(e, "collateral");
        return NULL;
    }
    st->own = own;
    if (!statement_fill(st, item, env, e)) {
        statement_free(st);
        return NULL;
    }
    return keep(j, env, &tag, key, st, free_statement, e) ? st : NULL;
}

static const struct revocation *crl_get(struct intel_judge *j, const struct collateral_item *item, struct key *issuer_key,
                                        struct bytes issuer, const char *what, const struct verify_env *env, struct err *e)
{
    static const char tag;
    uint8_t key[32] = { 0 }, parts[64];
    struct revocation *r = NULL;
    struct err inner = { .code = ERR_NONE };
    struct arena own;
    struct digest d;

    if (env->memo != NULL) { /* the same list under another issuer's key is another fact */
        struct bytes both[] = { { parts, 32 }, key_point(issuer_key), issuer };

        collateral_digest(item, parts);
        d = hash_parts(HASH_SHA256, both, COUNT(both));
        memcpy(key, d.p, 32);
        r = memo_find(env->memo, &tag, key);
        if (r != NULL)
            return r;
    }
    arena_init(&own, (size_t)16 << 20);
    r = arena_new(&own, struct revocation);
    if (r == NULL) {
        arena_done(&own);
        (void)err_memory(e, what);
        return NULL;
    }
    if (!crl_read(item->body, what, &own, &r->crl, &inner))
        (void)err_set(e, ERR_CRL_INVALID, what, "%s", inner.why);
    else if (!bytes_equal(r->crl.issuer, issuer))
        (void)err_set(e, ERR_CRL_INVALID, what, "issuer of the list is not the CA's subject");
    else if (!r->crl.has_number || !r->crl.has_akid || !r->crl.has_next_update)
        (void)err_set(e, ERR_CRL_INVALID, what, "CRL number, authority key identifier or nextUpdate is missing");
    else if (!crl_signed_by(&r->crl, issuer_key))
        (void)err_set(e, ERR_CRL_INVALID, what, "signature does not verify with the CA's key");
    else {
        hash_with_nul(item->body, r->item_hash);
        r->own = own;
        return keep(j, env, &tag, key, r, free_revocation, e) ? r : NULL;
    }
    arena_done(&own);
    return NULL;
}

void intel_judge_done(struct intel_judge *j)
{
    while (j->owned_count > 0) {
        j->owned_count--;
        j->free_owned[j->owned_count](j->owned[j->owned_count]);
    }
}

/* -- dates -- */

static void span(struct intel_judge *j, int64_t from, int64_t to)
{
    if (j->earliest_issue == 0 || from < j->earliest_issue)
        j->earliest_issue = from;
    if (from > j->latest_issue)
        j->latest_issue = from;
    if (j->earliest_expiration == 0 || to < j->earliest_expiration)
        j->earliest_expiration = to;
}

static bool window(struct intel_judge *j, const struct verify_env *env, const char *name, const char *source,
                   enum err_code code, int64_t from, int64_t to, int64_t grace, struct err *e)
{
    const struct rule r = { name, source, name, code };

    span(j, from, to);
    if (grace > 0 && env->now > to && env->now <= to + grace) {
        check_skip(env->checks, &r, "past its end, within the grace that the settings allow");
        return true;
    }
    return check_window(env->checks, &r, from, to, env->now, e);
}

/* How old a tenant lets it be. The date is the signed one: fetching an old statement again makes it no younger. */
static bool young(const struct verify_env *env, const char *what, int64_t issued, struct err *e)
{
    const struct rule r = { "age", "limit of the age of collateral", what, ERR_COLLATERAL_TOO_OLD };
    bool ok = intel_young_enough(issued, env);

    if (env->settings->collateral_max_age == 0 || (ok && env->checks == NULL))
        return true;
    return check_true(env->checks, &r, ok, arena_printf(env->a, "signed at most %lld s ago", (long long)env->settings->collateral_max_age),
                      arena_printf(env->a, "signed at %s, %lld s ago", stamp_text(issued).s, (long long)(env->now - issued)), e);
}

static bool not_listed(const struct verify_env *env, const char *name, enum err_code code, const struct revocation *crl,
                       const struct cert *c, struct err *e)
{
    const struct rule r = { name, "RFC 5280 section 6.3; SGX verification step 3", name, code };
    bool listed = crl_lists(&crl->crl, c->serial);

    if (!listed && env->checks == NULL)
        return true;
    return check_true(env->checks, &r, !listed, "serial not in the CRL",
                      arena_printf(env->a, "serial %s %s", cert_serial_hex(c, env->a), listed ? "is listed" : "is not listed"), e);
}

/* Step 3: both CRLs, by the chain that they belong to. */
static bool revocations(const struct pck_chain *chain, const struct verify_env *env, struct intel_judge *j, struct err *e)
{
    const struct rule root_rule = { "root CA CRL signature", "SGX verification step 3", "root CA CRL", ERR_CRL_INVALID };
    const struct rule pck_rule = { "PCK CRL signature", "SGX verification step 3", "PCK CRL", ERR_CRL_INVALID };
    int64_t grace = env->settings->expired_grace;

    j->root_crl = crl_get(j, j->choice.root_crl, chain->root_key, chain->intermediate.issuer, "root CA CRL", env, e);
    if (!check_step(env->checks, &root_rule, j->root_crl != NULL, "verifies with the root's key", e))
        return false;
    j->pck_crl = crl_get(j, j->choice.pck_crl, chain->intermediate_key, chain->intermediate.subject, "PCK CRL", env, e);
    return check_step(env->checks, &pck_rule, j->pck_crl != NULL, "verifies with the intermediate's key", e)
        && window(j, env, "root CA CRL validity", "RFC 5280 section 6.3; SGX verification step 3", ERR_CRL_EXPIRED, j->root_crl->crl.this_update,
                  j->root_crl->crl.next_update, grace, e)
        && window(j, env, "PCK CRL validity", "RFC 5280 section 6.3; SGX verification step 3", ERR_CRL_EXPIRED, j->pck_crl->crl.this_update,
                  j->pck_crl->crl.next_update, grace, e)
        && young(env, "PCK CRL", j->pck_crl->crl.this_update, e)
        && not_listed(env, "intermediate CA not revoked", ERR_INTERMEDIATE_REVOKED, j->root_crl, &chain->intermediate, e)
        && not_listed(env, "PCK certificate not revoked", ERR_PCK_REVOKED, j->pck_crl, &chain->leaf, e);
}

/* Steps 4 to 6 for one statement. */
static bool statement_check(const struct statement *st, const char *name, int64_t issue, int64_t next, const struct verify_env *env,
                            struct intel_judge *j, struct err *e)
{
    const char *signer = arena_printf(env->a, "%s signer validity", name), *root = arena_printf(env->a, "%s root validity", name);
    const char *not_revoked = arena_printf(env->a, "%s signer not revoked", name);
    const char *validity = arena_printf(env->a, "%s validity", name);

    if (signer == NULL || root == NULL || validity == NULL || not_revoked == NULL)
        return err_memory(e, name);
    return window(j, env, signer, "SGX verification step 4", ERR_COLLATERAL_EXPIRED, st->signer.not_before, st->signer.not_after, 0, e)
        && (!st->has_root
            || window(j, env, root, "SGX verification step 4", ERR_COLLATERAL_EXPIRED, st->root.not_before, st->root.not_after, 0, e))
        && not_listed(env, not_revoked, ERR_TCB_SIGNER_REVOKED, j->root_crl, &st->signer, e)
        && window(j, env, validity, "SGX verification steps 5, 6", ERR_COLLATERAL_EXPIRED, issue, next, env->settings->expired_grace, e);
}

bool intel_judge_make(const struct pck_chain *chain, bool tdx, const struct verify_env *env,
                      struct intel_judge *ret, struct err *e)
{
    const struct rule chosen = { "collateral on hand", "SGX verification steps 3 to 6", "collateral", ERR_COLLATERAL_MISSING };
    const struct rule tcb_rule = { "TCB info signature", "SGX verification step 5", "TCB info", ERR_TCB_INFO_SIGNATURE };
    const struct rule qe_rule = { "QE identity signature", "SGX verification step 6", "QE identity", ERR_QE_IDENTITY_SIGNATURE };
    struct intel_judge j = { 0 };

    if (!check_step(env->checks, &chosen, intel_choose(chain, tdx, env, &j.choice, e), "TCB info, QE identity and both CRLs", e))
        return false;
    span(&j, chain->leaf.not_before, chain->leaf.not_after);
    span(&j, chain->intermediate.not_before, chain->intermediate.not_after);
    if (chain->has_root)
        span(&j, chain->root.not_before, chain->root.not_after);
    if (!revocations(chain, env, &j, e))
        goto refused;
    j.tcb = statement_get(&j, j.choice.tcb_info, env, e);
    if (!check_step(env->checks, &tcb_rule, j.tcb != NULL, "verifies over the text as received", e)
        || !statement_check(j.tcb, "TCB info", j.tcb->tcb.issue, j.tcb->tcb.next, env, &j, e)
        || !young(env, "TCB info", j.tcb->tcb.issue, e))
        goto refused;
    j.identity = statement_get(&j, j.choice.identity, env, e);
    if (!check_step(env->checks, &qe_rule, j.identity != NULL, "verifies over the text as received", e)
        || !statement_check(j.identity, "QE identity", j.identity->identity.issue, j.identity->identity.next, env, &j, e)
        || !young(env, "QE identity", j.identity->identity.issue, e))
        goto refused;
    *ret = j;
    return true;
refused:
    intel_judge_done(&j);
    return false;
}

/* -- the list of evaluation sets -- */

bool intel_numbers_get(bool tdx, const struct intel_judge *by, const struct verify_env *env, struct intel_judge *ret_owner,
                       const struct eval_numbers **ret, struct err *e)
{
    const struct collateral_item *item = intel_choose_numbers(tdx, env);
    struct intel_judge owner = { .root_crl = by->root_crl };
    const struct statement *st;

    if (item == NULL)
        return err_set(e, ERR_COLLATERAL_MISSING, "TCB evaluation numbers", "no list of the vendor's evaluation numbers for %s on hand",
                       tdx ? "TDX" : "SGX");
    st = statement_get(&owner, item, env, e);
    if (st == NULL || !statement_check(st, "TCB evaluation numbers", st->numbers.issue, st->numbers.next, env, &owner, e)) {
        intel_judge_done(&owner);
        return false;
    }
    *ret_owner = owner;
    *ret = &st->numbers;
    return true;
}
