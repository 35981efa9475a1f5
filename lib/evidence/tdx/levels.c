/* levels.c: which levels of Intel's statements a TD reaches, and what they add up to
 * (evidence-sgx section 9; the numbers in the rules are its step numbers). */
#include "evidence/tdx/tdx.h"

#define STEP(n) "TDX verification step " #n

static const struct tdx_module *identity_of(const struct tcb_info *tcb, uint8_t major)
{
    for (size_t i = 0; i < tcb->module_count; i++)
        if (tcb->modules[i].major == major)
            return &tcb->modules[i];
    return NULL;
}

/* -- step 7a -- */

static bool module_matches(const struct td_body *td, const struct tdx_module *m, const struct verify_env *env,
                           struct err *e)
{
    static const struct rule signer = { "MRSIGNERSEAM", STEP(7a), "TDX module", ERR_TDX_MODULE_MISMATCH };
    static const struct rule zero = { "SEAMATTRIBUTES are zero", STEP(7a), "TDX module", ERR_TDX_MODULE_MISMATCH };
    static const struct rule attributes = { "SEAMATTRIBUTES", STEP(7a), "TDX module", ERR_TDX_MODULE_MISMATCH };

    return check_bytes(env->checks, &signer, m->mr_signer, td->mr_signer_seam, e)
        && check_true(env->checks, &zero, bytes_all_zero(td->seam_attributes), "eight zero bytes",
                      bytes_all_zero(td->seam_attributes) ? "eight zero bytes" : "other bytes", e)
        && check_bytes(env->checks, &attributes, BYTES(m->attributes), td->seam_attributes, e);
}

bool tdx_module_find(const struct td_body *td, const struct tcb_info *tcb, const struct verify_env *env,
                     const struct tdx_module **ret, struct err *e)
{
    static const struct rule known = { "identity of the TDX module", STEP(7a), "TDX module", ERR_TDX_MODULE_MISMATCH };
    uint8_t major = td_module_major(td->tee_tcb_svn);
    const struct tdx_module *m = major == 0 ? &tcb->module : identity_of(tcb, major);
    const char *wanted = arena_printf(env->a, "an identity TDX_%02X in the TCB info", major);

    if (wanted == NULL)
        return err_memory(e, "TDX module");
    if (!check_true(env->checks, &known, m != NULL, wanted,
                    m != NULL ? "listed" : tcb->has_identities ? "not listed" : "no identities at all", e)
        || !module_matches(td, m, env, e))
        return false;
    *ret = m;
    return true;
}

/* -- steps 14a to 14c -- */

static bool reaches_sgx(const struct pck_extension *x, const struct tcb_level *l)
{
    for (int i = 0; i < 16; i++)
        if (x->comp_svn[i] < l->sgx[i])
            return false;
    return x->pce_svn >= l->pce_svn;
}

/* The first two components are the module's SVN and version: with a module identity they are judged by that. */
static bool reaches_tdx(const struct td_body *td, const struct tcb_level *l)
{
    for (size_t i = td_module_major(td->tee_tcb_svn) > 0 ? 2 : 0; i < 16; i++)
        if (td->tee_tcb_svn.p[i] < l->tdx[i])
            return false;
    return true;
}

static bool platform_level(const struct td_body *td, const struct pck_extension *x, const struct tcb_info *tcb,
                           const struct verify_env *env, struct tdx_levels *ret, struct err *e)
{
    static const struct rule rule = { "platform TCB level", STEP(14a), "TCB info", ERR_TCB_NOT_SUPPORTED };
    struct tdx_levels l = { .sgx = NULL };

    for (size_t i = 0; i < tcb->level_count && l.tdx == NULL; i++) {
        if (!reaches_sgx(x, &tcb->levels[i]))
            continue;
        if (l.sgx == NULL)
            l.sgx = &tcb->levels[i];
        if (reaches_tdx(td, &tcb->levels[i]))
            l.tdx = &tcb->levels[i];
    }
    if (!check_true(env->checks, &rule, l.tdx != NULL, "a level that the SGX components, the PCESVN and the TDX components reach",
                    l.tdx != NULL ? level_status_name(l.tdx->status)
                    : l.sgx != NULL ? "SGX components reach one, TDX components none" : "none", e))
        return false;
    if (l.tdx->status == LEVEL_UNRECOGNIZED || l.sgx->status == LEVEL_UNRECOGNIZED)
        return err_set(e, ERR_TCB_UNRECOGNIZED, "TCB info", "tcbStatus of the platform's level is not known");
    *ret = l;
    return true;
}

