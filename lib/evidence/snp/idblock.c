/* idblock.c: ID block and ID authentication (SEV-SNP firmware ABI 56860, section 8.17; evidence-snp section 3.2). */
#include "evidence/snp/snp.h"

#include "base/cur.h"

#define ID_WHAT "ID block"
#define AUTH_WHAT "ID authentication"

enum {
    BLOCK_SIZE = 96,
    AUTH_SIZE = 4096,
    KEY_SIZE = 1028,
    SIG_SIZE = 512,
    CURVE_P384 = 2,
    ALGO_ES384 = 1,
};

struct block {
    struct bytes launch_digest, family_id, image_id;
    uint32_t version, guest_svn;
    uint64_t policy;
};

struct auth {
    uint32_t id_algo, author_algo;
    struct bytes id_sig, id_key, author_sig, author_key;
    bool reserved_set;
};

static bool block_parse(struct bytes in, struct block *ret, struct err *e)
{
    struct cur c = cur_open(in);
    struct block b = { .version = 0 };

    b.launch_digest = cur_take(&c, 48, "launch digest");
    b.family_id = cur_take(&c, 16, "family id");
    b.image_id = cur_take(&c, 16, "image id");
    b.version = cur_u32le(&c, "version");
    b.guest_svn = cur_u32le(&c, "guest SVN");
    b.policy = cur_u64le(&c, "policy");
    if (!cur_close(&c, ERR_ID_BLOCK_FORMAT, ID_WHAT, e))
        return false;
    if (b.version != 1)
        return err_set(e, ERR_ID_BLOCK_FORMAT, ID_WHAT, "version is %u; 1 is supported", b.version);
    *ret = b;
    return true;
}

static void reserved(struct cur *c, size_t n, struct auth *a)
{
    if (!bytes_all_zero(cur_take(c, n, "reserved")))
        a->reserved_set = true;
}

static bool auth_parse(struct bytes in, struct auth *ret, struct err *e)
{
    struct cur c = cur_open(in);
    struct auth a = { .reserved_set = false };

    a.id_algo = cur_u32le(&c, "ID key algorithm");
    a.author_algo = cur_u32le(&c, "author key algorithm");
    reserved(&c, 56, &a);
    a.id_sig = cur_take(&c, SIG_SIZE, "ID block signature");
    a.id_key = cur_take(&c, KEY_SIZE, "ID key");
    reserved(&c, 60, &a);
    a.author_sig = cur_take(&c, SIG_SIZE, "ID key signature");
    a.author_key = cur_take(&c, KEY_SIZE, "author key");
    reserved(&c, 892, &a);
    if (!cur_close(&c, ERR_ID_BLOCK_FORMAT, AUTH_WHAT, e))
        return false;
    if (a.id_algo != ALGO_ES384 || a.author_algo > ALGO_ES384)
        return err_set(e, ERR_ID_BLOCK_FORMAT, AUTH_WHAT,
                       "key algorithms are %u and %u; 1 (ECDSA P-384 with SHA-384), and 0 for no author, are supported",
                       a.id_algo, a.author_algo);
    if (a.reserved_set)
        return err_set(e, ERR_ID_BLOCK_FORMAT, AUTH_WHAT, "a reserved byte is not zero");
    *ret = a;
    return true;
}

/* A little-endian number of 72 bytes as a big-endian one of 48. */
static bool take_number(struct cur *c, const char *field, uint8_t to[48])
{
    struct bytes b = cur_take(c, 72, field);

    if (!cur_ok(c) || !bytes_all_zero(bytes_part(b, 48, 24)))
        return false;
    for (size_t i = 0; i < 48; i++)
        to[i] = b.p[47 - i];
    return true;
}

static bool key_read(struct bytes in, const char *what, struct key **ret, struct err *e)
{
    struct cur c = cur_open(in);
    uint32_t curve = cur_u32le(&c, "curve");
    uint8_t point[96];

    if (curve != CURVE_P384 || !take_number(&c, "QX", point) || !take_number(&c, "QY", point + 48)
        || !bytes_all_zero(cur_rest(&c)))
        return err_set(e, ERR_ID_BLOCK_FORMAT, what, "key on curve %u; curve 2 (P-384), numbers of 48 bytes and zero "
                       "reserved bytes are expected", curve);
    if (!key_from_point(KEY_P384, BYTES(point), what, ret, e)) {
        if (e != NULL && e->code == ERR_CERT_FORMAT)
            e->code = ERR_ID_BLOCK_FORMAT;
        return false;
    }
    return true;
}

