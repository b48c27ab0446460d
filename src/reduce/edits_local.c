#include "reduce/edits_local.h"

#include <stdlib.h>
#include <string.h>

#include "linalg/project.h"

#define SLAB_BYTES (16 << 20)
/* Above this the vectors of the Gram matrix are too far off (linalg/basis.h). */
#define ERROR_MAX 1e-7

struct local {
    const struct laser_matrix_source *source;
    const struct laser_matrix *matrix;
    int64_t n, m, step, r; /* short and long side, of which a slab has `step`, vectors of the basis */
    struct laser_basis basis;
    double *slab, *scratch; /* step x n; step x r */
    double *projected;      /* m x r, slab after slab */
    unsigned char *bytes;
};

static bool by_rows(const struct local *l)
{
    return l->matrix->rows >= l->matrix->cols;
}

static int64_t slab_count(const struct local *l, int64_t first)
{
    return l->m - first < l->step ? l->m - first : l->step;
}

/* Rows (or columns, of a wide matrix) first ... first + count - 1. */
static int read_slab(const struct local *l, int64_t first, int64_t count, double *dst,
                     struct laser_error *err)
{
    if (by_rows(l))
        return laser_matrix_source_read(l->source, first, count, 0, l->n, dst, l->n, err);
    return laser_matrix_source_read(l->source, 0, l->n, first, count, dst, count, err);
}

static int write_slab(const struct local *l, int64_t first, int64_t count, const double *src,
                      struct laser_error *err)
{
    if (by_rows(l))
        return laser_matrix_source_write(l->source, first, count, 0, l->n, src, l->n, l->bytes, err);
    return laser_matrix_source_write(l->source, 0, l->n, first, count, src, count, l->bytes, err);
}

/* The vectors that any of the edits needs. */
static void find_range(const struct local *l, const double *sigma, const double *ratios, int n_edits,
                       double *s_new, int64_t *first, int64_t *end)
{
    *first = l->n;
    *end = 0;
    for (int e = 0; e < n_edits; ++e) {
        int64_t from, to;
        for (int64_t i = 0; i < l->n; ++i)
            s_new[i] = sigma[i] * ratios[e * l->n + i];
        laser_basis_range(sigma, s_new, l->n, &from, &to);
        if (from < to && from < *first)
            *first = from;
        if (to > *end)
            *end = to;
    }
    if (*first > *end)
        *first = *end;
}

/* The basis, and the matrix in its coordinates. */
static int decompose(struct local *l, int64_t first, int64_t end, struct laser_error *err)
{
    struct laser_gram gram;
    int code = laser_gram_init(&gram, l->matrix->rows, l->matrix->cols, err);

    if (code != LASER_OK)
        return code;
    for (int64_t at = 0; code == LASER_OK && at < l->m; at += l->step) {
        code = read_slab(l, at, slab_count(l, at), l->slab, err);
        if (code == LASER_OK)
            code = laser_gram_add(&gram, l->slab, slab_count(l, at), err);
    }
    if (code != LASER_OK) {
        laser_gram_free(&gram);
        return code;
    }
    code = laser_basis_init(&l->basis, &gram, first, end, err);
    if (code != LASER_OK)
        return code;
    l->r = end - first;
    l->projected = malloc((size_t)(l->m * l->r + 1) * sizeof *l->projected);
    l->scratch = malloc((size_t)(l->step * l->r + 1) * sizeof *l->scratch);
    if (l->projected == NULL || l->scratch == NULL)
        return laser_error_set(err, LASER_ENOMEM, l->matrix->name,
                               "no memory for %lld of its singular vectors", (long long)l->r);
    for (int64_t at = 0; code == LASER_OK && at < l->m; at += l->step) {
        code = read_slab(l, at, slab_count(l, at), l->slab, err);
        if (code == LASER_OK)
            code = laser_basis_project(&l->basis, l->slab, slab_count(l, at), l->projected + at * l->r, err);
    }
    return code;
}

static int edit_by_basis(struct local *l, const double *s_new, struct laser_error *err)
{
    int code = LASER_OK;

    for (int64_t at = 0; code == LASER_OK && at < l->m; at += l->step) {
        code = read_slab(l, at, slab_count(l, at), l->slab, err);
        if (code == LASER_OK)
            code = laser_basis_edit(&l->basis, s_new, l->slab, l->projected + at * l->r, slab_count(l, at),
                                    l->scratch, l->slab, err);
        if (code == LASER_OK)
            code = write_slab(l, at, slab_count(l, at), l->slab, err);
    }
    return code;
}

