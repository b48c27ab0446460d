#include "compress/cuts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "checkpoint/safetensors.h"
#include "comm/agree.h"
#include "evaluate/thin.h"
#include "run/rundir.h"
#include "run/signals.h"

static int64_t short_side(const struct laser_matrix *m)
{
    return m->rows < m->cols ? m->rows : m->cols;
}

enum laser_left_out laser_mpi_cuts_left_out(const struct laser_run *run, const struct laser_mpi_cuts *cuts,
                                            int64_t matrix)
{
    enum laser_left_out why = laser_left_out(run, matrix);

    return why == LASER_NOT_LEFT_OUT && cuts != NULL && cuts->s[matrix] == NULL ? LASER_LEFT_OUT_FEW_TOKENS
                                                                                : why;
}

bool laser_mpi_cuts_usable(const struct laser_run *run, int64_t matrix)
{
    return laser_left_out(run, matrix) == LASER_NOT_LEFT_OUT;
}

/* ---- files ---- */

static void path_of(const struct laser_run *run, const struct laser_mpi_cuts *cuts, int64_t matrix,
                    char *path, size_t size)
{
    const char *name = run->matrices.matrices[matrix].name;

    snprintf(path, size, "%s/work/cuts/%s/%016" PRIx64 ".safetensors", run->output, cuts->folder,
             (uint64_t)XXH3_64bits(name, strlen(name)));
}

static int read_floats(FILE *in, const struct laser_tensor *t, float *x)
{
    return fseek(in, (long)t->offset, SEEK_SET) == 0 &&
           fread(x, 1, (size_t)t->size_bytes, in) == (size_t)t->size_bytes;
}

static const struct laser_tensor *find(const struct laser_safetensors_header *header, const char *name,
                                       enum laser_dtype dtype, int64_t elements)
{
    for (int64_t i = 0; i < header->n_tensors; ++i)
        if (strcmp(header->tensors[i].name, name) == 0 && header->tensors[i].dtype == dtype &&
            header->tensors[i].size_bytes == elements * (int64_t)laser_dtype_size(dtype))
            return &header->tensors[i];
    return NULL;
}

/* The values alone; false: no such file. */
static bool read_values(const char *path, int64_t n, double *s)
{
    struct laser_safetensors_header header;
    const struct laser_tensor *t;
    bool good = false;
    FILE *in;

    if (access(path, R_OK) != 0 || laser_safetensors_read_header(path, &header, NULL, NULL, NULL) != LASER_OK)
        return false;
    t = find(&header, "s", LASER_F64, n);
    in = t != NULL ? fopen(path, "rb") : NULL;
    if (in != NULL) {
        good = fseek(in, (long)t->offset, SEEK_SET) == 0 && fread(s, sizeof *s, (size_t)n, in) == (size_t)n;
        fclose(in);
    }
    laser_safetensors_header_free(&header);
    return good;
}

static int write_cut(const char *path, const struct laser_whitened_cut *cut, struct laser_error *err)
{
    size_t n_left = (size_t)(cut->rows * cut->n), n_right = (size_t)(cut->n * cut->columns);
    float *left = malloc((n_left + n_right) * sizeof *left + 1), *right = left + n_left;
    const struct laser_safetensors_item items[] = {
        {.name = "left", .dtype = LASER_F32, .n_dims = 2, .shape = {cut->rows, cut->n}, .data = left},
        {.name = "right", .dtype = LASER_F32, .n_dims = 2, .shape = {cut->n, cut->columns}, .data = right},
        {.name = "s", .dtype = LASER_F64, .n_dims = 1, .shape = {cut->n}, .data = cut->s}};
    int code;

    if (left == NULL)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for %zu numbers", n_left + n_right);
    for (size_t i = 0; i < n_left; ++i)
        left[i] = (float)cut->left[i];
    for (size_t i = 0; i < n_right; ++i)
        right[i] = (float)cut->right[i];
    code = laser_safetensors_write(path, items, 3, err);
    free(left);
    return code;
}

