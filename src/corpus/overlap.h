/* Text that stands in two data sets: what is measured on it is not unseen. */
#ifndef LASER_CORPUS_OVERLAP_H
#define LASER_CORPUS_OVERLAP_H

#include <stdint.h>

#include "base/error.h"
#include "corpus/dataset.h"
#include "corpus/window.h"

/* Tokens that must be the same, one after another. */
#define LASER_OVERLAP_TOKENS 32

/* *found: of the n windows, of data sets other than `dataset`, those of which LASER_OVERLAP_TOKENS tokens stand
 * one after another in data set `dataset` too: the first tokens, or others that are as many tokens further on. *of:
 * the windows that were looked for, which are those long enough.  LASER_ENOMEM. */
int laser_windows_overlap(const struct laser_dataset *datasets, int32_t dataset,
                          const struct laser_window *windows, int64_t n, int64_t *found, int64_t *of,
                          struct laser_error *err);

#endif
