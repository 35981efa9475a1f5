/* verify.c: the algorithm of section 5, step by step; the numbers in the rules are its step numbers. */
#include "evidence/sgx/sgx.h"

#include "codec/pem.h"

#define WHAT "SGX quote"
#define STEP(n) "SGX verification step " #n

/* -- step 2: the PCK chain, embedded or from the certificates at hand -- */

struct pool {
    struct cert *list;
    size_t count;
};

static const struct cert *pool_find(const struct pool *p, struct bytes subject)
{
    for (size_t i = 0; i < p->count; i++)
        if (bytes_equal(p->list[i].subject, subject))
            return &p->list[i];
    return NULL;
}

static bool pool_fill(const struct verify_env *env, struct pool *ret)
{
    enum { MAX = 64 };

    ret->list = arena_many(env->a, MAX, struct cert);
    ret->count = 0;
    if (ret->list == NULL)
        return false;
    for (size_t i = 0; i < env->collateral->count; i++) {
        struct cert *list;
        size_t n;

        if (env->collateral->list[i].kind != COLL_CERTS
            || !certs_read(env->collateral->list[i].body, 16, "certificates", env->a, &list, &n, NULL))
            continue;
        for (size_t k = 0; k < n && ret->count < MAX; k++)
            ret->list[ret->count++] = list[k];
    }
    return true;
}

static bool signed_qe_report(const struct cert *leaf, const struct quote *q)
{
    struct key *k = NULL;
    bool ok;

    if (!key_from_spki(leaf->spki, WHAT, &k, NULL))
        return false;
    ok = key_verify(k, SIG_ES256, SIG_RAW, q->qe_report, q->qe_report_sig);
    key_free(k);
    return ok;
}

/* Certification data 1 to 4: the signature of the QE report tells which PCK certificate belongs. */
static bool external_chain(const struct quote *q, const struct verify_env *env, struct pck_chain **ret, struct err *e)
{
    struct pool p;

    if (!pool_fill(env, &p))
        return err_memory(e, WHAT);
    for (size_t i = 0; i < p.count; i++) {
        const struct cert *leaf = &p.list[i], *ca = pool_find(&p, leaf->issuer);
        const struct cert *root = ca == NULL ? NULL : pool_find(&p, ca->issuer);
        struct out o = out_open(env->a);

        if (ca == NULL || !bytes_contain(leaf->subject_cn, LIT("SGX PCK Certificate")) || !signed_qe_report(leaf, q))
            continue;
        pem_print(&o, "CERTIFICATE", leaf->der);
        pem_print(&o, "CERTIFICATE", ca->der);
        if (root != NULL)
            pem_print(&o, "CERTIFICATE", root->der);
        return pck_chain_build(out_view(&o), env->trust, ret, e);
    }
    return err_set(e, ERR_UNSUPPORTED_CERT_DATA, WHAT,
                   "certification data type is %u and no PCK certificate on hand signed its QE report; 5 (embedded chain) is supported",
                   q->cert_type);
}

static void free_chain(void *c)
{
    pck_chain_free(c);
}

static bool chain_get(const struct quote *q, const struct verify_env *env, struct quote_verified *v, struct err *e)
{
    static const char tag;
    struct digest d;

    if (q->cert_type != 5) {
        v->own_chain = true;
        return external_chain(q, env, &v->chain, e);
    }
    if (env->memo != NULL) {
        d = sha256(q->cert_data);
        v->chain = memo_find(env->memo, &tag, d.p);
        if (v->chain != NULL)
            return true;
    }
    if (!pck_chain_build(q->cert_data, env->trust, &v->chain, e))
        return false;
    v->own_chain = env->memo == NULL;
    if (env->memo != NULL && !memo_put(env->memo, &tag, v->chain->digest, v->chain, free_chain)) {
        v->chain = NULL;
        return err_memory(e, WHAT);
    }
    return true;
}

static bool chain_times(const struct pck_chain *c, const struct verify_env *env, struct err *e)
{
    const struct rule leaf = { "PCK certificate validity", STEP(2), "PCK certificate", ERR_CERT_EXPIRED };
    const struct rule ca = { "intermediate CA validity", STEP(2), "intermediate CA", ERR_CERT_EXPIRED };
    const struct rule root = { "root CA validity", STEP(2), "root CA", ERR_CERT_EXPIRED };

    return check_window(env->checks, &leaf, c->leaf.not_before, c->leaf.not_after, env->now, e)
        && check_window(env->checks, &ca, c->intermediate.not_before, c->intermediate.not_after, env->now, e)
        && (!c->has_root || check_window(env->checks, &root, c->root.not_before, c->root.not_after, env->now, e));
}

