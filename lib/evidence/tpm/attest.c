/* attest.c: TPMS_ATTEST and TPMT_PUBLIC, names, PCR values. Quotes are in quote.c. */
#include "evidence/tpm/attest.h"

#include "base/cur.h"

#define MAGIC 0xff544347u

/* clang-format off */
static const struct tpm_bank banks[] = {
    /* alg          size known  rank  hash            claims      command line */
    { TPM_SHA1,       20, true,  1, HASH_SHA1,     "SHA1",     "sha1" },
    { TPM_SHA256,     32, true,  4, HASH_SHA256,   "SHA256",   "sha256" },
    { TPM_SHA384,     48, true,  5, HASH_SHA384,   "SHA384",   "sha384" },
    { TPM_SHA512,     64, true,  6, HASH_SHA512,   "SHA512",   "sha512" },
    { TPM_SM3_256,    32, false, 0, HASH_SM3_256,  "SM3_256",  "sm3_256" },
    { TPM_SHA3_256,   32, false, 0, HASH_SM3_256,  "SHA3_256", "sha3_256" },
    { TPM_SHA3_384,   48, false, 0, HASH_SM3_256,  "SHA3_384", "sha3_384" },
    { TPM_SHA3_512,   64, false, 0, HASH_SM3_256,  "SHA3_512", "sha3_512" },
};
/* clang-format on */

const struct tpm_bank *tpm_bank(uint16_t alg)
{
    for (size_t i = 0; i < COUNT(banks); i++)
        if (banks[i].alg == alg)
            return &banks[i];
    return NULL;
}

const struct tpm_bank *tpm_bank_named(struct bytes name)
{
    for (size_t i = 0; i < COUNT(banks); i++)
        if (bytes_equal_nocase(name, bytes_str(banks[i].name)))
            return &banks[i];
    return NULL;
}

const struct tpm_bank *tpm_bank_at(size_t i)
{
    return i < COUNT(banks) ? &banks[i] : NULL;
}

struct pcr_bank *pcr_set_find(const struct pcr_set *s, const struct tpm_bank *bank)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->bank[i].bank == bank)
            return (struct pcr_bank *)&s->bank[i];
    return NULL;
}

struct pcr_bank *pcr_set_bank(struct pcr_set *s, const struct tpm_bank *bank)
{
    struct pcr_bank *b = pcr_set_find(s, bank);

    if (b != NULL)
        return b;
    if (s->count == TPM_BANKS)
        return NULL;
    b = &s->bank[s->count++];
    b->bank = bank;
    b->present = 0;
    return b;
}

struct bytes pcr_value(const struct pcr_bank *b, unsigned index)
{
    if (b == NULL || index >= TPM_PCRS || (b->present >> index & 1) == 0)
        return (struct bytes){ NULL, 0 };
    return bytes_of(b->value[index], b->bank->size);
}

bool pcr_put(struct pcr_bank *b, unsigned index, struct bytes value)
{
    if (index >= TPM_PCRS || value.n != b->bank->size || (b->present >> index & 1) != 0)
        return false;
    memcpy(b->value[index], value.p, value.n);
    b->present |= 1u << index;
    return true;
}

static struct bytes take_2b(struct cur *c, const char *field)
{
    return cur_take(c, cur_u16be(c, field), field);
}

/* TPML_PCR_SELECTION (Part 2, 10.9.7). */
static void read_selection(struct cur *c, struct tpm_attest *r)
{
    uint32_t count = cur_u32be(c, "pcrSelect.count");

    if (cur_ok(c) && count > TPM_BANKS)
        cur_wrong(c, "pcrSelect.count", "at most 8 banks");
    for (uint32_t i = 0; i < count && cur_ok(c); i++) {
        struct tpm_select s = { .alg = cur_u16be(c, "pcrSelect.hash") };
        uint8_t size = cur_u8(c, "pcrSelect.sizeofSelect");
        struct bytes mask = cur_take(c, size, "pcrSelect.pcrSelect");

        if (cur_ok(c) && (size < 1 || size > 4)) {
            cur_wrong(c, "pcrSelect.sizeofSelect", "1 to 4");
            return;
        }
        for (size_t k = 0; k < mask.n; k++)
            s.pcrs |= (uint32_t)mask.p[k] << (8 * k);
        r->select[i] = s;
    }
    r->select_count = count;
}

