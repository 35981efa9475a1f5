/* http.c: HTTP/1.1 over TLS by libmicrohttpd and GnuTLS, behind front.h.
 *
 * The library runs inside our own loop: it gives a descriptor to wait for and is run when that is ready.
 * A request whose answer comes from the core is suspended and resumed; nothing here blocks. */
#include "front/front.h"
#include "front/tls.h"

#include "crypto/hash.h"
#include "os/io.h"

#include <ctype.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <stdio.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#define POOL_FACTOR 2 /* of the header limit: what lies between is refused with our own document */

struct http {
    struct front *front;
    struct MHD_Daemon *daemon;
    struct arena spare[32]; /* of ended requests, emptied: a busy front does not ask the kernel for each request */
    size_t spare_count;
};

/* -- requests -- */

const char *request_query(const struct request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *request_header(const struct request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->connection, MHD_HEADER_KIND, name);
}

/* "00-<trace>-<span>-00": the ids of the caller's traceparent, or fresh ones (rest-api 1.2). */
static void make_request_id(struct request *rq)
{
    const char *parent = request_header(rq, "traceparent");
    uint8_t r[24];
    int n = 0;

    if (parent != NULL && strlen(parent) == 55 && strncmp(parent, "00-", 3) == 0 && parent[35] == '-' && parent[52] == '-'
        && strspn(parent + 3, "0123456789abcdef") == 32 && strspn(parent + 36, "0123456789abcdef") == 16) {
        snprintf(rq->request_id, sizeof(rq->request_id), "%.52s-00", parent);
        return;
    }
    random_bytes(r, sizeof(r));
    n = snprintf(rq->request_id, sizeof(rq->request_id), "00-");
    for (size_t i = 0; i < sizeof(r); i++)
        n += snprintf(rq->request_id + n, sizeof(rq->request_id) - (size_t)n, i == 16 ? "-%02x" : "%02x", r[i]);
    snprintf(rq->request_id + n, sizeof(rq->request_id) - (size_t)n, "-00");
}

void reply_json(struct request *rq, int status, struct bytes body)
{
    struct err e = { .code = ERR_NONE };

    if (body.p == NULL && status < 400) {
        (void)err_memory(&e, "answer");
        reply_error(rq, &e);
        return;
    }
    rq->replied = true;
    rq->status = status;
    rq->reply = body;
}

void reply_empty(struct request *rq, int status)
{
    reply_json(rq, status, LIT(""));
}

void reply_error_details(struct request *rq, const struct err *e, struct bytes details)
{
    const char *message = api_error_message(e, &rq->a);
    static const char out_of_memory[] = "{\"error\":{\"code\":\"InternalError\",\"message\":\"the request needed more memory than its budget\"}}";
    struct bytes body = message == NULL ? (struct bytes){ NULL, 0 } : api_error(e, message, details, &rq->a);

    rq->error_code = err_rest_code(e->code);
    rq->error_name = err_name(e->code);
    rq->failure = message;
    if (err_http(e->code) == 503 && rq->retry_after == 0)
        rq->retry_after = 30;
    reply_json(rq, err_http(e->code), body.p == NULL ? LIT(out_of_memory) : body);
}

void reply_error(struct request *rq, const struct err *e)
{
    reply_error_details(rq, e, (struct bytes){ NULL, 0 });
}

/* The body goes out of the request's own memory, which lives until the library reports its end. */
static enum MHD_Result send_reply(struct request *rq)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(rq->reply.n, (void *)(uintptr_t)rq->reply.p, MHD_RESPMEM_PERSISTENT);
    char number[16];
    enum MHD_Result ok;

    if (r == NULL)
        return MHD_NO;
    if (rq->status != 204)
        (void)MHD_add_response_header(r, "Content-Type", rq->content_type == NULL ? "application/json; charset=utf-8" : rq->content_type);
    for (size_t i = 0; i < COUNT(rq->extra); i++)
        if (rq->extra[i].name != NULL && rq->extra[i].value != NULL)
            (void)MHD_add_response_header(r, rq->extra[i].name, rq->extra[i].value);
    (void)MHD_add_response_header(r, "x-ms-request-id", rq->request_id);
    (void)MHD_add_response_header(r, "x-ms-maa-service-version", AVOUCH_VERSION);
    (void)MHD_add_response_header(r, "Server", "Avouch");
    (void)MHD_add_response_header(r, "Cache-Control", rq->public_answer ? "public, max-age=300" : "no-store");
    if (rq->error_code != NULL)
        (void)MHD_add_response_header(r, "x-ms-error-code", rq->error_code);
    if (rq->authenticate != NULL)
        (void)MHD_add_response_header(r, "WWW-Authenticate", rq->authenticate);
    if (rq->allow != NULL)
        (void)MHD_add_response_header(r, "Allow", rq->allow);
    if (rq->retry_after > 0) {
        snprintf(number, sizeof(number), "%u", rq->retry_after);
        (void)MHD_add_response_header(r, "Retry-After", number);
    }
    if (rq->front->stopping)
        (void)MHD_add_response_header(r, "Connection", "close");
    audit_record(rq);
    metrics_count(rq);
    ok = MHD_queue_response(rq->connection, (unsigned)rq->status, r);
    MHD_destroy_response(r);
    return ok;
}

