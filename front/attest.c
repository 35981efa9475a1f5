/* attest.c: POST /attest/{type}: body to parcel, answer to reply. */
#include "front/front.h"

#include "base/memo.h"
#include "codec/hex.h"
#include "crypto/hash.h"
#include "evidence/tpm/tpm.h"

#include <stdlib.h>

/* -- the call -- */

/* The audit record names evidence by its digest only. */
static void note_digest(struct request *rq, struct bytes evidence)
{
    struct digest d = sha256(evidence);

    rq->evidence_hash = hex_encode(&rq->a, digest_bytes(&d));
}

/* What is kept while the collateral is fetched. */
struct attest_call {
    const struct evidence_kind *kind;
    struct api_attest body;
    struct settings settings; /* the service's, and what the core told of the policy's */
    struct needs needs;
};

/* -- what policies ask of collateral -- */

/* Only the core reads policies: it tells, and the front remembers by the provider's head, which is another one with each
 * change of a policy. A provider that asks for nothing has no entry. */
struct wishes {
    int64_t max_age;
    bool sets;
};

enum { MAX_WISHES = 4096 };
static const char wishes_tag;

bool attest_open(struct front *f, struct err *e)
{
    f->wishes = memo_new(MAX_WISHES);
    return f->wishes != NULL || err_memory(e, "wishes of policies");
}

static struct digest wishes_key(const struct request *rq, const struct attest_call *call)
{
    const struct bytes parts[] = { rq->tenant.row.mac, rq->tenant.row.head, bytes_str(call->kind->name) };

    return hash_parts(HASH_SHA256, parts, COUNT(parts));
}

static void wish(struct settings *s, int64_t max_age, bool sets)
{
    s->collateral_max_age = max_age_stricter(s->collateral_max_age, max_age);
    s->tcb_sets = s->tcb_sets || sets;
}

static void recall_wishes(const struct request *rq, struct attest_call *call)
{
    struct digest key;
    const struct wishes *known;

    call->settings = rq->front->settings;
    if (rq->tenant.shared || call->body.has_draft)
        return;
    key = wishes_key(rq, call);
    known = memo_find(rq->front->wishes, &wishes_tag, key.p);
    if (known != NULL)
        wish(&call->settings, known->max_age, known->sets);
}

/* What an answer tells: true where the request has not been told so before. */
static bool learn_wishes(const struct request *rq, const struct wire_fields *f)
{
    struct attest_call *call = rq->call;
    struct settings was = call->settings;
    struct wishes *w;
    struct digest key;

    wish(&call->settings, wire_u32(f, TAG_MAX_AGE, 0), (wire_u32(f, TAG_SETTINGS, 0) & SETTING_TCB_SETS) != 0);
    if (was.collateral_max_age == call->settings.collateral_max_age && was.tcb_sets == call->settings.tcb_sets)
        return false;
    if (!rq->tenant.shared && !call->body.has_draft && (w = malloc(sizeof(*w))) != NULL) {
        *w = (struct wishes){ .max_age = call->settings.collateral_max_age, .sets = call->settings.tcb_sets };
        key = wishes_key(rq, call);
        (void)!memo_put(rq->front->wishes, &wishes_tag, key.p, w, free);
    }
    return true;
}

/* What the core misses, or finds to be over, is half of the story: the other half is why it could not be had. */
static bool replied_sources(struct request *rq, const struct wire_fields *f)
{
    const struct attest_call *call = rq->call;
    struct err e, whole = { .code = ERR_NONE };
    const char *why = collateral_errors(rq, &call->needs);

    if (!wire_error(f, &e) || why[0] == 0
        || (e.code != ERR_COLLATERAL_EXPIRED && e.code != ERR_CRL_EXPIRED && e.code != ERR_COLLATERAL_MISSING && e.code != ERR_COLLATERAL_TOO_OLD))
        return false;
    (void)err_set(&whole, e.code, e.what, "%s; %s: %s", e.why, e.code == ERR_COLLATERAL_MISSING ? "sources" : "no newer one could be had", why);
    rq->retry_after = 30;
    reply_error(rq, &whole);
    return true;
}

static bool find_needs(struct request *rq, const struct evidence_kind *kind, const struct api_attest *body, const struct settings *s,
                       void **ret_ev, struct needs *ret, struct err *e);
