/* dispatch.c: which message, who handles it. Everything else ends the connection. */
#include "core/core.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

typedef bool handler(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e);

static bool ping(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e)
{
    (void)c, (void)f, (void)now, (void)a, (void)answer, (void)e;
    return true;
}

/* Tries a system call that the sandbox forbids. Coming back at all means that the wall is missing. */
static bool probe(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e)
{
    static const char *const argv[] = { "/bin/true", NULL };
    struct bytes name = { NULL, 0 };

    (void)now, (void)a, (void)answer;
    if (!c->probe || !wire_find(f, TAG_PROBE, &name))
        return err_set(e, ERR_INTERNAL, "probe", "probes are switched off");
    if (bytes_is(name, "open"))
        (void)!open("/etc/passwd", O_RDONLY);
    else if (bytes_is(name, "socket"))
        (void)!socket(AF_INET, SOCK_STREAM, 0);
    else if (bytes_is(name, "execve"))
        (void)!execve(argv[0], (char *const *)(uintptr_t)argv, NULL);
    else if (bytes_is(name, "ptrace"))
        (void)!ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    else
        return err_set(e, ERR_INTERNAL, "probe", "no such probe");
    return err_set(e, ERR_INTERNAL, "probe", "the system call came back: %s", errno == 0 ? "done" : "refused by other means");
}

/* Whatever was stored must be readable: what reads and what changes takes the largest head and the largest
 * stored policy beside its own body. */
static const struct {
    enum wire_message message;
    size_t max; /* of the payload: larger ones are answered with ERR_TOO_LARGE */
    handler *act;
} table[] = {
    { MSG_PING, 0, ping },
    { MSG_ATTEST, WIRE_MAX_PAYLOAD, core_attest },
    { MSG_CERTS, 8 << 10, core_certs },
    { MSG_PROVIDER_NEW, 1 << 20, core_provider_new },
    { MSG_POLICY_GET, 8 << 20, core_policy_get },
    { MSG_POLICY_SET, 8 << 20, core_policy_set },
    { MSG_POLICY_ROLLBACK, 8 << 20, core_policy_rollback },
    { MSG_POLICY_RESET, 8 << 20, core_policy_reset },
    { MSG_SIGNERS_GET, 4 << 20, core_signers_get },
    { MSG_SIGNERS_CHANGE, 2 << 20, core_signers_change },
    { MSG_ADMIN_TOKEN, 16 << 10, core_admin_token },
    { MSG_PROBE, 256, probe },
};

bool core_dispatch(struct core *c, const struct wire_header *h, struct bytes payload, int64_t now, struct arena *a,
                   struct bytes *ret_frame)
{
    for (size_t i = 0; i < COUNT(table); i++) {
        struct wire_fields f;
        struct err e = { .code = ERR_NONE };
        struct out answer;

        if (table[i].message != h->message)
            continue;
        if (!wire_fields_parse(payload, a, &f, &e))
            return false;
        answer = wire_begin(a, MSG_ANSWER, h->id);
        if (payload.n > table[i].max)
            (void)err_set(&e, ERR_TOO_LARGE, "request", "has %zu bytes with what is stored, at most %zu are accepted", payload.n, table[i].max);
        if (e.code != ERR_NONE || !table[i].act(c, &f, now, a, &answer, &e))
            wire_put_error(&answer, &e);
        *ret_frame = wire_end(&answer);
        if (ret_frame->p != NULL)
            return true;
        /* the budget is used up: say so from a fresh one */
        arena_reset(a, CORE_REQUEST_BUDGET);
        answer = wire_begin(a, MSG_ANSWER, h->id);
        e = (struct err){ .code = ERR_NONE };
        (void)err_memory(&e, "attestation");
        wire_put_error(&answer, &e);
        *ret_frame = wire_end(&answer);
        return ret_frame->p != NULL;
    }
    return false;
}
