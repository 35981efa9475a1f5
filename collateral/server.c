/* server.c: see server.h. A question with several keys gets one answer, when the last of them is known. */
#include "collateral/server.h"

#include "os/channel.h"
#include "os/io.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_KEYS = 16, MAX_WAITING = 4096 };

struct client {
    struct channel c;
    size_t waiting; /* questions that have no answer yet */
};

/* One message from a front; lives until all of its keys are answered. */
struct question {
    struct server *server;
    size_t client;
    uint64_t generation; /* of the client: a later one at the same place gets no answer of this */
    struct arena a;
    struct out frame;
    struct part {
        struct question *q;
        const char *key;
        struct bytes fields; /* of the answer */
    } parts[MAX_KEYS];
    size_t count, open;
    bool started;
};

struct server {
    struct engine *engine;
    struct issuers *issuers;
    int listener;
    unsigned max_wait_ms;
    struct client clients[SERVER_MAX_CLIENTS];
    uint64_t generations[SERVER_MAX_CLIENTS];
    size_t waiting;
};

struct server *server_new(struct engine *x, struct issuers *issuers, int listener, unsigned max_wait_ms)
{
    struct server *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    *s = (struct server){ .engine = x, .issuers = issuers, .listener = listener, .max_wait_ms = max_wait_ms };
    for (size_t i = 0; i < SERVER_MAX_CLIENTS; i++)
        s->clients[i].c.fd = -1;
    return s;
}

/* -- answers -- */

static void put_content(struct out *o, const struct engine_answer *a)
{
    wire_put_i64(o, TAG_EXPIRES, a->to);
    wire_put_i64(o, TAG_ISSUED, a->from);
    wire_put_u32(o, TAG_EVAL_NUMBER, (uint32_t)a->eval_number);
    for (size_t i = 0; i < a->record->count; i++)
        wire_put(o, TAG_COLLATERAL, a->record->bodies[i]);
}

static void put_failure(struct out *o, const char *key, const struct engine_answer *a)
{
    struct err e = { .code = ERR_NONE };
    struct need_key k;
    struct arena scratch;

    arena_init(&scratch, 1 << 16);
    if (need_key_parse(bytes_str(key), &k, &e))
        (void)err_set(&e, a->code, "collateral", "no %s%s: %s", a->record != NULL ? "newer " : "",
                      need_key_text(&k, &scratch), a->errors);
    arena_done(&scratch);
    wire_put_error(o, &e);
    wire_put_u32(o, TAG_RETRY, a->retry_after);
}

static void send_answer(struct question *q)
{
    struct server *s = q->server;
    struct client *c = &s->clients[q->client];

    for (size_t i = 0; i < q->count; i++) {
        wire_put(&q->frame, TAG_NEED, bytes_str(q->parts[i].key));
        out_bytes(&q->frame, q->parts[i].fields);
    }
    if (s->generations[q->client] == q->generation && c->c.fd >= 0) {
        c->waiting--;
        if (!channel_send(&c->c, wire_end(&q->frame))) {
            channel_close(&c->c);
            s->generations[q->client]++;
        }
    }
    s->waiting--;
    arena_done(&q->a);
    free(q);
}

/* A key with an encrypted PPID is other text each time: it gets the certificate into the cache, from where the asker takes
 * it by its name. Else each asker would keep it again under each text. */
static bool is_errand(const char *key)
{
    struct need_key k;

    return need_key_parse(bytes_str(key), &k, NULL) && k.ppid_size > 0;
}

static void on_done(void *user, const struct engine_answer *a)
{
    struct part *p = user;
    struct question *q = p->q;
    struct out o = out_open(&q->a);

    if (a->record != NULL && !is_errand(p->key))
        put_content(&o, a);
    if (a->errors[0] != 0 || a->record == NULL)
        put_failure(&o, p->key, a);
    p->fields = out_view(&o);
    if (--q->open == 0 && q->started)
        send_answer(q);
}

