#include "config.h" /* _GNU_SOURCE */

#include "checkpoint/adapter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/coded.h"
#include "checkpoint/combine.h"
#include "checkpoint/io.h"
#include "checkpoint/json.h"
#include "checkpoint/matrix.h"
#include "checkpoint/state.h"

static int no_memory(const struct laser_checkpoint *c, struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, c->model, "no memory for the adapter");
}

/* ---- elements ---- */

int laser_coded_product(const struct laser_checkpoint *c, const struct laser_tensor *t,
                        const struct laser_coded_window *w, double *dst, struct laser_error *err)
{
    const struct laser_coded *k = t->coded;
    const int64_t rank = k->block2;
    double *a = NULL, *b = NULL;
    int code = laser_coded_doubles(c, k->parts[LASER_PART_SCALE], rank, w->row0, w->n_rows, 0, rank, &b, err);

    if (code == LASER_OK)
        code =
            laser_coded_doubles(c, k->parts[LASER_PART_CODES], k->cols, 0, rank, w->col0, w->n_cols, &a, err);
    for (int64_t i = 0; code == LASER_OK && i < w->n_rows; i++) {
        double *row = dst + i * w->n_cols;

        memset(row, 0, (size_t)w->n_cols * sizeof *row);
        for (int64_t r = 0; r < rank; r++) {
            const double x = k->offset * b[i * rank + r];

            for (int64_t j = 0; j < w->n_cols; j++)
                row[j] += x * a[r * w->n_cols + j];
        }
    }
    free(a);
    free(b);
    return code;
}

int laser_matrix_factors(const struct laser_checkpoint *c, const struct laser_matrix *m, int64_t *rank,
                         double **left, double **right, struct laser_error *err)
{
    const struct laser_tensor *t = &c->tensors[m->tensor];
    const struct laser_coded *k = t->coded;
    int code;

    *rank = 0;
    *left = *right = NULL;
    if (k == NULL || k->coding != LASER_CODED_PRODUCT || k->transposed || !laser_matrix_is_whole(c, m) ||
        laser_checkpoint_is_redirected(c, t))
        return LASER_OK;
    code = laser_coded_doubles(c, k->parts[LASER_PART_SCALE], k->block2, 0, k->rows, 0, k->block2, left, err);
    for (int64_t i = 0; code == LASER_OK && i < k->rows * k->block2; i++)
        (*left)[i] *= k->offset;
    if (code == LASER_OK)
        code =
            laser_coded_doubles(c, k->parts[LASER_PART_CODES], k->cols, 0, k->block2, 0, k->cols, right, err);
    if (code == LASER_OK) {
        *rank = k->block2;
        return LASER_OK;
    }
    free(*left);
    free(*right);
    *left = *right = NULL;
    return code;
}

/* ---- an adapter's catalogue ---- */

/* What is being made of an adapter. */
struct adapter {
    struct laser_checkpoint *c;
    char *path; /* of adapter_config.json */
    json_t *config;
    bool *taken; /* one a tensor */
    struct laser_tensor *made;
    int64_t n_made;
    struct laser_error *err;
};

/* "base_model.model.X.lora_A[.default].weight": length of "base_model.model.X", or -1. */
static int module_length(const char *name)
{
    const char *at = strstr(name, ".lora_A.");

    return at != NULL && (strcmp(at, ".lora_A.weight") == 0 || strcmp(at, ".lora_A.default.weight") == 0)
               ? (int)(at - name)
               : -1;
}

static const char *without_prefix(const char *name)
{
    static const char prefix[] = "base_model.model.";

    return strncmp(name, prefix, sizeof prefix - 1) == 0 ? name + sizeof prefix - 1 : name;
}

/* lora_alpha, or that of alpha_pattern for a module of this name. */
static int find_alpha(const struct adapter *x, const char *module, size_t length, double *alpha)
{
    const json_t *patterns = json_object_get(x->config, "alpha_pattern");
    const char *key;
    json_t *value;
    int code = laser_json_get_real(x->config, x->path, "lora_alpha", alpha, x->err);

    json_object_foreach((json_t *)patterns, key, value)
    {
        const size_t n = strlen(key);

        if (strpbrk(key, "\\^$*+?|()[]{}") != NULL)
            return laser_error_set(x->err, LASER_EINPUT, x->path, "alpha_pattern \"%.100s\" is no plain name",
                                   key);
        if (n <= length && memcmp(module + length - n, key, n) == 0 &&
            (n == length || module[length - n - 1] == '.'))
            *alpha = json_number_value(value);
    }
    return code;
}

