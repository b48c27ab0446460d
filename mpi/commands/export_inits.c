/* The command `export`; what of it is collective: PiSSA and MiLoRA, adapters whose first step is on the model as it was, and the
 * model without them; the difference of two models as an adapter. */
#include "commands/commands.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_text.h"
#include "checkpoint/coded.h"
#include "checkpoint/writer.h"
#include "comm/agree.h"
#include "commands/export.h"
#include "linalg/factors.h"
#include "reduce/reduction.h"
#include "run/notes.h"
#include "run/rundir.h"

/* A module that gets an adapter, the same list on every rank. */
struct module {
    const char *tensor;
    int rank;
    const struct laser_matrix *matrix;
};

struct inits {
    struct laser_run *run;
    struct module *modules;
    int n;
    char *text; /* of the names */
    char dir[4200];
    bool smallest, transposed;
    bool lora; /* the difference of two models: what it leaves out is lost, and only counted */
    /* of lora: squared Frobenius norms of each module's difference, then of what is left out of it */
    double *norms;
};

/* ---- which modules ---- */

/* Rank 0's: "RANK NAME\0" for each. */
static int describe(const struct laser_export *e, struct laser_text *text, struct laser_error *err)
{
    int *ranks = calloc(e->count + 1, sizeof *ranks);

    if (ranks == NULL)
        return laser_error_set(err, LASER_ENOMEM, "export", "no memory for %zu matrices", e->count);
    laser_export_ranks(e, ranks);
    for (size_t i = 0; i < e->count; ++i)
        if (ranks[i] > 0) {
            laser_text_printf(text, "%d %s", ranks[i], e->rows[i].name);
            laser_text_fill(text, '\0', 1);
        }
    free(ranks);
    if (text->failed)
        return laser_error_set(err, LASER_ENOMEM, "export", "no memory for %zu matrices", e->count);
    return text->size > 0 ? LASER_OK
                          : laser_error_set(err, LASER_EUSAGE, "export",
                                            "nothing is picked: no module to make an adapter for");
}

static int share_modules(struct inits *x, const struct laser_export *e, struct laser_error *err)
{
    struct laser_run *run = x->run;
    struct laser_text text = {0};
    const char **names;
    size_t size = 0;
    int code = run->rank == 0 ? describe(e, &text, err) : LASER_OK;

    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (run->rank == 0) {
        size = text.size;
        x->text = laser_text_take(&text);
    }
    if (code == LASER_OK)
        code = laser_mpi_share(laser_mpi_world(run), (void **)&x->text, &size, err);
    if (code != LASER_OK)
        return code;
    for (size_t at = 0; at < size; at += strlen(x->text + at) + 1)
        ++x->n;
    x->modules = calloc((size_t)x->n + 1, sizeof *x->modules);
    names = calloc((size_t)x->n + 1, sizeof *names);
    if (x->modules == NULL || names == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "export", "no memory for %d modules", x->n);
    for (size_t at = 0, i = 0; code == LASER_OK && at < size; at += strlen(x->text + at) + 1, ++i) {
        char *end;
        x->modules[i].rank = (int)strtol(x->text + at, &end, 10);
        x->modules[i].tensor = names[i] = end + 1;
    }
    run->only = names;
    run->n_only = x->n;
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

/* Local; the same on every rank. */
static int find_matrices(struct inits *x, struct laser_error *err)
{
    const struct laser_matrix_list *list = &x->run->matrices;

    for (int i = 0; i < x->n; ++i) {
        struct module *m = &x->modules[i];
        for (int64_t j = 0; j < list->n_matrices && m->matrix == NULL; ++j)
            if (strcmp(list->matrices[j].name, m->tensor) == 0)
                m->matrix = &list->matrices[j];
        if (m->matrix == NULL)
            return laser_error_set(err, LASER_EINPUT, m->tensor,
                                   "the scan has this matrix, the model %s has not",
                                   x->run->checkpoint->model);
        if (m->rank > m->matrix->rows || m->rank > m->matrix->cols)
            m->rank = (int)(m->matrix->rows < m->matrix->cols ? m->matrix->rows : m->matrix->cols);
        x->transposed |= m->matrix->transposed;
    }
    return LASER_OK;
}

/* ---- one module ---- */

static void file_path(const struct inits *x, int number, const char *what, char *path, size_t size)
{
    snprintf(path, size, "%s/work-%d-%s.safetensors", x->dir, number, what);
}

/* Both factors get the square root of each singular value. */
static void balance(const struct laser_matrix *m, int k, double *a, double *b)
{
    for (int j = 0; j < k; ++j) {
        double na = 0, nb = 0, scale;
        for (int64_t i = 0; i < m->rows; ++i)
            na += a[i * k + j] * a[i * k + j];
        for (int64_t i = 0; i < m->cols; ++i)
            nb += b[j * m->cols + i] * b[j * m->cols + i];
        if (!(na > 0 && nb > 0))
            continue;
        scale = sqrt(sqrt(nb / na));
        for (int64_t i = 0; i < m->rows; ++i)
            a[i * k + j] *= scale;
        for (int64_t i = 0; i < m->cols; ++i)
            b[j * m->cols + i] /= scale;
    }
}

/* Into float32, the dtype of an adapter, and back: what is left of W is then less what the file holds. */
static void round_to_float(double *x, int64_t n)
{
    for (int64_t i = 0; i < n; ++i)
        x[i] = (float)x[i];
}

/* out[columns][rows] of in[rows][columns], as float32. */
static void put_floats(const double *in, int64_t rows, int64_t columns, bool transpose, float *out)
{
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j)
            out[transpose ? j * rows + i : i * columns + j] = (float)in[i * columns + j];
}

