/* Cost model: flops, seconds and memory per rank of every way to treat one matrix.
 *
 * m x n is the matrix in either order; l and s below are its longer and its shorter side.  Seconds are
 * estimates for planning (order, group sizes, what a user is told beforehand), never for decisions on
 * results. The default rates were measured on one core of a Zen 4 EPYC with one BLAS thread a rank; all can
 * be set.
 */
#ifndef LASER_PLAN_COST_H
#define LASER_PLAN_COST_H

#include <stdint.h>

#include "base/error.h"

enum laser_route {
    LASER_ROUTE_SERIAL_GRAM,    /* one rank: Gram matrix, tridiagonal, its eigenvalues */
    LASER_ROUTE_SERIAL_GESVD,   /* one rank: LAPACK bidiagonal */
    LASER_ROUTE_GRAM,           /* group: pdsyrk, pdsyntrd, eigenvalues */
    LASER_ROUTE_GESVD,          /* group: pdgeqrf of a long matrix, pdgesvd */
    LASER_ROUTE_SERIAL_REBUILD, /* one rank: eigenvectors of the Gram matrix, W' = W Z f Z^T */
    LASER_ROUTE_REBUILD,        /* group: pdsyevd, pdgemm */
    LASER_ROUTES
};

struct laser_cost_rates {
    double gemm_flops;        /* per rank and second: matrix products (dsyrk, dgemm) */
    double tridiagonal_flops; /* serial tridiagonalisation */
    double reduce_flops;      /* per rank: distributed tridiagonal and any bidiagonal reduction */
    double read_bytes;        /* per second and rank, reading and widening the stored weights */
    double net_bytes;         /* per second and rank, redistribution */
    double net_latency_s;     /* one collective step between two ranks */
    double matrix_s;          /* fixed cost of a matrix: orders, answers, record */
    double base_bytes;        /* per rank, whatever the matrix: code, libraries, read buffers */
};

/* The measured defaults. */
void laser_cost_defaults(struct laser_cost_rates *rates);

/* Scales the rates of computing to a core whose large matrix product runs at gemm_flops (flop/s, > 0). */
void laser_cost_calibrate(struct laser_cost_rates *rates, double gemm_flops);

/* One word for a route: "gram (serial)", ... Never NULL. */
const char *laser_route_name(enum laser_route route);

/* The route of a group of `ranks` that does the same as `route`: serial exactly when ranks == 1. */
enum laser_route laser_route_for(enum laser_route route, int ranks);

/* Floating point operations of the whole matrix, all ranks together. */
double laser_cost_flops(enum laser_route route, int64_t m, int64_t n);

/* Estimated seconds on a group of `ranks` (ignored by the serial routes); stored_bytes is the size of one
 * element in the file (2 for bf16). */
double laser_cost_route_seconds(const struct laser_cost_rates *rates, enum laser_route route, int64_t m,
                                int64_t n, int ranks, double stored_bytes);

/* Peak bytes on the fullest rank of the group, rates->base_bytes included.  A double: never overflows. */
double laser_cost_memory(const struct laser_cost_rates *rates, enum laser_route route, int64_t m, int64_t n,
                         int ranks);

/* The smallest group, out of `ranks`, in which the matrix fits into limit_bytes on each rank.  route may be
 * of either kind; one rank means the serial one.  limit_bytes <= 0 is no limit: 1. LASER_ENOMEM if no group
 * of `ranks` is large enough: err->where is `name`, the text gives the bytes that a rank would need, the
 * limit, and how many ranks would do (if any number would). */
int laser_cost_group_size(const struct laser_cost_rates *rates, enum laser_route route, const char *name,
                          int64_t m, int64_t n, int ranks, double limit_bytes, int *group_size,
                          struct laser_error *err);

#endif
