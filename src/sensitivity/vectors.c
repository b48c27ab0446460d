#include "sensitivity/vectors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/file.h"
#include "checkpoint/safetensors.h"
#include "linalg/project.h"

#define SLAB_BYTES (16 << 20)

/* The name stands for model and matrix, so that the file of an earlier start is used again. */
static void path_of(const struct laser_run *run, int64_t matrix, char *path, size_t size)
{
    struct laser_checkpoint_fingerprint print = laser_run_print(run);
    char key[4200];

    snprintf(key, sizeof key, "%016" PRIx64 " %016" PRIx64 " %s", print.content, print.times,
             run->matrices.matrices[matrix].name);
    snprintf(path, size, "%s/work/vectors/%016" PRIx64 ".safetensors", run->output,
             (uint64_t)XXH3_64bits(key, strlen(key)));
}

/* ---- one matrix ---- */

struct decomposition {
    struct laser_matrix_source source;
    const struct laser_matrix *matrix;
    bool tall;
    int64_t n, m, step; /* short side, long side, of which a slab has `step` */
    struct laser_basis basis;
    double *slab, *projected;
    float *short_side, *long_side; /* [n, n] and [n, m]: vector i is row i */
};

static int64_t slab_count(const struct decomposition *d, int64_t first)
{
    return d->m - first < d->step ? d->m - first : d->step;
}

static int read_slab(const struct decomposition *d, int64_t first, struct laser_error *err)
{
    int64_t count = slab_count(d, first);

    if (d->tall)
        return laser_matrix_source_read(&d->source, first, count, 0, d->n, d->slab, d->n, err);
    return laser_matrix_source_read(&d->source, 0, d->n, first, count, d->slab, count, err);
}

static int find_basis(struct decomposition *d, struct laser_error *err)
{
    struct laser_gram gram;
    int code = laser_gram_init(&gram, d->matrix->rows, d->matrix->cols, err);

    if (code != LASER_OK)
        return code;
    for (int64_t at = 0; code == LASER_OK && at < d->m; at += d->step) {
        code = read_slab(d, at, err);
        if (code == LASER_OK)
            code = laser_gram_add(&gram, d->slab, slab_count(d, at), err);
    }
    if (code != LASER_OK) {
        laser_gram_free(&gram);
        return code;
    }
    return laser_basis_init(&d->basis, &gram, 0, d->n, err);
}

/* W V or U^T W, vector by vector: S_i times the vectors of the long side. */
static int find_long_side(struct decomposition *d, struct laser_error *err)
{
    int code = LASER_OK;

    for (int64_t at = 0; code == LASER_OK && at < d->m; at += d->step) {
        int64_t count = slab_count(d, at);

        code = read_slab(d, at, err);
        if (code == LASER_OK)
            code = laser_basis_project(&d->basis, d->slab, count, d->projected, err);
        for (int64_t i = 0; code == LASER_OK && i < d->n; ++i)
            for (int64_t j = 0; j < count; ++j)
                d->long_side[i * d->m + at + j] =
                    (float)(d->tall ? d->projected[j * d->n + i] : d->projected[i * count + j]);
    }
    return code;
}

/* To length 1: small singular values of the Gram matrix are less exact than the products are. */
static void normalise(float *vector, int64_t m, double sigma, double largest)
{
    double sum = 0;

    for (int64_t i = 0; i < m; ++i)
        sum += (double)vector[i] * (double)vector[i];
    sum = sigma > 1e-14 * largest && sum > 0 ? 1 / sqrt(sum) : 0;
    for (int64_t i = 0; i < m; ++i)
        vector[i] = (float)(vector[i] * sum);
}

static void fill_short_side(struct decomposition *d)
{
    for (int64_t i = 0; i < d->n; ++i) {
        for (int64_t j = 0; j < d->n; ++j)
            d->short_side[i * d->n + j] = (float)d->basis.vectors[i * d->n + j];
        normalise(d->short_side + i * d->n, d->n, d->basis.s[i], d->basis.s[0]);
        normalise(d->long_side + i * d->m, d->m, d->basis.s[i], d->basis.s[0]);
    }
}

