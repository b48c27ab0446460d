#include "config.h" /* _GNU_SOURCE */

#include "checkpoint/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/kind.h"
#include "base/traffic.h"

/* One system call moves at most this much. */
#define MAX_CALL_BYTES (INT64_C(1) << 30)
#define COPY_BYTES     (INT64_C(1) << 20)

int laser_io_read_at(int fd, const char *file, int64_t position, int64_t n, void *dst,
                     struct laser_error *err)
{
    int64_t done = 0;

    while (done < n) {
        const int64_t want = n - done < MAX_CALL_BYTES ? n - done : MAX_CALL_BYTES;
        const ssize_t got = pread(fd, (char *)dst + done, (size_t)want, (off_t)(position + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return laser_error_set(err, LASER_EIO, file, "cannot read at byte %lld: %s",
                                   (long long)(position + done), strerror(errno));
        if (got == 0)
            return laser_error_set(err, LASER_EIO, file,
                                   "the file ends early: %lld bytes found at byte %lld, expected %lld",
                                   (long long)done, (long long)position, (long long)n);
        done += got;
        laser_traffic_read(got);
    }
    return LASER_OK;
}

static int open_regular(const char *file, int64_t max_bytes, int *fd, int64_t *length,
                        struct laser_error *err)
{
    struct stat status;

    *fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return laser_error_set(err, LASER_EIO, file, "cannot open: %s", strerror(errno));
    if (fstat(*fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(*fd);
        return laser_error_set(err, LASER_EINPUT, file, "not a regular file");
    }
    if (status.st_size > max_bytes) {
        close(*fd);
        return laser_error_set(err, LASER_EINPUT, file, "%lld bytes, at most %lld expected",
                               (long long)status.st_size, (long long)max_bytes);
    }
    *length = status.st_size;
    return LASER_OK;
}

int laser_io_read_file(const char *file, int64_t max_bytes, char **text, int64_t *length,
                       struct laser_error *err)
{
    int fd;
    int code = open_regular(file, max_bytes, &fd, length, err);

    *text = NULL;
    if (code != LASER_OK)
        return code;
    *text = malloc((size_t)*length + 1);
    if (*text == NULL)
        code = laser_error_set(err, LASER_ENOMEM, file, "no memory for %lld bytes", (long long)*length);
    else
        code = laser_io_read_at(fd, file, 0, *length, *text, err);
    close(fd);
    if (code != LASER_OK) {
        free(*text);
        *text = NULL;
        return code;
    }
    (*text)[*length] = '\0';
    code = laser_kind_refuse_data(file, *text, (size_t)*length, err);
    if (code != LASER_OK) {
        free(*text);
        *text = NULL;
    }
    return code;
}

char *laser_io_join(const char *a, const char *b)
{
    char *path = NULL;

    return asprintf(&path, "%s%s%s", a, a[0] != '\0' && a[strlen(a) - 1] == '/' ? "" : "/", b) < 0 ? NULL
                                                                                                   : path;
}

static int copy_through_memory(struct laser_output *out, int fd, const char *file, int64_t position,
                               int64_t n, struct laser_error *err)
{
    char *buffer = malloc(COPY_BYTES);
    int code = LASER_OK;

    if (buffer == NULL)
        return laser_error_set(err, LASER_ENOMEM, file, "no memory for a copy buffer");
    for (int64_t done = 0; done < n && code == LASER_OK; done += COPY_BYTES) {
        const int64_t piece = n - done < COPY_BYTES ? n - done : COPY_BYTES;

        code = laser_io_read_at(fd, file, position + done, piece, buffer, err);
        if (code == LASER_OK)
            code = laser_output_write(out, buffer, piece, err);
    }
    free(buffer);
    return code;
}

int laser_io_copy(struct laser_output *out, int fd, const char *file, int64_t position, int64_t n,
                  struct laser_error *err)
{
    off_t from = (off_t)position;

    while (n > 0) {
        const int64_t want = n < MAX_CALL_BYTES ? n : MAX_CALL_BYTES;
        const ssize_t got = copy_file_range(fd, &from, out->fd, NULL, (size_t)want, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
            return laser_output_failed(out, "cannot write", errno, err);
        if (got <= 0) /* another file system, an old kernel, a special file, or the end: plain calls tell */
            return copy_through_memory(out, fd, file, (int64_t)from, n, err);
        laser_traffic_read(got);
        laser_traffic_write(got);
        out->counted += got;
        n -= got;
    }
    return LASER_OK;
}