/* lora_A [k, in] and lora_B [out, k]; W is [out, in], or [in, out] where it is stored so. */
static int write_pair(const struct inits *x, int number, const double *a, const double *b,
                      struct laser_error *err)
{
    const struct module *module = &x->modules[number];
    const struct laser_matrix *m = module->matrix;
    int64_t k = module->rank, in = m->transposed ? m->rows : m->cols, out = m->transposed ? m->cols : m->rows;
    float *data = malloc((size_t)(k * (in + out)) * sizeof *data);
    char path[4400], names[2][1200];
    int stem = (int)(strlen(module->tensor) - strlen(".weight")), code;

    if (data == NULL)
        return laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its adapter");
    put_floats(m->transposed ? a : b, m->transposed ? m->rows : k, m->transposed ? k : m->cols, m->transposed,
               data);
    put_floats(m->transposed ? b : a, m->transposed ? k : m->rows, m->transposed ? m->cols : k, m->transposed,
               data + k * in);
    snprintf(names[0], sizeof names[0], "base_model.model.%.*s.lora_A.weight", stem, module->tensor);
    snprintf(names[1], sizeof names[1], "base_model.model.%.*s.lora_B.weight", stem, module->tensor);
    file_path(x, number, "pair", path, sizeof path);
    code = laser_safetensors_write(
        path,
        (struct laser_safetensors_item[]){
            {.name = names[0], .dtype = LASER_F32, .n_dims = 2, .shape = {k, in}, .data = data},
            {.name = names[1], .dtype = LASER_F32, .n_dims = 2, .shape = {out, k}, .data = data + k * in}},
        2, err);
    free(data);
    return code;
}

/* W -= A B */
static void subtract(const struct module *module, double *w, const double *a, const double *b)
{
    const struct laser_matrix *m = module->matrix;

    for (int64_t i = 0; i < m->rows; ++i)
        for (int64_t j = 0; j < module->rank; ++j) {
            double f = a[i * module->rank + j];
            for (int64_t c = 0; c < m->cols; ++c)
                w[i * m->cols + c] -= f * b[j * m->cols + c];
        }
}

static double sum_of_squares(const double *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; ++i)
        sum += x[i] * x[i];
    return sum;
}

/* What is left of W into the tensor's own bytes. */
static int write_rest(const struct inits *x, int number, const double *w, struct laser_error *err)
{
    const struct module *module = &x->modules[number];
    const struct laser_matrix *m = module->matrix;
    const struct laser_tensor *t = &x->run->checkpoint->tensors[m->tensor];
    struct laser_safetensors_item item = {.name = t->name, .dtype = t->dtype, .n_dims = t->n_dims};
    void *bytes = calloc(1, (size_t)t->size_bytes + 1);
    char path[4400];
    int code;

    if (bytes == NULL)
        return laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its rest");
    code = laser_matrix_write(x->run->checkpoint, m, 0, m->rows, 0, m->cols, w, m->cols, bytes, err);
    memcpy(item.shape, t->shape, sizeof item.shape);
    item.data = bytes;
    file_path(x, number, "rest", path, sizeof path);
    if (code == LASER_OK)
        code = laser_safetensors_write(path, &item, 1, err);
    free(bytes);
    return code;
}

