/* attest.c: the corridor: evidence in, token out. */
#include "core/attestation.h"

#include "codec/b64.h"
#include "codec/hex.h"
#include "jose/policy_jws.h"

#include <stdio.h>
#include <stdlib.h>

static void read_attached(const struct wire_fields *f, enum wire_tag data, enum wire_tag json, struct attached *ret)
{
    struct bytes ignored;

    ret->present = wire_find(f, data, &ret->data);
    ret->type = wire_find(f, json, &ignored) ? DATA_JSON : DATA_BINARY;
}

static bool read_request(struct attestation *x, struct err *e)
{
    struct bytes kind = { NULL, 0 }, alg;
    uint32_t flags = wire_u32(x->f, TAG_FLAGS, 0);

    if (!wire_find(x->f, TAG_KIND, &kind) || !wire_find(x->f, TAG_EVIDENCE, &x->in.evidence))
        return err_set(e, ERR_INTERNAL, "message", "kind or evidence is missing");
    x->kind = evidence_kind_find(kind);
    if (x->kind == NULL)
        return err_set(e, ERR_BAD_REQUEST, "attestation type", "'%.*s' is not known", (int)kind.n, (const char *)kind.p);
    read_attached(x->f, TAG_RUNTIME, TAG_RUNTIME_JSON, &x->in.runtime);
    read_attached(x->f, TAG_INIT, TAG_INIT_JSON, &x->in.init);
    (void)wire_find(x->f, TAG_NONCE, &x->in.nonce);
    x->settings = settings_default();
    x->settings.accept_tcb = wire_u32(x->f, TAG_ACCEPT, x->settings.accept_tcb);
    x->settings.tcb_eval_number = wire_u32(x->f, TAG_EVAL_NUMBER, 0);
    x->settings.expired_grace = wire_u32(x->f, TAG_GRACE, 0);
    x->settings.collateral_max_age = wire_u32(x->f, TAG_MAX_AGE, 0);
    settings_apply(&x->settings, wire_u32(x->f, TAG_SETTINGS, 0));
    x->explain_full = (flags & WIRE_EXPLAIN_FULL) != 0;
    x->alg = SIG_RS256;
    if ((wire_find(x->f, TAG_ALG, &alg) && !token_alg(alg, &x->alg, e))
        || !provider_read(x->core, x->f, bytes_str(x->kind->name), x->a, &x->provider, e))
        return false;
    x->issuer = arena_str(x->a, x->provider.issuer);
    x->in.issuer = x->provider.issuer;
    return true;
}

/* -- collateral as it arrives: recognised and digested once, found again by its bytes -- */

struct kept_item {
    struct arena own;
    struct bytes body;
    struct collateral items; /* usually one; endorsements hold several */
};

static const char kept_tag;

static void kept_free(void *p)
{
    struct arena own = ((struct kept_item *)p)->own;

    arena_done(&own);
}

/* A look-up key that costs little; equality is then decided by the bytes themselves. */
static void cheap_key(struct bytes b, uint8_t key[32])
{
    uint64_t h = 0xcbf29ce484222325u ^ b.n;

    for (size_t i = 0; i < b.n; i += b.n < 256 ? 1 : b.n / 256)
        h = (h ^ b.p[i]) * 0x100000001b3u;
    memset(key, 0, 32);
    memcpy(key, &h, sizeof(h));
}

static struct kept_item *kept_new(struct bytes body, struct err *e)
{
    struct arena own;
    struct kept_item *k;
    struct err why = { .code = ERR_NONE };

    arena_init(&own, (size_t)64 << 20);
    k = arena_new(&own, struct kept_item);
    if (k != NULL) {
        k->body = arena_copy(&own, body);
        k->items = collateral_open(&own);
        if (k->body.p != NULL && collateral_add(&k->items, k->body, "collateral", &why)) {
            for (size_t i = 0; i < k->items.count; i++) {
                collateral_digest(&k->items.list[i], k->items.list[i].digest);
                k->items.list[i].has_digest = true;
            }
            k->items.a = NULL; /* closed: nothing is added later */
            k->own = own;
            return k;
        }
    }
    arena_done(&own);
    if (why.code != ERR_NONE)
        (void)err_set(e, ERR_COLLATERAL_FORMAT, why.what, "%s", why.why);
    else
        (void)err_memory(e, "collateral");
    return NULL;
}

/* The items of one body. They live until the request ends: of up to 256 that a request can bring none is
 * evicted meanwhile, since the memo is larger and forgets the oldest. Where another body has the same
 * look-up key the one at hand is not kept but read into the request's own arena. */