/* -- steps 8 and 9: the quoting enclave vouches for the attestation key -- */

static void free_key(void *k)
{
    key_free(k);
}

/* The attestation key is the same for all quotes of a platform's quoting enclave: with the signature over the
 * QE report, which binds it, the key is remembered ready for use. */
static bool vouched_key(const struct quote *q, const struct pck_chain *chain, const struct verify_env *env, struct quote_verified *v,
                        struct err *e)
{
    static const char tag;
    const struct rule r = { "QE report signature", STEP(8), WHAT, ERR_QE_REPORT_SIGNATURE };
    const struct bytes all[] = { BYTES(chain->digest), q->qe_report, q->qe_report_sig, q->ak };
    struct digest memo_key;
    bool ok;

    if (env->memo != NULL) {
        memo_key = hash_parts(HASH_SHA256, all, COUNT(all));
        v->ak = memo_find(env->memo, &tag, memo_key.p);
        if (v->ak != NULL)
            return check_true(env->checks, &r, true, "a signature by the PCK key", "verifies", e);
    }
    ok = key_verify(chain->leaf_key, SIG_ES256, SIG_RAW, q->qe_report, q->qe_report_sig);
    if (!check_true(env->checks, &r, ok, "a signature by the PCK key", ok ? "verifies" : "does not verify", e)
        || !key_from_point(KEY_P256, q->ak, "attestation key", &v->ak, e))
        return false;
    v->own_ak = env->memo == NULL;
    if (env->memo != NULL && !memo_put(env->memo, &tag, memo_key.p, v->ak, free_key)) {
        v->ak = NULL;
        return err_memory(e, WHAT);
    }
    return true;
}

static bool qe_vouches(const struct quote *q, const struct pck_chain *chain, const struct verify_env *env, struct quote_verified *v,
                       struct err *e)
{
    const struct rule data_rule = { "QE report data", STEP(9), WHAT, ERR_QE_REPORT_DATA };
    const struct rule rest_rule = { "QE report data, second half", STEP(9), WHAT, ERR_QE_REPORT_DATA };
    const struct bytes bound[] = { q->ak, q->qe_auth };
    struct bytes data = bytes_part(q->qe_report, 320, 64);
    struct digest d = hash_parts(HASH_SHA256, bound, COUNT(bound));
    bool zero = bytes_all_zero(bytes_part(data, 32, 32));

    return vouched_key(q, chain, env, v, e) && check_bytes(env->checks, &data_rule, digest_bytes(&d), bytes_part(data, 0, 32), e)
        && check_true(env->checks, &rest_rule, zero, "32 zero bytes", zero ? "32 zero bytes" : "other bytes", e);
}

/* -- steps 10 to 12: the quoting enclave is the one that Intel names -- */

static void mask_bytes(const uint8_t *mask, struct bytes in, uint8_t *to)
{
    for (size_t i = 0; i < in.n; i++)
        to[i] = in.p[i] & mask[i];
}

static bool qe_matches(const struct quote *q, const struct enclave_identity *id, bool tdx, const struct verify_env *env,
                       struct err *e)
{
    const struct rule id_rule = { "identity is of the quoting enclave", STEP(10), "QE identity", ERR_QE_IDENTITY_MISMATCH };
    const struct rule misc = { "QE MISCSELECT", STEP(11), "QE report", ERR_QE_IDENTITY_MISMATCH };
    const struct rule attr = { "QE ATTRIBUTES", STEP(11), "QE report", ERR_QE_IDENTITY_MISMATCH };
    const struct rule signer = { "QE MRSIGNER", STEP(11), "QE report", ERR_QE_IDENTITY_MISMATCH };
    const struct rule prod = { "QE ISVPRODID", STEP(11), "QE report", ERR_QE_IDENTITY_MISMATCH };
    uint8_t masked_misc[4], masked_attr[16];
    struct sgx_body qe;