static bool is_tpm12_quote(struct bytes in)
{
    return in.n >= 8 && in.p[0] == 1 && in.p[1] == 1 && bytes_is(bytes_part(in, 4, 4), "QUOT");
}

bool tpm_attest_parse(struct bytes in, enum err_code code, const char *what, struct tpm_attest *ret,
                      struct err *e)
{
    struct cur c = cur_open(in);
    struct tpm_attest r = { .all = in };
    uint32_t magic;
    uint8_t safe;

    if (is_tpm12_quote(in))
        return err_set(e, ERR_TPM_VERSION, what, "TPM 1.2 quote (TPM_QUOTE_INFO); only TPM 2.0 is verified");
    magic = cur_u32be(&c, "magic");
    if (cur_ok(&c) && magic != MAGIC)
        return err_set(e, code, what, "magic is 0x%08x, TPM attestations have 0xff544347", magic);
    r.type = cur_u16be(&c, "type");
    r.signer = take_2b(&c, "qualifiedSigner");
    r.extra = take_2b(&c, "extraData");
    r.clock = cur_u64be(&c, "clock");
    r.resets = cur_u32be(&c, "resetCount");
    r.restarts = cur_u32be(&c, "restartCount");
    safe = cur_u8(&c, "safe");
    r.firmware = cur_u64be(&c, "firmwareVersion");
    if (cur_ok(&c) && safe > 1)
        cur_wrong(&c, "safe", "0 or 1");
    r.safe = safe == 1;
    if (cur_ok(&c) && r.extra.n > 64)
        cur_wrong(&c, "extraData", "at most 64 bytes");
    switch (r.type) {
    case TPM_ATTEST_QUOTE:
        read_selection(&c, &r);
        r.pcr_digest = take_2b(&c, "pcrDigest");
        break;
    case TPM_ATTEST_CERTIFY:
    case TPM_ATTEST_CREATION:
        r.name = take_2b(&c, "name");
        r.qualified_name = take_2b(&c, "qualifiedName");
        break;
    default:
        if (cur_ok(&c))
            return err_set(e, code, what,
                           "type is 0x%04x; quote (0x8018), certify (0x8017) and creation (0x801a) are read",
                           r.type);
    }
    if (!cur_close(&c, code, what, e))
        return false;
    *ret = r;
    return true;
}

/* TPMT_SYM_DEF_OBJECT: algorithm, and key bits and mode unless NULL. */
static void read_symmetric(struct cur *c, struct tpm_public *r)
{
    r->symmetric = cur_u16be(c, "symmetric.algorithm");
    if (cur_ok(c) && r->symmetric != TPM_NULL) {
        r->symmetric_bits = cur_u16be(c, "symmetric.keyBits");
        (void)cur_u16be(c, "symmetric.mode");
    }
}

static void read_scheme(struct cur *c, struct tpm_public *r)
{
    r->scheme = cur_u16be(c, "scheme");
    switch (r->scheme) {
    case TPM_NULL:
    case TPM_RSAES:
        break;
    case TPM_ECDAA:
        r->scheme_hash = cur_u16be(c, "scheme.hashAlg");
        (void)cur_u16be(c, "scheme.count");
        break;
    case TPM_RSASSA:
    case TPM_RSAPSS:
    case TPM_OAEP:
    case TPM_ECDSA:
    case TPM_ECDH:
        r->scheme_hash = cur_u16be(c, "scheme.hashAlg");
        break;
    default:
        cur_wrong(c, "scheme", "RSASSA, RSAES, RSAPSS, OAEP, ECDSA, ECDH, ECDAA or NULL");
    }
}

