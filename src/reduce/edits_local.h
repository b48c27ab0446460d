/* All edits of one matrix on one rank, from one decomposition. */
#ifndef LASER_REDUCE_EDITS_LOCAL_H
#define LASER_REDUCE_EDITS_LOCAL_H

#include "checkpoint/source.h"
#include "evaluate/thin.h"

/* What a caller does with the bytes of the edited matrix (laser_matrix_alone).  thin: the same, not rounded
 * to its dtype, as two factors, or NULL where they are not asked for, do not pay, or are not at hand. */
typedef int laser_edit_made(void *context, int edit, const void *bytes, const struct laser_thin_factors *thin,
                            struct laser_error *err);

/* Local.  ratios: n_edits x min(rows, columns) factors of the singular values sigma, largest first.  The
 * eigenvectors of the Gram matrix that any of the edits needs are computed once (few of them by a partial
 * solve); an edit that they are not good enough for (linalg/basis.h) goes by dgesdd.  bytes: room for the
 * matrix in its dtype.  made is called for each edit, in order.  LASER_ENOMEM, LASER_ENUMERIC, what reading
 * and made return. */
int laser_edits_local(const struct laser_matrix_source *source, const double *sigma, const double *ratios,
                      int n_edits, bool want_thin, unsigned char *bytes, laser_edit_made *made, void *context,
                      struct laser_error *err);

#endif
