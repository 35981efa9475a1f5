/* quote.c: signatures by a TPM, and the steps of a quote (evidence-tpm sections 1.2 and 2). */
#include "evidence/tpm/attest.h"

#include "base/cur.h"

/* A TPMT_SIGNATURE (TPM 2.0 Part 2, 11.3.4), or the bare RSASSA signature that some carriers hold. */
struct signature {
    uint16_t alg, hash;
    struct bytes rsa, r, s;
    bool bare;
};

static void read_signature(struct cur *c, struct signature *r)
{
    r->alg = cur_u16be(c, "sigAlg");
    switch (r->alg) {
    case TPM_RSASSA:
    case TPM_RSAPSS:
        r->hash = cur_u16be(c, "hash");
        r->rsa = cur_take(c, cur_u16be(c, "signature size"), "signature");
        break;
    case TPM_ECDSA:
        r->hash = cur_u16be(c, "hash");
        r->r = cur_take(c, cur_u16be(c, "r size"), "r");
        r->s = cur_take(c, cur_u16be(c, "s size"), "s");
        break;
    default:
        break;
    }
}

static bool parse_signature(struct bytes in, const struct key *k, const struct tpm_sig_rule *rule,
                            const char *what, struct signature *ret, struct err *e)
{
    struct cur c = cur_open(in);
    struct signature r = { 0 };
    bool known;

    read_signature(&c, &r);
    known = r.alg == TPM_RSASSA || r.alg == TPM_RSAPSS || r.alg == TPM_ECDSA;
    if (known && cur_ok(&c) && cur_left(&c) == 0) {
        *ret = r;
        return true;
    }
    if (rule->form == TPM_SIG_TPMT_OR_BARE && key_kind(k) == KEY_RSA && in.n == key_modulus(k).n) {
        *ret = (struct signature){ .alg = TPM_RSASSA, .hash = TPM_SHA256, .rsa = in, .bare = true };
        return true;
    }
    if (!known && cur_ok(&c))
        return err_set(e, rule->alg_code, what,
                       "signature algorithm 0x%04x; RSASSA (0x14), RSAPSS (0x16) and ECDSA (0x18) are accepted",
                       r.alg);
    if (cur_close(&c, rule->format_code, what, e))
        return err_set(e, rule->format_code, what, "is not a TPMT_SIGNATURE");
    return false;
}

/* r || s, each padded to the field, for the one verifier in crypto/. */
static bool ecdsa_raw(const struct signature *s, size_t field, uint8_t *to)
{
    const struct bytes part[2] = { s->r, s->s };

    for (size_t i = 0; i < 2; i++) {
        struct bytes v = part[i];

        while (v.n > 0 && v.p[0] == 0)
            v = bytes_part(v, 1, v.n - 1);
        if (v.n > field || v.n == 0)
            return false;
        memset(to + i * field, 0, field - v.n);
        memcpy(to + i * field + (field - v.n), v.p, v.n);
    }
    return true;
}

static enum sig_alg rsa_alg(uint16_t scheme, enum hash_alg h)
{
    switch (h) {
    case HASH_SHA1:
        return scheme == TPM_RSASSA ? SIG_RS1 : SIG_NONE;
    case HASH_SHA256:
        return scheme == TPM_RSASSA ? SIG_RS256 : SIG_PS256_ANY_SALT;
    case HASH_SHA384:
        return scheme == TPM_RSASSA ? SIG_RS384 : SIG_PS384_ANY_SALT;
    case HASH_SHA512:
        return scheme == TPM_RSASSA ? SIG_RS512 : SIG_PS512_ANY_SALT;
    default:
        return SIG_NONE;
    }
}

/* The curve of a key and the hash of its signature are independent in a TPM; the names of JOSE tie
 * them together, so the digest is verified under the curve's name when the lengths agree. */
