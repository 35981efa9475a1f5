/* intel_pki.h: a PKI like Intel's, with keys of our own: mints quotes and the collateral that judges them.
 *
 * Nothing here is trusted by anybody unless its root is configured as an anchor. */
#ifndef AVOUCH_TESTS_PKI_INTEL_PKI_H
#define AVOUCH_TESTS_PKI_INTEL_PKI_H

#include "base/arena.h"

struct intel_pki;

/* What is minted; pki_options() gives a platform for which everything is well. */
struct pki_options {
    int64_t now;                /* everything is valid from a day before for 30 days */
    int64_t cert_from, cert_to; /* of all certificates */
    int64_t coll_from, coll_to; /* of CRLs and JSON */
    bool platform_ca;           /* Platform CA with 7 extension entries, else Processor CA with 5 */
    uint8_t fmspc[6], tcb_fmspc[6]; /* of the certificate, of the TCB info */
    uint8_t pce_id[2];
    uint8_t comp_svn[16];
    uint16_t pce_svn;
    const char *platform_status; /* of the level that the platform reaches: "UpToDate" */
    const char *qe_status;
    uint16_t qe_isv_svn;
    int tcb_version;            /* 2 or 3 */
    int64_t eval_number, qe_eval_number;
    bool revoke_pck, revoke_intermediate, revoke_signer;
    const char *odd_critical;   /* CN of a certificate that has a critical extension which nobody knows; or NULL */
    const char *root_cn;        /* another name: not Intel's */
    const char *identity_id;    /* "QE" */
    const char *advisory;       /* id of the platform's level, or NULL */
    int64_t early_number;       /* of the set behind eval_number, whose statements differ in what follows; 0: there is none */
    const char *early_status, *early_advisory;
    int64_t standard_event, early_event; /* when each set's recovery was, for the list of numbers */
    /* quote */
    uint8_t report_data[64];
    uint8_t mr_enclave[32], mr_signer[32], config_id[64];
    uint16_t isv_prod_id, isv_svn, config_svn;
    bool debug, kss;
    bool qe_debug;              /* the quoting enclave is a debug enclave */
    bool break_qe_binding;      /* QE report data is not the hash of the attestation key */
    bool tcb_level_above;       /* the only TCB level asks for more than the platform has */
    uint64_t serial;            /* of the PCK certificate: many platforms from one PKI */
    unsigned quote_version;     /* 3, 4 or 5 */
    /* TDX: version 4 or 5 */
    bool tdx, td_15;            /* a TD's quote; of TD report 1.5 (version 5) */
    uint8_t tee_tcb_svn[16], tee_tcb_svn2[16];
    uint64_t td_attributes;
    uint8_t mr_td[48];
    uint8_t module_major, module_best; /* the identity that the TCB info has: its version, its SVN that is up to date */
    const char *module_status;  /* of every SVN below */
};
struct pki_options pki_options(int64_t now);

struct intel_pki *intel_pki_new(void); /* fresh keys; NULL: libcrypto failed */
void intel_pki_free(struct intel_pki *p);

struct bytes pki_root_pem(struct intel_pki *p, const struct pki_options *o, struct arena *a);
struct bytes pki_root_crl(struct intel_pki *p, const struct pki_options *o, struct arena *a);  /* DER */
struct bytes pki_pck_crl(struct intel_pki *p, const struct pki_options *o, struct arena *a);   /* DER */
struct bytes pki_tcb_chain(struct intel_pki *p, const struct pki_options *o, struct arena *a); /* PEM */
struct bytes pki_tcb_info(struct intel_pki *p, const struct pki_options *o, struct arena *a);  /* JSON */
struct bytes pki_qe_identity(struct intel_pki *p, const struct pki_options *o, struct arena *a);
struct bytes pki_eval_numbers(struct intel_pki *p, const struct pki_options *o, struct arena *a); /* both sets, or the one */
struct bytes pki_pck_chain(struct intel_pki *p, const struct pki_options *o, struct arena *a); /* PEM */
/* The PCK key is that of the PKI, the attestation key is made by it too. */
struct bytes pki_quote(struct intel_pki *p, const struct pki_options *o, struct arena *a);

#endif
