#include "store/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/traffic.h"

static void part_path(const char *output, int part, char *path, size_t size)
{
    snprintf(path, size, "%s/work/part-%d.f64", output, part);
}

int laser_part_open(const char *output, int part, struct laser_part_writer *writer, struct laser_error *err)
{
    part_path(output, part, writer->path, sizeof writer->path);
    writer->part = part;
    writer->fd = open(writer->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (writer->fd < 0)
        return laser_error_set(err, LASER_EIO, writer->path, "cannot open: %s", strerror(errno));
    return LASER_OK;
}

int laser_part_append(struct laser_part_writer *writer, const double *values, int64_t count,
                      struct laser_part_record *record, struct laser_error *err)
{
    const char *data = (const char *)values;
    size_t size = (size_t)count * sizeof *values, done = 0;
    off_t end = lseek(writer->fd, 0, SEEK_END);

    while (end >= 0 && done < size) {
        ssize_t n = pwrite(writer->fd, data + done, size - done, end + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    if (end < 0 || done < size) {
        int code = laser_error_set(err, LASER_EIO, writer->path, "cannot append %zu bytes: %s", size,
                                   strerror(errno));
        /* Cut back if that can be done; a torn record does no harm, the ledger never names it. */
        return end >= 0 && ftruncate(writer->fd, end) != 0 ? LASER_EIO : code;
    }
    laser_traffic_write((int64_t)size);
    record->part = writer->part;
    record->offset = end;
    record->count = count;
    record->hash = XXH3_64bits(values, size);
    return LASER_OK;
}

void laser_part_close(struct laser_part_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    writer->fd = -1;
}

int laser_part_read(const char *output, const struct laser_part_record *record, double *values,
                    struct laser_error *err)
{
    size_t size = (size_t)record->count * sizeof *values, done = 0;
    char path[4200];
    int fd;

    part_path(output, record->part, path, sizeof path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return laser_error_set(err, LASER_EIO, path, "cannot open: %s", strerror(errno));
    while (done < size) {
        ssize_t n = pread(fd, (char *)values + done, size - done, record->offset + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    close(fd);
    if (done < size)
        return laser_error_set(err, LASER_EIO, path, "%zu bytes expected at %" PRId64 ", %zu found", size,
                               record->offset, done);
    laser_traffic_read((int64_t)size);
    if (XXH3_64bits(values, size) != record->hash)
        return laser_error_set(err, LASER_EIO, path,
                               "the %zu bytes at %" PRId64 " are not those that were written", size,
                               record->offset);
    return LASER_OK;
}
