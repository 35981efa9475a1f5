/* main.c: avouchd, the parent: configuration, listeners, children, signals. It parses no foreign bytes. */
#include "os/config.h"
#include "os/io.h"
#include "os/spawn.h"
#include "os/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_CHILDREN = 65, MAX_WORKERS = 64 };

struct child {
    pid_t pid;
    unsigned deaths;     /* within the last minute */
    int64_t first_death;
    int64_t not_before;  /* back-off: seconds of the wall clock */
};

struct service {
    struct arena a;
    struct config config;
    int workers;
    int config_fd, listener, metrics_listener, metrics_memory;
    int core_sockets[MAX_WORKERS];
    int collateral_socket;
    struct child core, collateral, fronts[MAX_WORKERS];
    const char *core_program, *front_program, *collateral_program;
};

static volatile sig_atomic_t want_stop, want_reload, want_wake;

static void on_signal(int sig)
{
    if (sig == SIGHUP)
        want_reload = 1;
    else if (sig == SIGCHLD)
        want_wake = 1;
    else
        want_stop = 1;
}

/* -- start -- */

/* What nobody could be authenticated with; the processes that use it look at every byte. */
static bool check_issuers(const struct config *c, struct err *e)
{
    const char *issuer = c->value[CONFIG_auth_issuer], *file = c->value[CONFIG_auth_jwks];

    if (issuer[0] == 0)
        return file[0] == 0
            || err_set(e, ERR_USAGE, "configuration", "'auth.jwks' is '%s' but 'auth.issuer' is empty: whose keys they are must be said", file);
    return file[0] != 0 || strncmp(issuer, "https://", 8) == 0 || (c->dev && strncmp(issuer, "http://", 7) == 0)
        || err_set(e, ERR_USAGE, "configuration",
                   "'auth.issuer' is '%s': its keys can be found below an https:// address only; else name a file of them (auth.jwks)", issuer);
}

static bool read_config(struct service *s, const char *path, bool dev, const char *state, struct err *e)
{
    struct bytes text = { NULL, 0 };
    const char *trust, *collateral;

    if (path != NULL && !file_read(path, 1 << 20, &s->a, &text, e))
        return false;
    if (!config_parse(text, &s->a, &s->config, e))
        return false;
    s->config.dev = dev;
    if (state != NULL)
        s->config.value[CONFIG_service_state] = state;
    if (!check_issuers(&s->config, e))
        return false;
    if (!dev) {
        if (s->config.value[CONFIG_verify_trust][0] != 0 || s->config.value[CONFIG_dev_clock][0] != 0
            || strcmp(s->config.value[CONFIG_dev_probe], "no") != 0)
            return err_set(e, ERR_USAGE, "configuration",
                           "'verify.trust' and the keys of section dev need --dev: outside it only the vendors' roots are trusted");
        return true;
    }
    /* what the sample generator left below the state folder is trusted in --dev */
    trust = arena_printf(&s->a, "%s/dev/trust", s->config.value[CONFIG_service_state]);
    collateral = arena_printf(&s->a, "%s/dev/collateral", s->config.value[CONFIG_service_state]);
    if (s->config.value[CONFIG_verify_trust][0] == 0 && access(trust, R_OK) == 0)
        s->config.value[CONFIG_verify_trust] = trust;
    if (s->config.value[CONFIG_collateral_directory][0] == 0 && access(collateral, R_OK) == 0)
        s->config.value[CONFIG_collateral_directory] = collateral;
    return true;
}

static bool check_workers(struct service *s, struct err *e)
{
    int64_t n;

    if (!config_number(&s->config, CONFIG_service_workers, 0, MAX_WORKERS, &n, e))
        return false;
    if (n == 0)
        n = sysconf(_SC_NPROCESSORS_ONLN);
    s->workers = n < 1 ? 1 : n > MAX_WORKERS ? MAX_WORKERS : (int)n;
    return true;
}

static bool prepare_state(struct service *s, struct err *e)
{
    const char *state = s->config.value[CONFIG_service_state];
    static const char *const folders[] = { "", "/run", "/tls" };

    for (size_t i = 0; i < COUNT(folders); i++)
        if (!folder_make(arena_printf(&s->a, "%s%s", state, folders[i]), 0700, e))
            return false;
    if (s->config.value[CONFIG_tls_certificate][0] != 0)
        return true;
    return tls_make_development(arena_printf(&s->a, "%s/tls/cert.pem", state), arena_printf(&s->a, "%s/tls/key.pem", state), e);
}

/* The page in which all fronts count, and the listener that shows it. */
static bool open_metrics(struct service *s, struct err *e)
{
    static const uint8_t page[MAX_WORKERS << 14];
    const char *address = s->config.value[CONFIG_metrics_listen];

    s->metrics_listener = -1;
    return memory_file("avouch-metrics", bytes_of(page, sizeof(page)), &s->metrics_memory, e)
        && (address[0] == 0 || listen_tcp(address, &s->metrics_listener, e));
}

