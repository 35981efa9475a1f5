/* issuer_server.h: an issuer in the test process: gives what the test says for each path, and counts. */
#ifndef AVOUCH_TESTS_API_ISSUER_SERVER_H
#define AVOUCH_TESTS_API_ISSUER_SERVER_H

#include "testing.h"

struct issuer_server;

/* `port` 0: any. `tls_folder` NULL: plain HTTP; else cert.pem and key.pem of that folder. */
struct issuer_server *issuer_server_start(int port, const char *tls_folder);
void issuer_server_stop(struct issuer_server *s);
int issuer_server_port(const struct issuer_server *s);
/* From now on; the body is copied. `header` is "Name: value" or NULL. */
void issuer_server_give(struct issuer_server *s, const char *path, unsigned status, struct bytes body, const char *header);
unsigned issuer_server_count(struct issuer_server *s, const char *path);
/* Nobody gets an answer until false is given. */
void issuer_server_hold(struct issuer_server *s, bool hold);

#endif