static void read_host(struct request *rq)
{
    const char *host = request_header(rq, "Host");
    struct bytes h = bytes_str(host == NULL ? "" : host);
    size_t colon = h.n;

    while (colon > 0 && h.p[colon - 1] != ':' && h.p[colon - 1] != ']')
        colon--;
    rq->host = colon > 0 && h.p[colon - 1] == ':' ? bytes_part(h, 0, colon - 1) : h;
}

const char *http_client_address(struct request *rq)
{
    const union MHD_ConnectionInfo *i = MHD_get_connection_info(rq->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char text[64];

    if (i == NULL || getnameinfo(i->client_addr, i->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in),
                                 text, sizeof(text), NULL, 0, NI_NUMERICHOST) != 0)
        return "";
    return arena_str(&rq->a, bytes_str(text));
}

static gnutls_session_t tls_session(const struct request *rq)
{
    const union MHD_ConnectionInfo *i = MHD_get_connection_info(rq->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    return i == NULL ? NULL : i->tls_session;
}

bool http_client_shown(const struct request *rq)
{
    gnutls_session_t session = tls_session(rq);
    unsigned n = 0;

    return session != NULL && rq->front->config.value[CONFIG_tls_client_ca][0] != 0 && gnutls_certificate_get_peers(session, &n) != NULL && n > 0;
}

/* The chain, the dates, and that it is for clients (RFC 5280 section 4.2.1.12): a server's certificate of the
 * same CA is no operator's. */
static bool verify_client(gnutls_session_t session, struct err *e)
{
    gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT };
    gnutls_datum_t text = { .data = NULL };
    unsigned status = 1;
    int rc = gnutls_certificate_verify_peers(session, &purpose, 1, &status);

    if (rc == 0 && status == 0)
        return true;
    if (rc == 0)
        rc = gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
    (void)err_set(e, ERR_UNAUTHORIZED, "client certificate", "does not verify against tls.client_ca: %s",
                  rc < 0 || text.data == NULL ? gnutls_strerror(rc) : (const char *)text.data);
    gnutls_free(text.data);
    return false;
}

bool http_client_name(const struct request *rq, char *to, size_t size, struct err *e)
{
    gnutls_session_t session = tls_session(rq);
    const gnutls_datum_t *list;
    gnutls_x509_crt_t crt;
    unsigned n;
    int rc;

    if (!verify_client(session, e))
        return false;
    list = gnutls_certificate_get_peers(session, &n);
    if (list == NULL || n == 0 || gnutls_x509_crt_init(&crt) != 0)
        return err_memory(e, "client certificate");
    rc = gnutls_x509_crt_import(crt, list, GNUTLS_X509_FMT_DER);
    if (rc == 0)
        rc = gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, to, &size);
    gnutls_x509_crt_deinit(crt);
    return rc == 0 || err_set(e, ERR_UNAUTHORIZED, "client certificate", "has no common name of fewer than 80 bytes: %s", gnutls_strerror(rc));
}

static struct request *request_new(struct front *f, struct MHD_Connection *c, const char *url, const char *method)
{
    struct request *rq = calloc(1, sizeof(*rq));
    struct bytes path = bytes_str(url);

