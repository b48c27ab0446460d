/* What edits of single matrices are predicted to do, from the sensitivity of their singular values.
 */
#ifndef LASER_SENSITIVITY_PREDICT_H
#define LASER_SENSITIVITY_PREDICT_H

#include <stdint.h>

#include "base/error.h"
#include "run/run.h"
#include "sensitivity/statistics.h"
#include "spectrum/edit.h"

/* The singular values of all matrices of the scan, one after another. */
struct laser_scan_spectrum {
    int64_t n_matrices, n_values;
    int64_t *first;   /* [n_matrices + 1] where the values of a matrix begin */
    double *original; /* [n_values] as the scan found them; rank 0 */
    double *values;   /* [n_values] as they are now; every rank */
};

/* Local: memory for the values of all matrices.  Free with laser_scan_spectrum_free, also after an error. */
int laser_scan_spectrum_create(const struct laser_run *run, struct laser_scan_spectrum *spectrum,
                               struct laser_error *err);
void laser_scan_spectrum_free(struct laser_scan_spectrum *spectrum);

/* An edit of one matrix. */
struct laser_predicted {
    int64_t matrix;
    struct laser_edit what;
    const char *text; /* for people; borrowed, may be NULL */
    double change; /* out: predicted change of the mean loss of a scored token, nats; NaN where the matrix has
                      no sums */
};

/* On the owner of the matrix (*m): g . d + d' F d / 2 with d the change of the singular values by the edit, into edit->change.
 * work: room for the values.  */
void laser_predict_edit(const struct laser_run *run, const struct laser_matrix_statistics *m,
                        const struct laser_scan_spectrum *s, struct laser_predicted *edit, double *work);

#endif
