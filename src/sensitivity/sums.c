#include "sensitivity/sums.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/linear.h"
#include "linalg/outer.h"
#include "sensitivity/exact.h"
#include "sensitivity/site_part.h"
#include "sensitivity/vectors.h"

/* The sums of one matrix.  Units are 0 until the first batch has told them. */
struct entry {
    struct laser_matrix_statistics sums;
    struct laser_singular_vectors vectors; /* open from the first use on */
    int64_t *unknown;                      /* [n] where some singular values are equal, else NULL */
    double gradient_unit, squares_unit, fisher_unit, input_unit, output_unit;
};

struct laser_gradient_sums {
    struct laser_evaluation *e;
    struct laser_statistics_options options;
    int64_t n;
    struct entry *entries; /* of run->matrices */
    int64_t *by_tensor;    /* matrices, those of a tensor together, in the order of their elements */
    bool has_units, is_leader;

    int32_t n_windows;
    int32_t *window_of; /* [tokens of the largest run] window or question of the run that a token is in */
    float *scales;      /* and what its p counts in the gradient */
    int64_t tokens_room;
    double *windows;     /* [LASER_SEARCH_MAX_BATCH, n] gradients of the windows of a run */
    int64_t last_matrix; /* of the call before, with its inputs */
    const float *last_x;

    /* Working memory: grown where needed. */
    float *left, *right; /* [tokens, n]: u . delta and v . x */
    float *whole;        /* [tokens, columns or rows]: what the shards have of x or delta, put together */
    float *square;       /* [n, n] sums of outer products of a batch */
    int64_t left_room, right_room, whole_room, square_room;
    void *packed;
    int64_t packed_room;
    struct laser_model_rows *pieces; /* of a part of a site */
    int64_t pieces_room;
    struct laser_scratch scratch;
};

/* ---- which matrix ---- */

static int64_t first_element(const struct laser_matrix *m)
{
    return m->first + m->col0;
}

static const struct laser_matrix *compared; /* of run->matrices: qsort has no context */

static int compare(const void *a, const void *b)
{
    const struct laser_matrix *x = &compared[*(const int64_t *)a], *y = &compared[*(const int64_t *)b];

    if (x->tensor != y->tensor)
        return x->tensor < y->tensor ? -1 : 1;
    return first_element(x) < first_element(y) ? -1 : first_element(x) > first_element(y);
}

