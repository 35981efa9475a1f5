/* sandbox.c: see sandbox.h. The lists of system calls stand on top, a reason a line. */
#include "os/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* clang-format off */
static const int core_calls[] = {
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), /* the channel */
    SCMP_SYS(poll), SCMP_SYS(ppoll),            /* waiting for it */
    SCMP_SYS(accept4), SCMP_SYS(getsockopt),    /* a front that was restarted connects anew; its user is checked */
    SCMP_SYS(close),                            /* and the old one is forgotten */
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), /* the one use of time */
    SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid), /* libcrypto's generator asks who it is after fork */
    SCMP_SYS(brk), SCMP_SYS(mremap), SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(futex), /* memory */
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall), SCMP_SYS(sigaltstack),
    SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static const int core_root_calls[] = {
    SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(fork), SCMP_SYS(wait4), SCMP_SYS(waitid), SCMP_SYS(kill), SCMP_SYS(tgkill), /* workers */
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(set_tid_address),
    SCMP_SYS(prctl), SCMP_SYS(seccomp), SCMP_SYS(unshare), SCMP_SYS(prlimit64), SCMP_SYS(mlockall),
    SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_restrict_self), /* a worker builds its own walls */
    SCMP_SYS(close_range), SCMP_SYS(rt_sigaction), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(getppid),
};

static const int front_calls[] = {
    SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(sendfile), SCMP_SYS(shutdown), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(accept), SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen), /* clients; the core's socket */
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(select), SCMP_SYS(pselect6),
    SCMP_SYS(eventfd2), SCMP_SYS(pipe2), SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(ioctl),
    SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(lseek), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
    SCMP_SYS(ftruncate), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(getdents64), SCMP_SYS(mkdir), SCMP_SYS(mkdirat),
    SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(geteuid), SCMP_SYS(getuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getcwd), SCMP_SYS(readlink), SCMP_SYS(readlinkat), /* the store, Landlock says where */
    SCMP_SYS(fallocate), SCMP_SYS(flock), SCMP_SYS(utimensat), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(sched_yield),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(rt_sigaction), SCMP_SYS(tgkill), SCMP_SYS(getrusage), SCMP_SYS(msync),
    SCMP_SYS(clock_getres), SCMP_SYS(sched_getaffinity), SCMP_SYS(getppid),
};

static const int collateral_calls[] = { /* beside the front's: name resolution in libcurl's own thread */
    SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg),
    SCMP_SYS(socketpair), SCMP_SYS(prctl), SCMP_SYS(membarrier), SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler),
};
/* clang-format on */

#define SYSTEM(e, call) err_set((e), ERR_INTERNAL, "sandbox", "%s: %s", (call), strerror(errno))

static bool allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int rc = calls[i] == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
        if (rc != 0 && rc != -EEXIST)
            return false;
    }
    return true;
}

/* Memory yes, executable memory no: what runs was there at the start. */
static bool allow_memory(scmp_filter_ctx ctx, bool files)
{
    return (files ? seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0))
                  : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                                     SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS))) == 0
        && seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
}

static bool enter_seccomp(enum sandbox_profile profile, struct err *e)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    bool ok = ctx != NULL && allow(ctx, core_calls, COUNT(core_calls))
        && allow_memory(ctx, profile == SANDBOX_FRONT || profile == SANDBOX_COLLATERAL);

    if (ok && profile == SANDBOX_CORE_ROOT)
        ok = allow(ctx, core_root_calls, COUNT(core_root_calls));
    if (ok && (profile == SANDBOX_FRONT || profile == SANDBOX_COLLATERAL))
        ok = allow(ctx, front_calls, COUNT(front_calls));
    if (ok && profile == SANDBOX_COLLATERAL)
        ok = allow(ctx, collateral_calls, COUNT(collateral_calls));
    (void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    ok = ok && seccomp_load(ctx) == 0;
    seccomp_release(ctx);
    return ok || SYSTEM(e, "seccomp");
}

