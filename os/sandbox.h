/* sandbox.h: what a process may still ask of the kernel once it is ready.
 *
 * Three walls, each of which holds when another falls: namespaces (no network, no other processes),
 * Landlock (no file), seccomp (a list of system calls; any other kills the process). A process whose
 * wall cannot be built does not start. */
#ifndef AVOUCH_OS_SANDBOX_H
#define AVOUCH_OS_SANDBOX_H

#include "base/err.h"

enum sandbox_profile {
    SANDBOX_CORE,       /* decides and signs: sockets that are open already, memory, time, randomness */
    SANDBOX_CORE_ROOT,  /* holds the keys and forks the workers; reads nothing from outside */
    SANDBOX_FRONT,      /* speaks HTTP: accepts connections, uses the store that is open */
    SANDBOX_COLLATERAL, /* fetches: connects outwards, writes below its cache folder */
};

struct sandbox_paths { /* folders that stay usable; NULL-terminated lists, may be NULL */
    const char *const *read;
    const char *const *write;
    const char *const *remove; /* files may go, and are not read or written: what is open already stays usable */
};

/* Irrevocable. On failure the caller must exit. */
bool sandbox_enter(enum sandbox_profile profile, const struct sandbox_paths *paths, struct err *e) CHECKED;

#endif
