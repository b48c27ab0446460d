/* The edits of a reduction: matrices with changed singular values, each in a file of its own in the output
 * directory (laser_matrix_redirect), to be switched on in a model (evaluate/evaluate.h) or written into a
 * checkpoint.
 */
#ifndef LASER_REDUCE_EDITS_H
#define LASER_REDUCE_EDITS_H

#include "evaluate/evaluate.h"
#include "reduce/strategy.h"
#include "run/run.h"

struct laser_edit_list {
    struct laser_strategy_edit *edits; /* every rank */
    struct laser_edit_file *files;     /* every rank: tensor and path of each */
    struct laser_part_record *values;  /* every rank: singular values of each edit's matrix */
    int n;
};

/* Shall the edits of a matrix be evaluated as two factors where they are of low rank? */
bool laser_edits_want_thin(const struct laser_run *run, const struct laser_matrix *matrix);

/* Rank 0.  Says how much room the edits of a plan take as files, at most.  ranks: singular values that each
 * leaves. LASER_EIO: the disk has less. */
int laser_edits_disk(const struct laser_run *run, const struct laser_strategy_plan *plan,
                     const int64_t *ranks, struct laser_error *err);

/* Path of an edit's two factors, beside the file of its matrix. */
void laser_edit_thin_path(const char *path, char *thin, size_t size);

/* Factors of the singular values for one edit. */
int laser_edit_ratio(const struct laser_run *run, const struct laser_strategy_edit *edit, const double *sigma,
                     const struct laser_matrix *m, double *ratio, struct laser_error *err);

/* Matrix, tensor and path of each edit of the list. */
int laser_edit_list_fill(struct laser_run *run, struct laser_edit_list *list, struct laser_error *err);

/* Rank 0: matrices with an edit whose file is missing, in the order of the edits; *n of them, the caller frees.  NULL without
 * memory. */
int64_t *laser_edit_list_missing(const struct laser_run *run, const struct laser_edit_list *list, int64_t *n);

/* Local.  The singular values after an edit, with those that are in a file read.  *rank: how many
 * stay above 0. s_new may be sigma. */
int laser_edit_values(const struct laser_run *run, const struct laser_edit *edit,
                      const struct laser_matrix *matrix, const double *sigma, double *s_new, int64_t *rank,
                      struct laser_error *err);

void laser_edit_list_free(struct laser_edit_list *list);

#endif
