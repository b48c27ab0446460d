#include "checkpoint/checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "checkpoint/adapter.h"
#include "checkpoint/coded.h"
#include "checkpoint/gguf.h"
#include "checkpoint/io.h"
#include "checkpoint/json.h"
#include "checkpoint/locate.h"
#include "checkpoint/state.h"
#include "checkpoint/torch_file.h"

static int no_memory(const struct laser_checkpoint *c, struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, c->model, "no memory for the catalogue");
}

/* Files that torch.save wrote. */
static bool is_torch(const char *name)
{
    const char *ending = strrchr(name, '.');

    return ending != NULL &&
           (strcmp(ending, ".bin") == 0 || strcmp(ending, ".pt") == 0 || strcmp(ending, ".pth") == 0);
}

/* A shard name is a plain file name: an index may not lead out of its directory. */
static int check_shard_name(const char *index, const char *tensor, const json_t *shard,
                            struct laser_error *err)
{
    const char *name = json_string_value(shard);
    const size_t n = name != NULL ? strlen(name) : 0;
    const bool torch = strstr(index, ".bin.index.json") != NULL;

    if (name == NULL)
        return laser_error_set(err, LASER_EINPUT, index, "weight_map \"%.200s\" is %s, expected a file name",
                               tensor, laser_json_type_name(shard));
    if (n == 0 || name[0] == '.' || strchr(name, '/') != NULL || strchr(name, '\\') != NULL)
        return laser_error_set(err, LASER_EINPUT, index,
                               "weight_map \"%.200s\" names the shard \"%.200s\", expected a plain file name "
                               "without / or ..",
                               tensor, name);
    if (torch ? !is_torch(name) : n < 12 || strcmp(name + n - 12, ".safetensors") != 0)
        return laser_error_set(err, LASER_EINPUT, index,
                               "weight_map \"%.200s\" names the shard \"%.200s\", expected a %s file", tensor,
                               name, torch ? ".bin" : ".safetensors");
    return LASER_OK;
}

/* The distinct shard names of an index become c->files, sorted. */
static int add_shards(struct laser_checkpoint *c, const char *index, const json_t *weight_map,
                      struct laser_error *err)
{
    json_t *names = json_object();
    const char *key;
    json_t *value;
    int code = names != NULL ? LASER_OK : no_memory(c, err);

    json_object_foreach((json_t *)weight_map, key, value)
    {
        if (code == LASER_OK)
            code = check_shard_name(index, key, value, err);
        if (code == LASER_OK && json_object_set_new(names, json_string_value(value), json_true()) != 0)
            code = no_memory(c, err);
    }
    if (code == LASER_OK && json_object_size(names) == 0)
        code = laser_error_set(err, LASER_EINPUT, index, "weight_map is empty");
    if (code == LASER_OK && (c->files = calloc(json_object_size(names), sizeof *c->files)) == NULL)
        code = no_memory(c, err);
    if (code == LASER_OK) {
        json_object_foreach(names, key, value)
        {
            c->files[c->n_files++].name = strdup(key);
        }
    }
    json_decref(names);
    return code;
}

static int by_file_name(const void *a, const void *b)
{
    return strcmp(((const struct laser_checkpoint_file *)a)->name,
                  ((const struct laser_checkpoint_file *)b)->name);
}

static int add_files(struct laser_checkpoint *c, const struct laser_location *location,
                     struct laser_error *err)
{
    c->files = calloc((size_t)location->n_files, sizeof *c->files);
    if (c->files == NULL)
        return no_memory(c, err);
    for (; c->n_files < location->n_files; c->n_files++)
        c->files[c->n_files].name = strdup(location->files[c->n_files]);
    return LASER_OK;
}