    if (!sgx_body_parse(q->qe_report, &qe))
        return err_set(e, ERR_INTERNAL, WHAT, "QE report is not 384 bytes");
    mask_bytes(id->misc_mask, bytes_part(q->qe_report, 16, 4), masked_misc);
    mask_bytes(id->attributes_mask, qe.attributes, masked_attr);
    return check_text(env->checks, &id_rule, bytes_str(tdx ? "TD_QE" : "QE"), id->id, e)
        && check_bytes(env->checks, &misc, BYTES(id->misc_select), BYTES(masked_misc), e)
        && check_bytes(env->checks, &attr, BYTES(id->attributes), BYTES(masked_attr), e)
        && check_bytes(env->checks, &signer, BYTES(id->mr_signer), qe.mr_signer, e)
        && check_uint(env->checks, &prod, id->isv_prod_id, qe.isv_prod_id, e);
}

const struct tcb_level *qe_level(const struct quote *q, const struct enclave_identity *id, const struct verify_env *env,
                                 struct err *e)
{
    const struct rule r = { "QE TCB level", STEP(12), "QE report", ERR_TCB_NOT_SUPPORTED };
    const struct tcb_level *found = NULL;
    struct sgx_body qe;

    if (!sgx_body_parse(q->qe_report, &qe))
        return NULL;
    for (size_t i = 0; i < id->level_count && found == NULL; i++)
        if (id->levels[i].isv_svn <= qe.isv_svn)
            found = &id->levels[i];
    if (!check_true(env->checks, &r, found != NULL, "a level with isvsvn at most that of the QE",
                    env->checks == NULL && found != NULL ? NULL
                    : arena_printf(env->a, "QE isvsvn %u%s%s", qe.isv_svn, found == NULL ? "" : ": ",
                                   found == NULL ? "" : level_status_name(found->status)),
                    e))
        return NULL;
    if (found->status == LEVEL_UNRECOGNIZED) {
        (void)err_set(e, ERR_TCB_UNRECOGNIZED, "QE identity", "tcbStatus of isvsvn %u is not known", found->isv_svn);
        return NULL;
    }
    return found;
}

static bool platform_matches(const struct pck_chain *c, const struct tcb_info *tcb, bool tdx, const struct verify_env *env,
                             struct err *e)
{
    const struct rule tee = { "TCB info is for this TEE", STEP(7), "TCB info", ERR_TCB_INFO_MISMATCH };
    const struct rule fmspc = { "FMSPC", STEP(7), "TCB info", ERR_TCB_INFO_MISMATCH };
    const struct rule pce = { "PCE-ID", STEP(7), "TCB info", ERR_TCB_INFO_MISMATCH };

    return check_text(env->checks, &tee, bytes_str(tdx ? "TDX" : "SGX"), bytes_str(tcb->tdx ? "TDX" : "SGX"), e)
        && check_bytes(env->checks, &fmspc, BYTES(tcb->fmspc), BYTES(c->ext.fmspc), e)
        && check_bytes(env->checks, &pce, BYTES(tcb->pce_id), BYTES(c->ext.pce_id), e);
}

static bool quote_signature(const struct quote *q, struct key *ak, const struct verify_env *env, struct err *e)
{
    const struct rule r = { "quote signature", STEP(13), WHAT, ERR_QUOTE_SIGNATURE };
    bool ok = key_verify(ak, SIG_ES256, SIG_RAW, q->signed_part, q->sig);

    return check_true(env->checks, &r, ok, "a signature by the attestation key", ok ? "verifies" : "does not verify", e);
}

void quote_verified_done(struct quote_verified *v)
{
    intel_judge_done(&v->judge);
    if (v->own_ak)
        key_free(v->ak);
    if (v->own_chain)
        pck_chain_free(v->chain);
}

bool quote_verify_common(const struct quote *q, const struct verify_env *env, struct quote_verified *ret, struct err *e)
{
    const struct rule chain_rule = { "PCK certificate chain", STEP(2), "PCK certificate chain", ERR_PCK_CHAIN_INVALID };
    struct quote_verified v = { 0 };
    bool tdx = q->tee == TEE_TDX;

    if (!check_step(env->checks, &chain_rule, chain_get(q, env, &v, e), "three certificates up to a trusted root", e))
        return false;
    if (!chain_times(v.chain, env, e) || !intel_judge_make(v.chain, tdx, env, &v.judge, e))
        goto refused;
    if (!platform_matches(v.chain, &v.judge.tcb->tcb, tdx, env, e) || !qe_vouches(q, v.chain, env, &v, e)
        || !qe_matches(q, &v.judge.identity->identity, tdx, env, e))
        goto refused;
    v.qe_level = qe_level(q, &v.judge.identity->identity, env, e);
    if (v.qe_level == NULL || !quote_signature(q, v.ak, env, e))
        goto refused;
    *ret = v;
    return true;
refused:
    quote_verified_done(&v);
    return false;
}

