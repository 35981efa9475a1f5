/* limit.c: token buckets: requests a second of an address and of a provider. Each front has its share of the
 * configured rates, since connections spread over the fronts. */
#include "front/front.h"

#include "base/memo.h"
#include "crypto/hash.h"
#include "os/io.h"

#include <arpa/inet.h>
#include <stdlib.h>

struct bucket {
    double tokens;
    uint64_t at_us;
};

static bool take(struct front *f, const void *tag, const char *name, int64_t rate)
{
    double share = (double)rate / (double)f->link_count, most = share < 1 ? 1 : share;
    struct digest key = sha256(bytes_str(name == NULL ? "" : name));
    struct bucket *b = memo_find(f->buckets, tag, key.p);
    uint64_t now = clock_monotonic_us();

    if (b == NULL) {
        b = malloc(sizeof(*b));
        if (b == NULL)
            return true;
        *b = (struct bucket){ .tokens = most, .at_us = now };
        if (!memo_put(f->buckets, tag, key.p, b, free))
            return true;
    }
    b->tokens += share * (double)(now - b->at_us) / 1e6;
    b->at_us = now;
    if (b->tokens > most)
        b->tokens = most;
    if (b->tokens < 1)
        return false;
    b->tokens -= 1;
    return true;
}

/* Hosts are compared without case: a provider has one bucket, however it is called. */
static const char *lower_host(struct request *rq)
{
    char *host = arena_str(&rq->a, rq->host);

    for (char *c = host; c != NULL && *c != 0; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return host;
}

/* Who has an IPv6 address has a network of at least 64 bits of them (RFC 6177): all of these have one bucket. */
static const char *network_of(struct request *rq)
{
    const char *address = http_client_address(rq);
    struct in6_addr a;
    char text[INET6_ADDRSTRLEN];

    if (inet_pton(AF_INET6, address, &a) != 1 || IN6_IS_ADDR_V4MAPPED(&a))
        return address;
    memset(a.s6_addr + 8, 0, 8);
    return inet_ntop(AF_INET6, &a, text, sizeof(text)) == NULL ? address : arena_str(&rq->a, bytes_str(text));
}

static bool refuse(struct request *rq, const char *what, int64_t rate)
{
    struct err e = { .code = ERR_NONE };

    (void)err_set(&e, ERR_TOO_MANY, what, "sends more than %lld requests a second", (long long)rate);
    rq->retry_after = 1;
    reply_error(rq, &e);
    return false;
}

bool limit_take(struct request *rq)
{
    static const char by_address, by_host;
    struct front *f = rq->front;

    if (f->rate == 0 && f->tenant_rate == 0)
        return true;
    if (f->buckets == NULL)
        f->buckets = memo_new(65536);
    if (f->buckets == NULL)
        return true;
    if (f->rate > 0 && !take(f, &by_address, network_of(rq), f->rate))
        return refuse(rq, "address", f->rate);
    if (f->tenant_rate > 0 && !take(f, &by_host, lower_host(rq), f->tenant_rate))
        return refuse(rq, "provider", f->tenant_rate);
    return true;
}
