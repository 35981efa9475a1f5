/* corelink.c: connections to the core's workers: parcels out, answers in, in any order.
 *
 * A worker that goes away hands the requests that it held to another one, once: the core keeps nothing between
 * messages, so asking again is safe, and a request that ends a second worker is not given a third. */
#include "front/front.h"

#include "os/channel.h"
#include "os/io.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct core_link {
    struct channel c;
    struct request *waiting; /* in order of arrival */
    size_t count;
    char path[108];
    uint64_t retry_us; /* when a closed link may be tried again */
    bool overdue;      /* a request was not answered in time: no more are given to it until it answers again */
};

static bool connect_link(struct core_link *l)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(to.sun_path, l->path, sizeof(l->path));
    if (fd < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return false;
    }
    l->c = channel_open(fd);
    return true;
}

bool corelink_open(struct front *f, struct err *e)
{
    f->links = arena_many(&f->own, f->link_count, struct core_link);
    if (f->links == NULL)
        return err_memory(e, "core link");
    for (size_t i = 0; i < f->link_count; i++) {
        struct core_link *l = &f->links[i];

        if (snprintf(l->path, sizeof(l->path), "%s/run/core-%zu.sock", f->config.value[CONFIG_service_state], i) >= (int)sizeof(l->path))
            return err_set(e, ERR_USAGE, "core link", "path of the state folder is too long for a socket");
        l->c.fd = -1;
        if (!connect_link(l))
            return err_set(e, ERR_INTERNAL, "core link", "%s: %s", l->path, strerror(errno));
    }
    return true;
}

bool corelink_ask_now(struct front *f, struct bytes frame, struct arena *a, struct wire_fields *ret, struct err *e)
{
    struct core_link *l = &f->links[0];
    uint64_t deadline = clock_monotonic_us() + (uint64_t)f->core_wait * 1000000, now;
    struct wire_header h;
    struct bytes payload;

    if (!channel_send(&l->c, frame))
        return err_set(e, ERR_UNAVAILABLE, "core", "does not take a message");
    for (;;) {
        struct pollfd p = { .fd = l->c.fd, .events = (short)(POLLIN | (channel_wants_write(&l->c) ? POLLOUT : 0)) };

        now = clock_monotonic_us();
        if (now >= deadline)
            return err_set(e, ERR_UNAVAILABLE, "core", "does not answer within the time that limits.core_wait sets");
        if (poll(&p, 1, (int)((deadline - now) / 1000 + 1)) < 0 && errno == EINTR)
            continue;
        if (!channel_flush(&l->c) || ((p.revents & (POLLIN | POLLHUP)) != 0 && !channel_fill(&l->c)))
            return err_set(e, ERR_UNAVAILABLE, "core", "ended the connection");
        if (channel_next(&l->c, &h, &payload))
            return wire_fields_parse(arena_copy(a, payload), a, ret, e);
    }
}

uint64_t core_next_id(struct front *f)
{
    return ++f->last_id;
}

static void unavailable(struct request *rq, const char *why)
{
    struct err e = { .code = ERR_NONE };

    (void)err_set(&e, ERR_UNAVAILABLE, "core", "%s", why);
    rq->retry_after = 1;
    reply_error(rq, &e);
    http_resume(rq);
}

static void hand_over(struct request *rq);

/* The link is gone; what waited on it goes to another one or is answered. */
static void lose(struct core_link *l)
{
    struct request *rq = l->waiting;

    channel_close(&l->c);
    l->waiting = NULL;
    l->count = 0;
    l->overdue = false;
    l->retry_us = clock_monotonic_us() + 50000;
    while (rq != NULL) {
        struct request *next = rq->next;

        rq->next = NULL;
        if (rq->core_handed_over)
            unavailable(rq, "two workers ended while they held this request");
        else
            hand_over(rq);
        rq = next;
    }
}

/* The link of the route, or the one with the fewest requests; a closed one is opened again when its time has
 * come. One that does not answer would look like the one with the fewest, and its frames would pile up. */
static struct core_link *choose(struct front *f, uint32_t route)
{
    struct core_link *best = NULL;

    for (size_t i = 0; i < f->link_count; i++) {
        struct core_link *l = &f->links[i];

        if (l->c.fd < 0 && clock_monotonic_us() >= l->retry_us && !connect_link(l))
            l->retry_us = clock_monotonic_us() + 50000;
        if (l->c.fd >= 0 && !l->overdue && (best == NULL || l->count < best->count))
            best = l;
    }
    if (route != 0 && f->links[route % f->link_count].c.fd >= 0)
        best = f->links[route % f->link_count].overdue ? NULL : &f->links[route % f->link_count];
    return best;
}

/* false: no worker takes it. A link that does not take it is lost and the next one tried; each turn closes one. */
static bool send_to_core(struct request *rq)
{
    struct core_link *l;
    struct request **at;

    while ((l = choose(rq->front, rq->route)) != NULL && !channel_send(&l->c, rq->core_frame))
        lose(l);
    if (l == NULL)
        return false;
    for (at = &l->waiting; *at != NULL; at = &(*at)->next)
        ;
    *at = rq;
    l->count++;
    return true;
}

