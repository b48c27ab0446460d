/* The tensors of a checkpoint by their names, and its config.json. */
#include <stdlib.h>
#include <string.h>

#include "checkpoint/io.h"
#include "checkpoint/json.h"
#include "checkpoint/state.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct laser_tensor *)a)->name, ((const struct laser_tensor *)b)->name);
}

int laser_checkpoint_sort(struct laser_checkpoint *c, struct laser_error *err)
{
    if (c->n_tensors > 1)
        qsort(c->tensors, (size_t)c->n_tensors, sizeof *c->tensors, by_name);
    for (int64_t i = 1; i < c->n_tensors; i++) {
        if (strcmp(c->tensors[i - 1].name, c->tensors[i].name) == 0)
            return laser_error_set(
                err, LASER_EINPUT, c->dir, "tensor \"%.300s\" is in two shards: %.200s and %.200s",
                c->tensors[i].name, c->files[c->tensors[i - 1].file].name, c->files[c->tensors[i].file].name);
    }
    return LASER_OK;
}

int64_t laser_checkpoint_find_index(const struct laser_checkpoint *c, const char *name)
{
    int64_t low = 0, high = c->n_tensors;

    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const int order = strcmp(c->tensors[middle].name, name);

        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

const struct laser_tensor *laser_checkpoint_find(const struct laser_checkpoint *c, const char *name)
{
    const int64_t i = laser_checkpoint_find_index(c, name);

    return i >= 0 ? &c->tensors[i] : NULL;
}

int laser_checkpoint_parse_config(struct laser_checkpoint *c, int64_t length, struct laser_error *err)
{
    char *path = laser_io_join(c->dir, "config.json");
    int code;

    if (path == NULL)
        return laser_error_set(err, LASER_ENOMEM, c->model, "no memory for the catalogue");
    code = laser_json_parse(path, c->config_text, (size_t)length, 0, &c->config, err);
    if (code == LASER_OK && !json_is_object(c->config))
        code = laser_error_set(err, LASER_EINPUT, path, "this is %s, expected an object",
                               laser_json_type_name(c->config));
    free(path);
    return code;
}
