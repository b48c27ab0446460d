#include "reduce/factors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_text.h"
#include "base/output.h"
#include "checkpoint/writer.h"

#define PIECE_BYTES (4 << 20)

struct factored {
    struct laser_mpi_reduction *r;
    const struct laser_mpi_factor *factors;
    int n;
    const char *dir;
    json_t *weight_map;
    int64_t total_size;
};

/* The factor of a tensor, or NULL where it stays as it is. */
static const struct laser_mpi_factor *factor_of(const struct factored *w, const char *tensor)
{
    for (int i = 0; i < w->n; ++i)
        if (w->factors[i].thin && strcmp(w->r->edits.files[w->factors[i].edit].tensor, tensor) == 0)
            return &w->factors[i];
    return NULL;
}

static void factor_name(const char *tensor, char which, char *name, size_t size)
{
    size_t stem = strlen(tensor);

    if (stem > 7 && strcmp(tensor + stem - 7, ".weight") == 0)
        stem -= 7;
    snprintf(name, size, "%.*s.%cLinear.weight", (int)stem, tensor, which);
}

static int put_entry(struct factored *w, json_t *header, const char *file, const char *name,
                     const struct laser_tensor *t, int n_dims, const int64_t *shape, int64_t *at,
                     struct laser_error *err)
{
    json_t *dims = json_array();
    int64_t size = (int64_t)laser_dtype_size(t->dtype);
    int bad = 0;

    for (int d = 0; d < n_dims; ++d) {
        bad |= json_array_append_new(dims, json_integer(shape[d]));
        size *= shape[d];
    }
    bad |= json_object_set_new(header, name,
                               json_pack("{s:s, s:o, s:[I, I]}", "dtype", laser_dtype_name(t->dtype), "shape",
                                         dims, "data_offsets", (json_int_t)*at, (json_int_t)(*at + size)));
    bad |= json_object_set_new(w->weight_map, name, json_string(file));
    *at += size;
    w->total_size += size;
    return bad ? laser_error_set(err, LASER_ENOMEM, file, "no memory for its header") : LASER_OK;
}

/* Bytes n from `from` (an open file at its place), or from the checkpoint. */
static int copy_tensor(const struct factored *w, const struct laser_tensor *t, struct laser_output *out,
                       char *piece, struct laser_error *err)
{
    for (int64_t at = 0; at < t->size_bytes; at += PIECE_BYTES) {
        int64_t n = t->size_bytes - at < PIECE_BYTES ? t->size_bytes - at : PIECE_BYTES;
        int code = laser_checkpoint_read(w->r->run->checkpoint, t, at, n, piece, err);
        if (code != LASER_OK)
            return code;
        code = laser_output_write(out, piece, n, err);
        if (code != LASER_OK)
            return code;
    }
    return LASER_OK;
}

static int copy_factors(const struct factored *w, const struct laser_mpi_factor *f, struct laser_output *out,
                        struct laser_error *err)
{
    struct laser_safetensors_header header = {0};
    char path[4400], *data = NULL;
    size_t size;
    int code;

    laser_mpi_factor_path(w->r, f->edit, "factored", path, sizeof path);
    code = laser_file_read(path, (size_t)1 << 40, &data, &size, err);
    if (code == LASER_OK)
        code = laser_safetensors_parse(path, data, (int64_t)size, (int64_t)size, &header, err);
    for (int want = 'b'; code == LASER_OK && want >= 'a'; --want)
        for (int64_t t = 0; code == LASER_OK && t < header.n_tensors; ++t)
            if (header.tensors[t].name[0] == want)
                code = laser_output_write(out, data + header.tensors[t].offset, header.tensors[t].size_bytes,
                                          err);
    laser_safetensors_header_free(&header);
    free(data);
    return code;
}

static int by_offset(const void *a, const void *b)
{
    int64_t x = (*(const struct laser_tensor *const *)a)->offset,
            y = (*(const struct laser_tensor *const *)b)->offset;

    return x < y ? -1 : x > y;
}

