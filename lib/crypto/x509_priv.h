/* x509_priv.h: what certificates and revocation lists share. */
#ifndef AVOUCH_CRYPTO_X509_PRIV_H
#define AVOUCH_CRYPTO_X509_PRIV_H

#include "crypto/key.h"

/* From the content of an AlgorithmIdentifier; SIG_NONE if it is not supported. */
enum sig_alg x509_sig_alg(struct bytes algorithm);
/* keyIdentifier of an AuthorityKeyIdentifier, or empty. */
struct bytes x509_akid(struct bytes value);

#endif
