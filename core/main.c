/* main.c: the key-holding process and its workers.
 *
 * The root process unseals the keys, closes its sandbox and forks one worker a listening socket; all share
 * the keys by inheritance. It reads nothing from outside; a worker that dies is replaced. A worker accepts
 * connections of fronts and answers each message once. */
#include "core/core.h"

#include "codec/stamp.h"
#include "os/channel.h"
#include "os/config.h"
#include "os/io.h"
#include "os/sandbox.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORKERS = 64, MAX_FRONTS = 128 };

static volatile sig_atomic_t stopping;

static void on_stop(int sig)
{
    (void)sig;
    stopping = 1;
}

/* -- start -- */

static bool load_trust(const char *folder, struct arena *a, struct trust *ret, struct err *e)
{
    const struct named_bytes *files;
    size_t count;

    return folder_read(folder, TRUST_MAX_FILE, a, &files, &count, e) && trust_add(ret, files, count, a, e);
}

/* Sealing key and sealed set, made at the first start. The file back end: whoever reads the folder has the keys. */
static bool load_keys(const char *state, struct arena *a, struct key_set *ret, struct err *e)
{
    const char *seal_path = arena_printf(a, "%s/core/sealing.key", state), *sealed_path = arena_printf(a, "%s/core/keys.sealed", state);
    struct bytes seal, sealed;
    uint8_t fresh[32];

    if (seal_path == NULL || sealed_path == NULL || !folder_make(arena_printf(a, "%s/core", state), 0700, e))
        return false;
    if (access(sealed_path, F_OK) == 0)
        return file_read(seal_path, 64, a, &seal, e) && file_read(sealed_path, 64 << 10, a, &sealed, e)
            && keys_unseal(sealed, seal, ret, e);
    random_bytes(fresh, sizeof(fresh));
    if (!keys_make(ret, e) || !file_write(seal_path, BYTES(fresh), 0600, e))
        return false;
    sealed = keys_seal(ret, BYTES(fresh), a);
    return sealed.p == NULL ? err_memory(e, "signing keys") : file_write(sealed_path, sealed, 0600, e);
}

static bool core_open(const struct config *cf, struct arena *a, struct core *c, struct err *e)
{
    int64_t t;

    crypto_warm_up();
    c->dev = cf->dev;
    c->probe = cf->dev && strcmp(cf->value[CONFIG_dev_probe], "yes") == 0;
    if (cf->dev && cf->value[CONFIG_dev_clock][0] != 0) {
        if (!stamp_parse(bytes_str(cf->value[CONFIG_dev_clock]), &t))
            return err_set(e, ERR_USAGE, "configuration", "'dev.clock' is not a time of the form YYYY-MM-DDThh:mm:ssZ");
        c->clock_offset = t - clock_now();
    }
    if (cf->value[CONFIG_verify_trust][0] != 0 && !load_trust(cf->value[CONFIG_verify_trust], a, &c->trust, e))
        return false;
    return load_keys(cf->value[CONFIG_service_state], a, &c->keys, e)
        && self_evidence(c->keys.rsa.binding, a, &c->self[0], e) && self_evidence(c->keys.p256.binding, a, &c->self[1], e)
        && self_evidence(c->keys.p384.binding, a, &c->self[2], e);
}

/* Every kind of operation once, so that libcrypto has read and fetched whatever it will need. */
static bool warm_up(struct core *c, struct err *e)
{
    static const enum sig_alg signs[] = { SIG_RS256, SIG_PS256, SIG_ES256, SIG_ES384 };
    struct arena a;
    bool ok = true;

    arena_init(&a, 1 << 20);
    for (size_t i = 0; ok && i < COUNT(signs); i++) {
        struct signing_key *k = keys_for(&c->keys, signs[i]);
        struct key *pub = NULL;
        struct bytes sig;

        ok = keys_sign(k, signs[i], LIT("warm"), &a, &sig, e) && key_from_spki(k->spki, "self test", &pub, e);
        if (ok && !key_verify(pub, signs[i], SIG_RAW, LIT("warm"), sig))
            ok = err_set(e, ERR_INTERNAL, "self test", "own %s signature does not verify", sig_alg_name(signs[i]));
        key_free(pub);
    }
    arena_done(&a);
    return ok;
}

/* -- a worker -- */

struct worker {
    struct core *core;
    int listener;
    struct channel fronts[MAX_FRONTS];
    size_t count;
    struct arena a;
};

/* Only who runs the service may ask: in the namespace of this process that is user 0, whatever the number outside, and
 * nobody else has a number here (os/sandbox.c). The folder's mode says the same; modes can be changed by mistake. */
static bool is_ours(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && n == sizeof(peer) && peer.uid == 0;
}

static void accept_front(struct worker *w)
{
    int fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    if (w->count == MAX_FRONTS || !is_ours(fd)) {
        close(fd);
        return;
    }
    w->fronts[w->count++] = (struct channel){ .fd = fd };
}

static bool answer(struct worker *w, struct channel *c, const struct wire_header *h, struct bytes payload)
{
    struct bytes frame;

    arena_reset(&w->a, CORE_REQUEST_BUDGET);
    return core_dispatch(w->core, h, payload, clock_now() + w->core->clock_offset, &w->a, &frame) && channel_send(c, frame);
}

