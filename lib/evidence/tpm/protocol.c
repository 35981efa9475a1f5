/* protocol.c: messages, challenges and service contexts (evidence-tpm 12.1, 12.2). */
#include "evidence/tpm/tpm.h"

#include "base/cur.h"
#include "codec/b64.h"
#include "codec/hex.h"
#include "crypto/seal.h"

enum {
    DEPTH = 16,
    PLAIN_SIZE = 1 + TPM_CHALLENGE_SIZE + 8 + 8 + 16 + 1,
    CONTEXT_SIZE = GCM_IV_SIZE + PLAIN_SIZE + GCM_TAG_SIZE,
    CONTEXT_VERSION = 1,
};

static bool bad_message(struct err *e, const char *why)
{
    return err_set(e, ERR_TPM_MESSAGE, "data", "%s", why);
}

bool tpm_message_parse(struct bytes doc, struct arena *a, enum tpm_message *ret_kind, struct bytes *ret_jws,
                       struct err *e)
{
    struct err inner = { .code = ERR_NONE };
    const struct json *j, *payload, *type, *request;
    struct bytes text;

    if (!json_parse(doc, DEPTH, "data", a, &j, &inner))
        return err_set(e, inner.code == ERR_NO_MEMORY ? inner.code : ERR_TPM_MESSAGE, "data", "%s",
                       inner.why);
    payload = json_member(j, "payload");
    if (!json_is(payload, JSON_OBJECT))
        return bad_message(e, "payload is missing or no object");
    type = json_member(payload, "type");
    request = json_member(payload, "request");
    if ((type != NULL) == (request != NULL))
        return bad_message(e, "payload has not exactly one of type and request");
    if (type != NULL) {
        if (!json_string(type, &text) || !bytes_is(text, "aikcert"))
            return bad_message(e, "type is not aikcert");
        *ret_kind = TPM_MESSAGE_AIKCERT;
        return true;
    }
    if (!json_string(request, ret_jws))
        return bad_message(e, "request is no string");
    *ret_kind = TPM_MESSAGE_REQUEST;
    return true;
}

/* ProtectionKeyName: names a key without showing it; 64 upper-case hexadecimal digits. */
static struct bytes key_name(const uint8_t key[32], struct arena *a)
{
    const struct bytes part = LIT("name of a tpm context key");
    struct digest id = hmac_sha256(bytes_of(key, 32), &part, 1);
    struct digest d = sha256(digest_bytes(&id));

    return hex_encode_upper(a, digest_bytes(&d));
}

static struct bytes context_aad(struct bytes name, struct arena *a)
{
    struct out o = out_open(a);

    out_text(&o, "maa-tpm-context");
    out_bytes(&o, name);
    return out_view(&o);
}

static struct digest tenant_id(struct bytes tenant)
{
    struct digest d = sha256(tenant);

    d.n = 16;
    return d;
}

static struct bytes context_plain(const uint8_t challenge[TPM_CHALLENGE_SIZE], int64_t now, int64_t expires,
                                  struct bytes tenant, struct arena *a)
{
    struct digest id = tenant_id(tenant);
    struct out o = out_open(a);

    out_u8(&o, CONTEXT_VERSION);
    out_bytes(&o, bytes_of(challenge, TPM_CHALLENGE_SIZE));
    out_u64le(&o, (uint64_t)now);
    out_u64le(&o, (uint64_t)expires);
    out_bytes(&o, digest_bytes(&id));
    out_u8(&o, 0);
    return out_view(&o);
}

static struct bytes seal_context(const uint8_t key[32], const uint8_t iv[GCM_IV_SIZE], struct bytes plain,
                                 struct arena *a)
{
    struct bytes name = key_name(key, a), aad = context_aad(name, a);
    uint8_t sealed[CONTEXT_SIZE];
    struct jobj o = jobj_open(a);