static bool add_collateral(struct attestation *x, struct bytes body, struct err *e)
{
    uint8_t key[32];
    struct kept_item *k;

    cheap_key(body, key);
    k = memo_find(x->core->items, &kept_tag, key);
    if (k != NULL && !bytes_equal(k->body, body))
        return collateral_add(&x->collateral, body, "collateral", e);
    if (k == NULL) {
        k = kept_new(body, e);
        if (k == NULL)
            return false;
        if (!memo_put(x->core->items, &kept_tag, key, k, kept_free))
            return err_memory(e, "collateral");
    }
    return collateral_join(&x->collateral, &k->items) || err_memory(e, "collateral");
}

/* Items that stand aside are marked in the request's own list: another one may bring the same as its own. */
static bool read_collateral(struct attestation *x, struct err *e)
{
    x->collateral = collateral_open(x->a);
    for (size_t i = 0; i < x->f->count; i++) {
        size_t from = x->collateral.count;
        uint16_t tag = x->f->list[i].tag;

        if (tag != TAG_COLLATERAL && tag != TAG_COLLATERAL_ASIDE)
            continue;
        if (!add_collateral(x, x->f->list[i].value, e))
            return false;
        for (size_t k = from; tag == TAG_COLLATERAL_ASIDE && k < x->collateral.count; k++)
            x->collateral.list[k].aside = true;
    }
    return true;
}

/* -- policy -- */

void policy_error(const struct policy_diagnostics *d, struct arena *a, struct err *e)
{
    const char *text = policy_rest_message(d, a);

    if (e->code == ERR_POLICY_SYNTAX && text != NULL && text[0] != 0)
        snprintf(e->why, sizeof(e->why), "%s", text);
}

static void free_policy(void *p)
{
    policy_free(p);
}

/* A provider's policy is kept; a draft is compiled for its one use, so that drafts push nothing out. */
static bool compile(struct attestation *x, struct err *e)
{
    static const char tag;
    const struct bytes both[] = { bytes_str(x->kind->name), LIT("\0"), x->policy_text };
    struct digest key = hash_parts(HASH_SHA256, both, COUNT(both));
    struct policy *p = x->draft ? NULL : memo_find(x->core->policies, &tag, key.p);

    if (p == NULL) {
        struct policy_diagnostics diag = policy_diagnostics_open(x->a);

        if (!policy_compile(x->policy_text, bytes_str(x->kind->name), &p, &diag, e)) {
            policy_error(&diag, x->a, e);
            return false;
        }
        if (x->draft)
            x->compiled_draft = p;
        else if (!memo_put_sized(x->core->policies, &tag, key.p, p, policy_size(p), free_policy))
            return err_memory(e, "policy");
    }
    x->policy = p;
    return true;
}

/* A tenant's policy as it was opened out of its envelope: text and signer. */
struct opened_policy {
    struct arena own;
    struct bytes text, signer;
};

static void free_opened(void *p)
{
    struct arena own = ((struct opened_policy *)p)->own;

    arena_done(&own);
}

/* Kept are text and signer alone: what else came in the envelope may be much larger when it is read. */
static bool read_envelope(struct bytes jws, struct opened_policy *ret, struct err *e)
{
    struct arena scratch;
    struct signed_request r;
    struct bytes text, signer = { NULL, 0 };
    bool empty, ok;

    arena_init(&scratch, CORE_REQUEST_BUDGET);
    if (!signed_request_open(jws, ANY_TIME, &scratch, &r, e)) {
        arena_done(&scratch);
        return false;
    }
    ok = policy_of_request(&r, &scratch, &text, &empty, e);
    if (ok) {
        if (r.is_signed)
            signer = policy_signer_json(&r, &scratch);
        ret->text = arena_copy(&ret->own, text);
        ret->signer = arena_copy(&ret->own, signer);
        ok = (!scratch.failed && !ret->own.failed) || err_memory(e, "policy");
    }
    signed_request_done(&r);
    arena_done(&scratch);
    return ok;
}

/* The signer was checked when the policy was set; what is stored since is vouched for by the head. So the
 * envelope is opened once and found again by its digest. */
static bool own_policy(struct attestation *x, const struct provider *p, struct err *e)
{
    static const char tag;
    struct digest key = sha256(p->policy_jws);
    struct opened_policy *o = memo_find(x->core->policies, &tag, key.p);

    if (o == NULL) {
        struct arena own;

        arena_init(&own, CORE_REQUEST_BUDGET);
        o = arena_new(&own, struct opened_policy);
        if (o == NULL) {
            arena_done(&own);
            return err_memory(e, "policy");
        }
        o->own = own;
        if (!read_envelope(p->policy_jws, o, e)) {
            free_opened(o);
            return false;
        }
        if (!memo_put_sized(x->core->policies, &tag, key.p, o, CORE_REQUEST_BUDGET - o->own.left, free_opened))
            return err_memory(e, "policy");
    }
    x->policy_text = o->text;
    x->policy_signer = o->signer;
    return true;
}

