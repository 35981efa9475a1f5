/* file.c: whole files; those of securityfs have no size, so they are read to their end. */
#include "attester/evidence.h"

#include <errno.h>
#include <fcntl.h>
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

bool file_write(const char *path, struct bytes content, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t at = 0;

    if (fd < 0)
        return err_set(e, ERR_UNAVAILABLE, path, "cannot be written: %s", strerror(errno));
    while (at < content.n) {
        ssize_t n = write(fd, content.p + at, content.n - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int why = errno;

            close(fd);
            return err_set(e, ERR_UNAVAILABLE, path, "cannot be written: %s", strerror(why));
        }
        at += (size_t)n;
    }
    return close(fd) == 0 ? true : err_set(e, ERR_UNAVAILABLE, path, "cannot be closed: %s", strerror(errno));
}