static void read_rsa(struct cur *c, struct tpm_public *r)
{
    read_symmetric(c, r);
    read_scheme(c, r);
    r->bits = cur_u16be(c, "keyBits");
    r->exponent = cur_u32be(c, "exponent");
    r->n = take_2b(c, "modulus");
    if (cur_ok(c) && r->n.n * 8 != r->bits)
        cur_wrong(c, "modulus", "keyBits / 8 bytes");
}

static void read_ecc(struct cur *c, struct tpm_public *r)
{
    read_symmetric(c, r);
    read_scheme(c, r);
    r->curve = cur_u16be(c, "curveID");
    if (cur_u16be(c, "kdf") != TPM_NULL && cur_ok(c))
        (void)cur_u16be(c, "kdf.hashAlg");
    r->x = take_2b(c, "x");
    r->y = take_2b(c, "y");
}

bool tpm_public_parse(struct bytes in, enum err_code code, const char *what, struct tpm_public *ret,
                      struct err *e)
{
    struct cur c = cur_open(in);
    struct tpm_public r = { .area = in };

    if (in.n >= 2 && (size_t)(in.p[0] << 8 | in.p[1]) == in.n - 2) { /* TPM2B_PUBLIC */
        cur_skip(&c, 2, "size");
        r.area = bytes_part(in, 2, in.n - 2);
    }
    r.type = cur_u16be(&c, "type");
    r.name_alg = cur_u16be(&c, "nameAlg");
    r.attributes = cur_u32be(&c, "objectAttributes");
    r.policy = take_2b(&c, "authPolicy");
    if (cur_ok(&c) && r.type == TPM_RSA)
        read_rsa(&c, &r);
    else if (cur_ok(&c) && r.type == TPM_ECC)
        read_ecc(&c, &r);
    else if (cur_ok(&c))
        return err_set(e, code, what, "type of the key is 0x%04x; RSA (1) and ECC (0x23) are accepted",
                       r.type);
    if (!cur_close(&c, code, what, e))
        return false;
    *ret = r;
    return true;
}

static const struct {
    uint16_t curve;
    enum key_kind kind;
    size_t field;
} curves[] = { { 3, KEY_P256, 32 }, { 4, KEY_P384, 48 }, { 5, KEY_P521, 66 } };

/* A coordinate may be shorter than the field or padded on the left. */
static bool put_padded(uint8_t *to, size_t field, struct bytes v)
{
    while (v.n > field && v.p[0] == 0)
        v = bytes_part(v, 1, v.n - 1);
    if (v.n > field)
        return false;
    memset(to, 0, field - v.n);
    if (v.n > 0)
        memcpy(to + (field - v.n), v.p, v.n);
    return true;
}

static bool ecc_key(const struct tpm_public *p, enum err_code code, const char *what, struct key **ret,
                    struct err *e)
{
    uint8_t point[2 * 66];

    for (size_t i = 0; i < COUNT(curves); i++) {
        size_t field = curves[i].field;
        struct err inner = { .code = ERR_NONE };

        if (curves[i].curve != p->curve)
            continue;
        if (!put_padded(point, field, p->x) || !put_padded(point + field, field, p->y))
            return err_set(e, code, what, "coordinates of %zu and %zu bytes are longer than the curve's %zu",
                           p->x.n, p->y.n, field);
        if (key_from_point(curves[i].kind, bytes_of(point, 2 * field), what, ret, &inner))
            return true;
        return err_set(e, inner.code == ERR_NO_MEMORY ? ERR_NO_MEMORY : code, what, "%s", inner.why);
    }
    return err_set(e, code, what, "curve 0x%04x; P-256 (3), P-384 (4) and P-521 (5) are accepted", p->curve);
}