bool quote_judge_again(const struct quote *q, const struct quote_verified *v, const struct verify_env *env,
                       struct quote_verified *ret, struct err *e)
{
    struct quote_verified r = { .chain = v->chain, .ak = v->ak };
    bool tdx = q->tee == TEE_TDX;

    if (!intel_judge_make(v->chain, tdx, env, &r.judge, e))
        return false;
    if (platform_matches(v->chain, &r.judge.tcb->tcb, tdx, env, e) && qe_matches(q, &r.judge.identity->identity, tdx, env, e))
        r.qe_level = qe_level(q, &r.judge.identity->identity, env, e);
    if (r.qe_level == NULL) {
        quote_verified_done(&r);
        return false;
    }
    *ret = r;
    return true;
}

/* -- steps 14 to 16 -- */

enum tcb_status tcb_converge(enum level_status platform, enum level_status qe)
{
    static const enum tcb_status with_good_qe[] = {
        [LEVEL_UP_TO_DATE] = TCB_OK,
        [LEVEL_SW_HARDENING_NEEDED] = TCB_SW_HARDENING_NEEDED,
        [LEVEL_CONFIGURATION_NEEDED] = TCB_CONFIGURATION_NEEDED,
        [LEVEL_CONFIGURATION_AND_SW_HARDENING_NEEDED] = TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
        [LEVEL_OUT_OF_DATE] = TCB_OUT_OF_DATE,
        [LEVEL_OUT_OF_DATE_CONFIGURATION_NEEDED] = TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
        [LEVEL_REVOKED] = TCB_REVOKED,
        [LEVEL_UNRECOGNIZED] = TCB_REVOKED,
    };

    if (qe == LEVEL_UP_TO_DATE || platform == LEVEL_REVOKED || platform == LEVEL_UNRECOGNIZED)
        return with_good_qe[platform];
    if (qe != LEVEL_OUT_OF_DATE) /* revoked, or a status that identities do not have */
        return TCB_REVOKED;
    return platform == LEVEL_CONFIGURATION_NEEDED || platform == LEVEL_CONFIGURATION_AND_SW_HARDENING_NEEDED
            || platform == LEVEL_OUT_OF_DATE_CONFIGURATION_NEEDED
        ? TCB_OUT_OF_DATE_CONFIGURATION_NEEDED
        : TCB_OUT_OF_DATE;
}

bool tcb_status_accepted(enum tcb_status s, const struct verify_env *env, const char *what, struct err *e)
{
    const struct rule r = { "platform status is accepted", "SGX verification step 15", what, ERR_TCB_STATUS_REFUSED };
    struct out o = out_open(env->a);
    bool ok = s != TCB_REVOKED && (env->settings->accept_tcb >> s & 1) != 0;

    if (ok && env->checks == NULL)
        return true;
    for (int i = 0; i < TCB_REVOKED; i++)
        if ((env->settings->accept_tcb >> i & 1) != 0)
            out_printf(&o, "%s%s", o.n == 0 ? "one of " : ", ", tcb_status_name((enum tcb_status)i));
    return check_true(env->checks, &r, ok, out_view(&o).p == NULL ? "" : (const char *)o.p, tcb_status_name(s), e);
}

bool advisories_join(struct arena *a, const struct tcb_level *const *levels, size_t count,
                     const struct bytes **ret, size_t *ret_count)
{
    size_t most = 0, n = 0;
    struct bytes *list;

    for (size_t i = 0; i < count; i++)
        most += levels[i]->advisory_count;
    list = arena_many(a, most, struct bytes);
    if (list == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < levels[i]->advisory_count; k++) {
            bool seen = false;

            for (size_t m = 0; m < n && !seen; m++)
                seen = bytes_equal(list[m], levels[i]->advisories[k]);
            if (!seen)
                list[n++] = arena_copy(a, levels[i]->advisories[k]);
        }
    *ret = list;
    *ret_count = n;
    return !a->failed;
}

