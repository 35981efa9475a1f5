/* vendor.c: see vendor.h. One thread of the HTTP library answers; a lock guards what the test changes. */
#include "vendor.h"

#include "base/out.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "crypto/hash.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { MAX_RULES = 256, MAX_LOG = 8192, MAX_HELD = 64, MAX_FILES = 128 };

struct vendor {
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* log_count or conditional */
    struct intel_pki *pki, *stranger;
    struct pki_options o;
    struct rule {
        char part[160];
        enum fault fault;
    } rules[MAX_RULES];
    size_t rule_count;
    char *log[MAX_LOG];
    size_t log_count;
    unsigned conditional, keys;
    struct MHD_Connection *held[MAX_HELD];
    size_t held_count;
    struct {
        char part[160];
        struct bytes body;
    } files[MAX_FILES];
    size_t file_count;
    int port;
};

struct reply {
    unsigned status;
    struct bytes body;
    const char *chain_header;
    struct bytes chain;
    const char *location;
    const char *tcbm; /* header, or NULL */
    bool retry, cut;
};

static enum fault fault_of(const struct vendor *v, const char *uri)
{
    enum fault f = FAULT_NONE;

    for (size_t i = 0; i < v->rule_count; i++)
        if (strstr(uri, v->rules[i].part) != NULL)
            f = v->rules[i].fault;
    return f;
}

static struct bytes escaped(struct bytes pem, struct arena *a)
{
    struct out o = out_open(a);

    for (size_t i = 0; i < pem.n; i++)
        if (strchr("\n +/=", pem.p[i]) != NULL)
            out_printf(&o, "%%%02X", pem.p[i]);
        else
            out_u8(&o, pem.p[i]);
    return out_view(&o);
}

/* -- what there is -- */

static void old_set(struct pki_options *o, enum fault f)
{
    if (f == FAULT_OLD) {
        o->coll_from -= 60 * 86400;
        o->coll_to -= 60 * 86400;
    }
    if (f == FAULT_OLDER)
        o->coll_from -= 86400;
}

static void platform_of(const char *uri, struct pki_options *o, enum fault f)
{
    const char *fmspc = strstr(uri, "fmspc="), *eval = strstr(uri, "tcbEvaluationDataNumber=");

    if (fmspc != NULL && strlen(fmspc) >= 18)
        (void)hex_decode_exact(bytes_of(fmspc + 6, 12), o->tcb_fmspc, 6);
    if (f == FAULT_OTHER)
        o->tcb_fmspc[5] ^= 0x80;
    if (eval != NULL)
        o->eval_number = o->qe_eval_number = atoi(eval + 24);
    if (strstr(uri, "update=early") != NULL) {
        o->eval_number++;
        o->qe_eval_number++;
    }
    if (strstr(uri, "/v3/") != NULL)
        o->tcb_version = 2;
}

static struct bytes pck_crl_chain(struct vendor *v, const struct pki_options *o, struct arena *a)
{
    struct bytes all = pki_pck_chain(v->pki, o, a);

    for (size_t i = 1; i < all.n; i++) /* the leaf is not part of it */
        if (memcmp(all.p + i, "-----BEGIN", 10) == 0)
            return bytes_part(all, i, all.n);
    return all;
}

/* -- PCK certificates -- */

static const char *parameter(const char *uri, const char *name, struct arena *a)
{
    const char *at = strstr(uri, arena_printf(a, "%s=", name));

    return at == NULL ? "" : arena_printf(a, "%.*s", (int)strcspn(at + strlen(name) + 1, "&"), at + strlen(name) + 1);
}

/* Leaf and issuers apart. */
static struct bytes pck_leaf(struct bytes all)
{
    for (size_t i = 1; i < all.n; i++)
        if (memcmp(all.p + i, "-----BEGIN", 10) == 0)
            return bytes_part(all, 0, i);
    return all;
}

