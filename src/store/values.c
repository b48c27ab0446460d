#include "store/values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/file.h"
#include "checkpoint/safetensors.h"
#include "run/rundir.h"

static void path_of(const char *directory, uint64_t hash, char path[4400])
{
    snprintf(path, 4400, "%s/" LASER_VALUES_DIRECTORY "/%016" PRIx64 ".safetensors", directory, hash);
}

static int hash_all(int64_t n, const char *const *names, const double *const *values, const int64_t *counts,
                    uint64_t *hash, struct laser_error *err)
{
    XXH3_state_t *state = XXH3_createState();

    if (state == NULL)
        return laser_error_set(err, LASER_ENOMEM, "singular values", "no memory");
    XXH3_64bits_reset(state);
    for (int64_t i = 0; i < n; ++i) {
        XXH3_64bits_update(state, names[i], strlen(names[i]) + 1);
        XXH3_64bits_update(state, values[i], (size_t)counts[i] * sizeof **values);
    }
    *hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return LASER_OK;
}

int laser_values_write(const char *directory, int64_t n, const char *const *names,
                       const double *const *values, const int64_t *counts, uint64_t *hash,
                       struct laser_error *err)
{
    struct laser_safetensors_item *items = calloc((size_t)n + 1, sizeof *items);
    char path[4400];
    int code = items == NULL ? laser_error_set(err, LASER_ENOMEM, "singular values", "no memory")
                             : hash_all(n, names, values, counts, hash, err);

    for (int64_t i = 0; code == LASER_OK && i < n; ++i)
        items[i] = (struct laser_safetensors_item){
            .name = names[i], .dtype = LASER_F64, .n_dims = 1, .shape = {counts[i]}, .data = values[i]};
    if (code == LASER_OK) {
        snprintf(path, sizeof path, "%s/" LASER_VALUES_DIRECTORY, directory);
        code = laser_directory_make(path, err);
    }
    if (code == LASER_OK) {
        path_of(directory, *hash, path);
        code = laser_safetensors_write(path, items, (int)n, err);
    }
    free(items);
    return code;
}

static int read_vector(const char *path, const struct laser_tensor *t, int64_t n, double *values,
                       struct laser_error *err)
{
    FILE *in;
    int bad;

    if (t->dtype != LASER_F64 || t->n_dims != 1 || t->shape[0] != n)
        return laser_error_set(err, LASER_EINPUT, path, "%s: %" PRId64 " values in float64 were expected",
                               t->name, n);
    in = fopen(path, "rb");
    if (in == NULL)
        return laser_error_set(err, LASER_EIO, path, "cannot open: %s", strerror(errno));
    bad = fseek(in, (long)t->offset, SEEK_SET) != 0 ||
          fread(values, sizeof *values, (size_t)n, in) != (size_t)n;
    fclose(in);
    return bad ? laser_error_set(err, LASER_EIO, path, "cannot read %s", t->name) : LASER_OK;
}

int laser_values_read(const char *directory, uint64_t hash, const char *name, int64_t n, double *values,
                      struct laser_error *err)
{
    struct laser_safetensors_header header;
    const struct laser_tensor *found = NULL;
    char path[4400];
    int code;

    path_of(directory, hash, path);
    code = laser_safetensors_read_header(path, &header, NULL, NULL, err);
    if (code != LASER_OK)
        return code;
    for (int64_t i = 0; i < header.n_tensors; ++i)
        if (strcmp(header.tensors[i].name, name) == 0)
            found = &header.tensors[i];
    code = found == NULL
               ? laser_error_set(err, LASER_EINPUT, path, "there are no singular values for %s", name)
               : read_vector(path, found, n, values, err);
    laser_safetensors_header_free(&header);
    return code;
}

void laser_values_remove(const char *directory, uint64_t hash)
{
    char path[4400];

    path_of(directory, hash, path);
    unlink(path);
}
