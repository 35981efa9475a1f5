/* net.c: see net.h. */
#include "collateral/net.h"

#include "base/out.h"
#include "codec/hex.h"
#include "os/io.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

enum { MAX_REDIRECTS = 3, MAX_HEADERS = 64 << 10, CONNECT_MS = 2500 };

struct transfer {
    struct net *net;
    CURL *easy;
    struct curl_slist *headers;
    struct net_request request;
    const char *url; /* after redirects */
    int redirects;
    struct arena a;
    struct out body;
    size_t header_bytes;
    bool too_large;
    char error[CURL_ERROR_SIZE];
    struct net_answer answer;
    struct transfer *next;
};

struct net {
    CURLM *multi;
    struct net_settings settings;
    struct bytes cas; /* PEM: the system's and the operator's */
    struct transfer *running;
    size_t count;
};

static const char system_cas[] = "/etc/ssl/certs/ca-certificates.crt";

bool net_open(const struct net_settings *s, struct arena *a, struct net **ret, struct err *e)
{
    struct net *n = arena_new(a, struct net);
    struct bytes own = { NULL, 0 }, systems = { NULL, 0 };
    struct out all = out_open(a);

    if (n == NULL)
        return err_memory(e, "network");
    if (s->ca_file[0] != 0 && !file_read(s->ca_file, 4 << 20, a, &own, e))
        return false;
    if (access(system_cas, R_OK) == 0 && !file_read(system_cas, 4 << 20, a, &systems, e))
        return false;
    out_bytes(&all, systems);
    out_char(&all, '\n');
    out_bytes(&all, own);
    n->cas = out_view(&all);
    n->settings = *s;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (n->multi = curl_multi_init()) == NULL || !out_ok(&all))
        return err_set(e, ERR_INTERNAL, "network", "libcurl could not be started");
    (void)curl_multi_setopt(n->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 8L);
    (void)curl_multi_setopt(n->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 64L);
    *ret = n;
    return true;
}

static void transfer_free(struct transfer *t)
{
    if (t->easy != NULL) {
        (void)curl_multi_remove_handle(t->net->multi, t->easy);
        curl_easy_cleanup(t->easy);
    }
    curl_slist_free_all(t->headers);
    arena_done(&t->a);
    free(t);
}

void net_close(struct net *n)
{
    while (n->running != NULL) {
        struct transfer *t = n->running;

        n->running = t->next;
        transfer_free(t);
    }
    (void)curl_multi_cleanup(n->multi);
    n->multi = NULL;
}

size_t net_running(const struct net *n)
{
    return n->count;
}

/* -- what comes in -- */

static size_t body_limit(const struct transfer *t)
{
    size_t general = t->net->settings.max_size, own = t->request.max_size;

    return own != 0 && own < general ? own : general;
}

static size_t on_data(char *data, size_t size, size_t n, void *user)
{
    struct transfer *t = user;

    if (t->body.n + size * n > body_limit(t)) {
        t->too_large = true;
        return 0;
    }
    out_bytes(&t->body, bytes_of(data, size * n));
    return out_ok(&t->body) ? size * n : 0;
}

struct bytes net_unescape(struct bytes in, struct arena *a)
{
    struct out o = out_open(a);

    for (size_t i = 0; i < in.n; i++) {
        uint8_t b;

        if (in.p[i] == '%' && i + 2 < in.n && hex_decode_exact(bytes_part(in, i + 1, 2), &b, 1)) {
            out_u8(&o, b);
            i += 2;
        } else {
            out_u8(&o, in.p[i]);
        }
    }
    return out_view(&o);
}

static uint32_t max_age(struct bytes v)
{
    static const char name[] = "max-age=";
    char text[256];
    const char *at;

    snprintf(text, sizeof(text), "%.*s", (int)(v.n < 255 ? v.n : 255), (const char *)v.p);
    at = strcasestr(text, name);
    return at == NULL ? 0 : (uint32_t)strtoul(at + sizeof(name) - 1, NULL, 10);
}

/* Kept for later requests, as a line of their headers. */
static bool is_printable(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] < ' ' || b.p[i] == 0x7f)
            return false;
    return true;
}

