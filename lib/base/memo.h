/* memo.h: a bounded memory of things that were verified once, keyed by the SHA-256 of their bytes.
 *
 * The least recently used entry goes first. A memo only saves work: time and revocation are checked
 * by the caller at each use, never remembered. A found value lives until the next memo_put(). */
#ifndef AVOUCH_BASE_MEMO_H
#define AVOUCH_BASE_MEMO_H

#include "base/bytes.h"

struct memo;

struct memo *memo_new(size_t max_entries); /* NULL: no memory */
void memo_free(struct memo *m);            /* NULL is fine */

/* `tag` separates the rooms: the address of a static object of the caller. NULL m finds nothing. */
void *memo_find(struct memo *m, const void *tag, const uint8_t key[32]);
/* Takes the value over, also when it cannot be kept: then it is freed at once and false is returned. */
bool memo_put(struct memo *m, const void *tag, const uint8_t key[32], void *value, void (*free_value)(void *));
/* The same for what may be large: `bytes` count against the limit, and the least recently used go until it is met. What
 * was found or put just before stays, if both fit. */
bool memo_put_sized(struct memo *m, const void *tag, const uint8_t key[32], void *value, size_t bytes, void (*free_value)(void *));
void memo_limit(struct memo *m, size_t bytes); /* of all that was put with its size; none until then */
size_t memo_count(const struct memo *m);

#endif
