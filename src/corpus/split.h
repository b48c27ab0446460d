/* Split of windows into those that decisions are made on (selection) and those that the report is on.
 *
 * Within each data set: the first windows or a seeded random choice.  Scored positions of the two parts never
 * overlap; the context of an overlapping window (hf-strided) may.
 */
#ifndef LASER_CORPUS_SPLIT_H
#define LASER_CORPUS_SPLIT_H

#include <stdint.h>

#include "base/error.h"
#include "corpus/window.h"

enum laser_split_kind {
    LASER_SPLIT_BLOCK, /* the first windows of a data set are selection, the rest report */
    LASER_SPLIT_SEEDED /* windows drawn by a hash of seed, data set and position: the same on every machine */
};

/* Marks windows[i] with selected[i] = 1 (selection) or 0 (report): of the n windows of each data set,
 * max(1, round(fraction * n)) are selection, at most n - 1.  windows must be grouped by data set, as
 * laser_windows_make() gives them.  LASER_EUSAGE for a fraction outside (0, 1), LASER_EINPUT for a data set
 * of one window, LASER_ENOMEM. */
int laser_windows_split(const struct laser_window *windows, int64_t n_windows, enum laser_split_kind kind,
                        double fraction, uint64_t seed, unsigned char *selected, struct laser_error *err);

/* The same of any items (questions of tasks): dataset[n] says which one each belongs to, those of one
 * standing together. */
int laser_items_split(const int32_t *dataset, int64_t n, enum laser_split_kind kind, double fraction,
                      uint64_t seed, unsigned char *selected, struct laser_error *err);

#endif
