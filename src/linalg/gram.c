#include "linalg/gram.h"

#include "linalg/array.h"
#include "linalg/lapack.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

int laser_gram_init(struct laser_gram *gram, int64_t rows, int64_t columns, struct laser_error *err)
{
    *gram = (struct laser_gram){.exponent = 0};
    int code = laser_slabs_init(&gram->slabs, rows, columns, err);
    if (code != LASER_OK)
        return code;
    size_t n = (size_t)gram->slabs.n;
    gram->g = laser_array_zeros(n * n);
    if (gram->g == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a Gram matrix of %zu x %zu", n, n);
    return LASER_OK;
}

void laser_gram_free(struct laser_gram *gram)
{
    free(gram->g);
    gram->g = NULL;
}

/* Makes room for entries as large as `largest`. */
static void adapt_scale(struct laser_gram *gram, double largest)
{
    size_t n = (size_t)gram->slabs.n;
    int empty = 1;
    for (size_t i = 0; i < n * n && empty; i += n + 1)
        empty = gram->g[i] == 0;
    int exponent = laser_scale_choose(gram->exponent, empty, largest);
    if (!empty)
        laser_scale(gram->g, n * n, 2 * (gram->exponent - exponent));
    gram->exponent = exponent;
}

int laser_gram_add(struct laser_gram *gram, double *slab, int64_t count, struct laser_error *err)
{
    const double one = 1;
    double largest;
    int code = laser_slabs_check(&gram->slabs, slab, count, &largest, err);
    if (code != LASER_OK || count == 0)
        return code;
    adapt_scale(gram, largest);
    laser_scale(slab, (size_t)count * (size_t)gram->slabs.n, -gram->exponent);
    int n = gram->slabs.n, k = (int)count;
    /* A row-major slab is its transpose in Fortran's order. */
    if (gram->slabs.by_rows)
        dsyrk_("L", "N", &n, &k, &one, slab, &n, &one, gram->g, &n);
    else
        dsyrk_("L", "T", &n, &k, &one, slab, &k, &one, gram->g, &n);
    gram->slabs.taken += count;
    return LASER_OK;
}

int laser_gram_normalise(struct laser_gram *gram)
{
    size_t n = (size_t)gram->slabs.n;
    int exponent = 0;
    double largest = 0;
    /* the largest entry of a Gram matrix is on its diagonal */
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, gram->g[i + i * n]);
    frexp(largest, &exponent);
    exponent += exponent & 1;
    laser_scale(gram->g, n * n, -exponent);
    return exponent / 2 + gram->exponent;
}

void laser_gram_roots(double *w, int n, int exponent)
{
    /* Rounding spreads the zeros of a rank-deficient matrix about 0, to both sides alike: what is not clearly
     * larger than the most negative eigenvalue is a zero. */
    double nothing = w[0] < 0 ? -3 * w[0] : 0;
    for (int i = 0; i < n / 2; i++) {
        double swap = w[i];
        w[i] = w[n - 1 - i];
        w[n - 1 - i] = swap;
    }
    for (int i = 0; i < n; i++)
        w[i] = w[i] > nothing ? ldexp(sqrt(w[i]), exponent) : 0;
}

int laser_gram_values(struct laser_gram *gram, enum laser_stages stages, double *s, struct laser_error *err)
{
    int n = gram->slabs.n, code = laser_slabs_complete(&gram->slabs, err);
    if (code != LASER_OK)
        return code;
    int exponent = laser_gram_normalise(gram);
    code = laser_symmetric_values(gram->g, n, stages, s, err);
    if (code == LASER_OK)
        laser_gram_roots(s, n, exponent);
    return code;
}
