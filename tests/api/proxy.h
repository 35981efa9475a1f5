/* proxy.h: an HTTP proxy in the test process: relays to 127.0.0.1, by whole URLs and by CONNECT, counts what it is asked
 * for, and misbehaves on demand. */
#ifndef AVOUCH_TESTS_API_PROXY_H
#define AVOUCH_TESTS_API_PROXY_H

#include <stdbool.h>

enum proxy_mode {
    PROXY_WORKS,
    PROXY_REFUSES,     /* 403 */
    PROXY_WANTS_LOGIN, /* 407 */
    PROXY_DIES,        /* closes the connection when it has read the request */
    PROXY_DIES_LATER,  /* relays the first bytes of the answer, then closes */
};

struct proxy;

struct proxy *proxy_start(void);
void proxy_stop(struct proxy *p);
int proxy_port(const struct proxy *p);
void proxy_mode(struct proxy *p, enum proxy_mode mode); /* of connections from now on */
/* How many requests began with `start`: "CONNECT localhost:", "GET http://127.0.0.1:". */
unsigned proxy_count(struct proxy *p, const char *start);
/* Whether any request to the proxy itself bore this text: what is behind CONNECT is none of its business. */
bool proxy_saw(struct proxy *p, const char *text);

#endif
