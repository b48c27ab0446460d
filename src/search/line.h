/* A line search: which lengths of a step to measure, and which of them to take.
 *
 * Pure: lengths out, measured differences in.  Three lengths around a first guess are measured together;
 * while the longest is the best, longer ones are tried, and while the shortest is (or none is any good),
 * shorter ones.  A step may be taken if it lowers the mean by more than z standard errors of the paired
 * difference and harms no guard.
 */
#ifndef LASER_SEARCH_LINE_H
#define LASER_SEARCH_LINE_H

#include <stdbool.h>

#define LASER_LINE_MAX 12 /* room for lengths */
#define LASER_LINE_MOST                                                                                      \
    6 /* lengths that one search measures at most: three, and one more in three rounds  \
                            */

struct laser_line_step {
    double length;
    double difference,
        error;  /* mean of the paired differences to where the step starts, and its standard error */
    bool harms; /* a guard text got worse by more than its error */
};

struct laser_line {
    double z;
    int n, n_measured, rounds;
    struct laser_line_step steps[LASER_LINE_MAX]; /* in the order in which they were asked for */
};

/* Begins with half of `length`, `length` and twice `length`. */
void laser_line_begin(struct laser_line *line, double length, double z);

/* Are there lengths to measure (steps n_measured .. n - 1)?  The caller fills in what it measured of each,
 * sets n_measured = n and calls laser_line_go_on, which says whether there are more. */
bool laser_line_go_on(struct laser_line *line);

/* The step to take: the lowest mean among those that may be taken; -1: none. */
int laser_line_best(const struct laser_line *line);

#endif
