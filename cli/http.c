/* http.c: requests of the tool to a service, by libcurl. */
#include "cli/cli.h"

#include <curl/curl.h>
#include <stdlib.h>

#define MAX_ANSWER ((size_t)16 << 20)

struct sink {
    struct out o;
};

static size_t on_data(char *data, size_t size, size_t n, void *user)
{
    struct sink *s = user;

    if (s->o.n + size * n > MAX_ANSWER)
        return 0;
    out_bytes(&s->o, bytes_of(data, size * n));
    return out_ok(&s->o) ? size * n : 0;
}

bool cli_http(const char *method, const char *url, const char *ca, struct bytes body, struct arena *a, struct http_answer *ret,
              struct err *e)
{
    CURL *c = curl_easy_init();
    struct curl_slist *headers = NULL;
    struct sink sink = { .o = out_open(a) };
    curl_off_t retry = 0;
    CURLcode rc = CURLE_FAILED_INIT;

    if (c != NULL) {
        headers = curl_slist_append(headers, "Content-Type: application/json");
        headers = curl_slist_append(headers, "Expect:");
        curl_easy_setopt(c, CURLOPT_URL, url);
        curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https,http");
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
        curl_easy_setopt(c, CURLOPT_WRITEDATA, &sink);
        curl_easy_setopt(c, CURLOPT_TIMEOUT, 60L);
        curl_easy_setopt(c, CURLOPT_USERAGENT, "avouch/" AVOUCH_VERSION);
        if (ca != NULL)
            curl_easy_setopt(c, CURLOPT_CAINFO, ca);
        if (body.n > 0) {
            curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
            curl_easy_setopt(c, CURLOPT_POSTFIELDS, (const char *)body.p);
        }
        rc = curl_easy_perform(c);
    }
    if (rc == CURLE_OK) {
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &ret->status);
        curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &retry);
        ret->retry_after = (long)retry;
        ret->body = out_view(&sink.o);
    } else {
        (void)err_set(e, ERR_UNAVAILABLE, "service", "%s: %s", url, curl_easy_strerror(rc));
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(c);
    return rc == CURLE_OK;
}
