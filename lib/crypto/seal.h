/* seal.h: encryption: AES-256-GCM for what we seal, RSA and ECDH for what only a TPM may open.
 *
 * What must be random is an argument wherever the standard lets it be one; the padding of RSA is
 * libcrypto's own. */
#ifndef AVOUCH_CRYPTO_SEAL_H
#define AVOUCH_CRYPTO_SEAL_H

#include "base/arena.h"
#include "base/err.h"
#include "crypto/key.h"

enum { GCM_KEY_SIZE = 32, GCM_IV_SIZE = 12, GCM_TAG_SIZE = 16 };

/* AES-256-GCM (SP 800-38D). `to` has room for plain.n bytes. A key and IV are used once together. */
void gcm_seal(const uint8_t key[GCM_KEY_SIZE], const uint8_t iv[GCM_IV_SIZE], struct bytes aad, struct bytes plain,
              uint8_t *to, uint8_t tag[GCM_TAG_SIZE]);
/* false: the tag does not fit; `to` is then undefined and must not be used. */
bool gcm_open(const uint8_t key[GCM_KEY_SIZE], const uint8_t iv[GCM_IV_SIZE], struct bytes aad, struct bytes sealed,
              struct bytes tag, uint8_t *to) CHECKED;

/* RSAES-PKCS1-v1_5 (RFC 8017 7.2): only where the receiver accepts nothing else (Azure guest tokens). */
bool rsa_encrypt_pkcs1(struct key *k, struct bytes plain, const char *what, struct arena *a, struct bytes *ret,
                       struct err *e) CHECKED;
/* RSAES-OAEP (RFC 8017 7.1), the same hash for MGF1. The label is hashed as given. */
bool rsa_encrypt_oaep(struct key *k, enum hash_alg h, struct bytes label, struct bytes plain, const char *what,
                      struct arena *a, struct bytes *ret, struct err *e) CHECKED;

/* AES-128-CFB with a zero IV, as TPMs protect credentials (TPM 2.0 Part 1, 24.4). In place. */
void aes128_cfb_zero_iv(const uint8_t key[16], uint8_t *data, size_t n);

/* An ephemeral key on the peer's curve: its point X || Y and the shared x coordinate, both padded to
 * the field. `point` has room for 132 bytes, `z` for 66. */
bool ecdh_ephemeral(struct key *peer, uint8_t *point, uint8_t *z, size_t *ret_field, struct err *e) CHECKED;

#endif
