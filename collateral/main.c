/* main.c: avouch-collateral: opens what it needs, closes its sandbox, loops.
 *
 * avouch-collateral CONFIG-FD LISTENER-FD */
#include "collateral/server.h"

#include "codec/stamp.h"
#include "crypto/hash.h"
#include "os/io.h"
#include "os/sandbox.h"

#include <nss.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

static bool clock_offset(const struct config *c, int64_t *ret, struct err *e)
{
    int64_t t;

    *ret = 0;
    if (!c->dev || c->value[CONFIG_dev_clock][0] == 0)
        return true;
    if (!stamp_parse(bytes_str(c->value[CONFIG_dev_clock]), &t))
        return err_set(e, ERR_USAGE, "configuration", "'dev.clock' is not a time of the form YYYY-MM-DDThh:mm:ssZ");
    *ret = t - clock_now();
    return true;
}

static const char *folder_of(const char *path, struct arena *a)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? "." : slash == path ? "/" : arena_str(a, bytes_of(path, (size_t)(slash - path)));
}

/* Network yes, keys no: the one folder to write is the cache; to read, what resolving names and SIGHUP need. */
static bool close_walls(const struct config *c, const char *cache, struct arena *a, struct err *e)
{
    const char *const names[] = { "/etc", "/run/systemd/resolve", "/run/resolvconf", "/dev" };
    const char *read[8] = { NULL }, *write[2] = { cache, NULL };
    size_t n = 0;

    for (size_t i = 0; i < COUNT(names); i++)
        if (access(names[i], R_OK) == 0)
            read[n++] = names[i];
    if (c->value[CONFIG_collateral_directory][0] != 0)
        read[n++] = c->value[CONFIG_collateral_directory];
    if (c->value[CONFIG_collateral_bundle][0] != 0)
        read[n++] = folder_of(c->value[CONFIG_collateral_bundle], a);
    return sandbox_enter(SANDBOX_COLLATERAL, &(struct sandbox_paths){ .read = read, .write = write }, e);
}

/* false: it is time to end. */
static bool on_signal(int fd, struct engine *x)
{
    struct signalfd_siginfo s;

    if (read(fd, &s, sizeof(s)) != sizeof(s))
        return true;
    if (s.ssi_signo != SIGHUP)
        return false;
    engine_reload(x);
    log_line("info", "collateral", "cache, directory and bundle were read anew", "");
    return true;
}

static void loop(struct engine *x, struct issuers *issuers, struct server *s, int signals)
{
    struct curl_waitfd p[SERVER_MAX_CLIENTS + 2];

    for (;;) {
        unsigned n = server_poll(s, p);

        p[n] = (struct curl_waitfd){ .fd = signals, .events = CURL_WAIT_POLLIN };
        engine_run(x, p, n + 1, issuers_tick(issuers, 1000));
        if (p[n].revents != 0 && !on_signal(signals, x))
            return;
        server_serve(s, p, n);
    }
}

static int block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv)
{
    struct engine_options o = { .forever = true };
    struct config c;
    struct engine *x;
    struct issuers *issuers;
    struct server *s;
    struct arena a;
    struct bytes text;
    struct err e = { .code = ERR_NONE };
    int signals;

    if (argc != 3) {
        fputs("avouch-collateral is started by avouchd\n", stderr);
        return 2;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    signals = block_signals();
    /* names are resolved by files and DNS alone: other modules of nsswitch.conf would be loaded behind the walls */
    (void)__nss_configure_lookup("hosts", "files dns");
    arena_init(&a, (size_t)256 << 20);
    crypto_warm_up();
    if (signals < 0 || !file_read(arena_printf(&a, "/proc/self/fd/%d", atoi(argv[1])), 1 << 20, &a, &text, &e) || !config_parse(text, &a, &c, &e)
        || !clock_offset(&c, &o.clock_offset, &e)) {
        log_error("collateral", &e);
        return 1;
    }
    o.folder = arena_printf(&a, "%s/collateral", c.value[CONFIG_service_state]);
    if (!folder_make(o.folder, 0700, &e) || !engine_open(&c, &o, &a, &x, &e) 
        || !issuers_open(&c, arena_printf(&a, "%s/issuers", o.folder), o.clock_offset, engine_net(x), &a, &issuers, &e)
        || (s = server_new(x, issuers, atoi(argv[2]), 60000)) == NULL
        || !close_walls(&c, o.folder, &a, &e)) {
        log_error("collateral", &e);
        return 1;
    }
    loop(x, issuers, s, signals);
    engine_close(x);
    issuers_close(issuers);
    arena_done(&a);
    return 0;
}
