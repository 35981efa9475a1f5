/* service.h: a real service for a test: its own state folder, a free port, started and stopped here. */
#ifndef AVOUCH_TESTS_API_SERVICE_H
#define AVOUCH_TESTS_API_SERVICE_H

#include "testing.h"

#include "codec/json.h"

#include <sys/types.h>

struct service {
    struct arena a;
    pid_t pid;
    char state[64];      /* folder below /tmp; removed at the end */
    char url[64];        /* https://localhost:PORT */
    char ca[96];
    int port;
    const char *const *arguments;
    const char *client_cert, *client_key; /* PEM files that calls show; NULL: none */
};

/* `config` is INI text without service.listen and service.state; waits until the service says that it is ready. */
void service_start(struct service *s, const char *config, const char *const *arguments);
/* After the process ended: the same configuration and state again. */
void service_start_again(struct service *s);
/* Ends the service and starts it on the same state folder, with another configuration; the port is a new one. */
void service_restart(struct service *s, const char *config, const char *const *arguments);
/* Process of this name that the service has started; 0: there is none now. */
pid_t service_child(struct service *s, const char *name);
/* Children of a process, at most `max`; how many. */
size_t process_children(pid_t parent, pid_t *ret, size_t max);
/* SIGTERM; the exit status of avouchd. */
int service_stop(struct service *s);

struct answer {
    long status;
    struct bytes body;      /* with a NUL behind it */
    struct bytes headers;   /* as received, one a line */
    const struct json *json;/* NULL: the body is no JSON */
};
/* `headers` is a NULL-terminated list of "Name: value", may be NULL. */
struct answer service_call(struct service *s, const char *method, const char *path, const char *const *headers, struct bytes body);
/* The same to another host name of the service, which resolves to it. */
struct answer service_call_host(struct service *s, const char *host, const char *method, const char *path, const char *const *headers,
                                struct bytes body);
/* Whether a new connection is served with the certificate that lies in the state folder now. */
bool service_shows_certificate(struct service *s);
/* Value of a response header, or NULL; owned by the service's arena. */
const char *answer_header(struct service *s, const struct answer *a, const char *name);
/* error.code of a refusal. */
const char *answer_code(struct service *s, const struct answer *a);
/* error.message */
const char *answer_message(struct service *s, const struct answer *a);

/* Payload or header of a compact JWS. */
const struct json *token_part(struct arena *a, struct bytes token, int part);

/* What the command printed on stdout, and its exit status; argv[0] is a program of the build folder. */
struct bytes run_program(struct arena *a, const char *const *argv, int *ret_status);
const char *program_path(struct arena *a, const char *name);

#endif
