/* network.c: providers whose publicNetworkAccess is Disabled (rest-api section 3): which callers may still use them.
 *
 * The platform knows which calls come over a private endpoint; this service knows where a connection comes from. The
 * operator lists the networks that count as private (service.private_networks). */
#include "front/front.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_NETWORKS = 64 };

struct network {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;       /* of these 128 */
};

/* A zone ("fe80::1%eth0") says on which link an address is, not which one it is. */
static bool read_address(struct bytes text, uint8_t ret[16], bool *ret_v4)
{
    static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    const uint8_t *zone = text.n == 0 ? NULL : memchr(text.p, '%', text.n);
    char copy[64];

    if (zone != NULL)
        text.n = (size_t)(zone - text.p);
    if (text.n >= sizeof(copy))
        return false;
    snprintf(copy, sizeof(copy), "%.*s", (int)text.n, (const char *)text.p);
    if (inet_pton(AF_INET, copy, ret + 12) == 1)
        memcpy(ret, mapped, sizeof(mapped));
    else if (inet_pton(AF_INET6, copy, ret) != 1)
        return false;
    *ret_v4 = memcmp(ret, mapped, sizeof(mapped)) == 0;
    return true;
}

static bool bit_of(const uint8_t address[16], unsigned i)
{
    return (address[i / 8] >> (7 - i % 8) & 1) != 0;
}

/* "::/0" is all of IPv6, and says nothing of IPv4. */
static bool contains(const struct network *n, const uint8_t address[16], bool v4)
{
    if (v4 && n->bits < 96)
        return false;
    for (unsigned i = 0; i < n->bits; i++)
        if (bit_of(n->address, i) != bit_of(address, i))
            return false;
    return true;
}

/* "10.0.0.0/8", "fd00::/8", or one address. Bits behind the prefix are refused: who writes them means something else. */
static bool read_network(struct bytes text, struct network *ret)
{
    const uint8_t *slash = text.n == 0 ? NULL : memchr(text.p, '/', text.n);
    struct network n = { .bits = 128 };
    bool v4;

    if (!read_address(slash == NULL ? text : bytes_of(text.p, (size_t)(slash - text.p)), n.address, &v4))
        return false;
    if (slash != NULL) {
        struct bytes digits = bytes_part(text, (size_t)(slash - text.p) + 1, text.n);
        unsigned most = memchr(text.p, ':', text.n) == NULL ? 32 : 128, prefix = 0;

        if (digits.n == 0 || digits.n > 3)
            return false;
        for (size_t i = 0; i < digits.n; i++) {
            if (digits.p[i] < '0' || digits.p[i] > '9')
                return false;
            prefix = prefix * 10 + (unsigned)(digits.p[i] - '0');
        }
        if (prefix > most)
            return false;
        n.bits = 128 - most + prefix;
    }
    for (unsigned i = n.bits; i < 128; i++)
        if (bit_of(n.address, i))
            return false;
    *ret = n;
    return true;
}

static struct bytes trimmed(struct bytes b)
{
    while (b.n > 0 && b.p[0] == ' ')
        b = bytes_part(b, 1, b.n);
    while (b.n > 0 && b.p[b.n - 1] == ' ')
        b.n--;
    return b;
}

bool network_open(struct front *f, struct err *e)
{
    struct bytes left = trimmed(bytes_str(f->config.value[CONFIG_service_private_networks]));

    f->networks = arena_many(&f->own, MAX_NETWORKS, struct network);
    if (f->networks == NULL)
        return err_memory(e, "configuration");
    while (left.n > 0) {
        const uint8_t *comma = memchr(left.p, ',', left.n);
        size_t n = comma == NULL ? left.n : (size_t)(comma - left.p);
        struct bytes one = trimmed(bytes_part(left, 0, n));

        if (f->network_count == MAX_NETWORKS || !read_network(one, &f->networks[f->network_count]))
            return err_set(e, ERR_USAGE, "configuration",
                           "'service.private_networks' has '%.*s'; at most %d networks like 10.0.0.0/8 or fd00::/8 are expected, with commas "
                           "between and no bits behind the prefix", (int)(one.n > 60 ? 60 : one.n), (const char *)one.p, MAX_NETWORKS);
        f->network_count++;
        left = comma == NULL ? (struct bytes){ NULL, 0 } : bytes_part(left, n + 1, left.n);
    }
    return true;
}

static bool is_private(struct request *rq)
{
    uint8_t address[16];
    bool v4;

    if (!read_address(bytes_str(http_client_address(rq)), address, &v4))
        return false;
    for (size_t i = 0; i < rq->front->network_count; i++)
        if (contains(&rq->front->networks[i], address, v4))
            return true;
    return false;
}

bool network_check(struct request *rq)
{
    struct err e = { .code = ERR_NONE };

    if (rq->tenant.shared || rq->tenant.row.public_access || is_private(rq))
        return true;
    (void)err_set(&e, ERR_FORBIDDEN, "provider",
                  "publicNetworkAccess of '%s' is Disabled, and the address %s is in none of the networks that count as private here",
                  rq->tenant.row.name, http_client_address(rq));
    reply_error(rq, &e);
    return false;
}
