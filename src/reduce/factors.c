#include "reduce/factors.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linalg/factors.h"
#include "run/rundir.h"
#include "store/parts.h"

#define LEFT_OUT 0.01

void laser_factor_path(const struct laser_reduction *r, int edit, const char *kind, char *path, size_t size)
{
    snprintf(path, size, "%s/work/factors/%d-%s.safetensors", r->setup.run->output, edit, kind);
}

bool laser_reduction_also(const struct laser_reduction *r, enum laser_deck_also what)
{
    return (r->setup.run->settings->reduce.also.set >> what & 1u) != 0;
}

static const struct laser_matrix *matrix_of(const struct laser_reduction *r, const struct laser_factor *f)
{
    return &r->setup.run->matrices.matrices[r->trials.edits.edits[f->edit].matrix];
}

/* What the adapter has of a singular value, but for its sign. */
static double change_of(const struct laser_factor *f, int i)
{
    return f->from_base ? f->s_new[i] : f->s[i] - f->s_new[i];
}

/* How much each singular value changes, largest change first: places in *places. */
static void sort_changes(const struct laser_factor *f, int *places)
{
    /* Insertion: the changes are nearly in order already, or in the reverse one. */
    for (int i = 0; i < f->n; ++i) {
        double change = change_of(f, i);
        int at = i;
        while (at > 0 && change_of(f, places[at - 1]) < change) {
            places[at] = places[at - 1];
            --at;
        }
        places[at] = i;
    }
}

static double change_norm(const struct laser_factor *f, const int *places, int from)
{
    double sum = 0;

    for (int i = f->n - 1; i >= from; --i) {
        double d = change_of(f, places[i]);
        sum += d * d;
    }
    return sqrt(sum);
}

int laser_factor_describe(const struct laser_reduction *r, int32_t edit, struct laser_factor *f,
                          struct laser_error *err)
{
    const struct laser_matrix *m;
    int64_t rank;
    int *places, code;

    f->edit = edit;
    f->from_base = laser_run_edits_change(r->setup.run);
    m = matrix_of(r, f);
    f->n = (int)(m->rows < m->cols ? m->rows : m->cols);
    f->other_form = m->transposed || !laser_matrix_is_whole(r->setup.run->checkpoint, m);
    f->s = malloc(2 * (size_t)f->n * sizeof *f->s);
    places = malloc((size_t)f->n * sizeof *places);
    if (f->s == NULL || places == NULL) {
        free(places);
        return laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its factors");
    }
    f->s_new = f->s + f->n;
    code = laser_part_read(r->setup.run->output, &r->trials.edits.values[edit], f->s, err);
    if (code == LASER_OK)
        code =
            laser_edit_values(r->setup.run, &r->trials.edits.edits[edit].what, m, f->s, f->s_new, &rank, err);
    if (code == LASER_OK) {
        f->rank = (int)rank;
        f->thin = !f->other_form && (int64_t)f->rank * (m->rows + m->cols) < m->rows * m->cols;
        sort_changes(f, places);
        while (f->change_rank < f->n && change_norm(f, places, f->change_rank) >
                                            (f->from_base ? 0 : LEFT_OUT) * change_norm(f, places, 0))
            ++f->change_rank;
        if (f->change_rank > 0)
            f->left_out = change_norm(f, places, f->change_rank) / change_norm(f, places, 0);
    }
    free(places);
    return code;
}

/* One edit's two factors as a file; a: rows x k, b: k x columns. */
static int put_pair(const struct laser_reduction *r, const struct laser_factor *f, const char *kind,
                    enum laser_dtype dtype, const double *a, const double *b, int k, struct laser_error *err)
{
    const struct laser_matrix *m = matrix_of(r, f);
    size_t n_a = (size_t)m->rows * (size_t)k, n_b = (size_t)m->cols * (size_t)k;
    unsigned char *bytes = malloc((n_a + n_b) * laser_dtype_size(dtype) + 1);
    char path[4400];
    int code;

    if (bytes == NULL)
        return laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its factors");
    laser_dtype_from_f64(dtype, a, (int64_t)n_a, bytes);
    laser_dtype_from_f64(dtype, b, (int64_t)n_b, bytes + n_a * laser_dtype_size(dtype));
    laser_factor_path(r, f->edit, kind, path, sizeof path);
    code = laser_safetensors_write(
        path,
        (struct laser_safetensors_item[]){
            {.name = "a", .dtype = dtype, .n_dims = 2, .shape = {m->rows, k}, .data = bytes},
            {.name = "b",
             .dtype = dtype,
             .n_dims = 2,
             .shape = {k, m->cols},
             .data = bytes + n_a * laser_dtype_size(dtype)}},
        2, err);
    free(bytes);
    return code;
}

/* The adapter's factors have `rank` columns and rows, zero beyond those that the change needs. */
static int make_pair(const struct laser_reduction *r, const struct laser_factor *f,
                     const struct laser_basis *basis, const double *w, const char *kind, int k, int rank,
                     struct laser_error *err)
{
    const struct laser_matrix *m = matrix_of(r, f);
    bool lora = strcmp(kind, "lora") == 0;
    double *a = calloc((size_t)(m->rows + m->cols) * (size_t)rank + 1, sizeof *a);
    double *small = malloc(((size_t)m->rows * (size_t)k + 1) * sizeof *small);
    double *scale = malloc((size_t)f->n * sizeof *scale);
    int *select = malloc((size_t)f->n * sizeof *select), code = LASER_OK;
    double *b = a != NULL ? a + (size_t)m->rows * (size_t)rank : NULL;

    if (a == NULL || small == NULL || scale == NULL || select == NULL)
        code = laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its factors");
    if (code == LASER_OK) {
        for (int i = 0; i < f->n; ++i)
            select[i] = i;
        if (lora)
            sort_changes(f, select);
        for (int j = 0; j < k; ++j) {
            double s = f->s[select[j]], kept = s > 0 ? f->s_new[select[j]] / s : 1;
            scale[j] = lora && !f->from_base ? kept - 1 : kept;
        }
        code = laser_factors_make(basis, w, select, scale, k, small, b, err);
    }
    for (int64_t i = 0; code == LASER_OK && i < m->rows; ++i)
        memcpy(a + i * rank, small + i * k, (size_t)k * sizeof *a);
    if (code == LASER_OK)
        code = put_pair(r, f, kind, lora ? LASER_F32 : m->dtype, a, b, rank, err);
    free(a);
    free(small);
    free(scale);
    free(select);
    return code;
}

int laser_factor_make(const struct laser_reduction *r, const struct laser_factor *f, int lora_rank,
                      struct laser_error *err)
{
    const struct laser_matrix *m = matrix_of(r, f);
    double *w = malloc((size_t)m->rows * (size_t)m->cols * sizeof *w);
    struct laser_basis basis = {0};
    struct laser_matrix_source source;
    int code = w == NULL ? laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its factors")
                         : laser_run_source(r->setup.run, m, &source, err);

    if (code == LASER_OK)
        code = laser_matrix_source_read(&source, 0, m->rows, 0, m->cols, w, m->cols, err);
    if (code == LASER_OK)
        code = laser_factors_basis(w, m->rows, m->cols, &basis, err);
    if (code == LASER_OK && f->thin && laser_reduction_also(r, LASER_DECK_ALSO_FACTORED))
        code = make_pair(r, f, &basis, w, "factored", f->rank, f->rank, err);
    if (code == LASER_OK && lora_rank > 0)
        code = make_pair(r, f, &basis, w, "lora", f->change_rank, lora_rank, err);
    laser_basis_free(&basis);
    free(w);
    return code;
}
