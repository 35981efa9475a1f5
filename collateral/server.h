/* server.h: questions of the fronts to the engine, over the framed channel (wire.h: MSG_FETCH, MSG_ISSUER_KEYS). */
#ifndef AVOUCH_COLLATERAL_SERVER_H
#define AVOUCH_COLLATERAL_SERVER_H

#include "collateral/engine.h"
#include "collateral/issuer.h"

struct server;

struct server *server_new(struct engine *x, struct issuers *issuers, int listener, unsigned max_wait_ms); /* NULL: no memory */
/* Descriptors to wait for; returns how many. `room` is at least SERVER_MAX_CLIENTS + 1. */
enum { SERVER_MAX_CLIENTS = 144 /* two links of each front, and tools */ };
unsigned server_poll(struct server *s, struct curl_waitfd *p);
void server_serve(struct server *s, const struct curl_waitfd *p, unsigned n);

#endif
