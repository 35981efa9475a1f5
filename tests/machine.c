/* machine.c: see machine.h. */
#include "machine.h"

#include "evidence/tpm/eventlog.h"

#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { BUDGET = 128 << 20 };

bool machine_possible(const char **ret_why)
{
    *ret_why = "swtpm is not installed";
    return access("/usr/bin/swtpm", X_OK) == 0;
}

static void run(const char *const *argv)
{
    int status = -1;
    pid_t pid;

    assert_int_equal(posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static pid_t read_pid(struct machine *m)
{
    struct bytes text = test_read(&m->a, arena_printf(&m->a, "%s/pid", m->folder));

    assert_non_null(text.p);
    return (pid_t)strtol(arena_str(&m->a, text), NULL, 10);
}

const char *machine_tcti(struct machine *m)
{
    return arena_printf(&m->a, "swtpm:path=%s/s", m->folder);
}

void machine_take(struct machine *m)
{
    struct err e = { .code = ERR_NONE };

    assert_ok(tpmdev_open(machine_tcti(m), &m->tpm, &e), &e);
}

void machine_release(struct machine *m)
{
    tpmdev_close(m->tpm);
    m->tpm = NULL;
}

/* swtpm binds its sockets before it goes to the background, so it is ready when the call returns; being
 * the reaper of what it leaves behind, we can wait for its end. */
void machine_on(struct machine *m)
{
    const char *const argv[] = {
        "swtpm", "socket", "--tpm2", "--tpmstate", arena_printf(&m->a, "dir=%s", m->folder),
        "--server", arena_printf(&m->a, "type=unixio,path=%s/s,disconnect=false", m->folder),
        "--ctrl", arena_printf(&m->a, "type=unixio,path=%s/s.ctrl", m->folder),
        "--flags", "startup-clear,not-need-init", "--daemon", "--pid", arena_printf(&m->a, "file=%s/pid", m->folder),
        NULL,
    };

    run(argv);
    m->pid = read_pid(m);
    machine_take(m);
}

void machine_off(struct machine *m)
{
    int status;

    machine_release(m);
    kill(m->pid, SIGTERM);
    assert_int_equal(waitpid(m->pid, &status, 0), m->pid);
}

void machine_init(struct machine *m)
{
    memset(m, 0, sizeof(*m));
    arena_init(&m->a, BUDGET);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    setenv("TSS2_LOG", "all+none", 0);
    memcpy(m->folder, "/tmp/avouch-tpm-XXXXXX", sizeof("/tmp/avouch-tpm-XXXXXX"));
    assert_non_null(mkdtemp(m->folder));
    machine_on(m);
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
    (void)s;
    (void)type;
    (void)f;
    return remove(path);
}

void machine_done(struct machine *m)
{
    machine_off(m);
    nftw(m->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    arena_done(&m->a);
}

void machine_boot(struct machine *m, struct bytes in)
{
    const struct tpm_bank *bank = tpm_bank(TPM_SHA256);
    struct tpm_log log = tpm_log_open(&m->a);
    struct err e = { .code = ERR_NONE };

    assert_ok(tpm_log_add(&log, in, "log", &e), &e);
    for (size_t i = 0; i < log.count; i++)
        if (tpm_event_extends(&log.events[i]))
            assert_ok(tpmdev_extend(m->tpm, log.events[i].pcr, bank, tpm_event_digest(&log.events[i], TPM_SHA256), &e), &e);
}

const char *machine_file(struct machine *m, const char *name, struct bytes content)
{
    const char *path = arena_printf(&m->a, "%s/%s", m->folder, name);
    struct err e = { .code = ERR_NONE };

    assert_ok(file_write(path, content, &e), &e);
    return path;
}
