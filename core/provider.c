/* provider.c: see provider.h, and the management messages: each takes a head and gives the next one. */
#include "core/provider.h"

#include "codec/b64.h"
#include "codec/hex.h"
#include "jose/policy_jws.h"
#include "policy/policy.h"

#include <stdlib.h>

#define MAC_LABEL "avouch provider head, version 1"
#define VERSION_LABEL "avouch stored policy, version 1"
#define POLICY_TOKEN_LIFETIME 3600
#define MAX_JWS ((size_t)2 << 20) /* a policy has 256 KiB; encoded twice, with its signer's chain */

/* -- trust in what the store gives back -- */

static struct digest mac_of(const struct core *c, struct bytes head)
{
    const struct bytes parts[] = { LIT(MAC_LABEL), head };

    return hmac_sha256(BYTES(c->keys.mac), parts, COUNT(parts));
}

/* What the head no longer names: a version of a policy as it was set. The name is the one in the head, which no other
 * provider had before or after; lengths keep the parts apart. */
static struct digest version_mac(const struct core *c, const struct head *h, struct bytes type, uint64_t version, struct bytes jws,
                                 struct arena *a)
{
    struct digest d = sha256(jws);
    struct out o = out_open(a);
    struct bytes parts[2] = { LIT(VERSION_LABEL) };

    out_u32le(&o, (uint32_t)h->name.n);
    out_bytes(&o, h->name);
    out_u32le(&o, (uint32_t)type.n);
    out_bytes(&o, type);
    out_u64le(&o, version);
    out_bytes(&o, digest_bytes(&d));
    parts[1] = out_view(&o);
    return hmac_sha256(BYTES(c->keys.mac), parts, COUNT(parts));
}

/* The newest version that this worker has seen of each provider. */
struct seen {
    uint64_t version;
};

static bool not_older(struct core *c, const struct head *h, struct err *e)
{
    static const char tag;
    struct digest key = sha256(h->name);
    struct seen *s = memo_find(c->seen, &tag, key.p);

    if (s == NULL) {
        s = malloc(sizeof(*s));
        if (s == NULL)
            return err_memory(e, "provider head");
        s->version = h->version;
        return memo_put(c->seen, &tag, key.p, s, free) || err_memory(e, "provider head");
    }
    if (h->version < s->version)
        return err_set(e, ERR_STORE_TAMPERED, "provider head", "version is %llu, %llu was seen before: the store went back in time",
                       (unsigned long long)h->version, (unsigned long long)s->version);
    s->version = h->version;
    return true;
}

static bool read_policy(const struct wire_fields *f, struct bytes type, struct provider *p, struct err *e)
{
    const struct head_policy *hp = head_policy_find(&p->head, type);
    struct digest d;

    if (hp == NULL || hp->digest.n == 0)
        return true;
    if (!wire_find(f, TAG_POLICY_JWS, &p->policy_jws))
        return err_set(e, ERR_STORE_TAMPERED, "policy", "the head names a policy for %.*s, the store has none", (int)type.n,
                       (const char *)type.p);
    d = sha256(p->policy_jws);
    if (!bytes_equal(digest_bytes(&d), hp->digest))
        return err_set(e, ERR_STORE_TAMPERED, "policy", "digest of the stored %.*s policy is not the one that the head names", (int)type.n,
                       (const char *)type.p);
    p->has_policy = true;
    return true;
}

bool provider_read(struct core *c, const struct wire_fields *f, struct bytes type, struct arena *a, struct provider *ret, struct err *e)
{
    struct provider p = { 0 };
    struct bytes head, mac;
    struct digest want;

    (void)a;
    if (!wire_find(f, TAG_HEAD, &head)) {
        p.shared = true;
        if (!wire_find(f, TAG_ISSUER, &p.issuer))
            return err_set(e, ERR_INTERNAL, "message", "issuer is missing");
        *ret = p;
        return true;
    }
    want = mac_of(c, head);
    if (!wire_find(f, TAG_MAC, &mac) || !secret_equal(mac, digest_bytes(&want)))
        return err_set(e, ERR_STORE_TAMPERED, "provider head", "its MAC does not fit: the record was not made by this service");
    if (!head_parse(head, &p.head, e) || !not_older(c, &p.head, e) || !read_policy(f, type, &p, e))
        return false;
    p.issuer = p.head.issuer;
    *ret = p;
    return true;
}

/* -- answers -- */

static struct jobj answer_body(const struct provider *p, int64_t now, struct arena *a)
{
    struct jobj o = jobj_open(a);