static bool open_sockets(struct service *s, struct err *e)
{
    for (int i = 0; i < s->workers; i++)
        if (!listen_unix(arena_printf(&s->a, "%s/run/core-%d.sock", s->config.value[CONFIG_service_state], i), &s->core_sockets[i], e))
            return false;
    return open_metrics(s, e) && listen_unix(arena_printf(&s->a, "%s/run/collateral.sock", s->config.value[CONFIG_service_state]), &s->collateral_socket, e)
        && listen_tcp(s->config.value[CONFIG_service_listen], &s->listener, e)
        && listen_address(s->listener, &s->a, &s->config.value[CONFIG_service_listen], e)
        && file_write(arena_printf(&s->a, "%s/run/address", s->config.value[CONFIG_service_state]),
                      bytes_str(s->config.value[CONFIG_service_listen]), 0644, e)
        && memory_file("avouch-config", config_print(&s->config, &s->a), &s->config_fd, e);
}

static const char *number(struct arena *a, int v)
{
    return arena_printf(a, "%d", v);
}

/* Waits until the core has its keys and its walls: a front that starts earlier would find no answer. */
static bool start_core(struct service *s, struct err *e)
{
    const char *argv[MAX_WORKERS + 4] = { s->core_program };
    int fds[MAX_WORKERS + 2], ready[2], n = 0;
    char byte;
    ssize_t got;

    if (pipe(ready) != 0)
        return err_set(e, ERR_INTERNAL, "core", "pipe: %s", strerror(errno));
    fds[n++] = s->config_fd;
    fds[n++] = ready[1];
    for (int i = 0; i < s->workers; i++)
        fds[n++] = s->core_sockets[i];
    for (int i = 0; i < n; i++)
        argv[i + 1] = number(&s->a, fds[i]);
    if (!spawn(s->core_program, argv, fds, (size_t)n, &s->core.pid, e))
        return false;
    close(ready[1]);
    do
        got = read(ready[0], &byte, 1);
    while (got < 0 && errno == EINTR && !want_stop);
    close(ready[0]);
    return got == 1 || err_set(e, ERR_INTERNAL, "core", "did not start; its reason stands above");
}

static bool start_front(struct service *s, int which, struct err *e)
{
    bool serves_metrics = which == 0 && s->metrics_listener >= 0;
    const char *argv[] = { s->front_program, number(&s->a, s->config_fd), number(&s->a, s->listener),
                           number(&s->a, serves_metrics ? s->metrics_listener : -1), number(&s->a, s->metrics_memory), number(&s->a, which),
                           number(&s->a, s->workers), NULL };
    const int fds[] = { s->config_fd, s->listener, s->metrics_memory, s->metrics_listener };

    return spawn(s->front_program, argv, fds, serves_metrics ? 4 : 3, &s->fronts[which].pid, e);
}

/* Nobody waits for it: what it has cached it says when it is asked. */
static bool start_collateral(struct service *s, struct err *e)
{
    const char *argv[] = { s->collateral_program, number(&s->a, s->config_fd), number(&s->a, s->collateral_socket), NULL };
    const int fds[] = { s->config_fd, s->collateral_socket };

    return spawn(s->collateral_program, argv, fds, COUNT(fds), &s->collateral.pid, e);
}

/* -- running -- */

/* Doubles from nothing to 32 seconds while a child keeps dying within a minute. */
static void count_death(struct child *c)
{
    int64_t now = clock_now();

    c->pid = 0;
    if (now - c->first_death > 60) {
        c->first_death = now;
        c->deaths = 0;
    }
    c->not_before = c->deaths == 0 ? now : now + (1 << (c->deaths < 5 ? c->deaths : 5));
    c->deaths++;
}

static void reap(struct service *s)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        char text[96];
        const char *who = pid == s->core.pid ? "core" : pid == s->collateral.pid ? "collateral" : "front";

        snprintf(text, sizeof(text), "%s ended with %s %d", who, WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        if (!want_stop)
            log_line("error", "avouchd", text, "");
        if (pid == s->core.pid)
            count_death(&s->core);
        if (pid == s->collateral.pid)
            count_death(&s->collateral);
        for (int i = 0; i < s->workers; i++)
            if (s->fronts[i].pid == pid)
                count_death(&s->fronts[i]);
    }
}

static void restart(struct service *s)
{
    struct err e = { .code = ERR_NONE };

    if (s->core.pid == 0 && clock_now() >= s->core.not_before && !start_core(s, &e)) {
        log_error("avouchd", &e);
        e.code = ERR_NONE;
    }
    if (s->collateral.pid == 0 && clock_now() >= s->collateral.not_before && !start_collateral(s, &e)) {
        log_error("avouchd", &e);
        e.code = ERR_NONE;
    }
    for (int i = 0; s->core.pid != 0 && i < s->workers; i++)
        if (s->fronts[i].pid == 0 && clock_now() >= s->fronts[i].not_before && !start_front(s, i, &e))
            log_error("avouchd", &e);
}

static void tell_fronts(struct service *s, int sig)
{
    for (int i = 0; i < s->workers; i++)
        if (s->fronts[i].pid > 0)
            (void)kill(s->fronts[i].pid, sig);
}

