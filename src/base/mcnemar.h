/* McNemar's test of two methods on the same questions (McNemar, Psychometrika 12, 1947), exact. */
#ifndef LASER_BASE_MCNEMAR_H
#define LASER_BASE_MCNEMAR_H

#include <stdint.h>

/* The chance of `better` or more among the better + worse questions that differ, were either as likely:
 * one-sided, from the binomial distribution with 1/2.  1 where none differs. */
double laser_mcnemar_p(int64_t better, int64_t worse);

/* The chance that a normal variable is above z. */
double laser_normal_tail(double z);

/* How many questions must change for the better, and none for the worse, for a chance below this one. */
int64_t laser_mcnemar_fewest(double chance);

/* What two models on the same items differ by: beyond two standard errors (of the difference, in either
 * direction), or for items that are right or wrong beyond the same chance by the exact test. */
enum laser_verdict { LASER_VERDICT_SAME, LASER_VERDICT_BETTER, LASER_VERDICT_WORSE };

/* difference: below 0 is better.  An error that is not finite (one item) tells nothing: the same. */
enum laser_verdict laser_verdict_paired(double difference, double error);
enum laser_verdict laser_verdict_counts(int64_t better, int64_t worse);

/* "no difference", "better", "worse". */
const char *laser_verdict_name(enum laser_verdict verdict);

#endif
