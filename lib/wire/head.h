/* head.h: the head of a provider: the one record of a tenant that the core vouches for.
 *
 * It names everything that decides how the tenant's evidence is judged: the issuer, the trust model, the
 * signers, and for each policy its version and digest. The core makes the MAC over its bytes; the store
 * keeps both. A row that was changed, exchanged or left out therefore does not fit the head, and an older
 * head has an older version. */
#ifndef AVOUCH_WIRE_HEAD_H
#define AVOUCH_WIRE_HEAD_H

#include "base/cur.h"
#include "base/out.h"

#define HEAD_MAX_SIGNERS 32
#define HEAD_MAX_POLICIES 16
#define HEAD_MAC_SIZE 32

struct head_policy {
    struct bytes type;    /* "SgxEnclave" */
    uint64_t version;     /* of the head with which it came */
    struct bytes digest;  /* SHA-256 of the stored JWS, 32 bytes; empty: reset to the default */
};

struct head {
    uint64_t version;     /* grows by one with each change */
    struct bytes name;    /* of the provider */
    struct bytes issuer;  /* base URL */
    bool isolated;        /* changes need a signature by one of the signers */
    struct bytes signers[HEAD_MAX_SIGNERS]; /* certificates, DER */
    size_t signer_count;
    struct head_policy policies[HEAD_MAX_POLICIES];
    size_t policy_count;
};

bool head_parse(struct bytes b, struct head *ret, struct err *e) CHECKED; /* views into b */
struct bytes head_print(const struct head *h, struct arena *a);           /* p NULL: out of memory */
const struct head_policy *head_policy_find(const struct head *h, struct bytes type);

#endif