static bool signed_by(struct key *k, struct bytes message, struct bytes sig)
{
    struct cur c = cur_open(sig);
    uint8_t raw[96];

    return take_number(&c, "R", raw) && take_number(&c, "S", raw + 48) && bytes_all_zero(cur_rest(&c))
        && key_verify(k, SIG_ES384, SIG_RAW, message, BYTES(raw));
}

bool snp_id_verify(struct bytes block, struct bytes auth, struct checks *list, struct snp_id *ret, struct err *e)
{
    static const struct rule by_id = { "ID block signature", "evidence-snp 3.2 check 3", ID_WHAT, ERR_ID_BLOCK_SIGNATURE };
    static const struct rule by_author = { "ID key signature", "evidence-snp 3.2 check 4", AUTH_WHAT,
                                           ERR_ID_BLOCK_SIGNATURE };
    AUTO_KEY id_key = NULL;
    AUTO_KEY author_key = NULL;
    struct block b = { .version = 0 };
    struct auth a = { .reserved_set = false };
    struct snp_id id = { .has_author = false };

    if (!block_parse(block, &b, e) || !auth_parse(auth, &a, e) || !key_read(a.id_key, "ID key", &id_key, e)
        || !check_fact(list, &by_id, signed_by(id_key, block, a.id_sig), "signed by the ID key",
                       "another key's or none", e))
        return false;
    if (a.author_algo != 0) {
        if (!key_read(a.author_key, "author key", &author_key, e)
            || !check_fact(list, &by_author, signed_by(author_key, a.id_key, a.author_sig), "signed by the author key",
                           "another key's or none", e))
            return false;
        id.has_author = true;
        id.author_key_digest = hash(HASH_SHA384, a.author_key);
    }
    id.id_key_digest = hash(HASH_SHA384, a.id_key);
    *ret = id;
    return true;
}

bool snp_id_check(struct bytes block, const struct snp_id *id, const struct snp_report *r, struct checks *list,
                  struct err *e)
{
    static const struct rule key = { "ID key digest", "evidence-snp 3.2 check 5", ID_WHAT, ERR_ID_KEY_DIGEST };
    static const struct rule author = { "author key digest", "evidence-snp 3.2 check 6", ID_WHAT, ERR_AUTHOR_KEY_DIGEST };
    static const struct rule flag = { "author key bit of the report", "evidence-snp 3.2 check 6", ID_WHAT,
                                      ERR_AUTHOR_KEY_DIGEST };
    static const struct rule digest = { "launch digest", "evidence-snp 3.2 check 7", ID_WHAT, ERR_ID_BLOCK_MISMATCH };
    static const struct rule family = { "family id", "evidence-snp 3.2 check 7", ID_WHAT, ERR_ID_BLOCK_MISMATCH };
    static const struct rule image = { "image id", "evidence-snp 3.2 check 7", ID_WHAT, ERR_ID_BLOCK_MISMATCH };
    static const struct rule svn = { "guest SVN", "evidence-snp 3.2 check 7", ID_WHAT, ERR_ID_BLOCK_MISMATCH };
    static const struct rule policy = { "guest policy", "evidence-snp 3.2 check 7", ID_WHAT, ERR_ID_BLOCK_MISMATCH };
    static const uint8_t zero[48];
    struct bytes author_digest = id->has_author ? digest_bytes(&id->author_key_digest) : BYTES(zero);
    struct block b = { .version = 0 };

    return block_parse(block, &b, e)
        && check_bytes(list, &key, digest_bytes(&id->id_key_digest), r->id_key_digest, e)
        && check_uint(list, &flag, id->has_author, r->key_info & SNP_KEY_AUTHOR, e)
        && check_bytes(list, &author, author_digest, r->author_key_digest, e)
        && check_bytes(list, &digest, b.launch_digest, r->measurement, e)
        && check_bytes(list, &family, b.family_id, r->family_id, e)
        && check_bytes(list, &image, b.image_id, r->image_id, e)
        && check_uint(list, &svn, b.guest_svn, r->guest_svn, e)
        && check_uint(list, &policy, b.policy, r->policy, e);
}