/* The tensors of a shard in their order; *n of them. */
static const struct laser_tensor **list_shard(const struct laser_checkpoint *c, int shard, int64_t *n)
{
    const struct laser_tensor **list = calloc((size_t)c->n_tensors + 1, sizeof *list);

    *n = 0;
    for (int64_t t = 0; list != NULL && t < c->n_tensors; ++t)
        if (c->tensors[t].file == shard)
            list[(*n)++] = &c->tensors[t];
    if (list != NULL)
        qsort(list, (size_t)*n, sizeof *list, by_offset);
    return list;
}

static int put_data(const struct factored *w, const struct laser_tensor *const *list, int64_t n,
                    const char *header, int64_t header_bytes, const char *path, struct laser_error *err)
{
    char *piece = malloc(PIECE_BYTES);
    struct laser_output out;
    int code = piece != NULL ? laser_output_begin(path, &out, err)
                             : laser_error_set(err, LASER_ENOMEM, path, "no memory to copy its tensors");

    if (code != LASER_OK) {
        free(piece);
        return code;
    }
    code = laser_output_write(&out, header, header_bytes, err);
    for (int64_t i = 0; code == LASER_OK && i < n; ++i) {
        const struct laser_mpi_factor *f = factor_of(w, list[i]->name);
        code = f != NULL ? copy_factors(w, f, &out, err) : copy_tensor(w, list[i], &out, piece, err);
    }
    free(piece);
    if (code == LASER_OK)
        return laser_output_commit(&out, err);
    laser_output_abort(&out);
    return code;
}

static int write_shard(struct factored *w, int shard, const char *file, struct laser_error *err)
{
    const struct laser_checkpoint *c = w->r->run->checkpoint;
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    int64_t n, at = 0, header_bytes;
    const struct laser_tensor **list = list_shard(c, shard, &n);
    char path[8200], name[2048], *text = NULL;
    int code =
        header == NULL || list == NULL ? laser_error_set(err, LASER_ENOMEM, file, "no memory") : LASER_OK;

    for (int64_t i = 0; code == LASER_OK && i < n; ++i) {
        const struct laser_tensor *t = list[i];
        const struct laser_mpi_factor *f = factor_of(w, t->name);
        if (f == NULL) {
            code = put_entry(w, header, file, t->name, t, t->n_dims, t->shape, &at, err);
            continue;
        }
        factor_name(t->name, 'B', name, sizeof name);
        code = put_entry(w, header, file, name, t, 2, (int64_t[]){f->rank, t->shape[1]}, &at, err);
        factor_name(t->name, 'A', name, sizeof name);
        if (code == LASER_OK)
            code = put_entry(w, header, file, name, t, 2, (int64_t[]){t->shape[0], f->rank}, &at, err);
    }
    if (code == LASER_OK)
        code = laser_safetensors_header_text(header, &text, &header_bytes) == LASER_OK
                   ? LASER_OK
                   : laser_error_set(err, LASER_ENOMEM, file, "no memory for its header");
    snprintf(path, sizeof path, "%s/%s", w->dir, file);
    if (code == LASER_OK)
        code = put_data(w, list, n, text, header_bytes, path, err);
    free(text);
    free(list);
    json_decref(header);
    return code;
}

static int write_json(const struct factored *w, const char *name, const json_t *value,
                      struct laser_error *err)
{
    struct laser_text text = {0};
    char path[4400];
    int code;

    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    laser_json_render(&text, value, 2);
    laser_text_puts(&text, "\n");
    code = text.failed ? laser_error_set(err, LASER_ENOMEM, path, "no memory")
                       : laser_file_replace(path, text.data, text.size, err);
    laser_text_free(&text);
    return code;
}

