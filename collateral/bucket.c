/* bucket.c: see bucket.h. */
#include "collateral/bucket.h"

enum { FAILURES = 3, SECOND_US = 1000000 };

struct bucket bucket_open(double rate, double burst, uint64_t now_us)
{
    return (struct bucket){ .rate = rate, .burst = burst < 1 ? 1 : burst, .tokens = burst < 1 ? 1 : burst, .at_us = now_us };
}

bool bucket_take(struct bucket *b, bool known, uint64_t now_us, uint64_t *ret_wait_us)
{
    double need = known || b->burst < 4 ? 1 : 1 + b->burst / 4;

    if (now_us > b->at_us) {
        b->tokens += (double)(now_us - b->at_us) / SECOND_US * b->rate;
        if (b->tokens > b->burst)
            b->tokens = b->burst;
        b->at_us = now_us;
    }
    if (b->tokens >= need) {
        b->tokens -= 1;
        return true;
    }
    *ret_wait_us = (uint64_t)((need - b->tokens) / b->rate * SECOND_US) + 1000;
    return false;
}

uint64_t backoff_us(unsigned failures, uint64_t first_us, uint64_t max_us, uint32_t random)
{
    unsigned doublings = failures == 0 ? 0 : failures - 1;
    uint64_t v = first_us;

    while (doublings-- > 0 && v < max_us)
        v *= 2;
    if (v > max_us)
        v = max_us;
    return v / 2 + (uint64_t)((double)(v / 2) * ((double)random / 4294967295.0));
}

bool breaker_allows(const struct breaker *b, uint64_t now_us)
{
    return b->closed_until_us == 0 || (now_us >= b->closed_until_us && !b->probing);
}

void breaker_begin(struct breaker *b, uint64_t now_us)
{
    b->probing = b->closed_until_us != 0 && now_us >= b->closed_until_us;
}

void breaker_success(struct breaker *b)
{
    *b = (struct breaker){ .failures = 0 };
}

void breaker_failure(struct breaker *b, uint64_t key_hash, uint64_t now_us, uint32_t random)
{
    bool was_probe = b->probing;

    b->probing = false;
    if (now_us < b->closed_until_us) /* it went out before the others failed: the same trouble, not more of it */
        return;
    if (b->failures > 0 && b->last_key == key_hash && !was_probe)
        return;
    b->last_key = key_hash;
    b->failures++;
    if (b->failures >= FAILURES)
        b->closed_until_us = now_us + backoff_us(b->failures - FAILURES + 1, SECOND_US, (uint64_t)300 * SECOND_US, random);
}

void breaker_close(struct breaker *b, uint64_t until_us)
{
    b->probing = false;
    if (until_us > b->closed_until_us)
        b->closed_until_us = until_us;
}
