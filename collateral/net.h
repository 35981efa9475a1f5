/* net.h: outgoing GET requests, many at a time, by libcurl.
 *
 * Only http and https, TLS always verified, no redirect to another host, no decompression, a limit on
 * size and time of each answer. */
#ifndef AVOUCH_COLLATERAL_NET_H
#define AVOUCH_COLLATERAL_NET_H

#include "base/arena.h"
#include "base/err.h"

#include <curl/curl.h>

struct net;

struct net_settings {
    const char *proxy;    /* "": none; the environment is not asked */
    const char *no_proxy;
    const char *ca_file;  /* "": only the system's CAs */
    size_t max_size;
};

struct net_answer {
    bool came;            /* an answer with a status; else `error` says why not */
    long status;
    struct bytes body;
    struct bytes chain;   /* PEM of the issuer-chain header, or empty */
    struct bytes tcbm;    /* header SGX-TCBm, or empty */
    struct bytes etag, modified;
    uint32_t max_age;     /* of Cache-Control; 0: none */
    uint32_t retry_after; /* seconds; 0: none */
    const char *error;
};
/* The answer lives for the length of the call. */
typedef void net_done(void *user, const struct net_answer *answer);

struct net_request {
    const char *url;
    struct bytes etag, modified; /* of what is there already, or empty */
    bool metadata;               /* header metadata: true, which Azure's address inside a VM wants */
    const char *subscription_key; /* of Intel's service, or NULL; sent by https only */
    bool https_only, no_redirect;
    size_t max_size;             /* of the body; 0: that of the settings */
    unsigned timeout_ms;
    net_done *done;
    void *user;
};

/* Reads CA files: before the sandbox closes. */
bool net_open(const struct net_settings *s, struct arena *a, struct net **ret, struct err *e) CHECKED;
void net_close(struct net *n); /* what is under way gets no answer */
bool net_start(struct net *n, const struct net_request *r, struct err *e) CHECKED;
/* Waits up to timeout_ms for sockets and for `extra`, then makes progress; answers come from within. */
void net_run(struct net *n, struct curl_waitfd *extra, unsigned extra_count, int timeout_ms);
size_t net_running(const struct net *n);
/* URL-encoded text (evidence-sgx 4.4): percent signs only; '+' is a character of base64. */
struct bytes net_unescape(struct bytes in, struct arena *a);

#endif
