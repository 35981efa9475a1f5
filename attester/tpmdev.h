/* tpmdev.h: the machine's TPM 2.0 through tpm2-tss (ESYS): keys, PCRs, quotes, certifications.
 *
 * Everything comes back as marshalled bytes in an arena, ready to be sent or verified by lib/evidence/tpm.
 * Failures are ERR_UNAVAILABLE with the TPM's own words: the platform's fault, never a refusal. */
#ifndef AVOUCH_ATTESTER_TPMDEV_H
#define AVOUCH_ATTESTER_TPMDEV_H

#include "base/arena.h"
#include "base/err.h"
#include "evidence/tpm/attest.h"

enum {
    TPMDEV_AK_HANDLE = 0x81010010,  /* where our attestation key is kept, if it is */
    TPMDEV_EK_HANDLE = 0x81010001,  /* TCG EK Credential Profile: RSA 2048 */
    TPMDEV_EK_CERT = 0x01c00002,
    TPMDEV_AZURE_AK_CERT = 0x01c101d0,
    TPMDEV_PCRS_DEFAULT = 0xffffff, /* all: what a provider asks for unless its policy says otherwise */
};

struct tpmdev;

/* `tcti` as tpm2-tss writes it: "device:/dev/tpmrm0", "swtpm:path=/run/swtpm". */
bool tpmdev_open(const char *tcti, struct tpmdev **ret, struct err *e) CHECKED;
void tpmdev_close(struct tpmdev *t);

struct tpmdev_key {
    uint32_t handle;      /* ESYS_TR */
    bool transient;       /* flushed by tpmdev_key_done() */
    struct bytes public;  /* TPMT_PUBLIC */
    struct bytes name;
};

/* The attestation key: the persistent one if it is there and a restricted signing key, else the primary
 * key of our template in the endorsement hierarchy, which is the same at each call. */
bool tpmdev_ak(struct tpmdev *t, uint32_t handle, struct arena *a, struct tpmdev_key *ret,
               struct err *e) CHECKED;
/* Keeps it at a persistent handle, so that making it anew (seconds on a slow TPM) is not needed. */
bool tpmdev_keep(struct tpmdev *t, const struct tpmdev_key *k, uint32_t handle, struct err *e) CHECKED;
/* The endorsement key, RSA 2048 or ECC P-256: the persistent RSA one, else made from the standard
 * template. */
bool tpmdev_ek(struct tpmdev *t, bool ecc, struct arena *a, struct tpmdev_key *ret, struct err *e) CHECKED;
/* A fresh RSA key of this boot in the null hierarchy, for signing requests. */
bool tpmdev_request_key(struct tpmdev *t, struct arena *a, struct tpmdev_key *ret, struct err *e) CHECKED;
void tpmdev_key_done(struct tpmdev *t, struct tpmdev_key *k);

/* One bank's PCRs of the mask. */
bool tpmdev_pcrs(struct tpmdev *t, const struct tpm_bank *bank, uint32_t mask, struct pcr_set *ret,
                 struct err *e) CHECKED;
/* TPMS_ATTEST and TPMT_SIGNATURE. */
bool tpmdev_quote(struct tpmdev *t, const struct tpmdev_key *ak, struct bytes nonce,
                  const struct tpm_bank *bank, uint32_t mask, struct arena *a, struct bytes *ret_attest,
                  struct bytes *ret_sig, struct err *e) CHECKED;
bool tpmdev_certify(struct tpmdev *t, const struct tpmdev_key *k, const struct tpmdev_key *ak,
                    struct bytes nonce, struct arena *a, struct bytes *ret_attest, struct bytes *ret_sig,
                    struct err *e) CHECKED;
/* PS256 over the data: the bare signature. */
bool tpmdev_sign(struct tpmdev *t, const struct tpmdev_key *k, struct bytes data, struct arena *a,
                 struct bytes *ret, struct err *e) CHECKED;
/* Both inputs with their sizes in front, as tpm_make_credential() makes them. */
bool tpmdev_activate(struct tpmdev *t, const struct tpmdev_key *ak, const struct tpmdev_key *ek,
                     struct bytes id_object, struct bytes encrypted, struct arena *a,
                     struct bytes *ret_secret, struct err *e) CHECKED;
/* The whole content of an NV index; empty where it does not exist. */
bool tpmdev_nv(struct tpmdev *t, uint32_t index, struct arena *a, struct bytes *ret, struct err *e) CHECKED;
bool tpmdev_extend(struct tpmdev *t, unsigned pcr, const struct tpm_bank *bank, struct bytes digest,
                   struct err *e) CHECKED;

#endif
