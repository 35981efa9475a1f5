/* sign1.c: see cose.h. */
#include "base/out.h"
#include "codec/cbor.h"
#include "cose/cose.h"

enum {
    TAG_SIGN1 = 18,
    TAG_EPOCH = 1,
    HASH_SHA256_ID = -16,
    HASH_SHA384_ID = -43,
    HASH_SHA512_ID = -44,
};

/* Labels of RFC 9052, RFC 9360, RFC 9597 and the hash-envelope draft. */
enum label {
    LABEL_ALG = 1,
    LABEL_CRIT = 2,
    LABEL_CONTENT_TYPE = 3,
    LABEL_CWT = 15,
    LABEL_X5CHAIN = 33,
    LABEL_X5T = 34,
    LABEL_PAYLOAD_HASH = 258,
};

static const struct {
    int64_t id;
    enum sig_alg alg;
} algs[] = {
    { -7, SIG_ES256 },  { -35, SIG_ES384 }, { -36, SIG_ES512 },
    { -37, SIG_PS256 }, { -38, SIG_PS384 }, { -39, SIG_PS512 },
};

/* [protected, unprotected, payload, signature], tagged or not. */
static bool read_outer(struct bytes in, const char *what, struct cose_sign1 *m, struct err *e)
{
    struct cur c = cur_open(in), inner;

    if (cbor_peek(&c) == CBOR_TAG && cbor_tag(&c, "tag") != TAG_SIGN1)
        return err_set(e, ERR_COSE_FORMAT, what, "CBOR tag is not 18 (COSE_Sign1)");
    if (cbor_array(&c, "COSE_Sign1") != 4)
        cur_wrong(&c, "COSE_Sign1", "an array of four");
    m->protected_bstr = cbor_item(&c, "protected header");
    m->unprotected = cbor_item(&c, "unprotected header");
    m->payload_item = cbor_item(&c, "payload");
    m->signature_item = cbor_item(&c, "signature");
    if (!cur_close(&c, ERR_COSE_FORMAT, what, e))
        return false;
    inner = cur_open(m->protected_bstr);
    m->protected_map = cbor_bytes(&inner, "protected header");
    if (!cur_close(&inner, ERR_COSE_FORMAT, what, e))
        return false;
    inner = cur_open(m->payload_item);
    m->detached = cbor_take_null(&inner);
    if (!m->detached)
        m->payload = cbor_bytes(&inner, "payload");
    if (!cur_close(&inner, ERR_COSE_FORMAT, what, e))
        return false;
    inner = cur_open(m->signature_item);
    m->signature = cbor_bytes(&inner, "signature");
    if (!cur_close(&inner, ERR_COSE_FORMAT, what, e))
        return false;
    inner = cur_open(m->unprotected);
    if (cbor_peek(&inner) != CBOR_MAP)
        return err_set(e, ERR_COSE_FORMAT, what, "the unprotected header is not a map");
    return true;
}

static bool read_alg(struct cose_sign1 *m, const char *what, struct err *e)
{
    struct cur c;
    int64_t id;

    if (!cbor_find_int(m->protected_map, LABEL_ALG, &c))
        return err_set(e, ERR_COSE_ALG, what, "the protected header names no algorithm");
    id = cbor_int(&c, "alg");
    if (!cur_check(&c, ERR_COSE_ALG, what, e))
        return false;
    for (size_t i = 0; i < COUNT(algs); i++)
        if (algs[i].id == id)
            m->alg = algs[i].alg;
    if (m->alg == SIG_NONE)
        return err_set(e, ERR_COSE_ALG, what, "algorithm %lld is not one of ES256, ES384, ES512, PS256, PS384, PS512",
                       (long long)id);
    return true;
}

/* Critical labels (RFC 9052 section 3.1): each must be one that this file understands. */
static bool read_crit(const struct cose_sign1 *m, const char *what, struct err *e)
{
    static const int64_t known[] = { LABEL_ALG, LABEL_CONTENT_TYPE, LABEL_CWT, LABEL_X5CHAIN, LABEL_X5T,
                                     LABEL_PAYLOAD_HASH };
    struct cur c;
    uint64_t n;

    if (!cbor_find_int(m->protected_map, LABEL_CRIT, &c))
        return true;
    n = cbor_array(&c, "crit");
    if (n == 0)
        cur_wrong(&c, "crit", "at least one label");
    for (uint64_t i = 0; i < n && cur_ok(&c); i++) {
        int64_t label = cbor_int(&c, "critical label");
        bool found = false;

        for (size_t k = 0; k < COUNT(known); k++)
            found |= known[k] == label;
        if (!found)
            cur_wrong(&c, "critical label", "a label that is understood here");
    }
    return cur_check(&c, ERR_COSE_FORMAT, what, e);
}