static int write_config(const struct factored *w, struct laser_error *err)
{
    json_t *config = json_deep_copy(w->r->run->checkpoint->config), *ranks = json_object();
    int code;

    for (int i = 0; config != NULL && i < w->n; ++i) {
        const char *tensor = w->r->edits.files[w->factors[i].edit].tensor;
        char module[2048];
        if (!w->factors[i].thin)
            continue;
        snprintf(module, sizeof module, "%s", tensor);
        if (strlen(module) > 7 && strcmp(module + strlen(module) - 7, ".weight") == 0)
            module[strlen(module) - 7] = '\0';
        json_object_set_new(ranks, module, json_integer(w->factors[i].rank));
    }
    if (config == NULL || json_object_set_new(config, "truncation_ranks", ranks) != 0)
        code = laser_error_set(err, LASER_EINPUT, "config.json", "the model has none: no factored form");
    else
        code = write_json(w, "config.json", config, err);
    json_decref(config);
    return code;
}

static void say(const struct factored *w)
{
    const struct laser_mpi_run *run = w->r->run;
    int64_t dense = 0, thin = 0;

    for (int i = 0; i < w->n; ++i) {
        const struct laser_tensor *t =
            laser_checkpoint_find(run->checkpoint, w->r->edits.files[w->factors[i].edit].tensor);
        int64_t whole = t->shape[0] * t->shape[1], small = w->factors[i].rank * (t->shape[0] + t->shape[1]);
        if (!w->factors[i].thin)
            continue;
        dense += whole;
        thin += small;
        laser_mpi_log_line(run->log, "FACTORED",
                           "%-40s rank %5d  %" PRId64 " -> %" PRId64 " parameters, %" PRId64 " -> %" PRId64
                           " flops a token",
                           t->name, w->factors[i].rank, whole, small, 2 * whole, 2 * small);
    }
    laser_mpi_log_line(run->log, "FACTORED", "%" PRId64 " -> %" PRId64 " parameters in all of them: %s",
                       dense, thin, w->dir);
}

static int write_all(struct factored *w, struct laser_writer *writer, struct laser_error *err)
{
    const char *index = NULL;
    int code = laser_writer_begin(writer, err);

    for (int i = 0; code == LASER_OK && i < writer->n_files; ++i) {
        const struct laser_writer_file *f = &writer->files[i];
        if (f->is_index)
            index = f->name;
        else if (f->shard >= 0)
            code = write_shard(w, f->shard, f->name, err);
        else if (strcmp(f->name, "config.json") == 0)
            code = write_config(w, err);
        else
            code = laser_writer_file(writer, i, err);
    }
    if (code == LASER_OK && index != NULL) {
        json_t *o = json_pack("{s:{s:I}, s:O}", "metadata", "total_size", (json_int_t)w->total_size,
                              "weight_map", w->weight_map);
        code =
            o == NULL ? laser_error_set(err, LASER_ENOMEM, index, "no memory") : write_json(w, index, o, err);
        json_decref(o);
    }
    return code;
}

int laser_mpi_factored_write(struct laser_mpi_reduction *r, const struct laser_mpi_factor *factors, int n,
                             struct laser_error *err)
{
    char dir[4400];
    struct factored w = {.r = r, .factors = factors, .n = n, .dir = dir, .weight_map = json_object()};
    struct laser_writer *writer = NULL;
    int n_thin = 0, code = LASER_OK;

    for (int i = 0; i < n; ++i)
        n_thin += factors[i].thin;
    if (n_thin == 0) {
        laser_mpi_log_line(r->run->log, "FACTORED",
                           "none of the %d edited matrices is smaller as two thin ones: nothing is written",
                           n);
        json_decref(w.weight_map);
        return LASER_OK;
    }
    snprintf(dir, sizeof dir, "%s", laser_mpi_run_path(r->run, "factored"));
    code = laser_writer_open(r->run->checkpoint, dir, &writer, err);
    if (code == LASER_OK)
        code = write_all(&w, writer, err);
    if (code == LASER_OK)
        say(&w);
    laser_writer_close(writer);
    json_decref(w.weight_map);
    return code;
}