/* Where in by_tensor the matrices of a site begin: those whose first element is in it. */
static int64_t find_first(const struct laser_gradient_sums *s, const struct laser_model_linear_site *site)
{
    const struct laser_matrix *m = s->e->run->matrices.matrices;
    int64_t low = 0, high = s->n;

    while (low < high) {
        int64_t middle = (low + high) / 2;
        const struct laser_matrix *at = &m[s->by_tensor[middle]];
        if (at->tensor < site->tensor || (at->tensor == site->tensor && first_element(at) < site->origin))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_in_site(const struct laser_gradient_sums *s, int64_t place,
                       const struct laser_model_linear_site *site)
{
    const struct laser_matrix *m = place < s->n ? &s->e->run->matrices.matrices[s->by_tensor[place]] : NULL;

    return m != NULL && m->tensor == site->tensor &&
           first_element(m) < site->origin + site->rows * site->columns;
}

/* ---- memory ---- */

static int grow(void **memory, int64_t *room, int64_t bytes, struct laser_error *err)
{
    if (bytes <= *room)
        return LASER_OK;
    free(*memory);
    *memory = aligned_alloc(64, (size_t)((bytes + 63) / 64 * 64));
    *room = *memory == NULL ? 0 : bytes;
    return *memory != NULL ? LASER_OK
                           : laser_error_set(err, LASER_ENOMEM, "sensitivity",
                                             "no memory for %" PRId64 " bytes of working arrays", bytes);
}

static int64_t square_of(int64_t n)
{
    return n * n;
}

static int64_t shape_n(const struct laser_matrix *m)
{
    return m->rows < m->cols ? m->rows : m->cols;
}

double laser_statistics_bytes(const struct laser_run *run, const struct laser_statistics_options *o)
{
    double bytes = 0;

    for (int64_t i = 0; i < run->matrices.n_matrices; ++i) {
        const struct laser_matrix *m = &run->matrices.matrices[i];
        double n = (double)shape_n(m);

        if (!laser_statistics_wants(o, i))
            continue;
        if (o->values)
            bytes += 8 * (o->block ? n * n + 2 * n : 3 * n);
        if (o->covariances && (!o->inputs_only || m->transposed))
            bytes += 8 * (double)m->rows * (double)m->rows;
        if (o->covariances && (!o->inputs_only || !m->transposed))
            bytes += 8 * (double)m->cols * (double)m->cols;
    }
    return bytes;
}

/* Most of the memory is left to the evaluation. */
#define BLOCK_MEMORY_SHARE 0.4

bool laser_statistics_block_fits(const struct laser_run *run, const struct laser_statistics_options *options)
{
    struct laser_statistics_options whole = *options;

    whole.block = true;
    return laser_statistics_bytes(run, &whole) <= BLOCK_MEMORY_SHARE * run->memory_limit_bytes;
}

/* The sums of a matrix are allocated at its first use, so that what shares its inputs is known. */
static int allocate(struct laser_gradient_sums *s, int64_t matrix, const struct laser_model_linear_site *site,
                    struct laser_error *err)
{
    const struct laser_matrix *m = &s->e->run->matrices.matrices[matrix];
    struct entry *entry = &s->entries[matrix];
    struct laser_matrix_statistics *sums = &entry->sums;
    struct laser_fisher *f = &sums->fisher;
    int64_t n = entry->vectors.n;
    bool bad = false;

    sums->rows = site->rows;
    sums->columns = site->columns;
    sums->transposed = site->transposed;
    if (s->options.values) {
        f->n = n;
        f->block = s->options.block;
        f->gradient = calloc((size_t)n, sizeof *f->gradient);
        f->squares = calloc((size_t)n, sizeof *f->squares);
        f->fisher = calloc((size_t)(f->block ? square_of(n) : n), sizeof *f->fisher);
        bad = f->gradient == NULL || f->squares == NULL || f->fisher == NULL;
    }
    if (s->options.covariances) {
        if (!s->options.inputs_only) {
            sums->output = calloc((size_t)square_of(sums->rows), sizeof *sums->output);
            bad = bad || sums->output == NULL;
        }
        if (sums->input_of == matrix) {
            sums->input = calloc((size_t)square_of(sums->columns), sizeof *sums->input);
            bad = bad || sums->input == NULL;
        }
    }
    return bad ? laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its sums") : LASER_OK;
}

/* ---- products ---- */

/* out[tokens, n] (+)= x[tokens, width] vectors^T, for this shard's elements first .. first + width - 1 of
 * each vector. */
static int multiply(struct laser_gradient_sums *s, const float *vectors, int64_t n, int64_t length,
                    int64_t first, int64_t width, int64_t tokens, const float *x, int64_t x_stride,
                    float *out, enum laser_output output, struct laser_error *err)
{
    struct laser_linear linear;
    int64_t bytes = laser_linear_size(s->e->precision, LASER_STORED_F32, n, width);
    int code = grow(&s->packed, &s->packed_room, bytes, err);

    if (code == LASER_OK)
        code = laser_linear_init(&linear, s->e->precision, LASER_STORED_F32, n, width, s->packed, NULL, err);
    if (code != LASER_OK)
        return code;
    laser_linear_pack_rows(&linear, 0, n, vectors + first, length);
    code = laser_scratch_reserve(&s->scratch, laser_linear_scratch_size(&linear, tokens), err);
    if (code == LASER_OK)
        laser_linear_apply(&linear, tokens, x, x_stride, out, n, output, &s->scratch);
    return code;
}

static int add_shards(const struct laser_gradient_sums *s, float *x, int64_t n, struct laser_error *err)
{
    const struct laser_model_group *group = &*s->e->shards;
    int result = group->sum(group->context, x, n);

    return result == 0 ? LASER_OK : laser_error_set(err, result, NULL, "the sum over the shards failed");
}

/* u . delta: of a fused tensor a shard has several pieces of rows. */
static int project_outputs(struct laser_gradient_sums *s, const struct laser_model_linear_site *site,
                           const float *vectors, int64_t n, int64_t tokens, const float *delta,
                           int64_t stride, struct laser_error *err)
{
    enum laser_output output = LASER_STORE;
    int code = LASER_OK;

    for (int64_t p = 0, at = 0; code == LASER_OK && p < site->pieces; ++p) {
        const struct laser_model_rows *piece = &site->piece[p];

        if (piece->count > 0) {
            code = multiply(s, vectors, n, site->rows, piece->first, piece->count, tokens, delta + at, stride,
                            s->left, output, err);
            output = LASER_ADD;
        }
        at += piece->count;
    }
    if (output == LASER_STORE)
        memset(s->left, 0, (size_t)(tokens * n) * sizeof *s->left);
    return code == LASER_OK && site->outputs_split ? add_shards(s, s->left, tokens * n, err) : code;
}

static int project_inputs(struct laser_gradient_sums *s, const struct laser_model_linear_site *site,
                          const float *vectors, int64_t n, int64_t tokens, const float *x, int64_t stride,
                          struct laser_error *err)
{
    int code = LASER_OK;

    if (site->column_count > 0)
        code = multiply(s, vectors, n, site->columns, site->first_column, site->column_count, tokens, x,
                        stride, s->right, LASER_STORE, err);
    else
        memset(s->right, 0, (size_t)(tokens * n) * sizeof *s->right);
    return code == LASER_OK && site->inputs_split ? add_shards(s, s->right, tokens * n, err) : code;
}

/* u . delta and v . x of all tokens, on every shard. */
static int project(struct laser_gradient_sums *s, int64_t matrix, const struct laser_model_linear_site *site,
                   int64_t tokens, const float *x, int64_t x_stride, const float *delta, int64_t delta_stride,
                   struct laser_error *err)
{
    const struct laser_singular_vectors *v = &s->entries[matrix].vectors;
    int64_t bytes = tokens * v->n * (int64_t)sizeof(float);
    int code = grow((void **)&s->left, &s->left_room, bytes, err);

    if (code == LASER_OK)
        code = grow((void **)&s->right, &s->right_room, bytes, err);
    if (code == LASER_OK)
        code = project_outputs(s, site, site->transposed ? v->right : v->left, v->n, tokens, delta,
                               delta_stride, err);
    return code == LASER_OK ? project_inputs(s, site, site->transposed ? v->left : v->right, v->n, tokens, x,
                                             x_stride, err)
                            : code;
}

/* ---- sums ---- */

static int out_of_range(const struct laser_gradient_sums *s, int64_t matrix, struct laser_error *err)
{
    return laser_error_set(
        err, LASER_ENUMERIC, s->e->run->matrices.matrices[matrix].name,
        "its gradients are not finite, or grow by more than 10^4 from one window to another");
}

/* Terms of the first batch are kept as they are, for their size is not known yet. */
static int add_terms(const struct laser_gradient_sums *s, int64_t matrix, double *sum, const float *terms,
                     int64_t n, double unit, struct laser_error *err)
{
    if (s->has_units)
        return laser_exact_add_float(sum, terms, n, unit) ? LASER_OK : out_of_range(s, matrix, err);
    for (int64_t i = 0; i < n; ++i) {
        if (!isfinite(terms[i]))
            return out_of_range(s, matrix, err);
        sum[i] += (double)terms[i];
    }
    return LASER_OK;
}

/* The upper triangle of a sum of outer products. */
static int add_square(struct laser_gradient_sums *s, int64_t matrix, int64_t tokens, int64_t n,
                      const float *x, int64_t stride, double *sum, double unit, struct laser_error *err)
{
    int code = grow((void **)&s->square, &s->square_room, square_of(n) * (int64_t)sizeof(float), err);

    if (code == LASER_OK)
        code = laser_outer_sum(tokens, n, x, stride, s->square, err);
    for (int64_t i = 0; code == LASER_OK && i < n; ++i)
        code = add_terms(s, matrix, sum + i * n + i, s->square + i * n + i, n - i, unit, err);
    return code;
}

static int add_window(const struct laser_gradient_sums *s, int64_t matrix, const double *g,
                      struct laser_error *err)
{
    struct entry *entry = &s->entries[matrix];
    struct laser_fisher *f = &entry->sums.fisher;

    for (int64_t i = 0; i < f->n; ++i) {
        double square = g[i] * g[i];

        if (!s->has_units) {
            f->gradient[i] += g[i];
            f->squares[i] += square;
        } else if (!laser_exact_add(&f->gradient[i], &g[i], 1, entry->gradient_unit) ||
                   !laser_exact_add(&f->squares[i], &square, 1, entry->squares_unit)) {
            return out_of_range(s, matrix, err);
        }
    }
    return LASER_OK;
}

/* p = (u . delta)(v . x) replaces the first factor; gradients of the windows, Fisher information. */
static int add_values(struct laser_gradient_sums *s, int64_t matrix, int64_t tokens,
                      const int64_t *token_rows, struct laser_error *err)
{
    struct entry *entry = &s->entries[matrix];
    struct laser_fisher *f = &entry->sums.fisher;
    int64_t n = f->n;
    int code = LASER_OK;

    memset(s->windows, 0, (size_t)s->n_windows * (size_t)n * sizeof *s->windows);
    for (int64_t t = 0; t < tokens; ++t) {
        int64_t row = token_rows != NULL ? token_rows[t] : t;
        double *g = s->windows + s->window_of[row] * n, scale = (double)s->scales[row];
        float *p = s->left + t * n;

        for (int64_t i = 0; i < n; ++i) {
            p[i] *= s->right[t * n + i];
            g[i] += scale * (double)p[i];
        }
    }
    for (int w = 0; code == LASER_OK && w < s->n_windows; ++w)
        code = add_window(s, matrix, s->windows + w * n, err);
    if (code != LASER_OK)
        return code;
    if (f->block)
        return add_square(s, matrix, tokens, n, s->left, n, f->fisher, entry->fisher_unit, err);
    memset(s->right, 0, (size_t)n * sizeof *s->right); /* has done its work: the first row takes the sums */
    for (int64_t t = 0; t < tokens; ++t) {
        if (entry->unknown != NULL)
            laser_fisher_share(entry->unknown, n, s->left + t * n);
        for (int64_t i = 0; i < n; ++i)
            s->right[i] += s->left[t * n + i] * s->left[t * n + i];
    }
    return add_terms(s, matrix, f->fisher, s->right, n, entry->fisher_unit, err);
}

/* What the shards have of x or delta becomes *whole[tokens, width], with its stride. */
static int put_together(struct laser_gradient_sums *s, int64_t tokens, int64_t width,
                        const struct laser_model_rows *pieces, int64_t n_pieces, const float **x,
                        int64_t *stride, struct laser_error *err)
{
    int code = grow((void **)&s->whole, &s->whole_room, tokens * width * (int64_t)sizeof(float), err);

    if (code != LASER_OK)
        return code;
    memset(s->whole, 0, (size_t)(tokens * width) * sizeof *s->whole);
    for (int64_t p = 0, at = 0; p < n_pieces; at += pieces[p++].count)
        for (int64_t t = 0; t < tokens; ++t)
            memcpy(s->whole + t * width + pieces[p].first, *x + t * *stride + at,
                   (size_t)pieces[p].count * sizeof *s->whole);
    *x = s->whole;
    *stride = width;
    return add_shards(s, s->whole, tokens * width, err);
}

static int add_covariances(struct laser_gradient_sums *s, int64_t matrix,
                           const struct laser_model_linear_site *site, int64_t tokens, const float *x,
                           int64_t x_stride, const float *delta, int64_t delta_stride,
                           struct laser_error *err)
{
    const struct laser_model_rows inputs = {site->first_column, site->column_count};
    struct entry *entry = &s->entries[matrix];
    struct laser_matrix_statistics *m = &entry->sums;
    int code = LASER_OK;

    if (m->input != NULL && site->inputs_split)
        code = put_together(s, tokens, site->columns, &inputs, 1, &x, &x_stride, err);
    if (code == LASER_OK && m->input != NULL && s->is_leader)
        code = add_square(s, matrix, tokens, m->columns, x, x_stride, m->input, entry->input_unit, err);
    if (m->output == NULL)
        return code;
    if (code == LASER_OK && site->outputs_split)
        code = put_together(s, tokens, site->rows, site->piece, site->pieces, &delta, &delta_stride, err);
    return code == LASER_OK && s->is_leader ? add_square(s, matrix, tokens, m->rows, delta, delta_stride,
                                                         m->output, entry->output_unit, err)
                                            : code;
}

/* Which singular values are equal, if any are. */
static int find_equal(struct laser_gradient_sums *s, int64_t matrix, struct laser_error *err)
{
    struct entry *entry = &s->entries[matrix];
    int64_t n = entry->vectors.n, positive = 0;

    entry->unknown = malloc((size_t)n * sizeof *entry->unknown);
    if (entry->unknown == NULL)
        return laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory for %" PRId64 " singular values",
                               n);
    for (int64_t i = 0; i < n; ++i)
        positive += entry->vectors.sigma[i] > 0;
    if (laser_fisher_unknowns(entry->vectors.sigma, n, entry->unknown) == positive) {
        free(entry->unknown);
        entry->unknown = NULL;
    }
    return LASER_OK;
}

/* First use of a matrix: its vectors, its sums. */
static int open_matrix(struct laser_gradient_sums *s, int64_t matrix,
                       const struct laser_model_linear_site *site, const float *x, struct laser_error *err)
{
    struct entry *entry = &s->entries[matrix];
    int64_t last = s->last_matrix;
    int code = LASER_OK;

    entry->sums.input_of = matrix;
    if (last >= 0 && s->last_x == x && !site->inputs_split &&
        s->entries[last].sums.columns == site->columns &&
        s->e->run->matrices.matrices[last].layer == s->e->run->matrices.matrices[matrix].layer)
        entry->sums.input_of = s->entries[last].sums.input_of;
    if (s->options.values && s->options.vectors != NULL)
        code =
            laser_singular_vectors_read(s->e->run, matrix, s->options.vectors[matrix], &entry->vectors, err);
    else if (s->options.values)
        code = laser_singular_vectors_open(s->e->run, matrix, &entry->vectors, err);
    if (code == LASER_OK && s->options.values && !s->options.block)
        code = find_equal(s, matrix, err);
    return code == LASER_OK ? allocate(s, matrix, site, err) : code;
}

static int add_matrix(struct laser_gradient_sums *s, int64_t matrix,
                      const struct laser_model_linear_site *site, int64_t n, const float *x, int64_t x_stride,
                      const float *delta, int64_t delta_stride, const int64_t *token_rows,
                      struct laser_error *err)
{
    int code = LASER_OK;

    if (s->entries[matrix].sums.rows == 0)
        code = open_matrix(s, matrix, site, x, err);
    s->last_matrix = matrix;
    s->last_x = x;
    if (code != LASER_OK || n == 0)
        return code;
    s->entries[matrix].sums.reached += (double)n;
    if (s->options.values)
        code = project(s, matrix, site, n, x, x_stride, delta, delta_stride, err);
    if (code == LASER_OK && s->options.values && s->is_leader)
        code = add_values(s, matrix, n, token_rows, err);
    return code == LASER_OK && s->options.covariances
               ? add_covariances(s, matrix, site, n, x, x_stride, delta, delta_stride, err)
               : code;
}

/* A fused weight that is scanned in parts is several matrices. */
static int linear(void *context, const struct laser_model_linear_site *site, int64_t n, const float *x,
                  int64_t x_stride, const float *delta, int64_t delta_stride, const int64_t *token_rows,
                  struct laser_error *err)
{
    struct laser_gradient_sums *s = context;
    int code =
        grow((void **)&s->pieces, &s->pieces_room, (site->row_count + 1) * (int64_t)sizeof *s->pieces, err);

    for (int64_t i = find_first(s, site); code == LASER_OK && is_in_site(s, i, site); ++i) {
        struct laser_model_linear_site part;
        int64_t matrix = s->by_tensor[i], offset;

        if (laser_statistics_wants(&s->options, matrix) &&
            laser_site_part(site, &s->e->run->matrices.matrices[matrix], s->pieces, &part, &offset))
            code = add_matrix(s, matrix, &part, n, x, x_stride, delta != NULL ? delta + offset : NULL,
                              delta_stride, token_rows, err);
    }
    return code;
}

/* ---- runs ---- */

/* Which item each token is of, and the scale of its gradient. */
static int begin(void *context, const struct laser_gradient_run *run, struct laser_error *err)
{
    struct laser_gradient_sums *s = context;
    int64_t tokens = 0, at = 0;

    for (int64_t i = 0; i < run->n_sequences; ++i)
        tokens += run->lengths[i];
    if (tokens > s->tokens_room) {
        free(s->window_of);
        free(s->scales);
        s->window_of = malloc((size_t)tokens * sizeof *s->window_of);
        s->scales = malloc((size_t)tokens * sizeof *s->scales);
        s->tokens_room = s->window_of == NULL || s->scales == NULL ? 0 : tokens;
        if (s->tokens_room == 0)
            return laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory for %" PRId64 " tokens",
                                   tokens);
    }
    s->n_windows = 0;
    for (int64_t i = 0; i < run->n_sequences; ++i) {
        if (i == 0 || run->items[i] != run->items[i - 1])
            ++s->n_windows;
        for (int64_t t = run->lengths[i]; t > 0; --t) {
            s->scales[at] = run->scales[i];
            s->window_of[at++] = s->n_windows - 1;
        }
    }
    s->last_matrix = -1;
    s->last_x = NULL;
    return LASER_OK;
}

