/* bench.h: measuring: CPU time of a function, median of batches, one JSON line a figure. */
#ifndef AVOUCH_BENCH_BENCH_H
#define AVOUCH_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

typedef void bench_function(void *user, size_t i);

/* Microseconds of CPU a call: median of 9 batches that take about 50 ms each. *ret_n: calls in all. */
double bench_cpu_us(bench_function *f, void *user, size_t *ret_n);

/* {"name","value","unit","floor","ratio","n"}; floor 0: none. */
void bench_print(const char *name, double value, const char *unit, double floor, size_t n);

#endif
