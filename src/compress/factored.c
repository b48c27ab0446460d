#include "compress/factored.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json_text.h"
#include "compress/factored_parts.h"

#define MODELING "modeling_laser_factored"

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), tail = strlen(end);

    return n >= tail && strcmp(text + n - tail, end) == 0;
}

/* Notes where a pair's weight and bias stand. */
static int check_pair(struct laser_factored *w, int i, struct laser_error *err)
{
    const struct laser_checkpoint *c = w->writer->c;
    const struct laser_factor_pair *pair = &w->pairs[i];
    int64_t index = laser_checkpoint_find_index(c, pair->tensor), bias, shorter;
    const struct laser_tensor *t = index >= 0 ? &c->tensors[index] : NULL;
    struct laser_matrix matrix;
    char module[2048], name[2100];

    if (t == NULL)
        return laser_error_set(err, LASER_EINPUT, pair->tensor, "the checkpoint has no such tensor");
    if ((t->n_dims != 2 && (pair->part == NULL || t->n_dims != 3)) || !laser_dtype_is_float(t->dtype) ||
        laser_dtype_size(t->dtype) < 2)
        return laser_error_set(
            err, LASER_EINPUT, pair->tensor,
            "%d dimensions of type %s: only matrices of 16 bits or more are written as factors", t->n_dims,
            laser_dtype_name(t->dtype));
    matrix = laser_factored_matrix(pair, t);
    shorter = matrix.rows < matrix.cols ? matrix.rows : matrix.cols;
    if (pair->rank < 1 || pair->rank > shorter)
        return laser_error_set(err, LASER_EINPUT, pair->tensor,
                               "a rank of %" PRId64 ", expected 1 to %" PRId64, pair->rank, shorter);
    if (pair->part != NULL)
        return w->pair_of[index] >= 0
                   ? laser_error_set(err, LASER_EINPUT, pair->tensor, "factors for it are given twice")
                   : laser_factored_add_part(w, i, index, err);
    if (w->pair_of[index] >= 0 || w->parts_of[index] != NULL)
        return laser_error_set(err, LASER_EINPUT, pair->tensor, "factors for it are given twice");
    w->pair_of[index] = i;
    if (w->form == LASER_FORM_DENSE)
        return LASER_OK;
    if (!laser_factored_module(pair->tensor, module, sizeof module))
        return laser_error_set(err, LASER_EINPUT, pair->tensor,
                               "its name does not end in .weight: a factored form has no name for it");
    if (ends_with(module, ".ALinear") || ends_with(module, ".BLinear"))
        return laser_error_set(err, LASER_EINPUT, pair->tensor,
                               "is a factor already: it is not taken apart again");
    snprintf(name, sizeof name, "%s.bias", module);
    bias = laser_checkpoint_find_index(c, name);
    if (bias >= 0)
        w->bias_of[bias] = i;
    return LASER_OK;
}

static char *render(const json_t *value)
{
    struct laser_text text = {0};
    char *copy;

    laser_json_render(&text, value, 2);
    laser_text_puts(&text, "\n");
    copy = text.failed ? NULL : strdup(text.data);
    laser_text_free(&text);
    return copy;
}

/* config.json with the ranks, and the code that transformers is to run. */
static int make_config(struct laser_factored *w, struct laser_error *err)
{
    json_t *config = json_deep_copy(w->writer->c->config), *ranks;
    char module[2048];

    if (!json_is_object(config)) {
        json_decref(config);
        return laser_error_set(err, LASER_EINPUT, w->writer->c->model,
                               "the model has no config.json: the factored form needs one");
    }
    ranks = json_object_get(config, "truncation_ranks");
    ranks = json_is_object(ranks) ? json_incref(ranks) : json_object();
    for (int i = 0; i < w->n; ++i) {
        const struct laser_factor_pair *pair = &w->pairs[i];
        const struct laser_tensor *t = laser_checkpoint_find(w->writer->c, pair->tensor);
        const struct laser_matrix matrix = laser_factored_matrix(pair, t);

        laser_factored_part_module(t, &matrix, module, sizeof module);
        json_object_set_new(ranks, module, json_integer(pair->rank));
    }
    json_object_set_new(config, "auto_map",
                        json_pack("{s:s, s:s, s:s}", "AutoModel", MODELING ".LaserFactoredModel",
                                  "AutoModelForCausalLM", MODELING ".LaserFactoredForCausalLM",
                                  "AutoModelForMaskedLM", MODELING ".LaserFactoredForMaskedLM"));
    json_object_set_new(config, "truncation_ranks", ranks);
    if (laser_factored_describe_parts(w, config) == LASER_OK)
        w->config = render(config);
    json_decref(config);
    return w->config != NULL ? LASER_OK
                             : laser_error_set(err, LASER_ENOMEM, "config.json", "no memory for it");
}

