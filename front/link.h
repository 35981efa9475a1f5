/* link.h: a connection to the collateral process: made when it is needed, made again after it was lost. */
#ifndef AVOUCH_FRONT_LINK_H
#define AVOUCH_FRONT_LINK_H

#include "front/front.h"

#include "os/channel.h"

#define LINK_SECOND_US ((uint64_t)1000000)

struct link {
    struct channel c;
    char path[108];
    uint64_t retry_us; /* not connected again before */
    int64_t wait_s;    /* of a request, for an answer */
};

/* Nothing is connected yet. */
bool link_open(struct link *l, const struct front *f, const char *what, struct err *e) CHECKED;
bool link_connected(struct link *l);
/* Whoever calls it has questions under way that get no answer any more. */
void link_lost(struct link *l);
struct pollfd link_poll(const struct link *l);
/* Hands every frame that is there to on_frame. false: the link is lost. */
bool link_serve(struct front *f, struct link *l, const struct pollfd *p,
                void (*on_frame)(struct front *f, const struct wire_header *h, struct bytes payload)) CHECKED;
/* Until the first of the deadlines of those who wait (UINT64_MAX: nobody does), or until it is time to connect again. */
int link_timeout_ms(const struct link *l, uint64_t deadline_us, uint64_t now_us);

#endif