static void take_header(struct transfer *t, struct bytes name, struct bytes value)
{
    static const char *const chains[] = {
        "TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain", "SGX-Enclave-Identity-Issuer-Chain", "SGX-QE-Identity-Issuer-Chain",
        "SGX-PCK-CRL-Issuer-Chain", "TCB-Evaluation-Data-Numbers-Issuer-Chain", "SGX-PCK-Certificate-Issuer-Chain",
    };

    for (size_t i = 0; i < COUNT(chains); i++)
        if (bytes_equal_nocase(name, bytes_str(chains[i])))
            t->answer.chain = net_unescape(value, &t->a);
    if (bytes_equal_nocase(name, LIT("ETag")) && value.n < 256 && is_printable(value))
        t->answer.etag = arena_copy(&t->a, value);
    else if (bytes_equal_nocase(name, LIT("Last-Modified")) && value.n < 64 && is_printable(value))
        t->answer.modified = arena_copy(&t->a, value);
    else if (bytes_equal_nocase(name, LIT("SGX-TCBm")) && value.n < 64)
        t->answer.tcbm = arena_copy(&t->a, value);
    else if (bytes_equal_nocase(name, LIT("Cache-Control")))
        t->answer.max_age = max_age(value);
}

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
    struct transfer *t = user;
    struct bytes line = bytes_of(data, size * n), name, value;
    const uint8_t *colon;

    t->header_bytes += line.n;
    if (t->header_bytes > MAX_HEADERS) {
        t->too_large = true;
        return 0;
    }
    if (line.n > 5 && memcmp(line.p, "HTTP/", 5) == 0) /* a new answer: after a redirect, or behind a proxy's own */
        t->answer = (struct net_answer){ .came = false };
    colon = memchr(line.p, ':', line.n);
    if (colon == NULL)
        return size * n;
    name = bytes_part(line, 0, (size_t)(colon - line.p));
    value = bytes_part(line, name.n + 1, line.n);
    while (value.n > 0 && isspace(value.p[0]))
        value = bytes_part(value, 1, value.n - 1);
    while (value.n > 0 && isspace(value.p[value.n - 1]))
        value.n--;
    take_header(t, name, value);
    return size * n;
}

/* -- what goes out -- */

static void add_header(struct transfer *t, const char *name, struct bytes value)
{
    const char *line = value.n == 0 ? NULL : arena_printf(&t->a, "%s: %.*s", name, (int)value.n, (const char *)value.p);
    struct curl_slist *longer = line == NULL ? NULL : curl_slist_append(t->headers, line);

    if (longer != NULL)
        t->headers = longer;
}

static bool set_up(struct transfer *t)
{
    const struct net_settings *s = &t->net->settings;
    struct curl_blob cas = { .data = (void *)(uintptr_t)t->net->cas.p, .len = t->net->cas.n, .flags = CURL_BLOB_NOCOPY };
    unsigned ms = t->request.timeout_ms;
    CURL *c = t->easy = curl_easy_init();

    if (c == NULL)
        return false;
    add_header(t, "If-None-Match", t->request.etag);
    add_header(t, "If-Modified-Since", t->request.etag.n > 0 ? (struct bytes){ NULL, 0 } : t->request.modified);
    add_header(t, "metadata", t->request.metadata ? LIT("true") : (struct bytes){ NULL, 0 });
    if (t->request.subscription_key != NULL && strncmp(t->url, "https://", 8) == 0)
        add_header(t, "Ocp-Apim-Subscription-Key", bytes_str(t->request.subscription_key));
    return curl_easy_setopt(c, CURLOPT_URL, t->url) == CURLE_OK && curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, t->request.https_only ? "https" : "http,https") == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK && curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)ms) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, ms < CONNECT_MS ? (long)ms : (long)CONNECT_MS) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_USERAGENT, "avouch/" AVOUCH_VERSION) == CURLE_OK && curl_easy_setopt(c, CURLOPT_PROXY, s->proxy) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_NOPROXY, s->no_proxy) == CURLE_OK && curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &cas) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK && curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK && curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data) == CURLE_OK && curl_easy_setopt(c, CURLOPT_WRITEDATA, t) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK && curl_easy_setopt(c, CURLOPT_HEADERDATA, t) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_PRIVATE, t) == CURLE_OK && curl_multi_add_handle(t->net->multi, c) == CURLM_OK;
}