bool tpm_public_key(const struct tpm_public *p, enum err_code code, const char *what, struct key **ret,
                    struct err *e)
{
    struct err inner = { .code = ERR_NONE };
    uint32_t exponent = p->exponent == 0 ? 65537 : p->exponent;
    uint8_t be[4] = { (uint8_t)(exponent >> 24), (uint8_t)(exponent >> 16), (uint8_t)(exponent >> 8),
                      (uint8_t)exponent };

    if (p->type == TPM_ECC)
        return ecc_key(p, code, what, ret, e);
    if (key_from_rsa(p->n, BYTES(be), what, ret, &inner))
        return true;
    return err_set(e, inner.code == ERR_NO_MEMORY ? ERR_NO_MEMORY : code, what, "%s", inner.why);
}

bool tpm_public_name(const struct tpm_public *p, uint8_t to[2 + HASH_MAX_SIZE], size_t *ret_n)
{
    const struct tpm_bank *alg = tpm_bank(p->name_alg);
    struct digest d;

    if (alg == NULL || !alg->known)
        return false;
    d = hash(alg->hash, p->area);
    to[0] = (uint8_t)(p->name_alg >> 8);
    to[1] = (uint8_t)p->name_alg;
    memcpy(to + 2, d.p, d.n);
    *ret_n = 2 + d.n;
    return true;
}

bool tpm_public_named(const struct tpm_public *p, struct bytes name)
{
    uint8_t own[2 + HASH_MAX_SIZE];
    size_t n;

    return tpm_public_name(p, own, &n) && bytes_equal(bytes_of(own, n), name);
}

bool tpm_public_check_name(const struct tpm_public *p, struct bytes name, const char *what, struct err *e)
{
    const struct tpm_bank *alg = tpm_bank(p->name_alg);

    if (alg == NULL || !alg->known || alg->alg == TPM_SHA1)
        return err_set(e, ERR_CERTIFY_NAME, what,
                       "name algorithm of public is %s (0x%04x); SHA256, SHA384 and SHA512 are accepted",
                       alg == NULL ? "unknown" : alg->name, p->name_alg);
    return tpm_public_named(p, name)
        || err_set(e, ERR_CERTIFY_NAME, what, "the certified name is not the name of public");
}

bool tpm_public_check_ak(const struct tpm_public *p, const char *what, struct err *e)
{
    static const struct {
        uint32_t bit;
        bool set;
        const char *name;
    } rows[] = {
        { TPM_RESTRICTED, true, "restricted" },
        { TPM_SIGN, true, "sign" },
        { TPM_FIXED_TPM, true, "fixedTPM" },
        { TPM_FIXED_PARENT, true, "fixedParent" },
        { TPM_SENSITIVE_DATA_ORIGIN, true, "sensitiveDataOrigin" },
        { TPM_DECRYPT, false, "decrypt" },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        if (((p->attributes & rows[i].bit) != 0) != rows[i].set)
            return err_set(e, ERR_AK_KEY, what,
                           "attestation key is not a restricted signing key: attribute %s is %s "
                           "(attributes 0x%08x)",
                           rows[i].name, rows[i].set ? "clear" : "set", p->attributes);
    if (p->scheme != TPM_RSASSA && p->scheme != TPM_RSAPSS && p->scheme != TPM_ECDSA)
        return err_set(e, ERR_AK_KEY, what,
                       "attestation key has scheme 0x%04x; RSASSA, RSAPSS or ECDSA is needed", p->scheme);
    return true;
}

bool tpm_public_is_key(const struct tpm_public *p, const struct key *k)
{
    AUTO_KEY own = NULL;

    if (!tpm_public_key(p, ERR_FORMAT, "public area", &own, NULL) || key_kind(own) != key_kind(k))
        return false;
    if (key_kind(k) == KEY_RSA)
        return bytes_equal(key_modulus(own), key_modulus(k))
            && bytes_equal(key_exponent(own), key_exponent(k));
    return bytes_equal(key_point(own), key_point(k));
}
