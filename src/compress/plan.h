/* What a compression costs, before any weight is read: memory, passes over the text, operations and seconds. */
#ifndef LASER_COMPRESS_PLAN_H
#define LASER_COMPRESS_PLAN_H

#include <stdbool.h>

#include "compress/compress.h"
#include "plan/calibrate.h"
#include "plan/layout.h"
#include "run/run.h"

/* Of the memory of a rank, for the covariances of one pass. */
#define LASER_COMPRESS_MEMORY_SHARE 0.4

/* Bytes of the covariances of one matrix of run->matrices: what laser_statistics_bytes counts for it. */
double laser_covariance_bytes(const struct laser_run *run, const struct laser_compress_method *method,
                              int64_t matrix);

/* The end of the next matrices from `first` on whose covariances take no more than their share of a rank's
 * memory; at least one. */
int64_t laser_covariance_range(const struct laser_run *run, const struct laser_compress_method *method,
                               double limit_bytes, int64_t first);

struct laser_compress_cost {
    int64_t passes;     /* over the calibration text: matrices in ranges, by memory */
    double range_bytes; /* covariances of the largest range, on the first rank of every copy of the model */
    double sum_bytes;   /* of all matrices: what every copy sends to the owners */
    double sum_flops;   /* a token, for all covariances */
    double reduce_flops,
        product_flops; /* of all cuts: reductions to tridiagonal or bidiagonal form; the rest */
    double longest_reduce, longest_product; /* of the matrix that takes most */
    int64_t largest;                        /* matrix whose cut needs most memory; -1: nothing is cut */
    double largest_bytes;                   /* on the one rank that makes it */
};

/* Independent of ranks, but for the ranges, which depend on limit_bytes a rank. */
void laser_compress_cost(const struct laser_run *run, const struct laser_compress_method *method,
                         double limit_bytes, struct laser_compress_cost *cost);

/* Rank 0.  Lines about a compression with the default method: on this run's ranks, and for plan.nodes a table of 1,
 * 2, 4, ... nodes; what does not fit is named.  layout: of an evaluation on this run's ranks; without one nothing
 * is said. */
int laser_compress_plan(const struct laser_run *run, const struct laser_calibration *here,
                        const struct laser_layout *layout, struct laser_error *err);

#endif
