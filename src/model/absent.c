#include "config.h" /* _GNU_SOURCE: asprintf */

#include "model/absent.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/family.h"
#include "arch/names.h"
#include "base/file.h"
#include "base/json_read.h"
#include "checkpoint/coded.h"
#include "checkpoint/json.h"
#include "checkpoint/state.h"
#include "model/internal.h"

#define INDEX          "model.safetensors.index.json"
#define LARGEST_CONFIG ((size_t)10 << 20)

struct list {
    struct laser_tensor *tensors;
    int64_t n, capacity, offset;
    enum laser_dtype dtype;
    bool failed;
};

bool laser_model_is_absent(const char *dir)
{
    static const char *const weights[] = {".safetensors", ".bin", ".gguf", ".h5", ".pt"};
    char *config = laser_file_join(dir, "config.json");
    bool absent = config != NULL && access(config, R_OK) == 0;
    DIR *d = absent ? opendir(dir) : NULL;
    const struct dirent *entry;

    absent = d != NULL;
    while (absent && (entry = readdir(d)) != NULL)
        for (size_t i = 0; i < sizeof weights / sizeof *weights; ++i) {
            size_t n = strlen(entry->d_name), m = strlen(weights[i]);
            if (n >= m && strcmp(entry->d_name + n - m, weights[i]) == 0)
                absent = false;
        }
    if (d != NULL)
        closedir(d);
    free(config);
    return absent;
}

/* Parts of one tensor are noted one after another, with those of its bias between them. */
static bool is_noted(const struct list *l, const char *name)
{
    for (int64_t i = l->n - 1; i >= 0 && i >= l->n - 8; i--)
        if (strcmp(l->tensors[i].name, name) == 0)
            return true;
    return false;
}

static bool make_room(struct list *l)
{
    int64_t capacity = 2 * l->capacity + 1024;
    struct laser_tensor *more;

    if (l->n < l->capacity)
        return true;
    more = realloc(l->tensors, (size_t)capacity * sizeof *more);
    if (more == NULL)
        return false;
    l->tensors = more;
    l->capacity = capacity;
    return true;
}

static void note(void *context, const char *name, int64_t stack, int64_t rows, int64_t cols)
{
    struct list *l = context;
    const int64_t shape[3] = {stack, rows, cols};
    struct laser_tensor *t;
    int64_t size = (int64_t)laser_dtype_size(l->dtype);

    if (l->failed || is_noted(l, name))
        return;
    if (!make_room(l)) {
        l->failed = true;
        return;
    }
    t = &l->tensors[l->n];
    memset(t, 0, sizeof *t);
    t->name = strdup(name);
    if (t->name == NULL) {
        l->failed = true;
        return;
    }
    t->dtype = l->dtype;
    for (int i = 0; i < 3; ++i)
        if (shape[i] > 0) {
            t->shape[t->n_dims++] = shape[i];
            size *= shape[i];
        }
    t->offset = l->offset;
    t->size_bytes = size;
    l->offset += size;
    ++l->n;
}

static enum laser_dtype stored_as(const struct laser_arch *a)
{
    return strcmp(a->stored_dtype, "float32") == 0   ? LASER_F32
           : strcmp(a->stored_dtype, "float16") == 0 ? LASER_F16
                                                     : LASER_BF16;
}

/* Parts of quantised weights, and the ending of the weight's own name. */
static const struct {
    const char *part, *whole;
} parts[] = {{"_scale_inv", ""},     {"_blocks", ""},       {"_scales", ""},         {"_global_scale", ""},
             {"_scale_2", ""},       {"_zero_point", ""},   {"_packed", ""},         {"_shape", ""},
             {"_g_idx", ""},         {"_scale", ""},        {".qweight", ".weight"}, {".qzeros", ".weight"},
             {".scales", ".weight"}, {".g_idx", ".weight"}, {".biases", ".weight"}};

/* Does config.json know of a name of the index: as it is, or as a part of a quantised weight?  *whole: the
 * weight's name, the caller's, if it is a part. */
static bool is_known(const struct laser_checkpoint *c, const char *name, char **whole)
{
    const size_t n = strlen(name);

    *whole = NULL;
    if (laser_checkpoint_find(c, name) != NULL || strstr(name, "inv_freq") != NULL)
        return true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i) {
        const size_t m = strlen(parts[i].part);

        if (n <= m || strcmp(name + n - m, parts[i].part) != 0)
            continue;
        if (asprintf(whole, "%.*s%s", (int)(n - m), name, parts[i].whole) < 0)
            *whole = NULL;
        if (*whole != NULL && laser_checkpoint_find(c, *whole) != NULL)
            return true;
        free(*whole);
        *whole = NULL;
    }
    return false;
}

/* Layers behind the model's own, which predict further tokens (DeepSeek's, num_nextn_predict_layers). */
static bool is_behind(const struct laser_checkpoint *c, const char *name)
{
    const json_int_t more = json_integer_value(json_object_get(c->config, "num_nextn_predict_layers"));
    const json_int_t layers = json_integer_value(json_object_get(c->config, "num_hidden_layers"));

    return more > 0 && laser_name_layer(name, NULL) >= layers;
}

/* What the files would have of quantised weights: those whose parts the index names (wholes), or without an index the
 * matrices of layers, as far as config.json does not except them. */
