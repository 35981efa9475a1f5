/* snp_priv.h: what the files of this room share. */
#ifndef AVOUCH_EVIDENCE_SNP_PRIV_H
#define AVOUCH_EVIDENCE_SNP_PRIV_H

#include "evidence/snp/snp.h"

/* Certificates as base64 of their DER. */
struct snp_root {
    const char *ark;
    const char *ca[2];    /* by enum snp_signing_key: ASK, ASVK */
    uint8_t ark_spki[32]; /* SHA-256 of the ARK's SubjectPublicKeyInfo: the pin */
};
extern const struct snp_root snp_roots[SNP_LINES];

/* A CA that a trust anchor issued; owns its memory. */
struct snp_ca {
    struct arena own; /* of this struct itself, sized to it */
    struct key *key, *ark_key;
    struct cert cert, ark; /* views into `mem` */
    uint8_t mem[];
};

/* A VCEK or VLEK that a CA issued; owns its memory. */
struct snp_leaf {
    struct arena own;
    uint8_t ca_hash[32]; /* SHA-256 of the DER of that CA */
    enum snp_line line;
    enum snp_signing_key kind;
    struct key *key;
    struct cert cert;      /* views into `mem` */
    struct snp_tcb spl;
    struct bytes hwid;     /* VCEK: 64 bytes, Turin 8 */
    struct bytes product;  /* "Milan-B0", or empty */
    struct bytes csp;      /* VLEK, or empty */
    uint8_t mem[];
};

/* A verified chain. What was verified just now is owned until snp_chain_done() hands it to the memo. */
struct snp_chain {
    struct snp_leaf *leaf;
    struct snp_ca *ca;
    bool own_leaf, own_ca;
    bool crl_verified;
    uint8_t crl_key[32];
};

/* Reads the extensions of section 2.2. */
bool snp_leaf_extensions(struct snp_leaf *leaf, struct err *e) CHECKED;
/* Steps 3 to 7 of section 3: leaf, line, signatures up to an anchor, times, revocation. */
bool snp_chain_verify(const struct snp_evidence *ev, const struct verify_env *env, struct snp_chain *ret,
                      struct err *e) CHECKED;
void snp_chain_done(struct snp_chain *c, struct memo *memo);
/* A CA alone: that a trust anchor of the line issued it, and the times of both; *ret_ark lives in env->a. */
bool snp_ca_check(const struct cert *cert, enum snp_line line, const struct verify_env *env, struct cert *ret_ark,
                  struct err *e) CHECKED;
bool snp_check_time(const struct cert *c, const struct verify_env *env, struct err *e) CHECKED;
/* AMD's root of this line, from its base64; false: out of memory. */
bool snp_ark_embedded(enum snp_line line, struct arena *a, struct cert *ret) CHECKED;

#endif
