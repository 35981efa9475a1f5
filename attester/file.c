/* file.c: whole files; those of securityfs have no size, so they are read to their end. */
#include "attester/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { FILE_MAX = 16 << 20 };

static bool read_all(int fd, const char *path, struct arena *a, struct bytes *ret, struct err *e)
{
    struct out o = out_open(a);

    for (;;) {
        uint8_t part[4096];
        ssize_t n = read(fd, part, sizeof(part));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, ERR_UNAVAILABLE, path, "cannot be read: %s", strerror(errno));
        if (n == 0)
            break;
        out_bytes(&o, bytes_of(part, (size_t)n));
        if (o.n > FILE_MAX)
            return err_set(e, ERR_LIMIT, path, "is larger than %d bytes", FILE_MAX);
    }
    *ret = out_view(&o);
    return ret->p != NULL ? true : err_memory(e, path);
}

bool file_read(const char *path, struct arena *a, struct bytes *ret, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok;

    *ret = (struct bytes){ NULL, 0 };
    if (fd < 0)
        return errno == ENOENT ? true
                               : err_set(e, ERR_UNAVAILABLE, path, "cannot be opened: %s", strerror(errno));
    ok = read_all(fd, path, a, ret, e);
    close(fd);
    return ok;
}

static bool write_all(int fd, const char *path, struct bytes content, struct err *e)
{
    size_t at = 0;

    while (at < content.n) {
        ssize_t n = write(fd, content.p + at, content.n - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, ERR_UNAVAILABLE, path, "cannot be written: %s", strerror(errno));
        at += (size_t)n;
    }
    return true;
}

bool file_write(const char *path, struct bytes content, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok;

    if (fd < 0)
        return err_set(e, ERR_UNAVAILABLE, path, "cannot be written: %s", strerror(errno));
    ok = write_all(fd, path, content, e);
    if (close(fd) != 0)
        ok = err_set(e, ERR_UNAVAILABLE, path, "cannot be closed: %s", strerror(errno));
    return ok;
}

bool file_replace(const char *path, struct bytes content, struct arena *a, struct err *e)
{
    const char *fresh = arena_printf(a, "%s.new.%ld", path, (long)getpid());
    int fd = fresh == NULL ? -1 : open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok;

    if (fresh == NULL)
        return err_memory(e, path);
    if (fd < 0)
        return err_set(e, ERR_UNAVAILABLE, fresh, "cannot be written: %s", strerror(errno));
    ok = write_all(fd, fresh, content, e) && (fsync(fd) == 0 || err_set(e, ERR_UNAVAILABLE, fresh, "cannot be written: %s", strerror(errno)));
    ok = (close(fd) == 0 || err_set(e, ERR_UNAVAILABLE, fresh, "cannot be closed: %s", strerror(errno))) && ok
        && (rename(fresh, path) == 0 || err_set(e, ERR_UNAVAILABLE, path, "cannot be replaced: %s", strerror(errno)));
    if (!ok)
        (void)unlink(fresh);
    return ok;
}
