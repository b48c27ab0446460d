#include "linalg/slab.h"

#include "linalg/gram.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int laser_slabs_init(struct laser_slabs *slabs, int64_t rows, int64_t columns, struct laser_error *err)
{
    const int64_t limit = 1 << 20;
    int64_t n = rows < columns ? rows : columns;
    if (n < 1 || n > limit)
        return laser_error_set(err, LASER_EINPUT, NULL,
                               "a matrix of %" PRId64 " x %" PRId64 ": the short side must be 1 to %" PRId64,
                               rows, columns, limit);
    *slabs = (struct laser_slabs){rows, columns, 0, (int)n, rows >= columns};
    return LASER_OK;
}

int64_t laser_gram_slab(int64_t rows, int64_t columns, int64_t slab_bytes)
{
    int64_t n = rows < columns ? rows : columns, m = rows < columns ? columns : rows;
    int64_t count = slab_bytes / (int64_t)sizeof(double) / (n > 0 ? n : 1);
    if (count > INT_MAX)
        count = INT_MAX;
    return count < 1 ? 1 : count > m ? m : count;
}

/* Without their signs doubles order like their bits, infinity and NaN above all others. */
static inline uint64_t larger_size(uint64_t largest, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= UINT64_MAX >> 1;
    return bits > largest ? bits : largest;
}

double laser_largest_entry(const double *x, int64_t count, int64_t *where)
{
    /* four maxima, so that none waits for the one before */
    uint64_t largest[4] = {0, 0, 0, 0};
    double result;
    int64_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (int lane = 0; lane < 4; lane++)
            largest[lane] = larger_size(largest[lane], x[i + lane]);
    for (; i < count; i++)
        largest[0] = larger_size(largest[0], x[i]);
    for (int lane = 1; lane < 4; lane++)
        largest[0] = largest[lane] > largest[0] ? largest[lane] : largest[0];
    memcpy(&result, largest, sizeof result);
    for (i = 0; !isfinite(result) && i < count; i++)
        if (!isfinite(x[i])) {
            if (where != NULL)
                *where = i;
            return x[i];
        }
    return result;
}

static int not_finite(const struct laser_slabs *slabs, double value, int64_t position, int64_t count,
                      struct laser_error *err)
{
    int64_t width = slabs->by_rows ? slabs->columns : count;
    int64_t row = position / width + (slabs->by_rows ? slabs->taken : 0);
    int64_t column = position % width + (slabs->by_rows ? 0 : slabs->taken);
    return laser_error_set(err, LASER_ENUMERIC, NULL, "entry [%" PRId64 ", %" PRId64 "] is %s", row, column,
                           isnan(value) ? "NaN" : "infinite");
}

int laser_slabs_check(const struct laser_slabs *slabs, const double *slab, int64_t count, double *largest,
                      struct laser_error *err)
{
    int64_t total = slabs->by_rows ? slabs->rows : slabs->columns, position = 0;
    if (count < 0 || count > total - slabs->taken || count > INT_MAX)
        return laser_error_set(err, LASER_EINTERNAL, NULL,
                               "a slab of %" PRId64 " after %" PRId64 " of %" PRId64, count, slabs->taken,
                               total);
    *largest = laser_largest_entry(slab, count * slabs->n, &position);
    return isfinite(*largest) ? LASER_OK : not_finite(slabs, *largest, position, count, err);
}

int laser_slabs_complete(const struct laser_slabs *slabs, struct laser_error *err)
{
    int64_t total = slabs->by_rows ? slabs->rows : slabs->columns;
    if (slabs->taken == total)
        return LASER_OK;
    return laser_error_set(err, LASER_EINTERNAL, NULL, "only %" PRId64 " of %" PRId64 " were added",
                           slabs->taken, total);
}

int laser_scale_choose(int exponent, int empty, double largest)
{
    int arriving = 0;
    if (largest == 0)
        return exponent;
    frexp(largest, &arriving);
    int wanted = abs(arriving) <= LASER_SAFE ? 0 : arriving;
    return empty || arriving > exponent + LASER_SAFE ? wanted : exponent;
}

void laser_scale(double *x, size_t count, int exponent)
{
    /* in two steps, since the factor itself may leave the range */
    double first = ldexp(1, exponent / 2), second = ldexp(1, exponent - exponent / 2);
    for (size_t i = 0; exponent != 0 && i < count; i++)
        x[i] = x[i] * first * second;
}
