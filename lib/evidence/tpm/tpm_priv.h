/* tpm_priv.h: what the files of the protocol share. */
#ifndef AVOUCH_EVIDENCE_TPM_TPM_PRIV_H
#define AVOUCH_EVIDENCE_TPM_TPM_PRIV_H

#include "evidence/tpm/tpm.h"

/* jwk.c */
bool tpm_jwk_parse(const struct json *j, bool allow_ec, const char *what, struct arena *a,
                   struct tpm_jwk *ret, struct err *e) CHECKED;
bool tpm_key_object_parse(const struct json *j, const char *what, struct arena *a, struct tpm_key_object *ret,
                          struct err *e) CHECKED;
/* The key's binding to the attestation key and this challenge; ret_quote_nonce is what the quote
 * must hold. */
bool tpm_key_object_check(const struct tpm_key_object *k, struct key *aik, struct bytes challenge,
                          const char *what, struct err *e) CHECKED;
struct digest tpm_key_object_nonce(const struct tpm_key_object *k, struct bytes challenge);
/* {"jwk":..., "info":...} as policies see it. */
struct bytes tpm_key_object_json(const struct tpm_key_object *k, struct arena *a);

/* request.c: members of a request; both fail with ERR_JWS_FORMAT and the member's name. */
bool tpm_member_bytes(const struct json *j, const char *name, bool required, struct arena *a,
                      struct bytes *ret, struct err *e) CHECKED;

/* padblob.c: what NCryptCreateClaim makes (version 1). */
bool tpm_claim_blob_parse(struct bytes in, const char *what, struct tpm_attestation *ret,
                          struct err *e) CHECKED;

#endif