static int add_modeling(struct laser_factored *w, struct laser_error *err)
{
    struct laser_writer *list = w->writer;
    struct laser_writer_file *more;
    int at = list->n_files;

    for (int i = 0; i < list->n_files; ++i)
        if (strcmp(list->files[i].name, MODELING ".py") == 0)
            return LASER_OK;
    more = realloc(list->files, (size_t)(list->n_files + 1) * sizeof *more);
    if (more == NULL)
        return laser_error_set(err, LASER_ENOMEM, list->dir, "no memory for the list of files");
    list->files = more;
    while (at > 0 && more[at - 1].is_index) { /* the index stays last */
        more[at] = more[at - 1];
        --at;
    }
    more[at] = (struct laser_writer_file){.name = strdup(MODELING ".py"), .source = strdup(""), .shard = -1};
    ++list->n_files;
    return more[at].name != NULL && more[at].source != NULL
               ? LASER_OK
               : laser_error_set(err, LASER_ENOMEM, list->dir, "no memory for the list of files");
}

static int make_index(struct laser_factored *w, json_t *weight_map, int64_t total_size,
                      struct laser_error *err)
{
    json_t *root = json_pack("{s:{s:I}, s:O}", "metadata", "total_size", (json_int_t)total_size, "weight_map",
                             weight_map);

    w->index = root != NULL ? render(root) : NULL;
    json_decref(root);
    return w->index != NULL ? LASER_OK : laser_error_set(err, LASER_ENOMEM, "index", "no memory for it");
}

/* The sizes that the files will have. */
static int measure(struct laser_factored *w, struct laser_error *err)
{
    json_t *weight_map = json_object();
    int64_t total = 0, header_bytes, data_bytes;
    int code = LASER_OK;

    for (int i = 0; code == LASER_OK && i < w->writer->n_files; ++i) {
        struct laser_writer_file *f = &w->writer->files[i];
        char *text = NULL;

        if (f->shard >= 0) {
            code = laser_factored_header(w, f->shard, weight_map, &w->parameters, &text, &header_bytes,
                                         &data_bytes, err);
            free(text);
            if (code == LASER_OK) {
                f->size_bytes = header_bytes + data_bytes;
                total += data_bytes;
            }
        } else if (strcmp(f->name, "config.json") == 0) {
            f->size_bytes = (int64_t)strlen(w->config);
        } else if (strcmp(f->name, MODELING ".py") == 0) {
            f->size_bytes = (int64_t)laser_factored_modeling_size;
        } else if (f->is_index) {
            code = make_index(w, weight_map, total, err);
            f->size_bytes = code == LASER_OK ? (int64_t)strlen(w->index) : 0;
        }
    }
    w->bytes = total;
    w->writer->size_bytes = 0;
    for (int i = 0; i < w->writer->n_files; ++i)
        w->writer->size_bytes += w->writer->files[i].size_bytes;
    json_decref(weight_map);
    return code;
}

static int prepare(struct laser_factored *w, const struct laser_checkpoint *c, const char *dir,
                   struct laser_error *err)
{
    int code = laser_writer_open(c, dir, &w->writer, err);

    w->pair_of = malloc(((size_t)c->n_tensors + 1) * sizeof *w->pair_of);
    w->bias_of = malloc(((size_t)c->n_tensors + 1) * sizeof *w->bias_of);
    w->parts_of = calloc((size_t)c->n_tensors + 1, sizeof(struct laser_factored_parts *));
    if (code == LASER_OK && (w->pair_of == NULL || w->bias_of == NULL || w->parts_of == NULL))
        code = laser_error_set(err, LASER_ENOMEM, dir, "no memory for the list of tensors");
    for (int64_t t = 0; code == LASER_OK && t < c->n_tensors; ++t)
        w->pair_of[t] = w->bias_of[t] = -1;
    for (int i = 0; code == LASER_OK && i < w->n; ++i)
        code = check_pair(w, i, err);
    for (int64_t t = 0; code == LASER_OK && w->form == LASER_FORM_DENSE && t < c->n_tensors; ++t) {
        int64_t elements = 1;
        for (int d = 0; d < c->tensors[t].n_dims; ++d)
            elements *= c->tensors[t].shape[d];
        w->parameters += elements;
        w->bytes += c->tensors[t].size_bytes;
    }
    if (code != LASER_OK || w->form == LASER_FORM_DENSE)
        return code;
    code = make_config(w, err);
    if (code == LASER_OK)
        code = add_modeling(w, err);
    return code == LASER_OK ? measure(w, err) : code;
}

