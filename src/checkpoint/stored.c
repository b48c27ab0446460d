/* Bytes as they stand in the files of a checkpoint. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/io.h"
#include "checkpoint/state.h"

int laser_checkpoint_state_init(struct laser_checkpoint *c, const struct laser_coded_reader *reader,
                                struct laser_error *err)
{
    c->state = calloc(1, sizeof *c->state);
    if (c->state != NULL)
        c->state->fds = malloc((size_t)(c->n_files + 1) * sizeof *c->state->fds);
    if (c->state == NULL || c->state->fds == NULL)
        return laser_error_set(err, LASER_ENOMEM, c->model, "no memory for the catalogue");
    c->state->reader = reader;
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
        return c->state->reader->bytes(c, tensor, byte_offset, n_bytes, dst, err);
    code = laser_checkpoint_fd(c, tensor->file, &fd, err);
    if (code == LASER_OK)
        code = laser_io_read_at(fd, c->files[tensor->file].path, tensor->offset + byte_offset, n_bytes, dst,
                                err);
    return code;
}
