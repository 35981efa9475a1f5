/* sgx.h: Intel's ECDSA quotes and the collateral that judges them (SGX; TDX builds on the same parts).
 *
 * Sources: Intel SGX ECDSA QuoteGeneration reference, appendix A (layouts); Intel's API for TCB info
 * and identities; our table numbers are those of the evidence specification, part I. */
#ifndef AVOUCH_EVIDENCE_SGX_SGX_H
#define AVOUCH_EVIDENCE_SGX_SGX_H

#include "evidence/evidence.h"

/* -- quote (quote.c) -- */

#define SGX_BODY_SIZE 384
#define TDX_BODY_SIZE 584
#define TDX15_BODY_SIZE 648
#define QUOTE_MAX_SIZE ((size_t)64 << 10)

enum quote_tee {
    TEE_SGX = 0,
    TEE_TDX = 0x81,
};

/* Table 2.4; views into the quote. Offsets are within the 384 bytes. */
struct sgx_body {
    struct bytes raw;
    struct bytes cpu_svn;
    uint32_t misc_select;
    struct bytes isv_ext_prod_id;
    uint64_t flags;
    struct bytes attributes; /* flags and xfrm as they stand: 16 bytes */
    struct bytes mr_enclave;
    struct bytes mr_signer;
    struct bytes config_id;
    uint16_t isv_prod_id;
    uint16_t isv_svn;
    uint16_t config_svn;
    struct bytes isv_family_id;
    struct bytes report_data;
};
#define SGX_FLAG_DEBUG ((uint64_t)1 << 1)
#define SGX_FLAG_KSS ((uint64_t)1 << 7)

struct quote {
    uint16_t version;   /* 3, 4, 5 */
    uint16_t key_type;
    uint32_t tee;
    uint16_t qe_svn, pce_svn;
    struct bytes vendor, user_data;
    struct bytes body;        /* report body: 384, 584 or 648 bytes */
    struct bytes signed_part; /* what the attestation key signed */
    struct bytes sig;         /* r || s */
    struct bytes ak;          /* X || Y */
    struct bytes qe_report, qe_report_sig, qe_auth;
    uint16_t cert_type;
    struct bytes cert_data;
    struct bytes used;        /* the quote up to the end of its signature data */
    struct bytes trailing;
};

/* All of step 1 but the rules on trailing bytes and on certification data, which depend on the door. */
bool quote_parse(struct bytes in, const char *what, struct quote *ret, struct err *e) CHECKED;
/* Reads 384 bytes; shorter input gives zero fields and false. */
bool sgx_body_parse(struct bytes raw, struct sgx_body *ret) CHECKED;

/* -- PCK certificates (pck.c) -- */

struct pck_extension { /* table 3.4 */
    uint8_t ppid[16];
    uint8_t comp_svn[16];
    uint16_t pce_svn;
    uint8_t cpu_svn[16];
    uint8_t pce_id[2];
    uint8_t fmspc[6];
    uint8_t sgx_type;
    bool has_platform_instance;
    uint8_t platform_instance[16];
    int8_t dynamic_platform, cached_keys, smt_enabled; /* -1: not told */
};
bool pck_extension_parse(const struct cert *leaf, struct pck_extension *ret, struct err *e) CHECKED;

/* A chain whose names, order and signatures hold up to a trusted root. Time and revocation are not
 * part of it: they are checked at each use. Owned by whoever made it: pck_chain_free(). */
struct pck_chain {
    struct arena own;
    struct cert leaf, intermediate, root;
    bool has_root; /* else the embedded anchor stood in */
    struct key *leaf_key, *intermediate_key, *root_key;
    struct pck_extension ext;
    bool platform_ca; /* issued by the Platform CA, else the Processor CA */
    uint8_t digest[32];
};
/* From PEM text in any order, or from loose certificates in `pool`. */
bool pck_chain_build(struct bytes pem, const struct trust *trust, struct pck_chain **ret, struct err *e) CHECKED;
void pck_chain_free(struct pck_chain *c);

