#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <errno.h>
#include <xxhash.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/coded.h"
#include "checkpoint/state.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct laser_tensor *)a)->name, ((const struct laser_tensor *)b)->name);
}

/* Takes over copies of the tensors, and a hash over what is known of them in place of a header's. */
static int take_tensors(struct laser_checkpoint *c, const struct laser_tensor *tensors, int64_t n)
{
    uint64_t hash = 0;

    c->tensors = calloc((size_t)n + 1, sizeof *c->tensors);
    if (c->tensors == NULL)
        return LASER_ENOMEM;
    for (int64_t i = 0; i < n; ++i) {
        c->tensors[i] = tensors[i];
        c->tensors[i].file = 0;
        c->tensors[i].name = strdup(tensors[i].name);
        if (c->tensors[i].name == NULL)
            return LASER_ENOMEM;
        ++c->n_tensors;
        c->total_size_bytes += tensors[i].size_bytes;
        hash = XXH3_64bits_withSeed(tensors[i].name, strlen(tensors[i].name),
                                    hash + (uint64_t)tensors[i].offset);
    }
    c->files[0].header_hash = hash;
    qsort(c->tensors, (size_t)n, sizeof *c->tensors, by_name);
    return LASER_OK;
}

int laser_checkpoint_assemble(const char *path, const struct laser_tensor *tensors, int64_t n,
                              struct laser_checkpoint **out, struct laser_error *err)
{
    struct laser_checkpoint *c = calloc(1, sizeof *c);
    const char *slash = strrchr(path, '/');
    struct stat st;
    int code = LASER_OK;

    *out = NULL;
    if (c == NULL || (c->files = calloc(1, sizeof *c->files)) == NULL) {
        free(c);
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for the catalogue");
    }
    c->n_files = 1;
    c->single_file = true;
    c->model = strdup(path);
    c->dir = slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    c->files[0].path = strdup(path);
    c->files[0].name = strdup(slash != NULL ? slash + 1 : path);
    if (stat(path, &st) != 0)
        code = laser_error_set(err, LASER_EIO, path, "cannot be read: %s", strerror(errno));
    else if (c->model == NULL || c->dir == NULL || c->files[0].path == NULL || c->files[0].name == NULL ||
             take_tensors(c, tensors, n) != LASER_OK)
        code = laser_error_set(err, LASER_ENOMEM, path, "no memory for the catalogue");
    for (int64_t i = 1; code == LASER_OK && i < c->n_tensors; ++i)
        if (strcmp(c->tensors[i - 1].name, c->tensors[i].name) == 0)
            code = laser_error_set(err, LASER_EINPUT, path, "tensor \"%.300s\" is there twice",
                                   c->tensors[i].name);
    if (code == LASER_OK) {
        c->files[0].size_bytes = st.st_size;
        c->files[0].mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
        code = laser_checkpoint_state_init(c, &laser_coded_reader, err);
    }
    if (code != LASER_OK) {
        laser_checkpoint_close(c);
        return code;
    }
    *out = c;
    return LASER_OK;
}