void laser_gradient_sums_sink(struct laser_gradient_sums *s, struct laser_gradient_sink *sink)
{
    *sink = (struct laser_gradient_sink){
        .context = s,
        .begin = begin,
        .linear = {.context = s, .inputs_only = s->options.inputs_only, .linear = linear}};
}

/* The largest of n terms. */
static double largest_of(const double *x, int64_t n)
{
    double largest = 0;

    for (int64_t i = 0; x != NULL && i < n; ++i)
        largest = fmax(largest, fabs(x[i]));
    return largest;
}

/* Rounds the sums of the first batch to their unit, or forgets them. */
static void restart(double *x, int64_t n, double unit, bool keep)
{
    for (int64_t i = 0; x != NULL && i < n; ++i) {
        double term = keep ? x[i] : 0;

        x[i] = 0;
        if (unit > 0)
            laser_exact_add(&x[i], &term, 1, unit);
    }
}

/* One kind of sums of a matrix: where they are, how many, and their unit. */
typedef double *laser_sums_of(struct entry *e, int64_t *n, double **unit);

static double *gradient_of(struct entry *e, int64_t *n, double **unit)
{
    *n = e->sums.fisher.n;
    *unit = &e->gradient_unit;
    return e->sums.fisher.gradient;
}

static double *squares_of(struct entry *e, int64_t *n, double **unit)
{
    *n = e->sums.fisher.n;
    *unit = &e->squares_unit;
    return e->sums.fisher.squares;
}