static bool module_level(const struct td_body *td, const struct tdx_module *m, const struct verify_env *env,
                         const struct tcb_level **ret, struct err *e)
{
    static const struct rule rule = { "TDX module TCB level", STEP(14b), "TDX module", ERR_TCB_NOT_SUPPORTED };
    uint8_t svn = td_module_svn(td->tee_tcb_svn);
    const struct tcb_level *found = NULL;

    for (size_t i = 0; i < m->level_count && found == NULL; i++)
        if (m->levels[i].isv_svn <= svn)
            found = &m->levels[i];
    if (!check_true(env->checks, &rule, found != NULL, "a level with isvsvn at most that of the module",
                    env->checks == NULL && found != NULL ? NULL
                    : arena_printf(env->a, "module isvsvn %u%s%s", svn, found == NULL ? "" : ": ",
                                   found == NULL ? "" : level_status_name(found->status)), e))
        return false;
    if (found->status != LEVEL_UP_TO_DATE && found->status != LEVEL_OUT_OF_DATE && found->status != LEVEL_REVOKED)
        return err_set(e, ERR_TCB_UNRECOGNIZED, "TDX module", "tcbStatus '%s' of isvsvn %u is none that modules have",
                       level_status_name(found->status), found->isv_svn);
    *ret = found;
    return true;
}

static bool needs_configuration(enum level_status s)
{
    return s == LEVEL_CONFIGURATION_NEEDED || s == LEVEL_CONFIGURATION_AND_SW_HARDENING_NEEDED
        || s == LEVEL_OUT_OF_DATE_CONFIGURATION_NEEDED;
}

static enum level_status with_module(enum level_status platform, enum level_status module)
{
    if (platform == LEVEL_REVOKED || module == LEVEL_REVOKED)
        return LEVEL_REVOKED;
    if (module == LEVEL_UP_TO_DATE)
        return platform;
    return needs_configuration(platform) ? LEVEL_OUT_OF_DATE_CONFIGURATION_NEEDED : LEVEL_OUT_OF_DATE;
}

bool tdx_levels_find(const struct td_body *td, const struct pck_extension *x, const struct tcb_info *tcb,
                     const struct tdx_module *module, const struct verify_env *env, struct tdx_levels *ret,
                     struct err *e)
{
    struct tdx_levels l = { .sgx = NULL };

    if (!platform_level(td, x, tcb, env, &l, e))
        return false;
    if (td_module_major(td->tee_tcb_svn) > 0 && !module_level(td, module, env, &l.module, e))
        return false;
    l.converged = with_module(l.tdx->status, l.module == NULL ? LEVEL_UP_TO_DATE : l.module->status);
    *ret = l;
    return true;
}

/* -- step 14d -- */

/* The module that runs now, TEE_TCB_SVN2, against the best that Intel lists. */
static bool runs_current(struct bytes v2, const struct tcb_info *tcb, bool *ret, struct err *e)
{
    const struct tcb_level *top = &tcb->levels[0];
    const struct tdx_module *m;

    if (td_module_major(v2) == 0) {
        *ret = v2.p[0] >= top->tdx[0] && v2.p[2] >= top->tdx[2];
        return true;
    }
    m = identity_of(tcb, td_module_major(v2));
    if (m == NULL || m->level_count == 0)
        return err_set(e, ERR_TDX_MODULE_MISMATCH, "TDX module", "the module that runs now has no identity TDX_%02X",
                       td_module_major(v2));
    *ret = td_module_svn(v2) >= m->levels[0].isv_svn && v2.p[2] >= top->tdx[2];
    return true;
}

bool tdx_relaunch_helps(const struct td_body *td, const struct tdx_levels *l, const struct tcb_info *tcb,
                        enum level_status qe, bool *ret, struct err *e)
{
    bool stale = l->converged == LEVEL_OUT_OF_DATE || l->converged == LEVEL_OUT_OF_DATE_CONFIGURATION_NEEDED;
    bool sgx_good = l->sgx->status <= LEVEL_CONFIGURATION_AND_SW_HARDENING_NEEDED;

    *ret = false;
    if (!td->is_15 || qe != LEVEL_UP_TO_DATE || !sgx_good || !stale || l->module == NULL
        || l->module->status != LEVEL_OUT_OF_DATE)
        return true;
    return runs_current(td->tee_tcb_svn2, tcb, ret, e);
}

enum tcb_status tdx_converge(const struct tdx_levels *l, enum level_status qe, bool relaunch, const char **ret_word)
{
    enum level_status with_qe = l->converged;

    if (relaunch) { /* only with a quoting enclave that is up to date */
        bool configure = needs_configuration(l->sgx->status) || needs_configuration(l->converged);

        *ret_word = configure ? "TDRelaunchAdvisedAndConfigurationNeeded" : "TDRelaunchAdvised";
        return configure ? TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED : TCB_TD_RELAUNCH_ADVISED;
    }
    if (qe != LEVEL_UP_TO_DATE)
        with_qe = with_module(l->converged, qe == LEVEL_OUT_OF_DATE ? LEVEL_OUT_OF_DATE : LEVEL_REVOKED);
    *ret_word = level_status_name(with_qe);
    return tcb_converge(l->converged, qe);
}