static int make_module(const struct inits *x, int number, struct laser_error *err)
{
    const struct laser_matrix *m = x->modules[number].matrix;
    int k = x->modules[number].rank, code = LASER_OK;
    int64_t side = m->rows < m->cols ? m->rows : m->cols;
    double *w = malloc((size_t)m->rows * (size_t)m->cols * sizeof *w),
           *a = malloc((size_t)(m->rows + m->cols + 1) * (size_t)k * sizeof *a),
           *b = a != NULL ? a + m->rows * k : NULL, *ones = b != NULL ? b + m->cols * k : NULL;
    int *select = malloc((size_t)k * sizeof *select);
    struct laser_basis basis = {0};

    if (w == NULL || a == NULL || select == NULL)
        code = laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its factors");
    for (int j = 0; code == LASER_OK && j < k; ++j) {
        select[j] = x->smallest ? (int)side - k + j : j;
        ones[j] = 1;
    }
    if (code == LASER_OK)
        code = laser_matrix_read(x->run->checkpoint, m, 0, m->rows, 0, m->cols, w, m->cols, err);
    for (int64_t i = 0; code == LASER_OK && i < m->rows * m->cols; ++i)
        if (!isfinite(w[i]))
            code = laser_error_set(err, LASER_ENUMERIC, m->name, "NaN or Inf in the matrix");
    if (code == LASER_OK)
        code = laser_factors_basis(w, m->rows, m->cols, &basis, err);
    if (code == LASER_OK)
        code = laser_factors_make(&basis, w, select, ones, k, a, b, err);
    if (code == LASER_OK) {
        balance(m, k, a, b);
        round_to_float(a, (m->rows + m->cols) * k);
        code = write_pair(x, number, a, b, err);
    }
    if (code == LASER_OK && x->lora)
        x->norms[number] = sum_of_squares(w, m->rows * m->cols);
    if (code == LASER_OK)
        subtract(&x->modules[number], w, a, b);
    if (code == LASER_OK && x->lora)
        x->norms[x->n + number] = sum_of_squares(w, m->rows * m->cols);
    else if (code == LASER_OK)
        code = write_rest(x, number, w, err);
    laser_basis_free(&basis);
    free(w);
    free(a);
    free(select);
    return code;
}

/* ---- all of them ---- */

/* Rank 0. */
static int write_adapter(const struct inits *x, struct laser_error *err)
{
    struct laser_safetensors_item *items = calloc(2 * (size_t)x->n + 1, sizeof *items);
    struct laser_safetensors_header *headers = calloc((size_t)x->n + 1, sizeof *headers);
    char **data = calloc((size_t)x->n + 1, sizeof *data), path[4400];
    int n = 0, code = LASER_OK;

    if (items == NULL || headers == NULL || data == NULL)
        code = laser_error_set(err, LASER_ENOMEM, x->dir, "no memory for the adapter");
    for (int i = 0; code == LASER_OK && i < x->n; ++i) {
        size_t size;
        file_path(x, i, "pair", path, sizeof path);
        code = laser_file_read(path, (size_t)1 << 40, &data[i], &size, err);
        if (code == LASER_OK)
            code = laser_safetensors_parse(path, data[i], (int64_t)size, (int64_t)size, &headers[i], err);
        for (int64_t t = 0; code == LASER_OK && t < headers[i].n_tensors; ++t) {
            const struct laser_tensor *from = &headers[i].tensors[t];
            items[n++] = (struct laser_safetensors_item){.name = from->name,
                                                         .dtype = from->dtype,
                                                         .n_dims = 2,
                                                         .shape = {from->shape[0], from->shape[1]},
                                                         .data = data[i] + from->offset};
        }
    }
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", x->dir);
    if (code == LASER_OK)
        code = laser_safetensors_write(path, items, n, err);
    for (int i = 0; data != NULL && headers != NULL && i < x->n; ++i) {
        laser_safetensors_header_free(&headers[i]);
        free(data[i]);
    }
    free(items);
    free(headers);
    free(data);
    return code;
}