static bool any_front(const struct service *s)
{
    for (int i = 0; i < s->workers; i++)
        if (s->fronts[i].pid > 0)
            return true;
    return false;
}

static void end_child(const struct child *c)
{
    if (c->pid <= 0)
        return;
    (void)kill(c->pid, SIGTERM);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* Fronts first, which finish what they began; the core when nobody asks it any more. */
static void stop(struct service *s)
{
    notify_manager("STOPPING=1");
    tell_fronts(s, SIGTERM);
    while (any_front(s)) {
        int status;
        pid_t pid = waitpid(-1, &status, 0);

        if (pid < 0 && errno != EINTR)
            break;
        for (int i = 0; i < s->workers; i++)
            if (s->fronts[i].pid == pid)
                s->fronts[i].pid = 0;
        if (pid == s->core.pid)
            s->core.pid = 0;
        if (pid == s->collateral.pid)
            s->collateral.pid = 0;
    }
    end_child(&s->core);
    end_child(&s->collateral);
}

static bool waiting_for_restart(const struct service *s)
{
    bool any = s->core.pid == 0 || s->collateral.pid == 0;

    for (int i = 0; i < s->workers; i++)
        any = any || s->fronts[i].pid == 0;
    return any;
}

static void run(struct service *s)
{
    const struct timespec second = { .tv_sec = 1 };
    sigset_t waited;

    sigemptyset(&waited);
    sigaddset(&waited, SIGTERM);
    sigaddset(&waited, SIGINT);
    sigaddset(&waited, SIGHUP);
    sigaddset(&waited, SIGCHLD);
    while (!want_stop) {
        int sig = waiting_for_restart(s) ? sigtimedwait(&waited, NULL, &second) : sigwaitinfo(&waited, NULL);

        if (sig > 0)
            on_signal(sig);
        reap(s);
        if (want_reload) {
            want_reload = 0;
            if (s->collateral.pid > 0)
                (void)kill(s->collateral.pid, SIGHUP);
            tell_fronts(s, SIGHUP);
        }
        if (!want_stop)
            restart(s);
    }
    stop(s);
}

static int usage(FILE *to)
{
    fputs("usage: avouchd [--config FILE] [--state FOLDER] [--dev] [--check]\n"
          "  --config FILE    read the configuration from FILE (avouchd.conf(5))\n"
          "  --state FOLDER   keep keys, store and certificates in FOLDER\n"
          "  --dev            development: trust the sample's own roots, mark every token\n"
          "  --ready-fd N     write a line to descriptor N when everything is up\n"
          "  --check          read the configuration, say whether it is usable, and end\n"
          "  --version\n",
          to);
    return to == stderr ? 2 : 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' }, { "state", required_argument, NULL, 's' }, { "dev", no_argument, NULL, 'd' },
        { "check", no_argument, NULL, 'k' }, { "ready-fd", required_argument, NULL, 'r' }, { "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'v' }, { 0 },
    };
    static struct service s;
    const char *config = NULL, *state = NULL;
    bool dev = false, check = false;
    int ready_fd = -1;
    struct err e = { .code = ERR_NONE };
    sigset_t set;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            config = optarg;
            break;
        case 's':
            state = optarg;
            break;
        case 'd':
            dev = true;
            break;
        case 'k':
            check = true;
            break;
        case 'r':
            ready_fd = atoi(optarg);
            (void)fcntl(ready_fd, F_SETFD, FD_CLOEXEC);
            break;
        case 'h':
            return usage(stdout);
        case 'v':
            puts("avouchd " AVOUCH_VERSION);
            return 0;
        default:
            return usage(stderr);
        }
    }
    if (optind != argc)
        return usage(stderr);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    arena_init(&s.a, (size_t)64 << 20);
    s.core_program = program_beside("avouch-core", &s.a);
    s.front_program = program_beside("avouch-front", &s.a);
    s.collateral_program = program_beside("avouch-collateral", &s.a);
    if (!read_config(&s, config, dev, state, &e) || !check_workers(&s, &e)) {
        fprintf(stderr, "avouchd: %s: %s\n", e.what, e.why);
        return 2;
    }
    if (check) {
        puts("configuration is usable");
        return 0;
    }
    if (!prepare_state(&s, &e) || !open_sockets(&s, &e) || !start_core(&s, &e) || !start_collateral(&s, &e)) {
        log_error("avouchd", &e);
        return 1;
    }
    for (int i = 0; i < s.workers; i++)
        if (!start_front(&s, i, &e)) {
            log_error("avouchd", &e);
            return 1;
        }
    log_line("info", "avouchd", arena_printf(&s.a, "listening on %s, base URL %s%s", s.config.value[CONFIG_service_listen],
                                             s.config.value[CONFIG_service_base_url], dev ? ", DEVELOPMENT" : ""), "");
    notify_manager("READY=1");
    if (ready_fd >= 0) {
        (void)!write(ready_fd, "ready\n", 6);
        close(ready_fd);
    }
    run(&s);
    return 0;
}
