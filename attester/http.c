/* http.c: HTTPS through libcurl: the system's roots or one pinned file, no redirects, bounded answers. */
#include "attester/attester.h"

#include <curl/curl.h>
#include <stdio.h>

enum { ANSWER_MAX = 8 << 20, CONNECT_SECONDS = 15, TOTAL_SECONDS = 60 };

void http_open(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

void http_close(void)
{
    curl_global_cleanup();
}

enum outcome http_failure(const struct err *e)
{
    return e->code == ERR_USAGE ? OUTCOME_PLATFORM : OUTCOME_NETWORK;
}

static size_t take(char *p, size_t size, size_t n, void *to)
{
    struct out *o = to;

    if (o->n + size * n > ANSWER_MAX)
        return 0; /* ends the transfer */
    out_bytes(o, bytes_of(p, size * n));
    return o->failed ? 0 : n;
}

/* The file is read anew each time: whoever renews the token replaces it. */
static bool headers(const struct options *o, struct arena *a, struct curl_slist **ret, struct err *e)
{
    struct bytes token;
    const char *line;

    *ret = curl_slist_append(NULL, "Content-Type: application/json");
    if (o->bearer_file == NULL)
        return true;
    if (!file_read(o->bearer_file, a, &token, e))
        return false;
    while (token.n > 0 && (token.p[token.n - 1] == '\n' || token.p[token.n - 1] == '\r'))
        token.n--;
    if (token.n == 0)
        return err_set(e, ERR_USAGE, o->bearer_file, "holds no token");
    line = arena_printf(a, "Authorization: Bearer %.*s", (int)token.n, (const char *)token.p);
    if (line == NULL)
        return err_memory(e, "bearer token");
    *ret = curl_slist_append(*ret, line);
    return true;
}

static void set_options(CURL *c, const struct options *o, const char *url, struct bytes body,
                        struct out *answer)
{
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)TOTAL_SECONDS);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
    if (o->ca != NULL)
        curl_easy_setopt(c, CURLOPT_CAINFO, o->ca);
    if (body.n > 0) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, (const char *)body.p);
    }
}

bool http_call(const struct options *o, const char *path, struct bytes body, struct arena *a,
               struct http_answer *ret, struct err *e)
{
    const size_t n = strlen(o->url);
    const char *url =
        arena_printf(a, "%.*s%s", (int)(n > 0 && o->url[n - 1] == '/' ? n - 1 : n), o->url, path);
    struct out answer = out_open(a);
    struct curl_slist *list;
    CURL *c;
    curl_off_t retry = 0;
    CURLcode rc = CURLE_OUT_OF_MEMORY;

    if (!headers(o, a, &list, e)) {
        curl_slist_free_all(list);
        return false;
    }
    c = curl_easy_init();
    if (c != NULL && url != NULL) {
        set_options(c, o, url, body, &answer);
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
        rc = curl_easy_perform(c);
    }
    if (rc == CURLE_OK) {
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &ret->status);
        curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &retry);
        ret->retry_after = (long)retry;
        ret->body = out_view(&answer);
    }
    curl_slist_free_all(list);
    curl_easy_cleanup(c);
    return rc == CURLE_OK ? true
                          : err_set(e, ERR_UNAVAILABLE, o->url, "%s: %s", path, curl_easy_strerror(rc));
}