/* Azure's form: JSON, and the two-byte numbers big-endian. */
static void thim_pck(struct reply *r, const char *tcbm, struct arena *a)
{
    struct out o = out_open(a);

    out_text(&o, "{\"pckCert\":");
    json_print_string(&o, r->body);
    out_text(&o, ",\"sgx-Pck-Certificate-Issuer-Chain\":");
    json_print_string(&o, r->chain_header == NULL ? LIT("") : escaped(r->chain, a));
    if (tcbm != NULL)
        out_printf(&o, ",\"sgx-Tcbm\":\"%s\"", tcbm);
    out_text(&o, ",\"cacheMaxAge\":\"86400\",\"version\":\"v4\"}");
    r->body = out_view(&o);
    r->chain_header = NULL;
    r->tcbm = NULL;
}

static void pck_reply(struct vendor *v, const char *uri, enum fault f, bool subscribed, struct reply *r, struct arena *a)
{
    bool thim = strstr(uri, "clientid=") != NULL, pcs = strstr(uri, "qeid=") == NULL;
    struct pki_options o = v->o;
    uint16_t svn = o.pce_svn;
    struct bytes all;

    if (pcs && (!subscribed || strlen(parameter(uri, "encrypted_ppid", a)) != 768)) {
        r->status = 401;
        r->body = LIT("Access denied due to missing subscription key.");
        return;
    }
    if (strcmp(parameter(uri, "pcesvn", a), arena_printf(a, "%02x%02x", thim ? svn >> 8 : svn & 0xff, thim ? svn & 0xff : svn >> 8)) != 0) {
        r->status = 404;
        r->body = LIT("not in the order of bytes of this source");
        return;
    }
    o.comp_svn[0] = (uint8_t)(o.comp_svn[0] + (f == FAULT_TCB_ABOVE));
    o.pce_id[0] ^= f == FAULT_PCE;
    all = pki_pck_chain(f == FAULT_FOREIGN ? v->stranger : v->pki, &o, a);
    r->body = pck_leaf(all);
    r->chain = bytes_part(all, r->body.n, all.n);
    r->chain_header = f == FAULT_NO_CHAIN ? NULL : "SGX-PCK-Certificate-Issuer-Chain";
    svn = (uint16_t)(svn - (f == FAULT_TCBM));
    if (f != FAULT_NO_TCBM)
        r->tcbm = arena_printf(a, "%s%02x%02x", (const char *)hex_encode_upper(a, BYTES(o.comp_svn)).p, thim ? svn >> 8 : svn & 0xff,
                               thim ? svn & 0xff : svn >> 8);
    if (thim)
        thim_pck(r, r->tcbm, a);
}

static bool intel_reply(struct vendor *v, const char *uri, enum fault f, struct reply *r, struct arena *a)
{
    struct pki_options o = v->o;
    struct intel_pki *p = f == FAULT_FOREIGN ? v->stranger : v->pki;
    bool root = strstr(uri, "IntelSGXRootCA.der") != NULL || strstr(uri, "/rootcacrl") != NULL;

    old_set(&o, f);
    platform_of(uri, &o, f);
    o.platform_ca = strstr(uri, "ca=platform") != NULL || strstr(uri, "ca%3Dplatform") != NULL;
    r->chain = pki_tcb_chain(p, &o, a);
    if (root) {
        r->body = pki_root_crl(p, &o, a);
        if (strstr(uri, "/rootcacrl") != NULL)
            r->body = hex_encode(a, r->body);
    } else if (strstr(uri, "/pckcrl") != NULL) {
        r->body = pki_pck_crl(p, &o, a);
        r->chain = pck_crl_chain(v, &o, a);
        r->chain_header = "SGX-PCK-CRL-Issuer-Chain";
    } else if (strstr(uri, "/qe/identity") != NULL) {
        if (strstr(uri, "/tdx/") != NULL)
            o.identity_id = "TD_QE";
        r->body = pki_qe_identity(p, &o, a);
        r->chain_header = strstr(uri, "clientid=") != NULL ? "SGX-QE-Identity-Issuer-Chain" : "SGX-Enclave-Identity-Issuer-Chain";
    } else if (strstr(uri, "/tcbevaluationdatanumbers") != NULL) {
        r->body = pki_eval_numbers(p, &o, a);
        r->chain_header = "TCB-Evaluation-Data-Numbers-Issuer-Chain";
    } else if (strstr(uri, "/qve/identity") != NULL) {
        o.identity_id = "QVE";
        r->body = pki_qe_identity(p, &o, a);
        r->chain_header = "SGX-Enclave-Identity-Issuer-Chain";
    } else if (strstr(uri, "/tcb?") != NULL) {
        r->body = pki_tcb_info(p, &o, a);
        r->chain_header = strstr(uri, "/v3/") != NULL ? "SGX-TCB-Info-Issuer-Chain" : "TCB-Info-Issuer-Chain";
    } else {
        return false;
    }
    return true;
}

