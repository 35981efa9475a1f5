/* ak_pki.h: an issuer of attestation key certificates of our own for tests, trusted by nobody else. */
#ifndef AVOUCH_TESTS_PKI_AK_PKI_H
#define AVOUCH_TESTS_PKI_AK_PKI_H

#include "base/arena.h"

#include <openssl/evp.h>

struct ak_pki {
    struct arena *a;
    EVP_PKEY *key;
    struct bytes root_der, root_pem;
};

/* Valid from a day ago to a year from now, by the clock of the machine. */
void ak_pki_init(struct ak_pki *p, struct arena *a);
void ak_pki_done(struct ak_pki *p);
/* A certificate (DER) for the key with this SubjectPublicKeyInfo, usage 2.23.133.8.3. */
struct bytes ak_pki_issue(const struct ak_pki *p, const char *name, struct bytes spki);
/* A CRL (DER) of this issuer that lists what ak_pki_issue() made. */
struct bytes ak_pki_revoke(const struct ak_pki *p);

#endif
