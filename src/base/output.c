#include "config.h" /* _GNU_SOURCE */

#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/traffic.h"

/* One system call moves at most this much. */
#define MAX_CALL_BYTES (INT64_C(1) << 30)

int laser_output_failed(const struct laser_output *out, const char *step, int cause, struct laser_error *err)
{
    if (cause != ENOSPC && cause != EDQUOT)
        return laser_error_set(err, cause == ENOMEM ? LASER_ENOMEM : LASER_EIO, out->path, "%s: %s", step,
                               strerror(cause));
    if (out->needed > 0)
        return laser_error_set(err, LASER_EIO, out->path,
                               "%s: the disk is full (%s; %lld bytes are needed); the old file is untouched",
                               step, strerror(cause), (long long)out->needed);
    return laser_error_set(err, LASER_EIO, out->path, "%s: the disk is full (%s); the file was not written",
                           step, strerror(cause));
}

static void forget(struct laser_output *out)
{
    free(out->path);
    free(out->temporary);
    *out = (struct laser_output){.fd = -1};
}

int laser_output_begin(const char *path, struct laser_output *out, struct laser_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const int shown = NAME_MAX - (int)sizeof "..partial"; /* a name may be as long as names can be */
    int code = LASER_OK;

    *out = (struct laser_output){.fd = -1, .path = strdup(path)};
    if (out->path == NULL ||
        asprintf(&out->temporary, "%.*s.%.*s.partial", (int)(name - path), path, shown, name) < 0) {
        out->temporary = NULL;
        code = laser_error_set(err, LASER_ENOMEM, path, "no memory for a file name");
    } else {
        out->fd = open(out->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (out->fd < 0)
            code = laser_output_failed(out, "cannot create a file beside it", errno, err);
    }
    if (code != LASER_OK)
        forget(out);
    return code;
}

int laser_output_write_at(struct laser_output *out, int64_t position, const void *bytes, int64_t n,
                          struct laser_error *err)
{
    for (int64_t done = 0; done < n;) {
        const int64_t want = n - done < MAX_CALL_BYTES ? n - done : MAX_CALL_BYTES;
        const ssize_t got =
            pwrite(out->fd, (const char *)bytes + done, (size_t)want, (off_t)(position + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return laser_output_failed(out, "cannot write", got < 0 ? errno : EIO, err);
        done += got;
        out->counted += got;
        laser_traffic_write(got);
    }
    return LASER_OK;
}

int laser_output_write(struct laser_output *out, const void *bytes, int64_t n, struct laser_error *err)
{
    const off_t end = lseek(out->fd, 0, SEEK_CUR);
    int code = end < 0 ? laser_output_failed(out, "cannot write", errno, err)
                       : laser_output_write_at(out, (int64_t)end, bytes, n, err);

    if (code == LASER_OK && lseek(out->fd, end + (off_t)n, SEEK_SET) < 0)
        code = laser_output_failed(out, "cannot write", errno, err);
    return code;
}

int laser_directory_sync(const char *dir, struct laser_error *err)
{
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 ? errno : 0;

    /* Some network file systems have no fsync for directories. */
    if (fd >= 0 && fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
        failed = errno;
    if (fd >= 0)
        close(fd);
    return failed == 0 ? LASER_OK
                       : laser_error_set(err, LASER_EIO, dir, "cannot make the directory durable: %s",
                                         strerror(failed));
}

int laser_directory_sync_of(const char *file, struct laser_error *err)
{
    char *dir = laser_file_directory(file);
    const int code = dir != NULL ? laser_directory_sync(dir, err)
                                 : laser_error_set(err, LASER_ENOMEM, file, "no memory for a path");

    free(dir);
    return code;
}

/* What a library has written to the file by its name counts, too. */
static void count_the_rest(const struct laser_output *out)
{
    struct stat status;

    if (fstat(out->fd, &status) == 0 && (int64_t)status.st_size > out->counted)
        laser_traffic_write((int64_t)status.st_size - out->counted);
}

int laser_output_commit(struct laser_output *out, struct laser_error *err)
{
    const char *step = "cannot bring to the disk";
    int failed = fsync(out->fd) != 0 ? errno : 0, code;

    count_the_rest(out);
    if (close(out->fd) != 0 && failed == 0)
        failed = errno;
    out->fd = -1;
    if (failed == 0 && rename(out->temporary, out->path) != 0) {
        step = "cannot put in its place";
        failed = errno;
    }
    if (failed != 0) {
        code = laser_output_failed(out, step, failed, err);
        laser_output_abort(out);
        return code;
    }
    code = laser_directory_sync_of(out->path, err);
    forget(out);
    return code;
}

void laser_output_abort(struct laser_output *out)
{
    if (out->fd >= 0)
        close(out->fd);
    unlink(out->temporary);
    forget(out);
}

int laser_file_replace(const char *path, const void *data, size_t size, struct laser_error *err)
{
    struct laser_output out;
    int code = laser_output_begin(path, &out, err);

    if (code != LASER_OK)
        return code;
    out.needed = (int64_t)size;
    code = laser_output_write(&out, data, (int64_t)size, err);
    if (code == LASER_OK)
        return laser_output_commit(&out, err);
    laser_output_abort(&out);
    return code;
}
