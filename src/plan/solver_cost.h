/* What the solvers cost: flops by formula, seconds by a model whose coefficients were measured
 * (bench/svd.md).
 *
 * For one rank and one thread; n, m: short and long side.
 */
#ifndef LASER_PLAN_SOLVER_COST_H
#define LASER_PLAN_SOLVER_COST_H

#include <stdint.h>

enum laser_solver { LASER_SOLVER_GRAM, LASER_SOLVER_GESVD };

/* Flops of taking the matrix in (n^2 m for the Gram matrix, 2 n^2 m for the QR factorisation) and of the
 * values (4/3 n^3, 8/3 n^3). */
double laser_solver_flops_gather(enum laser_solver solver, int64_t rows, int64_t columns);
double laser_solver_flops_values(enum laser_solver solver, int64_t rows, int64_t columns);

/* Estimated seconds on a core whose large dgemm runs at gemm flop/s. */
double laser_solver_seconds(double gemm, enum laser_solver solver, int64_t rows, int64_t columns);

/* Bytes that one rank needs for a matrix taken in by slabs of slab_bytes: the n x n array, the workspace of
 * the values, and one slab. */
int64_t laser_solver_bytes(enum laser_solver solver, int64_t rows, int64_t columns, int64_t slab_bytes);

/* The dgemm rate of this core in flop/s, from a product that takes a few milliseconds; 0 if there is no
 * memory. */
double laser_solver_measure_gemm(void);

#endif
