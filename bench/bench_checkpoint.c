/* Rates of the dtype conversions, beside memcpy of the bytes that they move (read + written).
 * make bench/bench_checkpoint && bench/bench_checkpoint */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "checkpoint/dtype.h"

enum { N = 1 << 22, REPEATS = 7 };

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum direction { TO_F64, TO_F32, FROM_F64, FROM_F32, COPY };

static void convert(enum direction direction, enum laser_dtype dtype, void *narrow, void *wide, size_t bytes)
{
    switch (direction) {
    case TO_F64:
        laser_dtype_to_f64(dtype, narrow, N, wide);
        break;
    case TO_F32:
        laser_dtype_to_f32(dtype, narrow, N, wide);
        break;
    case FROM_F64:
        laser_dtype_from_f64(dtype, wide, N, narrow);
        break;
    case FROM_F32:
        laser_dtype_from_f32(dtype, wide, N, narrow);
        break;
    case COPY: /* reads and writes as many bytes as a conversion of them */
        memcpy(narrow, wide, bytes / 2);
        break;
    }
}

/* GB/s of bytes read and written, the best of a few runs. */
static double rate(enum direction direction, enum laser_dtype dtype, void *narrow, void *wide)
{
    const size_t wide_size = direction == TO_F32 || direction == FROM_F32 ? sizeof(float) : sizeof(double);
    const size_t bytes = (size_t)N * (laser_dtype_size(dtype) + wide_size);
    double best = 1e30;

    for (int i = 0; i < REPEATS; i++) {
        const double start = now_s();
        double elapsed_s;

        convert(direction, dtype, narrow, wide, bytes);
        elapsed_s = now_s() - start;
        best = elapsed_s < best ? elapsed_s : best;
    }
    return 1e-9 * (double)bytes / best;
}

int main(void)
{
    static const enum laser_dtype dtypes[] = {LASER_F64,  LASER_F32,     LASER_F16,
                                              LASER_BF16, LASER_F8_E4M3, LASER_F8_E5M2};
    char *narrow = malloc((size_t)N * sizeof(double));
    char *wide = malloc((size_t)N * sizeof(double));

    if (narrow == NULL || wide == NULL)
        return 1;
    memset(wide, 0, (size_t)N * sizeof(double));
    for (size_t i = 0; i < (size_t)N * sizeof(double); i++)
        narrow[i] = (char)(i * 2654435761u >> 13 & 0x3f);
    printf("GB/s read and written, %d elements\n%-8s %8s %8s %8s %8s %8s\n", N, "dtype", "to_f64", "to_f32",
           "from_f64", "from_f32", "memcpy");
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        const enum laser_dtype d = dtypes[i];

        printf("%-8s %8.1f %8.1f", laser_dtype_name(d), rate(TO_F64, d, narrow, wide),
               rate(TO_F32, d, narrow, wide));
        printf(" %8.1f %8.1f", rate(FROM_F64, d, narrow, wide), rate(FROM_F32, d, narrow, wide));
        printf(" %8.1f\n", rate(COPY, d, narrow, wide));
    }
    free(narrow);
    free(wide);
    return 0;
}