/* Rank 0. */
static int write_config(const struct inits *x, const struct laser_export *all, struct laser_error *err)
{
    struct laser_scan_meta meta = *all->meta;
    struct laser_export e = *all;
    struct laser_text text = {0};
    char base[PATH_MAX + 8], path[4400];
    int code;

    /* For whoever loads it from anywhere; a base that is no directory is the name of a model on the hub. */
    if (realpath(x->lora ? x->run->settings->scan.base : x->dir, base) == NULL) {
        if (!x->lora)
            return laser_error_set(err, LASER_EIO, x->dir, "cannot be resolved: %s", strerror(errno));
        snprintf(base, sizeof base, "%s", x->run->settings->scan.base);
    }
    if (!x->lora)
        strcat(base, "/base");
    snprintf(path, sizeof path, "%s/adapter_config.json", x->dir);
    meta.model = base;
    e.meta = &meta;
    e.transposed = x->transposed;
    laser_export_peft(&text, &e);
    code = text.failed ? laser_error_set(err, LASER_ENOMEM, path, "no memory")
                       : laser_file_replace(path, text.data, text.size, err);
    laser_text_free(&text);
    return code;
}

/* Every rank: the model from the rests. */
static int write_base(struct inits *x, struct laser_error *err)
{
    struct laser_run *run = x->run;
    char path[4400];
    int code = LASER_OK;

    for (int i = 0; code == LASER_OK && i < x->n; ++i) {
        file_path(x, i, "rest", path, sizeof path);
        code = laser_checkpoint_redirect(run->checkpoint, x->modules[i].tensor, path, -1, err);
    }
    snprintf(path, sizeof path, "%s/base", x->dir);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    return code == LASER_OK ? laser_mpi_checkpoint_write(run, path, err) : code;
}

/* The pieces are of no use any more; the next adapter takes the weights as they were. */
static int clean(struct inits *x, struct laser_error *err)
{
    char path[4400];
    int code = LASER_OK;

    for (int i = 0; i < x->n; ++i) {
        if (code == LASER_OK)
            code = laser_checkpoint_redirect(x->run->checkpoint, x->modules[i].tensor, NULL, 0, err);
        if (x->run->rank != 0)
            continue;
        file_path(x, i, "pair", path, sizeof path);
        unlink(path);
        file_path(x, i, "rest", path, sizeof path);
        unlink(path);
    }
    return code;
}

/* The adapter in OUT/NAME, from the pieces that all ranks made. */
static int make_adapter(struct inits *x, const char *name, const struct laser_export *e,
                        struct laser_error *err)
{
    struct laser_run *run = x->run;
    int code = LASER_OK;

