/* uvm.h: endorsements of the utility VM that runs container groups, and what counts as compliant
 * (evidence-snp sections 7 and 8). */
#ifndef AVOUCH_EVIDENCE_SNP_UVM_H
#define AVOUCH_EVIDENCE_SNP_UVM_H

#include "cose/cose.h"
#include "evidence/snp/snp.h"

/* -- what an operator lists; compliance.c has the built-in list -- */

struct snp_uvm_profile {
    const char *issuer; /* did:x509 */
    const char *feed;
    int64_t min_svn;
    const char *status; /* x-ms-compliance-status */
};
struct snp_cvm_profile {
    const char *id_key_digest; /* 96 hexadecimal digits */
    uint32_t min_guest_svn;
    uint8_t min_tcb[5];        /* fmc, boot loader, tee, snp, microcode */
    const char *status;
};
struct snp_ledger {
    const char *host, *kid, *point; /* point: X || Y in hexadecimal */
};
struct snp_profiles {
    const struct snp_uvm_profile *uvm;
    size_t uvm_count;
    const struct snp_cvm_profile *cvm;
    size_t cvm_count;
    const struct snp_ledger *ledgers;
    size_t ledger_count;
};
extern const struct snp_profiles snp_profiles_builtin;
const struct snp_profiles *snp_profiles_of(const struct settings *s);

/* -- an endorsement -- */

struct snp_uvm {
    struct bytes issuer, feed;
    struct bytes measurement; /* 48 bytes */
    int64_t svn;
    bool svn_is_integer;      /* it came as an integer, so it becomes a claim */
    bool has_time;
    int64_t time;             /* of the signature */
    int64_t not_before, not_after; /* of the whole certificate path */
    const struct snp_uvm_profile *profile;
};

/* Reads and verifies one statement, steps 1 to 5 and 7 of section 8.2, for whichever issuer. */
bool snp_uvm_read(struct bytes cose, struct memo *memo, struct arena *a, struct snp_uvm *ret, struct err *e) CHECKED;
/* All of the evidence: each must verify, one must be about its measurement; sets ev->endorsed. */
bool snp_uvm_verify(struct snp_evidence *ev, const struct verify_env *env, struct err *e) CHECKED;

/* The value of x-ms-compliance-status, or NULL: not recognised. `runtime`: JSON bound by the report, or empty. */
const char *snp_compliance(const struct snp_evidence *ev, const struct verify_env *env, struct bytes runtime);

#endif
