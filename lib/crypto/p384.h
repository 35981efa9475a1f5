/* p384.h: ECDSA on P-384 with SHA-384, verification only (FIPS 186-4 section 6.4).
 *
 * SEV-SNP reports are signed on this curve and their verification costs little else. libcrypto 3.0 has only its generic
 * arithmetic for it, and no library of Debian 12 with a fitting licence keeps a table for a key that comes again. So the sum
 * u1 G + u2 Q is computed here, on the multiplication of GMP's mpn functions; bench/snp_bench.c prints this beside
 * libcrypto's figure over 256 keys.
 *
 * What keeps it right: it decides on public data only; the table of G is made by the same code as all others and tested on
 * this processor before it counts; whatever is refused here is verified once more by libcrypto (key_verify()), whose
 * refusal is the answer; the tests and the fuzz target compare both on Wycheproof's vectors, on random signatures and on
 * such as are made for the edges (equal and opposite halves of the sum, x above n, words at their ends). */
#ifndef AVOUCH_CRYPTO_P384_H
#define AVOUCH_CRYPTO_P384_H

#include "base/bytes.h"

enum { P384_FIELD = 48 };

struct p384;

/* X || Y, big-endian. NULL: not a point of the curve, or no memory. From its third verification on a key holds a
 * table of 15 KiB, before that one of 1.5 KiB. */
struct p384 *p384_new(struct bytes point);
void p384_free(struct p384 *k);

/* `raw` is r || s, big-endian, 48 bytes each; values outside [1, n) are refused. `digest` has 48 bytes. */
bool p384_verify(struct p384 *k, struct bytes digest, struct bytes raw);

#endif