/* Rights of each Landlock version; the newer ones are handled where the kernel knows them. */
static uint64_t all_rights(int abi)
{
    uint64_t r = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; /* version 1 */

    if (abi >= 2)
        r |= 1ull << 13; /* REFER */
    if (abi >= 3)
        r |= 1ull << 14; /* TRUNCATE */
    if (abi >= 5)
        r |= 1ull << 15; /* IOCTL_DEV */
    return r;
}

static bool allow_path(int ruleset, const char *path, uint64_t rights, struct err *e)
{
    struct landlock_path_beneath_attr rule = { .allowed_access = rights, .parent_fd = open(path, O_PATH | O_CLOEXEC) };
    bool ok;

    if (rule.parent_fd < 0)
        return err_set(e, ERR_INTERNAL, "sandbox", "folder %s: %s", path, strerror(errno));
    ok = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    close(rule.parent_fd);
    return ok || SYSTEM(e, "landlock_add_rule");
}

static bool enter_landlock(const struct sandbox_paths *paths, struct err *e)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION), ruleset;
    struct landlock_ruleset_attr attr = { 0 };
    uint64_t all, read_only = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    bool ok = true;

    if (abi < 1)
        return err_set(e, ERR_INTERNAL, "sandbox", "this kernel has no Landlock; it needs Linux 5.13 or newer with lsm=landlock");
    attr.handled_access_fs = all = all_rights(abi);
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
    if (ruleset < 0)
        return SYSTEM(e, "landlock_create_ruleset");
    for (const char *const *p = paths == NULL ? NULL : paths->read; ok && p != NULL && *p != NULL; p++)
        ok = allow_path(ruleset, *p, read_only, e);
    for (const char *const *p = paths == NULL ? NULL : paths->write; ok && p != NULL && *p != NULL; p++)
        ok = allow_path(ruleset, *p, all & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE, e);
    for (const char *const *p = paths == NULL ? NULL : paths->remove; ok && p != NULL && *p != NULL; p++)
        ok = allow_path(ruleset, *p, LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_READ_DIR, e);
    if (ok && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        ok = SYSTEM(e, "landlock_restrict_self");
    close(ruleset);
    return ok;
}

/* Inside, our own user is 0, and every other one the overflow number: so peers of a socket are told apart. A user may map
 * itself and nobody else, so that root is another one too, where it is not us. */
static bool map_own_user(uid_t own, struct err *e)
{
    char line[32];
    int n = snprintf(line, sizeof(line), "0 %u 1\n", (unsigned)own), fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, line, (size_t)n) == n;

    if (!ok)
        (void)err_set(e, ERR_INTERNAL, "sandbox", "/proc/self/uid_map: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool enter_namespaces(enum sandbox_profile profile, struct err *e)
{
    const uid_t own = profile == SANDBOX_CORE ? 0 : geteuid(); /* a worker may not ask, and has its parent's map */
    int flags = CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

    if (profile == SANDBOX_CORE || profile == SANDBOX_CORE_ROOT)
        flags |= CLONE_NEWNET;
    if (unshare(flags | CLONE_NEWUSER) == 0)
        return (flags & CLONE_NEWNET) == 0 || map_own_user(own, e);
    /* a worker's namespaces are its parent's already; the root process made them */
    if (profile == SANDBOX_CORE && errno == EPERM)
        return true;
    return err_set(e, ERR_INTERNAL, "sandbox", "unshare: %s; unprivileged user namespaces must be allowed", strerror(errno));
}

bool sandbox_enter(enum sandbox_profile profile, const struct sandbox_paths *paths, struct err *e)
{
    const struct rlimit none = { 0, 0 };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        return SYSTEM(e, "prctl");
    if (profile == SANDBOX_CORE && setrlimit(RLIMIT_NPROC, &none) != 0)
        return SYSTEM(e, "setrlimit");
    if (!enter_namespaces(profile, e))
        return false;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) /* not before: what is not dumpable may not write its map of users */
        return SYSTEM(e, "prctl");
    return enter_landlock(paths, e) && enter_seccomp(profile, e);
}
