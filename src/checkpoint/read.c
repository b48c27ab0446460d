#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/coded.h"
#include "checkpoint/io.h"
#include "checkpoint/state.h"

int laser_checkpoint_state_init(struct laser_checkpoint *c, struct laser_error *err)
{
    c->state = calloc(1, sizeof *c->state);
    if (c->state != NULL)
        c->state->fds = malloc((size_t)(c->n_files + 1) * sizeof *c->state->fds);
    if (c->state == NULL || c->state->fds == NULL)
        return laser_error_set(err, LASER_ENOMEM, c->model, "no memory for the catalogue");
    for (int i = 0; i < c->n_files; i++)
        atomic_init(&c->state->fds[i], -1);
    return LASER_OK;
}

void laser_checkpoint_state_free(struct laser_checkpoint *c)
{
    if (c->state == NULL)
        return;
    for (int i = 0; c->state->fds != NULL && i < c->n_files; i++) {
        const int fd = atomic_load(&c->state->fds[i]);

        if (fd >= 0)
            close(fd);
    }
    for (int64_t i = 0; c->state->redirections != NULL && i < c->n_tensors; i++)
        free(c->state->redirections[i].path);
    free(c->state->redirections);
    laser_checkpoint_patches_free(c);
    free(c->state->fds);
    free(c->state);
    c->state = NULL;
}

int laser_checkpoint_fd(const struct laser_checkpoint *c, int file, int *fd, struct laser_error *err)
{
    const struct laser_checkpoint_file *f = &c->files[file];
    struct stat status;
    int none = -1;

    *fd = atomic_load(&c->state->fds[file]);
    if (*fd >= 0)
        return LASER_OK;
    *fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return laser_error_set(err, LASER_EIO, f->path, "cannot open: %s", strerror(errno));
    if (fstat(*fd, &status) != 0 || status.st_size != f->size_bytes) {
        close(*fd);
        return laser_error_set(err, LASER_EIO, f->path,
                               "the file has changed: %lld bytes found, %lld when it was opened",
                               (long long)status.st_size, (long long)f->size_bytes);
    }
    if (!atomic_compare_exchange_strong(&c->state->fds[file], &none, *fd)) {
        close(*fd); /* another thread was first */
        *fd = none;
    }
    return LASER_OK;
}

static const struct laser_checkpoint_redirection *redirection_of(const struct laser_checkpoint *c,
                                                                 const struct laser_tensor *tensor)
{
    const struct laser_checkpoint_redirection *r = c->state->redirections;

    return r != NULL && r[tensor - c->tensors].path != NULL ? &r[tensor - c->tensors] : NULL;
}

bool laser_checkpoint_is_redirected(const struct laser_checkpoint *c, const struct laser_tensor *tensor)
{
    return redirection_of(c, tensor) != NULL || laser_checkpoint_patches(c, tensor) != NULL;
}

/* An overlay is opened for each read: there may be more of them than descriptors. */
static int read_redirected(const struct laser_checkpoint_redirection *r, int64_t byte_offset, int64_t n_bytes,
                           void *dst, struct laser_error *err)
{
    const int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int code;

    if (fd < 0)
        return laser_error_set(err, LASER_EIO, r->path, "cannot open: %s", strerror(errno));
    code = laser_io_read_at(fd, r->path, r->offset + byte_offset, n_bytes, dst, err);
    close(fd);
    return code;
}

int laser_checkpoint_read_stored(const struct laser_checkpoint *c, const struct laser_tensor *tensor,
                                 int64_t byte_offset, int64_t n_bytes, void *dst, struct laser_error *err)
{
    int fd = -1, code;

    if (byte_offset < 0 || n_bytes < 0 || n_bytes > tensor->size_bytes ||
        byte_offset > tensor->size_bytes - n_bytes)
        return laser_error_set(err, LASER_EINTERNAL, tensor->name,
                               "bytes %lld + %lld asked of a tensor of %lld", (long long)byte_offset,
                               (long long)n_bytes, (long long)tensor->size_bytes);
    if (tensor->coded != NULL)
        return laser_coded_read(c, tensor, byte_offset, n_bytes, dst, err);
    code = laser_checkpoint_fd(c, tensor->file, &fd, err);
    if (code == LASER_OK)
        code = laser_io_read_at(fd, c->files[tensor->file].path, tensor->offset + byte_offset, n_bytes, dst,
                                err);
    return code;
}

int laser_checkpoint_read(const struct laser_checkpoint *c, const struct laser_tensor *tensor,
                          int64_t byte_offset, int64_t n_bytes, void *dst, struct laser_error *err)
{
    const struct laser_checkpoint_redirection *r = redirection_of(c, tensor);
    int code;

    if (byte_offset < 0 || n_bytes < 0 || n_bytes > tensor->size_bytes ||
        byte_offset > tensor->size_bytes - n_bytes)
        return laser_error_set(err, LASER_EINTERNAL, tensor->name,
                               "bytes %lld + %lld asked of a tensor of %lld", (long long)byte_offset,
                               (long long)n_bytes, (long long)tensor->size_bytes);
    code = r != NULL ? read_redirected(r, byte_offset, n_bytes, dst, err)
                     : laser_checkpoint_read_stored(c, tensor, byte_offset, n_bytes, dst, err);
    if (code == LASER_OK)
        code =
            laser_checkpoint_patch_bytes(laser_checkpoint_patches(c, tensor), byte_offset, n_bytes, dst, err);
    return code;
}

int laser_checkpoint_read_runs(const struct laser_checkpoint *c, const struct laser_tensor *tensor,
                               int64_t first, int64_t n, int64_t run, int64_t stride, void *dst,
                               struct laser_error *err)
{
    const int64_t size = (int64_t)laser_dtype_size(tensor->dtype);
    const int64_t cols = tensor->n_dims > 0 ? tensor->shape[tensor->n_dims - 1] : 1;
    int code = LASER_OK;

    if (run == stride)
        return laser_checkpoint_read(c, tensor, first * size, n * run * size, dst, err);
    if (tensor->coded != NULL && stride == cols && first % cols + run <= cols &&
        !laser_checkpoint_is_redirected(c, tensor))
        return laser_coded_read_rows(c, tensor, first / cols, n, first % cols, run, dst, err);
    for (int64_t i = 0; code == LASER_OK && i < n; i++)
        code = laser_checkpoint_read(c, tensor, (first + i * stride) * size, run * size,
                                     (char *)dst + i * run * size, err);
    return code;
}

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
