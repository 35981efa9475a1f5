/* p384.h: ECDSA on P-384 with SHA-384, verification only. This file hides which library does it.
 *
 * Chosen by measurement over 256 distinct keys on one machine: libcrypto 3.0 has only its generic
 * arithmetic for this curve and takes 1.65 times as long as hogweed (nettle's public-key half).
 * bench/snp_bench.c prints both figures.
 *
 * Trap: hogweed refuses the (valid, never met by chance) signatures for which both halves of the sum
 * u1 G + u2 Q are the same point. So key_verify() lets libcrypto confirm each refusal: the answer is
 * always libcrypto's, only the common case is faster. The tests compare the two on every vector. */
#ifndef AVOUCH_CRYPTO_P384_H
#define AVOUCH_CRYPTO_P384_H

#include "base/bytes.h"

enum { P384_FIELD = 48 };

struct p384;

/* X || Y, big-endian. NULL: not a point of the curve, or no memory. */
struct p384 *p384_new(struct bytes point);
void p384_free(struct p384 *k);

/* `raw` is r || s, big-endian, 48 bytes each; values outside [1, n) are refused. `digest` has 48 bytes. */
bool p384_verify(const struct p384 *k, struct bytes digest, struct bytes raw);

#endif
