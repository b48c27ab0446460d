/* The safetensors format: 8 bytes little-endian header length, a JSON header, then the data of the tensors.
 * The header is accepted only if every rule of the format holds: see laser_safetensors_parse.
 */
#ifndef LASER_CHECKPOINT_SAFETENSORS_H
#define LASER_CHECKPOINT_SAFETENSORS_H

#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "checkpoint/dtype.h"

#define LASER_MAX_DIMS               8
#define LASER_SAFETENSORS_MAX_HEADER INT64_C(100000000)

struct laser_coded; /* coded.h */

/* One tensor of a checkpoint. */
struct laser_tensor {
    char *name; /* owned by the catalogue or header that holds the tensor */
    enum laser_dtype dtype;
    int n_dims; /* 0 for a scalar */
    int64_t shape[LASER_MAX_DIMS];
    int file;       /* index of the file in the catalogue */
    int64_t offset; /* of the first byte, from the start of its file */
    int64_t size_bytes;
    int64_t file_bytes; /* what a file that is not there would have of it (model/absent.h), where that is not
                           size_bytes; else 0 */
    struct laser_coded
        *coded; /* NULL: its bytes stand in the file; else how they are made; owned like the name */
};

struct laser_safetensors_header {
    int64_t data_start; /* 8 + header length */
    int64_t n_tensors;
    struct laser_tensor *tensors; /* in order of offset; file = 0 */
    uint64_t hash;                /* XXH3 of the header text */
};

/* Checks and takes apart a header: `bytes` are the file's first n bytes (the 8 of the length included) of
 * size_bytes in all.  LASER_EINPUT (the text says which rule is broken and where) if: the file is empty or
 * shorter than its header; the header is longer than 100 MB, not an object, or nested too deep; a name occurs
 * twice; a dtype is unknown; a shape or offset is negative, fractional or overflows; shape times size is not
 * the length of the data; the data overlap, leave holes, or do not end with the file; __metadata__ is not
 * string to string.  On LASER_OK free with laser_safetensors_header_free. */
int laser_safetensors_parse(const char *file, const void *bytes, int64_t n, int64_t size_bytes,
                            struct laser_safetensors_header *header, struct laser_error *err);

/* The same for a file on disk.  size_bytes and mtime_ns (out) may be NULL. */
int laser_safetensors_read_header(const char *file, struct laser_safetensors_header *header,
                                  int64_t *size_bytes, int64_t *mtime_ns, struct laser_error *err);

void laser_safetensors_header_free(struct laser_safetensors_header *header);

/* A tensor to be written; data are in dtype, size = product(shape) * size(dtype). */
struct laser_safetensors_item {
    const char *name;
    enum laser_dtype dtype;
    int n_dims;
    int64_t shape[LASER_MAX_DIMS];
    const void *data;
};

/* Writes a small file of its own (an overlay, an adapter): temp, fsync, rename.  The tensors are laid out as
 * the safetensors library does (larger elements first, then by name), __metadata__ is {"format":"pt"}.
 * LASER_EUSAGE (a name twice, a bad shape), LASER_EIO. */
int laser_safetensors_write(const char *file, const struct laser_safetensors_item *items, int n_items,
                            struct laser_error *err);

/* The first bytes of a file for a header object: length, JSON, blanks up to a multiple of 8.  *text is
 * malloc'ed.  LASER_ENOMEM. */
int laser_safetensors_header_text(const json_t *header, char **text, int64_t *n);

#endif