static void note_quantised(struct laser_checkpoint *c, const json_t *wholes)
{
    const double bits = laser_coded_config_bits(c);

    for (int64_t i = 0; bits > 0 && i < c->n_tensors; ++i) {
        struct laser_tensor *t = &c->tensors[i];
        const bool is = wholes != NULL ? json_object_get(wholes, t->name) != NULL
                                       : t->n_dims >= 2 && laser_name_layer(t->name, NULL) >= 0 &&
                                             !laser_coded_config_spares(c, t->name);
        if (is)
            t->file_bytes =
                (int64_t)((double)(t->size_bytes / (int64_t)laser_dtype_size(t->dtype)) * bits / 8);
    }
}

/* Does the shard index speak of the same model? */
static int compare_index(const char *path, struct laser_checkpoint *c, struct laser_error *err)
{
    json_t *index, *map, *total, *value, *wholes;
    const char *name;
    int code = laser_json_load(path, 0, &index, err);

    if (code != LASER_OK)
        return code;
    wholes = json_object();
    map = json_object_get(index, "weight_map");
    total = json_object_get(json_object_get(index, "metadata"), "total_size");
    json_object_foreach(map, name, value)
    {
        char *whole;

        if (code == LASER_OK && !is_known(c, name, &whole) && !is_behind(c, name))
            code = laser_error_set(err, LASER_EINPUT, path,
                                   "the index names %s, which config.json knows nothing of", name);
        if (code == LASER_OK && whole != NULL)
            json_object_set_new(wholes, whole, json_true());
        if (code == LASER_OK)
            free(whole);
    }
    for (int64_t i = 0; code == LASER_OK && i < c->n_tensors; ++i)
        if (json_object_get(map, c->tensors[i].name) == NULL &&
            json_object_get(wholes, c->tensors[i].name) == NULL)
            code =
                laser_error_set(err, LASER_EINPUT, path,
                                "config.json requires %s, which the index does not name", c->tensors[i].name);
    if (code == LASER_OK && json_object_size(wholes) == 0 && json_is_integer(total) &&
        json_integer_value(total) != c->total_size_bytes)
        code = laser_error_set(err, LASER_EINPUT, path,
                               "total_size is %lld in the index; the tensors of config.json have %lld bytes",
                               (long long)json_integer_value(total), (long long)c->total_size_bytes);
    if (code == LASER_OK)
        note_quantised(c, wholes);
    json_decref(wholes);
    json_decref(index);
    return code;
}

/* config.json is the file of the catalogue. */
static int assemble(const char *config, const struct list *l, const char *text, size_t size,
                    struct laser_checkpoint **out, struct laser_error *err)
{
    struct laser_checkpoint *c;
    int code = laser_checkpoint_assemble(config, l->tensors, l->n, &c, err);

    if (code != LASER_OK)
        return code;
    c->single_file = false;
    free(c->model);
    c->model = strdup(c->dir);
    c->config_text = strdup(text);
    code = c->model == NULL || c->config_text == NULL
               ? laser_error_set(err, LASER_ENOMEM, config, "no memory")
               : laser_checkpoint_parse_config(c, (int64_t)size, err);
    if (code != LASER_OK) {
        laser_checkpoint_close(c);
        return code;
    }
    *out = c;
    return LASER_OK;
}

static int describe(const char *config, const char *text, size_t size, struct laser_checkpoint **out,
                    struct laser_error *err)
{
    json_error_t where;
    json_t *json = laser_json_read(text, size, 0, LASER_JSON_WORDS_STRING, &where);
    struct laser_arch arch;
    struct laser_model *model = NULL;
    struct list l = {0};
    int code;

    if (json == NULL)
        return laser_error_set(err, LASER_EINPUT, config, "line %d: %s", where.line, where.text);
    code = laser_arch_read(json, config, &arch, err);
    json_decref(json);
    if (code != LASER_OK)
        return code;
    l.dtype = stored_as(&arch);
    code = laser_model_sketch(&arch, NULL, LASER_FLOAT32, LASER_STORED_F32, note, &l, &model, err);
    laser_model_free(model);
    if (code == LASER_OK)
        code = l.failed ? laser_error_set(err, LASER_ENOMEM, config, "no memory for its tensors")
                        : assemble(config, &l, text, size, out, err);
    for (int64_t i = 0; i < l.n; ++i)
        free(l.tensors[i].name);
    free(l.tensors);
    laser_arch_free(&arch);
    return code;
}

/* Its index names tensors of other parts, too. */
static bool is_wrapper(const struct laser_checkpoint *c)
{
    const char *type = json_string_value(json_object_get(c->config, "model_type"));

    return type != NULL && laser_wrapper_find(type) != NULL;
}

int laser_model_absent(const char *dir, struct laser_checkpoint **out, struct laser_error *err)
{
    char *config = laser_file_join(dir, "config.json"), *index = laser_file_join(dir, INDEX), *text = NULL;
    size_t size = 0;
    int code = config == NULL || index == NULL ? laser_error_set(err, LASER_ENOMEM, dir, "no memory")
                                               : laser_file_read(config, LARGEST_CONFIG, &text, &size, err);

    *out = NULL;
    if (code == LASER_OK)
        code = describe(config, text, size, out, err);
    if (code == LASER_OK && access(index, R_OK) == 0 && !is_wrapper(*out)) {
        code = compare_index(index, *out, err);
        if (code != LASER_OK) {
            laser_checkpoint_close(*out);
            *out = NULL;
        }
    } else if (code == LASER_OK) {
        note_quantised(*out, NULL);
    }
    free(text);
    free(config);
    free(index);
    return code;
}
