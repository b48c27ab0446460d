/* What a reduction is going to do, before it begins: how many evaluations, how long, what is left out. */
#ifndef LASER_REDUCE_FORECAST_H
#define LASER_REDUCE_FORECAST_H

#include "reduce/reduce.h"

struct laser_forecast {
    enum laser_strategy strategy;
    int trials;                            /* edits that there are */
    int evaluations;                       /* that are evaluated at most; of tune: steps */
    int passes;                            /* for gradients, at most */
    int64_t gradient_tokens;               /* of a pass */
    int64_t selecting_tokens, rest_tokens; /* that an evaluation takes; that are reported before and after */
    double gradient_s, evaluation_s, edits_s,
        rest_s;            /* of all passes and evaluations; 0: the speed is not known */
    double gradient_bytes; /* of a rank: sums and vectors; 0: no gradient */
};

/* Seconds of a token on all groups, as the evaluation before took them; 0: none did. */
double laser_forecast_measured(const struct laser_evaluation *evaluation);

/* Batches that a round of tune takes gradients on. */
int64_t laser_forecast_calibration(const struct laser_evaluation *evaluation);

/* Rank 0, with the items in their parts and a layout.  token_s: seconds of a token on all groups; 0: by speed. */
void laser_forecast_tune(const struct laser_evaluation *evaluation, const struct laser_calibration *speed,
                         double token_s, struct laser_forecast *forecast);

/* Of a search with so many trials. */
void laser_forecast_search(const struct laser_reduction_setup *setup, int trials,
                           const struct laser_calibration *speed, double token_s,
                           struct laser_forecast *forecast);

/* Of `sensitivity`, which predicts so many edits. */
void laser_forecast_sensitivity(const struct laser_evaluation *evaluation, int trials,
                                const struct laser_calibration *speed, struct laser_forecast *forecast);

/* Lines of the log that begin with WORK. */
void laser_forecast_say(struct laser_log *log, const struct laser_forecast *forecast);

#endif
