/* p384_fuzz.c: our P-384 verification against libcrypto's, on signatures whose multiples the input chooses, and on what
 * its last bytes damage. Both tables of a key are met: it verifies five times. */
#include "crypto/p384.h"
#include "fuzz/p384_made.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes repeated until 48 are there: short inputs reach patterned scalars. */
static BIGNUM *scalar(const uint8_t *data, size_t size, size_t part)
{
    uint8_t v[48];
    size_t n = size / 3;

    for (size_t i = 0; i < sizeof(v); i++)
        v[i] = n == 0 ? 0 : data[part * n + i % n];
    return BN_bin2bn(v, sizeof(v), NULL);
}

static void both_agree(const struct made_case *c, bool damaged)
{
    struct p384 *k = p384_new(bytes_of(c->point, 96));
    EVP_PKEY *reference = made_libcrypto_key(c->point);
    bool expected;

    made_must((k != NULL) == (reference != NULL));
    if (k == NULL)
        return;
    expected = made_libcrypto_accepts(reference, c->digest, c->raw);
    made_must(damaged || expected == !c->infinity);
    for (int i = 0; i < 5; i++)
        made_must(p384_verify(k, bytes_of(c->digest, 48), bytes_of(c->raw, 96)) == expected);
    p384_free(k);
    EVP_PKEY_free(reference);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct made m;
    BIGNUM *u1, *u2, *k;
    struct made_case c;

    if (m.group == NULL)
        m = made_open();
    u1 = scalar(data, size, 0);
    u2 = scalar(data, size, 1);
    k = scalar(data, size, 2);
    made_case(&m, u1, u2, k, &c);
    both_agree(&c, false);
    if (size >= 2) {
        uint8_t *const parts[] = { c.point, c.digest, c.raw, c.raw };

        parts[data[size - 1] % 4][data[size - 2] % 48] ^= (uint8_t)(1 + data[0] % 255);
        both_agree(&c, true);
    }
    BN_free(u1);
    BN_free(u2);
    BN_free(k);
    return 0;
}