static bool read_x5chain(struct cose_sign1 *m, const char *what, struct err *e)
{
    struct cur c;
    uint64_t n = 1;

    if (!cbor_find_int(m->protected_map, LABEL_X5CHAIN, &c))
        return true; /* receipts have none */
    if (cbor_peek(&c) == CBOR_ARRAY)
        n = cbor_array(&c, "x5chain");
    if (n == 0 || n > COSE_MAX_CHAIN)
        cur_wrong(&c, "x5chain", "one to six certificates");
    for (uint64_t i = 0; i < n && cur_ok(&c); i++)
        m->x5chain[m->chain_count++] = cbor_bytes(&c, "certificate");
    return cur_check(&c, ERR_COSE_FORMAT, what, e);
}

static bool read_x5t(struct cose_sign1 *m, const char *what, struct err *e)
{
    struct cur c;
    int64_t id;

    if (!cbor_find_int(m->protected_map, LABEL_X5T, &c))
        return true;
    if (cbor_array(&c, "x5t") != 2)
        cur_wrong(&c, "x5t", "an array of two");
    id = cbor_int(&c, "x5t algorithm");
    m->x5t = cbor_bytes(&c, "x5t hash");
    m->has_x5t = true;
    m->x5t_alg = id == HASH_SHA384_ID ? HASH_SHA384 : id == HASH_SHA512_ID ? HASH_SHA512 : HASH_SHA256;
    if (id != HASH_SHA256_ID && id != HASH_SHA384_ID && id != HASH_SHA512_ID)
        cur_wrong(&c, "x5t algorithm", "SHA-256, SHA-384 or SHA-512");
    return cur_check(&c, ERR_COSE_FORMAT, what, e);
}

/* Seconds since 1970, bare or with tag 1. */
static int64_t take_time(struct cur *c, const char *field)
{
    if (cbor_peek(c) == CBOR_TAG && cbor_tag(c, field) != TAG_EPOCH)
        cur_wrong(c, field, "tag 1 (seconds since 1970)");
    return cbor_int(c, field);
}

/* The old generation: text keys of the protected header. */
static bool read_text_keys(struct cose_sign1 *m, const char *what, struct err *e)
{
    struct cur c;

    if (cbor_find_text(m->protected_map, "iss", &c)) {
        m->issuer = cbor_text(&c, "iss");
        if (!cur_check(&c, ERR_COSE_FORMAT, what, e))
            return false;
    }
    if (cbor_find_text(m->protected_map, "feed", &c)) {
        m->feed = cbor_text(&c, "feed");
        if (!cur_check(&c, ERR_COSE_FORMAT, what, e))
            return false;
    }
    if (cbor_find_text(m->protected_map, "signingtime", &c)) {
        m->time = take_time(&c, "signingtime");
        m->has_time = true;
        return cur_check(&c, ERR_COSE_FORMAT, what, e);
    }
    return true;
}

/* The new generation: CWT claims 1 iss, 2 sub (the feed), 6 iat, and "svn". */
static bool read_cwt(struct cose_sign1 *m, const char *what, struct err *e)
{
    struct cur c;
    struct bytes map;

    if (!cbor_find_int(m->protected_map, LABEL_CWT, &c))
        return true;
    if (m->issuer.n > 0 || m->feed.n > 0 || m->has_time)
        return err_set(e, ERR_COSE_FORMAT, what, "issuer, feed or time stand both as text keys and as CWT claims");
    map = cbor_item(&c, "CWT claims");
    if (cbor_find_int(map, 1, &c)) {
        m->issuer = cbor_text(&c, "iss");
        if (!cur_check(&c, ERR_COSE_FORMAT, what, e))
            return false;
    }
    if (cbor_find_int(map, 2, &c)) {
        m->feed = cbor_text(&c, "sub");
        if (!cur_check(&c, ERR_COSE_FORMAT, what, e))
            return false;
    }
    if (cbor_find_int(map, 6, &c)) {
        m->time = take_time(&c, "iat");
        m->has_time = true;
        if (!cur_check(&c, ERR_COSE_FORMAT, what, e))
            return false;
    }
    if (cbor_find_text(map, "svn", &c)) {
        m->svn = cbor_int(&c, "svn");
        m->has_svn = true;
        return cur_check(&c, ERR_COSE_FORMAT, what, e);
    }
    return true;
}

