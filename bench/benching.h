/* What the benchmarks of the forward pass's parts share: processor time and random numbers. */
#ifndef LASER_BENCH_BENCHING_H
#define LASER_BENCH_BENCHING_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Time of this thread on a processor: what other programs take does not count. */
static inline double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void *allocate(int64_t size_bytes)
{
    void *data = aligned_alloc(64, (size_t)((size_bytes + 63) / 64 * 64));

    if (!data) {
        fprintf(stderr, "no memory\n");
        exit(1);
    }
    return data;
}

/* Uniform in [-scale / 2, scale / 2). */
static inline float *random_floats(int64_t n, float scale)
{
    float *values = allocate(n * (int64_t)sizeof *values);
    uint32_t state = 12345;

    for (int64_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = ((float)(state >> 8) * 0x1p-24f - 0.5f) * scale;
    }
    return values;
}

#endif
