/* What the loss of a text says about the singular values of one matrix.
 *
 * With W = U S V^T, the inputs x_t of the linear layer and the gradients delta_t of the summed loss with
 * respect to its outputs, p_ti = (u_i . delta_t)(v_i . x_t) is what token t says about value i, and
 *   g_i  = sum_t p_ti       the gradient of the summed loss with respect to S_i,
 *   F_ij = sum_t p_ti p_tj  the empirical Fisher information of the values.
 * A change d of the values is predicted to change the summed loss by g . d + d' F d / 2.
 *
 * Values that are equal have no vectors of their own (any rotation of them is as good): they move together,
 * by the same amount, so that nothing depends on the rotation.  A value of 0 has none either and stays. Where
 * only the diagonal of F is kept, each of c equal values has F_ii = sum_t (sum of their p)^2 / c, which does
 * not depend on it.
 */
#ifndef LASER_SENSITIVITY_FISHER_H
#define LASER_SENSITIVITY_FISHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct laser_fisher {
    int64_t n;        /* singular values */
    bool block;       /* F whole, else its diagonal alone */
    double tokens;    /* scored tokens that reached the matrix: the loss is a sum over them */
    double windows;   /* windows (or questions) that the sums are over */
    double *gradient; /* [n] g */
    double *squares;  /* [n] sum over windows of the square of the window's g */
    double *fisher;   /* [n, n] symmetric, of which the upper triangle (row <= column) counts, or [n] */
};

/* F_ij of either form. */
double laser_fisher_at(const struct laser_fisher *f, int64_t i, int64_t j);

/* error[n]: the standard error of g, from the spread of the windows: sqrt(W (sum g_w^2 - g^2 / W) / (W - 1))
 * for W windows; NaN for one window. */
void laser_fisher_error(const struct laser_fisher *f, double *error);

/* unknown[n]: the number of the unknown that each value of s[n] (largest first) belongs to, equal ones to
 * one; -1 for a zero.  Equal is what rounding cannot tell apart.  Returns how many unknowns there are. */
int64_t laser_fisher_unknowns(const double *s, int64_t n, int64_t *unknown);

/* p[n] of one token: each of c equal values gets their sum / sqrt(c). */
void laser_fisher_share(const int64_t *unknown, int64_t n, float *p);

/* direction[n] = -(F + damping * mean(F_ii) I)^-1 g, where equal values of s[n] (largest first) are one
 * unknown and zeros none; the mean is over the unknowns.  damping > 0.  All zero where F is.  LASER_ENOMEM;
 * LASER_ENUMERIC: F is not finite. */
int laser_fisher_direction(const struct laser_fisher *f, const double *s, double damping, double *direction,
                           struct laser_error *err);

/* The same with F scaled so that the mean of F_ii is `curvature`: of gradients that are not of the loss (a
 * divergence is flat where the models agree) F tells the shape of the curvature, but not its size.  *scale: what F
 * was multiplied by; 0 where F is zero. */
int laser_fisher_direction_scaled(const struct laser_fisher *f, const double *s, double damping,
                                  double curvature, double *direction, double *scale,
                                  struct laser_error *err);

/* s_new[n] = s + length * direction, at least 0; with only_shrink at most `original` too.  s_new may be s. */
void laser_fisher_move(int64_t n, const double *s, const double *direction, double length, bool only_shrink,
                       const double *original, double *s_new);

/* Predicted change of the summed loss for s -> s + d: g . d + d' F d / 2. */
double laser_fisher_predict(const struct laser_fisher *f, const double *d);

#endif