int laser_factored_open(const struct laser_checkpoint *c, const char *dir,
                        const struct laser_factor_pair *pairs, int n, enum laser_factored_form form,
                        enum laser_dtype dtype, struct laser_factored **out, struct laser_error *err)
{
    struct laser_factored *w = calloc(1, sizeof *w);
    int code;

    *out = NULL;
    if (w == NULL)
        return laser_error_set(err, LASER_ENOMEM, dir, "no memory for the list of files");
    w->pairs = pairs;
    w->n = n;
    w->form = form;
    w->dtype = dtype;
    code = prepare(w, c, dir, err);
    if (code != LASER_OK) {
        laser_factored_close(w);
        return code;
    }
    *out = w;
    return LASER_OK;
}

void laser_factored_close(struct laser_factored *w)
{
    if (w == NULL)
        return;
    laser_factored_free_parts(w);
    laser_writer_close(w->writer);
    free(w->pair_of);
    free(w->bias_of);
    free(w->config);
    free(w->index);
    free(w);
}

int laser_factored_begin(const struct laser_factored *w, struct laser_error *err)
{
    return laser_writer_begin(w->writer, err);
}

/* What is written instead of a copy, or NULL. */
static const void *text_of(const struct laser_factored *w, const struct laser_writer_file *f)
{
    if (w->form == LASER_FORM_DENSE)
        return NULL;
    if (f->is_index)
        return w->index;
    if (strcmp(f->name, "config.json") == 0)
        return w->config;
    return strcmp(f->name, MODELING ".py") == 0 ? laser_factored_modeling : NULL;
}

int laser_factored_file(const struct laser_factored *w, int i, struct laser_error *err)
{
    const struct laser_writer_file *f = &w->writer->files[i];
    const void *text = text_of(w, f);
    struct laser_output out;
    char *path;
    int code;

    if (f->shard < 0 && text == NULL)
        return laser_writer_file(w->writer, i, err);
    path = laser_io_join(w->writer->dir, f->name);
    if (path == NULL)
        return laser_error_set(err, LASER_ENOMEM, f->name, "no memory for a path");
    code = laser_output_begin(path, &out, err);
    if (code == LASER_OK) {
        if (text != NULL)
            code = laser_output_write(&out, text, f->size_bytes, err);
        else
            code = w->form == LASER_FORM_DENSE ? laser_factored_put_dense_shard(w, f, &out, err)
                                               : laser_factored_put_shard(w, f, &out, err);
        if (code == LASER_OK)
            code = laser_output_commit(&out, err);
        else
            laser_output_abort(&out);
    }
    free(path);
    return code;
}

bool laser_factored_has(const struct laser_factored *w, int i)
{
    char *path = laser_io_join(w->writer->dir, w->writer->files[i].name);
    struct stat status;
    bool there = path != NULL && stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
                 status.st_size == w->writer->files[i].size_bytes;

    free(path);
    return there;
}

int laser_factored_finish(const struct laser_factored *w, struct laser_error *err)
{
    return laser_writer_finish(w->writer, err);
}

int laser_factored_write(const struct laser_checkpoint *c, const char *dir,
                         const struct laser_factor_pair *pairs, int n, enum laser_factored_form form,
                         enum laser_dtype dtype, struct laser_error *err)
{
    struct laser_factored *w = NULL;
    int code = laser_factored_open(c, dir, pairs, n, form, dtype, &w, err);

    if (code == LASER_OK)
        code = laser_factored_begin(w, err);
    for (int i = 0; code == LASER_OK && i < w->writer->n_files; ++i)
        code = laser_factored_file(w, i, err);
    if (code == LASER_OK)
        code = laser_factored_finish(w, err);
    laser_factored_close(w);
    return code;
}