/* One tensor `scale` b a of the module's name, of which a and b are not there any more. */
static int make_product(struct adapter *x, const struct laser_tensor *a, const struct laser_tensor *b,
                        int length, double scale)
{
    struct laser_tensor *t = &x->made[x->n_made];
    struct laser_coded *k;
    const bool turned = json_is_true(json_object_get(x->config, "fan_in_fan_out"));
    const char *module = without_prefix(a->name);

    if (a->n_dims != 2 || b->n_dims != 2 || a->shape[0] != b->shape[1] || a->shape[0] < 1 ||
        !laser_dtype_is_float(a->dtype) || !laser_dtype_is_float(b->dtype))
        return laser_error_set(x->err, LASER_EINPUT, a->name, "this factor and %.200s do not make a product",
                               b->name);
    k = calloc(1, sizeof *k);
    if (k == NULL)
        return no_memory(x->c, x->err);
    *k = (struct laser_coded){.coding = LASER_CODED_PRODUCT,
                              .slices = 1,
                              .rows = b->shape[0],
                              .cols = a->shape[1],
                              .transposed = turned,
                              .block_rows = 1,
                              .block_cols = 1,
                              .block2 = a->shape[0],
                              .divides = json_is_true(json_object_get(x->config, "use_dora"))};
    k->offset = scale;
    snprintf(k->format, sizeof k->format, "%s rank %lld",
             x->config == NULL ? "factors"
             : k->divides      ? "DoRA"
                               : "LoRA",
             (long long)k->block2);
    k->parts[LASER_PART_CODES] = laser_tensor_copy(a, 0);
    k->parts[LASER_PART_SCALE] = laser_tensor_copy(b, 0);
    *t = (struct laser_tensor){.dtype = LASER_F64,
                               .n_dims = 2,
                               .file = a->file,
                               .offset = a->offset,
                               .coded = k,
                               .shape = {turned ? k->cols : k->rows, turned ? k->rows : k->cols},
                               .size_bytes = k->rows * k->cols * (int64_t)sizeof(double)};
    x->n_made++;
    x->taken[a - x->c->tensors] = x->taken[b - x->c->tensors] = true;
    if (asprintf(&t->name, "%.*s.weight", (int)(a->name + length - module), module) < 0)
        t->name = NULL;
    return t->name != NULL && k->parts[LASER_PART_CODES] != NULL && k->parts[LASER_PART_SCALE] != NULL
               ? LASER_OK
               : no_memory(x->c, x->err);
}

/* lora_alpha / r, or / sqrt(r). */
static int find_scale(const struct adapter *x, const struct laser_tensor *a, int length, double *scale)
{
    const char *module = without_prefix(a->name);
    const double rank = a->n_dims == 2 ? (double)a->shape[0] : 1;
    double alpha = 0;
    int code = find_alpha(x, module, (size_t)(a->name + length - module), &alpha);

    *scale = alpha / (json_is_true(json_object_get(x->config, "use_rslora")) ? sqrt(rank) : rank);
    return code;
}

static int find_pair(struct adapter *x, const struct laser_tensor *a, int length)
{
    char *name = NULL;
    const struct laser_tensor *b;
    double scale = 1;
    int code;

    if (asprintf(&name, "%.*s.lora_B%s", length, a->name, a->name + length + strlen(".lora_A")) < 0)
        return no_memory(x->c, x->err);
    b = laser_checkpoint_find(x->c, name);
    if (b == NULL)
        laser_error_set(x->err, LASER_EINPUT, a->name, "its other factor \"%.300s\" is missing", name);
    free(name);
    code = b != NULL ? find_scale(x, a, length, &scale) : LASER_EINPUT;
    return code == LASER_OK ? make_product(x, a, b, length, scale) : code;
}

static int load_config(struct adapter *x)
{
    const char *type;
    int code = laser_json_load(x->path, 0, &x->config, x->err);

    if (code != LASER_OK)
        return code;
    type = json_string_value(json_object_get(x->config, "peft_type"));
    if (type == NULL || strcmp(type, "LORA") != 0)
        return laser_error_set(x->err, LASER_EINPUT, x->path,
                               "an adapter of the kind %.60s, expected LORA: merge it with peft",
                               type != NULL ? type : "(none)");
    return LASER_OK;
}

/* What was made takes the place of what it was made of; other names lose PEFT's prefix. */
static int replace(struct adapter *x)
{
    struct laser_checkpoint *c = x->c;
    int64_t kept = 0;

    for (int64_t i = 0; i < c->n_tensors; i++) {
        struct laser_tensor *t = &c->tensors[i];

        if (x->taken[i]) {
            free(t->name);
            continue;
        }
        memmove(t->name, without_prefix(t->name), strlen(without_prefix(t->name)) + 1);
        c->tensors[kept++] = *t;
    }
    memcpy(c->tensors + kept, x->made, (size_t)x->n_made * sizeof *x->made);
    c->n_tensors = kept + x->n_made;
    x->n_made = 0;
    return laser_checkpoint_sort(c, x->err);
}

static void free_made(struct adapter *x)
{
    for (int64_t i = 0; x->made != NULL && i < x->n_made; i++) {
        laser_coded_free(x->made[i].coded);
        free(x->made[i].name);
    }
    free(x->taken);
    free(x->made);
    free(x->path);
    json_decref(x->config);
}

