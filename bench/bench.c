/* bench.c: see bench.h. */
#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCHES = 9 };

static double cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int ascending(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;

    return (a > b) - (a < b);
}

double bench_cpu_us(bench_function *f, void *user, size_t *ret_n)
{
    double batch[BATCHES], t;
    size_t calls = 1, i = 0;

    for (;;) { /* how many calls fill a batch */
        t = cpu_us();
        for (size_t k = 0; k < calls; k++)
            f(user, i++);
        t = cpu_us() - t;
        if (t > 20000)
            break;
        calls *= 2;
    }
    calls = (size_t)((double)calls * 50000 / t) + 1;
    for (size_t b = 0; b < BATCHES; b++) {
        t = cpu_us();
        for (size_t k = 0; k < calls; k++)
            f(user, i++);
        batch[b] = (cpu_us() - t) / (double)calls;
    }
    qsort(batch, BATCHES, sizeof(batch[0]), ascending);
    *ret_n = calls * BATCHES;
    return batch[BATCHES / 2];
}

void bench_print(const char *name, double value, const char *unit, double floor, size_t n)
{
    printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\"", name, value, unit);
    if (floor > 0)
        printf(",\"floor\":%.3f,\"ratio\":%.3f", floor, value / floor);
    else
        printf(",\"floor\":null,\"ratio\":null");
    printf(",\"n\":%zu}\n", n);
    fflush(stdout);
}
