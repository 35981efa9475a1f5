/* main.c: the HTTP process: opens what it needs, closes its sandbox, loops.
 *
 * avouch-front CONFIG-FD LISTENER-FD METRICS-FD METRICS-MEMORY-FD SLOT CORE-WORKERS */
#include "front/front.h"
#include "front/tls.h"

#include "codec/stamp.h"
#include "crypto/hash.h"
#include "os/io.h"
#include "os/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { MAX_LINKS = 64 };

static bool read_accept(const char *list, uint32_t *ret, struct err *e)
{
    struct bytes all = bytes_str(list);
    uint32_t bits = 0;

    while (all.n > 0) {
        const uint8_t *comma = memchr(all.p, ',', all.n);
        struct bytes word = bytes_part(all, 0, comma == NULL ? all.n : (size_t)(comma - all.p));
        enum tcb_status s;

        if (!tcb_status_find(word, &s) || s == TCB_REVOKED)
            return err_set(e, ERR_USAGE, "configuration", "'verify.accept' names '%.*s', which is no status that can be accepted",
                           (int)word.n, (const char *)word.p);
        bits |= 1u << s;
        all = bytes_part(all, word.n + 1, all.n);
    }
    *ret = bits;
    return true;
}

int64_t front_now(const struct front *f)
{
    return clock_now() + f->clock_offset;
}

/* Both processes pretend the same time: a token of one must not be old to the other. */
static bool read_clock(struct front *f, struct err *e)
{
    const char *text = f->config.value[CONFIG_dev_clock];
    int64_t t;

    if (!f->config.dev || text[0] == 0)
        return true;
    if (!stamp_parse(bytes_str(text), &t))
        return err_set(e, ERR_USAGE, "configuration", "'dev.clock' is not a time of the form YYYY-MM-DDThh:mm:ssZ");
    f->clock_offset = t - clock_now();
    return true;
}

/* What the operator chose for SEV-SNP and TPM evidence, as bits of the parcel. */
static bool read_evidence_settings(const struct config *c, uint32_t *ret, struct err *e)
{
    static const struct {
        enum config_key key;
        uint32_t bit;
    } rows[] = {
        { CONFIG_verify_mix_evaluation_numbers, SETTING_MIX_EVAL_NUMBERS }, { CONFIG_token_compatible, SETTING_COMPATIBLE },
        { CONFIG_verify_snp_version1, SETTING_SNP_V1 }, { CONFIG_verify_snp_masked_chip_id, SETTING_SNP_MASKED_CHIP_ID },
        { CONFIG_verify_snp_refuse_debug, SETTING_SNP_REFUSE_DEBUG }, { CONFIG_verify_snp_refuse_provisional, SETTING_SNP_REFUSE_PROVISIONAL },
        { CONFIG_verify_snp_require_receipt, SETTING_SNP_REQUIRE_RECEIPT }, { CONFIG_verify_tpm_sha1, SETTING_TPM_SHA1 },
    };
    const char *crl = c->value[CONFIG_verify_snp_crl], *sets = c->value[CONFIG_verify_tcb_sets];

    *ret = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool yes;

        if (!config_yes(c, rows[i].key, &yes, e))
            return false;
        *ret |= yes ? rows[i].bit : 0u;
    }
    if (strcmp(sets, "both") == 0)
        *ret |= SETTING_TCB_SETS;
    else if (strcmp(sets, "one") != 0)
        return err_set(e, ERR_USAGE, "configuration", "'verify.tcb_sets' is '%s'; it may be one or both", sets);
    if (strcmp(crl, "off") == 0)
        *ret |= SETTING_SNP_CRL_OFF;
    else if (strcmp(crl, "required") == 0)
        *ret |= SETTING_SNP_CRL_REQUIRED;
    else if (strcmp(crl, "if-present") != 0)
        return err_set(e, ERR_USAGE, "configuration", "'verify.snp_crl' is '%s'; it may be if-present, required or off", crl);
    return true;
}

