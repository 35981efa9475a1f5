/* spawn.h: starting the small programs that the service consists of. */
#ifndef AVOUCH_OS_SPAWN_H
#define AVOUCH_OS_SPAWN_H

#include "base/arena.h"
#include "base/err.h"

#include <sys/types.h>

/* A fresh exec: no two processes share leftovers. Of the descriptors only 0 to 2 and the listed ones reach
 * the program, under the same numbers. */
bool spawn(const char *path, const char *const *argv, const int *fds, size_t fd_count, pid_t *ret, struct err *e) CHECKED;

/* A program beside our own, or in the folder of installed helpers. */
const char *program_beside(const char *name, struct arena *a);

/* An unnamed file with this content, for a child to read. */
bool memory_file(const char *name, struct bytes content, int *ret_fd, struct err *e) CHECKED;

/* "127.0.0.1:8443" or "[::1]:8443": a listening socket. */
bool listen_tcp(const char *address, int *ret_fd, struct err *e) CHECKED;
/* The address that it got, where port 0 asked for any. */
bool listen_address(int fd, struct arena *a, const char **ret, struct err *e) CHECKED;
/* A listening stream socket at a path that only this user can reach; a leftover is replaced. */
bool listen_unix(const char *path, int *ret_fd, struct err *e) CHECKED;

/* One datagram to the service manager, if there is one (sd_notify protocol). */
void notify_manager(const char *state);

#endif