/* The file of a matrix that is not cut, so that a later start knows. */
static int write_left_out(const char *path, int64_t n, struct laser_error *err)
{
    double *zero = calloc((size_t)n, sizeof *zero);
    const struct laser_safetensors_item item = {
        .name = "left out", .dtype = LASER_F64, .n_dims = 1, .shape = {n}, .data = zero};
    int code = zero == NULL ? laser_error_set(err, LASER_ENOMEM, path, "no memory")
                            : laser_safetensors_write(path, &item, 1, err);

    free(zero);
    return code;
}

static int read_sides(const char *path, struct laser_whitened_cut *cut, struct laser_error *err)
{
    struct laser_safetensors_header header;
    const struct laser_tensor *left, *right;
    float *narrow =
        malloc((size_t)(cut->n * (cut->rows > cut->columns ? cut->rows : cut->columns)) * sizeof *narrow);
    FILE *in = NULL;
    int code = laser_safetensors_read_header(path, &header, NULL, NULL, err);

    if (code != LASER_OK) {
        free(narrow);
        return code;
    }
    left = find(&header, "left", LASER_F32, cut->rows * cut->n);
    right = find(&header, "right", LASER_F32, cut->n * cut->columns);
    if (narrow == NULL)
        code = laser_error_set(err, LASER_ENOMEM, path, "no memory for its factors");
    else if (left == NULL || right == NULL)
        code = laser_error_set(err, LASER_EINPUT, path,
                               "not the cut of a matrix; delete it and it is made again");
    else if ((in = fopen(path, "rb")) == NULL || !read_floats(in, left, narrow))
        code = laser_error_set(err, LASER_EIO, path, "cannot read it");
    for (int64_t i = 0; code == LASER_OK && i < cut->rows * cut->n; ++i)
        cut->left[i] = narrow[i];
    if (code == LASER_OK && !read_floats(in, right, narrow))
        code = laser_error_set(err, LASER_EIO, path, "cannot read it");
    for (int64_t i = 0; code == LASER_OK && i < cut->n * cut->columns; ++i)
        cut->right[i] = narrow[i];
    if (in != NULL)
        fclose(in);
    free(narrow);
    laser_safetensors_header_free(&header);
    return code;
}

/* ---- what is there ---- */

/* Rank 0.  Returns whether the file of every usable matrix is there; cuts->made: it has values. */
static bool read_all(const struct laser_run *run, struct laser_mpi_cuts *cuts)
{
    char path[4400];
    bool complete = true;

    for (int64_t i = 0; i < cuts->n_matrices; ++i) {
        int64_t n = short_side(&run->matrices.matrices[i]);

        if (!laser_mpi_cuts_usable(run, i))
            continue;
        path_of(run, cuts, i, path, sizeof path);
        complete = complete && access(path, R_OK) == 0;
        cuts->made[i] = read_values(path, n, cuts->s[i]);
    }
    return complete;
}

static int allocate(const struct laser_run *run, struct laser_mpi_cuts *cuts, struct laser_error *err)
{
    cuts->s = calloc((size_t)cuts->n_matrices + 1, sizeof *cuts->s);
    cuts->made = calloc((size_t)cuts->n_matrices + 1, 1);
    if (cuts->s == NULL || cuts->made == NULL)
        return laser_error_set(err, LASER_ENOMEM, "compress", "no memory for %" PRId64 " matrices",
                               cuts->n_matrices);
    for (int64_t i = 0; i < cuts->n_matrices; ++i) {
        if (!laser_mpi_cuts_usable(run, i))
            continue;
        cuts->s[i] = malloc((size_t)short_side(&run->matrices.matrices[i]) * sizeof **cuts->s);
        if (cuts->s[i] == NULL)
            return laser_error_set(err, LASER_ENOMEM, "compress", "no memory for the values of %s",
                                   run->matrices.matrices[i].name);
    }
    return LASER_OK;
}

