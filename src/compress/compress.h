/* Cuts of a weight matrix to low rank, measured by what the cut does to the loss.
 *
 * A linear layer y = W x, W [rows, columns], has the input covariance C = sum x x^T / N [columns, columns]
 * and the output gradient covariance R = sum d d^T / N [rows, rows], d = gradient of a token's loss at y.  A
 * change D of W costs, to second order and with the Fisher information factored as R (x) C (Martens and
 * Grosse, arXiv 1503.05671), 1/2 |R^(1/2) D C^(1/2)|^2 nats a token.  The cut of rank k that costs least is
 * therefore the truncated SVD of the whitened matrix, taken back:
 *
 *     R^(1/2) W C^(1/2) = U S V^T        W_k = (R^(-1/2) U_k S_k) (V_k^T C^(-1/2)) = A B
 *
 * (C alone: SVD-LLM, arXiv 2403.07378; neither: the plain cut.)  What a cut costs is the sum of the squares
 * of the values it leaves out: |R^(1/2) (W - W_k) C^(1/2)|^2 = sum over i >= k of S_i^2.
 *
 * No refit of A for a given B, nor of B for a given A, can lower that: A = argmin |R^(1/2) (W - A B) C^(1/2)|
 * already, as V_k has orthonormal columns.
 *
 * Roots are taken by eigenvectors: a singular C or R (fewer tokens than inputs, dead inputs) is ordinary.  C
 * and R are damped: eigenvalues below zero count as zero, then LASER_ROOT_DAMPING times the largest is added
 * to all.
 *
 * Matrices are float64, row-major, without gaps between rows.  Serial and pure; the same bits wherever it
 * runs with the same BLAS.
 */
#ifndef LASER_COMPRESS_COMPRESS_H
#define LASER_COMPRESS_COMPRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define LASER_ROOT_DAMPING 1e-6

/* The methods, one row each. */
struct laser_compress_method {
    const char *name;
    bool inputs;    /* whitened by C */
    bool gradients; /* whitened by R */
    const char *help;
};

/* The row of this name, or NULL.  laser_compress_methods ends with a row whose name is NULL; the first row is
 * the default. */
extern const struct laser_compress_method laser_compress_methods[];
const struct laser_compress_method *laser_compress_method_find(const char *name);

/* The root of a damped covariance, M = Q diag(roots^2) Q^T.  One covariance serves every matrix that reads
 * the same inputs (q, k and v; gate and up): make it once. */
struct laser_root {
    int64_t n;
    int64_t rank;    /* eigenvalues above n eps times the largest: fewer than n if M is singular */
    double *vectors; /* Q^T [n, n]: row i is the eigenvector of the i-th largest eigenvalue */
    double *roots;   /* [n] square roots of the damped eigenvalues, largest first, all > 0 */
};

/* sum: the undivided sum x x^T [n, n], symmetric, both triangles (the lower one is read); N = weight of all
 * tokens in it.  A sum of zeros (an expert that no token reached) gives the root 1.  Memory: 32 n^2 bytes
 * while it works, 8 n^2 after. LASER_ENUMERIC: not finite (row and column named), or no convergence.
 * LASER_EUSAGE: N < 1.  LASER_ENOMEM. */
int laser_root_make(const double *sum, int64_t n, double tokens, struct laser_root *root,
                    struct laser_error *err);
void laser_root_free(struct laser_root *root);

/* Bytes that laser_root_make and laser_cut_make need at most, beside their arguments. */
int64_t laser_root_bytes(int64_t n);
int64_t laser_cut_bytes(int64_t rows, int64_t columns);

/* Of one rank that makes the sums of a matrix into roots and takes it apart, at most: sums, roots, matrix and
 * work. */
double laser_cut_memory(int64_t rows, int64_t columns, const struct laser_compress_method *method);

/* A matrix taken apart: every cut of it can be read off. */
struct laser_whitened_cut {
    int64_t rows, columns, n; /* n = min(rows, columns) */
    double *s;                /* [n] values of the whitened matrix, largest first */
    double *left;             /* [rows, n]: R^(-1/2) U, column i belongs to s[i] */
    double *right;            /* [n, columns]: V^T C^(-1/2), row i belongs to s[i] */
};

/* w [rows, columns] in the orientation y = W x, destroyed.  inputs: root of C (n = columns) or NULL: the
 * identity; gradients: root of R (n = rows) or NULL.
 * LASER_ENUMERIC: an entry is not finite (named), or no convergence; LASER_ENOMEM; LASER_EINTERNAL: a root of
 * the wrong size. */
int laser_cut_make(double *w, int64_t rows, int64_t columns, const struct laser_root *inputs,
                   const struct laser_root *gradients, struct laser_whitened_cut *cut,
                   struct laser_error *err);
void laser_cut_free(struct laser_whitened_cut *cut);

/* The factors of rank k, 1 <= k <= n: a [rows, k], b [k, columns].  The product is W_k; column i of a and row
 * i of b are scaled to the same length, so that narrow floating types hold both. */
void laser_cut_factors(const struct laser_whitened_cut *cut, int64_t k, double *a, double *b);

/* w [rows, columns] = a [rows, k] b [k, columns]. */
void laser_cut_product(int64_t rows, int64_t columns, int64_t k, const double *a, const double *b, double *w);

/* sum over i >= k of s[i]^2, smallest first.  Half of it is the predicted rise of the loss, in nats a token,
 * if C and R are both in use (only the order of matrices means anything otherwise). */
double laser_cut_loss(const double *s, int64_t n, int64_t k);

#endif
