/* McNemar's test of two methods on the same questions (McNemar, Psychometrika 12, 1947), exact. */
#ifndef LASER_BASE_MCNEMAR_H
#define LASER_BASE_MCNEMAR_H

#include <stdint.h>

/* The chance of `better` or more among the better + worse questions that differ, were either as likely:
 * one-sided, from the binomial distribution with 1/2.  1 where none differs. */
double laser_mcnemar_p(int64_t better, int64_t worse);

/* The chance that a normal variable is above z. */
double laser_normal_tail(double z);

#endif