int laser_mpi_cuts_open(const struct laser_run *run, const struct laser_compress_method *method, uint64_t key,
                        struct laser_mpi_cuts *cuts, bool *complete, struct laser_error *err)
{
    struct laser_checkpoint_fingerprint print = laser_checkpoint_fingerprint(run->checkpoint);
    char text[200], folder[4400];
    int all = 0, code;

    *cuts = (struct laser_mpi_cuts){.n_matrices = run->matrices.n_matrices};
    snprintf(text, sizeof text, "%016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %s", print.content, print.times,
             key, method->name);
    snprintf(cuts->folder, sizeof cuts->folder, "%016" PRIx64, (uint64_t)XXH3_64bits(text, strlen(text)));
    code = allocate(run, cuts, err);
    if (code == LASER_OK && run->rank == 0) {
        snprintf(folder, sizeof folder, "%s/work/cuts/%s", run->output, cuts->folder);
        code = laser_directory_make(folder, err);
    }
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code != LASER_OK) {
        laser_mpi_cuts_free(cuts);
        return code;
    }
    if (run->rank == 0)
        all = read_all(run, cuts);
    MPI_Bcast(&all, 1, MPI_INT, 0, laser_mpi_world(run));
    *complete = all != 0;
    if (all)
        laser_mpi_cuts_share(run, cuts);
    else
        memset(cuts->made, 0, (size_t)cuts->n_matrices);
    return LASER_OK;
}

void laser_mpi_cuts_free(struct laser_mpi_cuts *cuts)
{
    for (int64_t i = 0; cuts->s != NULL && i < cuts->n_matrices; ++i)
        free(cuts->s[i]);
    free(cuts->s);
    free(cuts->made);
    memset(cuts, 0, sizeof *cuts);
}

/* ---- making them ---- */

/* A covariance of inputs serves several matrices one after another. */
struct inputs {
    int64_t of; /* matrix; -1: none */
    struct laser_root root;
};

/* W in the orientation y = W x. */
static int read_matrix(const struct laser_run *run, int64_t matrix, bool transposed, double **out,
                       struct laser_error *err)
{
    const struct laser_matrix *m = &run->matrices.matrices[matrix];
    double *w = malloc((size_t)(m->rows * m->cols) * sizeof *w), *turned = NULL;
    int code = w == NULL ? laser_error_set(err, LASER_ENOMEM, m->name, "no memory to take it apart")
                         : laser_matrix_read(run->checkpoint, m, 0, m->rows, 0, m->cols, w, m->cols, err);

    if (code == LASER_OK && transposed) {
        turned = malloc((size_t)(m->rows * m->cols) * sizeof *w);
        if (turned == NULL)
            code = laser_error_set(err, LASER_ENOMEM, m->name, "no memory to take it apart");
        for (int64_t i = 0; code == LASER_OK && i < m->rows; ++i)
            for (int64_t j = 0; j < m->cols; ++j)
                turned[j * m->rows + i] = w[i * m->cols + j];
        free(w);
        w = turned;
    }
    if (code != LASER_OK) {
        free(w);
        w = NULL;
    }
    *out = w;
    return code;
}

/* The root of the covariance of a matrix's inputs stays for the next matrix with the same inputs. */
static int take_inputs(const struct laser_statistics *statistics, int64_t matrix, struct inputs *inputs,
                       struct laser_error *err)
{
    int64_t of = statistics->matrices[matrix].input_of;
    const struct laser_matrix_statistics *source = &statistics->matrices[of];
    int code;

    if (inputs->of == of)
        return LASER_OK;
    laser_root_free(&inputs->root);
    code = laser_root_make(source->input, source->columns, source->reached, &inputs->root, err);
    inputs->of = code == LASER_OK ? of : -1;
    return code;
}

static int take_apart(const struct laser_run *run, const struct laser_compress_method *method,
                      const struct laser_statistics *statistics, int64_t matrix, struct inputs *inputs,
                      struct laser_whitened_cut *cut, struct laser_error *err)
{
    const struct laser_matrix *m = &run->matrices.matrices[matrix];
    int64_t rows = m->transposed ? m->cols : m->rows, columns = m->transposed ? m->rows : m->cols;
    struct laser_root gradients = {0};
    double *w = NULL;
    int code = LASER_OK;