static bool is_invented(const struct front *f, const struct attest_call *call, const void *ev);
static void send_parcel(struct request *rq);

/* On to the core, at once where nothing is to be got: it says what is wrong with invented evidence. */
static void get_collateral(struct request *rq, const void *ev)
{
    struct attest_call *call = rq->call;

    if (is_invented(rq->front, call, ev))
        send_parcel(rq);
    else
        collateral_await_for(rq, &call->needs, &call->settings, send_parcel);
}

/* The policy picks a TCB evaluation set by its number (x-ms-sgx-tcbidentifier), wants newer items or more sets, which the
 * core has told: the items are got, and the parcel goes out once more. Each time something is asked for that was not before,
 * and there are three such things. */
static bool asked_for_more(struct request *rq, const struct wire_fields *f)
{
    struct attest_call *call = rq->call;
    int64_t number = wire_u32(f, TAG_EVAL_NUMBER, 0);
    bool more = learn_wishes(rq, f);
    struct err e;
    void *ev;

    if (!wire_error(f, &e) || (e.code != ERR_COLLATERAL_MISSING && e.code != ERR_COLLATERAL_TOO_OLD))
        return false;
    if (number != 0 && number != call->settings.tcb_eval_number) {
        call->settings.tcb_eval_number = number;
        more = true;
    }
    e = (struct err){ .code = ERR_NONE };
    if (!more || !find_needs(rq, call->kind, &call->body, &call->settings, &ev, &call->needs, &e))
        return false;
    get_collateral(rq, ev);
    return true;
}

static void on_answer(struct request *rq, const struct wire_fields *f)
{
    struct bytes token;
    struct err e = { .code = ERR_NONE };

    if (asked_for_more(rq, f))
        return;
    if (wire_find(f, TAG_POLICY_HASH, &rq->policy_hash))
        rq->policy_hash = arena_copy(&rq->a, rq->policy_hash);
    if (replied_sources(rq, f) || core_replied_error(rq, f))
        return;
    if (!wire_find(f, TAG_BODY, &token)) {
        (void)err_set(&e, ERR_INTERNAL, "core", "answer has no token");
        reply_error(rq, &e);
        return;
    }
    if (strcmp(rq->evidence_type, "Tpm") == 0) { /* a document of the protocol, in the member it came in */
        struct jobj o = jobj_open(&rq->a);

        jobj_str(&o, "data", token);
        reply_json(rq, 200, jobj_print(&o, false));
        return;
    }
    reply_json(rq, 200, api_token(token, &rq->a));
}

static void put_attached(struct out *frame, const struct api_attached *d, enum wire_tag data, enum wire_tag json)
{
    if (!d->present)
        return;
    wire_put(frame, data, d->data);
    if (d->json)
        wire_put(frame, json, (struct bytes){ NULL, 0 });
}

/* TPM's first message asks for a challenge and carries no evidence. */
static bool is_first_message(struct request *rq, struct bytes data)
{
    enum tpm_message kind;
    struct bytes jws;

    return tpm_message_parse(data, &rq->a, &kind, &jws, NULL) && kind == TPM_MESSAGE_AIKCERT;
}

/* Answers to one challenge meet in one worker, which remembers that it was answered. */
static uint32_t challenge_route(const struct tpm_request *t)
{
    struct digest d = sha256(t->challenge);

    return 1u + ((uint32_t)d.p[0] << 16 | (uint32_t)d.p[1] << 8 | d.p[2]);
}

/* Which collateral: asked of the kind itself, which reads the evidence once more in the core. */
static bool find_needs(struct request *rq, const struct evidence_kind *kind, const struct api_attest *body, const struct settings *s,
                       void **ret_ev, struct needs *ret, struct err *e)
{
    struct evidence_input in = { .evidence = body->evidence };

    *ret_ev = NULL;
    *ret = needs_open(&rq->a);
    if (kind == &evidence_tpm && is_first_message(rq, body->evidence))
        return true;
    if (body->evidence.n > kind->max_size)
        return err_set(e, ERR_TOO_LARGE, kind->name, "evidence has %zu bytes, at most %zu are accepted", body->evidence.n, kind->max_size);
    if (!kind->parse(&in, &rq->a, ret_ev, e))
        return false;
    if (kind == &evidence_tpm)
        rq->route = challenge_route(*ret_ev);
    return kind->needs(*ret_ev, s, ret, e);
}