    snprintf(x->dir, sizeof x->dir, "%.4096s/%s", run->output, name);
    if (run->rank == 0)
        code = laser_directory_make(x->dir, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    laser_log_phase(run->log, name);
    for (int i = run->rank; code == LASER_OK && i < x->n; i += run->size)
        code = make_module(x, i, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK && run->rank == 0) {
        code = write_adapter(x, err);
        if (code == LASER_OK)
            code = write_config(x, e, err);
    }
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

static int write_init(struct inits *x, const char *name, const struct laser_export *e,
                      struct laser_error *err)
{
    struct laser_run *run = x->run;
    int code = make_adapter(x, name, e, err);

    if (code == LASER_OK)
        code = write_base(x, err);
    if (code == LASER_OK)
        code = clean(x, err);
    laser_log_phase_end(run->log);
    if (code == LASER_OK)
        laser_log_line(run->log, "EXPORT", "%s/: adapter of the %s components of %d modules; its model is %s",
                       name, x->smallest ? "smallest" : "largest", x->n, "base/ in there");
    return code;
}

/* ---- the difference of two models ---- */

/* Is a tensor of the difference in the adapter? */
static bool is_module(const struct inits *x, const struct laser_tensor *t)
{
    bool found = false;

    for (int i = 0; i < x->n && !found; ++i)
        found = &x->run->checkpoint->tensors[x->modules[i].matrix->tensor] == t;
    return found;
}

/* Squared Frobenius norm of a tensor of the difference. */
static int tensor_norm(const struct laser_checkpoint *c, const struct laser_tensor *t, double *norm,
                       struct laser_error *err)
{
    enum { PIECE = 1 << 17 };
    double *piece = malloc(PIECE * sizeof *piece);
    int64_t n = t->size_bytes / (int64_t)sizeof *piece;
    int code = piece != NULL ? LASER_OK : laser_error_set(err, LASER_ENOMEM, t->name, "no memory to read it");

    for (int64_t at = 0; code == LASER_OK && at < n; at += PIECE) {
        int64_t here = n - at < PIECE ? n - at : PIECE;
        code = laser_checkpoint_read(c, t, at * (int64_t)sizeof *piece, here * (int64_t)sizeof *piece, piece,
                                     err);
        if (code == LASER_OK)
            *norm += sum_of_squares(piece, here);
    }
    free(piece);
    return code;
}

/* Collective.  Rank 0 gets the sums over the ranks. */
static void sum_at_root(const struct laser_run *run, double *x, int64_t n)
{
    MPI_Reduce(run->rank == 0 ? MPI_IN_PLACE : x, x, (int)n, MPI_DOUBLE, MPI_SUM, 0, laser_mpi_world(run));
}

/* Collective.  Squared norms of the changes that no module of the adapter has, norms[n_tensors]; rank 0's are all of them. */
static int measure_others(const struct inits *x, double *norms, struct laser_error *err)
{
    const struct laser_checkpoint *c = x->run->checkpoint;
    int code = LASER_OK;

    for (int64_t i = x->run->rank; code == LASER_OK && i < c->n_tensors; i += x->run->size) {
        const struct laser_tensor *t = &c->tensors[i];
        if (t->coded != NULL && t->coded->coding == LASER_CODED_DIFFERENCE && !is_module(x, t))
            code = tensor_norm(c, t, &norms[i], err);
    }
    code = laser_mpi_agree(laser_mpi_world(x->run), code, err);
    sum_at_root(x->run, norms, c->n_tensors);
    return code;
}

static int highest_rank(const struct inits *x)
{
    int rank = 0;

    for (int i = 0; i < x->n; ++i)
        rank = x->modules[i].rank > rank ? x->modules[i].rank : rank;
    return rank;
}

static int write_errors(const struct inits *x, const double *others, struct laser_error *err)
{
    const struct laser_checkpoint *c = x->run->checkpoint;
    json_t *modules = json_object(), *left = json_object(), *all;
    struct laser_text text = {0};
    double change = 0, missing = 0;
    char path[4400];
    int n_left = 0, n_alone = 0, code;

    for (int i = 0; i < x->n; ++i) {
        double norm = sqrt(x->norms[i]), out = sqrt(x->norms[x->n + i]);
        change += x->norms[i];
        missing += x->norms[x->n + i];
        json_object_set_new(modules, x->modules[i].tensor,
                            json_pack("{s:i, s:f, s:f}", "rank", x->modules[i].rank, "norm", norm, "left_out",
                                      norm > 0 ? out / norm : 0));
    }
    for (int64_t i = 0; i < c->n_tensors; ++i) {
        change += others[i];
        missing += others[i];
        n_alone += laser_coded_reason(&c->tensors[i]) != NULL;
        n_left += others[i] > 0;
        if (others[i] > 0)
            json_object_set_new(left, c->tensors[i].name, json_real(sqrt(others[i])));
    }
    all = json_pack("{s:f, s:f, s:o, s:o}", "norm", sqrt(change), "left_out",
                    change > 0 ? sqrt(missing / change) : 0, "modules", modules, "not_in_the_adapter", left);
    laser_log_line(
        x->run->log, "LORA",
        "%d modules, rank %d at most; left out are %.4g %% of the norm of all changes (lora/error.json)",
        x->n, highest_rank(x), change > 0 ? 100 * sqrt(missing / change) : 0);
    if (n_left > 0)
        laser_log_line(x->run->log, "LORA",
                       "%d changed tensors are not in the adapter, which has linear layers only", n_left);
    if (n_alone > 0)
        laser_log_line(x->run->log, "LORA",
                       "%d tensors have another shape in the base, or stand in one of the two only", n_alone);
    if (all != NULL)
        laser_json_render(&text, all, 2);
    laser_text_puts(&text, "\n");
    snprintf(path, sizeof path, "%s/error.json", x->dir);
    code = all == NULL || text.failed ? laser_error_set(err, LASER_ENOMEM, path, "no memory")
                                      : laser_file_replace(path, text.data, text.size, err);
    laser_text_free(&text);
    json_decref(all);
    return code;
}

static int write_lora(struct inits *x, const struct laser_export *e, struct laser_error *err)
{
    struct laser_run *run = x->run;
    double *others = calloc((size_t)run->checkpoint->n_tensors + 1, sizeof *others);
    int code;

    x->norms = calloc(2 * (size_t)x->n + 1, sizeof *x->norms);
    code = others != NULL && x->norms != NULL
               ? LASER_OK
               : laser_error_set(err, LASER_ENOMEM, "lora", "no memory for the norms of %d modules", x->n);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = make_adapter(x, "lora", e, err);
    if (code == LASER_OK) {
        sum_at_root(run, x->norms, 2 * (int64_t)x->n);
        code = measure_others(x, others, err);
    }
    if (code == LASER_OK && run->rank == 0)
        code = write_errors(x, others, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = clean(x, err);
    laser_log_phase_end(run->log);
    if (code == LASER_OK)
        laser_log_line(run->log, "EXPORT",
                       "lora/: the difference as an adapter for %s, of the ranks of the scan",
                       run->settings->scan.base);
    free(others);
    free(x->norms);
    return code;
}

/* Collective.  For the formats pissa and milora: an adapter of the largest (PiSSA, arXiv 2404.02948) or
 * smallest (MiLoRA, arXiv 2406.09044) singular components of the picked modules, B A = U_r S_r V_r^T with S_r
 * shared evenly, and the model without them: OUT/NAME/adapter_*, OUT/NAME/base.  For lora: the difference from
 * scan.base as an adapter, and its error.  e and formats: rank 0's. The model is the deck's.  LASER_EINPUT where it lacks a module. */
static int export_inits(struct laser_run *run, unsigned formats, const struct laser_export *e,
                        struct laser_error *err)
{
    struct inits x = {.run = run};
    int code;

    MPI_Bcast(&formats, 1, MPI_UNSIGNED, 0, laser_mpi_world(run));
    x.lora = (formats & LASER_EXPORT_LORA) != 0;
    if ((formats & (LASER_EXPORT_PISSA | LASER_EXPORT_MILORA | LASER_EXPORT_LORA)) == 0)
        return LASER_OK;
    code = share_modules(&x, e, err);
    if (code == LASER_OK)
        code = laser_mpi_run_open_model(run, err);
    MPI_Bcast(run->output, (int)sizeof run->output, MPI_BYTE, 0, laser_mpi_world(run));
    if (code == LASER_OK)
        code = find_matrices(&x, err);
    if (code == LASER_OK && x.lora)
        code = write_lora(&x, e, err);
    if (code == LASER_OK && (formats & LASER_EXPORT_PISSA))
        code = write_init(&x, "pissa", e, err);
    x.smallest = true;
    if (code == LASER_OK && (formats & LASER_EXPORT_MILORA))
        code = write_init(&x, "milora", e, err);
    free((void *)(uintptr_t)run->only);
    run->only = NULL;
    free(x.modules);
    free(x.text);
    return code;
}

int laser_mpi_command_export(struct laser_run *run, struct laser_error *err)
{
    struct laser_scan_input in = {0};
    struct laser_scan_meta meta = {0};
    struct laser_export e = {0}, lora = {0};
    struct laser_pick pick = {0}, lora_pick = {0};
    unsigned formats = 0;
    char *model_id = NULL;
    int code = LASER_OK;

    if (run->rank == 0) {
        code = laser_export_scan(run, &in, &e, &formats, &pick, err);
        if (code == LASER_OK)
            code = laser_scan_input_meta(run, &in, &meta, &model_id, err);
        e.meta = &meta;
        if (code == LASER_OK && (formats & LASER_EXPORT_LORA))
            code = laser_export_lora(run, &e, &lora, &lora_pick, err);
    }
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = export_inits(run, formats, formats & LASER_EXPORT_LORA ? &lora : &e, err);
    if (code == LASER_OK && run->rank == 0)
        laser_log_line(run->log, "OUTPUT", "%s", run->output);
    laser_pick_free(&pick);
    laser_pick_free(&lora_pick);
    free(model_id);
    laser_scan_input_free(&in);
    return code;
}