static double *fisher_of(struct entry *e, int64_t *n, double **unit)
{
    *n = e->sums.fisher.block ? square_of(e->sums.fisher.n) : e->sums.fisher.n;
    *unit = &e->fisher_unit;
    return e->sums.fisher.fisher;
}

static double *input_of(struct entry *e, int64_t *n, double **unit)
{
    *n = square_of(e->sums.columns);
    *unit = &e->input_unit;
    return e->sums.input;
}

static double *output_of(struct entry *e, int64_t *n, double **unit)
{
    *n = square_of(e->sums.rows);
    *unit = &e->output_unit;
    return e->sums.output;
}

static laser_sums_of *const kinds[LASER_SUM_KINDS] = {gradient_of, squares_of, fisher_of, input_of,
                                                      output_of};

/* Did only some tokens reach it, as they do an expert? */
static bool is_chosen(const struct laser_gradient_sums *s, int64_t matrix, double all)
{
    return s->entries[matrix].sums.rows > 0 && s->entries[matrix].sums.reached < all;
}

/* Experts of a layer that few tokens of the first batch reached get many of another: such matrices take the largest
 * unit of those of their layer and shape. */
static void level_units(struct laser_gradient_sums *s, laser_sums_of *kind, double all)
{
    const struct laser_matrix *m = s->e->run->matrices.matrices;
    double *unit;
    int64_t n;

    for (int64_t i = 0; i < s->n; ++i) {
        double most = 0;

        if (!is_chosen(s, i, all) || (i > 0 && m[i].layer == m[i - 1].layer && is_chosen(s, i - 1, all) &&
                                      m[i].rows == m[i - 1].rows && m[i].cols == m[i - 1].cols))
            continue; /* levelled with the one before */
        for (int pass = 0; pass < 2; ++pass)
            for (int64_t k = i; k < s->n && m[k].layer == m[i].layer; ++k) {
                if (!is_chosen(s, k, all) || m[k].rows != m[i].rows || m[k].cols != m[i].cols)
                    continue;
                kind(&s->entries[k], &n, &unit);
                most = pass == 0 ? fmax(most, *unit) : most;
                *unit = pass == 0 ? *unit : most;
            }
    }
}

