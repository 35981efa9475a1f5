/* attest.h: what a TPM 2.0 says and signs: attestations, signatures, public areas, PCR values.
 *
 * Layouts: TPM 2.0 Library Part 2 (10.12 TPMS_ATTEST, 11.3 TPMT_SIGNATURE, 12.2 TPMT_PUBLIC), all
 * big-endian and packed. Parsed structs point into their input. */
#ifndef AVOUCH_EVIDENCE_TPM_ATTEST_H
#define AVOUCH_EVIDENCE_TPM_ATTEST_H

#include "base/arena.h"
#include "base/err.h"
#include "crypto/key.h"

enum tpm_alg {
    TPM_RSA = 0x0001,
    TPM_SHA1 = 0x0004,
    TPM_SHA256 = 0x000b,
    TPM_SHA384 = 0x000c,
    TPM_SHA512 = 0x000d,
    TPM_NULL = 0x0010,
    TPM_SM3_256 = 0x0012,
    TPM_RSASSA = 0x0014,
    TPM_RSAES = 0x0015,
    TPM_RSAPSS = 0x0016,
    TPM_OAEP = 0x0017,
    TPM_ECDSA = 0x0018,
    TPM_ECDH = 0x0019,
    TPM_ECDAA = 0x001a,
    TPM_ECC = 0x0023,
    TPM_SHA3_256 = 0x0027,
    TPM_SHA3_384 = 0x0028,
    TPM_SHA3_512 = 0x0029,
};

enum tpm_attest_type {
    TPM_ATTEST_CERTIFY = 0x8017,
    TPM_ATTEST_QUOTE = 0x8018,
    TPM_ATTEST_CREATION = 0x801a,
};

/* TPMA_OBJECT (Part 2, 8.3). */
#define TPM_FIXED_TPM 0x2u
#define TPM_FIXED_PARENT 0x10u
#define TPM_SENSITIVE_DATA_ORIGIN 0x20u
#define TPM_USER_WITH_AUTH 0x40u
#define TPM_RESTRICTED 0x10000u
#define TPM_DECRYPT 0x20000u
#define TPM_SIGN 0x40000u

enum { TPM_PCRS = 24, TPM_BANKS = 8 };

/* A hash algorithm as a PCR bank. */
struct tpm_bank {
    uint16_t alg;
    uint8_t size;
    bool known;         /* this library computes it; others are parsed and skipped */
    uint8_t rank;       /* the higher, the stronger */
    enum hash_alg hash; /* where known */
    const char *name;   /* "SHA256", as in claims */
    const char *lower;  /* "sha256", as on the command line */
};
const struct tpm_bank *tpm_bank(uint16_t alg); /* NULL: not a hash of the TPM registry */
const struct tpm_bank *tpm_bank_named(struct bytes name); /* either spelling, any case */
const struct tpm_bank *tpm_bank_at(size_t i);  /* all of them; NULL behind the last */

/* PCR values by bank: what a sender claims, or what a quote proved. */
struct pcr_bank {
    const struct tpm_bank *bank;
    uint32_t present; /* bit i: value[i] is set */
    uint8_t value[TPM_PCRS][HASH_MAX_SIZE];
};
struct pcr_set {
    struct pcr_bank bank[TPM_BANKS];
    size_t count;
};
struct pcr_bank *pcr_set_find(const struct pcr_set *s, const struct tpm_bank *bank);
/* The bank, made if it is not there; NULL: no room. */
struct pcr_bank *pcr_set_bank(struct pcr_set *s, const struct tpm_bank *bank);
/* The value of one PCR, empty if absent. */
struct bytes pcr_value(const struct pcr_bank *b, unsigned index);
/* Of the size of the bank's hash and an index below 24; false otherwise, or if it is there already. */
bool pcr_put(struct pcr_bank *b, unsigned index, struct bytes value);

struct tpm_select {
    uint16_t alg;
    uint32_t pcrs; /* bit i: PCR i; up to 32 */
};

