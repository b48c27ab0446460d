#include "linalg/symmetric.h"

#include "linalg/chase.h"
#include "linalg/lapack.h"
#include "linalg/panel.h"
#include "linalg/sturm.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { B = LASER_BAND };

/* Workspace of one reduction to band form: panels p x B in column order, leading dimension n. */
struct band_work {
    int n;
    double *v;     /* reflectors of the panel, unit lower trapezoidal with the ones and zeros written out */
    double *w;     /* A V T - V (T^T V^T A V T) / 2 */
    double *y;     /* A V */
    double *t;     /* B x B factor of the block reflector */
    double *small; /* B x B */
    double *rows;  /* of laser_panel_multiply */
};

static int work_alloc(struct band_work *work, int n)
{
    size_t panel = (size_t)n * B;
    *work = (struct band_work){.n = n};
    work->v = malloc((3 * panel + 2 * (size_t)B * B + laser_panel_work(n)) * sizeof(double));
    if (work->v == NULL)
        return 0;
    work->w = work->v + panel;
    work->y = work->w + panel;
    work->t = work->y + panel;
    work->small = work->t + (size_t)B * B;
    work->rows = work->small + (size_t)B * B;
    memset(work->t, 0, (size_t)B * B * sizeof *work->t); /* dgeqrt leaves the lower triangle of T alone */
    return 1;
}

/* Moves R of the panel into the band and writes V out with its ones and zeros.  first = global column. */
static void split_panel(const double *panel, int lda, int p, int width, int first, double *band,
                        struct band_work *work)
{
    for (int j = 0; j < width; j++) {
        const double *column = panel + (size_t)j * (size_t)lda;
        double *out = band + (size_t)(first + j) * LASER_BAND_COLUMN;
        double *v = work->v + (size_t)j * (size_t)work->n;
        for (int i = 0; i <= j && i < p; i++)
            out[B + i - j] = column[i];
        memset(v, 0, (size_t)j * sizeof *v);
        v[j] = 1;
        memcpy(v + j + 1, column + j + 1, (size_t)(p - j - 1) * sizeof *v);
    }
}

/* The trailing matrix <- Q^T A Q with Q = I - V T V^T:  A - V W^T - W V^T. */
static void update_trailing(double *a, int lda, int p, int width, struct band_work *work)
{
    const double one = 1, zero = 0, minus = -1, minus_half = -0.5;
    int ld = work->n, b = B;
    laser_panel_multiply(a, lda, p, work->v, work->y, ld, work->rows);
    /* w = y T;  small = T^T (V^T w);  w -= V small / 2 */
    dgemm_("N", "N", &p, &width, &width, &one, work->y, &ld, work->t, &b, &zero, work->w, &ld);
    dgemm_("T", "N", &width, &width, &p, &one, work->v, &ld, work->w, &ld, &zero, work->small, &b);
    dtrmm_("L", "U", "T", "N", &width, &width, &one, work->t, &b, work->small, &b);
    dgemm_("N", "N", &p, &width, &width, &minus_half, work->v, &ld, work->small, &b, &one, work->w, &ld);
    dsyr2k_("L", "N", &p, &width, &minus, work->v, &ld, work->w, &ld, &one, a, &lda);
}

/* The lower triangle of columns first ... first + count - 1, as far as the bandwidth reaches. */
static void copy_diagonal(const double *a, int n, int first, int count, double *band)
{
    for (int j = first; j < first + count; j++) {
        int rows = n - j < B + 1 ? n - j : B + 1;
        if (j + rows > first + count)
            rows = first + count - j;
        memcpy(band + (size_t)j * LASER_BAND_COLUMN, a + j + (size_t)j * (size_t)n, (size_t)rows * sizeof *a);
    }
}

static int reduce_to_band(double *a, int n, double *band, struct laser_error *err)
{
    struct band_work work;
    int first = 0, info = 0, b = B;
    if (!work_alloc(&work, n))
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the panels of a %d x %d matrix", n, n);
    for (; first + B < n; first += B) {
        int p = n - first - B, width = p < B ? p : B;
        double *panel = a + first + B + (size_t)first * (size_t)n;
        double *trailing = panel + (size_t)B * (size_t)n;
        copy_diagonal(a, n, first, B, band);
        /* The last panel is wider than tall: its first p columns carry all reflectors. */
        dgeqrt_(&p, &b, &width, panel, &n, work.t, &b, work.y, &info);
        for (int j = width; j < B; j++)
            for (int i = 0; i < p; i++)
                band[(size_t)(first + j) * LASER_BAND_COLUMN + (size_t)(B + i - j)] =
                    panel[i + (size_t)j * (size_t)n];
        split_panel(panel, n, p, width, first, band, &work);
        update_trailing(trailing, n, p, width, &work);
    }
    copy_diagonal(a, n, first, n - first, band);
    free(work.v);
    return LASER_OK;
}

static int two_stages(double *a, int n, double *d, double *e, struct laser_error *err)
{
    double *storage = calloc(laser_band_size(n), sizeof *storage);
    if (storage == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the band of a %d x %d matrix", n, n);
    int code = reduce_to_band(a, n, laser_band_origin(storage), err);
    if (code == LASER_OK)
        laser_band_tridiagonalise(n, laser_band_origin(storage), d, e);
    free(storage);
    return code;
}

static int one_stage(double *a, int n, double *d, double *e, struct laser_error *err)
{
    int lwork = 64 * n, info = 0;
    double *work = malloc(((size_t)lwork + (size_t)n) * sizeof *work);
    if (work == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory to tridiagonalise a %d x %d matrix", n, n);
    dsytrd_("L", &n, a, &n, d, e, work + lwork, work, &lwork, &info);
    free(work);
    return LASER_OK;
}

int laser_symmetric_values(double *a, int n, enum laser_stages stages, double *w, struct laser_error *err)
{
    double *e = malloc((size_t)n * sizeof *e);
    if (e == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %d numbers", n);
    int two = stages == LASER_STAGES_TWO || (stages == LASER_STAGES_AUTO && n >= LASER_TWO_STAGE_FROM);
    int code = two ? two_stages(a, n, w, e, err) : one_stage(a, n, w, e, err);
    if (code == LASER_OK)
        code = laser_tridiagonal_values(n, w, e, err);
    free(e);
    return code;
}