void laser_gradient_sums_fix_units(struct laser_gradient_sums *s, bool keep)
{
    double all = 0;

    for (int64_t i = 0; i < s->n; ++i)
        all = fmax(all, s->entries[i].sums.reached);
    for (int k = 0; k < LASER_SUM_KINDS; ++k) {
        double most = 0, *unit;
        int64_t n;

        for (int64_t i = 0; i < s->n; ++i) {
            const double *x = kinds[k](&s->entries[i], &n, &unit);
            *unit = laser_exact_unit(largest_of(x, n));
            most = fmax(most, *unit);
        }
        level_units(s, kinds[k], all);
        for (int64_t i = 0; i < s->n; ++i) {
            double *x = kinds[k](&s->entries[i], &n, &unit);
            if (*unit == 0)
                *unit = most;
            restart(x, n, *unit, keep);
        }
    }
    for (int64_t i = 0; !keep && i < s->n; ++i)
        s->entries[i].sums.reached = 0;
    s->has_units = true;
}

void laser_gradient_sums_get_units(struct laser_gradient_sums *s, double *units)
{
    double *unit;
    int64_t n;

    for (int64_t i = 0; i < s->n * LASER_SUM_KINDS; ++i) {
        kinds[i % LASER_SUM_KINDS](&s->entries[i / LASER_SUM_KINDS], &n, &unit);
        units[i] = *unit;
    }
}

