/* Bytes of tensors as they are seen: redirected, patched, made. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/io.h"
#include "checkpoint/state.h"

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
        return c->state->reader->rows(c, tensor, first / cols, n, first % cols, run, dst, err);
    for (int64_t i = 0; code == LASER_OK && i < n; i++)
        code = laser_checkpoint_read(c, tensor, (first + i * stride) * size, run * size,
                                     (char *)dst + i * run * size, err);
    return code;
}