/* A draft is policy text; a JWS that carries one is taken too. */
static bool draft_policy(struct attestation *x, struct err *e)
{
    struct signed_request r;
    struct err ignored = { .code = ERR_NONE };
    struct bytes text;
    bool empty;

    (void)e;
    if (bytes_contain(bytes_part(x->policy_text, 0, 64), LIT("=")) || !signed_request_open(x->policy_text, ANY_TIME, x->a, &r, &ignored))
        return true;
    if (policy_of_request(&r, x->a, &text, &empty, &ignored) && !empty)
        x->policy_text = text;
    signed_request_done(&r);
    return true;
}

static bool find_policy(struct attestation *x, struct err *e)
{
    const struct provider *p = &x->provider;

    x->draft = wire_find(x->f, TAG_DRAFT_POLICY, &x->policy_text);
    if (x->draft)
        return draft_policy(x, e);
    if (p->has_policy)
        return own_policy(x, p, e);
    if (!policy_default(bytes_str(x->kind->name), &x->policy_text) || x->policy_text.n == 0)
        return err_set(e, ERR_INVALID_OPERATION, "policy", "A %s attestation policy has not been set on the attestation provider.",
                       x->kind->name);
    return true;
}

/* What the tenant asks of collateral; the stricter of service and tenant counts. */
static void read_collateral_rules(struct attestation *x)
{
    const struct claim *age = policy_property(x->policy, "x-avouch-collateral-max-age"), *sets = policy_property(x->policy, "x-avouch-tcb-sets");

    if (age != NULL)
        x->settings.collateral_max_age = max_age_stricter(x->settings.collateral_max_age, age->integer);
    x->sets_asked = sets != NULL && bytes_is(sets->text, "both");
}

static bool read_policy(struct attestation *x, struct err *e)
{
    const struct claim *c;

    if (!find_policy(x, e))
        return false;
    if (!compile(x, e))
        return false;
    x->policy_hash = policy_hash(x->policy_text, x->a);
    read_collateral_rules(x);
    c = policy_property(x->policy, "x-ms-sgx-tcbidentifier");
    if (c != NULL && !bytes_is(c->text, "azuredefault")) {
        const char *number = arena_str(x->a, c->text);

        x->settings.tcb_identifier = c->text;
        x->settings.tcb_eval_number = number == NULL ? 0 : strtol(number, NULL, 10);
    }
    if (x->a->failed) /* a draft may have used it up */
        return err_memory(e, "policy");
    c = policy_property(x->policy, "required_pcr_mask");
    if (c != NULL)
        x->settings.required_pcr_mask = (uint32_t)c->integer;
    c = policy_property(x->policy, "require_valid_aik_cert");
    if (c != NULL)
        x->settings.require_valid_aik_cert = c->boolean;
    return true;
}

/* Whether both sets were looked for, if the policy wants them: the front learns of it here, and asks once more. What it
 * does not find then is told in claims. */
static bool sets_were_looked_for(const struct attestation *x, struct err *e)
{
    return !x->sets_asked || !x->kind->tcb_sets || x->settings.tcb_sets
        || err_set(e, ERR_COLLATERAL_MISSING, "TCB evaluation sets", "the policy asks for both, and they were not looked for yet");
}

/* Incoming claims of every type, under their own and their older names (claims.md 1.4). */
static void common_claims(struct attestation *x)
{
    const struct bytes type = bytes_str(evidence_type(x->kind, x->evidence));

    claims_str(&x->found, "x-ms-ver", CLAIM_TO_BOTH, LIT("1.0"));
    claims_str(&x->found, "x-ms-attestation-type", CLAIM_TO_BOTH, type);
    claims_str(&x->found, "x-ms-policy-hash", CLAIM_TO_BOTH, x->policy_hash);
    claims_str(&x->found, "ver", CLAIM_TO_POLICY, LIT("1.0"));
    claims_str(&x->found, "tee", CLAIM_TO_POLICY, type);
    claims_str(&x->found, "policy_hash", CLAIM_TO_POLICY, x->policy_hash);
    claims_str(&x->found, "maa-policyHash", CLAIM_TO_POLICY, x->policy_hash);
    if (x->policy_signer.n > 0) {
        claims_json(&x->found, "x-ms-policy-signer", CLAIM_TO_BOTH, x->policy_signer);
        claims_json(&x->found, "policy_signer", CLAIM_TO_POLICY, x->policy_signer);
    }
    if (x->in.nonce.n > 0)
        claims_str(&x->found, "nonce", CLAIM_TO_BOTH, x->in.nonce);
    if (x->core->dev)
        claims_bool(&x->found, "x-avouch-dev", CLAIM_TO_BOTH, true);
}

