/* Checkpoints that are written anew (cast.h): safetensors files of the tensors as they are seen. */
#include "config.h" /* _GNU_SOURCE */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/coded.h"
#include "checkpoint/writer_files.h"

/* Of a tensor that has to be made, so much at once: some formats store its rows side by side. */
#define PIECE_BYTES (INT64_C(16) << 20)

static int no_memory(const char *where, struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, where, "no memory for what is to be written");
}

/* Files of the model itself; those behind them are an adapter's. */
static int count_own(const struct laser_checkpoint *c)
{
    const size_t n = strlen(c->dir);
    int own = 0;

    while (own < c->n_files && strncmp(c->files[own].path, c->dir, n) == 0 && c->files[own].path[n] == '/')
        own++;
    return own > 0 ? own : c->n_files;
}

int laser_writer_anew_shards(const struct laser_checkpoint *c)
{
    return count_own(c);
}

/* What an adapter has whole goes into the last file. */
static bool is_in(const struct laser_checkpoint *c, const struct laser_tensor *t, int shard)
{
    const int own = count_own(c);

    return (t->file < own ? t->file : own - 1) == shard;
}

char *laser_writer_anew_name(const struct laser_checkpoint *c, int shard)
{
    const int n = count_own(c);
    char *name = NULL;

    if (n == 1)
        return strdup("model.safetensors");
    return asprintf(&name, "model-%05d-of-%05d.safetensors", shard + 1, n) >= 0 ? name : NULL;
}

/* The header of a shard; *size_bytes: of the whole file. */
static int make_header(const struct laser_checkpoint *c, int shard, char **header, int64_t *n,
                       int64_t *size_bytes, struct laser_error *err)
{
    json_t *whole = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    int64_t at = 0;
    int code;

    for (int64_t i = 0; i < c->n_tensors; i++) {
        const struct laser_tensor *t = &c->tensors[i];
        json_t *shape;

        if (!is_in(c, t, shard))
            continue;
        shape = json_array();
        for (int d = 0; d < t->n_dims; d++)
            json_array_append_new(shape, json_integer(t->shape[d]));
        json_object_set_new(whole, t->name,
                            json_pack("{s:s, s:o, s:[I, I]}", "dtype", laser_dtype_name(t->dtype), "shape",
                                      shape, "data_offsets", (json_int_t)at,
                                      (json_int_t)(at + t->size_bytes)));
        at += t->size_bytes;
    }
    code = laser_safetensors_header_text(whole, header, n);
    json_decref(whole);
    *size_bytes = *n + at;
    return code == LASER_OK ? LASER_OK : no_memory(c->model, err);
}

int laser_writer_anew_size(const struct laser_checkpoint *c, int shard, int64_t *size_bytes,
                           struct laser_error *err)
{
    char *header = NULL;
    int64_t n;
    const int code = make_header(c, shard, &header, &n, size_bytes, err);

    free(header);
    return code;
}

static int put_tensor(const struct laser_checkpoint *c, const struct laser_tensor *t, char *buffer,
                      struct laser_output *out, struct laser_error *err)
{
    int code = LASER_OK;

    for (int64_t done = 0; code == LASER_OK && done < t->size_bytes; done += PIECE_BYTES) {
        const int64_t n = t->size_bytes - done < PIECE_BYTES ? t->size_bytes - done : PIECE_BYTES;

        code = laser_checkpoint_read(c, t, done, n, buffer, err);
        if (code == LASER_OK)
            code = laser_output_write(out, buffer, n, err);
    }
    return code;
}

int laser_writer_anew_put_shard(const struct laser_checkpoint *c, int shard, struct laser_output *out,
                                struct laser_error *err)
{
    char *header = NULL, *buffer = malloc(PIECE_BYTES);
    int64_t n, size;
    int code = buffer != NULL ? make_header(c, shard, &header, &n, &size, err) : no_memory(c->model, err);

    if (code == LASER_OK)
        code = laser_output_write(out, header, n, err);
    for (int64_t i = 0; code == LASER_OK && i < c->n_tensors; i++) {
        if (is_in(c, &c->tensors[i], shard))
            code = put_tensor(c, &c->tensors[i], buffer, out, err);
    }
    free(header);
    free(buffer);
    return code;
}

int laser_writer_anew_put_index(const struct laser_checkpoint *c, struct laser_output *out,
                                struct laser_error *err)
{
    const int own = count_own(c);
    json_t *map = json_object(), *root;
    char *text;
    int code;

    for (int64_t i = 0; i < c->n_tensors; i++) {
        char *name = laser_writer_anew_name(c, c->tensors[i].file < own ? c->tensors[i].file : own - 1);

        json_object_set_new(map, c->tensors[i].name, json_string(name != NULL ? name : ""));
        free(name);
    }
    root = json_pack("{s:{s:I}, s:o}", "metadata", "total_size", (json_int_t)c->total_size_bytes,
                     "weight_map", map);
    text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
    code = text != NULL ? laser_output_write(out, text, (int64_t)strlen(text), err)
                        : no_memory("model.safetensors.index.json", err);
    free(text);
    json_decref(root);
    return code;
}
