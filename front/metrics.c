/* metrics.c: counters in a page that all fronts share, a slot each, summed when they are read: Prometheus'
 * text form at a listener of its own, without TLS and without anything secret. */
#include "front/front.h"

#include "os/io.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Requests by operation, attestation type and status are found by name in a small table. */
enum { SERIES = 160, BUCKETS = 12, NAME = 40 };

static const double bucket_ms[BUCKETS] = { 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000 };

struct series {
    char operation[NAME], type[16], result[32]; /* result: status, then the error's name */
    _Atomic uint64_t count;
};

struct slot {
    struct series series[SERIES];
    _Atomic uint64_t buckets[BUCKETS + 1], sum_us, total;
};

/* The parent makes the shared page before it knows this layout. */
_Static_assert(sizeof(struct slot) <= 1 << 14, "a slot fits into its share of the page");

struct metrics {
    struct slot *slots;
    size_t own, count;
    struct MHD_Daemon *daemon;
};

static bool is_series(const struct series *s, const char *operation, const char *type, const char *result)
{
    return strcmp(s->operation, operation) == 0 && strcmp(s->type, type) == 0 && strcmp(s->result, result) == 0;
}

void metrics_count(const struct request *rq)
{
    struct metrics *m = rq->front->metrics;
    const char *operation = rq->operation == NULL ? "Other" : rq->operation;
    const char *type = rq->evidence_type != NULL ? rq->evidence_type : "";
    uint64_t us = clock_monotonic_us() - rq->started_us;
    char result[32];
    size_t b = 0;
    struct slot *s;

    if (m == NULL)
        return;
    snprintf(result, sizeof(result), "%d%s%s", rq->status, rq->error_name == NULL ? "" : " ", rq->error_name == NULL ? "" : rq->error_name);
    s = &m->slots[m->own];
    for (size_t i = 0; i < SERIES; i++) {
        struct series *x = &s->series[i];

        if (atomic_load(&x->count) == 0) { /* this process is the only writer of its slot */
            snprintf(x->operation, sizeof(x->operation), "%s", operation);
            snprintf(x->type, sizeof(x->type), "%s", type);
            snprintf(x->result, sizeof(x->result), "%s", result);
        } else if (!is_series(x, operation, type, result)) {
            continue;
        }
        atomic_fetch_add(&x->count, 1);
        break;
    }
    while (b < BUCKETS && (double)us / 1000 > bucket_ms[b])
        b++;
    atomic_fetch_add(&s->buckets[b], 1);
    atomic_fetch_add(&s->sum_us, us);
    atomic_fetch_add(&s->total, 1);
}

/* -- reading -- */

static void print_requests(const struct metrics *m, struct out *o)
{
    out_text(o, "# HELP avouch_requests_total Requests by operation, evidence type and result.\n# TYPE avouch_requests_total counter\n");
    for (size_t k = 0; k < m->count; k++)
        for (size_t i = 0; i < SERIES; i++) {
            const struct series *x = &m->slots[k].series[i];
            const char *space = strchr(x->result, ' ');
            uint64_t n = atomic_load(&x->count), earlier = 0;

            if (n == 0)
                break;
            for (size_t j = 0; j < k; j++) /* a series of an earlier slot was printed with this one's share */
                for (size_t q = 0; q < SERIES; q++)
                    earlier += is_series(&m->slots[j].series[q], x->operation, x->type, x->result) && atomic_load(&m->slots[j].series[q].count) > 0;
            if (earlier > 0)
                continue;
            for (size_t j = k + 1; j < m->count; j++)
                for (size_t q = 0; q < SERIES; q++)
                    if (is_series(&m->slots[j].series[q], x->operation, x->type, x->result))
                        n += atomic_load(&m->slots[j].series[q].count);
            out_printf(o, "avouch_requests_total{operation=\"%s\",type=\"%s\",status=\"%.3s\",reason=\"%s\"} %llu\n", x->operation, x->type, x->result,
                       space == NULL ? "" : space + 1, (unsigned long long)n);
        }
}

