/* io.c: see io.h. */
#include "os/io.h"

#include "base/out.h"
#include "codec/stamp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool failed(struct err *e, const char *path, const char *call)
{
    return err_set(e, ERR_INTERNAL, "file", "%s: %s: %s", path, call, strerror(errno));
}

bool file_read(const char *path, size_t max, struct arena *a, struct bytes *ret, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    uint8_t *p;
    size_t n = 0;

    if (fd < 0)
        return failed(e, path, "open");
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(e, ERR_INTERNAL, "file", "%s is no regular file", path);
    }
    if ((uint64_t)st.st_size > max) {
        close(fd);
        return err_set(e, ERR_TOO_LARGE, "file", "%s has %lld bytes, at most %zu are read", path, (long long)st.st_size, max);
    }
    p = arena_alloc(a, (size_t)st.st_size + 1);
    while (p != NULL && n < (size_t)st.st_size) {
        ssize_t got = read(fd, p + n, (size_t)st.st_size - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(fd);
    if (p == NULL)
        return err_memory(e, path);
    *ret = bytes_of(p, n);
    return true;
}

static bool write_all(int fd, struct bytes b)
{
    while (b.n > 0) {
        ssize_t n = write(fd, b.p, b.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        b = bytes_part(b, (size_t)n, b.n);
    }
    return true;
}

static void sync_folder_of(const char *path)
{
    char folder[4096];
    char *slash;
    int fd;

    snprintf(folder, sizeof(folder), "%s", path);
    slash = strrchr(folder, '/');
    if (slash != NULL)
        *slash = 0;
    fd = open(slash == NULL ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

bool file_write(const char *path, struct bytes b, unsigned mode, struct err *e)
{
    char beside[4200];
    int fd;

    snprintf(beside, sizeof(beside), "%s.new.%d", path, (int)getpid());
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return failed(e, beside, "open");
    if (!write_all(fd, b) || fsync(fd) != 0) {
        (void)failed(e, beside, "write");
        close(fd);
        (void)unlink(beside);
        return false;
    }
    close(fd);
    if (rename(beside, path) != 0) {
        (void)failed(e, path, "rename");
        (void)unlink(beside);
        return false;
    }
    sync_folder_of(path);
    return true;
}

bool folder_make(const char *path, unsigned mode, struct err *e)
{
    char part[4096];

    if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
        return err_set(e, ERR_USAGE, "folder", "path is too long");
    for (char *p = part + 1; *p != 0; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        if (mkdir(part, mode) != 0 && errno != EEXIST)
            return failed(e, part, "mkdir");
        *p = '/';
    }
    if (mkdir(part, mode) != 0 && errno != EEXIST)
        return failed(e, part, "mkdir");
    return true;
}

static int by_name(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

bool folder_list(const char *path, struct arena *a, const char *const **ret, size_t *ret_count, struct err *e)
{
    enum { MAX = 4096 };
    const char **list = arena_many(a, MAX, const char *);
    DIR *d = opendir(path);
    size_t n = 0;

    if (d == NULL)
        return failed(e, path, "opendir");
    for (struct dirent *f; list != NULL && n < MAX && (f = readdir(d)) != NULL;) {
        struct stat st;

        if (f->d_name[0] == '.' || fstatat(dirfd(d), f->d_name, &st, 0) != 0 || !S_ISREG(st.st_mode))
            continue;
        list[n] = arena_str(a, bytes_str(f->d_name));
        if (list[n] != NULL)
            n++;
    }
    closedir(d);
    if (list == NULL || a->failed)
        return err_memory(e, path);
    qsort(list, n, sizeof(*list), by_name);
    *ret = list;
    *ret_count = n;
    return true;
}

bool folder_read(const char *path, size_t max, struct arena *a, const struct named_bytes **ret, size_t *ret_count, struct err *e)
{
    const char *const *names;
    struct named_bytes *list;
    size_t n;

    if (!folder_list(path, a, &names, &n, e))
        return false;
    list = arena_many(a, n, struct named_bytes);
    for (size_t i = 0; list != NULL && i < n; i++) {
        const char *file = arena_printf(a, "%s/%s", path, names[i]);

        list[i].name = names[i];
        if (file == NULL || !file_read(file, max, a, &list[i].body, e))
            return file != NULL ? false : err_memory(e, path);
    }
    if (a->failed)
        return err_memory(e, path);
    *ret = list;
    *ret_count = n;
    return true;
}

int64_t clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec;
}

uint64_t clock_monotonic_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int64_t process_memory(void)
{
    static int fd = -1;
    long long pages = 0, resident = 0;
    char text[128];
    ssize_t n;

    if (fd < 0)
        fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = 0;
    return sscanf(text, "%lld %lld", &pages, &resident) == 2 ? resident * 4096 : 0;
}

static void escape(char *to, size_t size, const char *from)
{
    size_t n = 0;

    for (; *from != 0 && n + 7 < size; from++) {
        if (*from == '"' || *from == '\\') {
            to[n++] = '\\';
            to[n++] = *from;
        } else if ((unsigned char)*from < 0x20) {
            n += (size_t)snprintf(to + n, size - n, "\\u%04x", (unsigned)(unsigned char)*from);
        } else {
            to[n++] = *from;
        }
    }
    to[n] = 0;
}

void log_line(const char *level, const char *process, const char *message, const char *fields)
{
    char line[4096], text[2048];
    struct timespec t;
    int n;

    clock_gettime(CLOCK_REALTIME, &t);
    escape(text, sizeof(text), message);
    /* not gmtime_r(): it opens a file, which a process behind its walls must not */
    n = snprintf(line, sizeof(line), "{\"time\":\"%.19s.%03ldZ\",\"level\":\"%s\",\"process\":\"%s\",\"message\":\"%s\"%s%s}\n",
                 stamp_text(t.tv_sec).s, t.tv_nsec / 1000000, level, process, text, fields[0] == 0 ? "" : ",", fields);
    if (n >= (int)sizeof(line)) {
        n = (int)sizeof(line);
        line[n - 1] = '\n';
    }
    if (n > 0)
        (void)!write(STDERR_FILENO, line, (size_t)n);
}

void log_error(const char *process, const struct err *e)
{
    char text[sizeof(e->what) + sizeof(e->why) + 4];

    snprintf(text, sizeof(text), "%s: %s", e->what, e->why);
    log_line("error", process, text, "");
}
