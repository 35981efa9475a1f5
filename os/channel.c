/* channel.c: see channel.h. */
#include "os/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_STEP ((size_t)256 << 10)

struct channel channel_open(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0)
        (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    return (struct channel){ .fd = fd };
}

void channel_close(struct channel *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->in);
    free(c->out);
    *c = (struct channel){ .fd = -1 };
}

static bool room(uint8_t **p, size_t *cap, size_t need)
{
    uint8_t *bigger;
    size_t n = *cap == 0 ? 65536 : *cap;

    if (need <= *cap)
        return true;
    while (n < need)
        n *= 2;
    bigger = realloc(*p, n);
    if (bigger == NULL)
        return false;
    *p = bigger;
    *cap = n;
    return true;
}

bool channel_fill(struct channel *c)
{
    ssize_t n;

    if (c->fd < 0)
        return false;
    if (c->in_at > 0) {
        memmove(c->in, c->in + c->in_at, c->in_n - c->in_at);
        c->in_n -= c->in_at;
        c->in_at = 0;
    }
    if (c->in_n > WIRE_HEADER_SIZE + WIRE_MAX_PAYLOAD || !room(&c->in, &c->in_cap, c->in_n + READ_STEP))
        return false;
    n = recv(c->fd, c->in + c->in_n, READ_STEP, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    c->in_n += (size_t)n;
    return n > 0 && !channel_broken(c);
}

bool channel_broken(const struct channel *c)
{
    struct wire_header h;

    return c->in_n - c->in_at >= WIRE_HEADER_SIZE && !wire_header_parse(bytes_of(c->in + c->in_at, WIRE_HEADER_SIZE), &h);
}

bool channel_next(struct channel *c, struct wire_header *ret, struct bytes *ret_payload)
{
    if (c->in_n - c->in_at < WIRE_HEADER_SIZE || !wire_header_parse(bytes_of(c->in + c->in_at, WIRE_HEADER_SIZE), ret)
        || c->in_n - c->in_at - WIRE_HEADER_SIZE < ret->size)
        return false;
    *ret_payload = bytes_of(c->in + c->in_at + WIRE_HEADER_SIZE, ret->size);
    c->in_at += WIRE_HEADER_SIZE + ret->size;
    return true;
}

bool channel_flush(struct channel *c)
{
    while (c->fd >= 0 && channel_wants_write(c)) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_n - c->out_at, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        c->out_at += (size_t)n;
    }
    if (!channel_wants_write(c))
        c->out_n = c->out_at = 0;
    return c->fd >= 0;
}

bool channel_send(struct channel *c, struct bytes frame)
{
    if (c->fd < 0 || frame.p == NULL)
        return false;
    if (c->out_at > 0) {
        memmove(c->out, c->out + c->out_at, c->out_n - c->out_at);
        c->out_n -= c->out_at;
        c->out_at = 0;
    }
    if (!room(&c->out, &c->out_cap, c->out_n + frame.n))
        return false;
    memcpy(c->out + c->out_n, frame.p, frame.n);
    c->out_n += frame.n;
    return channel_flush(c);
}
