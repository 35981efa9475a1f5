/* evidence.h: what every evidence kind offers, and what a verification is given.
 *
 * A kind is a row of functions. All are pure: time, trust, collateral and settings are arguments. */
#ifndef AVOUCH_EVIDENCE_EVIDENCE_H
#define AVOUCH_EVIDENCE_EVIDENCE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/memo.h"
#include "claims/claims.h"
#include "crypto/cert.h"
#include "evidence/check.h"
#include "evidence/collateral.h"

enum data_type {
    DATA_BINARY,
    DATA_JSON,
};

/* runtimeData or initTimeData of a request: the decoded bytes, or absent. */
struct attached {
    bool present;
    enum data_type type;
    struct bytes data;
};

struct evidence_input {
    struct bytes evidence; /* the decoded evidence member */
    struct attached runtime;
    struct attached init;
    struct bytes nonce;    /* of the sender; empty: none */
    struct bytes issuer;   /* base URL of the provider; names of custom claims begin with it */
    /* Protocols of two messages (TPM): the challenge from the opened context, never from the sender. */
    struct bytes challenge;
    struct bytes id_block, id_auth; /* SEV-SNP: beside a report that is not in the JSON form; empty: none */
    bool sealed;  /* Azure guests: the caller seals the token with azureguest_seal(), which replaces a nonce */
    bool offline; /* tools that look at one message and issue nothing: neither is needed */
};

/* Trust anchors that configuration adds: certificates, matched by subject name and public key. */
struct trust {
    const struct cert *anchors;
    size_t count;
    bool replace; /* only these; the vendors' embedded roots are not trusted */
};
#define TRUST_MAX_FILE ((size_t)1 << 20) /* bytes of a file with anchors */
/* Adds the certificates of these files, PEM or DER, at most 16 of each and 256 in all. Views point into the files. */
bool trust_add(struct trust *t, const struct named_bytes *files, size_t count, struct arena *a, struct err *e) CHECKED;
/* Whether a certificate with this subject and key is among the configured anchors. */
bool trust_has(const struct trust *t, struct bytes subject, struct bytes spki);

/* Platform statuses of Intel's ladder (SGX, TDX): evidence-sgx section 5.1. */
enum tcb_status {
    TCB_OK,
    TCB_SW_HARDENING_NEEDED,
    TCB_CONFIGURATION_NEEDED,
    TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    TCB_TD_RELAUNCH_ADVISED,
    TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
    TCB_OUT_OF_DATE,
    TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    TCB_REVOKED,
    TCB_STATUS_COUNT,
};
const char *tcb_status_name(enum tcb_status s); /* "SW_HARDENING_NEEDED" */
bool tcb_status_find(struct bytes name, enum tcb_status *ret);
#define TCB_ACCEPT_DEFAULT 0x3fu /* bit n accepts status n: everything but stale and revoked */

/* How a vendor's revocation lists are used where the evidence can be judged without them (SEV-SNP). */
enum crl_use {
    CRL_IF_PRESENT, /* a list that is on hand counts, and must then be current and genuine */
    CRL_OFF,
    CRL_REQUIRED,
};

/* SEV-SNP: evidence-snp sections 1.8, 2.6, 3, 4.2. Zero is the default everywhere. */
struct snp_settings {
    enum crl_use crl;
    bool allow_masked_chip_id;
    bool refuse_debug;        /* else the tenant's policy decides by the claim */
    bool refuse_provisional;  /* committed firmware older than the running one */
    bool allow_nonzero_tail;  /* report data behind the 32 bytes of the hash */
    uint8_t min_tcb[3][5];    /* by line: fmc, boot loader, tee, snp, microcode */
    bool require_receipt;     /* of container endorsements */
    const struct snp_profiles *profiles; /* what counts as compliant; NULL: the built-in list */
};

/* What a tenant or an operator may choose; defaults by settings_default(). */
struct settings {
    uint32_t accept_tcb;          /* bits of enum tcb_status; REVOKED is never accepted */
    int64_t expired_grace;        /* seconds that collateral may be past its nextUpdate; default 0 */
    int64_t tcb_eval_number;      /* 0: the newest on hand; else exactly this one */
    struct bytes tcb_identifier;  /* the baseline by the name that the policy gave it: "azuredefault" */
    bool mix_eval_numbers;        /* TCB info and QE identity of different numbers */
    int64_t collateral_max_age;   /* seconds since Intel signed TCB info, identity or PCK CRL; 0: until they end */
    bool tcb_sets;                /* Intel's standard and early sets are evaluated as well, and told in claims */
    bool extra_claims;            /* the service's own claims in tokens, beside the recorded ones */
    uint32_t required_pcr_mask;   /* TPM: bit i, PCR i must be quoted; default all 24, unless the policy says otherwise */
    bool require_valid_aik_cert;  /* TPM: else the claim aikValidated tells and the policy decides; default yes, likewise */
    bool allow_snp_v1;            /* SEV-SNP report version 1 */
    bool allow_sha1_quotes;       /* TPM: RSASSA with SHA-1, and logs that only the SHA-1 bank covers */
    struct snp_settings snp;
    const struct tdx_profiles *tdx_profiles; /* NULL: the built-in list */
    const struct guest_settings *guest; /* Azure guests: Secure Boot lists; NULL: the built-in ones */
};
struct settings settings_default(void);