static void spoil(struct reply *r, const char *uri, enum fault f, struct arena *a)
{
    uint8_t *copy;

    switch (f) {
    case FAULT_429:
    case FAULT_500:
    case FAULT_404:
    case FAULT_461:
    case FAULT_462:
        r->status = f == FAULT_429 ? 429 : f == FAULT_500 ? 500 : f == FAULT_404 ? 404 : f == FAULT_461 ? 461 : 462;
        r->retry = f == FAULT_429;
        r->body = LIT("no");
        break;
    case FAULT_CUT:
        r->cut = true;
        break;
    case FAULT_SIGNATURE:
        copy = (uint8_t *)(uintptr_t)arena_copy(a, r->body).p;
        for (size_t i = 0; i + 8 < r->body.n; i++)
            if (memcmp(copy + i, "UpToDate", 8) == 0)
                memcpy(copy + i, "Up2oDate", 8);
        r->body.p = copy;
        break;
    case FAULT_HUGE: {
        struct out o = out_open(a);

        memset(out_room(&o, 6 << 20), ' ', 6 << 20);
        r->body = out_view(&o);
        break;
    }
    case FAULT_REDIRECT_AWAY:
    case FAULT_REDIRECT_HERE:
    case FAULT_REDIRECT_LOOP:
        if (f == FAULT_REDIRECT_HERE && strstr(uri, "/moved/") != NULL)
            break;
        r->status = 302;
        r->location = f == FAULT_REDIRECT_AWAY ? "http://127.0.0.1:9/elsewhere" : arena_printf(a, "/moved%s", uri);
        break;
    case FAULT_NO_CHAIN:
        r->chain_header = NULL;
        break;
    case FAULT_GARBAGE:
        r->body = LIT("<html><body>Please log in to the proxy.</body></html>");
        break;
    default:
        break;
    }
}

static void make_reply(struct vendor *v, const char *uri, bool subscribed, struct reply *r, struct arena *a)
{
    enum fault f = fault_of(v, uri);

    *r = (struct reply){ .status = 200 };
    for (size_t i = 0; i < v->file_count; i++)
        if (strstr(uri, v->files[i].part) != NULL)
            r->body = v->files[i].body;
    if (r->body.p == NULL && strstr(uri, "/pckcert?") != NULL)
        pck_reply(v, uri, f, subscribed, r, a);
    else if (r->body.p == NULL && !intel_reply(v, uri, f, r, a)) {
        r->status = 404;
        r->body = LIT("unknown");
    }
    spoil(r, uri, f, a);
}

/* -- HTTP -- */