/* What the service demands of every tenant's collateral; 0: nothing. */
static bool read_max_age(const struct config *c, int64_t *ret, struct err *e)
{
    return config_number(c, CONFIG_verify_collateral_max_age, 0, COLLATERAL_MAX_AGE_MOST, ret, e)
        && (*ret == 0 || *ret >= COLLATERAL_MAX_AGE_LEAST
            || err_set(e, ERR_USAGE, "configuration", "'verify.collateral_max_age' is %lld; 0 (none) or at least %lld s is accepted",
                       (long long)*ret, (long long)COLLATERAL_MAX_AGE_LEAST));
}

static bool read_settings(struct front *f, struct err *e)
{
    const struct config *c = &f->config;
    f->settings = settings_default();
    f->base_url = c->value[CONFIG_service_base_url];
    if (!read_clock(f, e) || !read_accept(c->value[CONFIG_verify_accept], &f->settings.accept_tcb, e)
        || !config_number(c, CONFIG_verify_expired_grace, 0, 30 * 86400, &f->settings.expired_grace, e)
        || !config_number(c, CONFIG_verify_evaluation_number, 0, UINT32_MAX, &f->settings.tcb_eval_number, e)
        || !read_max_age(c, &f->settings.collateral_max_age, e) || !read_evidence_settings(c, &f->setting_bits, e)
        || !config_number(c, CONFIG_token_lifetime, 60, 28800, &f->lifetime, e)
        || !config_number(c, CONFIG_limits_body, 1024, 12 << 20, &f->body_limit, e)
        || !config_number(c, CONFIG_limits_header, 4096, 1 << 20, &f->header_limit, e)
        || !config_number(c, CONFIG_limits_connections, 1, 65536, &f->connections, e)
        || !config_number(c, CONFIG_limits_idle, 1, 3600, &f->idle, e)
        || !config_number(c, CONFIG_limits_drain, 0, 600, &f->drain, e)
        || !config_number(c, CONFIG_limits_core_wait, 1, 600, &f->core_wait, e) || !config_number(c, CONFIG_limits_rate, 0, 1000000, &f->rate, e)
        || !config_number(c, CONFIG_limits_tenant_rate, 0, 1000000, &f->tenant_rate, e)
        || !config_number(c, CONFIG_audit_keep, 0, 36500, &f->audit_keep, e))
        return false;
    settings_apply(&f->settings, f->setting_bits);
    f->wire_flags = strcmp(c->value[CONFIG_policy_explain], "full") == 0 ? WIRE_EXPLAIN_FULL : 0;
    return true;
}

/* The folder of a file, for the walls. */
static const char *folder_of(const char *path, struct arena *a)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? "." : slash == path ? "/" : arena_str(a, bytes_of(path, (size_t)(slash - path)));
}

/* The state folder has the core's keys too: nothing of it is opened any more but the development certificate. Store and
 * audit file are open; the last process that closes the store removes its log. */
static bool close_walls(struct front *f, struct err *e)
{
    const char *read[6] = { NULL }, *state[2] = { f->config.value[CONFIG_service_state], NULL };
    const enum config_key files[] = { CONFIG_tls_certificate, CONFIG_tls_key, CONFIG_auth_jwks };
    size_t n = 0;

    for (size_t i = 0; i < COUNT(files); i++)
        if (f->config.value[files[i]][0] != 0)
            read[n++] = folder_of(f->config.value[files[i]], &f->own);
    if (f->config.value[CONFIG_tls_certificate][0] == 0 || f->config.value[CONFIG_tls_key][0] == 0)
        read[n++] = arena_printf(&f->own, "%s/tls", state[0]);
    return sandbox_enter(SANDBOX_FRONT, &(struct sandbox_paths){ .read = read, .remove = state }, e);
}

static void stop(struct front *f, uint64_t *deadline)
{
    if (f->stopping)
        return;
    f->stopping = true;
    *deadline = clock_monotonic_us() + (uint64_t)f->drain * 1000000;
    http_stop_accepting(f->http);
}

static void on_signal(struct front *f, int fd, uint64_t *deadline)
{
    struct signalfd_siginfo s;
    struct err e = { .code = ERR_NONE };

    if (read(fd, &s, sizeof(s)) != sizeof(s))
        return;
    if (s.ssi_signo == SIGHUP) {
        if (tls_reload(f, &e))
            log_line("info", "front", "TLS certificate was read anew", "");
        else
            log_error("front", &e);
    } else {
        stop(f, deadline);
    }
}