    jobj_str(&o, "iss", p->issuer);
    jobj_int(&o, "iat", now);
    jobj_int(&o, "nbf", now);
    jobj_int(&o, "exp", now + POLICY_TOKEN_LIFETIME);
    return o;
}

static bool put_token(struct core *c, const struct wire_fields *f, const struct provider *p, struct jobj *body, struct arena *a,
                      struct out *answer, struct err *e)
{
    enum sig_alg alg = SIG_RS256;
    struct bytes name, token;

    if (wire_find(f, TAG_ALG, &name) && !token_alg(name, &alg, e))
        return false;
    if (!token_sign(c, arena_str(a, p->issuer), alg, false, NULL, jobj_print(body, true), a, &token, e))
        return false;
    wire_put(answer, TAG_BODY, token);
    return true;
}

static bool put_head(struct core *c, struct head *h, struct arena *a, struct out *answer, struct err *e)
{
    struct bytes printed;
    struct digest mac;

    h->version++;
    printed = head_print(h, a);
    if (printed.p == NULL)
        return err_memory(e, "provider head");
    mac = mac_of(c, printed);
    wire_put(answer, TAG_HEAD, printed);
    wire_put(answer, TAG_MAC, digest_bytes(&mac));
    return true;
}

/* -- providers -- */

/* policySigningCertificates {"keys":[{"x5c":[...]}]}: the first certificate of each key. An empty object or list is
 * none; what has another form is refused, since whoever sent it wants a provider whose policies are signed. */
static bool read_signers(struct bytes text, struct arena *a, struct head *h, struct err *e)
{
    const struct json *j, *keys;

    if (!json_parse(text, JSON_DEPTH, "policySigningCertificates", a, &j, e))
        return false;
    keys = json_member_nocase(j, "keys");
    if (!json_is(keys, JSON_ARRAY) && !(json_is(j, JSON_OBJECT) && j->count == 0))
        return err_set(e, ERR_BAD_REQUEST, "policySigningCertificates", "is no object with a list 'keys'");
    for (const struct json *k = keys == NULL ? NULL : keys->child; k != NULL; k = k->next) {
        struct cert *chain;
        size_t n;

        if (h->signer_count == HEAD_MAX_SIGNERS)
            return err_set(e, ERR_BAD_REQUEST, "policySigningCertificates", "more than %d certificates", HEAD_MAX_SIGNERS);
        if (!x5c_read(json_member_nocase(k, "x5c"), "policySigningCertificates", a, &chain, &n, e))
            return false;
        h->signers[h->signer_count++] = chain[0].der;
    }
    h->isolated = h->signer_count > 0;
    return true;
}

bool core_provider_new(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e)
{
    struct head h = { 0 };
    struct bytes signers;

    (void)now;
    if (!wire_find(f, TAG_NAME, &h.name) || !wire_find(f, TAG_ISSUER, &h.issuer))
        return err_set(e, ERR_INTERNAL, "message", "name or issuer is missing");
    if (wire_find(f, TAG_SIGNERS, &signers) && !read_signers(signers, a, &h, e))
        return false;
    return put_head(c, &h, a, answer, e);
}

/* -- policies -- */

static bool type_of(const struct wire_fields *f, struct bytes *ret, struct err *e)
{
    return wire_find(f, TAG_KIND, ret) || err_set(e, ERR_INTERNAL, "message", "attestation type is missing");
}

/* The policy in force as a JWS: the tenant's as it was uploaded, or the default in an unsigned envelope. */
static struct bytes policy_in_force(const struct provider *p, struct bytes type, struct arena *a)
{
    struct bytes text = { NULL, 0 };

    if (p->has_policy)
        return p->policy_jws;
    (void)policy_default(type, &text);
    return policy_wrap(text, a);
}

/* The TCB baseline that the policy in force demands; 0: none but the service's own. */
static uint32_t baseline_of(const struct provider *p, struct bytes type, struct arena *a)
{
    struct err e = { .code = ERR_NONE };
    struct policy *compiled = NULL;
    struct policy_diagnostics diag = policy_diagnostics_open(a);
    struct signed_request r;
    struct bytes text;
    uint32_t number = 0;
    bool empty;

    if (!p->has_policy || !signed_request_open(p->policy_jws, ANY_TIME, a, &r, &e))
        return 0;
    if (policy_of_request(&r, a, &text, &empty, &e) && policy_compile(text, type, &compiled, &diag, &e)) {
        const struct claim *c = policy_property(compiled, "x-ms-sgx-tcbidentifier");

        const char *digits = c == NULL || bytes_is(c->text, "azuredefault") ? NULL : arena_str(a, c->text);

        if (digits != NULL)
            number = (uint32_t)strtoul(digits, NULL, 10);
        policy_free(compiled);
    }
    signed_request_done(&r);
    return number;
}