static bool ecdsa_verify(const struct signature *s, struct key *k, enum hash_alg h, struct bytes data)
{
    static const enum sig_alg by_curve[] = { [KEY_P256] = SIG_ES256, [KEY_P384] = SIG_ES384,
                                             [KEY_P521] = SIG_ES512 };
    uint8_t raw[2 * 66], padded[HASH_MAX_SIZE] = { 0 };
    enum sig_alg alg = by_curve[key_kind(k)];
    size_t field = key_point(k).n / 2, want = hash_size(sig_alg_hash(alg));
    struct digest d = hash(h, data);

    if (!ecdsa_raw(s, field, raw))
        return false;
    /* Left-most bits of a longer digest, and zeros before a shorter one, are the same integer (FIPS
     * 186-5, 6.4). */
    if (d.n >= want)
        memcpy(padded, d.p, want);
    else
        memcpy(padded + (want - d.n), d.p, d.n);
    return key_verify_digest(k, alg, SIG_RAW, bytes_of(padded, want), bytes_of(raw, 2 * field));
}

static bool verify_as(const struct signature *s, struct key *k, enum hash_alg h, struct bytes data)
{
    enum sig_alg alg;

    if (s->alg == TPM_ECDSA)
        return ecdsa_verify(s, k, h, data);
    alg = rsa_alg(s->alg, h);
    return alg != SIG_NONE && key_verify(k, alg, SIG_DER, data, s->rsa);
}

bool tpm_signature_verify(struct bytes sig, struct key *k, struct bytes data, const struct tpm_sig_rule *rule,
                          const char *what, enum hash_alg *ret_hash, struct err *e)
{
    const struct tpm_bank *h;
    struct signature s = { 0 };

    if (!parse_signature(sig, k, rule, what, &s, e))
        return false;
    if ((s.alg == TPM_ECDSA) != (key_kind(k) != KEY_RSA))
        return err_set(e, rule->alg_code, what, "signature algorithm 0x%04x does not fit a key of type %s",
                       s.alg, key_kind_name(key_kind(k)));
    h = tpm_bank(s.hash);
    if (h == NULL || !h->known || (h->hash == HASH_SHA1 && !rule->allow_sha1))
        return err_set(e, rule->alg_code, what,
                       "signature hash is %s (0x%04x); SHA256, SHA384 and SHA512 are accepted",
                       h == NULL ? "unknown" : h->name, s.hash);
    if (!verify_as(&s, k, h->hash, data)) {
        if (s.bare && rule->allow_sha1 && verify_as(&s, k, HASH_SHA1, data)) {
            *ret_hash = HASH_SHA1;
            return true;
        }
        return err_set(e, rule->sig_code, what,
                       "%s signature with %s does not verify with the attestation key",
                       s.alg == TPM_RSASSA   ? "RSASSA"
                       : s.alg == TPM_RSAPSS ? "RSAPSS"
                                             : "ECDSA",
                       h->name);
    }
    *ret_hash = h->hash;
    return true;
}

static bool check_selection(const struct tpm_attest *t, const char *what, struct err *e)
{
    uint32_t all = 0;

    if (t->select_count == 0)
        return err_set(e, ERR_QUOTE_SELECTION, what, "no PCR bank is selected");
    for (size_t i = 0; i < t->select_count; i++) {
        if (tpm_bank(t->select[i].alg) == NULL)
            return err_set(e, ERR_QUOTE_SELECTION, what, "bank 0x%04x is not known", t->select[i].alg);
        if (t->select[i].pcrs >> TPM_PCRS != 0)
            return err_set(e, ERR_QUOTE_SELECTION, what, "PCRs beyond 23 are selected (mask 0x%08x)",
                           t->select[i].pcrs);
        for (size_t k = 0; k < i; k++)
            if (t->select[k].alg == t->select[i].alg)
                return err_set(e, ERR_QUOTE_SELECTION, what, "bank %s is selected twice",
                               tpm_bank(t->select[i].alg)->name);
        all |= t->select[i].pcrs;
    }
    if (all == 0)
        return err_set(e, ERR_QUOTE_SELECTION, what, "no PCR is selected");
    return true;
}

