/* snp.h: AMD SEV-SNP attestation reports: layout, certificates, comparisons, claims (evidence-snp).
 *
 * evidence_snp in snp.c ties the pieces together; other rooms (Azure guests, the explainer) use them singly. */
#ifndef AVOUCH_EVIDENCE_SNP_SNP_H
#define AVOUCH_EVIDENCE_SNP_SNP_H

#include "evidence/evidence.h"

enum {
    SNP_REPORT_SIZE = 1184,
    SNP_SIGNED_SIZE = 0x2a0,
    SNP_MAX_CERTS = 8,
    SNP_MAX_CERT_SIZE = 8 << 10,
    SNP_MAX_VERSION = 5,
};

/* Processor lines with roots of their own. */
enum snp_line {
    SNP_MILAN,
    SNP_GENOA, /* also Bergamo, Siena */
    SNP_TURIN,
    SNP_LINES,
    SNP_VENICE,      /* known, its roots are not published */
    SNP_LINE_UNKNOWN, /* report versions 1 and 2 do not say */
};
const char *snp_line_name(enum snp_line line); /* "Milan" */

/* A TCB_VERSION taken apart (table 1.4); fmc counts on Turin only. */
struct snp_tcb {
    uint8_t fmc, bl, tee, snp, ucode;
};

/* Guest policy bits (table 1.2). */
#define SNP_POLICY_SMT (UINT64_C(1) << 16)
#define SNP_POLICY_RESERVED_ONE (UINT64_C(1) << 17)
#define SNP_POLICY_MIGRATE_MA (UINT64_C(1) << 18)
#define SNP_POLICY_DEBUG (UINT64_C(1) << 19)
#define SNP_POLICY_SINGLE_SOCKET (UINT64_C(1) << 20)
#define SNP_POLICY_CXL_ALLOW (UINT64_C(1) << 21)
#define SNP_POLICY_MEM_AES_256_XTS (UINT64_C(1) << 22)
#define SNP_POLICY_RAPL_DIS (UINT64_C(1) << 23)
#define SNP_POLICY_CIPHERTEXT_HIDING (UINT64_C(1) << 24)
#define SNP_POLICY_PAGE_SWAP_DISABLE (UINT64_C(1) << 25)
#define SNP_POLICY_KNOWN ((UINT64_C(1) << 26) - 1)

#define SNP_KEY_AUTHOR 1u
#define SNP_KEY_MASK_CHIP 2u
enum snp_signing_key {
    SNP_VCEK = 0,
    SNP_VLEK = 1,
    SNP_KEY_NONE = 7,
};

struct snp_version {
    uint8_t major, minor, build;
};

/* ATTESTATION_REPORT (table 1.1). Views point into `raw`. */
struct snp_report {
    struct bytes raw;         /* all 1184 bytes */
    struct bytes signed_part; /* raw[0, 0x2a0) */
    uint32_t version, guest_svn;
    uint64_t policy;
    struct bytes family_id, image_id;
    uint32_t vmpl, signature_algo;
    struct bytes current_tcb; /* eight bytes each: which byte means what depends on the line */
    uint64_t platform_info;
    uint32_t key_info;
    struct bytes report_data, measurement, host_data, id_key_digest, author_key_digest, report_id, report_id_ma;
    struct bytes reported_tcb;
    bool has_cpuid; /* version 3 and later */
    uint8_t family, model, stepping;
    struct bytes chip_id, committed_tcb;
    struct snp_version current, committed;
    struct bytes launch_tcb;
    bool has_mitigations; /* version 5 and later */
    uint64_t launch_mit, current_mit;
    struct bytes r, s;    /* little-endian, 72 bytes each */
    bool signed_reserved_set; /* a signed reserved range is not zero: firmware ahead of its documents */
};

/* Layout and the structural checks of section 1.8 that need no option. */
bool snp_report_parse(struct bytes in, struct snp_report *ret, struct err *e) CHECKED;
/* The rest of 1.8: version range, policy, keys, reserved bytes, VMPL. */
bool snp_report_check(const struct snp_report *r, bool allow_v1, struct checks *list, struct err *e) CHECKED;
enum snp_signing_key snp_report_key(const struct snp_report *r);
/* By CPUID; SNP_LINE_UNKNOWN for versions 1 and 2. */
enum snp_line snp_report_line(const struct snp_report *r);
/* r || s big-endian, 48 bytes each; false: a value does not fit. */
bool snp_report_signature(const struct snp_report *r, uint8_t ret[96]);

struct snp_tcb snp_tcb_read(struct bytes eight, enum snp_line line);
bool snp_tcb_at_least(struct snp_tcb a, struct snp_tcb b); /* every component of a >= that of b */
const char *snp_tcb_text(struct snp_tcb t, enum snp_line line, struct arena *a);

