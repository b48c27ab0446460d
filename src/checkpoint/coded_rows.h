/* What reads codes that stand row by row, and what makes such codes again (encode.c), share. */
#ifndef LASER_CHECKPOINT_CODED_ROWS_H
#define LASER_CHECKPOINT_CODED_ROWS_H

#include "checkpoint/scale.h"

/* What is needed for the rows of one window. */
struct laser_rows {
    const struct laser_checkpoint *c;
    const struct laser_tensor *t;
    const struct laser_coded *k;
    const struct laser_coded_window *w;
    struct laser_scale scale;
    struct laser_scale zero;
    double *zeros; /* of packed zero points: n_rows x groups */
    int64_t n_groups;
    double *index;  /* group of each column */
    double *scale2; /* one value */
    unsigned char *codes;
    int64_t row_bytes;  /* of codes that were read for a row */
    int64_t first_code; /* column of the first */
};

/* FP4 (e2m1). */
extern const double laser_fp4_values[16];

/* Reads codes, scales and zero points of r->w; errors as laser_coded_rows.  Close it in any case. */
int laser_rows_open(struct laser_rows *r, struct laser_error *err);
void laser_rows_close(struct laser_rows *r);

/* The codes of row i of the window as numbers. */
void laser_rows_unpack(const struct laser_rows *r, int64_t i, double *dst);

/* From numbers to values, in place, within one block: s is its scale, z its zero point (or what is added). */
void laser_rows_apply(const struct laser_rows *r, double s, double z, int64_t n, double *v);

/* The zero point of column j of row i of the window, which is of a group. */
double laser_rows_zero(const struct laser_rows *r, int64_t i, int64_t j, int64_t group);

/* Rounds to a type that has fewer bits. */
void laser_rows_round(enum laser_dtype dtype, int64_t n, double *v);

#endif