/* A front that does not take its answers gets no new ones: its requests wait in the socket. */
static bool serve(struct worker *w, struct channel *c, short events)
{
    struct wire_header h;
    struct bytes payload;

    if ((events & POLLOUT) != 0 && !channel_flush(c))
        return false;
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && !channel_wants_write(c) && !channel_fill(c))
        return false;
    while (!channel_wants_write(c) && channel_next(c, &h, &payload))
        if (!answer(w, c, &h, payload))
            return false;
    return true;
}

static void worker_loop(struct worker *w)
{
    struct pollfd p[MAX_FRONTS + 1];

    for (;;) {
        size_t n = w->count;

        p[0] = (struct pollfd){ .fd = w->listener, .events = POLLIN };
        for (size_t i = 0; i < n; i++)
            p[i + 1] = (struct pollfd){ .fd = w->fronts[i].fd, .events = channel_wants_write(&w->fronts[i]) ? POLLOUT : POLLIN };
        if (poll(p, n + 1, -1) < 0)
            continue;
        for (size_t i = n; i-- > 0;)
            if (p[i + 1].revents != 0 && !serve(w, &w->fronts[i], p[i + 1].revents)) {
                channel_close(&w->fronts[i]);
                w->fronts[i] = w->fronts[--w->count];
            }
        if (p[0].revents != 0)
            accept_front(w);
    }
}

static void worker_main(struct core *c, int listener)
{
    static struct worker w;
    struct err e = { .code = ERR_NONE };

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGTERM, SIG_IGN); /* the root process ends us once the fronts are gone */
    (void)signal(SIGINT, SIG_IGN);
    w.core = c;
    w.listener = listener;
    c->memo = memo_new(8192);
    c->items = memo_new(4096);
    c->policies = memo_new(4096);
    c->seen = memo_new(65536);
    arena_init(&c->replay_arena, (size_t)8 << 20);
    c->replay = tpm_replay_open(&c->replay_arena, 65536);
    arena_init(&w.a, CORE_REQUEST_BUDGET);
    if (c->memo == NULL || c->items == NULL || c->policies == NULL || c->seen == NULL || c->replay == NULL || !sandbox_enter(SANDBOX_CORE, NULL, &e)) {
        log_error("core", &e);
        _exit(1);
    }
    memo_limit(c->policies, CORE_POLICY_MEMORY);
    worker_loop(&w);
}

/* -- the root -- */

static pid_t start_worker(struct core *c, const int *listeners, size_t count, size_t which)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    for (size_t i = 0; i < count; i++)
        if (i != which)
            close(listeners[i]);
    worker_main(c, listeners[which]);
    _exit(1);
}

/* Only processes of ours: a worker that could not be forked has no number, and -1 means every process. */
static int end_workers(const pid_t *pids, size_t count, int status)
{
    for (size_t i = 0; i < count; i++)
        if (pids[i] > 0)
            (void)kill(pids[i], SIGKILL);
    return status;
}

static bool started(pid_t pid)
{
    if (pid < 0)
        log_line("error", "core", "a worker could not be forked; the service ends", "");
    return pid > 0;
}

/* Replaces what died; a worker that dies at once again and again ends the service for its manager to see. */
static int keep_workers(struct core *c, const int *listeners, size_t count)
{
    pid_t pids[MAX_WORKERS];
    unsigned deaths = 0;
    int64_t first_death = 0;

    for (size_t i = 0; i < count; i++) {
        pids[i] = start_worker(c, listeners, count, i);
        if (!started(pids[i]))
            return end_workers(pids, i, 1);
    }
    while (!stopping) {
        int status;
        pid_t dead = waitpid(-1, &status, 0);

        for (size_t i = 0; dead > 0 && i < count; i++) {
            char text[80];

            if (pids[i] != dead)
                continue;
            pids[i] = 0; /* the number may be another's from now on */
            if (deaths++ == 0 || clock_now() - first_death > 60) {
                first_death = clock_now();
                deaths = 1;
            }
            snprintf(text, sizeof(text), "worker %zu ended with %s %d; it is replaced", i, WIFSIGNALED(status) ? "signal" : "status",
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            log_line("error", "core", text, "");
            if (deaths > 64)
                return end_workers(pids, count, 1);
            pids[i] = start_worker(c, listeners, count, i);
            if (!started(pids[i]))
                return end_workers(pids, count, 1);
        }
    }
    return end_workers(pids, count, 0);
}

/* avouch-core CONFIG-FD READY-FD LISTENER-FD... */
int main(int argc, char **argv)
{
    static struct core c;
    struct arena a;
    struct config cf;
    struct bytes text;
    struct err e = { .code = ERR_NONE };
    struct sigaction stop = { .sa_handler = on_stop };
    int listeners[MAX_WORKERS];
    size_t count = 0;

    if (argc < 4 || argc - 3 > MAX_WORKERS) {
        fputs("avouch-core is started by avouchd\n", stderr);
        return 2;
    }
    arena_init(&a, (size_t)16 << 20);
    for (int i = 3; i < argc; i++)
        listeners[count++] = atoi(argv[i]);
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGINT, &stop, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (!file_read(arena_printf(&a, "/proc/self/fd/%d", atoi(argv[1])), 1 << 20, &a, &text, &e)
        || !config_parse(text, &a, &cf, &e) || !core_open(&cf, &a, &c, &e) || !warm_up(&c, &e)
        || !sandbox_enter(SANDBOX_CORE_ROOT, NULL, &e)) {
        log_error("core", &e);
        return 1;
    }
    (void)!write(atoi(argv[2]), "1", 1); /* the parent waits for it before it starts the fronts */
    close(atoi(argv[2]));
    return keep_workers(&c, listeners, count);
}