/* -- certificate table of the extended guest request (GHCB), section 2.5 -- */

struct snp_certtable {
    struct bytes vcek, vlek, ask, ark; /* empty: absent */
    struct bytes host_cpuid;           /* go-sev-guest's extra entry */
    size_t entries;
};
bool snp_certtable_parse(struct bytes in, struct snp_certtable *ret, struct err *e) CHECKED;

/* -- certificates and lists without a report, for whoever keeps them (vet.c) -- */

struct snp_leaf_facts {
    enum snp_line line;
    enum snp_signing_key kind;
    struct snp_tcb tcb;
    struct bytes hwid; /* VCEK: 64 bytes, Turin 8; in the arena */
};
/* Steps 3 to 6 of section 3 for the leaf among the certificates (in any order; its CA may be left out). Revocation
 * is not looked at. */
bool snp_leaf_verify(struct cert *certs, size_t count, const struct trust *trust, int64_t now, struct arena *a,
                     struct snp_leaf_facts *ret, struct err *e) CHECKED;
/* The issuer of this line's leaves of this kind among the certificates, up to a trust anchor. */
bool snp_issuer_verify(const struct cert *certs, size_t count, enum snp_line line, enum snp_signing_key kind,
                       const struct trust *trust, int64_t now, struct arena *a, struct err *e) CHECKED;
/* That a trust anchor of the line signed the list, and that it says when it ends (section 2.6). */
bool snp_crl_verify(const struct crl *crl, enum snp_line line, const struct trust *trust, struct arena *a,
                    struct err *e) CHECKED;
/* What a VCEK says of itself; nothing is verified. Its chip id is a view into the certificate. */
bool snp_leaf_read(const struct cert *vcek, struct snp_leaf_facts *ret, struct err *e) CHECKED;
bool snp_line_find(struct bytes name, enum snp_line *ret); /* "Milan"; false: no line with a root */

/* -- ID block and ID authentication, section 3.2 -- */

struct snp_id {
    bool has_author;
    struct digest id_key_digest, author_key_digest;
};
/* Format and both signatures. */
bool snp_id_verify(struct bytes block, struct bytes auth, struct checks *list, struct snp_id *ret,
                   struct err *e) CHECKED;
/* ... and that the report was launched with them. */
bool snp_id_check(struct bytes block, const struct snp_id *id, const struct snp_report *r, struct checks *list,
                  struct err *e) CHECKED;

/* -- the evidence -- */

struct snp_uvm;    /* uvm.h */
struct hcl_report; /* hcl.h */

struct snp_evidence {
    struct snp_report report;
    struct cert *certs; /* as sent, in any order */
    size_t cert_count;
    struct bytes *uvm;  /* COSE_Sign1 endorsements as sent */
    size_t uvm_count;
    struct hcl_report *hcl; /* the report came inside one, or NULL */
    struct bytes id_block, id_auth; /* as sent with it; both or neither */
    /* after verify */
    enum snp_line line;
    enum snp_signing_key key;
    struct snp_tcb reported;
    struct bytes csp_id;
    const struct snp_uvm *endorsed; /* the endorsement that fits, or NULL */
    bool id_verified;               /* the ID block that came with the report is the one of its launch */
};

extern const struct evidence_kind evidence_snp;

/* Raw report (alone, with a certificate table behind it, or inside an HCL report), or the JSON of the REST
 * member `report`. */
bool snp_evidence_parse(struct bytes in, struct arena *a, struct snp_evidence **ret, struct err *e) CHECKED;
/* From parts, for other rooms: `chain` is PEM or DER, may be empty. */
bool snp_evidence_make(struct bytes report, struct bytes chain, struct arena *a, struct snp_evidence **ret,
                       struct err *e) CHECKED;
bool snp_evidence_needs(const struct snp_evidence *ev, const struct settings *s, struct needs *ret,
                        struct err *e) CHECKED;
bool snp_evidence_verify(struct snp_evidence *ev, const struct verify_env *env, struct err *e) CHECKED;
/* `runtime` is the JSON that is bound by the report data, or empty. */
void snp_evidence_claims(const struct snp_evidence *ev, const struct verify_env *env, struct bytes runtime,
                         struct claims *ret);
/* The claims x-ms-sevsnpvm-* alone. */
void snp_report_claims(const struct snp_report *r, struct snp_tcb reported, struct claims *ret);

/* JSON object for x-ms-isolation-tee (claims.md section 4): type, compliance, runtime and report claims. */
struct bytes snp_isolation_json(const struct snp_evidence *ev, const struct verify_env *env, struct bytes runtime,
                                struct arena *a);

#endif