static bool reads(const void *policy, struct bytes claim)
{
    return policy_reads(policy, claim);
}

/* What the evidence shows stands behind what every type has: policies see the order. */
static bool gather_claims(struct attestation *x, struct err *e)
{
    struct verify_env env = { .now = x->now, .trust = &x->core->trust, .collateral = &x->collateral, .settings = &x->settings,
                              .memo = x->core->memo, .a = x->a, .reads = reads, .policy = x->policy };
    struct claims shown = claims_open(x->a);

    if (!evidence_verify_keep(x->kind, &x->in, &env, &shown, &x->status, &x->evidence, e) || !protocol_verified(x, e))
        return false;
    x->found = claims_open(x->a);
    common_claims(x);
    for (size_t i = 0; i < shown.count; i++)
        claims_add(&x->found, shown.list[i]);
    return !x->found.failed || err_memory(e, "claims");
}

/* A refusal is evaluated once more with its trace: the common case does not pay for it. */
static bool evaluate(struct attestation *x, struct err *e)
{
    struct err again = { .code = ERR_NONE };

    if (policy_eval(x->policy, &x->found, x->a, &x->issued, NULL, e))
        return true;
    if (e->code == ERR_POLICY_DENIED || e->code == ERR_POLICY_EVALUATION) {
        x->trace = policy_trace_open(x->a);
        (void)!policy_eval(x->policy, &x->found, x->a, &x->issued, &x->trace, &again);
    }
    return false;
}

/* -- token -- */

static bool write_token(struct attestation *x, struct bytes *ret, struct err *e)
{
    struct token_form form = protocol_token_form(x);
    struct jobj body = jobj_open(x->a);
    uint8_t jti[32];
    struct bytes token;

    random_bytes(jti, sizeof(jti));
    jobj_text(&body, "iss", x->issuer);
    jobj_int(&body, "iat", x->now);
    jobj_int(&body, "nbf", form.not_before);
    jobj_int(&body, "exp", form.expires);
    jobj_hex(&body, "jti", bytes_of(jti, form.jti_size));
    return policy_token_members(x->policy, &x->found, &x->issued, &body, e)
        && token_sign(x->core, x->issuer, x->alg, x->draft, &form, jobj_print(&body, true), x->a, &token, e)
        && protocol_answer(x, token, ret, e);
}

/* The message names the rule that decided, without values of claims. The trace is for who wrote the draft,
 * and for everybody where the operator says so. */
static void put_details(struct attestation *x, struct out *answer)
{
    if (x->trace.a != NULL && (x->draft || x->explain_full))
        wire_put(answer, TAG_ERROR_DETAILS, policy_trace_json(&x->trace, x->a));
}

static bool run(struct attestation *x, struct bytes *ret_token, struct err *e)
{
    if (!read_request(x, e) || !protocol_begin(x, e))
        return false;
    if (x->answered) {
        *ret_token = x->answer;
        return true;
    }
    return read_policy(x, e) && sets_were_looked_for(x, e) && read_collateral(x, e) && gather_claims(x, e) && evaluate(x, e)
        && write_token(x, ret_token, e);
}

bool core_attest(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e)
{
    struct attestation x = { .core = c, .f = f, .a = a, .now = now };
    struct bytes token;
    bool ok = run(&x, &token, e);

    if (x.status != NULL)
        wire_put(answer, TAG_STATUS, bytes_str(x.status));
    if (x.policy_hash.n > 0)
        wire_put(answer, TAG_POLICY_HASH, x.policy_hash);
    if (ok)
        wire_put(answer, TAG_BODY, token);
    else
        put_details(&x, answer);
    /* the policy picks the set, and only the core reads policies: the front learns here what to get */
    if (!ok && e->code == ERR_COLLATERAL_MISSING && x.settings.tcb_eval_number != wire_u32(f, TAG_EVAL_NUMBER, 0))
        wire_put_u32(answer, TAG_EVAL_NUMBER, (uint32_t)x.settings.tcb_eval_number);
    if (x.settings.collateral_max_age != 0)
        wire_put_u32(answer, TAG_MAX_AGE, (uint32_t)x.settings.collateral_max_age);
    if (x.sets_asked)
        wire_put_u32(answer, TAG_SETTINGS, SETTING_TCB_SETS);
    policy_free(x.compiled_draft);
    return ok;
}