/* -- questions -- */

static void ask_part(struct question *q, struct part *p, enum engine_mode mode, int64_t newer, uint64_t deadline)
{
    struct err e = { .code = ERR_NONE };
    struct engine_answer none = { .errors = "", .code = ERR_COLLATERAL_MISSING };

    if (mode == ENGINE_FETCH ? engine_ask_newer(q->server->engine, bytes_str(p->key), newer, deadline, on_done, p, &e)
                             : engine_ask(q->server->engine, bytes_str(p->key), mode, deadline, on_done, p, &e))
        return;
    none.errors = e.why;
    on_done(p, &none);
}

static bool fetch(struct server *s, size_t which, uint64_t id, const struct wire_fields *f)
{
    struct question *q = calloc(1, sizeof(*q));
    uint32_t wait = wire_u32(f, TAG_WAIT, 0);
    struct bytes none;
    /* when very many wait already, invented keys must be among them: whoever asks now gets what is there */
    enum engine_mode mode = wire_find(f, TAG_CACHED, &none) || s->waiting >= MAX_WAITING ? ENGINE_CACHED : ENGINE_FETCH;
    uint64_t deadline;

    if (q == NULL)
        return false;
    *q = (struct question){ .server = s, .client = which, .generation = s->generations[which] };
    arena_init(&q->a, (size_t)64 << 20);
    q->frame = wire_begin(&q->a, MSG_ANSWER, id);
    for (size_t i = 0; i < f->count; i++)
        if (f->list[i].tag == TAG_NEED && q->count < MAX_KEYS)
            q->parts[q->count++] = (struct part){ .q = q, .key = arena_str(&q->a, f->list[i].value) };
    if (q->count == 0 || q->a.failed) {
        arena_done(&q->a);
        free(q);
        return false;
    }
    deadline = clock_monotonic_us() + (uint64_t)(wait > s->max_wait_ms ? s->max_wait_ms : wait) * 1000;
    q->open = q->count;
    s->waiting++;
    s->clients[which].waiting++;
    for (size_t i = 0; i < q->count; i++)
        ask_part(q, &q->parts[i], mode, wire_i64(f, TAG_NEWER, INT64_MIN), deadline);
    q->started = true;
    if (q->open == 0)
        send_answer(q);
    return true;
}

/* -- keys of issuers -- */

struct issuer_question {
    struct server *server;
    size_t client;
    uint64_t generation, id;
};

static void put_keys(struct out *o, const struct issuer_answer *k)
{
    uint8_t to[8];
    struct err e = { .code = ERR_NONE };

    for (size_t i = 0; i < sizeof(to); i++)
        to[i] = (uint8_t)((uint64_t)k->to >> (8 * i));
    if (k->keys.n > 0) {
        wire_put(o, TAG_BODY, k->keys);
        wire_put(o, TAG_EXPIRES, BYTES(to));
    }
    wire_put_u32(o, TAG_RETRY, k->retry_after);
    if (k->error[0] == 0)
        return;
    (void)err_set(&e, ERR_UNAVAILABLE, "keys of the issuer", "%s", k->error);
    wire_put_error(o, &e);
}

static void on_issuer_keys(void *user, const struct issuer_answer *k)
{
    struct issuer_question *q = user;
    struct server *s = q->server;
    struct client *c = &s->clients[q->client];
    struct arena a;
    struct out o;

    if (s->generations[q->client] == q->generation && c->c.fd >= 0) {
        arena_init(&a, 4 << 20);
        o = wire_begin(&a, MSG_ANSWER, q->id);
        put_keys(&o, k);
        c->waiting--;
        if (!channel_send(&c->c, wire_end(&o))) {
            channel_close(&c->c);
            s->generations[q->client]++;
        }
        arena_done(&a);
    }
    s->waiting--;
    free(q);
}