bool net_start(struct net *n, const struct net_request *r, struct err *e)
{
    struct transfer *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return err_memory(e, "request");
    arena_init(&t->a, n->settings.max_size * 3 + (1 << 20));
    t->net = n;
    t->request = *r;
    t->request.etag = arena_copy(&t->a, r->etag);
    t->request.modified = arena_copy(&t->a, r->modified);
    t->body = out_open(&t->a);
    t->url = arena_str(&t->a, bytes_str(r->url));
    if (t->url == NULL || !set_up(t)) {
        transfer_free(t);
        return err_set(e, ERR_INTERNAL, "request", "%s: libcurl does not take it", r->url);
    }
    t->next = n->running;
    n->running = t;
    n->count++;
    return true;
}

/* "https://host:port/" of both are the same. */
static bool same_origin(const char *a, const char *b)
{
    const char *a_end = strstr(a, "://"), *b_end = strstr(b, "://");
    size_t n, m;

    if (a_end == NULL || b_end == NULL)
        return false;
    n = (size_t)(a_end - a) + 3 + strcspn(a_end + 3, "/?#");
    m = (size_t)(b_end - b) + 3 + strcspn(b_end + 3, "/?#");
    return n == m && strncasecmp(a, b, n) == 0;
}

/* true: the transfer goes on at another place of the same host. */
static bool redirected(struct transfer *t, long status)
{
    const char *to = NULL;

    if (status < 300 || status > 399 || status == 304)
        return false;
    (void)curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &to);
    if (t->request.no_redirect) {
        snprintf(t->error, sizeof(t->error), "redirects to %.120s, which is not followed", to == NULL ? "nowhere" : to);
        t->answer.error = t->error;
        return false;
    }
    if (to == NULL || t->redirects == MAX_REDIRECTS || !same_origin(to, t->url)) {
        snprintf(t->error, sizeof(t->error), to == NULL ? "redirects to nowhere%.0s" : t->redirects == MAX_REDIRECTS ? "redirects too often%.0s"
                                                                                          : "redirects to another host: %.120s", to == NULL ? "" : to);
        t->answer.error = t->error;
        return false;
    }
    t->redirects++;
    t->url = arena_str(&t->a, bytes_str(to));
    (void)curl_multi_remove_handle(t->net->multi, t->easy);
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    t->easy = NULL;
    t->headers = NULL;
    t->body = out_open(&t->a);
    t->header_bytes = 0;
    return t->url != NULL && set_up(t);
}

static void finish(struct transfer *t, CURLcode rc)
{
    struct net *n = t->net;
    curl_off_t retry = 0;
    long status = 0;
    struct transfer **at = &n->running;

    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (rc == CURLE_OK && redirected(t, status))
        return;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry);
    t->answer.status = status;
    t->answer.retry_after = retry < 0 ? 0 : retry > 3600 ? 3600 : (uint32_t)retry;
    t->answer.came = rc == CURLE_OK && t->answer.error == NULL;
    t->answer.body = out_view(&t->body);
    if (t->too_large)
        snprintf(t->error, sizeof(t->error), "answer is larger than %zu bytes", body_limit(t));
    if (!t->answer.came)
        t->answer.error = t->error[0] != 0 ? t->error : curl_easy_strerror(rc);
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    n->count--;
    t->request.done(t->request.user, &t->answer);
    transfer_free(t);
}

void net_run(struct net *n, struct curl_waitfd *extra, unsigned extra_count, int timeout_ms)
{
    int running, left;
    CURLMsg *m;

    (void)curl_multi_poll(n->multi, extra, extra_count, timeout_ms, NULL);
    (void)curl_multi_perform(n->multi, &running);
    while ((m = curl_multi_info_read(n->multi, &left)) != NULL) {
        struct transfer *t = NULL;

        if (m->msg == CURLMSG_DONE && curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t) == CURLE_OK && t != NULL)
            finish(t, m->data.result);
    }
}