    if (method->inputs)
        code = take_inputs(statistics, matrix, inputs, err);
    if (code == LASER_OK && method->gradients)
        code = laser_root_make(statistics->matrices[matrix].output, rows,
                               statistics->matrices[matrix].reached, &gradients, err);
    if (code == LASER_OK)
        code = read_matrix(run, matrix, m->transposed, &w, err);
    if (code == LASER_OK)
        code = laser_cut_make(w, rows, columns, method->inputs ? &inputs->root : NULL,
                              method->gradients ? &gradients : NULL, cut, err);
    free(w);
    laser_root_free(&gradients);
    return code;
}

/* On the owner. */
static int make_one(const struct laser_run *run, const struct laser_compress_method *method,
                    const struct laser_statistics *statistics, int64_t matrix, struct inputs *inputs,
                    struct laser_mpi_cuts *cuts, bool *made, struct laser_error *err)
{
    const struct laser_matrix *m = &run->matrices.matrices[matrix];
    struct laser_whitened_cut cut = {0};
    char path[4400];
    int code;

    path_of(run, cuts, matrix, path, sizeof path);
    *made = statistics == NULL || statistics->matrices[matrix].reached >= LASER_CUTS_TOKENS;
    if (!*made)
        return write_left_out(path, short_side(m), err);
    code = take_apart(run, method, statistics, matrix, inputs, &cut, err);
    if (code == LASER_OK) {
        memcpy(cuts->s[matrix], cut.s, (size_t)cut.n * sizeof *cut.s);
        code = write_cut(path, &cut, err);
    } else if (err->where[0] == '\0') {
        snprintf(err->where, sizeof err->where, "%s", m->name);
    }
    laser_cut_free(&cut);
    return code;
}

/* What the rank that made a matrix's cut has of it, and all others have not. */
void laser_mpi_cuts_share(const struct laser_run *run, struct laser_mpi_cuts *cuts)
{
    for (int64_t i = 0; i < cuts->n_matrices; ++i) {
        int64_t n = short_side(&run->matrices.matrices[i]);
        int made = cuts->made[i];

        MPI_Allreduce(MPI_IN_PLACE, &made, 1, MPI_INT, MPI_MAX, laser_mpi_world(run));
        if (cuts->s[i] != NULL && made) {
            if (!cuts->made[i])
                memset(cuts->s[i], 0, (size_t)n * sizeof **cuts->s);
            MPI_Allreduce(MPI_IN_PLACE, cuts->s[i], (int)n, MPI_DOUBLE, MPI_SUM, laser_mpi_world(run));
            continue;
        }
        free(cuts->s[i]);
        cuts->s[i] = NULL;
    }
}

/* Without statistics the ranks share the matrices out by their numbers. */
static bool is_mine(const struct laser_run *run, const struct laser_statistics *statistics, int64_t matrix)
{
    if (statistics == NULL)
        return matrix % run->size == run->rank;
    return laser_statistics_wants(&statistics->options, matrix) &&
           statistics->matrices[matrix].owner == run->rank;
}

int laser_mpi_cuts_make(struct laser_run *run, const struct laser_compress_method *method,
                        const struct laser_statistics *statistics, struct laser_mpi_cuts *cuts,
                        struct laser_error *err)
{
    struct inputs inputs = {.of = -1};
    int code = LASER_OK;

    laser_log_phase(run->log, "cuts");
    for (int64_t i = 0; code == LASER_OK && i < cuts->n_matrices; ++i) {
        bool one = false;

        if (!laser_mpi_cuts_usable(run, i) || !is_mine(run, statistics, i))
            continue;
        if (laser_signalled())
            code = laser_run_asked(1, err);
        if (code == LASER_OK)
            code = make_one(run, method, statistics, i, &inputs, cuts, &one, err);
        cuts->made[i] = one;
    }
    laser_root_free(&inputs.root);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    laser_log_phase_end(run->log);
    return code;
}

