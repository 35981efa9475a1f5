/* tenant.c: which provider a request is for. The Host header decides: the host of the base URL is the shared
 * provider, a host of the pattern of service.provider_url is the provider whose name stands in it. */
#include "front/front.h"

#include "wire/head.h"

#include <stdio.h>
#include <strings.h>

/* "https://{name}.localhost:8443" with the name put in. */
const char *tenant_url(const struct front *f, const char *name, struct arena *a)
{
    const char *pattern = f->config.value[CONFIG_service_provider_url], *hole = strstr(pattern, "{name}");

    return hole == NULL ? NULL : arena_printf(a, "%.*s%s%s", (int)(hole - pattern), pattern, name, hole + 6);
}

static struct bytes host_of_url(const char *url)
{
    const char *from = strstr(url, "://");
    struct bytes h = bytes_str(from == NULL ? url : from + 3);

    for (size_t i = 0; i < h.n; i++)
        if (h.p[i] == '/' || (h.p[i] == ':' && h.p[0] != '[')) {
            h.n = i;
            break;
        }
    return h;
}

/* A developer's machine is also called by its address. */
static bool is_shared_host(const struct front *f, struct bytes host)
{
    return bytes_equal_nocase(host, host_of_url(f->base_url))
        || (f->config.dev && (bytes_is(host, "127.0.0.1") || bytes_is(host, "[::1]")));
}

/* The text of "{name}" in the host, or empty. */
static struct bytes name_in_host(const struct front *f, struct bytes host)
{
    struct bytes pattern = host_of_url(f->config.value[CONFIG_service_provider_url]), none = { NULL, 0 };
    const uint8_t *hole = pattern.n < 6 ? NULL : memmem(pattern.p, pattern.n, "{name}", 6);
    size_t before, after;

    if (hole == NULL)
        return none;
    before = (size_t)(hole - pattern.p);
    after = pattern.n - before - 6;
    if (host.n <= before + after || !bytes_equal_nocase(bytes_part(host, 0, before), bytes_part(pattern, 0, before))
        || !bytes_equal_nocase(bytes_part(host, host.n - after, after), bytes_part(pattern, before + 6, after)))
        return none;
    return bytes_part(host, before, host.n - before - after);
}

bool tenant_is_provider_host(const struct front *f, struct bytes host)
{
    struct bytes name = name_in_host(f, host);

    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '.')
            return false;
    return name.n > 0 && name.n <= 24;
}

/* A head fits its MAC in whichever record it stands: it must be that of the provider which was asked for (its
 * name goes on with what tells apart providers that had the name one after another). What is no head at all the
 * core refuses. */
static bool check_head(const struct store_provider *p, struct err *e)
{
    const uint8_t *end;
    struct head h;

    if (!head_parse(p->head, &h, NULL))
        return true;
    end = h.name.n == 0 ? NULL : memchr(h.name.p, '/', h.name.n);
    if (end != NULL)
        h.name.n = (size_t)(end - h.name.p);
    return bytes_is(h.name, p->name)
        || err_set(e, ERR_STORE_TAMPERED, "provider head", "the record of '%s' has the head of '%.*s'", p->name,
                   (int)(h.name.n > 40 ? 40 : h.name.n), (const char *)h.name.p);
}

bool tenant_find(struct request *rq)
{
    struct err e = { .code = ERR_NONE };
    struct bytes name = name_in_host(rq->front, rq->host);
    bool found = false;

    rq->tenant.shared = is_shared_host(rq->front, rq->host);
    rq->issuer = rq->front->base_url;
    if (rq->tenant.shared)
        return true;
    if (name.n > 0 && name.n <= 24
        && !store_provider_find(rq->front->store, arena_str(&rq->a, name), &rq->a, &rq->tenant.row, &found, &e)) {
        reply_error(rq, &e);
        return false;
    }
    if (!found) { /* the same words for a name that is free and for a host that is none of ours */
        (void)err_set(&e, ERR_NOT_FOUND, "host", "no attestation provider has the name '%.*s'", (int)(rq->host.n > 100 ? 100 : rq->host.n),
                      (const char *)rq->host.p);
        reply_error(rq, &e);
        return false;
    }
    rq->issuer = tenant_url(rq->front, rq->tenant.row.name, &rq->a);
    if (check_head(&rq->tenant.row, &e))
        return true;
    reply_error(rq, &e);
    return false;
}

bool tenant_put(struct request *rq, const char *type, struct out *frame, struct err *e)
{
    struct store_policy policy;
    bool found;

    if (rq->tenant.shared) {
        wire_put(frame, TAG_ISSUER, bytes_str(rq->issuer));
        return true;
    }
    wire_put(frame, TAG_HEAD, rq->tenant.row.head);
    wire_put(frame, TAG_MAC, rq->tenant.row.mac);
    if (type == NULL)
        return true;
    if (!store_policy_find(rq->front->store, rq->tenant.row.name, type, &rq->a, &policy, &found, e))
        return false;
    if (found && policy.jws.n > 0)
        wire_put(frame, TAG_POLICY_JWS, policy.jws);
    return true;
}

bool tenant_changed(struct request *rq)
{
    struct err e = { .code = ERR_NONE };
    struct store_provider now;
    bool found = false;

    return !rq->tenant.shared && rq->tenant.row.name != NULL
        && store_provider_find(rq->front->store, rq->tenant.row.name, &rq->a, &now, &found, &e)
        && (!found || !bytes_equal(now.head, rq->tenant.row.head));
}