void laser_gradient_sums_set_units(struct laser_gradient_sums *s, const double *units)
{
    double *unit;
    int64_t n;

    for (int64_t i = 0; i < s->n * LASER_SUM_KINDS; ++i) {
        kinds[i % LASER_SUM_KINDS](&s->entries[i / LASER_SUM_KINDS], &n, &unit);
        *unit = units[i];
    }
}

struct laser_matrix_statistics *laser_gradient_sums_of(struct laser_gradient_sums *s, int64_t matrix)
{
    return &s->entries[matrix].sums;
}

void laser_gradient_sums_hand_over(struct laser_gradient_sums *s, struct laser_statistics *out)
{
    for (int64_t i = 0; i < s->n; ++i) {
        struct entry *entry = &s->entries[i];

        out->matrices[i] = entry->sums;
        entry->sums = (struct laser_matrix_statistics){0};
    }
}

int laser_gradient_sums_create(struct laser_evaluation *e, const struct laser_statistics_options *options,
                               struct laser_gradient_sums **out, struct laser_error *err)
{
    struct laser_gradient_sums *s = calloc(1, sizeof *s);
    int64_t most = 1;

    *out = NULL;
    if (s == NULL)
        return laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory");
    s->e = e;
    s->options = *options;
    s->n = e->run->matrices.n_matrices;
    s->is_leader = e->group_rank == 0;
    s->entries = calloc((size_t)s->n + 1, sizeof *s->entries);
    s->by_tensor = malloc((size_t)s->n * sizeof *s->by_tensor + 1);
    for (int64_t i = 0; i < s->n; ++i)
        if (shape_n(&e->run->matrices.matrices[i]) > most)
            most = shape_n(&e->run->matrices.matrices[i]);
    s->windows = malloc((size_t)(LASER_SEARCH_MAX_BATCH * most) * sizeof *s->windows);
    if (s->entries == NULL || s->by_tensor == NULL || s->windows == NULL) {
        laser_gradient_sums_free(s);
        return laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory for %" PRId64 " matrices", s->n);
    }
    for (int64_t i = 0; i < s->n; ++i)
        s->by_tensor[i] = i;
    compared = e->run->matrices.matrices;
    qsort(s->by_tensor, (size_t)s->n, sizeof *s->by_tensor, compare);
    *out = s;
    return LASER_OK;
}

