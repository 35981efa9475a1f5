/* arena.h: all memory of one request, or of one long-lived thing, given back in one call.
 *
 * An arena has a budget. Running out is sticky: arena_alloc() answers NULL from then on, and the
 * budget is thereby the memory limit of a request. Memory is zeroed and aligned for any type. */
#ifndef AVOUCH_BASE_ARENA_H
#define AVOUCH_BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    struct arena_block *spare;  /* emptied by arena_reset(), taken before the kernel is asked */
    size_t left;                /* budget that is not yet handed to a block */
    bool failed;
};

void arena_init(struct arena *a, size_t budget);
void arena_done(struct arena *a); /* frees everything; the arena may be initialised again */

/* Empties the arena but keeps up to a megabyte of its blocks, so that a busy worker does not ask the
 * kernel anew for each request. */
void arena_reset(struct arena *a, size_t budget);

void *arena_alloc(struct arena *a, size_t n) CHECKED;
void *arena_array(struct arena *a, size_t count, size_t size) CHECKED; /* overflow-safe */
#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_many(a, count, type) ((type *)arena_array((a), (count), sizeof(type)))

/* A copy with a NUL behind it (not counted). On failure an empty view whose p is NULL. */
struct bytes arena_copy(struct arena *a, struct bytes b);
/* The same as a C string, or NULL. */
char *arena_str(struct arena *a, struct bytes b);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
