/* bucket.h: how often a source may be asked, and when again after it failed. Pure: time is an argument. */
#ifndef AVOUCH_COLLATERAL_BUCKET_H
#define AVOUCH_COLLATERAL_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/* Tokens come at a steady rate up to `burst`. A quarter of them is kept for what is known to exist:
 * names that somebody invents cannot use up what the refreshing of real platforms needs. */
struct bucket {
    double rate;  /* a second */
    double burst; /* at least 1 */
    double tokens;
    uint64_t at_us;
};

struct bucket bucket_open(double rate, double burst, uint64_t now_us);
/* Takes one; false: *ret_wait_us until there may be one. `known` may use the reserve. */
bool bucket_take(struct bucket *b, bool known, uint64_t now_us, uint64_t *ret_wait_us);

/* Doubles from `first_us` with each failure up to `max_us`; `random` spreads the upper half. */
uint64_t backoff_us(unsigned failures, uint64_t first_us, uint64_t max_us, uint32_t random);

/* Whether a source is worth asking at all: after failures for three different things in a row it is left
 * alone for a while, then one request probes it. One platform's trouble alone never closes it. */
struct breaker {
    unsigned failures;     /* in a row, each for another key than the one before */
    uint64_t last_key;     /* hash of the key that failed last */
    uint64_t closed_until_us; /* 0: open for business */
    bool probing;          /* one request is under way to find out */
};

bool breaker_allows(const struct breaker *b, uint64_t now_us);
void breaker_begin(struct breaker *b, uint64_t now_us); /* a request goes out */
void breaker_success(struct breaker *b);
void breaker_failure(struct breaker *b, uint64_t key_hash, uint64_t now_us, uint32_t random);
/* The source said itself when it wants to be asked again (429, 503 with Retry-After). */
void breaker_close(struct breaker *b, uint64_t until_us);

#endif
