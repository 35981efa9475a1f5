/* discovery.c: the documents that relying parties and probes fetch: metadata, keys, health. */
#include "front/front.h"

static void on_certs(struct request *rq, const struct wire_fields *f)
{
    struct bytes body;
    struct err e = { .code = ERR_NONE };

    if (core_replied_error(rq, f))
        return;
    if (!wire_find(f, TAG_BODY, &body)) {
        (void)err_set(&e, ERR_INTERNAL, "core", "answer has no key set");
        reply_error(rq, &e);
        return;
    }
    rq->public_answer = true;
    reply_json(rq, 200, arena_copy(&rq->a, body));
}

void handle_certs(struct request *rq)
{
    uint64_t id = core_next_id(rq->front);
    struct out frame = wire_begin(&rq->a, MSG_CERTS, id);

    wire_put(&frame, TAG_ISSUER, bytes_str(rq->issuer));
    wire_put(&frame, TAG_ALG, bytes_str(rq->front->config.value[CONFIG_token_algorithm]));
    core_ask(rq, &frame, id, on_certs);
}

void handle_metadata(struct request *rq)
{
    rq->public_answer = true;
    reply_json(rq, 200, api_openid_configuration(rq->issuer, bytes_str(rq->front->config.value[CONFIG_token_algorithm]), &rq->a));
}

static void on_pong(struct request *rq, const struct wire_fields *f)
{
    if (!core_replied_error(rq, f))
        reply_empty(rq, 204);
}

/* Healthy is: a core worker answers. While draining the probe fails, so that balancers look elsewhere. */
void handle_health(struct request *rq)
{
    uint64_t id = core_next_id(rq->front);
    struct out frame = wire_begin(&rq->a, MSG_PING, id);
    struct err e = { .code = ERR_NONE };

    if (rq->front->stopping) {
        (void)err_set(&e, ERR_UNAVAILABLE, "service", "is stopping");
        rq->retry_after = 5;
        reply_error(rq, &e);
        return;
    }
    core_ask(rq, &frame, id, on_pong);
}

extern const uint8_t openapi_json[], openapi_json_end[]; /* openapi.S */

void handle_openapi(struct request *rq)
{
    rq->public_answer = true;
    reply_json(rq, 200, bytes_of(openapi_json, (size_t)(openapi_json_end - openapi_json)));
}
