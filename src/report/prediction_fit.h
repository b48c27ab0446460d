/* How well predicted changes of the loss fit measured ones. */
#ifndef LASER_REPORT_PREDICTION_FIT_H
#define LASER_REPORT_PREDICTION_FIT_H

#include <jansson.h>
#include <stddef.h>

struct laser_prediction_pair {
    double predicted, measured, error; /* nats per token; error NaN: not known */
};

struct laser_prediction_fit {
    struct laser_prediction_pair *pairs;
    size_t n;
    double factor;      /* least squares of measured = factor * predicted; NaN: not defined */
    double correlation; /* Pearson's; NaN: not defined */
};

/* From results.json: the steps of a tuning (`tune.rounds[].steps[]`), then the edits of a sweep and the decisions that have
 * a prediction, then the edits that `sensitivity` has measured (`sensitivity.sample`).  0 without memory.  Free it in any
 * case. */
int laser_prediction_fit_read(const json_t *results, struct laser_prediction_fit *calibration);
void laser_prediction_fit_free(struct laser_prediction_fit *calibration);

/* Adds `predictions` to results.json: how many edits were predicted and measured, correlation and factor; nothing where
 * there are none.  0 without memory. */
int laser_prediction_fit_add(json_t *results);

/* "12 edits: measured = 0.43 x predicted, correlation 0.81"; "" where there is no `predictions`.  Returns text. */
char *laser_prediction_fit_text(const json_t *results, char text[120]);

#endif
