/* The outcome of a sweep in spectra.h5: group /sweep.
 *
 *   layers         [L]        -1: no layer, -2: all layers at once
 *   types          [T]        matrix types or names of the LASER paper
 *   fractions      [F]        kept shares of the rank
 *   gain, stderr   [L, T, F]  how much the objective got better by this edit alone, and the standard error; NaN: none
 *   best_gain, best_fraction
 *                  [L, T]     the best over the fractions
 */
#ifndef LASER_STORE_SWEEP_TABLE_H
#define LASER_STORE_SWEEP_TABLE_H

#include <stdint.h>

#include "base/error.h"

struct laser_spectra_sweep {
    const int64_t *layers;
    int64_t n_layers;
    const char *const *types;
    int64_t n_types;
    const double *fractions;
    int64_t n_fractions;
    const double *gain, *error;              /* L x T x F */
    const double *best_gain, *best_fraction; /* L x T */
};

/* Puts the group into a finished file, as laser_spectra_decisions does. */
int laser_spectra_sweep(const char *path, const struct laser_spectra_sweep *sweep, struct laser_error *err);

#endif
