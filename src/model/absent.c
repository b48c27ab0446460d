#include "config.h" /* _GNU_SOURCE: asprintf */

#include "model/absent.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_read.h"
#include "checkpoint/json.h"
#include "checkpoint/state.h"
#include "model/arch.h"

#define INDEX          "model.safetensors.index.json"
#define LARGEST_CONFIG ((size_t)10 << 20)

struct list {
    const struct laser_arch *a;
    struct laser_tensor *tensors;
    int64_t n, capacity, offset;
    enum laser_dtype dtype;
    char layer[1024]; /* prefix of the tensors of the layer */
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

/* A tensor of rows x columns; rows 0: a vector.  name NULL or "": none. */
static void add(struct list *l, const char *prefix, const char *name, const char *ending, int64_t rows,
                int64_t columns)
{
    struct laser_tensor *t;

    if (name == NULL || name[0] == '\0' || columns == 0 || l->failed)
        return;
    if (l->n == l->capacity) {
        int64_t capacity = 2 * l->capacity + 1024;
        struct laser_tensor *more = realloc(l->tensors, (size_t)capacity * sizeof *more);
        if (more == NULL) {
            l->failed = true;
            return;
        }
        l->tensors = more;
        l->capacity = capacity;
    }
    t = &l->tensors[l->n];
    memset(t, 0, sizeof *t);
    if (asprintf(&t->name, "%s%s%s", prefix, name, ending) < 0) {
        t->name = NULL;
        l->failed = true;
        return;
    }
    t->dtype = l->dtype;
    t->n_dims = rows > 0 ? 2 : 1;
    t->shape[0] = rows > 0 ? rows : columns;
    t->shape[1] = rows > 0 ? columns : 0;
    t->offset = l->offset;
    t->size_bytes = (rows > 0 ? rows : 1) * columns * (int64_t)laser_dtype_size(l->dtype);
    l->offset += t->size_bytes;
    ++l->n;
}

/* A linear layer, in the orientation in which the family stores it. */
static void add_linear(struct list *l, const char *name, int64_t out, int64_t in, bool bias)
{
    bool turned = l->a->transposed;
    char module[256];
    int64_t rank;

    snprintf(module, sizeof module, "%.120s%.120s", l->layer, name != NULL ? name : "");
    rank = laser_arch_low_rank(l->a, module);
    if (rank > 0) {
        add(l, module, ".ALinear", ".weight", out, rank);
        add(l, module, ".BLinear", ".weight", rank, in);
        if (bias)
            add(l, module, ".ALinear", ".bias", 0, out);
        return;
    }
    add(l, l->layer, name, ".weight", turned ? in : out, turned ? out : in);
    if (bias)
        add(l, l->layer, name, ".bias", 0, out);
}

static void add_norm(struct list *l, const char *prefix, const char *name, int64_t n)
{
    add(l, prefix, name, ".weight", 0, n);
    if (l->a->norm == LASER_NORM_LAYER)
        add(l, prefix, name, ".bias", 0, n);
}

static void add_experts(struct list *l)
{
    const struct laser_arch *a = l->a;
    const struct laser_names *names = a->names;
    int64_t columns = a->moe.intermediate;
    char before[512];

    add_linear(l, names->router, a->moe.experts, a->hidden, false);
    snprintf(before, sizeof before, "%.511s", l->layer);
    for (int64_t e = 0; e < a->moe.experts && names->expert != NULL; ++e) {
        snprintf(l->layer, sizeof l->layer, "%s%.400s%" PRId64 ".", before, names->expert, e);
        add_linear(l, names->expert_gate, columns, a->hidden, false);
        add_linear(l, names->expert_up, columns, a->hidden, false);
        add_linear(l, names->expert_down, a->hidden, columns, false);
    }
    snprintf(l->layer, sizeof l->layer, "%s", before);
    if (a->moe.shared > 0) {
        add_linear(l, names->shared_gate, a->moe.shared, a->hidden, false);
        add_linear(l, names->shared_up, a->moe.shared, a->hidden, false);
        add_linear(l, names->shared_down, a->hidden, a->moe.shared, false);
        add_linear(l, names->shared_router, 1, a->hidden, false);
    }
}

static void add_layer(struct list *l, int64_t layer)
{
    const struct laser_arch *a = l->a;
    const struct laser_names *names = a->names;
    int64_t q = a->heads * a->head_size, kv = a->kv_heads * a->head_size;

    snprintf(l->layer, sizeof l->layer, "%s%s%" PRId64 ".", names->prefix[0], names->layer, layer);
    add_norm(l, l->layer, names->attention_norm, a->hidden);
    add_norm(l, l->layer, names->mlp_norm, a->hidden);
    add_norm(l, l->layer, names->post_attention_norm, a->hidden);
    add_norm(l, l->layer, names->post_mlp_norm, a->hidden);
    if (a->qk_norm) {
        add_norm(l, l->layer, names->q_norm, a->head_size);
        add_norm(l, l->layer, names->k_norm, a->head_size);
    }
    if (a->qkv_layout == LASER_QKV_SEPARATE) {
        add_linear(l, names->q, q, a->hidden, a->q_bias);
        add_linear(l, names->k, kv, a->hidden, a->q_bias);
        add_linear(l, names->v, kv, a->hidden, a->q_bias);
    } else {
        add_linear(l, names->qkv, q + 2 * kv, a->hidden, a->q_bias);
    }
    add_linear(l, names->o, a->hidden, q, a->o_bias);
    if (a->sparse[layer]) {
        add_experts(l);
        return;
    }
    if (names->gate_up != NULL) {
        add_linear(l, names->gate_up, 2 * a->intermediate, a->hidden, a->mlp_bias);
    } else {
        add_linear(l, a->gated ? names->gate : NULL, a->intermediate, a->hidden, a->mlp_bias);
        add_linear(l, names->up, a->intermediate, a->hidden, a->mlp_bias);
    }
    add_linear(l, names->down, a->hidden, a->intermediate, a->mlp_bias);
}

static void add_ends(struct list *l)
{
    const struct laser_arch *a = l->a;
    const struct laser_names *names = a->names;

    add(l, names->prefix[0], names->embed, ".weight", a->vocabulary, a->hidden);
    add(l, names->prefix[0], names->positions, ".weight", a->max_positions, a->hidden);
    add_norm(l, names->prefix[0], names->embed_norm, a->hidden);
    add_norm(l, names->prefix[0], names->final_norm, a->hidden);
    if (!a->tied)
        add(l, "", names->head, ".weight", a->vocabulary, a->hidden);
    if (a->head_bias)
        add(l, "", names->head, ".bias", 0, a->vocabulary);
}

static enum laser_dtype stored_as(const struct laser_arch *a)
{
    return strcmp(a->stored_dtype, "float32") == 0   ? LASER_F32
           : strcmp(a->stored_dtype, "float16") == 0 ? LASER_F16
                                                     : LASER_BF16;
}

/* Does the shard index speak of the same model? */
static int compare_index(const char *path, const struct laser_checkpoint *c, struct laser_error *err)
{
    json_t *index, *map, *total, *value;
    const char *name;
    int code = laser_json_load(path, 0, &index, err);

    if (code != LASER_OK)
        return code;
    map = json_object_get(index, "weight_map");
    total = json_object_get(json_object_get(index, "metadata"), "total_size");
    json_object_foreach(map, name, value)
    {
        if (code == LASER_OK && laser_checkpoint_find(c, name) == NULL && strstr(name, "inv_freq") == NULL)
            code = laser_error_set(err, LASER_EINPUT, path,
                                   "the index names %s, which config.json knows nothing of", name);
    }
    for (int64_t i = 0; code == LASER_OK && i < c->n_tensors; ++i)
        if (json_object_get(map, c->tensors[i].name) == NULL)
            code = laser_error_set(err, LASER_EINPUT, path,
                                   "config.json wants %s, which the index does not name", c->tensors[i].name);
    if (code == LASER_OK && json_is_integer(total) && json_integer_value(total) != c->total_size_bytes)
        code = laser_error_set(err, LASER_EINPUT, path,
                               "total_size is %lld in the index; the tensors of config.json have %lld bytes",
                               (long long)json_integer_value(total), (long long)c->total_size_bytes);
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
    struct list l = {.a = &arch};
    int code;

    if (json == NULL)
        return laser_error_set(err, LASER_EINPUT, config, "line %d: %s", where.line, where.text);
    code = laser_arch_read(json, config, &arch, err);
    json_decref(json);
    if (code == LASER_OK && arch.quantized) {
        code = laser_error_set(err, LASER_EINPUT, config,
                               "quantization_config: quantised models can be scanned, not evaluated or "
                               "reduced; how their matrices are stored, their weights alone say");
        laser_arch_free(&arch);
    }
    if (code != LASER_OK)
        return code;
    l.dtype = stored_as(&arch);
    add_ends(&l);
    for (int64_t layer = 0; layer < arch.layers; ++layer)
        add_layer(&l, layer);
    code = l.failed ? laser_error_set(err, LASER_ENOMEM, config, "no memory for its tensors")
                    : assemble(config, &l, text, size, out, err);
    for (int64_t i = 0; i < l.n; ++i)
        free(l.tensors[i].name);
    free(l.tensors);
    laser_arch_free(&arch);
    return code;
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
    if (code == LASER_OK && access(index, R_OK) == 0) {
        code = compare_index(index, *out, err);
        if (code != LASER_OK) {
            laser_checkpoint_close(*out);
            *out = NULL;
        }
    }
    free(text);
    free(config);
    free(index);
    return code;
}
