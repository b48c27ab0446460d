/* Matrices that a compression leaves as they are, and why. */
#ifndef LASER_COMPRESS_LEFT_OUT_H
#define LASER_COMPRESS_LEFT_OUT_H

#include <stdint.h>

#include "run/run.h"

/* Matrices that fewer tokens reached are left out: the covariances of an expert would be those of a few words. */
#define LASER_CUTS_TOKENS 64

enum laser_left_out {
    LASER_NOT_LEFT_OUT,
    LASER_LEFT_OUT_BESIDE,
    LASER_LEFT_OUT_ROUTER,
    LASER_LEFT_OUT_FACTOR,
    LASER_LEFT_OUT_ALTERNATES,
    LASER_LEFT_OUT_SCALED,
    LASER_LEFT_OUT_SMALL,
    LASER_LEFT_OUT_FEW_TOKENS,
    LASER_LEFT_OUT_REASONS
};

/* From the matrix alone, before any pass over a text. */
enum laser_left_out laser_left_out(const struct laser_run *run, int64_t matrix);
const char *laser_left_out_text(enum laser_left_out why);

#endif
