#include "checkpoint/locate.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/io.h"

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void laser_location_free(struct laser_location *location)
{
    for (int i = 0; i < location->n_files; i++)
        free(location->files[i]);
    free(location->files);
    free(location->dir);
    free(location->index);
    memset(location, 0, sizeof *location);
}

/* Sorted names of the directory's visible entries; the caller frees. */
static int list_names(const char *dir, char ***names, int *n_names, struct laser_error *err)
{
    DIR *stream = opendir(dir);
    int capacity = 0, code = LASER_OK;

    *names = NULL;
    *n_names = 0;
    if (stream == NULL)
        return laser_error_set(err, LASER_EIO, dir, "cannot list the directory: %s", strerror(errno));
    for (struct dirent *entry; code == LASER_OK && (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        if (*n_names == capacity) {
            char **more = realloc(*names, (size_t)(capacity = 2 * capacity + 16) * sizeof **names);

            if (more == NULL) {
                code = LASER_ENOMEM;
                break;
            }
            *names = more;
        }
        if (((*names)[*n_names] = strdup(entry->d_name)) == NULL)
            code = LASER_ENOMEM;
        else
            ++*n_names;
    }
    closedir(stream);
    if (*n_names > 0)
        qsort(*names, (size_t)*n_names, sizeof **names, by_name);
    return code == LASER_OK ? code : laser_error_set(err, code, dir, "no memory for the list of files");
}

static bool has_name(char **names, int n_names, const char *name)
{
    for (int i = 0; i < n_names; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static int add_file(struct laser_location *location, const char *name, struct laser_error *err)
{
    char **more = realloc(location->files, (size_t)(location->n_files + 1) * sizeof *more);

    if (more != NULL) {
        location->files = more;
        if ((more[location->n_files] = strdup(name)) != NULL) {
            location->n_files++;
            return LASER_OK;
        }
    }
    return laser_error_set(err, LASER_ENOMEM, location->dir, "no memory for the list of files");
}

static int set_index(struct laser_location *location, const char *name, struct laser_error *err)
{
    location->index = strdup(name);
    return location->index != NULL
               ? LASER_OK
               : laser_error_set(err, LASER_ENOMEM, location->dir, "no memory for a name");
}

/* "PREFIX-00002-of-00005.safetensors": the number of shards, or 0 for another kind of name. */
static int shard_count(const char *name, int *prefix_length)
{
    static const char end[] = ".safetensors";
    const size_t n = strlen(name) - strlen(end); /* the caller has seen the ending */
    const char *tail;

    if (n < strlen("-00001-of-00001"))
        return 0;
    tail = name + n - strlen("-00001-of-00001");
    for (int i = 0; i < 15; i++) {
        const char model = "-00001-of-00001"[i];

        if (isdigit((unsigned char)model) ? !isdigit((unsigned char)tail[i]) : tail[i] != model)
            return 0;
    }
    *prefix_length = (int)(tail - name);
    return atoi(tail + 10);
}

static int no_weights(const char *dir, char **names, int n_names, struct laser_error *err)
{
    static const char *const others[] = {".ckpt", ".h5", ".msgpack", ".onnx"};
    char snapshots[4200];

    if (has_name(names, n_names, "ledger.txt") && has_name(names, n_names, "results.json"))
        return laser_error_set(
            err, LASER_EINPUT, dir,
            "this is an output directory of laser_mpi, not a model; a reduction writes its model "
            "to %.300s/model",
            dir);
    for (int i = 0; i < n_names; i++) {
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
            if (ends_with(names[i], others[k]) && strcmp(names[i], "training_args.bin") != 0)
                return laser_error_set(
                    err, LASER_EINPUT, dir,
                    "no .safetensors file, only %s, which is not read; convert it once with transformers: "
                    "AutoModelForCausalLM.from_pretrained(DIR, dtype=\"auto\").save_pretrained(NEW_DIR)",
                    names[i]);
        }
    }
    for (int i = 0; i < n_names; i++) {
        if (ends_with(names[i], ".bin") || ends_with(names[i], ".pt") || ends_with(names[i], ".pth"))
            return laser_error_set(
                err, LASER_EINPUT, dir,
                "no .safetensors, pytorch_model.bin or .gguf file, only others like %s: name it itself "
                "if it holds the weights",
                names[i]);
    }
    snprintf(snapshots, sizeof snapshots, "%s/snapshots", dir);
    if (access(snapshots, F_OK) == 0)
        return laser_error_set(
            err, LASER_EINPUT, dir,
            "this is a folder of the hub cache; the model is one of its snapshots: %.300s/...", snapshots);
    return laser_error_set(
        err, LASER_EINPUT, dir,
        "no weights in this directory: expected model.safetensors, "
        "model.safetensors.index.json, another .safetensors file, pytorch_model.bin or a .gguf file");
}

/* A directory without safetensors that holds a GGUF file. */
static bool find_gguf(struct laser_location *location, char **names, int n_names, int *code,
                      struct laser_error *err)
{
    int found = -1;

    for (int i = 0; i < n_names; i++) {
        if (!ends_with(names[i], ".gguf"))
            continue;
        if (found >= 0) {
            *code =
                laser_error_set(err, LASER_EINPUT, location->dir,
                                "several GGUF files (%s, %s, ...): name one of them", names[found], names[i]);
            return true;
        }
        found = i;
    }
    if (found < 0)
        return false;
    location->single_file = true;
    *code = add_file(location, names[found], err);
    return true;
}

/* A directory with neither of the usual names: one index, one file, or a complete set of numbered shards. */
static int choose_unusual(struct laser_location *location, char **names, int n_names, struct laser_error *err)
{
    int n_indexes = 0, prefix = 0, expected = 0, code = LASER_OK;
    bool same_set = true;

    for (int i = 0; i < n_names; i++) {
        if (ends_with(names[i], ".safetensors.index.json") && n_indexes++ == 0)
            code = set_index(location, names[i], err);
        if (code == LASER_OK && ends_with(names[i], ".safetensors"))
            code = add_file(location, names[i], err);
        if (code != LASER_OK)
            return code;
    }
    if (n_indexes == 1)
        return LASER_OK;
    free(location->index);
    location->index = NULL;
    if (location->n_files == 0 && has_name(names, n_names, "pytorch_model.bin"))
        return add_file(location, "pytorch_model.bin", err);
    if (location->n_files == 0 && has_name(names, n_names, "pytorch_model.bin.index.json"))
        return set_index(location, "pytorch_model.bin.index.json", err);
    if (location->n_files == 0 && has_name(names, n_names, "adapter_model.bin"))
        return add_file(location, "adapter_model.bin", err);
    if (location->n_files == 0 && find_gguf(location, names, n_names, &code, err))
        return code;
    if (location->n_files == 0)
        return no_weights(location->dir, names, n_names, err);
    expected = shard_count(location->files[0], &prefix);
    for (int i = 1; i < location->n_files; i++) {
        int other = 0;

        same_set = same_set && shard_count(location->files[i], &other) == expected && other == prefix &&
                   memcmp(location->files[i], location->files[0], (size_t)prefix) == 0;
    }
    if (expected > 0 && same_set && location->n_files != expected)
        return laser_error_set(err, LASER_EINPUT, location->dir, "%d of %d shards like %s found",
                               location->n_files, expected, location->files[0]);
    if (location->n_files > 1 && !(expected > 0 && same_set))
        return laser_error_set(
            err, LASER_EINPUT, location->dir,
            "several .safetensors files (%s, %s, ...) and no index that tells which of them "
            "belong together: name one of them",
            location->files[0], location->files[1]);
    return LASER_OK;
}

static int find_in_dir(struct laser_location *location, struct laser_error *err)
{
    char **names = NULL;
    int n_names = 0;
    int code = list_names(location->dir, &names, &n_names, err);

    if (code == LASER_OK) {
        if (has_name(names, n_names, "model.safetensors"))
            code = add_file(location, "model.safetensors", err);
        else if (has_name(names, n_names, "model.safetensors.index.json"))
            code = set_index(location, "model.safetensors.index.json", err);
        else
            code = choose_unusual(location, names, n_names, err);
    }
    for (int i = 0; i < n_names; i++)
        free(names[i]);
    free(names);
    return code;
}

static int find_file(const char *model, struct laser_location *location, struct laser_error *err)
{
    const char *slash = strrchr(model, '/');
    const char *name = slash != NULL ? slash + 1 : model;
    char *only = strdup(name);
    int code;

    location->dir =
        slash == NULL ? strdup(".") : strndup(model, slash == model ? 1 : (size_t)(slash - model));
    if (location->dir == NULL || only == NULL)
        code = laser_error_set(err, LASER_ENOMEM, model, "no memory for a path");
    else if (ends_with(name, ".index.json"))
        code = set_index(location, name, err);
    else if (ends_with(name, ".ckpt"))
        code = no_weights(model, &only, 1, err);
    else {
        location->single_file = true;
        code = add_file(location, name, err);
    }
    free(only);
    return code;
}

int laser_location_find(const char *model, struct laser_location *location, struct laser_error *err)
{
    struct stat status;
    int code;

    memset(location, 0, sizeof *location);
    if (model == NULL || model[0] == '\0')
        return laser_error_set(err, LASER_EINPUT, "model", "no model named");
    if (stat(model, &status) == 0) {
        if (!S_ISDIR(status.st_mode))
            return find_file(model, location, err);
        location->dir = strdup(model);
        if (location->dir == NULL)
            return laser_error_set(err, LASER_ENOMEM, model, "no memory for a path");
        return find_in_dir(location, err);
    }
    if (errno != ENOENT && errno != ENOTDIR)
        return laser_error_set(err, LASER_EIO, model, "cannot look at it: %s", strerror(errno));
    code = laser_location_hub(model, &location->dir, err);
    return code == LASER_OK ? find_in_dir(location, err) : code;
}
