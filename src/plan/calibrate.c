#include "plan/calibrate.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "kernels/linear.h"
#include "linalg/lapack.h"
#include "linalg/symmetric.h"

#define ENOUGH_S     0.015 /* of each kind, and at least TIMES */
#define TIMES        4
#define LEAST_ORDER  64
#define MOST_ORDER   576 /* larger ones take longer than such a measurement may */
#define PRODUCT_SIDE 512
#define LAYER_SIDE   512 /* of a linear layer */
#define LAYER_TOKENS 256

/* The least time of some repetitions: what a neighbour of the moment takes does not count. */
struct stopwatch {
    double begun_s, start_s, best_s;
    int times;
};

static bool again(struct stopwatch *w)
{
    double now_s = laser_clock_s();

    if (w->times == 0)
        w->begun_s = now_s;
    return w->times < TIMES || now_s - w->begun_s < ENOUGH_S;
}

static void start(struct stopwatch *w)
{
    w->start_s = laser_clock_s();
}

static void stop(struct stopwatch *w)
{
    double s = laser_clock_s() - w->start_s;

    w->best_s = w->times++ == 0 ? s : fmin(w->best_s, s);
}

static double rate(const struct stopwatch *w, double flops)
{
    return w->best_s > 0 ? flops / w->best_s : 0;
}

/* The product of a scan: a symmetric one, of n * n * n operations. */
static double measure_product(int n)
{
    size_t square = (size_t)n * (size_t)n;
    double *a = malloc(2 * square * sizeof *a), one = 1, zero = 0;
    struct stopwatch w = {0};

    if (a == NULL)
        return 0;
    for (size_t i = 0; i < 2 * square; ++i)
        a[i] = (double)(i % 7);
    while (again(&w)) {
        start(&w);
        dsyrk_("L", "N", &n, &n, &one, a, &n, &zero, a + square, &n);
        stop(&w);
    }
    free(a);
    return rate(&w, (double)square * n);
}

static double measure_tridiagonal(int n)
{
    double *a = malloc((size_t)n * (size_t)n * sizeof *a), *values = malloc((size_t)n * sizeof *values);
    struct stopwatch w = {0};
    struct laser_error ignored;
    bool fine = a != NULL && values != NULL;

    while (fine && again(&w)) {
        unsigned state = 12345;
        for (int i = 0; i < n * n; ++i) {
            state = state * 1664525u + 1013904223u;
            a[i] = (double)(state >> 8) * 0x1p-24 - 0.5;
        }
        start(&w);
        fine = laser_symmetric_values(a, n, LASER_STAGES_AUTO, values, &ignored) == LASER_OK;
        stop(&w);
    }
    free(a);
    free(values);
    return fine ? rate(&w, 4.0 / 3 * n * n * n) : 0;
}

static double measure_forward(enum laser_precision precision, int64_t side)
{
    int64_t bytes = laser_linear_size(precision, LASER_STORED_BF16, side, side);
    void *packed = bytes > 0 ? aligned_alloc(64, (size_t)bytes) : NULL;
    uint16_t *row = malloc((size_t)side * sizeof *row);
    float *x = malloc(LAYER_TOKENS * (size_t)side * sizeof *x),
          *y = malloc(LAYER_TOKENS * (size_t)side * sizeof *y);
    struct laser_scratch scratch = {0};
    struct laser_linear layer;
    struct laser_error ignored;
    struct stopwatch w = {0};

    if (packed != NULL && row != NULL && x != NULL && y != NULL &&
        laser_linear_init(&layer, precision, LASER_STORED_BF16, side, side, packed, NULL, &ignored) ==
            LASER_OK &&
        laser_scratch_reserve(&scratch, laser_linear_scratch_size(&layer, LAYER_TOKENS), &ignored) ==
            LASER_OK) {
        for (int64_t i = 0; i < side; ++i)
            row[i] = (uint16_t)(0x3c00 + i % 100); /* about 0.01 */
        for (int64_t i = 0; i < LAYER_TOKENS * side; ++i)
            x[i] = (float)(i % 7);
        laser_linear_pack_rows(&layer, 0, side, row, 0);
        while (again(&w)) {
            start(&w);
            laser_linear_apply(&layer, LAYER_TOKENS, x, side, y, side, LASER_STORE, &scratch);
            stop(&w);
        }
    }
    laser_scratch_free(&scratch);
    free(packed);
    free(row);
    free(x);
    free(y);
    return w.times > 0 ? rate(&w, 2.0 * LAYER_TOKENS * (double)side * (double)side) : 0;
}

static int bounded(int64_t n, int least, int most)
{
    return n < least ? least : n > most ? most : (int)n;
}

/* The short side that half of the work has at most, and that half of it has at least. */
static int64_t usual_order(const struct laser_matrix_list *list)
{
    double work[MOST_ORDER + 1] = {0}, all = 0, below = 0;

    for (int64_t i = 0; i < list->n_matrices; ++i) {
        const struct laser_matrix *m = &list->matrices[i];
        double flops = laser_cost_flops(LASER_ROUTE_SERIAL_GRAM, m->rows, m->cols);
        work[bounded(m->rows < m->cols ? m->rows : m->cols, LEAST_ORDER, MOST_ORDER)] += flops;
        all += flops;
    }
    for (int n = 0; n <= MOST_ORDER; ++n)
        if ((below += work[n]) >= all / 2)
            return n;
    return MOST_ORDER;
}

void laser_calibrate(const struct laser_run *run, struct laser_calibration *speed)
{
    enum laser_precision precision = run->settings->evaluate.precision;

    *speed = (struct laser_calibration){.product_flops = measure_product(PRODUCT_SIDE),
                                        .tridiagonal_flops = measure_tridiagonal(
                                            bounded(usual_order(&run->matrices), LEAST_ORDER, MOST_ORDER)),
                                        .forward_flops = measure_forward(precision, LAYER_SIDE)};
}

void laser_calibration_rates(const struct laser_calibration *speed, struct laser_cost_rates *rates)
{
    laser_cost_defaults(rates);
    if (speed->product_flops > 0)
        laser_cost_calibrate(rates, speed->product_flops);
    if (speed->tridiagonal_flops > 0)
        rates->tridiagonal_flops = speed->tridiagonal_flops;
}

double laser_calibration_slowness(const struct laser_calibration *speed)
{
    struct laser_cost_rates assumed, here;

    if (speed->product_flops <= 0)
        return 0;
    laser_cost_defaults(&assumed);
    laser_calibration_rates(speed, &here);
    return fmax(assumed.gemm_flops / here.gemm_flops, assumed.tridiagonal_flops / here.tridiagonal_flops);
}
