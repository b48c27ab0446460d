#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/kind.h"
#include "base/traffic.h"

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
        laser_traffic_read(done);
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
    rc = laser_kind_refuse_stray(path, *data, *size, err);
    if (rc != LASER_OK) {
        free(*data);
        *data = NULL;
        *size = 0;
    }
    return rc;
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