void laser_gradient_sums_free(struct laser_gradient_sums *s)
{
    if (s == NULL)
        return;
    for (int64_t i = 0; s->entries != NULL && i < s->n; ++i) {
        laser_singular_vectors_close(&s->entries[i].vectors);
        free(s->entries[i].unknown);
        laser_matrix_statistics_free(&s->entries[i].sums);
    }
    free(s->entries);
    free(s->by_tensor);
    free(s->window_of);
    free(s->scales);
    free(s->windows);
    free(s->left);
    free(s->right);
    free(s->whole);
    free(s->square);
    free(s->packed);
    free(s->pieces);
    laser_scratch_free(&s->scratch);
    free(s);
}

void laser_matrix_statistics_free(struct laser_matrix_statistics *m)
{
    free(m->fisher.gradient);
    free(m->fisher.squares);
    free(m->fisher.fisher);
    free(m->input);
    free(m->output);
    m->fisher.gradient = m->fisher.squares = m->fisher.fisher = m->input = m->output = NULL;
}

void laser_statistics_free(struct laser_statistics *s)
{
    for (int64_t i = 0; s->matrices != NULL && i < s->n_matrices; ++i)
        laser_matrix_statistics_free(&s->matrices[i]);
    free(s->matrices);
    memset(s, 0, sizeof *s);
}