/* Reads the header of one file and appends its tensors. */
static int read_shard(struct laser_checkpoint *c, int file, struct laser_error *err)
{
    struct laser_checkpoint_file *f = &c->files[file];
    struct laser_safetensors_header header;
    struct laser_tensor *more;
    int code;

    f->path = f->name != NULL ? laser_io_join(c->dir, f->name) : NULL;
    if (f->path == NULL)
        return no_memory(c, err);
    if (access(f->path, F_OK) != 0)
        return laser_error_set(err, LASER_EINPUT, f->path, "%s%s: %s",
                               c->index != NULL ? "a shard that the index names is missing" : "missing",
                               errno == ENOENT ? " (or a link to a file that was not downloaded)" : "",
                               strerror(errno));
    code = is_torch(f->name)
               ? laser_torch_read_header(f->path, &header, &f->size_bytes, &f->mtime_ns, err)
               : laser_safetensors_read_header(f->path, &header, &f->size_bytes, &f->mtime_ns, err);
    if (code != LASER_OK)
        return code;
    f->data_start = header.data_start;
    f->header_hash = header.hash;
    more = realloc(c->tensors, (size_t)(c->n_tensors + header.n_tensors + 1) * sizeof *more);
    if (more == NULL) {
        laser_safetensors_header_free(&header);
        return no_memory(c, err);
    }
    c->tensors = more;
    for (int64_t i = 0; i < header.n_tensors; i++) {
        header.tensors[i].file = file;
        if (header.tensors[i].coded != NULL)
            header.tensors[i].coded->parts[LASER_PART_CODES]->file = file;
        c->total_size_bytes += header.tensors[i].size_bytes;
        c->tensors[c->n_tensors++] = header.tensors[i];
    }
    header.n_tensors = 0; /* the names have a new owner */
    laser_safetensors_header_free(&header);
    return LASER_OK;
}

/* Every tensor of the index must be in the shard that the index names. */
static int check_index(const struct laser_checkpoint *c, const char *index, const json_t *weight_map,
                       struct laser_error *err)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)weight_map, key, value)
    {
        const struct laser_tensor *t = laser_checkpoint_find(c, key);
        const char *shard = json_string_value(value);

        if (t == NULL)
            return laser_error_set(err, LASER_EINPUT, index, "tensor \"%.300s\" is not in its shard %.200s",
                                   key, shard);
        if (strcmp(c->files[t->file].name, shard) != 0)
            return laser_error_set(err, LASER_EINPUT, index,
                                   "tensor \"%.300s\" is in %.200s, the index says %.200s", key,
                                   c->files[t->file].name, shard);
    }
    return LASER_OK;
}

static bool is_gguf(const struct laser_checkpoint *c)
{
    return c->n_files == 1 && c->files[0].name != NULL && laser_gguf_is_file(c->files[0].name);
}

static int read_gguf(struct laser_checkpoint *c, struct laser_error *err)
{
    c->files[0].path = laser_io_join(c->dir, c->files[0].name);
    return c->files[0].path != NULL ? laser_gguf_catalogue(c, err) : no_memory(c, err);
}

static int read_all_shards(struct laser_checkpoint *c, struct laser_error *err)
{
    if (is_gguf(c))
        return read_gguf(c, err);
    for (int i = 0; i < c->n_files; i++) {
        const int code = read_shard(c, i, err);

        if (code != LASER_OK)
            return code;
    }
    return laser_checkpoint_sort(c, err);
}

static int open_indexed(struct laser_checkpoint *c, struct laser_error *err)
{
    char *path = laser_io_join(c->dir, c->index);
    json_t *root = NULL, *weight_map = NULL;
    int code = path != NULL ? laser_json_load(path, LASER_JSON_UNIQUE_KEYS, &root, err) : no_memory(c, err);

    if (code == LASER_OK && !json_is_object(root))
        code = laser_error_set(err, LASER_EINPUT, path, "the index is %s, expected an object",
                               laser_json_type_name(root));
    if (code == LASER_OK)
        code = laser_json_get_object(root, path, "weight_map", &weight_map, err);
    if (code == LASER_OK)
        code = add_shards(c, path, weight_map, err);
    if (code == LASER_OK) {
        for (int i = 0; i < c->n_files && code == LASER_OK; i++)
            code = c->files[i].name != NULL ? LASER_OK : no_memory(c, err);
    }
    if (code == LASER_OK) {
        qsort(c->files, (size_t)c->n_files, sizeof *c->files, by_file_name);
        code = read_all_shards(c, err);
    }
    if (code == LASER_OK)
        code = check_index(c, path, weight_map, err);
    json_decref(root);
    free(path);
    return code;
}