/* "X.BLinear.weight", with "X.ALinear.weight" beside it: the length of "X", or -1. */
static int factored_length(const struct laser_checkpoint *c, const struct laser_tensor *b,
                           const struct laser_tensor **a, struct laser_error *err)
{
    static const char end[] = ".BLinear.weight";
    const size_t n = strlen(b->name), tail = sizeof end - 1;
    char *name = NULL;

    *a = NULL;
    if (n <= tail || strcmp(b->name + n - tail, end) != 0)
        return -1;
    if (asprintf(&name, "%.*s.ALinear.weight", (int)(n - tail), b->name) < 0)
        return no_memory(c, err) == LASER_OK ? -1 : -2;
    *a = laser_checkpoint_find(c, name);
    free(name);
    return *a != NULL ? (int)(n - tail) : -1;
}

int laser_factors_resolve(struct laser_checkpoint *c, struct laser_error *err)
{
    struct adapter x = {.c = c, .err = err};
    int code = LASER_OK;

    if (!json_is_object(json_object_get(c->config, "truncation_ranks")))
        return LASER_OK;
    x.taken = calloc((size_t)c->n_tensors + 1, sizeof *x.taken);
    x.made = calloc((size_t)c->n_tensors + 1, sizeof *x.made);
    if (x.taken == NULL || x.made == NULL)
        code = no_memory(c, err);
    for (int64_t i = 0; code == LASER_OK && i < c->n_tensors; i++) {
        const struct laser_tensor *a;
        const int length = factored_length(c, &c->tensors[i], &a, err);

        if (length == -2)
            code = LASER_ENOMEM;
        else if (length >= 0)
            code = make_product(&x, &c->tensors[i], a, length, 1);
    }
    if (code == LASER_OK && x.n_made > 0)
        code = replace(&x);
    free_made(&x);
    return code;
}

int laser_adapter_resolve(struct laser_checkpoint *c, struct laser_error *err)
{
    struct adapter x = {.c = c, .path = laser_io_join(c->dir, "adapter_config.json"), .err = err};
    int64_t n = 0;
    int code;

    for (int64_t i = 0; i < c->n_tensors; i++)
        n += module_length(c->tensors[i].name) >= 0;
    if (x.path == NULL)
        return no_memory(c, err);
    if (n == 0 || access(x.path, F_OK) != 0) {
        free(x.path);
        return LASER_OK;
    }
    x.taken = calloc((size_t)c->n_tensors + 1, sizeof *x.taken);
    x.made = calloc((size_t)n + 1, sizeof *x.made);
    code = x.taken != NULL && x.made != NULL ? load_config(&x) : no_memory(c, err);
    for (int64_t i = 0; code == LASER_OK && i < c->n_tensors; i++) {
        const int length = module_length(c->tensors[i].name);

        if (length >= 0)
            code = find_pair(&x, &c->tensors[i], length);
    }
    if (code == LASER_OK)
        code = replace(&x);
    free_made(&x);
    return code;
}

/* ---- a model with an adapter ---- */

/* One tensor of the adapter. */
static int adapt_tensor(struct laser_checkpoint *c, const struct laser_tensor *change, const char *adapter,
                        int n_files, struct laser_error *err)
{
    const int64_t i = laser_checkpoint_find_index(c, change->name);
    struct laser_tensor *t = i >= 0 ? &c->tensors[i] : NULL;
    const bool product = change->coded != NULL && change->coded->coding == LASER_CODED_PRODUCT;
    struct laser_tensor *copy;

    if (strstr(change->name, "lora_") != NULL || (product && change->coded->divides))
        return laser_error_set(err, LASER_EINPUT, change->name,
                               "%s is not read: merge this adapter with peft",
                               product                                          ? "DoRA"
                               : strstr(change->name, "lora_embedding") != NULL ? "an adapted embedding"
                                                                                : "this part of an adapter");
    if (t == NULL)
        return laser_error_set(
            err, LASER_EINPUT, change->name,
            "the adapter %.300s changes this weight, which the model lacks: is it made for another base?",
            adapter);
    if (!laser_tensor_same_shape(t, change))
        return laser_error_set(
            err, LASER_EINPUT, change->name,
            "the adapter %.300s changes a weight of another shape: is it made for another base?", adapter);
    if (product)
        return laser_tensor_combine(c, t, change, n_files, LASER_CODED_SUM, LASER_F32, err);
    copy = laser_tensor_copy(change, n_files);
    if (copy == NULL)
        return no_memory(c, err);
    free(t->name);
    laser_coded_free(t->coded);
    *t = *copy;
    free(copy);
    return LASER_OK;
}

int laser_checkpoint_adapt(struct laser_checkpoint *c, const struct laser_checkpoint *adapter,
                           struct laser_error *err)
{
    const int n_files = c->n_files;
    int64_t n_products = 0;
    int code;

    for (int64_t i = 0; i < adapter->n_tensors; i++)
        n_products +=
            adapter->tensors[i].coded != NULL && adapter->tensors[i].coded->coding == LASER_CODED_PRODUCT;
    if (n_products == 0)
        return laser_error_set(err, LASER_EINPUT, adapter->model,
                               "no adapter: expected adapter_config.json and pairs of lora_A and lora_B");
    code = laser_checkpoint_add_files(c, adapter, err);
    for (int64_t i = 0; code == LASER_OK && i < adapter->n_tensors; i++)
        code = adapt_tensor(c, &adapter->tensors[i], adapter->model, n_files, err);
    return code;
}
