/* cli.h: the operator's tool: what its commands share. Each command is `int cmd_NAME(int argc, char **argv)`
 * with argv[0] the command's own name; the result is the exit status. */
#ifndef AVOUCH_CLI_CLI_H
#define AVOUCH_CLI_CLI_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

enum exit_status {
    EXIT_VALID = 0,     /* also permitted, accepted */
    EXIT_REFUSED = 1,   /* also denied, errors */
    EXIT_USAGE = 2,
    EXIT_UNDECIDED = 3,
};

int cmd_verify(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_token(int argc, char **argv);
int cmd_attest(int argc, char **argv);
int cmd_eventlog(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_jmespath(int argc, char **argv);
int cmd_admin(int argc, char **argv);
int cmd_collateral(int argc, char **argv);

/* Message on stderr, then the status for wrong usage. */
int cli_usage(const char *text);
/* "avouch: what: why" and the hint on stderr; the status that belongs to the kind of error. */
int cli_error(const struct err *e);
/* REFUSED or UNDECIDED. */
int cli_status(const struct err *e);
/* File of at most 64 MiB, "-" is standard input; EXIT_USAGE problems are told on stderr. */
bool cli_read(const char *path, struct arena *a, struct bytes *ret) CHECKED;
void cli_print(struct bytes b);
/* For people: controls of ASCII and C1 as '?'. Tokens, evidence and services are strangers, and a terminal obeys. */
const char *cli_clean(struct bytes text, struct arena *a);
/* One line, as JSON documents are written. */
void cli_print_line(struct bytes b);
/* {"code","message","hint"} */
struct bytes cli_error_json(const struct err *e, struct arena *a);
/* RFC 3339, or now where text is NULL; false after a message. */
bool cli_time(const char *text, int64_t *ret) CHECKED;

/* -- http.c: requests to a service -- */
struct http_answer {
    long status;
    struct bytes body;
    long retry_after;
};
/* `ca` may be NULL (the system's), `body` is sent as JSON where not empty. */
bool cli_http(const char *method, const char *url, const char *ca, struct bytes body, struct arena *a, struct http_answer *ret,
              struct err *e) CHECKED;

#endif
