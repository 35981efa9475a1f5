/* uvm.c: utility-VM endorsements: COSE statements about a launch measurement (evidence-snp section 8). */
#include "evidence/snp/uvm.h"

#include "codec/hex.h"
#include "codec/json.h"
#include "codec/stamp.h"

#define WHAT "UVM endorsement"

enum { MEASUREMENT = 48, PAYLOAD_SHA384 = -43, SKEW = 300 };

/* What the memo keeps: only what does not depend on the time or on who is trusted. */
struct known {
    struct arena own;
    struct snp_uvm uvm; /* views into `mem` */
    uint8_t mem[];
};
static const char uvm_tag;

static void forget(void *p)
{
    struct arena own = ((struct known *)p)->own; /* the arena holds the struct that holds it */

    arena_done(&own);
}

static void remember(struct memo *memo, const uint8_t key[32], const struct snp_uvm *u)
{
    size_t size = sizeof(struct known) + u->issuer.n + u->feed.n + u->measurement.n;
    struct arena own;
    struct known *k;
    uint8_t *at;

    if (memo == NULL)
        return;
    arena_init(&own, size + 64);
    k = arena_alloc(&own, size);
    if (k == NULL)
        return;
    k->own = own;
    k->uvm = *u;
    at = k->mem;
    memcpy(at, u->measurement.p, u->measurement.n);
    k->uvm.measurement.p = at;
    memcpy(at += u->measurement.n, u->issuer.p, u->issuer.n);
    k->uvm.issuer.p = at;
    memcpy(at += u->issuer.n, u->feed.p, u->feed.n);
    k->uvm.feed.p = at;
    (void)memo_put(memo, &uvm_tag, key, k, forget);
}

static bool recall(struct memo *memo, const uint8_t key[32], struct arena *a, struct snp_uvm *ret)
{
    const struct known *k = memo_find(memo, &uvm_tag, key);
    struct snp_uvm u;

    if (k == NULL)
        return false;
    u = k->uvm;
    u.measurement = arena_copy(a, u.measurement);
    u.issuer = arena_copy(a, u.issuer);
    u.feed = arena_copy(a, u.feed);
    if (u.measurement.p == NULL || u.issuer.p == NULL || u.feed.p == NULL)
        return false;
    *ret = u;
    return true;
}

static bool decimal(struct bytes text, int64_t *ret)
{
    int64_t v = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || i >= 18)
            return false;
        v = v * 10 + text.p[i] - '0';
    }
    *ret = v;
    return text.n > 0;
}

/* The old generation: {"x-ms-sevsnpvm-guestsvn":"100","x-ms-sevsnpvm-launchmeasurement":"<96 hex>"}. */
static bool read_json(struct bytes payload, struct arena *a, struct snp_uvm *u, struct err *e)
{
    struct err inner = { .code = ERR_NONE };
    uint8_t *digest = arena_alloc(a, MEASUREMENT);
    struct bytes svn, measurement;
    const struct json *j, *number;

    if (digest == NULL)
        return err_memory(e, WHAT);
    if (!json_parse(payload, 8, WHAT, a, &j, &inner))
        return err_set(e, ERR_PAYLOAD_FORMAT, WHAT, "%s", inner.why);
    if (!json_string(json_member(j, "x-ms-sevsnpvm-launchmeasurement"), &measurement)
        || !hex_decode_exact(measurement, digest, MEASUREMENT))
        return err_set(e, ERR_PAYLOAD_FORMAT, WHAT, "payload has no launch measurement of 96 hexadecimal digits");
    number = json_member(j, "x-ms-sevsnpvm-guestsvn-int");
    u->svn_is_integer = number != NULL;
    if (number != NULL ? !json_int(number, &u->svn) || u->svn < 0
                       : !json_string(json_member(j, "x-ms-sevsnpvm-guestsvn"), &svn) || !decimal(svn, &u->svn))
        return err_set(e, ERR_PAYLOAD_FORMAT, WHAT, "payload has no guest SVN as decimal text or integer");
    u->measurement = bytes_of(digest, MEASUREMENT);
    return true;
}

