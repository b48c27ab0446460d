#include "config.h" /* _GNU_SOURCE */

#include "checkpoint/torch_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "checkpoint/coded.h"
#include "checkpoint/gguf.h"
#include "checkpoint/io.h"
#include "checkpoint/pickle.h"
#include "checkpoint/zip.h"

/* An open file. */
struct torch_file {
    int fd;
    const char *file;
    struct laser_zip zip;
    char *folder; /* of the archive: "archive/" */
    struct laser_error *err;
};

static int no_memory(const struct torch_file *f)
{
    return laser_error_set(f->err, LASER_ENOMEM, f->file, "no memory for its tensors");
}

/* FOLDER/NAME of the archive, or NULL. */
static const struct laser_zip_entry *get(const struct torch_file *f, const char *name)
{
    const struct laser_zip_entry *found = NULL;
    char *full = NULL;

    if (asprintf(&full, "%s%s", f->folder, name) >= 0)
        found = laser_zip_get(&f->zip, full);
    free(full);
    return found;
}

/* The folder of data.pkl is that of everything. */
static int find_folder(struct torch_file *f)
{
    static const char name[] = "/data.pkl";

    for (int64_t i = 0; i < f->zip.n_entries && f->folder == NULL; i++) {
        const char *entry = f->zip.entries[i].name, *slash = strchr(entry, '/');

        if (slash != NULL && strcmp(slash, name) == 0)
            f->folder = strndup(entry, (size_t)(slash + 1 - entry));
    }
    if (f->folder == NULL)
        return laser_error_set(f->err, LASER_EINPUT, f->file,
                               "an archive without a data.pkl: torch.save did not write it");
    return LASER_OK;
}

static int check_order(const struct torch_file *f)
{
    const struct laser_zip_entry *e = get(f, "byteorder");
    char text[8] = "";
    int code;

    if (e == NULL || e->size_bytes >= (int64_t)sizeof text)
        return LASER_OK;
    code = laser_io_read_at(f->fd, f->file, e->offset, e->size_bytes, text, f->err);
    if (code == LASER_OK && strcmp(text, "big") == 0)
        code = laser_error_set(f->err, LASER_EINPUT, f->file, "its numbers are big-endian");
    return code;
}

static int read_pickle(const struct torch_file *f, struct laser_pickle *p, uint64_t *hash)
{
    const struct laser_zip_entry *e = get(f, "data.pkl");
    unsigned char *bytes;
    int code;

    if (e->size_bytes > LASER_PICKLE_MAX_BYTES)
        return laser_error_set(f->err, LASER_EINPUT, f->file, "a pickle of %lld bytes",
                               (long long)e->size_bytes);
    bytes = malloc((size_t)e->size_bytes + 1);
    if (bytes == NULL)
        return no_memory(f);
    code = laser_io_read_at(f->fd, f->file, e->offset, e->size_bytes, bytes, f->err);
    if (code == LASER_OK)
        code = laser_pickle_parse(f->file, bytes, e->size_bytes, p, f->err);
    *hash = code == LASER_OK ? XXH3_64bits(bytes, (size_t)e->size_bytes) : 0;
    free(bytes);
    return code;
}

static int ggml_type(enum laser_dtype dtype)
{
    return dtype == LASER_F32    ? LASER_GGML_F32
           : dtype == LASER_F16  ? LASER_GGML_F16
           : dtype == LASER_BF16 ? LASER_GGML_BF16
           : dtype == LASER_F64  ? LASER_GGML_F64
                                 : -1;
}

/* A transposed matrix: its columns stand one after the other. */
static int make_turned(const struct torch_file *f, const struct laser_pickle_tensor *p,
                       struct laser_tensor *t)
{
    struct laser_coded *k = calloc(1, sizeof *k);
    struct laser_tensor *part = calloc(1, sizeof *part);

