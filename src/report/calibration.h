/* How well predicted changes of the loss fit measured ones.  Private to this room. */
#ifndef LASER_REPORT_CALIBRATION_H
#define LASER_REPORT_CALIBRATION_H

#include <jansson.h>
#include <stddef.h>

struct laser_calibration_pair {
    double predicted, measured, error; /* nats per token; error NaN: not known */
};

struct laser_calibration {
    struct laser_calibration_pair *pairs;
    size_t n;
    double factor;      /* least squares of measured = factor * predicted; NaN: not defined */
    double correlation; /* Pearson's; NaN: not defined */
};

/* From results.json: the steps of a tuning (`tune.rounds[].steps[]`).  0 without memory.  Free it in any case. */
int laser_calibration_read(const json_t *results, struct laser_calibration *calibration);
void laser_calibration_free(struct laser_calibration *calibration);

#endif