static int write_vectors(const struct decomposition *d, const char *path, struct laser_error *err)
{
    struct laser_safetensors_item items[3] = {
        {.name = "left",
         .dtype = LASER_F32,
         .n_dims = 2,
         .shape = {d->n, d->matrix->rows},
         .data = d->tall ? d->long_side : d->short_side},
        {.name = "right",
         .dtype = LASER_F32,
         .n_dims = 2,
         .shape = {d->n, d->matrix->cols},
         .data = d->tall ? d->short_side : d->long_side},
        {.name = "sigma", .dtype = LASER_F64, .n_dims = 1, .shape = {d->n}, .data = d->basis.s}};

    return laser_safetensors_write(path, items, 3, err);
}

int laser_singular_vectors_make(const struct laser_run *run, int64_t matrix, struct laser_error *err)
{
    const struct laser_matrix *w = &run->matrices.matrices[matrix];
    struct decomposition d = {.matrix = w, .tall = w->rows >= w->cols};
    char path[4400];
    int code;

    d.n = d.tall ? w->cols : w->rows;
    d.m = d.tall ? w->rows : w->cols;
    d.step = laser_gram_slab(w->rows, w->cols, SLAB_BYTES);
    d.slab = malloc((size_t)(d.step * d.n) * sizeof *d.slab);
    d.projected = malloc((size_t)(d.step * d.n) * sizeof *d.projected);
    d.short_side = malloc((size_t)(d.n * d.n) * sizeof *d.short_side);
    d.long_side = malloc((size_t)(d.n * d.m) * sizeof *d.long_side);
    code = d.slab == NULL || d.projected == NULL || d.short_side == NULL || d.long_side == NULL
               ? laser_error_set(err, LASER_ENOMEM, w->name, "no memory for its singular vectors")
               : laser_run_source(run, w, &d.source, err);
    if (code == LASER_OK)
        code = find_basis(&d, err);
    if (code == LASER_OK)
        code = find_long_side(&d, err);
    if (code == LASER_OK) {
        fill_short_side(&d);
        path_of(run, matrix, path, sizeof path);
        code = write_vectors(&d, path, err);
    }
    laser_basis_free(&d.basis);
    free(d.slab);
    free(d.projected);
    free(d.short_side);
    free(d.long_side);
    return code;
}

void laser_singular_vectors_cost(const struct laser_run *run, double *file_bytes, double *memory_bytes)
{
    *file_bytes = *memory_bytes = 0;
    for (int64_t i = 0; i < run->matrices.n_matrices; ++i) {
        double rows = (double)run->matrices.matrices[i].rows,
               columns = (double)run->matrices.matrices[i].cols;
        double n = fmin(rows, columns), bytes = 4 * n * (rows + columns);

        *file_bytes += bytes;
        /* beside the vectors: the Gram matrix, its vectors, and the solver's working arrays */
        *memory_bytes = fmax(*memory_bytes, bytes + 2.0 * SLAB_BYTES + 32 * n * n);
    }
}

int laser_singular_vectors_missing(const struct laser_run *run, int64_t **todo, int64_t *n_todo,
                                   struct laser_error *err)
{
    int64_t n = run->matrices.n_matrices;
    char path[4400];
    int code = laser_directory_make(laser_run_path(run, "work/vectors"), err);

    *n_todo = 0;
    *todo = malloc((size_t)n * sizeof **todo + 1);
    if (code == LASER_OK && *todo == NULL)
        return laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory for %" PRId64 " matrices", n);
    for (int64_t i = 0; code == LASER_OK && i < n; ++i) {
        path_of(run, i, path, sizeof path);
        if (access(path, R_OK) != 0)
            (*todo)[(*n_todo)++] = i;
    }
    return code;
}

