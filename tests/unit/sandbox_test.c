/* sandbox_test.c: what is left of the file system behind the walls of a process. */
#include "testing.h"

#include "os/io.h"
#include "os/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/avouch-sandbox-XXXXXX";

static const char *below(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

/* 0, or the error of opening. */
static int try_open(const char *name, int flags)
{
    int fd = open(below(name), flags | O_CLOEXEC, 0600), error = fd < 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    return error;
}

/* In the child; which of the things went wrong. */
static int front_sees(void)
{
    char tls[128];
    const char *const read[] = { tls, NULL }, *const state[] = { folder, NULL };
    int open_before = open(below("store"), O_RDWR | O_CLOEXEC);
    struct err e = { 0 };
    char byte;

    snprintf(tls, sizeof(tls), "%s", below("tls"));
    if (!sandbox_enter(SANDBOX_FRONT, &(struct sandbox_paths){ .read = read, .remove = state }, &e))
        return 1;
    if (try_open("core/key", O_RDONLY) != EACCES || try_open("core/key", O_WRONLY) != EACCES)
        return 2;
    if (try_open("store", O_RDONLY) != EACCES || try_open("fresh", O_WRONLY | O_CREAT) != EACCES)
        return 3;
    if (try_open("tls/cert", O_RDONLY) != 0 || try_open("tls/cert", O_WRONLY) != EACCES)
        return 4;
    if (rename(below("core/key"), "/tmp/avouch-sandbox-moved") == 0)
        return 5;
    if (pread(open_before, &byte, 1, 0) != 1 || pwrite(open_before, "y", 1, 0) != 1 || ftruncate(open_before, 0) != 0)
        return 6;
    return unlink(below("log")) == 0 ? 0 : 7;
}

static void front_and_the_keys(void **state)
{
    static const char *const files[] = { "core/key", "tls/cert", "store", "log" };
    struct err e = { 0 };
    char command[64];
    int status = -1;
    pid_t pid;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_ok(folder_make(below("core"), 0700, &e) && folder_make(below("tls"), 0700, &e), &e);
    for (size_t i = 0; i < COUNT(files); i++)
        assert_ok(file_write(below(files[i]), LIT("x"), 0600, &e), &e);
    pid = fork();
    if (pid == 0)
        _exit(front_sees());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    (void)!system(command);
}

int main(void)
{
    struct suite s = { 0 };

    suite_add(&s, "a front has the store and the certificate, not the keys", front_and_the_keys, NULL);
    return suite_run("sandbox", &s);
}
