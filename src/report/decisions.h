/* The decisions of a reduction, as results.json has them, in the unit that people read.  Private to this module. */
#ifndef LASER_REPORT_DECISIONS_H
#define LASER_REPORT_DECISIONS_H

#include <jansson.h>
#include <stddef.h>

/* What the search improves: perplexity, which is multiplied by e^change, or a figure of tasks, to which the change is added
 * (sign -1: taken from it, as the figure rises). */
struct laser_goal {
    const char *name, *items; /* "perplexity", "windows" */
    double base;              /* of the model as it is; NaN: not known */
    int sign;                 /* 0: perplexity */
};
void laser_goal_read(const json_t *results, struct laser_goal *goal);
double laser_goal_moved(const struct laser_goal *goal, double level, double change);

struct laser_decision {
    const char *tensor;              /* NULL where many matrices are edited together */
    double level, difference, error; /* NaN: not known */
    double share;                    /* of the singular values, that is left */
    int kept, early;
    int measured; /* by a sweep: it was not to be decided */
};

/* `sweep` and `decisions` of results.json.  The level of each is the best so far, moved by its difference, as not all are
 * measured on all windows.  The caller frees *list; strings belong to the results.  Returns how many, -1 without memory. */
long laser_decisions_read(const json_t *results, const struct laser_goal *goal, struct laser_decision **list);

/* A number, or one of the strings "Infinity", "-Infinity"; else NaN. */
double laser_result_number(const json_t *object, const char *key);

#endif
