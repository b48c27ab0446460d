#include "plan/cost.h"

#include <math.h>

#include "layout/blockcyclic.h"
#include "layout/gridshape.h"
#include "plan/machine.h"

/* No machine has more; bounds the search for "how many ranks would do". */
#define RANKS_MAX (1 << 20)

void laser_cost_defaults(struct laser_cost_rates *rates)
{
    rates->gemm_flops = LASER_GEMM_FLOPS;
    rates->tridiagonal_flops = LASER_TRIDIAGONAL_FLOPS;
    rates->reduce_flops = LASER_REDUCE_FLOPS;
    rates->read_bytes = LASER_READ_BYTES_S;
    rates->net_bytes = LASER_NET_BYTES_S;
    rates->net_latency_s = LASER_NET_LATENCY_S;
    rates->matrix_s = LASER_MATRIX_S;
    rates->base_bytes = LASER_SCAN_BASE_BYTES;
}

void laser_cost_calibrate(struct laser_cost_rates *rates, double gemm_flops)
{
    double factor = gemm_flops / rates->gemm_flops;

    rates->gemm_flops *= factor;
    rates->tridiagonal_flops *= factor;
    rates->reduce_flops *= factor;
}

const char *laser_route_name(enum laser_route route)
{
    static const char *const names[LASER_ROUTES] = {"gram (serial)", "gesvd (serial)",   "gram (group)",
                                                    "gesvd (group)", "rebuild (serial)", "rebuild (group)"};

    return (unsigned)route < LASER_ROUTES ? names[route] : "unknown";
}

enum laser_route laser_route_for(enum laser_route route, int ranks)
{
    switch (route) {
    case LASER_ROUTE_SERIAL_GRAM:
    case LASER_ROUTE_GRAM:
        return ranks == 1 ? LASER_ROUTE_SERIAL_GRAM : LASER_ROUTE_GRAM;
    case LASER_ROUTE_SERIAL_GESVD:
    case LASER_ROUTE_GESVD:
        return ranks == 1 ? LASER_ROUTE_SERIAL_GESVD : LASER_ROUTE_GESVD;
    default:
        return ranks == 1 ? LASER_ROUTE_SERIAL_REBUILD : LASER_ROUTE_REBUILD;
    }
}

/* Where a QR factorisation before the bidiagonal reduction saves work (Chan 1982). */
static int is_long(double l, double s)
{
    return l > 5.0 / 3.0 * s;
}

static double gesvd_product_flops(double l, double s)
{
    return is_long(l, s) ? 2 * s * s * l - 2.0 / 3.0 * s * s * s : 0;
}

static double gesvd_reduce_flops(double l, double s)
{
    return is_long(l, s) ? 8.0 / 3.0 * s * s * s : 4 * s * s * l - 4.0 / 3.0 * s * s * s;
}

/* Parts of the work at matrix-product speed and at the speed of a tridiagonal or bidiagonal reduction. */
static void split_flops(enum laser_route route, double l, double s, double *product, double *reduce)
{
    switch (laser_route_for(route, 1)) {
    case LASER_ROUTE_SERIAL_GRAM:
        *product = s * s * l;
        *reduce = 4.0 / 3.0 * s * s * s;
        break;
    case LASER_ROUTE_SERIAL_GESVD:
        *product = gesvd_product_flops(l, s);
        *reduce = gesvd_reduce_flops(l, s);
        break;
    default:
        /* Gram, divide and conquer with back-transformation (about 14/3 s^3), two products with s/2 vectors.
         */
        *product = s * s * l + 14.0 / 3.0 * s * s * s + 2 * s * s * l;
        *reduce = 4.0 / 3.0 * s * s * s;
        break;
    }
}

double laser_cost_flops(enum laser_route route, int64_t m, int64_t n)
{
    double product, reduce;

    split_flops(route, (double)(m > n ? m : n), (double)(m < n ? m : n), &product, &reduce);
    return product + reduce;
}

static int is_serial(enum laser_route route)
{
    return laser_route_for(route, 1) == route;
}