static int edit_by_reference(struct local *l, const double *s_new, struct laser_error *err)
{
    int64_t rows = l->matrix->rows, columns = l->matrix->cols;
    double *w = malloc((size_t)(rows * columns) * sizeof *w),
           *out = malloc((size_t)(rows * columns) * sizeof *out);
    int code = w == NULL || out == NULL
                   ? laser_error_set(err, LASER_ENOMEM, l->matrix->name, "no memory to rebuild it by dgesdd")
                   : laser_matrix_source_read(l->source, 0, rows, 0, columns, w, columns, err);

    if (code == LASER_OK)
        code = laser_rebuild_reference(w, rows, columns, s_new, out, err);
    if (code == LASER_OK)
        code = laser_matrix_source_write(l->source, 0, rows, 0, columns, out, columns, l->bytes, err);
    free(w);
    free(out);
    return code;
}

/* Singular values that an edit leaves, if those are the first of the vectors; else 0. */
static int64_t leading(const struct local *l, const double *s_new)
{
    int64_t k = 0;

    while (k < l->n && s_new[k] > 0)
        ++k;
    for (int64_t i = k; i < l->n; ++i)
        if (s_new[i] > 0)
            return 0;
    return l->basis.first == 0 && l->basis.end >= k ? k : 0;
}

/* P_k diag(f) and V_k^T, or U_k diag(f) and P_k. */
static int make_thin(const struct local *l, const double *s_new, int64_t k, struct laser_thin_factors *thin,
                     struct laser_error *err)
{
    int code = laser_thin_init(thin, l->matrix->rows, l->matrix->cols, k, err);
    float *long_factor, *short_factor;

    if (code != LASER_OK)
        return code;
    short_factor = by_rows(l) ? thin->right : thin->left;
    long_factor = by_rows(l) ? thin->left : thin->right;
    for (int64_t j = 0; j < k; ++j) {
        const double *vector = l->basis.vectors + j * l->n;
        double f = s_new[j] / l->basis.s[j];
        for (int64_t i = 0; i < l->n; ++i)
            short_factor[by_rows(l) ? j * l->n + i : i * k + j] =
                (float)(by_rows(l) ? vector[i] : vector[i] * f);
        for (int64_t i = 0; by_rows(l) && i < l->m; ++i)
            long_factor[i * k + j] = (float)(l->projected[i * l->r + j] * f);
        for (int64_t at = 0; !by_rows(l) && at < l->m; at += l->step)
            for (int64_t i = 0, count = slab_count(l, at); i < count; ++i)
                long_factor[j * l->m + at + i] = (float)l->projected[at * l->r + j * count + i];
    }
    return LASER_OK;
}

static int make_edit(struct local *l, const double *s_new, bool want_thin, struct laser_thin_factors *thin,
                     struct laser_error *err)
{
    int64_t k;
    int code;

    memset(thin, 0, sizeof *thin);
    if (laser_basis_error(&l->basis, s_new) > ERROR_MAX)
        return edit_by_reference(l, s_new, err);
    code = edit_by_basis(l, s_new, err);
    k = want_thin ? leading(l, s_new) : 0;
    if (code == LASER_OK && laser_thin_pays(l->matrix->rows, l->matrix->cols, k))
        code = make_thin(l, s_new, k, thin, err);
    return code;
}

int laser_edits_local(const struct laser_matrix_source *source, const double *sigma, const double *ratios,
                      int n_edits, bool want_thin, unsigned char *bytes, laser_edit_made *made, void *context,
                      struct laser_error *err)
{
    const struct laser_matrix *matrix = source->matrix;
    bool tall = matrix->rows >= matrix->cols;
    struct local l = {.source = source,
                      .matrix = matrix,
                      .n = tall ? matrix->cols : matrix->rows,
                      .m = tall ? matrix->rows : matrix->cols,
                      .step = laser_gram_slab(matrix->rows, matrix->cols, SLAB_BYTES),
                      .bytes = bytes};
    struct laser_thin_factors thin;
    int64_t first, end;
    double *s_new = malloc((size_t)l.n * sizeof *s_new);
    int code = LASER_OK;

    l.slab = malloc((size_t)(l.step * l.n) * sizeof *l.slab);
    if (s_new == NULL || l.slab == NULL)
        code = laser_error_set(err, LASER_ENOMEM, matrix->name, "no memory to edit it");
    if (code == LASER_OK) {
        find_range(&l, sigma, ratios, n_edits, s_new, &first, &end);
        code = decompose(&l, first, end, err);
    }
    for (int e = 0; code == LASER_OK && e < n_edits; ++e) {
        for (int64_t i = 0; i < l.n; ++i)
            s_new[i] = l.basis.s[i] * ratios[e * l.n + i];
        code = make_edit(&l, s_new, want_thin, &thin, err);
        if (code == LASER_OK)
            code = made(context, e, bytes, thin.k > 0 ? &thin : NULL, err);
        laser_thin_free(&thin);
    }
    laser_basis_free(&l.basis);
    free(l.slab);
    free(l.scratch);
    free(l.projected);
    free(s_new);
    return code;
}