/* Whether a self-issued certificate is Intel's root (name and key) or a configured anchor. */
bool intel_root_trusted(const struct cert *root, const struct trust *trust);
/* The anchor's key for chains that come without their root. */
bool intel_root_key(struct bytes subject, const struct trust *trust, struct key **ret, struct err *e) CHECKED;

/* -- signed statements (signed_json.c, tcb_info.c, identity.c) -- */

enum level_status {
    LEVEL_UP_TO_DATE,
    LEVEL_SW_HARDENING_NEEDED,
    LEVEL_CONFIGURATION_NEEDED,
    LEVEL_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    LEVEL_OUT_OF_DATE,
    LEVEL_OUT_OF_DATE_CONFIGURATION_NEEDED,
    LEVEL_REVOKED,
    LEVEL_UNRECOGNIZED,
};
const char *level_status_name(enum level_status s); /* "UpToDate" */

struct tcb_level {
    uint8_t sgx[16];
    uint8_t tdx[16];
    uint16_t pce_svn;
    uint16_t isv_svn; /* identities and TDX modules */
    enum level_status status;
    int64_t date;
    const struct bytes *advisories;
    size_t advisory_count;
};

struct tdx_module {
    uint8_t major; /* of "TDX_xx"; 0 for tdxModule */
    struct bytes mr_signer;  /* 48 bytes */
    uint8_t attributes[8], attributes_mask[8];
    struct tcb_level *levels; /* descending isvsvn */
    size_t level_count;
};

struct tcb_info {
    bool tdx;
    int64_t version, eval_number, issue, next;
    uint8_t fmspc[6];
    uint8_t pce_id[2];
    struct tcb_level *levels; /* descending: SGX components, pcesvn, TDX components */
    size_t level_count;
    bool has_module, has_identities;
    struct tdx_module module;
    struct tdx_module *modules;
    size_t module_count;
};
bool tcb_info_parse(const struct json *body, struct arena *a, struct tcb_info *ret, struct err *e) CHECKED;

struct enclave_identity {
    struct bytes id; /* "QE", "TD_QE", ... */
    int64_t eval_number, issue, next;
    uint8_t misc_select[4], misc_mask[4];
    uint8_t attributes[16], attributes_mask[16];
    uint8_t mr_signer[32];
    uint16_t isv_prod_id;
    struct tcb_level *levels; /* descending isvsvn */
    size_t level_count;
};
bool enclave_identity_parse(const struct json *body, struct arena *a, struct enclave_identity *ret,
                            struct err *e) CHECKED;

/* The vendor's evaluation sets (4.3): which numbers there are, and since when. */
struct eval_number {
    int64_t number, event; /* event: date of the recovery that the set answers */
};
struct eval_numbers {
    bool tdx;
    int64_t issue, next;
    struct eval_number *list;
    size_t count;
};
enum { EVAL_STANDARD_AFTER = 365 * 86400 }; /* seconds from its event until a set is the standard */
bool eval_numbers_parse(const struct json *body, struct arena *a, struct eval_numbers *ret, struct err *e) CHECKED;
/* Early is the highest number; standard the highest whose event is a year past. 0: there is none. */
void eval_numbers_pick(const struct eval_numbers *n, int64_t now, int64_t *ret_standard, int64_t *ret_early);
/* Both of a document as it was fetched, unverified: for whoever has to get the sets. */
bool eval_numbers_peek(struct bytes document, int64_t now, struct arena *a, int64_t *ret_standard, int64_t *ret_early) CHECKED;

/* Members that both kinds of level share: tcbDate, tcbStatus, advisoryIDs. */
bool level_common_parse(const struct json *j, struct arena *a, struct tcb_level *ret, struct err *e) CHECKED;
/* `name` as an integer from 0 to max, or ERR_COLLATERAL_FORMAT. */
bool member_uint(const struct json *j, const char *name, int64_t max, int64_t *ret, struct err *e) CHECKED;
bool member_hex(const struct json *j, const char *name, uint8_t *to, size_t n, struct err *e) CHECKED;
bool member_time(const struct json *j, const char *name, int64_t *ret, struct err *e) CHECKED;
const struct json *member_of(const struct json *j, const char *name, enum json_type type, struct err *e);
/* Stable and n log n; `before` says whether x comes first. */
bool levels_sort(struct tcb_level *list, size_t n, struct arena *a,
                 int (*compare)(const struct tcb_level *x, const struct tcb_level *y));