static ssize_t cut_short(void *cls, uint64_t pos, char *buf, size_t max)
{
    (void)cls, (void)max;
    if (pos > 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    memcpy(buf, "{\"tcbInfo\":{", 12);
    return 12;
}

/* An entity tag over the body without its signature, which is another each time. */
static const char *tag_of(const struct reply *r, struct arena *a)
{
    const uint8_t *sig = memmem(r->body.p, r->body.n, ",\"signature\"", 12);
    struct digest d = sha256(sig == NULL ? r->body : bytes_part(r->body, 0, (size_t)(sig - r->body.p)));

    return arena_printf(a, "\"%s\"", (const char *)hex_encode(a, bytes_of(d.p, 8)).p);
}

static enum MHD_Result send_reply(struct vendor *v, struct MHD_Connection *c, struct reply *r, struct arena *a)
{
    const char *tag = tag_of(r, a), *known = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "If-None-Match");
    struct MHD_Response *m;
    enum MHD_Result ok;

    if (r->status == 200 && known != NULL && strcmp(known, tag) == 0) {
        r->status = 304;
        r->body.n = 0;
        v->conditional++;
        pthread_cond_broadcast(&v->changed);
    }
    m = r->cut ? MHD_create_response_from_callback(r->body.n, 1024, cut_short, NULL, NULL)
               : MHD_create_response_from_buffer(r->body.n, (void *)(uintptr_t)r->body.p, MHD_RESPMEM_MUST_COPY);
    if (r->chain_header != NULL)
        (void)MHD_add_response_header(m, r->chain_header, (const char *)escaped(r->chain, a).p);
    if (r->tcbm != NULL)
        (void)MHD_add_response_header(m, "SGX-TCBm", r->tcbm);
    if (r->location != NULL)
        (void)MHD_add_response_header(m, "Location", r->location);
    if (r->retry)
        (void)MHD_add_response_header(m, "Retry-After", "1");
    (void)MHD_add_response_header(m, "ETag", tag);
    ok = MHD_queue_response(c, r->status, m);
    MHD_destroy_response(m);
    return ok;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **state)
{
    struct vendor *v = cls;
    const char *uri = *state, *key = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Ocp-Apim-Subscription-Key"),
               *metadata = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "metadata");
    struct reply r;
    struct arena a;
    enum MHD_Result ok = MHD_YES;

    (void)url, (void)method, (void)version, (void)upload, (void)upload_size;
    pthread_mutex_lock(&v->lock);
    if (fault_of(v, uri) == FAULT_HOLD && v->held_count < MAX_HELD) {
        v->held[v->held_count++] = c;
        MHD_suspend_connection(c);
    } else {
        arena_init(&a, (size_t)64 << 20);
        v->keys += key != NULL;
        make_reply(v, uri, key != NULL && strcmp(key, VENDOR_KEY) == 0, &r, &a);
        if (strstr(uri, "/metadata/") != NULL && (metadata == NULL || strcmp(metadata, "true") != 0))
            r = (struct reply){ .status = 400, .body = LIT("Required metadata header not specified") };
        ok = send_reply(v, c, &r, &a);
        arena_done(&a);
    }
    pthread_mutex_unlock(&v->lock);
    return ok;
}