bool core_policy_get(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e)
{
    struct provider p;
    struct bytes type;
    struct jobj body;

    if (!type_of(f, &type, e) || !provider_read(c, f, type, a, &p, e))
        return false;
    body = answer_body(&p, now, a);
    jobj_str(&body, "x-ms-policy", policy_in_force(&p, type, a));
    wire_put_u32(answer, TAG_EVAL_NUMBER, baseline_of(&p, type, a));
    return put_token(c, f, &p, &body, a, answer, e);
}

static bool is_signer(const struct head *h, const struct signed_request *r)
{
    for (size_t i = 0; i < h->signer_count; i++) {
        struct cert c;
        struct key *k = NULL;
        bool same;

        if (!cert_parse(h->signers[i], "signer", &c, NULL) || !key_from_spki(c.spki, "signer", &k, NULL))
            continue;
        same = key_kind(k) == key_kind(r->signer)
            && (key_kind(k) == KEY_RSA ? bytes_equal(key_modulus(k), key_modulus(r->signer)) && bytes_equal(key_exponent(k), key_exponent(r->signer))
                                       : bytes_equal(key_point(k), key_point(r->signer)));
        key_free(k);
        if (same)
            return true;
    }
    return false;
}

/* Step 6 of rest-api 6.2: in isolated providers whoever changes anything signs it. */
static bool check_signer(const struct provider *p, const struct signed_request *r, struct err *e)
{
    if (p->shared)
        return err_set(e, ERR_UNAUTHORIZED, "provider", "policies of a shared provider cannot be changed");
    if (!p->head.isolated)
        return true;
    if (!r->is_signed)
        return err_set(e, ERR_INVALID_OPERATION, "policy", "Unsigned JWS specified but enclave is configured with signing certificates.");
    return is_signer(&p->head, r)
        || err_set(e, ERR_INVALID_OPERATION, "policy", "the JWS is signed, but not by one of the provider's %zu policy signing certificates",
                   p->head.signer_count);
}

static bool open_request(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct provider *p,
                         struct bytes *ret_type, struct bytes *ret_jws, struct signed_request *r, struct err *e)
{
    if (!type_of(f, ret_type, e) || !provider_read(c, f, *ret_type, a, p, e))
        return false;
    if (!wire_find(f, TAG_JWS, ret_jws))
        return err_set(e, ERR_INTERNAL, "message", "request body is missing");
    if (ret_jws->n > MAX_JWS)
        return err_set(e, ERR_TOO_LARGE, "request", "has %zu bytes, at most %zu are accepted", ret_jws->n, MAX_JWS);
    if (!signed_request_open(*ret_jws, now, a, r, e))
        return false;
    if (check_signer(p, r, e))
        return true;
    signed_request_done(r);
    return false;
}

/* Compiles once to see that it is a policy; the message of a syntax error is the recorded one. */
static bool check_policy(struct bytes text, struct bytes type, struct arena *a, struct err *e)
{
    struct policy_diagnostics diag = policy_diagnostics_open(a);
    struct policy *p = NULL;

    if (!policy_compile(text, type, &p, &diag, e)) {
        policy_error(&diag, a, e);
        return false;
    }
    policy_free(p);
    return true;
}

static bool set_digest(struct head *h, struct bytes type, struct bytes digest, struct err *e)
{
    struct head_policy *hp = (struct head_policy *)(uintptr_t)head_policy_find(h, type);

    if (hp == NULL) {
        if (h->policy_count == HEAD_MAX_POLICIES)
            return err_set(e, ERR_INTERNAL, "provider head", "has policies for more than %d types", HEAD_MAX_POLICIES);
        hp = &h->policies[h->policy_count++];
        hp->type = type;
    }
    hp->version = h->version + 1;
    hp->digest = digest;
    return true;
}

