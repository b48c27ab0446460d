#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/traffic.h"

static int failed(struct laser_error *err, const char *path, const char *step, size_t size, int cause)
{
    if (cause == ENOSPC || cause == EDQUOT)
        return laser_error_set(err, LASER_EIO, path,
                               "%s: %s (%zu bytes are needed); the old file is untouched", step,
                               strerror(cause), size);
    return laser_error_set(err, LASER_EIO, path, "%s: %s", step, strerror(cause));
}

/* Every byte to fd; a short write goes on where it stopped. */
static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, data, size);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? errno : EIO;
        laser_traffic_write(done);
        data += done;
        size -= (size_t)done;
    }
    return 0;
}

/* A file system that cannot sync a directory says EINVAL; there is nothing more to be done on it. */
static int sync_directory(const char *path)
{
    char *dir = laser_file_directory(path);
    int fd, cause = 0;

    if (dir == NULL)
        return ENOMEM;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(dir);
    if (fd < 0)
        return errno;
    if (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        cause = errno;
    close(fd);
    return cause;
}

/* The new contents in a file of their own, down on the disk. */
static int write_temporary(int fd, const void *data, size_t size, const char **step)
{
    int cause;

    *step = "cannot write";
    cause = write_all(fd, data, size);
    if (cause == 0 && fsync(fd) != 0) {
        *step = "cannot bring to the disk";
        cause = errno;
    }
    if (close(fd) != 0 && cause == 0)
        cause = errno;
    return cause;
}

int laser_file_replace(const char *path, const void *data, size_t size, struct laser_error *err)
{
    static const char suffix[] = ".tmp";
    size_t length = strlen(path);
    const char *step = "cannot create a file beside it";
    char *temporary;
    int fd, cause;

    temporary = malloc(length + sizeof suffix);
    if (temporary == NULL)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for a file name");
    memcpy(temporary, path, length);
    memcpy(temporary + length, suffix, sizeof suffix);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) {
        cause = errno;
        free(temporary);
        return failed(err, path, step, size, cause);
    }
    cause = write_temporary(fd, data, size, &step);
    if (cause == 0 && rename(temporary, path) != 0) {
        step = "cannot put in its place";
        cause = errno;
    }
    if (cause != 0)
        unlink(temporary);
    free(temporary);
    if (cause == 0) {
        step = "cannot bring its directory to the disk";
        cause = sync_directory(path);
    }
    return cause == 0 ? LASER_OK : failed(err, path, step, size, cause);
}

/* The open file's contents; size is what stat said, a file that shrinks meanwhile is an error. */
static int read_all(int fd, char *data, size_t size)
{
    size_t got = 0;

    while (got < size) {
        ssize_t done = read(fd, data + got, size - got);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? errno : EIO;
        laser_traffic_write(done);
        got += (size_t)done;
    }
    return 0;
}

static int check_regular(const char *path, const struct stat *info, size_t limit, struct laser_error *err)
{
    if (!S_ISREG(info->st_mode))
        return laser_error_set(err, LASER_EINPUT, path, "is %s, expected a file",
                               S_ISDIR(info->st_mode) ? "a directory" : "not a regular file");
    if (info->st_size < 0 || (uintmax_t)info->st_size > limit)
        return laser_error_set(err, LASER_EINPUT, path, "has %jd bytes, at most %zu are read",
                               (intmax_t)info->st_size, limit);
    return LASER_OK;
}

int laser_file_refuse_special(const char *path, struct laser_error *err)
{
    struct stat info;

    return stat(path, &info) != 0 ? LASER_OK : check_regular(path, &info, SIZE_MAX, err);
}

int laser_file_read(const char *path, size_t limit, char **data, size_t *size, struct laser_error *err)
{
    struct stat info;
    int fd, rc, cause;

    *data = NULL;
    *size = 0;
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return laser_error_set(err, LASER_EINPUT, path, "cannot be opened: %s", strerror(errno));
    if (fstat(fd, &info) != 0) {
        cause = errno;
        close(fd);
        return laser_error_set(err, LASER_EIO, path, "cannot be examined: %s", strerror(cause));
    }
    rc = check_regular(path, &info, limit, err);
    if (rc == LASER_OK) {
        *data = malloc((size_t)info.st_size + 1);
        if (*data == NULL)
            rc = laser_error_set(err, LASER_ENOMEM, path, "no memory for %jd bytes", (intmax_t)info.st_size);
    }
    if (rc == LASER_OK) {
        cause = read_all(fd, *data, (size_t)info.st_size);
        if (cause != 0)
            rc = laser_error_set(err, LASER_EIO, path, "cannot be read: %s", strerror(cause));
    }
    close(fd);
    if (rc != LASER_OK) {
        free(*data);
        *data = NULL;
        return rc;
    }
    (*data)[info.st_size] = '\0';
    *size = (size_t)info.st_size;
    return LASER_OK;
}

char *laser_file_join(const char *dir, const char *name)
{
    size_t ndir = strlen(dir), nname = strlen(name);
    int slash;
    char *path;

    if (name[0] == '/' || ndir == 0 || strcmp(dir, ".") == 0)
        return strdup(name);
    slash = dir[ndir - 1] != '/';
    path = malloc(ndir + (size_t)slash + nname + 1);
    if (path == NULL)
        return NULL;
    memcpy(path, dir, ndir);
    if (slash)
        path[ndir] = '/';
    memcpy(path + ndir + slash, name, nname + 1);
    return path;
}

char *laser_file_directory(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return strdup(".");
    if (slash == path)
        return strdup("/");
    return strndup(path, (size_t)(slash - path));
}