/* {"<member>":{...},"signature":"<128 hex>"}: the object and the exact bytes that are signed. */
struct signed_json {
    const struct json *body;
    struct bytes signed_text;
    uint8_t sig[64];
};
bool signed_json_parse(struct bytes in, const char *member, struct arena *a, struct signed_json *ret,
                       struct err *e) CHECKED;

/* -- collateral: chosen (choose.c), verified and kept (collateral.c) -- */

/* Which items of the bag judge this platform. */
struct intel_choice {
    const struct collateral_item *tcb_info, *identity, *pck_crl, *root_crl;
};
bool intel_choose(const struct pck_chain *chain, bool tdx, const struct verify_env *env,
                  struct intel_choice *ret, struct err *e) CHECKED;
/* The newest list of evaluation numbers; NULL: none is at hand. */
const struct collateral_item *intel_choose_numbers(bool tdx, const struct verify_env *env);
/* Whether what was signed then is within the age that the settings allow. */
bool intel_young_enough(int64_t issued, const struct verify_env *env);

/* A statement whose signature by a trusted TCB signing chain holds. */
struct statement {
    struct arena own;
    struct cert signer, root;
    bool has_root;
    struct tcb_info tcb;              /* of COLL_TCB_INFO */
    struct enclave_identity identity; /* of COLL_QE_IDENTITY */
    struct eval_numbers numbers;      /* of COLL_EVAL_NUMBERS */
    uint8_t item_hash[32], chain_hash[32]; /* as x-ms-sgx-collateral states them */
};
void statement_free(struct statement *s);

struct revocation {
    struct arena own;
    struct crl crl;
    uint8_t item_hash[32];
};

/* Steps 3 to 6 of the algorithm: everything that is not the quote itself. */
struct intel_judge {
    struct intel_choice choice;
    const struct statement *tcb, *identity;
    const struct revocation *root_crl, *pck_crl;
    int64_t earliest_issue, latest_issue, earliest_expiration;
    /* what is not kept in a memo is freed by intel_judge_done() */
    void *owned[4];
    void (*free_owned[4])(void *);
    size_t owned_count;
};
bool intel_judge_make(const struct pck_chain *chain, bool tdx, const struct verify_env *env,
                      struct intel_judge *ret, struct err *e) CHECKED;
void intel_judge_done(struct intel_judge *j);
/* The list of evaluation sets, verified likewise; `by` has judged already. What is not in a memo is owned by *ret_owner. */
bool intel_numbers_get(bool tdx, const struct intel_judge *by, const struct verify_env *env, struct intel_judge *ret_owner,
                       const struct eval_numbers **ret, struct err *e) CHECKED;

/* -- the standard and the early set (sets.c) -- */

/* What one set says of the platform. */
struct tcb_set {
    int64_t number;      /* 0: the vendor's list is not at hand, or names none */
    const char *status;  /* enum tcb_status by name; TCB_SET_MISSING; or the error by which the set refuses the platform */
    const char *missing; /* why nothing can be said; NULL else */
    bool decided;        /* date and advisories are set */
    int64_t date;
    const struct bytes *advisories;
    size_t advisory_count;
};
#define TCB_SET_MISSING "NOT_AT_HAND"
struct tcb_sets {
    bool evaluated; /* settings.tcb_sets */
    struct tcb_set standard, early;
};

/* -- verification (verify.c) -- */

struct sgx_result {
    bool decided;              /* status is set */
    enum tcb_status status;
    enum level_status platform_status, qe_status;
    int64_t tcb_date, qe_date;
    int64_t eval_number, tcb_eval, qe_eval;
    const struct bytes *advisories;
    size_t advisory_count;
    int64_t earliest_issue, latest_issue, earliest_expiration;
    struct pck_extension ext;
    bool platform_ca;
    /* SHA-256 of each collateral document, for x-ms-sgx-collateral */
    uint8_t tcb_info_hash[32], tcb_certs_hash[32], tcb_crl_hash[32];
    uint8_t qe_id_hash[32], qe_certs_hash[32], qe_crl_hash[32];
    struct tcb_sets sets;
};