static int load_config(struct laser_checkpoint *c, struct laser_error *err)
{
    char *path = laser_io_join(c->dir, "config.json");
    int64_t length = 0;
    int code = LASER_OK;

    if (path == NULL)
        return no_memory(c, err);
    if (access(path, F_OK) == 0) {
        code = laser_io_read_file(path, LASER_JSON_MAX_BYTES, &c->config_text, &length, err);
        if (code == LASER_OK && memchr(c->config_text, '\0', (size_t)length) != NULL)
            code = laser_error_set(err, LASER_EINPUT, path, "a zero byte in a text file");
        if (code == LASER_OK)
            code = laser_checkpoint_parse_config(c, length, err);
    }
    free(path);
    return code;
}

int laser_checkpoint_open(const char *model, struct laser_checkpoint **out, struct laser_error *err)
{
    struct laser_checkpoint *c = calloc(1, sizeof *c);
    struct laser_location location;
    int code;

    *out = NULL;
    if (c == NULL)
        return laser_error_set(err, LASER_ENOMEM, model, "no memory for the catalogue");
    code = laser_location_find(model, &location, err);
    if (code == LASER_OK && (c->model = strdup(model)) == NULL)
        code = laser_error_set(err, LASER_ENOMEM, model, "no memory for the catalogue");
    if (code == LASER_OK) {
        c->dir = location.dir;
        c->index = location.index;
        c->single_file = location.single_file;
        location.dir = location.index = NULL;
        code = c->index != NULL ? open_indexed(c, err) : add_files(c, &location, err);
    }
    if (code == LASER_OK && c->index == NULL)
        code = read_all_shards(c, err);
    if (code == LASER_OK && c->config == NULL)
        code = load_config(c, err);
    if (code == LASER_OK)
        code = laser_checkpoint_state_init(c, &laser_coded_reader, err);
    if (code == LASER_OK)
        code = laser_coded_resolve(c, err);
    if (code == LASER_OK)
        code = laser_adapter_resolve(c, err);
    laser_location_free(&location);
    if (code != LASER_OK) {
        laser_checkpoint_close(c);
        return code;
    }
    *out = c;
    return LASER_OK;
}

void laser_checkpoint_close(struct laser_checkpoint *c)
{
    if (c == NULL)
        return;
    laser_checkpoint_state_free(c);
    for (int i = 0; i < c->n_files; i++) {
        free(c->files[i].name);
        free(c->files[i].path);
    }
    for (int64_t i = 0; i < c->n_tensors; i++) {
        laser_coded_free(c->tensors[i].coded);
        free(c->tensors[i].name);
    }
    free(c->files);
    free(c->tensors);
    free(c->model);
    free(c->dir);
    free(c->index);
    free(c->config_text);
    json_decref(c->config);
    free(c);
}

struct laser_checkpoint_fingerprint laser_checkpoint_fingerprint(const struct laser_checkpoint *c)
{
    struct laser_checkpoint_fingerprint print = {0, 0};
    uint64_t h = 0;

    for (int i = 0; i < c->n_files; i++) {
        const struct laser_checkpoint_file *f = &c->files[i];

        h = XXH3_64bits_withSeed(f->name, strlen(f->name), h);
        h = XXH3_64bits_withSeed(&f->size_bytes, sizeof f->size_bytes, h);
        h = XXH3_64bits_withSeed(&f->header_hash, sizeof f->header_hash, h);
        print.times = XXH3_64bits_withSeed(&f->mtime_ns, sizeof f->mtime_ns, print.times);
    }
    for (int64_t i = 0; i < c->n_tensors; i++) {
        const struct laser_tensor *t = &c->tensors[i];
        const int64_t numbers[] = {t->dtype, t->n_dims, t->file, t->offset, t->size_bytes};

        h = XXH3_64bits_withSeed(t->name, strlen(t->name), h);
        h = XXH3_64bits_withSeed(numbers, sizeof numbers, h);
        h = XXH3_64bits_withSeed(t->shape, (size_t)t->n_dims * sizeof t->shape[0], h);
    }
    if (c->config_text != NULL)
        h = XXH3_64bits_withSeed(c->config_text, strlen(c->config_text), h);
    print.content = h;
    return print;
}
