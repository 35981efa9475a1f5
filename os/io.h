/* io.h: files, clock, log: the small system calls that processes make before and beside their loops. */
#ifndef AVOUCH_OS_IO_H
#define AVOUCH_OS_IO_H

#include "base/arena.h"
#include "base/err.h"

/* Whole file, at most `max` bytes. */
bool file_read(const char *path, size_t max, struct arena *a, struct bytes *ret, struct err *e) CHECKED;
/* Written beside and renamed, synced: after a crash either the old or the new content is there. */
bool file_write(const char *path, struct bytes b, unsigned mode, struct err *e) CHECKED;
bool folder_make(const char *path, unsigned mode, struct err *e) CHECKED; /* with its parents */
/* Names of regular files in a folder, sorted; hidden files are left out. */
bool folder_list(const char *path, struct arena *a, const char *const **ret, size_t *ret_count, struct err *e) CHECKED;
/* The files that folder_list() names, each of at most `max` bytes. */
bool folder_read(const char *path, size_t max, struct arena *a, const struct named_bytes **ret, size_t *ret_count, struct err *e) CHECKED;

int64_t clock_now(void);       /* seconds since 1970 UTC */
uint64_t clock_monotonic_us(void);

/* Resident memory of this process in bytes; the kernel's file is opened at the first call. */
int64_t process_memory(void);

/* One JSON line on stderr in one write; `fields` is JSON members without braces, or "". */
void log_line(const char *level, const char *process, const char *message, const char *fields);
void log_error(const char *process, const struct err *e);

#endif
