/* windows.h5 of an evaluation (store/windows.h). */
#ifndef LASER_EVALUATE_WINDOWS_FILE_H
#define LASER_EVALUATE_WINDOWS_FILE_H

#include "evaluate/evaluate.h"

/* Rank 0.  The file `name` in the output directory, from the sums of all windows.
 */
int laser_evaluation_windows_write(const struct laser_evaluation *e, const char *name,
                                   const struct laser_window_nll *nll, struct laser_error *err);

#endif