static void hand_over(struct request *rq)
{
    rq->core_handed_over = true;
    if (!send_to_core(rq))
        unavailable(rq, "the worker that held this request ended and no other is there; send it again");
}

void core_ask(struct request *rq, struct out *frame, uint64_t id, void (*on_answer)(struct request *, const struct wire_fields *))
{
    struct err e = { .code = ERR_NONE };

    rq->core_frame = wire_end(frame);
    if (rq->core_frame.p == NULL) {
        (void)err_set(&e, ERR_TOO_LARGE, "request", "does not fit into one parcel of %zu bytes", WIRE_MAX_PAYLOAD);
        reply_error(rq, &e);
        return;
    }
    rq->core_id = id;
    rq->core_handed_over = false;
    rq->on_answer = on_answer;
    if (!send_to_core(rq)) {
        (void)err_set(&e, ERR_UNAVAILABLE, "core", "no worker is there that answers; send the request again");
        rq->retry_after = 1;
        reply_error(rq, &e);
        return;
    }
    rq->suspended = true;
    rq->asked_us = clock_monotonic_us(); /* it may have waited for collateral before */
}

/* Head and policy were read one after the other, and perhaps long before the parcel went out: what the core finds not
 * to fit, or to be older than what it has seen, may just have been replaced. Then the request is routed again, with
 * what is stored now; a record that stays as it is was changed by somebody else. */
static bool is_outdated(struct request *rq, const struct wire_fields *f)
{
    enum { MOST = 4 };
    struct err e;

    return wire_error(f, &e) && e.code == ERR_STORE_TAMPERED && rq->core_asked_anew < MOST && tenant_changed(rq);
}

static void on_frame(struct core_link *l, const struct wire_header *h, struct bytes payload)
{
    struct request **at = &l->waiting, *rq;
    struct wire_fields f;
    struct err e = { .code = ERR_NONE };

    l->overdue = false;
    while (*at != NULL && (*at)->core_id != h->id)
        at = &(*at)->next;
    rq = *at;
    if (rq == NULL) /* it waited too long and has its answer */
        return;
    *at = rq->next;
    rq->next = NULL;
    l->count--;
    if (h->message != MSG_ANSWER || !wire_fields_parse(payload, &rq->a, &f, &e)) {
        (void)err_set(&e, ERR_INTERNAL, "core", "answer is malformed");
        reply_error(rq, &e);
    } else if (is_outdated(rq, &f)) {
        rq->core_asked_anew++;
        route(rq);
    } else {
        rq->on_answer(rq, &f);
    }
    if (rq->replied)
        http_resume(rq);
}

bool core_replied_error(struct request *rq, const struct wire_fields *f)
{
    struct bytes details = { NULL, 0 };
    struct err e;

    if (!wire_error(f, &e))
        return false;
    (void)wire_find(f, TAG_ERROR_DETAILS, &details);
    if (err_http(e.code) == 503)
        rq->retry_after = 30;
    reply_error_details(rq, &e, arena_copy(&rq->a, details));
    return true;
}

size_t corelink_poll(struct front *f, struct pollfd *p)
{
    for (size_t i = 0; i < f->link_count; i++) {
        bool out = channel_wants_write(&f->links[i].c);

        p[i] = (struct pollfd){ .fd = f->links[i].c.fd, .events = (short)(POLLIN | (out ? POLLOUT : 0)) };
    }
    return f->link_count;
}

void corelink_serve(struct front *f, const struct pollfd *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct core_link *l = &f->links[i];
        struct wire_header h;
        struct bytes payload;

        if (p[i].revents == 0 || l->c.fd != p[i].fd)
            continue;
        if (((p[i].revents & POLLOUT) != 0 && !channel_flush(&l->c))
            || ((p[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !channel_fill(&l->c))) {
            lose(l);
            continue;
        }
        while (channel_next(&l->c, &h, &payload))
            on_frame(l, &h, payload);
    }
}

void corelink_expire(struct front *f, uint64_t now_us)
{
    uint64_t limit = (uint64_t)f->core_wait * 1000000;

    for (size_t i = 0; i < f->link_count; i++)
        while (f->links[i].waiting != NULL && now_us - f->links[i].waiting->asked_us > limit) {
            struct request *rq = f->links[i].waiting;

            f->links[i].waiting = rq->next;
            f->links[i].count--;
            f->links[i].overdue = true;
            rq->next = NULL;
            unavailable(rq, "no answer within the time that limits.core_wait sets");
        }
}

int corelink_timeout_ms(const struct front *f, uint64_t now_us)
{
    int64_t best = -1, limit = f->core_wait * 1000000;

    for (size_t i = 0; i < f->link_count; i++) {
        const struct request *rq = f->links[i].waiting;
        int64_t left;

        if (rq == NULL)
            continue;
        left = (int64_t)rq->asked_us + limit - (int64_t)now_us;
        if (left < 0)
            left = 0;
        if (best < 0 || left < best)
            best = left;
    }
    return best < 0 ? -1 : (int)(best / 1000 + 1);
}
