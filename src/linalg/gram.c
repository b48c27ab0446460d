#include "linalg/gram.h"

#include "linalg/lapack.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Entries within 2^-SAFE ... 2^SAFE need no scaling: their squares and the sums of them stay far from the
 * limits of a double, and what underflows beside them is beyond the last digit. */
#define SAFE 300

int laser_gram_init(struct laser_gram *gram, int64_t rows, int64_t columns, struct laser_error *err)
{
    int64_t n = rows < columns ? rows : columns;
    *gram = (struct laser_gram){.rows = rows, .columns = columns, .by_rows = rows >= columns};
    if (n < 1 || n > 1 << 20)
        return laser_error_set(err, LASER_EINPUT, NULL,
                               "a matrix of %" PRId64 " x %" PRId64 ": the short side must be 1 to %d", rows,
                               columns, 1 << 20);
    gram->n = (int)n;
    gram->g = calloc((size_t)n * (size_t)n, sizeof *gram->g);
    if (gram->g == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL,
                               "no memory for a Gram matrix of %" PRId64 " x %" PRId64, n, n);
    return LASER_OK;
}

void laser_gram_free(struct laser_gram *gram)
{
    free(gram->g);
    gram->g = NULL;
}

int64_t laser_gram_slab(int64_t rows, int64_t columns, int64_t slab_bytes)
{
    int64_t n = rows < columns ? rows : columns, m = rows < columns ? columns : rows;
    int64_t count = slab_bytes / (int64_t)sizeof(double) / (n > 0 ? n : 1);
    if (count > INT_MAX)
        count = INT_MAX;
    return count < 1 ? 1 : count > m ? m : count;
}

double laser_largest_entry(const double *x, int64_t count, int64_t *where)
{
    double largest = 0, poison = 0;
    for (int64_t i = 0; i < count; i++) {
        double size = fabs(x[i]);
        largest = size > largest ? size : largest;
        poison += x[i] * 0; /* NaN from the first NaN or infinite entry on */
    }
    if (poison == 0)
        return largest;
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(x[i])) {
            if (where != NULL)
                *where = i;
            return x[i];
        }
    return largest;
}

static int not_finite(const struct laser_gram *gram, double value, int64_t position, int64_t count,
                      struct laser_error *err)
{
    int64_t width = gram->by_rows ? gram->columns : count, row = position / width, column = position % width;
    if (gram->by_rows)
        row += gram->taken;
    else
        column += gram->taken;
    return laser_error_set(err, LASER_ENUMERIC, NULL, "entry [%" PRId64 ", %" PRId64 "] is %s", row, column,
                           isnan(value) ? "NaN" : "infinite");
}

/* Multiplies by 2^exponent; in two steps, since the factor itself may leave the range. */
static void scale_by_power(double *x, size_t count, int exponent)
{
    double first = ldexp(1, exponent / 2), second = ldexp(1, exponent - exponent / 2);
    for (size_t i = 0; i < count; i++)
        x[i] = x[i] * first * second;
}

/* Makes room for entries as large as `largest`; afterwards the slab is to be scaled by 2^-gram->exponent. */
static void adapt_scale(struct laser_gram *gram, double largest)
{
    int exponent;
    if (largest == 0)
        return;
    frexp(largest, &exponent);
    size_t size = (size_t)gram->n * (size_t)gram->n;
    int first = 1; /* nothing but zeros so far: any scale will do */
    for (size_t i = 0; i < size && first; i += (size_t)gram->n + 1)
        first = gram->g[i] == 0;
    int wanted = abs(exponent) <= SAFE ? 0 : exponent;
    if (first) {
        gram->exponent = wanted;
    } else if (exponent > gram->exponent + SAFE) {
        scale_by_power(gram->g, size, 2 * (gram->exponent - wanted));
        gram->exponent = wanted;
    }
}

int laser_gram_add(struct laser_gram *gram, double *slab, int64_t count, struct laser_error *err)
{
    int64_t total = gram->by_rows ? gram->rows : gram->columns, position = 0;
    const double one = 1;
    if (count < 0 || count > total - gram->taken || count > INT_MAX)
        return laser_error_set(err, LASER_EINTERNAL, NULL,
                               "a slab of %" PRId64 " after %" PRId64 " of %" PRId64, count, gram->taken,
                               total);
    if (count == 0)
        return LASER_OK;
    double largest = laser_largest_entry(slab, count * gram->n, &position);
    if (!isfinite(largest))
        return not_finite(gram, largest, position, count, err);
    adapt_scale(gram, largest);
    if (gram->exponent != 0)
        scale_by_power(slab, (size_t)count * (size_t)gram->n, -gram->exponent);
    int k = (int)count;
    /* A row-major slab is its transpose in Fortran's order. */
    if (gram->by_rows)
        dsyrk_("L", "N", &gram->n, &k, &one, slab, &gram->n, &one, gram->g, &gram->n);
    else
        dsyrk_("L", "T", &gram->n, &k, &one, slab, &k, &one, gram->g, &gram->n);
    gram->taken += count;
    return LASER_OK;
}

int laser_gram_values(struct laser_gram *gram, enum laser_stages stages, double *s, struct laser_error *err)
{
    int64_t total = gram->by_rows ? gram->rows : gram->columns, n = gram->n;
    double largest = 0;
    int exponent = 0;
    if (gram->taken != total)
        return laser_error_set(err, LASER_EINTERNAL, NULL, "only %" PRId64 " of %" PRId64 " were added",
                               gram->taken, total);
    /* the largest entry of a Gram matrix is on its diagonal */
    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, gram->g[i + i * n]);
    frexp(largest, &exponent);
    exponent += exponent & 1;
    if (exponent != 0)
        scale_by_power(gram->g, (size_t)n * (size_t)n, -exponent);
    int code = laser_symmetric_values(gram->g, gram->n, stages, s, err);
    /* Rounding spreads the zeros of a rank-deficient matrix about 0, to both sides alike: what is no larger
     * than the most negative eigenvalue (and half) is a zero. */
    double nothing = code == LASER_OK && s[0] < 0 ? -1.5 * s[0] : 0;
    for (int64_t i = 0; code == LASER_OK && i < n / 2; i++) {
        double swap = s[i];
        s[i] = s[n - 1 - i];
        s[n - 1 - i] = swap;
    }
    for (int64_t i = 0; code == LASER_OK && i < n; i++)
        s[i] = s[i] > nothing ? ldexp(sqrt(s[i]), exponent / 2 + gram->exponent) : 0;
    return code;
}
