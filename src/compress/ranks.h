/* Which rank each matrix gets.
 *
 * One exchange rate for all matrices: a matrix keeps the values whose predicted loss per parameter,
 * coefficient * s_i^2 / (rows + columns), is above it.  A matrix of rank k costs k (rows + columns)
 * parameters, dense rows * columns; it stays dense where two factors are not smaller.  As leaving the dense
 * form costs all values beyond the break-even rank at once, the step from dense is weighed as a whole (the
 * lower convex hull of loss over size), which gives the smallest predicted loss for its size.
 *
 * Pure and deterministic: equal worth is decided by the order of the matrices.
 */
#ifndef LASER_COMPRESS_RANKS_H
#define LASER_COMPRESS_RANKS_H

#include <stdint.h>

#include "base/error.h"

#define LASER_RANK_DENSE (-1)

struct laser_rank_matrix {
    const char *name; /* for messages; borrowed */
    int64_t rows, columns;
    const double *s;    /* [min(rows, columns)] of laser_cut, largest first; borrowed */
    double coefficient; /* measured over predicted loss of this matrix; 1: as predicted; 0: costs nothing */
    int64_t group;      /* matrices of the same group >= 0 get the same rank; -1: none */
};

enum laser_rank_rule {
    LASER_RANKS_THRESHOLD, /* one exchange rate for all */
    LASER_RANKS_UNIFORM    /* the same share of every matrix's parameters */
};

enum laser_rank_target {
    LASER_TARGET_REMOVE, /* share of the parameters of these matrices to remove, 0 <= value < 1: at least that
                          */
    LASER_TARGET_PARAMETERS, /* largest number of parameters left in these matrices */
    LASER_TARGET_RISE        /* largest predicted rise of the loss, nats a token: 1/2 sum of what is cut */
};

struct laser_rank_options {
    enum laser_rank_rule rule;
    enum laser_rank_target target;
    double value;
    int64_t multiple; /* ranks are multiples of this, at least 1 */
};

struct laser_rank_summary {
    int64_t parameters_before, parameters_after; /* of these matrices */
    int64_t dense;                               /* matrices that stay dense */
    double rise;                                 /* predicted, nats a token: 1/2 sum coefficient * loss */
    double rate; /* largest predicted loss per parameter saved of a step taken */
};

/* ranks [n] (out): LASER_RANK_DENSE, or a multiple of options->multiple with which the factors of the matrix
 * (of its group, taken together) are smaller than the dense form. LASER_EUSAGE: a value out of range; a
 * target that cannot be met (names the smallest size, or share, that can). LASER_ENUMERIC: a value of s is
 * not finite or they are not in order (matrix named).  LASER_ENOMEM. */
int laser_ranks_choose(const struct laser_rank_matrix *matrices, int64_t n,
                       const struct laser_rank_options *options, int64_t *ranks,
                       struct laser_rank_summary *summary, struct laser_error *err);

/* Size and predicted rise of given ranks. */
void laser_ranks_summarise(const struct laser_rank_matrix *matrices, int64_t n, const int64_t *ranks,
                           struct laser_rank_summary *summary);

#endif