static bool read_payload_kind(struct cose_sign1 *m, const char *what, struct err *e)
{
    struct cur c;

    if (cbor_find_int(m->protected_map, LABEL_CONTENT_TYPE, &c) && cbor_peek(&c) == CBOR_TEXT) {
        m->content_type = cbor_text(&c, "content type");
        if (!cur_check(&c, ERR_COSE_FORMAT, what, e))
            return false;
    }
    if (cbor_find_int(m->protected_map, LABEL_PAYLOAD_HASH, &c)) {
        m->payload_hash = cbor_int(&c, "payload hash algorithm");
        m->has_payload_hash = true;
        return cur_check(&c, ERR_COSE_FORMAT, what, e);
    }
    return true;
}

bool cose_parse(struct bytes in, const char *what, struct cose_sign1 *ret, struct err *e)
{
    struct cose_sign1 m = { .raw = in };
    struct cur look;

    if (in.n > COSE_MAX_SIZE)
        return err_set(e, ERR_COSE_FORMAT, what, "%zu bytes, at most %d are accepted", in.n, COSE_MAX_SIZE);
    if (!cbor_check(in, CBOR_DEPTH, ERR_COSE_FORMAT, what, e) || !read_outer(in, what, &m, e)
        || !cbor_check(m.protected_map, CBOR_DEPTH, ERR_COSE_FORMAT, what, e))
        return false;
    look = cur_open(m.protected_map);
    if (cbor_peek(&look) != CBOR_MAP)
        return err_set(e, ERR_COSE_FORMAT, what, "the protected header does not hold a map");
    if (!read_alg(&m, what, e) || !read_crit(&m, what, e) || !read_x5chain(&m, what, e) || !read_x5t(&m, what, e)
        || !read_text_keys(&m, what, e) || !read_cwt(&m, what, e) || !read_payload_kind(&m, what, e))
        return false;
    *ret = m;
    return true;
}

bool cose_chain(const struct cose_sign1 *m, const char *what, struct arena *a, struct cert **ret, size_t *ret_count,
                struct err *e)
{
    struct cert *list = arena_many(a, COSE_MAX_CHAIN, struct cert);
    struct err inner = { .code = ERR_NONE };

    if (list == NULL)
        return err_memory(e, what);
    if (m->chain_count == 0)
        return err_set(e, ERR_COSE_CHAIN, what, "the protected header has no certificate chain (x5chain)");
    for (size_t i = 0; i < m->chain_count; i++)
        if (!cert_parse(m->x5chain[i], what, &list[i], &inner))
            return err_set(e, ERR_COSE_CHAIN, what, "certificate %zu: %s", i, inner.why);
    if (m->has_x5t) {
        struct digest d = hash(m->x5t_alg, list[0].der);

        if (!bytes_equal(digest_bytes(&d), m->x5t))
            return err_set(e, ERR_COSE_CHAIN, what, "the thumbprint (x5t) is not that of the first certificate");
    }
    if (!path_check(list, m->chain_count, ERR_COSE_CHAIN, what, e))
        return false;
    *ret = list;
    *ret_count = m->chain_count;
    return true;
}

/* Head of a byte string of n bytes in its shortest form. */
static void print_bstr_head(struct out *o, size_t n)
{
    if (n < 24) {
        out_u8(o, (uint8_t)(0x40 | n));
    } else if (n < 0x100) {
        out_u8(o, 0x58);
        out_u8(o, (uint8_t)n);
    } else if (n < 0x10000) {
        out_u8(o, 0x59);
        out_u8(o, (uint8_t)(n >> 8));
        out_u8(o, (uint8_t)n);
    } else {
        out_u8(o, 0x5a);
        for (int shift = 24; shift >= 0; shift -= 8)
            out_u8(o, (uint8_t)(n >> shift));
    }
}

bool cose_verify(const struct cose_sign1 *m, struct key *k, struct bytes payload, const char *what, struct arena *a,
                 struct err *e)
{
    static const uint8_t start[] = { 0x84, 0x6a, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1' };
    struct out o = out_open(a);

    out_bytes(&o, BYTES(start));
    out_bytes(&o, m->protected_bstr);
    out_u8(&o, 0x40); /* no external data */
    if (m->detached) {
        print_bstr_head(&o, payload.n);
        out_bytes(&o, payload);
    } else {
        out_bytes(&o, m->payload_item);
    }
    if (!out_ok(&o))
        return err_memory(e, what);
    if (!key_verify(k, m->alg, SIG_RAW, out_view(&o), m->signature))
        return err_set(e, ERR_COSE_SIGNATURE, what, "signature (%s) does not verify with the %s key of the leaf certificate",
                       sig_alg_name(m->alg), key_kind_name(key_kind(k)));
    return true;
}