static int sooner(int a, int b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

static void loop(struct front *f, int signals)
{
    struct pollfd p[MAX_LINKS + 5];
    uint64_t deadline = 0;

    while (!f->stopping || (f->in_flight > 0 && clock_monotonic_us() < deadline)) {
        size_t n = corelink_poll(f, p + 2);
        int wait = sooner(http_timeout_ms(f->http), corelink_timeout_ms(f, clock_monotonic_us()));

        wait = sooner(wait, audit_timeout_ms(f, clock_monotonic_us()));
        wait = sooner(wait, audit_trim_timeout_ms(f, clock_monotonic_us()));
        wait = sooner(wait, collateral_link_timeout_ms(f, clock_monotonic_us()));
        wait = sooner(wait, issuer_link_timeout_ms(f, clock_monotonic_us()));
        p[n + 2] = (struct pollfd){ .fd = metrics_descriptor(f), .events = POLLIN };
        p[n + 3] = collateral_link_poll(f);
        p[n + 4] = issuer_link_poll(f);
        p[0] = (struct pollfd){ .fd = http_descriptor(f->http), .events = POLLIN };
        p[1] = (struct pollfd){ .fd = signals, .events = POLLIN };
        if (f->stopping)
            wait = sooner(wait, 100);
        if (poll(p, n + 5, wait) < 0 && errno != EINTR)
            break;
        if (p[1].revents != 0)
            on_signal(f, signals, &deadline);
        corelink_serve(f, p + 2, n);
        corelink_expire(f, clock_monotonic_us());
        collateral_link_serve(f, &p[n + 3]);
        collateral_link_expire(f, clock_monotonic_us());
        issuer_link_serve(f, &p[n + 4]);
        issuer_link_expire(f, clock_monotonic_us());
        http_run(f->http);
        metrics_run(f);
        if (audit_timeout_ms(f, clock_monotonic_us()) == 0)
            audit_flush(f);
        audit_trim(f, clock_monotonic_us());
    }
}

/* Whoever still waits is answered now: the library ends the process where a request is suspended while it stops. What waited
 * for keys may then ask for collateral, and after that the core; a connection may bring one more request. */
static void give_up(struct front *f)
{
    for (int turns = 0; turns < 16 && f->in_flight > 0; turns++) {
        http_run(f->http);
        issuer_link_expire(f, UINT64_MAX);
        collateral_link_expire(f, UINT64_MAX);
        corelink_expire(f, UINT64_MAX);
    }
    audit_flush(f);
}

int main(int argc, char **argv)
{
    static struct front f;
    struct err e = { .code = ERR_NONE };
    struct bytes text;
    sigset_t set;
    int signals;

    if (argc == 2 && strcmp(argv[1], "--routes") == 0) {
        routes_print();
        return 0;
    }
    if (argc != 7) {
        fputs("avouch-front is started by avouchd\n", stderr);
        return 2;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    arena_init(&f.own, (size_t)512 << 20);
    f.slot = (size_t)atoi(argv[5]);
    f.link_count = (size_t)atoi(argv[6]);
    crypto_warm_up();
    (void)process_memory();
    if (signals < 0 || f.link_count > MAX_LINKS
        || !file_read(arena_printf(&f.own, "/proc/self/fd/%d", atoi(argv[1])), 1 << 20, &f.own, &text, &e)
        || !config_parse(text, &f.own, &f.config, &e) || !read_settings(&f, &e) || !network_open(&f, &e) || !front_load_collateral(&f, &e) || !collateral_link_open(&f, &e)
        || !store_open(arena_printf(&f.own, "%s/store.db", f.config.value[CONFIG_service_state]), &f.store, &e) || !corelink_open(&f, &e)
        || !audit_open(&f, &e) || !attest_open(&f, &e) || !issuer_open(&f, &e) || !auth_open(&f, &e)
        || !metrics_open(&f, atoi(argv[3]), atoi(argv[4]), f.slot, f.link_count, &e) || !http_open(&f, atoi(argv[2]), &f.http, &e)
        || !close_walls(&f, &e)) {
        log_error("front", &e);
        return 1;
    }
    loop(&f, signals);
    give_up(&f);
    http_close(f.http);
    store_close(f.store);
    return 0;
}