struct tpm_attest {
    struct bytes all;
    uint16_t type;
    struct bytes signer; /* qualifiedSigner: cannot be checked from a request */
    struct bytes extra;  /* extraData, the caller's qualifyingData */
    uint64_t clock;
    uint32_t resets, restarts;
    bool safe;
    uint64_t firmware;
    struct tpm_select select[TPM_BANKS]; /* quote */
    size_t select_count;
    struct bytes pcr_digest;
    struct bytes name, qualified_name;   /* certify; creation: name and hash */
};

/* Quote, certify and creation; the whole input. `code` is the error. A TPM 1.2 quote is told apart by
 * its own error, ERR_TPM_VERSION. */
bool tpm_attest_parse(struct bytes in, enum err_code code, const char *what, struct tpm_attest *ret,
                      struct err *e) CHECKED;

struct tpm_public {
    struct bytes area; /* TPMT_PUBLIC as received: what the name is made of */
    uint16_t type, name_alg;
    uint32_t attributes;
    struct bytes policy;
    uint16_t symmetric, symmetric_bits, scheme, scheme_hash;
    uint16_t bits, curve; /* RSA, ECC */
    uint32_t exponent;    /* 0 means 65537 */
    struct bytes n, x, y;
};

/* TPMT_PUBLIC or TPM2B_PUBLIC: tools disagree which of the two a "public area" is. */
bool tpm_public_parse(struct bytes in, enum err_code code, const char *what, struct tpm_public *ret,
                      struct err *e) CHECKED;
bool tpm_public_key(const struct tpm_public *p, enum err_code code, const char *what, struct key **ret,
                    struct err *e) CHECKED;
/* nameAlg || H(area) (Part 1, 16); false where the name algorithm is not computed here. */
bool tpm_public_name(const struct tpm_public *p, uint8_t to[2 + HASH_MAX_SIZE], size_t *ret_n) CHECKED;
bool tpm_public_named(const struct tpm_public *p, struct bytes name);
/* The certified name is that of this area, by an algorithm that binds it: with SHA-1 two areas can have one name
 * (ERR_CERTIFY_NAME). */
bool tpm_public_check_name(const struct tpm_public *p, struct bytes name, const char *what, struct err *e) CHECKED;
/* An attestation key: a restricted signing key that the TPM made and keeps (ERR_AK_KEY). */
bool tpm_public_check_ak(const struct tpm_public *p, const char *what, struct err *e) CHECKED;
/* Whether the key is the one of this public area. */
bool tpm_public_is_key(const struct tpm_public *p, const struct key *k);

enum tpm_sig_form {
    TPM_SIG_TPMT,         /* TPMT_SIGNATURE only */
    TPM_SIG_TPMT_OR_BARE, /* or the bare RSASSA signature, as long as the modulus */
};

/* Verifies a signature over `data`. Codes: format_code for the structure, alg_code for an algorithm
 * that is not accepted, sig_code for one that does not verify. */
struct tpm_sig_rule {
    enum tpm_sig_form form;
    bool allow_sha1;
    enum err_code format_code, alg_code, sig_code;
};
bool tpm_signature_verify(struct bytes sig, struct key *k, struct bytes data, const struct tpm_sig_rule *rule,
                          const char *what, enum hash_alg *ret_hash, struct err *e) CHECKED;

struct tpm_quote_check {
    struct bytes attest, signature;
    struct key *key;
    const struct pcr_set *claimed;
    bool exact;          /* superfluous values are an error */
    bool any_nonce;
    struct bytes nonce;  /* expected extraData, byte for byte, also when empty */
    enum tpm_sig_form form;
    bool allow_sha1;
    const char *what;    /* for errors: "current_attestation.quote" */
};
/* Steps 1 to 7 of evidence-tpm section 2. ret_verified gets the values that the quote proves. */
bool tpm_quote_verify(const struct tpm_quote_check *q, struct tpm_attest *ret, struct pcr_set *ret_verified,
                      struct err *e) CHECKED;

#endif