double laser_cost_route_seconds(const struct laser_cost_rates *rates, enum laser_route route, int64_t m,
                                int64_t n, int ranks, double stored_bytes)
{
    double l = (double)(m > n ? m : n), s = (double)(m < n ? m : n), product, reduce, g, seconds, steps;
    double bytes = l * s * stored_bytes;

    split_flops(route, l, s, &product, &reduce);
    if (is_serial(route)) {
        double rate = laser_route_for(route, 1) == LASER_ROUTE_SERIAL_GESVD ? rates->reduce_flops
                                                                            : rates->tridiagonal_flops;

        return rates->matrix_s + bytes / rates->read_bytes + product / rates->gemm_flops + reduce / rate;
    }
    {
        struct laser_grid_shape shape = laser_layout_gridshape(m, n, ranks);

        g = (double)shape.nprow * shape.npcol;
        seconds = rates->matrix_s + bytes / ranks / rates->read_bytes + l * s * 8 / ranks / rates->net_bytes;
    }
    /* A reduction of order s communicates a few times for every column, over log2 of the group. */
    steps = 8 * s * log2(2 * g);
    return seconds + product / g / rates->gemm_flops + reduce / g / rates->reduce_flops +
           steps * rates->net_latency_s;
}

/* Local elements of an m x n matrix on the fullest process, process (0, 0). */
static double local_elements(int64_t m, int64_t n, const struct laser_grid_shape *shape)
{
    return (double)laser_layout_numroc(m, shape->nb, 0, shape->nprow) *
           (double)laser_layout_numroc(n, shape->nb, 0, shape->npcol);
}

double laser_cost_memory(const struct laser_cost_rates *rates, enum laser_route route, int64_t m, int64_t n,
                         int ranks)
{
    double l = (double)(m > n ? m : n), s = (double)(m < n ? m : n), square, whole;
    struct laser_grid_shape shape = laser_layout_gridshape(m, n, is_serial(route) ? 1 : ranks);

    square = local_elements(m < n ? m : n, m < n ? m : n, &shape);
    whole = local_elements(m, n, &shape);
    switch (route) {
    case LASER_ROUTE_SERIAL_GRAM: /* Gram matrix, panels and band; the long side is streamed */
        return rates->base_bytes + 8 * s * s + 3700 * s;
    case LASER_ROUTE_SERIAL_GESVD:
        return rates->base_bytes + 8 * (l * s + s * s + 64 * (l + s));
    case LASER_ROUTE_GRAM: /* matrix, Gram matrix, workspace of the reduction on its own (square) grid */
        return rates->base_bytes + 8 * (whole + 2 * square + 4 * shape.nb * s);
    case LASER_ROUTE_GESVD:
        return rates->base_bytes + 8 * (whole + square + 4 * shape.nb * (l + s));
    case LASER_ROUTE_SERIAL_REBUILD:
        return rates->base_bytes + 8 * (2 * l * s + 4 * s * s);
    default: /* matrix, projected matrix, Gram matrix, eigenvectors, workspace of divide and conquer */
        return rates->base_bytes + 8 * (2 * whole + 5 * square + 4 * shape.nb * s);
    }
}

static int fits(const struct laser_cost_rates *rates, enum laser_route route, int64_t m, int64_t n, int ranks,
                double limit_bytes)
{
    return laser_cost_memory(rates, laser_route_for(route, ranks), m, n, ranks) <= limit_bytes;
}

int laser_cost_group_size(const struct laser_cost_rates *rates, enum laser_route route, const char *name,
                          int64_t m, int64_t n, int ranks, double limit_bytes, int *group_size,
                          struct laser_error *err)
{
    int g;
    double need;

    *group_size = 1;
    if (limit_bytes <= 0)
        return LASER_OK;
    for (g = 1; g <= ranks; g++)
        if (fits(rates, route, m, n, g, limit_bytes)) {
            *group_size = g;
            return LASER_OK;
        }
    need = laser_cost_memory(rates, laser_route_for(route, ranks), m, n, ranks);
    /* Coarser and coarser steps: the answer is a recommendation. */
    while (g <= RANKS_MAX && !fits(rates, route, m, n, g, limit_bytes))
        g += 1 + g / 16;
    if (g > RANKS_MAX)
        return laser_error_set(
            err, LASER_ENOMEM, name,
            "%lld x %lld needs %.0f bytes on each of %d ranks, the limit is %.0f; no number of "
            "ranks would do: raise parallel.memory_per_rank",
            (long long)m, (long long)n, ceil(need), ranks, limit_bytes);
    return laser_error_set(
        err, LASER_ENOMEM, name,
        "%lld x %lld needs %.0f bytes on each of %d ranks, the limit is %.0f; %d ranks would do",
        (long long)m, (long long)n, ceil(need), ranks, limit_bytes, g);
}
