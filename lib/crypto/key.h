/* key.h: public keys and signature verification on libcrypto (P-384: see p384.h).
 *
 * Keys are heap objects (libcrypto's handles cannot live in an arena): AUTO_KEY frees at the end of
 * the scope. d2i_PUBKEY and friends are not used: libcrypto 3.0's decoders are slow and serialise. */
#ifndef AVOUCH_CRYPTO_KEY_H
#define AVOUCH_CRYPTO_KEY_H

#include "base/arena.h"
#include "base/err.h"
#include "crypto/hash.h"

enum sig_alg {
    SIG_NONE, /* an algorithm that this library does not verify */
    SIG_ES256,
    SIG_ES384,
    SIG_ES512,
    SIG_RS1, /* RSASSA-PKCS1-v1_5 with SHA-1: only where a caller asks for it by name (TPM) */
    SIG_RS256,
    SIG_RS384,
    SIG_RS512,
    SIG_PS256, /* RSASSA-PSS, MGF1 with the same hash, salt as long as the hash */
    SIG_PS384,
    SIG_PS512,
    SIG_PS256_ANY_SALT, /* TPMs differ in the salt length of RSAPSS (TPM 2.0 Part 1, B.7): only for them */
    SIG_PS384_ANY_SALT,
    SIG_PS512_ANY_SALT,
};

enum sig_form {
    SIG_RAW, /* ECDSA: r || s, both as long as the field */
    SIG_DER, /* ECDSA-Sig-Value (RFC 3279 section 2.2.3), strict DER */
};

enum key_kind {
    KEY_P256,
    KEY_P384,
    KEY_P521,
    KEY_RSA,
};

struct key;

/* Uncompressed point, with or without the leading 04; refused unless it is on the curve. */
bool key_from_point(enum key_kind curve, struct bytes point, const char *what, struct key **ret,
                    struct err *e) CHECKED;
/* Big-endian modulus (2048 to 8192 bits) and exponent (odd, at least 3, at most 64 bits). */
bool key_from_rsa(struct bytes n, struct bytes exponent, const char *what, struct key **ret,
                  struct err *e) CHECKED;
/* SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7): id-ecPublicKey with a named curve, rsaEncryption, id-RSASSA-PSS. */
bool key_from_spki(struct bytes spki, const char *what, struct key **ret, struct err *e) CHECKED;
void key_free(struct key *k);
static inline void key_free_at(struct key **k)
{
    key_free(*k);
}
#define AUTO_KEY __attribute__((cleanup(key_free_at))) struct key *

enum key_kind key_kind(const struct key *k);
const char *key_kind_name(enum key_kind kind); /* "P-256" */
size_t key_bits(const struct key *k);
/* SubjectPublicKeyInfo in DER, made anew. */
struct bytes key_spki(struct key *k, struct arena *a);
/* X || Y of an EC key, or modulus and exponent of an RSA key; owned by the key. */
struct bytes key_point(const struct key *k);
struct bytes key_modulus(const struct key *k);
struct bytes key_exponent(const struct key *k);

const char *sig_alg_name(enum sig_alg alg); /* "ES256" */
enum hash_alg sig_alg_hash(enum sig_alg alg);

/* Whether `sig` is k's signature over `data`. false also when the algorithm does not fit the key. */
bool key_verify(struct key *k, enum sig_alg alg, enum sig_form form, struct bytes data, struct bytes sig);
bool key_verify_digest(struct key *k, enum sig_alg alg, enum sig_form form, struct bytes digest, struct bytes sig);

/* The libcrypto handle, for the few users that encrypt to a key; owned by the key. */
struct evp_pkey_st *key_evp(struct key *k);

#endif
