/* Symmetric positive definite systems. */
#ifndef LASER_LINALG_SOLVE_H
#define LASER_LINALG_SOLVE_H

#include <stdint.h>

#include "base/error.h"

/* Solves a x = b in place for `columns` right sides: a[n, n] symmetric, of which both triangles are given, is
 * overwritten; b[n, columns] in Fortran's order (one side after another) becomes x.  LAPACK dposv.
 * LASER_ENUMERIC: a is not positive definite; LASER_EINTERNAL: n is beyond LAPACK's int. */
int laser_solve_positive(int64_t n, double *a, int64_t columns, double *b, struct laser_error *err);

#endif