void sgx_result_collateral(const struct intel_judge *j, struct sgx_result *ret)
{
    memcpy(ret->tcb_info_hash, j->tcb->item_hash, 32);
    memcpy(ret->tcb_certs_hash, j->tcb->chain_hash, 32);
    memcpy(ret->tcb_crl_hash, j->root_crl->item_hash, 32);
    memcpy(ret->qe_id_hash, j->identity->item_hash, 32);
    memcpy(ret->qe_certs_hash, j->identity->chain_hash, 32);
    memcpy(ret->qe_crl_hash, j->root_crl->item_hash, 32);
    ret->earliest_issue = j->earliest_issue;
    ret->latest_issue = j->latest_issue;
    ret->earliest_expiration = j->earliest_expiration;
    ret->tcb_eval = j->tcb->tcb.eval_number;
    ret->qe_eval = j->identity->identity.eval_number;
    ret->eval_number = ret->tcb_eval < ret->qe_eval ? ret->tcb_eval : ret->qe_eval;
}

static bool reaches(const struct pck_extension *x, const struct tcb_level *l)
{
    for (int i = 0; i < 16; i++)
        if (x->comp_svn[i] < l->sgx[i])
            return false;
    return x->pce_svn >= l->pce_svn;
}

const struct tcb_level *sgx_platform_level(const struct pck_extension *x, const struct tcb_info *tcb,
                                           const struct verify_env *env, struct err *e)
{
    const struct rule r = { "platform TCB level", STEP(14), "TCB info", ERR_TCB_NOT_SUPPORTED };
    const struct tcb_level *found = NULL;

    for (size_t i = 0; i < tcb->level_count && found == NULL; i++)
        if (reaches(x, &tcb->levels[i]))
            found = &tcb->levels[i];
    if (!check_true(env->checks, &r, found != NULL, "a level that all 16 component SVNs and the PCESVN reach",
                    found == NULL ? "none" : level_status_name(found->status), e))
        return NULL;
    if (found->status == LEVEL_UNRECOGNIZED) {
        (void)err_set(e, ERR_TCB_UNRECOGNIZED, "TCB info", "tcbStatus of the platform's level is not known");
        return NULL;
    }
    return found;
}

/* What the statements that were chosen say of the platform. */
static bool judge(const struct quote_verified *v, const struct verify_env *env, struct sgx_result *ret, struct err *e)
{
    const struct tcb_level *level = sgx_platform_level(&v->chain->ext, &v->judge.tcb->tcb, env, e);
    const struct tcb_level *const both[] = { level, v->qe_level };

    if (level == NULL)
        return false;
    ret->platform_status = level->status;
    ret->tcb_date = level->date;
    ret->qe_status = v->qe_level->status;
    ret->qe_date = v->qe_level->date;
    ret->status = tcb_converge(level->status, v->qe_level->status);
    ret->ext = v->chain->ext;
    ret->platform_ca = v->chain->platform_ca;
    sgx_result_collateral(&v->judge, ret);
    ret->decided = true;
    return advisories_join(env->a, both, COUNT(both), &ret->advisories, &ret->advisory_count) || err_memory(e, WHAT);
}

static bool judge_set(const void *evidence, const struct quote_verified *v, const struct verify_env *env, struct tcb_set *ret,
                      struct err *e)
{
    struct sgx_result r = { .decided = false };

    (void)evidence;
    if (!judge(v, env, &r, e))
        return false;
    ret->status = tcb_status_name(r.status);
    ret->date = r.tcb_date;
    ret->advisories = r.advisories;
    ret->advisory_count = r.advisory_count;
    return true;
}

bool sgx_quote_verify(const struct quote *q, const struct verify_env *env, struct sgx_result *ret, struct err *e)
{
    struct quote_verified v;
    bool ok;

    if (!quote_verify_common(q, env, &v, e))
        return false;
    ok = judge(&v, env, ret, e) && tcb_status_accepted(ret->status, env, WHAT, e)
        && tcb_sets_evaluate(q, &v, env, judge_set, NULL, &ret->sets, e);
    quote_verified_done(&v);
    return ok;
}