/* ---- factors ---- */

/* The cut of one matrix, with these first values or its own.  Free with laser_cut_free. */
static int read_cut(const struct laser_run *run, const struct laser_mpi_cuts *cuts, int64_t matrix, int64_t k,
                    const double *values, struct laser_whitened_cut *cut, struct laser_error *err)
{
    const struct laser_matrix *m = &run->matrices.matrices[matrix];
    char path[4400];
    int code = LASER_OK;

    *cut = (struct laser_whitened_cut){.rows = m->transposed ? m->cols : m->rows,
                                       .columns = m->transposed ? m->rows : m->cols,
                                       .n = short_side(m)};
    cut->s = malloc((size_t)cut->n * sizeof *cut->s);
    cut->left = malloc((size_t)(cut->rows * cut->n) * sizeof *cut->left);
    cut->right = malloc((size_t)(cut->n * cut->columns) * sizeof *cut->right);
    if (cut->s == NULL || cut->left == NULL || cut->right == NULL)
        code = laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its factors");
    if (code == LASER_OK) {
        memcpy(cut->s, cuts->s[matrix], (size_t)cut->n * sizeof *cut->s);
        if (values != NULL)
            memcpy(cut->s, values, (size_t)k * sizeof *cut->s);
        path_of(run, cuts, matrix, path, sizeof path);
        code = read_sides(path, cut, err);
    }
    if (code != LASER_OK)
        laser_cut_free(cut);
    return code;
}

int laser_mpi_cuts_factors(const struct laser_run *run, const struct laser_mpi_cuts *cuts, int64_t matrix,
                           int64_t k, const double *values, const char *path, struct laser_error *err)
{
    const struct laser_matrix *m = &run->matrices.matrices[matrix];
    struct laser_whitened_cut cut;
    size_t n_a, n_b, size = laser_dtype_size(m->dtype);
    unsigned char *bytes;
    double *a;
    int code = read_cut(run, cuts, matrix, k, values, &cut, err);

    if (code != LASER_OK)
        return code;
    n_a = (size_t)(cut.rows * k);
    n_b = (size_t)(k * cut.columns);
    a = malloc((n_a + n_b) * sizeof *a + 1);
    bytes = malloc((n_a + n_b) * size + 1);
    if (a == NULL || bytes == NULL) {
        code = laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its factors");
    } else {
        const struct laser_safetensors_item items[] = {
            {.name = "a", .dtype = m->dtype, .n_dims = 2, .shape = {cut.rows, k}, .data = bytes},
            {.name = "b",
             .dtype = m->dtype,
             .n_dims = 2,
             .shape = {k, cut.columns},
             .data = bytes + n_a * size}};

        laser_cut_factors(&cut, k, a, a + n_a);
        laser_dtype_from_f64(m->dtype, a, (int64_t)n_a, bytes);
        laser_dtype_from_f64(m->dtype, a + n_a, (int64_t)n_b, bytes + n_a * size);
        code = laser_safetensors_write(path, items, 2, err);
    }
    free(a);
    free(bytes);
    laser_cut_free(&cut);
    return code;
}

/* x^T [columns, rows] of x [rows, columns], whose rows are `stride` apart. */
static void turn(const double *x, int64_t rows, int64_t columns, int64_t stride, float *out)
{
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j)
            out[j * rows + i] = (float)x[i * stride + j];
}

static void narrow(const double *x, int64_t n, float *out)
{
    for (int64_t i = 0; i < n; ++i)
        out[i] = (float)x[i];
}

