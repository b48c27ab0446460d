/* Tensors that are read from other files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint/state.h"

int laser_checkpoint_find_overlay(const struct laser_tensor *tensor, const char *path, int64_t *offset,
                                  struct laser_error *err)
{
    struct laser_safetensors_header header;
    int code = laser_safetensors_read_header(path, &header, NULL, NULL, err);
    const struct laser_tensor *found = NULL;

    if (code != LASER_OK)
        return code;
    for (int64_t i = 0; i < header.n_tensors && found == NULL; i++) {
        if (strcmp(header.tensors[i].name, tensor->name) == 0)
            found = &header.tensors[i];
    }
    if (found == NULL)
        code = laser_error_set(err, LASER_EINPUT, path, "no tensor \"%.300s\" in this file", tensor->name);
    else if (found->dtype != tensor->dtype || found->n_dims != tensor->n_dims ||
             memcmp(found->shape, tensor->shape, (size_t)tensor->n_dims * sizeof tensor->shape[0]) != 0)
        code = laser_error_set(err, LASER_EINPUT, path,
                               "tensor \"%.300s\" has another shape or dtype than the "
                               "model's (%s, %lld bytes; expected %s, %lld bytes)",
                               tensor->name, laser_dtype_name(found->dtype), (long long)found->size_bytes,
                               laser_dtype_name(tensor->dtype), (long long)tensor->size_bytes);
    else
        *offset = found->offset;
    laser_safetensors_header_free(&header);
    return code;
}

static int check_raw(const struct laser_tensor *tensor, const char *path, int64_t offset,
                     struct laser_error *err)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return laser_error_set(err, LASER_EIO, path, "cannot open: %s", strerror(errno));
    if (!S_ISREG(status.st_mode) || tensor->size_bytes > status.st_size ||
        offset > status.st_size - tensor->size_bytes)
        return laser_error_set(err, LASER_EINPUT, path,
                               "%lld bytes, too short for the %lld bytes of tensor \"%.300s\" at byte %lld",
                               (long long)status.st_size, (long long)tensor->size_bytes, tensor->name,
                               (long long)offset);
    return LASER_OK;
}

int laser_checkpoint_redirect(struct laser_checkpoint *c, const char *name, const char *path, int64_t offset,
                              struct laser_error *err)
{
    struct laser_checkpoint_state *state = c->state;
    const int64_t i = laser_checkpoint_find_index(c, name);
    char *copy = NULL;
    int code = LASER_OK;

    if (i < 0)
        return laser_error_set(err, LASER_EINPUT, c->dir, "no tensor \"%.300s\" in this model", name);
    if (path != NULL)
        code = offset < 0 ? laser_checkpoint_find_overlay(&c->tensors[i], path, &offset, err)
                          : check_raw(&c->tensors[i], path, offset, err);
    if (code != LASER_OK)
        return code;
    if (state->redirections == NULL)
        state->redirections = calloc((size_t)c->n_tensors, sizeof *state->redirections);
    if (state->redirections == NULL || (path != NULL && (copy = strdup(path)) == NULL))
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for a redirection");
    free(state->redirections[i].path);
    state->redirections[i].path = copy;
    state->redirections[i].offset = offset;
    return LASER_OK;
}
