/* attest.c: POST /attest/{type}: body to parcel, answer to reply. */
#include "front/front.h"

#include "codec/hex.h"
#include "evidence/tpm/tpm.h"
#include "crypto/hash.h"
#include "os/io.h"

#include <stdio.h>

/* -- collateral of a folder -- */

bool front_load_collateral(struct front *f, struct err *e)
{
    const char *folder = f->config.value[CONFIG_collateral_directory], *const *names;
    size_t count;

    f->collateral = collateral_open(&f->own);
    if (folder[0] == 0)
        return true;
    if (!folder_list(folder, &f->own, &names, &count, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct err why = { .code = ERR_NONE };
        struct bytes body;

        if (!file_read(arena_printf(&f->own, "%s/%s", folder, names[i]), 4 << 20, &f->own, &body, e))
            return false;
        if (!collateral_add(&f->collateral, body, names[i], &why))
            log_error("front", &why);
    }
    return true;
}

static bool key_begins(const struct need *n, const char *with)
{
    return strncmp(n->key, with, strlen(with)) == 0;
}

/* Whether an item may serve a need; the core chooses among those that are sent, and verifies. */
static bool serves(const struct collateral_item *i, const struct need *n)
{
    if (n->kind == COLL_TCB_INFO && i->kind == COLL_TCB_INFO) {
        const char *fmspc = strstr(n->key, "fmspc=");
        char hex[13];

        for (size_t k = 0; k < 6; k++)
            snprintf(hex + 2 * k, 3, "%02x", i->fmspc[k]);
        return fmspc != NULL && strncmp(fmspc + 6, hex, 12) == 0 && bytes_is(i->id, key_begins(n, "tdx/") ? "TDX" : "SGX");
    }
    if (n->kind == COLL_QE_IDENTITY && i->kind == COLL_QE_IDENTITY)
        return bytes_is(i->id, key_begins(n, "tdx/") ? "TD_QE" : "QE");
    if (n->kind == COLL_CRL && i->kind == COLL_CRL) {
        if (key_begins(n, "sgx/rootcacrl"))
            return bytes_contain(i->issuer_cn, LIT("SGX Root CA"));
        if (key_begins(n, "sgx/pckcrl?ca=platform"))
            return bytes_contain(i->issuer_cn, LIT("PCK Platform CA"));
        if (key_begins(n, "sgx/pckcrl?ca=processor"))
            return bytes_contain(i->issuer_cn, LIT("PCK Processor CA"));
        return true;
    }
    return false;
}

void front_attach_collateral(const struct front *f, const struct needs *n, struct out *frame)
{
    for (size_t i = 0; i < f->collateral.count; i++) {
        const struct collateral_item *item = &f->collateral.list[i];
        bool wanted = item->kind == COLL_CERTS; /* signing chains: few, and the core chooses */

        for (size_t k = 0; !wanted && k < n->count; k++)
            wanted = serves(item, &n->list[k]);
        if (wanted)
            wire_put(frame, TAG_COLLATERAL, item->body);
    }
}

/* -- the call -- */

/* The audit record names evidence by its digest only. */
static void note_digest(struct request *rq, struct bytes evidence)
{
    struct digest d = sha256(evidence);

    rq->evidence_hash = hex_encode(&rq->a, digest_bytes(&d));
}

static void on_answer(struct request *rq, const struct wire_fields *f)
{
    struct bytes token;
    struct err e = { .code = ERR_NONE };

    if (wire_find(f, TAG_POLICY_HASH, &rq->policy_hash))
        rq->policy_hash = arena_copy(&rq->a, rq->policy_hash);
    if (core_replied_error(rq, f))
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
static bool find_needs(struct request *rq, const struct evidence_kind *kind, const struct api_attest *body, struct needs *ret,
                       struct err *e)
{
    struct evidence_input in = { .evidence = body->evidence };
    void *ev;

    *ret = needs_open(&rq->a);
    if (kind == &evidence_tpm && is_first_message(rq, body->evidence))
        return true;
    if (body->evidence.n > kind->max_size)
        return err_set(e, ERR_TOO_LARGE, kind->name, "evidence has %zu bytes, at most %zu are accepted", body->evidence.n, kind->max_size);
    if (!kind->parse(&in, &rq->a, &ev, e))
        return false;
    if (kind == &evidence_tpm)
        rq->route = challenge_route(ev);
    return kind->needs(ev, &rq->front->settings, ret, e);
}

void handle_attest(struct request *rq)
{
    const char *type = rq->steps[0];
    const struct evidence_kind *kind = evidence_kind_find(bytes_str(type));
    const struct api_limits limits = API_LIMITS_DEFAULT;
    struct front *f = rq->front;
    struct err e = { .code = ERR_NONE };
    struct api_attest body;
    struct needs needs;
    struct out frame;
    uint64_t id = core_next_id(f);

    if (kind == NULL) {
        (void)err_set(&e, ERR_BAD_REQUEST, "attestation type", "'%.40s' is not known", type);
        reply_error(rq, &e);
        return;
    }
    rq->evidence_type = kind->name;
    if (kind == &evidence_tpm && (rq->tenant.shared || rq->tenant.row.tpm_authentication)
        && !auth_check(rq, MAY_READ_DATA, rq->tenant.shared ? NULL : rq->tenant.row.name))
        return;
    rq->operation = arena_printf(&rq->a, "Attest%s", kind->name);
    if (!api_attest_parse(rq->body, kind->member, &limits, &rq->a, &body, &e) || !find_needs(rq, kind, &body, &needs, &e)) {
        reply_error(rq, &e);
        return;
    }
    frame = wire_begin(&rq->a, MSG_ATTEST, id);
    wire_put(&frame, TAG_KIND, bytes_str(kind->name));
    if (!tenant_put(rq, kind->name, &frame, &e)) {
        reply_error(rq, &e);
        return;
    }
    note_digest(rq, body.evidence);
    wire_put(&frame, TAG_EVIDENCE, body.evidence);
    put_attached(&frame, &body.runtime, TAG_RUNTIME, TAG_RUNTIME_JSON);
    put_attached(&frame, &body.init, TAG_INIT, TAG_INIT_JSON);
    if (body.nonce.n > 0)
        wire_put(&frame, TAG_NONCE, body.nonce);
    if (body.has_draft)
        wire_put(&frame, TAG_DRAFT_POLICY, body.draft);
    wire_put(&frame, TAG_ALG, bytes_str(f->config.value[CONFIG_token_algorithm]));
    wire_put_u32(&frame, TAG_LIFETIME, (uint32_t)f->lifetime);
    wire_put_u32(&frame, TAG_ACCEPT, f->settings.accept_tcb);
    wire_put_u32(&frame, TAG_EVAL_NUMBER, (uint32_t)f->settings.tcb_eval_number);
    wire_put_u32(&frame, TAG_GRACE, (uint32_t)f->settings.expired_grace);
    wire_put_u32(&frame, TAG_FLAGS, f->wire_flags);
    front_attach_collateral(f, &needs, &frame);
    core_ask(rq, &frame, id, on_answer);
}
