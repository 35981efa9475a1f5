/* amd_pki.h: a processor vendor of our own for tests: root, CAs, leaves, revocation lists, reports. */
#ifndef AVOUCH_TESTS_PKI_AMD_PKI_H
#define AVOUCH_TESTS_PKI_AMD_PKI_H

#include "base/arena.h"
#include "evidence/snp/snp.h"

#include <openssl/evp.h>

struct amd_pki {
    struct arena *a;
    enum snp_line line;
    EVP_PKEY *ark, *ca[2];      /* ca: by enum snp_signing_key */
    struct bytes ark_der, ca_der[2];
    long ca_serial[2];
    int64_t now;                /* everything is valid from a year before to ten years after */
};

/* `bits` 4096 is what the verifier demands. Keys of the same call order are made anew each time. */
void amd_pki_init(struct amd_pki *p, enum snp_line line, int64_t now, int bits, struct arena *a);
void amd_pki_done(struct amd_pki *p);
/* Another line, or another time, with the keys at hand. */
void amd_pki_relabel(struct amd_pki *p, enum snp_line line, struct amd_pki *ret);

struct amd_leaf_spec {
    enum snp_signing_key kind;
    struct snp_tcb spl;
    uint8_t hwid[64];
    size_t hwid_size;           /* 0: none */
    bool hwid_wrapped;          /* inside an OCTET STRING */
    const char *product;        /* NULL: none */
    const char *cn;             /* NULL: as the kind says */
    const char *csp;
    int64_t not_before, not_after; /* 0: as the PKI */
    unsigned omit;              /* bit n: leave the n-th SPL out */
    int spl_override;           /* > 255: blSPL of this value */
    bool pkcs1;                 /* signed with RSASSA-PKCS1-v1_5 */
    bool p256;                  /* key on the wrong curve */
    bool odd_critical;          /* a critical extension that nobody knows */
};
struct amd_leaf {
    EVP_PKEY *key;
    struct bytes der;
};
struct amd_leaf_spec amd_leaf_spec(const struct amd_pki *p, enum snp_signing_key kind, unsigned chip);
struct amd_leaf amd_leaf_new(const struct amd_pki *p, const struct amd_leaf_spec *spec);

/* A report that fits the leaf, version 3 for Milan and Genoa, 5 for Turin, not yet signed; then signed. */
uint8_t *amd_report(const struct amd_pki *p, const struct amd_leaf_spec *spec);
void amd_report_sign(uint8_t *report, EVP_PKEY *key);

/* A CRL of the ARK; `serial` 0: empty list. */
struct bytes amd_crl(const struct amd_pki *p, long serial, int64_t from, int64_t to, EVP_PKEY *signer);

/* PEM of the certificates one behind the other. */
struct bytes amd_pem(struct arena *a, const struct bytes *ders, size_t n);

#endif