    if (plain.n != PLAIN_SIZE || aad.p == NULL)
        return (struct bytes){ NULL, 0 };
    memcpy(sealed, iv, GCM_IV_SIZE);
    gcm_seal(key, iv, aad, plain, sealed + GCM_IV_SIZE, sealed + GCM_IV_SIZE + PLAIN_SIZE);
    jobj_str(&o, "ProtectionKeyName", name);
    jobj_b64url(&o, "ProtectedContext", BYTES(sealed));
    return jobj_print(&o, false);
}

static struct bytes wrap_payload(struct jobj *payload, struct arena *a)
{
    struct jobj doc = jobj_open(a);

    jobj_json(&doc, "payload", jobj_print(payload, false));
    return b64url_encode(a, jobj_print(&doc, false));
}

bool tpm_challenge(const struct tpm_context_keys *keys, struct bytes tenant, int64_t now, int64_t lifetime,
                   const uint8_t random[TPM_CHALLENGE_RANDOM], struct arena *a, struct bytes *ret_data,
                   struct err *e)
{
    struct bytes plain = context_plain(random, now, now + lifetime, tenant, a), context, data;
    struct jobj payload = jobj_open(a);

    if (keys->count == 0)
        return err_set(e, ERR_UNAVAILABLE, "challenge", "no key for service contexts is loaded");
    context = seal_context(keys->key[0], random + TPM_CHALLENGE_SIZE, plain, a);
    jobj_b64url(&payload, "challenge", bytes_of(random, TPM_CHALLENGE_SIZE));
    jobj_b64url(&payload, "service_context", context);
    data = wrap_payload(&payload, a);
    if (a->failed || context.p == NULL || data.p == NULL)
        return err_memory(e, "challenge");
    *ret_data = data;
    return true;
}

struct bytes tpm_report(struct bytes token, struct arena *a)
{
    struct jobj payload = jobj_open(a);

    jobj_str(&payload, "report", token);
    return wrap_payload(&payload, a);
}

static bool invalid(struct err *e, const char *why)
{
    return err_set(e, ERR_CONTEXT_INVALID, "service_context", "%s", why);
}

static bool read_context(struct bytes text, struct arena *a, struct bytes *ret_name, struct bytes *ret_sealed,
                         struct err *e)
{
    struct bytes doc, sealed;
    const struct json *j;

    if (!b64_decode(text, B64_URL_STRICT, "service_context", a, &doc, NULL)
        || !json_parse(doc, DEPTH, "service_context", a, &j, NULL)
        || !json_string(json_member(j, "ProtectionKeyName"), ret_name)
        || !json_string(json_member(j, "ProtectedContext"), &sealed)
        || !b64_decode(sealed, B64_URL_STRICT, "ProtectedContext", a, ret_sealed, NULL))
        return a->failed ? err_memory(e, "service_context")
                         : invalid(e, "is not the text that a challenge came with");
    if (ret_sealed->n != CONTEXT_SIZE)
        return err_set(e, ERR_CONTEXT_INVALID, "service_context",
                       "ProtectedContext has %zu bytes, ours have %d", ret_sealed->n, CONTEXT_SIZE);
    return true;
}

static bool open_sealed(const struct tpm_context_keys *keys, struct bytes name, struct bytes sealed,
                        struct arena *a, uint8_t plain[PLAIN_SIZE], struct err *e)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (!bytes_equal(key_name(keys->key[i], a), name))
            continue;
        if (gcm_open(keys->key[i], sealed.p, context_aad(name, a),
                     bytes_part(sealed, GCM_IV_SIZE, PLAIN_SIZE),
                     bytes_part(sealed, GCM_IV_SIZE + PLAIN_SIZE, GCM_TAG_SIZE), plain))
            return true;
        return invalid(e, "its seal does not verify");
    }
    return invalid(e, "names a key that this service does not hold");
}

