/* receipt.c: receipts of a ledger with the verifiable data structure 2, "CCF" (draft-ietf-scitt-receipts-ccf-profile;
 * evidence-snp section 8.4): a Merkle path from the statement to a root that the ledger signed. */
#include "codec/cbor.h"
#include "cose/cose.h"

#define WHAT "receipt"

enum {
    LABEL_KID = 4,
    LABEL_CWT = 15,
    LABEL_RECEIPTS = 394,
    LABEL_VDS = 395,
    LABEL_PROOFS = 396,
    KEY_INCLUSION = -1,
    KEY_LEAF = 1,
    KEY_PATH = 2,
    VDS_CCF = 2,
    MAX_PROOFS = 4,
    MAX_PATH = 64,
};

static bool refuse(struct err *e, const char *why)
{
    return err_set(e, ERR_COSE_RECEIPT, WHAT, "%s", why);
}

/* Step 1: the statement without its unprotected header, everything else byte for byte. */
static struct digest statement_hash(const struct cose_sign1 *m)
{
    static const uint8_t head[] = { 0xd2, 0x84 }, empty_map[] = { 0xa0 };
    struct bytes parts[] = { BYTES(head), m->protected_bstr, BYTES(empty_map), m->payload_item, m->signature_item };

    return hash_parts(HASH_SHA256, parts, COUNT(parts));
}

/* Step 2. The data hash of the leaf must be the statement's: without that, a receipt of another statement passes. */
static bool leaf_hash(struct bytes proof, const struct digest *statement, struct digest *ret, struct err *e)
{
    struct bytes transaction, evidence, data, parts[3];
    struct digest d;
    struct cur c;

    if (!cbor_find_int(proof, KEY_LEAF, &c))
        return refuse(e, "the proof has no leaf");
    if (cbor_array(&c, "leaf") != 3)
        cur_wrong(&c, "leaf", "an array of three");
    transaction = cbor_bytes(&c, "transaction hash");
    evidence = cbor_text(&c, "commit evidence");
    data = cbor_bytes(&c, "data hash");
    if (!cur_check(&c, ERR_COSE_RECEIPT, WHAT, e))
        return false;
    if (transaction.n != 32 || !bytes_equal(data, digest_bytes(statement)))
        return refuse(e, "the data hash of the proof is not that of this statement");
    d = sha256(evidence);
    parts[0] = transaction;
    parts[1] = digest_bytes(&d);
    parts[2] = data;
    *ret = hash_parts(HASH_SHA256, parts, 3);
    return true;
}

/* Step 3. */
static bool root_hash(struct bytes proof, struct digest *x, struct err *e)
{
    struct cur c;
    uint64_t n;

    if (!cbor_find_int(proof, KEY_PATH, &c))
        return refuse(e, "the proof has no path");
    n = cbor_array(&c, "path");
    if (n > MAX_PATH)
        cur_wrong(&c, "path", "at most 64 steps");
    for (uint64_t i = 0; i < n && cur_ok(&c); i++) {
        struct bytes parts[2], sibling;
        bool left;

        if (cbor_array(&c, "path step") != 2)
            cur_wrong(&c, "path step", "an array of two");
        left = cbor_bool(&c, "left");
        sibling = cbor_bytes(&c, "hash");
        if (sibling.n != 32)
            cur_wrong(&c, "hash", "32 bytes");
        parts[left ? 0 : 1] = sibling;
        parts[left ? 1 : 0] = digest_bytes(x);
        *x = hash_parts(HASH_SHA256, parts, 2);
    }
    return cur_check(&c, ERR_COSE_RECEIPT, WHAT, e);
}

/* The inclusion proofs of a receipt: each must lead to the signed root. */
static bool check_proofs(const struct cose_sign1 *r, const struct digest *statement, struct key *k, struct arena *a,
                         struct err *e)
{
    struct cur c, proofs;
    struct bytes map;
    uint64_t n;

