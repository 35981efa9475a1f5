/* channel.h: framed messages over a stream socket that never blocks. */
#ifndef AVOUCH_OS_CHANNEL_H
#define AVOUCH_OS_CHANNEL_H

#include "wire/wire.h"

struct channel {
    int fd; /* -1: closed */
    uint8_t *in;
    size_t in_n, in_cap;
    size_t in_at; /* start of the first frame that was not taken yet */
    uint8_t *out;
    size_t out_n, out_cap, out_at;
};

struct channel channel_open(int fd); /* takes the descriptor over and makes it non-blocking */
void channel_close(struct channel *c);

/* Reads what is there. false: the peer is gone or breaks the protocol; close the channel. */
bool channel_fill(struct channel *c) CHECKED;
/* The next whole frame; views live until the next channel_fill(). false: none yet. */
bool channel_next(struct channel *c, struct wire_header *ret, struct bytes *ret_payload);
/* Whether a frame can never be completed (bad header). */
bool channel_broken(const struct channel *c);

/* Queues and tries to write. false: closed or out of memory. */
bool channel_send(struct channel *c, struct bytes frame) CHECKED;
bool channel_flush(struct channel *c) CHECKED;
static inline bool channel_wants_write(const struct channel *c)
{
    return c->out_n > c->out_at;
}

#endif