static bool store_policy(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct provider *p, struct bytes type,
                         const struct signed_request *r, struct out *answer, struct err *e)
{
    struct jobj body = answer_body(p, now, a);
    struct bytes text, jws = r->jws.text;
    struct digest d = sha256(jws), mac;
    bool empty;

    if (!policy_of_request(r, a, &text, &empty, e))
        return false;
    if (empty)
        return err_set(e, ERR_INVALID_OPERATION, "policy", "Could not find \"AttestationPolicy\" claim in policy token");
    if (!check_policy(text, type, a, e) || !set_digest(&p->head, type, digest_bytes(&d), e))
        return false;
    jobj_text(&body, "x-ms-policy-result", "Updated");
    jobj_str(&body, "x-ms-policy-token-hash", policy_token_hash(jws, a));
    if (r->is_signed)
        jobj_json(&body, "x-ms-policy-signer", policy_signer_json(r, a));
    wire_put(answer, TAG_POLICY_JWS, jws);
    if (!put_head(c, &p->head, a, answer, e))
        return false;
    mac = version_mac(c, &p->head, type, p->head.version, jws, a); /* the head's number is the new one by now */
    if (a->failed)
        return err_memory(e, "policy");
    wire_put(answer, TAG_VERSION_MAC, digest_bytes(&mac));
    return put_token(c, f, p, &body, a, answer, e);
}

bool core_policy_set(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e)
{
    struct provider p;
    struct signed_request r;
    struct bytes type, jws;
    bool ok;

    if (!open_request(c, f, now, a, &p, &type, &jws, &r, e))
        return false;
    ok = store_policy(c, f, now, a, &p, type, &r, answer, e);
    signed_request_done(&r);
    return ok;
}

/* The store gives the older version, so that it shows that it is what the provider set then. After that it is judged
 * as if its author sent it again. */
bool core_policy_rollback(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e)
{
    int64_t version = wire_i64(f, TAG_VERSION, 0);
    struct bytes type, jws, mac = { NULL, 0 };
    struct provider p;
    struct digest want;

    if (!type_of(f, &type, e) || !provider_read(c, f, type, a, &p, e))
        return false;
    if (p.shared)
        return err_set(e, ERR_UNAUTHORIZED, "provider", "policies of a shared provider cannot be changed");
    if (!wire_find(f, TAG_JWS, &jws) || version <= 0)
        return err_set(e, ERR_INTERNAL, "message", "stored policy or its version is missing");
    want = version_mac(c, &p.head, type, (uint64_t)version, jws, a);
    if (a->failed)
        return err_memory(e, "policy");
    if (!wire_find(f, TAG_VERSION_MAC, &mac) || !secret_equal(mac, digest_bytes(&want)))
        return err_set(e, ERR_STORE_TAMPERED, "policy",
                       "the MAC of version %lld of the %.*s policy does not fit: the stored row is not what was set then", (long long)version,
                       (int)type.n, (const char *)type.p);
    return core_policy_set(c, f, now, a, answer, e);
}

bool core_policy_reset(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e)
{
    struct provider p;
    struct signed_request r;
    struct bytes type, jws, text;
    struct jobj body;
    bool empty, ok;

    if (!open_request(c, f, now, a, &p, &type, &jws, &r, e))
        return false;
    ok = policy_of_request(&r, a, &text, &empty, e)
        && (empty || err_set(e, ERR_INVALID_OPERATION, "policy", "a reset carries no policy"))
        && set_digest(&p.head, type, (struct bytes){ NULL, 0 }, e);
    signed_request_done(&r);
    body = answer_body(&p, now, a);
    jobj_text(&body, "x-ms-policy-result", "Removed");
    return ok && put_head(c, &p.head, a, answer, e) && put_token(c, f, &p, &body, a, answer, e);
}

/* -- policy signing certificates -- */

static bool put_signer(struct jarr *list, struct bytes der, struct arena *a, struct err *e)
{
    struct jobj o = jobj_open(a);
    struct jarr chain = jarr_open(a);
    struct cert c;
    struct key *k = NULL;

    if (!cert_parse(der, "signer", &c, e) || !key_from_spki(c.spki, "signer", &k, e))
        return false;
    jarr_str(&chain, b64std_encode(a, der));
    jobj_text(&o, "alg", key_kind(k) == KEY_RSA ? "RS256" : key_kind(k) == KEY_P256 ? "ES256" : key_kind(k) == KEY_P384 ? "ES384" : "ES512");
    jobj_text(&o, "kty", key_kind(k) == KEY_RSA ? "RSA" : "EC");
    jobj_text(&o, "use", "sig");
    jobj_json(&o, "x5c", jarr_close(&chain));
    jarr_raw(list, jobj_print(&o, false));
    key_free(k);
    return true;
}