/* The new generation: the payload is the measurement, named as a SHA-384 by the hash envelope. */
static bool read_envelope(const struct cose_sign1 *m, struct snp_uvm *u, struct err *e)
{
    if (m->payload_hash != PAYLOAD_SHA384 || m->payload.n != MEASUREMENT)
        return err_set(e, ERR_PAYLOAD_FORMAT, WHAT,
                       "payload has %zu bytes and hash algorithm %lld; 48 bytes and -43 (SHA-384) are expected",
                       m->payload.n, (long long)m->payload_hash);
    if (!m->has_svn || m->svn < 0)
        return err_set(e, ERR_PAYLOAD_FORMAT, WHAT, "the CWT claims carry no svn");
    u->measurement = m->payload;
    u->svn = m->svn;
    u->svn_is_integer = true;
    return true;
}

static bool read_payload(const struct cose_sign1 *m, struct arena *a, struct snp_uvm *u, struct err *e)
{
    if (m->detached)
        return err_set(e, ERR_PAYLOAD_FORMAT, WHAT, "the payload is detached");
    if (m->has_payload_hash)
        return read_envelope(m, u, e);
    if (!bytes_is(m->content_type, "application/json"))
        return err_set(e, ERR_PAYLOAD_FORMAT, WHAT, "content type '%.*s' is not application/json",
                       (int)(m->content_type.n > 60 ? 60 : m->content_type.n), (const char *)m->content_type.p);
    return read_json(m->payload, a, u, e);
}

static bool check_leaf(const struct cert *leaf, struct err *e)
{
    if (leaf->has_key_usage && (leaf->key_usage & KEY_USAGE_DIGITAL_SIGNATURE) == 0)
        return err_set(e, ERR_COSE_CHAIN, WHAT, "keyUsage of '%.*s' lacks digitalSignature", (int)leaf->subject_cn.n,
                       (const char *)leaf->subject_cn.p);
    return true;
}

/* From bytes to a verified statement; who may be believed is asked elsewhere. */
static bool read_anew(struct bytes in, struct arena *a, struct snp_uvm *ret, struct err *e)
{
    struct err inner = { .code = ERR_NONE };
    struct snp_uvm u = { .profile = NULL };
    struct cose_sign1 m;
    struct cert *chain;
    AUTO_KEY k = NULL;
    struct bytes id;
    size_t n;

    if (!cose_parse(in, WHAT, &m, e) || !cose_chain(&m, WHAT, a, &chain, &n, e) || !check_leaf(&chain[0], e))
        return false;
    if (!key_from_spki(chain[0].spki, WHAT, &k, &inner))
        return err_set(e, ERR_COSE_CHAIN, WHAT, "key of the leaf: %s", inner.why);
    if (!cose_verify(&m, k, (struct bytes){ NULL, 0 }, WHAT, a, e))
        return false;
    if (m.issuer.n == 0 || m.feed.n == 0)
        return err_set(e, ERR_ISSUER_UNTRUSTED, WHAT, "the protected header names no issuer or no feed");
    if (!did_x509_check(m.issuer, chain, n, a, &id, e) || !read_payload(&m, a, &u, e))
        return false;
    u.issuer = id;
    u.feed = m.feed;
    u.has_time = m.has_time;
    u.time = m.time;
    u.not_before = chain[0].not_before;
    u.not_after = chain[0].not_after;
    *ret = u;
    return true;
}

bool snp_uvm_read(struct bytes cose, struct memo *memo, struct arena *a, struct snp_uvm *ret, struct err *e)
{
    struct digest d = sha256(cose);

    if (recall(memo, d.p, a, ret))
        return true;
    if (!read_anew(cose, a, ret, e))
        return false;
    remember(memo, d.p, ret);
    return true;
}

/* Issuer and feed belong together: a trusted issuer of one feed is nobody in another. */
static bool check_issuer(struct snp_uvm *u, const struct verify_env *env, struct err *e)
{
    static const struct rule issuer = { "issuer of the endorsement", "evidence-snp 8.2 step 5", WHAT,
                                        ERR_ISSUER_UNTRUSTED };
    static const struct rule feed = { "feed of the endorsement", "evidence-snp 8.2 step 5", WHAT, ERR_FEED_UNTRUSTED };
    const struct snp_profiles *p = snp_profiles_of(env->settings);
    bool known = false;

    for (size_t i = 0; i < p->uvm_count; i++) {
        if (!bytes_is(u->issuer, p->uvm[i].issuer))
            continue;
        known = true;
        if (bytes_is(u->feed, p->uvm[i].feed))
            u->profile = &p->uvm[i];
    }
    return check_true(env->checks, &issuer, known, "an issuer of the trusted list", arena_str(env->a, u->issuer), e)
        && check_true(env->checks, &feed, u->profile != NULL, "a feed that this issuer is trusted with",
                      arena_str(env->a, u->feed), e);
}