/* Collects the selected values in their order; ret_parts views them. */
static bool gather(const struct tpm_attest *t, const struct pcr_set *claimed, const char *what,
                   struct bytes *parts, size_t *ret_count, struct pcr_set *verified, struct err *e)
{
    size_t count = 0;

    for (size_t i = 0; i < t->select_count; i++) {
        const struct tpm_bank *bank = tpm_bank(t->select[i].alg);
        const struct pcr_bank *from = pcr_set_find(claimed, bank);
        struct pcr_bank *to = pcr_set_bank(verified, bank);

        for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++) {
            struct bytes v = pcr_value(from, pcr);

            if ((t->select[i].pcrs >> pcr & 1) == 0)
                continue;
            if (v.n == 0 || to == NULL || !pcr_put(to, pcr, v))
                return err_set(e, ERR_QUOTE_PCR_VALUES, what,
                               "no value is given for PCR %u of bank %s, which is quoted", pcr, bank->name);
            parts[count++] = v;
        }
    }
    *ret_count = count;
    return true;
}

static bool check_no_more(const struct pcr_set *claimed, const struct pcr_set *verified, const char *what,
                          struct err *e)
{
    for (size_t i = 0; i < claimed->count; i++) {
        const struct pcr_bank *v = pcr_set_find(verified, claimed->bank[i].bank);
        uint32_t more = claimed->bank[i].present & ~(v == NULL ? 0 : v->present);

        if (more != 0)
            return err_set(e, ERR_QUOTE_PCR_VALUES, what,
                           "a value is given for PCR %d of bank %s, which is not quoted", __builtin_ctz(more),
                           claimed->bank[i].bank->name);
    }
    return true;
}

bool tpm_quote_verify(const struct tpm_quote_check *q, struct tpm_attest *ret, struct pcr_set *ret_verified,
                      struct err *e)
{
    const struct tpm_sig_rule rule = { q->form, q->allow_sha1, ERR_QUOTE_FORMAT, ERR_QUOTE_ALG,
                                       ERR_QUOTE_SIGNATURE };
    struct bytes parts[TPM_BANKS * TPM_PCRS];
    struct pcr_set verified = { .count = 0 };
    enum hash_alg h = HASH_SHA256;
    struct tpm_attest t;
    struct digest d;
    size_t count = 0;

    if (!tpm_attest_parse(q->attest, ERR_QUOTE_FORMAT, q->what, &t, e))
        return false;
    if (t.type != TPM_ATTEST_QUOTE)
        return err_set(e, ERR_QUOTE_FORMAT, q->what, "type is 0x%04x, a quote has 0x8018", t.type);
    if (!tpm_signature_verify(q->signature, q->key, q->attest, &rule, q->what, &h, e))
        return false;
    if (!q->any_nonce && !secret_equal(t.extra, q->nonce))
        return err_set(e, ERR_QUOTE_NONCE, q->what,
                       "extraData (%zu bytes) does not match the expected qualifyingData (%zu bytes)",
                       t.extra.n, q->nonce.n);
    if (!check_selection(&t, q->what, e) || !gather(&t, q->claimed, q->what, parts, &count, &verified, e)
        || (q->exact && !check_no_more(q->claimed, &verified, q->what, e)))
        return false;
    d = hash_parts(h, parts, count);
    if (!bytes_equal(digest_bytes(&d), t.pcr_digest))
        return err_set(e, ERR_QUOTE_PCR_DIGEST, q->what,
                       "pcrDigest does not match: the quote has %02x%02x%02x%02x..., "
                       "the %zu given values hash to %02x%02x%02x%02x... (%s)",
                       t.pcr_digest.n > 3 ? t.pcr_digest.p[0] : 0, t.pcr_digest.n > 3 ? t.pcr_digest.p[1] : 0,
                       t.pcr_digest.n > 3 ? t.pcr_digest.p[2] : 0, t.pcr_digest.n > 3 ? t.pcr_digest.p[3] : 0,
                       count, d.p[0], d.p[1], d.p[2], d.p[3], hash_name(h));
    *ret = t;
    *ret_verified = verified;
    return true;
}