/* The URI as it was sent, with its query; remembered and handed to on_request() as its state. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *c)
{
    struct vendor *v = cls;
    char *copy = strdup(uri);

    (void)c;
    pthread_mutex_lock(&v->lock);
    if (v->log_count < MAX_LOG)
        v->log[v->log_count++] = copy;
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->lock);
    return copy;
}

struct vendor *vendor_start(struct intel_pki *pki, const struct pki_options *o, const char *tls_folder)
{
    struct vendor *v = calloc(1, sizeof(*v));
    struct arena a;
    const char *cert = NULL, *key = NULL;

    arena_init(&a, 1 << 20);
    v->pki = pki;
    v->stranger = intel_pki_new();
    v->o = *o;
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->changed, NULL);
    if (tls_folder != NULL) {
        cert = (const char *)test_read(&a, arena_printf(&a, "%s/cert.pem", tls_folder)).p;
        key = (const char *)test_read(&a, arena_printf(&a, "%s/key.pem", tls_folder)).p;
        v->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, v,
                                     MHD_OPTION_URI_LOG_CALLBACK, on_uri, v, MHD_OPTION_HTTPS_MEM_CERT, cert, MHD_OPTION_HTTPS_MEM_KEY, key,
                                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)1 << 17, MHD_OPTION_END);
    } else {
        v->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, v,
                                     MHD_OPTION_URI_LOG_CALLBACK, on_uri, v, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)1 << 17, MHD_OPTION_END);
    }
    arena_done(&a);
    if (v->daemon == NULL)
        fail_msg("the vendor's server does not start");
    v->port = MHD_get_daemon_info(v->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return v;
}

void vendor_release(struct vendor *v)
{
    pthread_mutex_lock(&v->lock);
    for (size_t i = 0; i < v->rule_count; i++)
        if (v->rules[i].fault == FAULT_HOLD)
            v->rules[i].fault = FAULT_NONE;
    for (size_t i = 0; i < v->held_count; i++)
        MHD_resume_connection(v->held[i]);
    v->held_count = 0;
    pthread_mutex_unlock(&v->lock);
}

void vendor_stop(struct vendor *v)
{
    vendor_release(v);
    MHD_stop_daemon(v->daemon);
    for (size_t i = 0; i < v->log_count; i++)
        free(v->log[i]);
    intel_pki_free(v->stranger);
    free(v);
}

int vendor_port(const struct vendor *v)
{
    return v->port;
}

void vendor_fault(struct vendor *v, const char *part, enum fault fault)
{
    pthread_mutex_lock(&v->lock);
    assert_true(v->rule_count < MAX_RULES);
    snprintf(v->rules[v->rule_count].part, sizeof(v->rules[0].part), "%s", part);
    v->rules[v->rule_count++].fault = fault;
    pthread_mutex_unlock(&v->lock);
}

static unsigned count(const struct vendor *v, const char *part)
{
    unsigned n = 0;

    for (size_t i = 0; i < v->log_count; i++)
        n += strstr(v->log[i], part) != NULL;
    return n;
}

unsigned vendor_count(struct vendor *v, const char *part)
{
    unsigned n;

    pthread_mutex_lock(&v->lock);
    n = count(v, part);
    pthread_mutex_unlock(&v->lock);
    return n;
}

void vendor_await(struct vendor *v, const char *part, unsigned n)
{
    pthread_mutex_lock(&v->lock);
    while (count(v, part) < n)
        pthread_cond_wait(&v->changed, &v->lock);
    pthread_mutex_unlock(&v->lock);
}

void vendor_await_conditional(struct vendor *v, unsigned n)
{
    pthread_mutex_lock(&v->lock);
    while (v->conditional < n)
        pthread_cond_wait(&v->changed, &v->lock);
    pthread_mutex_unlock(&v->lock);
}

unsigned vendor_count_keys(struct vendor *v)
{
    unsigned n;

    pthread_mutex_lock(&v->lock);
    n = v->keys;
    pthread_mutex_unlock(&v->lock);
    return n;
}

unsigned vendor_count_conditional(struct vendor *v)
{
    unsigned n;

    pthread_mutex_lock(&v->lock);
    n = v->conditional;
    pthread_mutex_unlock(&v->lock);
    return n;
}

void vendor_options(struct vendor *v, const struct pki_options *o)
{
    pthread_mutex_lock(&v->lock);
    v->o = *o;
    pthread_mutex_unlock(&v->lock);
}

void vendor_file(struct vendor *v, const char *part, struct bytes body)
{
    pthread_mutex_lock(&v->lock);
    assert_true(v->file_count < MAX_FILES);
    snprintf(v->files[v->file_count].part, sizeof(v->files[0].part), "%s", part);
    v->files[v->file_count++].body = body;
    pthread_mutex_unlock(&v->lock);
}