bool tpm_context_open(const struct tpm_context_keys *keys, struct bytes tenant, int64_t now,
                      struct bytes context, struct arena *a, uint8_t ret_challenge[TPM_CHALLENGE_SIZE],
                      int64_t *ret_expires, struct err *e)
{
    uint8_t plain[PLAIN_SIZE];
    struct digest own = tenant_id(tenant);
    struct bytes name, sealed, challenge, id;
    uint64_t issued, expires;
    struct cur c;

    if (!read_context(context, a, &name, &sealed, e) || !open_sealed(keys, name, sealed, a, plain, e))
        return false;
    c = cur_open(BYTES(plain));
    if (cur_u8(&c, "version") != CONTEXT_VERSION)
        return invalid(e, "is of another version");
    challenge = cur_take(&c, TPM_CHALLENGE_SIZE, "challenge");
    issued = cur_u64le(&c, "issued");
    expires = cur_u64le(&c, "expires");
    id = cur_take(&c, 16, "tenant");
    if (!bytes_equal(id, digest_bytes(&own)))
        return invalid(e, "was made for another provider");
    if (now < 0 || (uint64_t)now > expires)
        return err_set(e, ERR_CONTEXT_EXPIRED, "service_context", "expired at %llu, now is %lld",
                       (unsigned long long)expires, (long long)now);
    if (issued > (uint64_t)now + TPM_CONTEXT_LIFETIME)
        return invalid(e, "was made in the future");
    memcpy(ret_challenge, challenge.p, TPM_CHALLENGE_SIZE);
    *ret_expires = (int64_t)expires;
    return true;
}

/* -- each challenge once -- */

/* Buckets of chains through a ring: the slot that is written next is the oldest. */
struct replay_slot {
    uint8_t challenge[TPM_CHALLENGE_SIZE];
    int64_t expires;
    uint32_t next; /* 1 + index, 0: end */
    bool used;
};
struct tpm_replay {
    size_t max, at;
    uint32_t *buckets; /* as many as slots */
    struct replay_slot *slots;
};

struct tpm_replay *tpm_replay_open(struct arena *a, size_t max)
{
    struct tpm_replay *r = arena_new(a, struct tpm_replay);

    if (r == NULL || max == 0 || max > UINT32_MAX - 1)
        return NULL;
    r->max = max;
    r->buckets = arena_many(a, max, uint32_t);
    r->slots = arena_many(a, max, struct replay_slot);
    return r->buckets == NULL || r->slots == NULL ? NULL : r;
}

/* Challenges are our own random bytes: any of them spread. */
static uint32_t *bucket_of(struct tpm_replay *r, const uint8_t *challenge)
{
    uint64_t v;

    memcpy(&v, challenge, sizeof(v));
    return &r->buckets[v % r->max];
}

static void unlink_slot(struct tpm_replay *r, size_t i)
{
    uint32_t *p = bucket_of(r, r->slots[i].challenge);

    while (*p != 0 && *p != i + 1)
        p = &r->slots[*p - 1].next;
    if (*p != 0)
        *p = r->slots[i].next;
    r->slots[i].used = false;
}

bool tpm_replay_use(struct tpm_replay *r, const uint8_t challenge[TPM_CHALLENGE_SIZE], int64_t expires,
                    int64_t now, struct err *e)
{
    uint32_t *head = bucket_of(r, challenge);
    struct replay_slot *s;

    for (uint32_t i = *head; i != 0; i = r->slots[i - 1].next)
        if (memcmp(r->slots[i - 1].challenge, challenge, TPM_CHALLENGE_SIZE) == 0
            && r->slots[i - 1].expires >= now)
            return err_set(e, ERR_CHALLENGE_USED, "challenge", "was answered before");
    if (r->slots[r->at].used)
        unlink_slot(r, r->at);
    s = &r->slots[r->at];
    memcpy(s->challenge, challenge, TPM_CHALLENGE_SIZE);
    s->expires = expires;
    s->used = true;
    s->next = *head;
    *head = (uint32_t)r->at + 1;
    r->at = (r->at + 1) % r->max;
    return true;
}
