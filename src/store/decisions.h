/* The decisions of a reduction in spectra.h5: group /decisions, one data set for each field, in order. */
#ifndef LASER_STORE_DECISIONS_H
#define LASER_STORE_DECISIONS_H

#include <stdint.h>

#include "base/error.h"

struct laser_spectra_decision {
    const char *tensor, *edit, *reason;
    int64_t rank, of, kept, windows;
    double nll, difference, difference_stderr, seconds;
};

/* Puts the group into a finished file: a copy beside it is completed and takes its place.  Local.  LASER_EIO,
 * LASER_ENOMEM: the file is as it was. */
int laser_spectra_decisions(const char *path, const struct laser_spectra_decision *decisions, int64_t n,
                            struct laser_error *err);

#endif
