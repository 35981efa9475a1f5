/* spawn.c: see spawn.h. */
#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef AVOUCH_LIBEXEC
#define AVOUCH_LIBEXEC "/usr/libexec/avouch"
#endif

bool spawn(const char *path, const char *const *argv, const int *fds, size_t fd_count, pid_t *ret, struct err *e)
{
    pid_t pid = fork();
    sigset_t none;

    if (pid < 0)
        return err_set(e, ERR_INTERNAL, "process", "fork: %s", strerror(errno));
    if (pid > 0) {
        *ret = pid;
        return true;
    }
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (size_t i = 0; i < fd_count; i++)
        (void)fcntl(fds[i], F_SETFD, 0);
    execv(path, (char *const *)(uintptr_t)argv);
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    _exit(127);
}

const char *program_beside(const char *name, struct arena *a)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    const char *path;
    char *slash;

    if (n > 0) {
        self[n] = 0;
        slash = strrchr(self, '/');
        if (slash != NULL)
            *slash = 0;
        path = arena_printf(a, "%s/%s", self, name);
        if (path != NULL && access(path, X_OK) == 0)
            return path;
    }
    return arena_printf(a, "%s/%s", AVOUCH_LIBEXEC, name);
}

bool memory_file(const char *name, struct bytes content, int *ret_fd, struct err *e)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    if (fd < 0 || write(fd, content.p, content.n) != (ssize_t)content.n) {
        if (fd >= 0)
            close(fd);
        return err_set(e, ERR_INTERNAL, "process", "memfd_create: %s", strerror(errno));
    }
    *ret_fd = fd;
    return true;
}

static bool split_address(const char *address, char *host, size_t host_size, char *port, size_t port_size)
{
    const char *colon = strrchr(address, ':');
    size_t n = colon == NULL ? 0 : (size_t)(colon - address);

    if (colon == NULL || n >= host_size || strlen(colon + 1) >= port_size || colon[1] == 0)
        return false;
    memcpy(host, address, n);
    host[n] = 0;
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
        memmove(host, host + 1, n - 2);
        host[n - 2] = 0;
    }
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return true;
}

bool listen_tcp(const char *address, int *ret_fd, struct err *e)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV };
    char host[256], port[16];
    struct addrinfo *list;
    int fd = -1, one = 1, rc;

    if (!split_address(address, host, sizeof(host), port, sizeof(port)))
        return err_set(e, ERR_USAGE, "listen address", "'%s' is not of the form address:port", address);
    rc = getaddrinfo(host[0] == 0 ? NULL : host, port, &hints, &list);
    if (rc != 0)
        return err_set(e, ERR_USAGE, "listen address", "'%s': %s", address, gai_strerror(rc));
    for (struct addrinfo *i = list; i != NULL && fd < 0; i = i->ai_next) {
        fd = socket(i->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0)
            (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (fd >= 0 && (bind(fd, i->ai_addr, i->ai_addrlen) != 0 || listen(fd, 1024) != 0)) {
            rc = errno;
            close(fd);
            fd = -1;
            errno = rc;
        }
    }
    freeaddrinfo(list);
    if (fd < 0)
        return err_set(e, ERR_INTERNAL, "listen address", "%s: %s", address, strerror(errno));
    *ret_fd = fd;
    return true;
}

bool listen_address(int fd, struct arena *a, const char **ret, struct err *e)
{
    struct sockaddr_storage at;
    socklen_t n = sizeof(at);
    char host[256], port[16];

    if (getsockname(fd, (struct sockaddr *)&at, &n) != 0
        || getnameinfo((const struct sockaddr *)&at, n, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return err_set(e, ERR_INTERNAL, "listen address", "getsockname: %s", strerror(errno));
    *ret = arena_printf(a, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
    return *ret != NULL || err_memory(e, "listen address");
}

bool listen_unix(const char *path, int *ret_fd, struct err *e)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    mode_t mask;
    int fd, rc;

    if (strlen(path) >= sizeof(at.sun_path))
        return err_set(e, ERR_USAGE, "socket", "path %s is longer than %zu characters", path, sizeof(at.sun_path) - 1);
    memcpy(at.sun_path, path, strlen(path));
    (void)unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mask = umask(0177);
    rc = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&at, sizeof(at));
    (void)umask(mask);
    if (rc != 0 || listen(fd, 128) != 0) {
        (void)err_set(e, ERR_INTERNAL, "socket", "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    *ret_fd = fd;
    return true;
}

void notify_manager(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd;

    if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(to.sun_path))
        return;
    memcpy(to.sun_path, path, strlen(path));
    if (path[0] == '@')
        to.sun_path[0] = 0;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
    close(fd);
}