static void print_latency(const struct metrics *m, struct out *o)
{
    uint64_t below = 0, sum = 0, total = 0;

    out_text(o, "# HELP avouch_request_seconds Time from the first header to the reply.\n# TYPE avouch_request_seconds histogram\n");
    for (size_t b = 0; b <= BUCKETS; b++) {
        for (size_t k = 0; k < m->count; k++)
            below += atomic_load(&m->slots[k].buckets[b]);
        if (b < BUCKETS)
            out_printf(o, "avouch_request_seconds_bucket{le=\"%g\"} %llu\n", bucket_ms[b] / 1000, (unsigned long long)below);
        else
            out_printf(o, "avouch_request_seconds_bucket{le=\"+Inf\"} %llu\n", (unsigned long long)below);
    }
    for (size_t k = 0; k < m->count; k++) {
        sum += atomic_load(&m->slots[k].sum_us);
        total += atomic_load(&m->slots[k].total);
    }
    out_printf(o, "avouch_request_seconds_sum %.6f\navouch_request_seconds_count %llu\n", (double)sum / 1e6, (unsigned long long)total);
}

static void print_collateral(const struct front *f, struct out *o)
{
    out_text(o, "# HELP avouch_collateral_expires_seconds Seconds until an item of the collateral at hand ends.\n"
                "# TYPE avouch_collateral_expires_seconds gauge\n");
    for (size_t i = 0; i < f->collateral.count && i < 200; i++) {
        const struct collateral_item *c = &f->collateral.list[i];

        out_printf(o, "avouch_collateral_expires_seconds{kind=\"%s\",item=\"%zu\"} %lld\n", collateral_kind_name(c->kind), i,
                   (long long)(c->to == INT64_MAX ? 0 : c->to - front_now(f)));
    }
}

/* Resident memory of this process: second number of statm, in pages; the file was opened before the walls closed. */
static void print_process(const struct front *f, struct out *o)
{
    out_printf(o, "# HELP avouch_requests_in_flight Requests that this process holds.\n# TYPE avouch_requests_in_flight gauge\n"
                  "avouch_requests_in_flight %zu\n",
               f->in_flight);
    out_printf(o, "# HELP avouch_memory_bytes Resident memory of this front process.\n# TYPE avouch_memory_bytes gauge\navouch_memory_bytes %lld\n",
               (long long)process_memory());
    out_printf(o, "# HELP avouch_info Version.\n# TYPE avouch_info gauge\navouch_info{version=\"" AVOUCH_VERSION "\"} 1\n");
}

static enum MHD_Result on_scrape(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version,
                                 const char *upload, size_t *upload_size, void **state)
{
    struct front *f = cls;
    struct arena a;
    struct out o;
    struct bytes text;
    struct MHD_Response *r;
    enum MHD_Result ok;

    (void)version, (void)upload, (void)state;
    *upload_size = 0;
    arena_init(&a, 4 << 20);
    o = out_open(&a);
    if (strcmp(url, "/metrics") == 0 && strcmp(method, "GET") == 0) {
        print_requests(f->metrics, &o);
        print_latency(f->metrics, &o);
        print_collateral(f, &o);
        collateral_metrics(f, &o);
        print_process(f, &o);
    }
    text = out_view(&o);
    r = MHD_create_response_from_buffer(text.n, (void *)(uintptr_t)text.p, MHD_RESPMEM_MUST_COPY);
    arena_done(&a);
    if (r == NULL)
        return MHD_NO;
    (void)MHD_add_response_header(r, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    ok = MHD_queue_response(c, text.n > 0 ? 200 : 404, r);
    MHD_destroy_response(r);
    return ok;
}

bool metrics_open(struct front *f, int listener, int memory_fd, size_t slot, size_t slots, struct err *e)
{
    struct metrics *m = arena_new(&f->own, struct metrics);
    void *page;

    if (m == NULL)
        return err_memory(e, "metrics");
    page = mmap(NULL, slots * sizeof(struct slot), PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    if (page == MAP_FAILED)
        return err_set(e, ERR_INTERNAL, "metrics", "mmap failed");
    *m = (struct metrics){ .slots = page, .own = slot, .count = slots };
    f->metrics = m;
    if (listener < 0)
        return true;
    m->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_scrape, f, MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT, 16u,
                                 MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
    return m->daemon != NULL || err_set(e, ERR_INTERNAL, "metrics", "listener could not be started");
}

int metrics_descriptor(const struct front *f)
{
    const union MHD_DaemonInfo *i = f->metrics == NULL || f->metrics->daemon == NULL
        ? NULL
        : MHD_get_daemon_info(f->metrics->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    return i == NULL ? -1 : i->epoll_fd;
}

void metrics_run(struct front *f)
{
    if (f->metrics != NULL && f->metrics->daemon != NULL)
        (void)MHD_run(f->metrics->daemon);
}

size_t metrics_size(size_t slots)
{
    return slots * sizeof(struct slot);
}
