#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "corpus/source.h"

static int read_bytes(FILE *file, const char *path, unsigned char **bytes, size_t *n, struct laser_error *err)
{
    struct stat info;
    if (fstat(fileno(file), &info) != 0)
        return laser_error_set(err, LASER_EIO, path, "cannot read its size: %s", strerror(errno));
    if (!S_ISREG(info.st_mode) || info.st_size == 0 || info.st_size % 4 != 0)
        return laser_error_set(
            err, LASER_EINPUT, path,
            "%lld bytes; token ids are raw little-endian int32, so a multiple of 4 is expected",
            (long long)info.st_size);
    *n = (size_t)info.st_size;
    *bytes = malloc(*n);
    if (!*bytes)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for %zu bytes of token ids", *n);
    if (fread(*bytes, 1, *n, file) != *n)
        return laser_error_set(err, ferror(file) ? LASER_EIO : LASER_EINPUT, path,
                               ferror(file) ? "reading failed" : "the file shrank while it was read");
    return LASER_OK;
}

int laser_token_ids_read(const struct laser_text_source *source, int32_t **ids, int64_t *n_ids,
                         struct laser_error *err)
{
    unsigned char *bytes = NULL;
    size_t n = 0;
    *ids = NULL;
    *n_ids = 0;
    if (laser_file_refuse_special(source->path, err) != LASER_OK)
        return LASER_EINPUT;
    FILE *file = fopen(source->path, "rb");
    if (!file)
        return laser_error_set(err, LASER_EINPUT, source->path,
                               "cannot open the token ids of data set %s: %s", source->name, strerror(errno));
    int result = read_bytes(file, source->path, &bytes, &n, err);
    fclose(file);
    int32_t *out = result == LASER_OK ? malloc(n) : NULL;
    if (result == LASER_OK && !out)
        result = laser_error_set(err, LASER_ENOMEM, source->path, "no memory for %zu bytes of token ids", n);
    for (size_t i = 0; out && i < n / 4; i++) {
        const unsigned char *b = bytes + 4 * i;
        uint32_t value = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&out[i], &value, sizeof value);
    }
    free(bytes);
    *ids = out;
    *n_ids = out ? (int64_t)(n / 4) : 0;
    return result;
}