/* ---- reading ---- */

static int map_file(const char *path, struct laser_singular_vectors *v, struct laser_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0)
            close(fd);
        return laser_error_set(err, LASER_EIO, path, "cannot open: %s", strerror(errno));
    }
    v->map_bytes = st.st_size;
    v->map = mmap(NULL, (size_t)v->map_bytes, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (v->map == MAP_FAILED) {
        v->map = NULL;
        return laser_error_set(err, LASER_EIO, path, "cannot map %" PRId64 " bytes: %s", v->map_bytes,
                               strerror(errno));
    }
    return LASER_OK;
}

static int find_arrays(const char *path, const struct laser_safetensors_header *header,
                       struct laser_singular_vectors *v, struct laser_error *err)
{
    for (int64_t i = 0; i < header->n_tensors; ++i) {
        const struct laser_tensor *t = &header->tensors[i];
        const char *at = (const char *)v->map + t->offset;

        if (strcmp(t->name, "sigma") == 0 && t->dtype == LASER_F64 && t->shape[0] == v->n)
            v->sigma = (const double *)(const void *)at;
        else if (strcmp(t->name, "left") == 0 && t->dtype == LASER_F32 && t->size_bytes == 4 * v->n * v->rows)
            v->left = (const float *)(const void *)at;
        else if (strcmp(t->name, "right") == 0 && t->dtype == LASER_F32 &&
                 t->size_bytes == 4 * v->n * v->columns)
            v->right = (const float *)(const void *)at;
    }
    if (v->sigma != NULL && v->left != NULL && v->right != NULL)
        return LASER_OK;
    return laser_error_set(err, LASER_EINPUT, path,
                           "not the singular vectors of a matrix of %" PRId64 " x %" PRId64
                           "; delete it and it is made again",
                           v->rows, v->columns);
}

static int64_t count_of(const struct laser_safetensors_header *header)
{
    for (int64_t i = 0; i < header->n_tensors; ++i)
        if (strcmp(header->tensors[i].name, "sigma") == 0 && header->tensors[i].n_dims == 1)
            return header->tensors[i].shape[0];
    return 0;
}

int laser_singular_vectors_read(const struct laser_run *run, int64_t matrix, const char *path,
                                struct laser_singular_vectors *v, struct laser_error *err)
{
    const struct laser_matrix *w = &run->matrices.matrices[matrix];
    struct laser_safetensors_header header;
    int code;

    *v = (struct laser_singular_vectors){.rows = w->rows, .columns = w->cols};
    code = laser_safetensors_read_header(path, &header, NULL, NULL, err);
    if (code != LASER_OK)
        return code;
    v->n = count_of(&header);
    code = map_file(path, v, err);
    if (code == LASER_OK)
        code = find_arrays(path, &header, v, err);
    laser_safetensors_header_free(&header);
    if (code != LASER_OK)
        laser_singular_vectors_close(v);
    return code;
}

int laser_singular_vectors_open(const struct laser_run *run, int64_t matrix, struct laser_singular_vectors *v,
                                struct laser_error *err)
{
    const struct laser_matrix *w = &run->matrices.matrices[matrix];
    int64_t n = w->rows < w->cols ? w->rows : w->cols;
    char path[4400];
    int code;

    path_of(run, matrix, path, sizeof path);
    code = laser_singular_vectors_read(run, matrix, path, v, err);
    if (code == LASER_OK && v->n != n) {
        laser_singular_vectors_close(v);
        code = laser_error_set(
            err, LASER_EINPUT, path,
            "%" PRId64 " singular vectors, expected %" PRId64 "; delete it and it is made again", v->n, n);
    }
    return code;
}

void laser_singular_vectors_close(struct laser_singular_vectors *v)
{
    if (v->map != NULL)
        munmap(v->map, (size_t)v->map_bytes);
    memset(v, 0, sizeof *v);
}
