/* issuer_server.c: see issuer_server.h. One thread of the HTTP library answers; a lock guards what the test changes. */
#include "issuer_server.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_PAGES = 8, MAX_HELD = 64 };

struct page {
    char path[100], name[40], value[200];
    unsigned status, count;
    struct bytes body;
};

struct issuer_server {
    struct MHD_Daemon *daemon;
    struct arena a;
    pthread_mutex_t lock;
    struct page pages[MAX_PAGES];
    size_t pages_n;
    bool hold;
    struct MHD_Connection *held[MAX_HELD];
    size_t held_n;
};

static struct page *page_of(struct issuer_server *s, const char *path)
{
    for (size_t i = 0; i < s->pages_n; i++)
        if (strcmp(s->pages[i].path, path) == 0)
            return &s->pages[i];
    return NULL;
}

static enum MHD_Result reply(struct MHD_Connection *c, const struct page *p)
{
    static const char nothing[] = "";
    struct MHD_Response *r = p == NULL ? MHD_create_response_from_buffer(0, (void *)(uintptr_t)nothing, MHD_RESPMEM_PERSISTENT)
                                       : MHD_create_response_from_buffer(p->body.n, (void *)(uintptr_t)p->body.p, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result ok;

    if (p != NULL && p->name[0] != 0)
        (void)MHD_add_response_header(r, p->name, p->value);
    ok = MHD_queue_response(c, p == NULL ? 404 : p->status, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **state)
{
    static int seen;
    struct issuer_server *s = cls;
    enum MHD_Result ok = MHD_YES;
    struct page *p;

    (void)method, (void)version, (void)upload, (void)upload_size;
    pthread_mutex_lock(&s->lock);
    p = page_of(s, url);
    if (*state == NULL && p != NULL)
        p->count++;
    *state = &seen;
    if (s->hold && s->held_n < MAX_HELD) {
        s->held[s->held_n++] = c;
        MHD_suspend_connection(c);
    } else {
        ok = reply(c, p);
    }
    pthread_mutex_unlock(&s->lock);
    return ok;
}

struct issuer_server *issuer_server_start(int port, const char *tls_folder)
{
    struct issuer_server *s = calloc(1, sizeof(*s));
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    const char *cert = NULL, *key = NULL;

    assert_non_null(s);
    arena_init(&s->a, (size_t)64 << 20);
    pthread_mutex_init(&s->lock, NULL);
    if (tls_folder != NULL) {
        cert = arena_str(&s->a, test_read(&s->a, arena_printf(&s->a, "%s/cert.pem", tls_folder)));
        key = arena_str(&s->a, test_read(&s->a, arena_printf(&s->a, "%s/key.pem", tls_folder)));
        s->daemon = MHD_start_daemon(flags | MHD_USE_TLS, (uint16_t)port, NULL, NULL, on_request, s, MHD_OPTION_HTTPS_MEM_CERT, cert,
                                     MHD_OPTION_HTTPS_MEM_KEY, key, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1, MHD_OPTION_END);
    } else {
        s->daemon = MHD_start_daemon(flags, (uint16_t)port, NULL, NULL, on_request, s, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1, MHD_OPTION_END);
    }
    assert_non_null(s->daemon);
    return s;
}

void issuer_server_stop(struct issuer_server *s)
{
    issuer_server_hold(s, false);
    MHD_stop_daemon(s->daemon);
    pthread_mutex_destroy(&s->lock);
    arena_done(&s->a);
    free(s);
}

int issuer_server_port(const struct issuer_server *s)
{
    return MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void issuer_server_give(struct issuer_server *s, const char *path, unsigned status, struct bytes body, const char *header)
{
    const char *colon = header == NULL ? NULL : strchr(header, ':');
    struct page *p;

    pthread_mutex_lock(&s->lock);
    p = page_of(s, path);
    if (p == NULL) {
        assert_true(s->pages_n < MAX_PAGES);
        p = &s->pages[s->pages_n++];
        snprintf(p->path, sizeof(p->path), "%s", path);
    }
    p->status = status;
    p->body = arena_copy(&s->a, body);
    p->name[0] = 0;
    if (colon != NULL) {
        snprintf(p->name, sizeof(p->name), "%.*s", (int)(colon - header), header);
        snprintf(p->value, sizeof(p->value), "%s", colon + 2);
    }
    pthread_mutex_unlock(&s->lock);
}

unsigned issuer_server_count(struct issuer_server *s, const char *path)
{
    const struct page *p;
    unsigned n;

    pthread_mutex_lock(&s->lock);
    p = page_of(s, path);
    n = p == NULL ? 0 : p->count;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void issuer_server_hold(struct issuer_server *s, bool hold)
{
    pthread_mutex_lock(&s->lock);
    s->hold = hold;
    while (!hold && s->held_n > 0)
        MHD_resume_connection(s->held[--s->held_n]);
    pthread_mutex_unlock(&s->lock);
}