bool core_signers_get(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e)
{
    struct provider p;
    struct jobj body, set = jobj_open(a);
    struct jarr list = jarr_open(a);

    if (!provider_read(c, f, (struct bytes){ NULL, 0 }, a, &p, e))
        return false;
    for (size_t i = 0; i < p.head.signer_count; i++)
        if (!put_signer(&list, p.head.signers[i], a, e))
            return false;
    jobj_json(&set, "keys", jarr_close(&list));
    body = answer_body(&p, now, a);
    jobj_json(&body, "x-ms-policy-certificates", jobj_print(&set, false));
    return put_token(c, f, &p, &body, a, answer, e);
}

/* Adding what is there and removing what is not are no errors; the last one stays (rest-api 7.2). */
static bool change_signers(struct head *h, struct bytes der, bool add, struct err *e)
{
    size_t at = 0;

    while (at < h->signer_count && !bytes_equal(h->signers[at], der))
        at++;
    if (add) {
        if (at < h->signer_count)
            return true;
        if (h->signer_count == HEAD_MAX_SIGNERS)
            return err_set(e, ERR_INVALID_OPERATION, "policy signing certificates", "a provider has at most %d", HEAD_MAX_SIGNERS);
        h->signers[h->signer_count++] = der;
        return true;
    }
    if (at == h->signer_count)
        return true;
    if (h->signer_count == 1)
        return err_set(e, ERR_INVALID_OPERATION, "policy signing certificates", "the last certificate of a provider cannot be removed");
    for (; at + 1 < h->signer_count; at++)
        h->signers[at] = h->signers[at + 1];
    h->signer_count--;
    return true;
}

bool core_signers_change(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e)
{
    struct provider p;
    struct signed_request r;
    struct bytes jws, ignored;
    struct cert cert;
    struct digest thumb;
    struct jobj body;
    bool add = wire_find(f, TAG_ADD, &ignored), ok;

    if (!provider_read(c, f, (struct bytes){ NULL, 0 }, a, &p, e))
        return false;
    if (p.shared || !p.head.isolated) /* before anything else is looked at, as recorded */
        return err_set(e, ERR_INVALID_OPERATION, "policy signing certificates",
                       "The operation is disallowed: the provider was created without policy signing certificates");
    if (!wire_find(f, TAG_JWS, &jws))
        return err_set(e, ERR_INTERNAL, "message", "request body is missing");
    if (!signed_request_open(jws, now, a, &r, e))
        return false;
    ok = check_signer(&p, &r, e) && policy_certificate_of_request(&r, a, &cert, e) && change_signers(&p.head, cert.der, add, e);
    if (ok) {
        thumb = hash(HASH_SHA1, cert.der);
        body = answer_body(&p, now, a);
        jobj_str(&body, "x-ms-certificate-thumbprint", hex_encode_upper(a, digest_bytes(&thumb)));
        jobj_text(&body, "x-ms-policycertificates-result", add ? "IsPresent" : "IsAbsent");
        ok = put_head(c, &p.head, a, answer, e) && put_token(c, f, &p, &body, a, answer, e);
    }
    signed_request_done(&r);
    return ok;
}

/* -- operators' tokens: the local issuer of the embedded default -- */

bool core_admin_token(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e)
{
    struct jobj body = jobj_open(a), header = jobj_open(a);
    struct bytes subject, roles, audience, input, sig;
    uint32_t lifetime = wire_u32(f, TAG_LIFETIME, 3600);
    uint8_t jti[16];

    if (!wire_find(f, TAG_SUBJECT, &subject) || !wire_find(f, TAG_ROLES, &roles) || !wire_find(f, TAG_AUDIENCE, &audience))
        return err_set(e, ERR_INTERNAL, "message", "subject, roles or audience is missing");
    random_bytes(jti, sizeof(jti));
    jobj_text(&header, "alg", "ES256");
    jobj_text(&header, "kid", c->keys.p256.kid);
    jobj_text(&header, "typ", "avouch-admin+jwt"); /* never taken for an attestation token, nor the other way round */
    jobj_text(&body, "iss", LOCAL_ISSUER);
    jobj_str(&body, "aud", audience);
    jobj_str(&body, "oid", subject);
    jobj_json(&body, "roles", roles);
    jobj_int(&body, "iat", now);
    jobj_int(&body, "nbf", now);
    jobj_int(&body, "exp", now + (lifetime > 30 * 86400 ? 30 * 86400 : lifetime));
    jobj_hex(&body, "jti", BYTES(jti));
    input = jws_input(jobj_print(&header, false), jobj_print(&body, false), a);
    if (input.p == NULL)
        return err_memory(e, "token");
    if (!keys_sign(&c->keys.p256, SIG_ES256, input, a, &sig, e))
        return false;
    wire_put(answer, TAG_BODY, jws_join(input, sig, a));
    return true;
}
