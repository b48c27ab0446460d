#include "checkpoint/beside.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/io.h"

#define SINGLE  "model.safetensors"
#define INDEX   "model.safetensors.index.json"
#define ADAPTER "adapter_config.json"

struct shape {
    const char *begin, *end;
};

/* Weights wherever they are: formats that no part of a model of transformers comes in. */
static const struct shape anywhere[] = {{"", ".pth"},       {"", ".gguf"},   {"", ".ggml"},
                                        {"", ".onnx"},      {"", ".tflite"}, {"", ".onnx_data"},
                                        {"", ".onnx.data"}, {"", ".nemo"},   {"", ".llamafile"}};

/* Weights where the model's own are. */
static const struct shape beside[] = {{"", ".safetensors"},
                                      {"", ".safetensors.index.json"},
                                      {"", ".pt"},
                                      {"", ".ckpt"},
                                      {"pytorch_model", ".bin"},
                                      {"pytorch_model", ".bin.index.json"},
                                      {"adapter_model", ".bin"},
                                      {"openvino_model", ".bin"},
                                      {"openvino_model", ".xml"},
                                      {"ggml", ".bin"},
                                      {"tf_model", ".h5"},
                                      {"tf_model", ".h5.index.json"},
                                      {"flax_model", ".msgpack"},
                                      {"flax_model", ".msgpack.index.json"},
                                      {"rust_model", ".ot"},
                                      {"weights", ".npz"},
                                      {"model.ckpt", ""},
                                      {"adapter_config", ".json"}};

/* State of a training that is small and no weights. */
static const struct shape never[] = {{"rng_state", ".pth"}, {"scheduler", ".pt"}};

/* Folders of second sets and of earlier steps. */
static const char *const folders[] = {"original/", "metal/",      "onnx/",       "openvino/",
                                      "gguf/",     "checkpoint-", "global_step", "consolidated"};

static bool is_like(const struct shape *shapes, size_t n, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < n; i++) {
        size_t begin = strlen(shapes[i].begin), end = strlen(shapes[i].end);
        if (length >= begin + end && strncmp(name, shapes[i].begin, begin) == 0 &&
            strcmp(name + length - end, shapes[i].end) == 0)
            return true;
    }
    return false;
}

#define IS_LIKE(shapes, name) is_like(shapes, sizeof(shapes) / sizeof *(shapes), name)

static bool is_of_catalogue(const struct laser_checkpoint *c, const char *name)
{
    for (int i = 0; i < c->n_files; i++)
        if (strcmp(c->files[i].name, name) == 0)
            return true;
    return c->index != NULL && strcmp(c->index, name) == 0;
}

bool laser_beside_is_weights(const struct laser_checkpoint *c, const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash != NULL ? slash + 1 : name;
    bool among_own = slash == NULL;

    for (size_t i = 0; i < sizeof folders / sizeof *folders && slash != NULL; i++)
        among_own = among_own || strncmp(name, folders[i], strlen(folders[i])) == 0;
    if (is_of_catalogue(c, name) || IS_LIKE(never, base))
        return false;
    return IS_LIKE(anywhere, base) || (among_own && IS_LIKE(beside, base));
}

static bool is_there(const struct laser_checkpoint *c, const char *name)
{
    char *path = laser_io_join(c->dir, name);
    bool there = path != NULL && access(path, F_OK) == 0;

    free(path);
    return there;
}

bool laser_beside_has_adapter(const struct laser_checkpoint *c)
{
    return !c->single_file && is_there(c, ADAPTER);
}

bool laser_beside_has_index(const struct laser_checkpoint *c)
{
    return !c->single_file && c->index == NULL && c->n_files == 1 && strcmp(c->files[0].name, SINGLE) == 0 &&
           is_there(c, INDEX);
}

int laser_beside_check(const struct laser_checkpoint *c, struct laser_error *err)
{
    if (!laser_beside_has_adapter(c))
        return LASER_OK;
    if (c->n_files == 1 && strncmp(c->files[0].name, "adapter_model", strlen("adapter_model")) == 0)
        return laser_error_set(err, LASER_EINPUT, c->dir,
                               "this is an adapter alone (%s, %s): merge it into its model (peft: "
                               "merge_and_unload) and name that",
                               ADAPTER, c->files[0].name);
    return laser_error_set(
        err, LASER_EINPUT, c->dir,
        "%s is here: transformers attaches this adapter to the model, which is then another "
        "model than its weights alone; merge it (peft: merge_and_unload) or move it away. "
        "%s%s, named with --model, is taken without it",
        ADAPTER, c->index != NULL ? "The index " : "The file ",
        c->index != NULL ? c->index : c->files[0].name);
}
