/* Archives of files that are stored as they are: what torch.save writes. */
#ifndef LASER_CHECKPOINT_ZIP_H
#define LASER_CHECKPOINT_ZIP_H

#include <stdint.h>

#include "base/error.h"

struct laser_zip_entry {
    char *name;
    int64_t header; /* of the entry's own header, from the start of the file */
    int64_t size_bytes;
    int64_t offset; /* of its bytes; known after laser_zip_open */
};

struct laser_zip {
    int64_t n_entries;
    struct laser_zip_entry *entries; /* by name */
};

/* Where the directory stands, from the last n bytes of a file of size_bytes.  With ZIP64, *wants is the place
 * of its end record, which `record` then is (56 bytes), else -1 and NULL.  LASER_EINPUT: no archive, or a
 * damaged one. */
int laser_zip_find(const char *file, const unsigned char *tail, int64_t n, int64_t size_bytes,
                   const unsigned char *record, int64_t *wants, int64_t *at, int64_t *length,
                   struct laser_error *err);

/* Takes apart a directory of n bytes.  LASER_EINPUT: damaged, compressed or encrypted entries, a name twice.
 * On LASER_OK free with laser_zip_free. */
int laser_zip_parse(const char *file, const unsigned char *bytes, int64_t n, int64_t size_bytes,
                    struct laser_zip *zip, struct laser_error *err);

/* The whole of it, for a file of size_bytes. */
int laser_zip_open(int fd, const char *file, int64_t size_bytes, struct laser_zip *zip,
                   struct laser_error *err);
const struct laser_zip_entry *laser_zip_get(const struct laser_zip *zip, const char *name); /* or NULL */
void laser_zip_free(struct laser_zip *zip);

#endif