/* The operator's yes-and-no choices as one number, so that they travel together. */
enum setting {
    SETTING_MIX_EVAL_NUMBERS = 1,
    SETTING_COMPATIBLE = 2, /* no claims of our own in tokens */
    SETTING_SNP_V1 = 4,
    SETTING_SNP_MASKED_CHIP_ID = 8,
    SETTING_SNP_REFUSE_DEBUG = 16,
    SETTING_SNP_REFUSE_PROVISIONAL = 32,
    SETTING_SNP_REQUIRE_RECEIPT = 64,
    SETTING_SNP_CRL_OFF = 128,
    SETTING_SNP_CRL_REQUIRED = 256,
    SETTING_TPM_SHA1 = 512,
    SETTING_TCB_SETS = 1024,
};
#define COLLATERAL_MAX_AGE_LEAST ((int64_t)3600) /* vendors do not sign more often than that */
#define COLLATERAL_MAX_AGE_MOST ((int64_t)10 * 365 * 86400)
/* The stricter of two limits, each 0 where there is none. */
int64_t max_age_stricter(int64_t a, int64_t b);
void settings_apply(struct settings *s, uint32_t bits);

struct verify_env {
    int64_t now; /* seconds since 1970 UTC */
    const struct trust *trust;
    const struct collateral *collateral;
    const struct settings *settings;
    struct memo *memo;     /* NULL: verify everything anew */
    struct checks *checks; /* NULL: do not record */
    struct arena *a;
    /* NULL: all claims are made. Else a large one that goes to policies alone is left out where this says that
     * the policy does not read it. */
    bool (*reads)(const void *policy, struct bytes claim);
    const void *policy;
};
static inline bool env_reads(const struct verify_env *env, const char *claim)
{
    return env->reads == NULL || env->reads(env->policy, bytes_str(claim));
}

struct evidence_kind {
    const char *name;  /* last step of the URL: "SgxEnclave" */
    const char *token; /* x-ms-attestation-type: "sgx"; see evidence_type() */
    const char *member; /* of the request: "quote" */
    size_t max_size;   /* larger evidence is refused unread */
    /* Bytes to struct; *ret lives in the arena and points into in->evidence. */
    bool (*parse)(const struct evidence_input *in, struct arena *a, void **ret, struct err *e);
    /* Which collateral; pure, so that the front can ask before it sends the parcel. */
    bool (*needs)(const void *ev, const struct settings *s, struct needs *ret, struct err *e);
    /* Whether the certificates in the evidence lead to a trusted root; NULL: evidence of this kind has none by nature.
     * Looked at before a vendor is asked in its name: whoever invents a platform causes no request. */
    bool (*genuine)(const void *ev, const struct trust *trust, struct err *e);
    bool (*verify)(void *ev, const struct verify_env *env, struct err *e);
    /* Whether runtime and init-time data are bound by the evidence. */
    bool (*bound)(void *ev, const struct evidence_input *in, const struct verify_env *env, struct err *e);
    bool (*claims)(const void *ev, const struct evidence_input *in, const struct verify_env *env,
                   struct claims *ret, struct err *e);
    /* The platform status word of the specification, or NULL. After verify; also after a refusal. */
    const char *(*status)(const void *ev);
    /* NULL: `token` names every evidence of the kind. Else what names this one; after parse. */
    const char *(*type)(const void *ev);
    bool tcb_sets; /* Intel's TCB evaluation sets judge it: settings.tcb_sets */
};
/* Value of x-ms-attestation-type for evidence as parsed. */
const char *evidence_type(const struct evidence_kind *kind, const void *ev);

/* Case-insensitive, aliases included (VbsEnclave, Vbs, AzureVM, CVM); NULL: unknown. */
const struct evidence_kind *evidence_kind_find(struct bytes name);
const struct evidence_kind *const *evidence_kinds(size_t *ret_count);

/* parse, verify, bound, claims in one go, as core and CLI do. *ret_status may be NULL. */
bool evidence_verify(const struct evidence_kind *kind, const struct evidence_input *in,
                     const struct verify_env *env, struct claims *ret_claims, const char **ret_status,
                     struct err *e) CHECKED;

/* The same; the parsed evidence stays with the caller (in the arena of env). */
bool evidence_verify_keep(const struct evidence_kind *kind, const struct evidence_input *in,
                          const struct verify_env *env, struct claims *ret_claims, const char **ret_status,
                          void **ret_ev, struct err *e) CHECKED;

/* Claims x-ms-runtime and x-ms-inittime for JSON data (claims.md 1.3); refuses JSON that is no object.
 * One NUL behind the text is part of the hash but not of the JSON. */
bool attached_claims(const struct evidence_input *in, struct claims *ret, struct err *e) CHECKED;

#endif