    if (rq == NULL)
        return NULL;
    if (f->http->spare_count > 0)
        rq->a = f->http->spare[--f->http->spare_count];
    else
        arena_init(&rq->a, REQUEST_BUDGET);
    rq->front = f;
    rq->connection = c;
    rq->started_us = clock_monotonic_us();
    rq->method = arena_str(&rq->a, bytes_str(method));
    if (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    rq->path = arena_str(&rq->a, path);
    if (rq->method == NULL || rq->path == NULL) {
        arena_done(&rq->a);
        free(rq);
        return NULL;
    }
    make_request_id(rq);
    read_host(rq);
    f->in_flight++;
    return rq;
}

static void too_large(struct request *rq, size_t n)
{
    struct err e = { .code = ERR_NONE };

    (void)err_set(&e, ERR_TOO_LARGE, "request body", "has %zu bytes or more, at most %lld are accepted (limits.body)", n,
                  (long long)rq->front->body_limit);
    reply_error(rq, &e);
}

/* What can be refused before a byte of the body is read. */
static bool refused_by_headers(struct request *rq)
{
    const union MHD_ConnectionInfo *size = MHD_get_connection_info(rq->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *length = request_header(rq, "Content-Length");
    struct err e = { .code = ERR_NONE };

    if (size != NULL && size->header_size > (size_t)rq->front->header_limit) {
        (void)err_set(&e, ERR_HEADERS_TOO_LARGE, "header block", "has %zu bytes, at most %lld are accepted (limits.header)",
                      size->header_size, (long long)rq->front->header_limit);
        reply_error(rq, &e);
        return true;
    }
    /* somewhat too much is read and dropped, so that the client can read the answer; far too much is not */
    if (length != NULL && strtoull(length, NULL, 10) / 8 > (unsigned long long)rq->front->body_limit) {
        too_large(rq, (size_t)strtoull(length, NULL, 10));
        return true;
    }
    return false;
}

static void add_body(struct request *rq, const char *data, size_t n)
{
    uint8_t *bigger;
    size_t cap = rq->raw_cap == 0 ? 16384 : rq->raw_cap;

    if (rq->too_large || rq->raw_n + n > (size_t)rq->front->body_limit) {
        rq->too_large = true; /* the rest is read and dropped, so that the client can read the answer */
        return;
    }
    while (cap < rq->raw_n + n)
        cap *= 2;
    if (cap != rq->raw_cap) {
        bigger = realloc(rq->raw, cap);
        if (bigger == NULL) {
            rq->too_large = true;
            return;
        }
        rq->raw = bigger;
        rq->raw_cap = cap;
    }
    memcpy(rq->raw + rq->raw_n, data, n);
    rq->raw_n += n;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **state)
{
    struct http *h = cls;
    struct request *rq = *state;

    (void)version;
    if (rq == NULL) {
        rq = request_new(h->front, c, url, method);
        *state = rq;
        if (rq == NULL)
            return MHD_NO;
        return refused_by_headers(rq) ? send_reply(rq) : MHD_YES;
    }
    if (*upload_size > 0) {
        add_body(rq, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    if (!rq->seen) {
        rq->seen = true;
        rq->body = bytes_of(rq->raw, rq->raw_n);
        if (rq->too_large)
            too_large(rq, rq->raw_n + 1);
        else if (limit_take(rq))
            route(rq);
        if (!rq->replied) {
            rq->suspended = true;
            MHD_suspend_connection(c);
            return MHD_YES;
        }
    }
    return rq->replied ? send_reply(rq) : MHD_NO;
}

void http_resume(struct request *rq)
{
    if (!rq->suspended)
        return;
    rq->suspended = false;
    MHD_resume_connection(rq->connection);
}

static void on_end(void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
    struct request *rq = *state;
    struct http *h;

    (void)cls, (void)c, (void)why;
    if (rq == NULL)
        return;
    h = rq->front->http;
    rq->front->in_flight--;
    free(rq->raw);
    if (h->spare_count < COUNT(h->spare)) {
        arena_reset(&rq->a, REQUEST_BUDGET);
        h->spare[h->spare_count++] = rq->a;
    } else {
        arena_done(&rq->a);
    }
    free(rq);
    *state = NULL;
}

static void on_log(void *cls, const char *fmt, va_list args)
{
    (void)cls, (void)fmt, (void)args; /* its messages are about single clients' broken connections */
}

/* CAs of operators' client certificates; showing one is up to the client. NULL: none are asked for. */
static bool client_ca(struct front *f, const char **ret, struct err *e)
{
    const char *path = f->config.value[CONFIG_tls_client_ca];
    struct bytes pem;

    *ret = NULL;
    if (path[0] == 0)
        return true;
    if (!file_read(path, 1 << 20, &f->own, &pem, e))
        return false;
    *ret = arena_str(&f->own, pem);
    return *ret != NULL || err_memory(e, "client CAs");
}

bool http_open(struct front *f, int listener, struct http **ret, struct err *e)
{
    struct http *h = arena_new(&f->own, struct http);
    const char *ca;

    if (h == NULL)
        return err_memory(e, "HTTP");
    h->front = f;
    if (!tls_open(f, e))
        return false;
    if (!client_ca(f, &ca, e))
        return false;
    h->daemon = MHD_start_daemon(
        MHD_USE_TLS | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, h,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_NOTIFY_COMPLETED, on_end, h,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)f->connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)f->idle,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)f->header_limit * POOL_FACTOR, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_HTTPS_CERT_CALLBACK, tls_give, MHD_OPTION_HTTPS_PRIORITIES,
        "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE", ca == NULL ? MHD_OPTION_END : MHD_OPTION_HTTPS_MEM_TRUST, ca,
        MHD_OPTION_END);
    if (h->daemon == NULL)
        return err_set(e, ERR_INTERNAL, "HTTP", "library could not start: %s", strerror(errno));
    *ret = h;
    return true;
}

int http_descriptor(const struct http *h)
{
    const union MHD_DaemonInfo *i = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    return i == NULL ? -1 : i->epoll_fd;
}

int http_timeout_ms(const struct http *h)
{
    MHD_UNSIGNED_LONG_LONG ms;

    return MHD_get_timeout(h->daemon, &ms) != MHD_YES ? -1 : ms > 60000 ? 60000 : (int)ms;
}

void http_run(struct http *h)
{
    (void)MHD_run(h->daemon);
}

void http_stop_accepting(struct http *h)
{
    (void)MHD_quiesce_daemon(h->daemon);
}

void http_close(struct http *h)
{
    MHD_stop_daemon(h->daemon);
    while (h->spare_count > 0)
        arena_done(&h->spare[--h->spare_count]);
    tls_close();
}
