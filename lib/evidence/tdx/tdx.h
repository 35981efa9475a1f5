/* tdx.h: Intel TDX quotes: TD reports 1.0 and 1.5, module identities, the status ladder with relaunch
 * (evidence-sgx part II). Quote layout, chains, collateral and quoting enclave come from the SGX room. */
#ifndef AVOUCH_EVIDENCE_TDX_TDX_H
#define AVOUCH_EVIDENCE_TDX_TDX_H

#include "evidence/sgx/sgx.h"

/* Table 8.1; views into the quote. */
struct td_body {
    struct bytes raw;
    struct bytes tee_tcb_svn;
    struct bytes mr_seam, mr_signer_seam;
    struct bytes seam_attributes, td_attributes, xfam; /* eight bytes each, as they stand */
    uint64_t attributes;
    struct bytes mr_td, mr_config_id, mr_owner, mr_owner_config;
    struct bytes rtmr[4];
    struct bytes report_data;
    bool is_15;               /* TD report 1.5 */
    struct bytes tee_tcb_svn2, mr_service_td;
};
#define TD_ATTR_DEBUG (UINT64_C(1) << 0)
#define TD_ATTR_TUD UINT64_C(0xff) /* any of them: the TD is not confidential */
#define TD_ATTR_SEPT_VE_DISABLE (UINT64_C(1) << 28)
#define TD_ATTR_MIGRATABLE (UINT64_C(1) << 29)
#define TD_ATTR_PKS (UINT64_C(1) << 30)
#define TD_ATTR_KL (UINT64_C(1) << 31)
#define TD_ATTR_PERFMON (UINT64_C(1) << 63)

/* 584 or 648 bytes. */
bool td_body_parse(struct bytes raw, struct td_body *ret, struct err *e) CHECKED;
/* First bytes of TEE_TCB_SVN: the module's SVN, and its major version. */
static inline uint8_t td_module_svn(struct bytes svn)
{
    return svn.p[0];
}
static inline uint8_t td_module_major(struct bytes svn)
{
    return svn.p[1];
}

struct tdx_result {
    bool decided;                    /* status is set */
    enum tcb_status status;
    const char *attester_status;     /* the converged status in Intel's words */
    enum level_status sgx_status, platform_status, module_status, qe_status;
    int64_t tcb_date, module_date, qe_date; /* module_date 0: module 1.0 has no levels */
    bool has_module;                 /* major version above 0 */
    const struct bytes *platform_advisories; /* of the platform's level alone */
    size_t platform_advisory_count;
    const struct bytes *advisories;  /* platform, module, quoting enclave */
    size_t advisory_count;
    int64_t eval_number, earliest_issue, latest_issue, earliest_expiration;
    struct pck_extension ext;
    struct tcb_sets sets;
};

/* -- levels.c: steps 7a, 14a to 14d -- */

/* The statement about the module that the TD reports; ERR_TDX_MODULE_MISMATCH. */
bool tdx_module_find(const struct td_body *td, const struct tcb_info *tcb, const struct verify_env *env,
                     const struct tdx_module **ret, struct err *e) CHECKED;
struct tdx_levels {
    const struct tcb_level *sgx, *tdx, *module; /* module NULL: major version 0 */
    enum level_status converged;                /* platform with module */
};
bool tdx_levels_find(const struct td_body *td, const struct pck_extension *x, const struct tcb_info *tcb,
                     const struct tdx_module *module, const struct verify_env *env, struct tdx_levels *ret,
                     struct err *e) CHECKED;
/* Step 14d: whether a relaunch of the TD would make it current. */
bool tdx_relaunch_helps(const struct td_body *td, const struct tdx_levels *l, const struct tcb_info *tcb,
                        enum level_status qe, bool *ret, struct err *e) CHECKED;
/* Steps 14c to 15a: the status, and Intel's word for it. */
enum tcb_status tdx_converge(const struct tdx_levels *l, enum level_status qe, bool relaunch, const char **ret_word);

bool tdx_quote_verify(const struct quote *q, const struct td_body *td, const struct verify_env *env,
                      struct tdx_result *ret, struct err *e) CHECKED;

struct tdx_evidence {
    struct quote quote;
    struct td_body td;
    struct tdx_result result;
};
extern const struct evidence_kind evidence_tdx;

/* What counts as compliant: an operator's list, or the built-in one. */
struct tdx_profile {
    const char *mr_td;  /* 96 hexadecimal digits */
    const char *status; /* x-ms-compliance-status */
};
struct tdx_profiles {
    const struct tdx_profile *list;
    size_t count;
};
extern const struct tdx_profiles tdx_profiles_builtin;

/* For the Azure-guest room: from a bare TD quote to the claims of claims.md section 7. */
bool tdx_evidence_parse(struct bytes in, struct arena *a, struct tdx_evidence **ret, struct err *e) CHECKED;
bool tdx_evidence_verify(struct tdx_evidence *ev, const struct verify_env *env, struct err *e) CHECKED;
/* `runtime` is JSON bound by the report data, or empty. */
void tdx_evidence_claims(const struct tdx_evidence *ev, const struct verify_env *env, struct bytes runtime,
                         struct claims *ret);
/* JSON object for x-ms-isolation-tee. */
struct bytes tdx_isolation_json(const struct tdx_evidence *ev, const struct verify_env *env, struct bytes runtime,
                                struct arena *a);

#endif