int laser_mpi_cuts_vectors(const struct laser_run *run, const struct laser_mpi_cuts *cuts, int64_t matrix,
                           int64_t k, const char *path, struct laser_error *err)
{
    const struct laser_matrix *m = &run->matrices.matrices[matrix];
    struct laser_whitened_cut cut;
    float *outputs, *inputs;
    int code = read_cut(run, cuts, matrix, k, NULL, &cut, err);

    if (code != LASER_OK)
        return code;
    outputs = malloc((size_t)(k * (cut.rows + cut.columns)) * sizeof *outputs + 1);
    inputs = outputs + k * cut.rows;
    if (outputs == NULL) {
        code = laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its vectors");
    } else {
        const struct laser_safetensors_item items[] = {
            {.name = "left",
             .dtype = LASER_F32,
             .n_dims = 2,
             .shape = {k, m->rows},
             .data = m->transposed ? inputs : outputs},
            {.name = "right",
             .dtype = LASER_F32,
             .n_dims = 2,
             .shape = {k, m->cols},
             .data = m->transposed ? outputs : inputs},
            {.name = "sigma", .dtype = LASER_F64, .n_dims = 1, .shape = {k}, .data = cut.s}};

        turn(cut.left, cut.rows, k, cut.n, outputs);
        narrow(cut.right, k * cut.columns, inputs);
        code = laser_safetensors_write(path, items, 3, err);
    }
    free(outputs);
    laser_cut_free(&cut);
    return code;
}

/* The factors as the matrix is stored: a b, or (a b)^T. */
static int write_thin(const struct laser_matrix *m, int64_t k, const double *a, const double *b,
                      const char *path, struct laser_error *err)
{
    struct laser_thin_factors thin;
    int code = laser_thin_init(&thin, m->rows, m->cols, k, err);

    if (code != LASER_OK)
        return code;
    if (m->transposed) {
        turn(b, k, m->rows, m->rows, thin.left);
        turn(a, m->cols, k, k, thin.right);
    } else {
        narrow(a, m->rows * k, thin.left);
        narrow(b, k * m->cols, thin.right);
    }
    code = laser_thin_write(path, &thin, err);
    laser_thin_free(&thin);
    return code;
}

static int write_whole(const struct laser_matrix *m, int64_t k, const double *a, const double *b,
                       const char *path, struct laser_error *err)
{
    int64_t n = m->rows * m->cols, rows = m->transposed ? m->cols : m->rows,
            columns = m->transposed ? m->rows : m->cols;
    double *w = malloc((size_t)n * 2 * sizeof *w), *stored = w;
    unsigned char *bytes = malloc((size_t)n * laser_dtype_size(m->dtype));
    struct laser_safetensors_item item = {
        .name = m->name, .dtype = m->dtype, .n_dims = 2, .shape = {m->rows, m->cols}, .data = bytes};
    int code = w == NULL || bytes == NULL
                   ? laser_error_set(err, LASER_ENOMEM, m->name, "no memory for the product of its factors")
                   : LASER_OK;

    if (code == LASER_OK) {
        laser_cut_product(rows, columns, k, a, b, w);
        if (m->transposed) {
            stored = w + n;
            for (int64_t i = 0; i < rows; ++i)
                for (int64_t j = 0; j < columns; ++j)
                    stored[j * rows + i] = w[i * columns + j];
        }
        laser_dtype_from_f64(m->dtype, stored, n, bytes);
        code = laser_safetensors_write(path, &item, 1, err);
    }
    free(w);
    free(bytes);
    return code;
}

int laser_mpi_cuts_edit(const struct laser_run *run, const struct laser_mpi_cuts *cuts, int64_t matrix,
                        int64_t k, const double *values, bool thin, const char *path, struct laser_error *err)
{
    const struct laser_matrix *m = &run->matrices.matrices[matrix];
    struct laser_whitened_cut cut;
    double *a;
    int code = read_cut(run, cuts, matrix, k, values, &cut, err);

    if (code != LASER_OK)
        return code;
    a = malloc((size_t)(k * (cut.rows + cut.columns)) * sizeof *a + 1);
    if (a == NULL) {
        code = laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its factors");
    } else {
        double *b = a + k * cut.rows;

        laser_cut_factors(&cut, k, a, b);
        code = (thin ? write_thin : write_whole)(m, k, a, b, path, err);
    }
    free(a);
    laser_cut_free(&cut);
    return code;
}
