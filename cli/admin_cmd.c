/* admin_cmd.c: avouch admin token: a bearer token of the local issuer, for who may reach the core's socket. */
#include "cli/cli.h"

#include "os/channel.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char help[] =
    "usage: avouch admin token --role ROLE[@SCOPE] ... [--subject NAME] [--lifetime SECONDS] [--state FOLDER]\n"
    "ROLE: Attestation Reader, Attestation Contributor, Reader, Contributor, Owner\n"
    "SCOPE: a provider's name, or /subscriptions/... ; without one the role holds everywhere\n";

static const struct option options[] = {
    { "role", required_argument, NULL, 'r' },     { "subject", required_argument, NULL, 's' },
    { "lifetime", required_argument, NULL, 'l' }, { "state", required_argument, NULL, 'd' }, { 0 },
};

/* One message to a core worker, one answer. */
static bool ask_core(const char *state, struct bytes frame, struct arena *a, struct wire_fields *ret, struct err *e)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    struct channel c;
    struct wire_header h;
    struct bytes payload;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (snprintf(at.sun_path, sizeof(at.sun_path), "%s/run/core-0.sock", state) >= (int)sizeof(at.sun_path))
        return err_set(e, ERR_USAGE, "state folder", "path is too long");
    if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof(at)) != 0) {
        (void)err_set(e, ERR_UNAVAILABLE, "core", "%s: %s; is avouchd running, and do you run as its user?", at.sun_path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    c = channel_open(fd);
    if (!channel_send(&c, frame)) {
        channel_close(&c);
        return err_set(e, ERR_UNAVAILABLE, "core", "does not take the message");
    }
    while (!channel_next(&c, &h, &payload)) {
        struct pollfd p = { .fd = c.fd, .events = (short)(POLLIN | (channel_wants_write(&c) ? POLLOUT : 0)) };

        if ((poll(&p, 1, -1) < 0 && errno != EINTR) || !channel_flush(&c) || ((p.revents & (POLLIN | POLLHUP)) != 0 && !channel_fill(&c))) {
            channel_close(&c);
            return err_set(e, ERR_UNAVAILABLE, "core", "ended the connection");
        }
    }
    payload = arena_copy(a, payload);
    channel_close(&c);
    return wire_fields_parse(payload, a, ret, e);
}

static int token(struct arena *a, const char *state, const char *subject, struct bytes roles, long lifetime)
{
    struct out frame = wire_begin(a, MSG_ADMIN_TOKEN, 1);
    struct wire_fields answer;
    struct bytes text;
    struct err e = { .code = ERR_NONE };

    wire_put(&frame, TAG_SUBJECT, bytes_str(subject));
    wire_put(&frame, TAG_ROLES, roles);
    wire_put(&frame, TAG_AUDIENCE, LIT("avouch"));
    wire_put_u32(&frame, TAG_LIFETIME, (uint32_t)lifetime);
    if (!ask_core(state, wire_end(&frame), a, &answer, &e) || wire_error(&answer, &e))
        return cli_error(&e);
    if (!wire_find(&answer, TAG_BODY, &text)) {
        (void)err_set(&e, ERR_INTERNAL, "core", "answer has no token");
        return cli_error(&e);
    }
    cli_print_line(text);
    return EXIT_VALID;
}

int cmd_admin(int argc, char **argv)
{
    const char *state = "/var/lib/avouch", *subject = "operator";
    struct arena a;
    struct jarr roles;
    long lifetime = 3600;
    int opt, status;

    if (argc < 2 || strcmp(argv[1], "token") != 0)
        return cli_usage(help);
    arena_init(&a, 16 << 20);
    roles = jarr_open(&a);
    while ((opt = getopt_long(argc - 1, argv + 1, "", options, NULL)) != -1) {
        switch (opt) {
        case 'r':
            jarr_str(&roles, bytes_str(optarg));
            break;
        case 's':
            subject = optarg;
            break;
        case 'l':
            lifetime = strtol(optarg, NULL, 10);
            break;
        case 'd':
            state = optarg;
            break;
        default:
            return cli_usage(help);
        }
    }
    if (optind != argc - 1 || !roles.any || lifetime < 1)
        return cli_usage(help);
    status = token(&a, state, subject, jarr_close(&roles), lifetime);
    arena_done(&a);
    return status;
}
