/* akcert.h: certificates of attestation keys (TCG EK Credential Profile, TCG 2.23.133.8.3), and binding
 * an attestation key to an endorsement key by credential activation (TPM 2.0 Part 1, 24). */
#ifndef AVOUCH_EVIDENCE_TPM_AKCERT_H
#define AVOUCH_EVIDENCE_TPM_AKCERT_H

#include "crypto/cert.h"
#include "evidence/evidence.h"
#include "evidence/tpm/attest.h"

enum { AK_CERT_MAX = 16 << 10, AK_CHAIN_MAX = 6 };

/* DER, followed by zeros or FFs as NV indices pad it, or PEM. ERR_AK_CERT_FORMAT. */
bool ak_cert_read(struct bytes in, const char *what, struct arena *a, struct cert *ret,
                  struct err *e) CHECKED;
/* The certificate is for this key: ERR_AK_CERT_MISMATCH. */
bool ak_cert_check_key(const struct cert *c, const struct key *k, const char *what, struct err *e) CHECKED;
/* To an anchor of env->trust or one of the vendors' roots that are known by fingerprint (found in the
 * collateral or in `more`). ERR_AK_CERT_CHAIN, ERR_CERT_EXPIRED, ERR_CERT_REVOKED. Anchors need not be
 * self-signed; a CRL of the collateral counts if the issuer signed it, its absence is no error. */
bool ak_cert_check_chain(const struct cert *leaf, const struct cert *more, size_t more_count,
                         const struct verify_env *env, const char *what, struct err *e) CHECKED;
/* The same for an endorsement key's certificate (2.23.133.8.1). */
bool ek_cert_check_chain(const struct cert *leaf, const struct cert *more, size_t more_count,
                         const struct verify_env *env, const char *what, struct err *e) CHECKED;

/* TPM2_MakeCredential without a TPM: only the TPM that holds `ek` and an object named `name` recovers the
 * secret. The EK has the standard template: name algorithm SHA-256, AES-128-CFB. `seed` is random and
 * used for RSA keys. Both results carry their own size, as TPM2B. */
bool tpm_make_credential(struct key *ek, struct bytes name, struct bytes secret, const uint8_t seed[32],
                         struct arena *a, struct bytes *ret_id_object, struct bytes *ret_encrypted,
                         struct err *e) CHECKED;

#endif