/* Steps 2 to 13 without the platform level: chain, collateral, QE, quote signature. On success the
 * caller owns both: intel_judge_done(), and pck_chain_free() if *ret_own_chain. */
struct quote_verified {
    struct pck_chain *chain;
    bool own_chain;
    struct key *ak; /* attestation key */
    bool own_ak;
    struct intel_judge judge;
    const struct tcb_level *qe_level;
};
bool quote_verify_common(const struct quote *q, const struct verify_env *env, struct quote_verified *ret,
                         struct err *e) CHECKED;
void quote_verified_done(struct quote_verified *v);
/* The same platform under other settings: steps 3 to 7 and 10 to 12 once more, for a quote that holds. *ret borrows from v. */
bool quote_judge_again(const struct quote *q, const struct quote_verified *v, const struct verify_env *env,
                       struct quote_verified *ret, struct err *e) CHECKED;
/* Both sets, each judged by the room's own `judge`, which fills status, date and advisories. false: out of memory. */
bool tcb_sets_evaluate(const struct quote *q, const struct quote_verified *v, const struct verify_env *env,
                       bool (*judge)(const void *evidence, const struct quote_verified *v, const struct verify_env *env,
                                     struct tcb_set *ret, struct err *e),
                       const void *evidence, struct tcb_sets *ret, struct err *e) CHECKED;
/* Claims about sets and about the age that was demanded; nothing where neither was. */
void tcb_sets_claims(const struct tcb_sets *s, const struct verify_env *env, struct claims *c);

bool sgx_quote_verify(const struct quote *q, const struct verify_env *env, struct sgx_result *ret, struct err *e) CHECKED;

/* Step 14: the first level that the platform reaches; NULL with the reason in e. */
const struct tcb_level *sgx_platform_level(const struct pck_extension *x, const struct tcb_info *tcb,
                                           const struct verify_env *env, struct err *e);
/* Step 12, likewise for the quoting enclave. */
const struct tcb_level *qe_level(const struct quote *q, const struct enclave_identity *id, const struct verify_env *env,
                                 struct err *e);
/* Step 15: table of convergence. */
enum tcb_status tcb_converge(enum level_status platform, enum level_status qe);
/* Whether settings accept the status; the refusal names both. */
bool tcb_status_accepted(enum tcb_status s, const struct verify_env *env, const char *what, struct err *e) CHECKED;
/* Union in first-seen order. */
bool advisories_join(struct arena *a, const struct tcb_level *const *levels, size_t count,
                     const struct bytes **ret, size_t *ret_count);
void sgx_result_collateral(const struct intel_judge *j, struct sgx_result *ret);

/* -- what SGX and Open Enclave share (claims.c) -- */

struct sgx_evidence {
    struct bytes submitted; /* the evidence as sent: quotehash is over it */
    struct quote quote;
    struct sgx_body body;
    struct bytes custom_claims; /* Open Enclave evidence */
    bool custom_claims_bound;   /* report data is the hash of custom_claims, not of runtime data */
    struct sgx_result result;
};
bool sgx_evidence_needs(const void *ev, const struct settings *s, struct needs *ret, struct err *e);
bool sgx_evidence_genuine(const void *ev, const struct trust *trust, struct err *e);
bool sgx_evidence_verify(void *ev, const struct verify_env *env, struct err *e);
bool sgx_evidence_bound(void *ev, const struct evidence_input *in, const struct verify_env *env, struct err *e);
bool sgx_evidence_claims(const void *ev, const struct evidence_input *in, const struct verify_env *env,
                         struct claims *ret, struct err *e);
const char *sgx_evidence_status(const void *ev);
/* Whether the embedded PCK chain holds up to a trusted root; quotes without one ask for nothing. */
bool sgx_quote_genuine(const struct quote *q, const struct trust *trust, struct err *e);
/* The names of table 3.3: certificate data of type 5 is required at this door. */
bool sgx_needs_of(const struct quote *q, bool tdx, const struct settings *s, struct needs *ret, struct err *e);

#endif