/* The parcel: all that the core needs. */
static void send_parcel(struct request *rq)
{
    const struct attest_call *call = rq->call;
    const struct api_attest *body = &call->body;
    struct front *f = rq->front;
    struct err e = { .code = ERR_NONE };
    uint64_t id = core_next_id(f);
    struct out frame = wire_begin(&rq->a, MSG_ATTEST, id);

    wire_put(&frame, TAG_KIND, bytes_str(call->kind->name));
    if (!tenant_put(rq, call->kind->name, &frame, &e)) {
        reply_error(rq, &e);
        return;
    }
    wire_put(&frame, TAG_EVIDENCE, body->evidence);
    put_attached(&frame, &body->runtime, TAG_RUNTIME, TAG_RUNTIME_JSON);
    put_attached(&frame, &body->init, TAG_INIT, TAG_INIT_JSON);
    if (body->nonce.n > 0)
        wire_put(&frame, TAG_NONCE, body->nonce);
    if (body->has_draft)
        wire_put(&frame, TAG_DRAFT_POLICY, body->draft);
    wire_put(&frame, TAG_ALG, bytes_str(f->config.value[CONFIG_token_algorithm]));
    wire_put_u32(&frame, TAG_LIFETIME, (uint32_t)f->lifetime);
    wire_put_u32(&frame, TAG_ACCEPT, f->settings.accept_tcb);
    wire_put_u32(&frame, TAG_EVAL_NUMBER, (uint32_t)f->settings.tcb_eval_number);
    wire_put_u32(&frame, TAG_GRACE, (uint32_t)f->settings.expired_grace);
    wire_put_u32(&frame, TAG_FLAGS, f->wire_flags);
    wire_put_u32(&frame, TAG_SETTINGS, f->setting_bits | (call->settings.tcb_sets ? SETTING_TCB_SETS : 0u));
    wire_put_u32(&frame, TAG_MAX_AGE, (uint32_t)f->settings.collateral_max_age);
    front_attach_collateral(f, &call->needs, &frame);
    core_ask(rq, &frame, id, on_answer);
}

/* Evidence that no trusted root vouches for makes nobody ask a vendor: invented platforms would use up what real ones need.
 * What is needed of other sets is known later: then it is looked at in any case. */
static bool is_invented(const struct front *f, const struct attest_call *call, const void *ev)
{
    return call->kind->genuine != NULL && ev != NULL && (call->settings.tcb_sets || collateral_lacks(f, &call->needs, &call->settings))
        && !call->kind->genuine(ev, &f->trust, NULL);
}

void handle_attest(struct request *rq)
{
    const char *type = rq->steps[0];
    const struct evidence_kind *kind = evidence_kind_find(bytes_str(type));
    const struct api_limits limits = API_LIMITS_DEFAULT;
    struct attest_call *call = arena_new(&rq->a, struct attest_call);
    struct err e = { .code = ERR_NONE };
    void *ev;

    if (kind == NULL || call == NULL) {
        (void)err_set(&e, kind == NULL ? ERR_BAD_REQUEST : ERR_NO_MEMORY, "attestation type", "'%.40s' is not known", type);
        reply_error(rq, &e);
        return;
    }
    rq->evidence_type = kind->name;
    if (kind == &evidence_tpm && (rq->tenant.shared || rq->tenant.row.tpm_authentication)
        && !auth_check(rq, MAY_READ_DATA, rq->tenant.shared ? NULL : rq->tenant.row.name))
        return;
    rq->operation = arena_printf(&rq->a, "Attest%s", kind->name);
    call->kind = kind;
    rq->call = call;
    if (!api_attest_parse(rq->body, kind->member, &limits, &rq->a, &call->body, &e)) {
        reply_error(rq, &e);
        return;
    }
    recall_wishes(rq, call);
    if (!find_needs(rq, kind, &call->body, &call->settings, &ev, &call->needs, &e)) {
        reply_error(rq, &e);
        return;
    }
    note_digest(rq, call->body.evidence);
    get_collateral(rq, ev);
}