    if (!cbor_find_int(r->unprotected, LABEL_PROOFS, &c))
        return refuse(e, "no proofs (label 396)");
    map = cbor_item(&c, "proofs");
    if (!cbor_find_int(map, KEY_INCLUSION, &proofs))
        return refuse(e, "no inclusion proof");
    n = cbor_array(&proofs, "inclusion proofs");
    if (n == 0 || n > MAX_PROOFS)
        cur_wrong(&proofs, "inclusion proofs", "one to four");
    for (uint64_t i = 0; i < n && cur_ok(&proofs); i++) {
        struct bytes proof = cbor_bytes(&proofs, "inclusion proof");
        struct digest x;

        if (!cur_check(&proofs, ERR_COSE_RECEIPT, WHAT, e)
            || !cbor_check(proof, CBOR_DEPTH, ERR_COSE_RECEIPT, WHAT, e) || !leaf_hash(proof, statement, &x, e)
            || !root_hash(proof, &x, e))
            return false;
        if (!cose_verify(r, k, digest_bytes(&x), WHAT, a, e)) {
            if (e != NULL && e->code == ERR_COSE_SIGNATURE)
                e->code = ERR_COSE_RECEIPT;
            return false;
        }
    }
    return cur_check(&proofs, ERR_COSE_RECEIPT, WHAT, e);
}

static const struct cose_ledger *ledger_find(struct bytes host, struct bytes kid, const struct cose_ledger *list,
                                             size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(list[i].host, host) && bytes_equal(list[i].kid, kid))
            return &list[i];
    return NULL;
}

static bool read_txid(const struct cose_sign1 *r, struct bytes *ret, struct err *e)
{
    struct cur c;

    if (!cbor_find_text(r->protected_map, "ccf.v1", &c) || !cbor_find_text(cbor_item(&c, "ccf.v1"), "txid", &c))
        return true;
    *ret = cbor_text(&c, "txid");
    return cur_check(&c, ERR_COSE_RECEIPT, WHAT, e);
}

static bool verify_one(struct bytes in, const struct digest *statement, const struct cose_ledger *ledgers,
                       size_t count, struct arena *a, struct cose_receipt *ret, struct err *e)
{
    struct cose_receipt found = { .has_time = false };
    const struct cose_ledger *ledger;
    struct cose_sign1 r;
    AUTO_KEY k = NULL;
    struct bytes kid;
    struct cur c;

    if (!cose_parse(in, WHAT, &r, e))
        return false;
    if (!r.detached || r.alg != SIG_ES384)
        return refuse(e, "not a detached signature with ES384");
    if (!cbor_find_int(r.protected_map, LABEL_VDS, &c) || cbor_int(&c, "vds") != VDS_CCF || !cur_ok(&c))
        return refuse(e, "the verifiable data structure is not 2 (CCF)");
    if (!cbor_find_int(r.protected_map, LABEL_KID, &c))
        return refuse(e, "no key identifier");
    kid = cbor_bytes(&c, "kid");
    ledger = cur_ok(&c) ? ledger_find(r.issuer, kid, ledgers, count) : NULL;
    if (ledger == NULL)
        return err_set(e, ERR_COSE_RECEIPT, WHAT, "ledger '%.*s' with key %.16s... is not in the trusted list",
                       (int)(r.issuer.n > 80 ? 80 : r.issuer.n), (const char *)r.issuer.p,
                       kid.n >= 16 ? (const char *)kid.p : "(short)");
    if (!key_from_point(KEY_P384, ledger->point, "ledger key", &k, e) || !check_proofs(&r, statement, k, a, e)
        || !read_txid(&r, &found.txid, e))
        return false;
    found.host = r.issuer;
    found.has_time = r.has_time;
    found.time = r.time;
    *ret = found;
    return true;
}

bool cose_receipt_verify(const struct cose_sign1 *statement, const struct cose_ledger *ledgers, size_t count,
                         struct arena *a, struct cose_receipt *ret, struct err *e)
{
    struct digest d = statement_hash(statement);
    struct err last = { .code = ERR_NONE };
    struct cur c;
    uint64_t n;

    if (!cbor_find_int(statement->unprotected, LABEL_RECEIPTS, &c))
        return refuse(e, "the statement carries none (label 394)");
    n = cbor_array(&c, "receipts");
    if (n == 0 || n > COSE_MAX_RECEIPTS)
        cur_wrong(&c, "receipts", "one to eight");
    for (uint64_t i = 0; i < n && cur_ok(&c); i++) {
        struct bytes one = cbor_bytes(&c, "receipt");

        last = (struct err){ .code = ERR_NONE };
        if (cur_ok(&c) && verify_one(one, &d, ledgers, count, a, ret, &last))
            return true;
    }
    if (!cur_check(&c, ERR_COSE_RECEIPT, WHAT, e))
        return false;
    return err_set(e, ERR_COSE_RECEIPT, WHAT, "%s", last.why);
}