    if (k == NULL || part == NULL || (part->name = strdup(t->name)) == NULL) {
        free(k);
        free(part);
        return no_memory(f);
    }
    *part = (struct laser_tensor){part->name,    t->dtype, 2,   {t->shape[1], t->shape[0]}, 0, t->offset,
                                  t->size_bytes, 0,        NULL};
    *k = (struct laser_coded){.coding = LASER_CODED_BLOCKS,
                              .bits = ggml_type(p->dtype),
                              .slices = 1,
                              .rows = t->shape[1],
                              .cols = t->shape[0],
                              .transposed = true,
                              .block_rows = 1,
                              .block_cols = 1,
                              .parts = {[LASER_PART_CODES] = part}};
    snprintf(k->format, sizeof k->format, "%s", laser_dtype_name(t->dtype));
    t->coded = k;
    return LASER_OK;
}

static int make_tensor(const struct torch_file *f, struct laser_pickle_tensor *p, struct laser_tensor *t)
{
    const int64_t size = (int64_t)laser_dtype_size(p->dtype);
    const struct laser_zip_entry *storage;
    char *name = NULL;

    if (asprintf(&name, "data/%s", p->storage) < 0)
        return no_memory(f);
    storage = get(f, name);
    free(name);
    if (storage == NULL || storage->size_bytes != p->storage_elements * size)
        return laser_error_set(f->err, LASER_EINPUT, f->file,
                               "tensor \"%.300s\": its storage %.40s has %lld bytes, the pickle says %lld",
                               p->name, p->storage, storage != NULL ? (long long)storage->size_bytes : -1LL,
                               (long long)(p->storage_elements * size));
    *t = (struct laser_tensor){.name = p->name, .dtype = p->dtype, .n_dims = p->n_dims, .size_bytes = size};
    p->name = NULL; /* it has a new owner */
    for (int d = 0; d < t->n_dims; d++)
        t->size_bytes *= t->shape[d] = p->shape[d];
    t->offset = storage->offset + p->offset * size;
    if (laser_pickle_is_contiguous(p) || t->size_bytes == 0)
        return LASER_OK;
    if (t->n_dims == 2 && p->stride[0] == 1 && p->stride[1] == p->shape[0] && ggml_type(p->dtype) >= 0)
        return make_turned(f, p, t);
    return laser_error_set(
        f->err, LASER_EINPUT, f->file,
        "tensor \"%.300s\" is a view with gaps or repeated elements (strides %lld, %lld), which is not "
        "read: save it after .contiguous()",
        t->name, (long long)p->stride[0], p->n_dims > 1 ? (long long)p->stride[1] : 0LL);
}

static int read_open(struct torch_file *f, int64_t size_bytes, struct laser_safetensors_header *h)
{
    struct laser_pickle p = {0};
    int code = laser_zip_open(f->fd, f->file, size_bytes, &f->zip, f->err);

    if (code == LASER_OK)
        code = find_folder(f);
    if (code == LASER_OK)
        code = check_order(f);
    if (code == LASER_OK)
        code = read_pickle(f, &p, &h->hash);
    h->tensors = code == LASER_OK ? calloc((size_t)p.n_tensors + 1, sizeof *h->tensors) : NULL;
    if (code == LASER_OK && h->tensors == NULL)
        code = no_memory(f);
    for (int64_t i = 0; code == LASER_OK && i < p.n_tensors; i++)
        code = make_tensor(f, &p.tensors[i], &h->tensors[h->n_tensors++]);
    laser_pickle_free(&p);
    return code;
}

int laser_torch_read_header(const char *file, struct laser_safetensors_header *header, int64_t *size_bytes,
                            int64_t *mtime_ns, struct laser_error *err)
{
    struct torch_file f = {.fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), .file = file, .err = err};
    struct stat status;
    int code;

    memset(header, 0, sizeof *header);
    if (f.fd < 0)
        return laser_error_set(err, errno == ENOENT ? LASER_EINPUT : LASER_EIO, file, "cannot open: %s",
                               strerror(errno));
    if (fstat(f.fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        code = laser_error_set(err, LASER_EINPUT, file, "not a regular file");
    } else {
        *size_bytes = status.st_size;
        *mtime_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
        code = read_open(&f, status.st_size, header);
    }
    close(f.fd);
    free(f.folder);
    laser_zip_free(&f.zip);
    if (code != LASER_OK) {
        for (int64_t i = 0; i < header->n_tensors; i++)
            laser_coded_free(header->tensors[i].coded);
        laser_safetensors_header_free(header);
    }
    return code;
}