/* Step 6: leaves live for months, endorsements for years; so the leaf must have been valid when it signed. */
static bool check_time(const struct snp_uvm *u, const struct verify_env *env, struct err *e)
{
    static const struct rule past = { "signing time is not in the future", "evidence-snp 8.2 step 6", WHAT,
                                      ERR_CERT_NOT_YET_VALID };
    static const struct rule window = { "leaf certificate was valid at the signing time", "evidence-snp 8.2 step 6", WHAT,
                                        ERR_CERT_EXPIRED };
    int64_t at = u->has_time ? u->time : env->now;

    return check_true(env->checks, &past, at <= env->now + SKEW, "not later than now",
                      stamp_text(at < 0 ? 0 : at).s, e)
        && check_window(env->checks, &window, u->not_before, u->not_after, at, e);
}

static bool check_receipt(struct bytes in, const struct verify_env *env, struct err *e)
{
    static const struct rule rule = { "receipt of a trusted ledger", "evidence-snp 8.4", WHAT, ERR_COSE_RECEIPT };
    const struct snp_profiles *p = snp_profiles_of(env->settings);
    struct cose_ledger *list;
    struct cose_receipt found;
    struct cose_sign1 m;

    if (!env->settings->snp.require_receipt) {
        check_skip(env->checks, &rule, "not asked for");
        return true;
    }
    list = arena_many(env->a, p->ledger_count + 1, struct cose_ledger);
    if (list == NULL)
        return err_memory(e, WHAT);
    for (size_t i = 0; i < p->ledger_count; i++) {
        list[i].host = bytes_str(p->ledgers[i].host);
        list[i].kid = bytes_str(p->ledgers[i].kid);
        if (!hex_decode(bytes_str(p->ledgers[i].point), env->a, &list[i].point))
            return err_set(e, ERR_INTERNAL, WHAT, "key of ledger %s is not hexadecimal", p->ledgers[i].host);
    }
    return cose_parse(in, WHAT, &m, e)
        && check_step(env->checks, &rule, cose_receipt_verify(&m, list, p->ledger_count, env->a, &found, e), "verified",
                      e);
}

static bool judge(struct bytes in, const struct verify_env *env, struct snp_uvm *u, struct err *e)
{
    static const struct rule rule = { "signature and issuer of the endorsement", "evidence-snp 8.2 steps 1 to 5", WHAT,
                                      ERR_COSE_SIGNATURE };

    return check_step(env->checks, &rule, snp_uvm_read(in, env->memo, env->a, u, e), "verified", e)
        && check_issuer(u, env, e) && check_time(u, env, e) && check_receipt(in, env, e);
}

bool snp_uvm_verify(struct snp_evidence *ev, const struct verify_env *env, struct err *e)
{
    static const struct rule same = { "endorsed launch measurement", "evidence-snp 8.2 step 8", WHAT,
                                      ERR_MEASUREMENT_MISMATCH };
    static const struct rule svn = { "SVN of the endorsement", "evidence-snp 8.2 step 9", WHAT, ERR_PLATFORM_REFUSED };
    struct bytes last = { NULL, 0 };

    for (size_t i = 0; i < ev->uvm_count; i++) {
        struct snp_uvm *u = arena_new(env->a, struct snp_uvm);

        if (u == NULL)
            return err_memory(e, WHAT);
        if (!judge(ev->uvm[i], env, u, e))
            return false;
        last = u->measurement;
        if (ev->endorsed == NULL && bytes_equal(u->measurement, ev->report.measurement))
            ev->endorsed = u;
    }
    if (ev->uvm_count == 0)
        return true;
    if (!check_bytes(env->checks, &same, ev->endorsed == NULL ? last : ev->report.measurement, ev->report.measurement, e))
        return false;
    if (ev->endorsed->svn < ev->endorsed->profile->min_svn)
        check_skip(env->checks, &svn, "below the profile's minimum: no compliance claim");
    return true;
}