static bool issuer_keys(struct server *s, size_t which, uint64_t id, const struct wire_fields *f)
{
    struct issuer_question *q = calloc(1, sizeof(*q));
    uint32_t wait = wire_u32(f, TAG_WAIT, 0);
    struct bytes issuer, kid = { NULL, 0 };

    if (q == NULL || !wire_find(f, TAG_ISSUER, &issuer)) {
        free(q);
        return false;
    }
    (void)wire_find(f, TAG_KID, &kid);
    if (s->waiting >= MAX_WAITING)
        wait = 0; /* what is there */
    *q = (struct issuer_question){ .server = s, .client = which, .generation = s->generations[which], .id = id };
    s->waiting++;
    s->clients[which].waiting++;
    issuers_ask(s->issuers, issuer, kid, clock_monotonic_us() + (uint64_t)(wait > s->max_wait_ms ? s->max_wait_ms : wait) * 1000, on_issuer_keys, q);
    return true;
}

static bool status(struct server *s, size_t which, uint64_t id)
{
    struct arena a;
    struct out o;
    bool ok;

    arena_init(&a, (size_t)16 << 20);
    o = wire_begin(&a, MSG_ANSWER, id);
    wire_put(&o, TAG_BODY, engine_status(s->engine, &a));
    ok = channel_send(&s->clients[which].c, wire_end(&o));
    arena_done(&a);
    return ok;
}

static bool handle(struct server *s, size_t which, const struct wire_header *h, struct bytes payload)
{
    struct arena a;
    struct wire_fields f;
    bool ok = false;

    if (h->message == MSG_COLLATERAL_STATUS)
        return status(s, which, h->id);
    if ((h->message != MSG_FETCH && h->message != MSG_ISSUER_KEYS) || payload.n > 64 << 10)
        return false;
    arena_init(&a, 1 << 20);
    if (wire_fields_parse(payload, &a, &f, NULL))
        ok = h->message == MSG_FETCH ? fetch(s, which, h->id, &f) : issuer_keys(s, which, h->id, &f);
    arena_done(&a);
    return ok;
}

/* -- sockets -- */

static void accept_client(struct server *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    for (size_t i = 0; i < SERVER_MAX_CLIENTS; i++)
        if (s->clients[i].c.fd < 0) {
            s->clients[i] = (struct client){ .c = channel_open(fd) };
            s->generations[i]++;
            return;
        }
    close(fd);
}

unsigned server_poll(struct server *s, struct curl_waitfd *p)
{
    unsigned n = 0;

    p[n++] = (struct curl_waitfd){ .fd = s->listener, .events = CURL_WAIT_POLLIN };
    for (size_t i = 0; i < SERVER_MAX_CLIENTS; i++) {
        const struct channel *c = &s->clients[i].c;

        if (c->fd >= 0)
            p[n++] = (struct curl_waitfd){ .fd = c->fd, .events = channel_wants_write(c) ? CURL_WAIT_POLLOUT : CURL_WAIT_POLLIN };
    }
    return n;
}

/* A front that does not take its answers gets no new ones: its questions wait in the socket. */
static bool serve_client(struct server *s, size_t i)
{
    struct channel *c = &s->clients[i].c;
    struct wire_header h;
    struct bytes payload;

    if (channel_wants_write(c))
        return channel_flush(c);
    if (!channel_fill(c))
        return false;
    while (c->fd >= 0 && !channel_wants_write(c) && channel_next(c, &h, &payload))
        if (!handle(s, i, &h, payload))
            return false;
    return c->fd >= 0;
}

void server_serve(struct server *s, const struct curl_waitfd *p, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        if (p[k].fd == s->listener) {
            if (p[k].revents != 0)
                accept_client(s);
            continue;
        }
        for (size_t i = 0; p[k].revents != 0 && i < SERVER_MAX_CLIENTS; i++)
            if (s->clients[i].c.fd == p[k].fd && !serve_client(s, i)) {
                channel_close(&s->clients[i].c);
                s->generations[i]++;
                break;
            }
    }
}
