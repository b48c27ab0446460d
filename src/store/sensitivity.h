/* sensitivity.h5: what each singular value is worth (doc/sensitivity.md). */
#ifndef LASER_STORE_SENSITIVITY_H
#define LASER_STORE_SENSITIVITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Of one matrix; all are means over the scored tokens of the text, in nats. */
struct laser_sensitivity_record {
    const char *name, *type;
    int64_t layer, rows, columns, n;
    double reached;                                  /* tokens that went through it */
    const double *sigma, *gradient, *error, *fisher; /* [n]; fisher: the diagonal */
    double cut, step;      /* predicted change of the loss by the rule's cut, by the best step */
    const char *best_edit; /* of those tried the one predicted to do best, and what it does */
    double best;
};

struct laser_sensitivity_meta {
    const char *model, *rule;
    double tokens, windows, loss;
    bool block; /* predictions are from the whole Fisher information */
};

/* Local.  Writes the file, in the place of an old one.  LASER_EIO. */
int laser_sensitivity_write(const char *path, const struct laser_sensitivity_meta *meta,
                            const struct laser_sensitivity_record *records, int64_t n,
                            struct laser_error *err);

#endif
