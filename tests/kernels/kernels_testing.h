/* Shared by the tests of kernels/: reproducible numbers, and every implementation that this machine can run.
 */
#ifndef LASER_TESTS_KERNELS_TESTING_H
#define LASER_TESTS_KERNELS_TESTING_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing.h"

#include "kernels/dispatch.h"
#include "kernels/scratch.h"

static uint64_t random_state = 88172645463325252u;

/* xorshift64 (Marsaglia 2003), a sum of four uniforms in [-1, 1]: bell-shaped, never huge. */
static inline float random_float(void)
{
    float sum = 0;

    for (int i = 0; i < 4; i++) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        sum += (float)(random_state >> 40) * 0x1p-23f - 1;
    }
    return sum * 0.5f;
}

static inline int random_below(int n)
{
    random_float();
    return (int)(random_state % (uint64_t)n);
}

/* Tests ask for little: the limit is for the compiler, which warns of sizes that no test has. */
static inline void *new_bytes(int64_t size_bytes)
{
    void *data;

    if (size_bytes < 0 || size_bytes > INT64_C(1) << 40)
        size_bytes = 0;
    data = aligned_alloc(64, (size_t)((size_bytes + 63) / 64 * 64));
    assert_non_null(data);
    return data;
}

static inline float *new_floats(int64_t n)
{
    float *values = new_bytes(n * (int64_t)sizeof *values);

    for (int64_t i = 0; i < n; i++)
        values[i] = random_float();
    return values;
}

static inline void assert_near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance)) {
        print_error("found %.9g, expected %.9g within %.3g\n", found, expected, tolerance);
        fail();
    }
}

/* Calls fact() once for each implementation of the products that can run here. */
static inline void with_all_kernels(void (*fact)(void))
{
    static const char *const names[] = {"generic", "openblas", "onednn", "avx512", "avx512bf16"};

    for (int i = 0; i < 5; i++)
        if (laser_kernels_choose(names[i], NULL) == LASER_OK) {
            print_message("  kernels: %s\n", names[i]);
            fact();
        }
    assert_int_equal(laser_kernels_choose(NULL, NULL), LASER_OK);
}

/* Calls fact() with each set of vector instructions; those that the machine lacks repeat the next lower one.
 */
static inline void with_all_simd(void (*fact)(void))
{
    for (int simd = LASER_SIMD_BASE; simd <= LASER_SIMD_AVX512; simd++) {
        laser_kernels_limit_simd((enum laser_simd)simd);
        fact();
    }
}

#endif
