/* What the planning of a scan starts from. */
#ifndef LASER_PLAN_SCAN_PLAN_H
#define LASER_PLAN_SCAN_PLAN_H

#include "plan/schedule.h"
#include "run/run.h"

#define LASER_SOLVE_SLAB_BYTES (32 << 20) /* of a matrix that one rank reads at a time, as float64 */

/* The route that the deck's solver takes on one rank. */
enum laser_route laser_scan_route(const struct laser_run *run);

/* Local, the same on every rank.  The matrices i with open[i] (all if NULL) as laser_plan_make takes them:
 * malloc'ed, *n of them; indices[j] (may be NULL) is the number of the j-th.  LASER_ENOMEM. */
int laser_scan_wanted(const struct laser_run *run, const unsigned char *open,
                      struct laser_plan_matrix **wanted, int64_t *indices, int64_t *n,
                      struct laser_error *err);

/* Local.  Estimate of the peak of the fullest rank in bytes: what the cost model has for the jobs of the
 * plan, whose matrices are numbers into run->matrices, on top of what a rank of this program holds before; at
 * least what rank 0 needs to write the results. */
double laser_scan_peak_bytes(const struct laser_run *run, const struct laser_cost_rates *rates,
                             const struct laser_plan *plan);

#endif
