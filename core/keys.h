/* keys.h: the private keys of the service. Made here, used here, stored only sealed. */
#ifndef AVOUCH_CORE_KEYS_H
#define AVOUCH_CORE_KEYS_H

#include "base/arena.h"
#include "base/err.h"
#include "crypto/key.h"

struct evp_pkey_st;

enum { KEY_SLOTS = 3 };

struct signing_key {
    struct evp_pkey_st *pkey;
    struct evp_pkey_ctx_st *ctx[2]; /* by padding, for RSA: kept, since making one costs */
    enum key_kind kind;
    char kid[48];          /* standard base64 of SHA-256(PEM of the public key, NUL) */
    uint8_t binding[32];   /* the same 32 bytes: what evidence about this core is bound to */
    struct bytes spki;     /* owned by the key set's arena */
};

struct key_set {
    struct arena own;
    struct signing_key rsa, p256, p384;
    uint8_t mac[32];       /* for records that the store keeps for us */
};

/* A fresh set. Takes a tenth of a second and more: RSA. */
bool keys_make(struct key_set *ret, struct err *e) CHECKED;
void keys_done(struct key_set *k);

/* AES-256-GCM under the 32-byte sealing key. The text form begins with a version; its associated data
 * names the purpose. keys_unseal() tells a wrong key from a damaged file as far as that can be told. */
struct bytes keys_seal(const struct key_set *k, struct bytes sealing_key, struct arena *a);
bool keys_unseal(struct bytes sealed, struct bytes sealing_key, struct key_set *ret, struct err *e) CHECKED;

/* The key that makes signatures of this algorithm; NULL: none does. */
struct signing_key *keys_for(struct key_set *k, enum sig_alg alg);

/* JOSE form: r || s for ES*. */
bool keys_sign(struct signing_key *k, enum sig_alg alg, struct bytes data, struct arena *a, struct bytes *ret,
               struct err *e) CHECKED;
/* X.509 form: DER for ES*. */
bool keys_sign_der(struct signing_key *k, enum sig_alg alg, struct bytes data, struct arena *a, struct bytes *ret,
                   struct err *e) CHECKED;

#endif
