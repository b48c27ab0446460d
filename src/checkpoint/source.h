/* What is taken apart in the place of a matrix of a model: the matrix itself, or its difference from that of a
 * base.  An edit of the difference D, to D', makes W + (D' - D) of the matrix W.
 */
#ifndef LASER_CHECKPOINT_SOURCE_H
#define LASER_CHECKPOINT_SOURCE_H

#include "checkpoint/matrix.h"

struct laser_matrix_source {
    const struct laser_checkpoint *model;  /* borrowed, as all of these */
    const struct laser_checkpoint *change; /* W - W_base (difference.h), or NULL: the matrix itself */
    const struct laser_matrix *matrix;     /* of the model */
    struct laser_matrix in_change;         /* the same elements there; the strings are those of `matrix` */
};

/* LASER_EINPUT: the matrix has no difference, with the reason. */
int laser_matrix_source_open(const struct laser_checkpoint *model, const struct laser_checkpoint *change,
                             const struct laser_matrix *matrix, struct laser_matrix_source *source,
                             struct laser_error *err);

/* Bytes that the files have of one element of the matrix, or of both that it is the difference of; 0 where there is no
 * difference. */
double laser_matrix_source_element_bytes(const struct laser_checkpoint *model,
                                         const struct laser_checkpoint *change,
                                         const struct laser_matrix *matrix);

/* A window of what is taken apart: as laser_matrix_read. */
int laser_matrix_source_read(const struct laser_matrix_source *source, int64_t row0, int64_t n_rows,
                             int64_t col0, int64_t n_cols, double *dst, int64_t ld, struct laser_error *err);

/* A window of what it shall be, into the bytes of the edited matrix (laser_matrix_alone): as
 * laser_matrix_write.  Of a difference, W + (src - D) is rounded once. */
int laser_matrix_source_write(const struct laser_matrix_source *source, int64_t row0, int64_t n_rows,
                              int64_t col0, int64_t n_cols, const double *src, int64_t ld, void *bytes,
                              struct laser_error *err);

/* Takes the matrices that have no difference off a list of those of the model: their tensors are skipped,
 * with the reason.  LASER_EINPUT: none is left; LASER_ENOMEM. */
int laser_matrix_list_changed(const struct laser_checkpoint *model, const struct laser_checkpoint *change,
                              struct laser_matrix_list *list, struct laser_error *err);

#endif
