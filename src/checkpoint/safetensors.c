#include "checkpoint/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/kind.h"
#include "checkpoint/io.h"
#include "checkpoint/json.h"

static int64_t little_endian_64(const unsigned char *bytes)
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static int parse_shape(const char *file, const char *name, const json_t *shape, struct laser_tensor *t,
                       struct laser_error *err)
{
    int64_t n_elements = 1;

    if (!json_is_array(shape))
        return laser_error_set(err, LASER_EINPUT, file, "tensor \"%.300s\": shape is %s, expected an array",
                               name, laser_json_type_name(shape));
    if (json_array_size(shape) > LASER_MAX_DIMS)
        return laser_error_set(err, LASER_EINPUT, file,
                               "tensor \"%.300s\" has %zu dimensions, at most %d expected", name,
                               json_array_size(shape), LASER_MAX_DIMS);
    t->n_dims = (int)json_array_size(shape);
    for (int d = 0; d < t->n_dims; d++) {
        const json_t *extent = json_array_get(shape, (size_t)d);

        if (!json_is_integer(extent) || json_integer_value(extent) < 0)
            return laser_error_set(
                err, LASER_EINPUT, file,
                "tensor \"%.300s\": shape[%d] is %s%s, expected an integer that is not negative", name, d,
                json_is_integer(extent) ? "a negative " : "",
                json_is_integer(extent) ? "number" : laser_json_type_name(extent));
        t->shape[d] = json_integer_value(extent);
        if (__builtin_mul_overflow(n_elements, t->shape[d], &n_elements))
            return laser_error_set(err, LASER_EINPUT, file,
                                   "tensor \"%.300s\": the product of its shape overflows", name);
    }
    if (__builtin_mul_overflow(n_elements, (int64_t)laser_dtype_size(t->dtype), &t->size_bytes))
        return laser_error_set(err, LASER_EINPUT, file, "tensor \"%.300s\": its size in bytes overflows",
                               name);
    if (laser_dtype_bits(t->dtype) < 8 &&
        __builtin_mul_overflow(n_elements, (int64_t)laser_dtype_bits(t->dtype), &t->size_bytes))
        return laser_error_set(err, LASER_EINPUT, file, "tensor \"%.300s\": its size in bits overflows",
                               name);
    if (laser_dtype_bits(t->dtype) < 8) {
        if (t->size_bytes % 8 != 0)
            return laser_error_set(err, LASER_EINPUT, file,
                                   "tensor \"%.300s\": %lld elements of type %s do not fill whole bytes",
                                   name, (long long)n_elements, laser_dtype_name(t->dtype));
        t->size_bytes /= 8;
    }
    return LASER_OK;
}

static int parse_offsets(const char *file, const char *name, const json_t *offsets, int64_t data_bytes,
                         struct laser_tensor *t, struct laser_error *err)
{
    int64_t ends[2];

    if (!json_is_array(offsets) || json_array_size(offsets) != 2)
        return laser_error_set(err, LASER_EINPUT, file,
                               "tensor \"%.300s\": data_offsets is not an array of two integers", name);
    for (size_t i = 0; i < 2; i++) {
        const json_t *end = json_array_get(offsets, i);

        if (!json_is_integer(end) || json_integer_value(end) < 0)
            return laser_error_set(
                err, LASER_EINPUT, file,
                "tensor \"%.300s\": data_offsets[%zu] is %s, expected an integer that is not negative", name,
                i, json_is_integer(end) ? "negative" : laser_json_type_name(end));
        ends[i] = json_integer_value(end);
    }
    if (ends[0] > ends[1])
        return laser_error_set(err, LASER_EINPUT, file,
                               "tensor \"%.300s\": data_offsets [%lld, %lld] run backwards", name,
                               (long long)ends[0], (long long)ends[1]);
    if (ends[1] > data_bytes)
        return laser_error_set(
            err, LASER_EINPUT, file,
            "tensor \"%.300s\" ends at byte %lld of the data, but the file has %lld (truncated?)", name,
            (long long)ends[1], (long long)data_bytes);
    if (ends[1] - ends[0] != t->size_bytes)
        return laser_error_set(err, LASER_EINPUT, file,
                               "tensor \"%.300s\" has %lld bytes of data, its shape and dtype %s make %lld",
                               name, (long long)(ends[1] - ends[0]), laser_dtype_name(t->dtype),
                               (long long)t->size_bytes);
    t->offset = ends[0];
    return LASER_OK;
}

static int parse_tensor(const char *file, const char *name, const json_t *entry, int64_t data_bytes,
                        struct laser_tensor *t, struct laser_error *err)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    int code;

    if (name[0] == '\0')
        return laser_error_set(err, LASER_EINPUT, file, "a tensor has an empty name");
    if (!json_is_object(entry))
        return laser_error_set(err, LASER_EINPUT, file, "tensor \"%.300s\" is %s, expected an object", name,
                               laser_json_type_name(entry));
    if (dtype == NULL)
        return laser_error_set(err, LASER_EINPUT, file, "tensor \"%.300s\": dtype is %s, expected a string",
                               name, laser_json_type_name(json_object_get(entry, "dtype")));
    if (!laser_dtype_parse(dtype, &t->dtype))
        return laser_error_set(
            err, LASER_EINPUT, file,
            "tensor \"%.300s\" has the unknown dtype \"%.40s\"; known: F64 F32 F16 BF16 F8_E4M3 "
            "F8_E5M2 F8_E8M0 I64 I32 I16 I8 U64 U32 U16 U8 BOOL, and, not read, F8_E4M3FNUZ F8_E5M2FNUZ C64 "
            "F4 "
            "F6_E2M3 F6_E3M2",
            name, dtype);
    code = parse_shape(file, name, json_object_get(entry, "shape"), t, err);
    if (code == LASER_OK)
        code = parse_offsets(file, name, json_object_get(entry, "data_offsets"), data_bytes, t, err);
    if (code != LASER_OK)
        return code;
    t->file = 0;
    t->name = strdup(name);
    return t->name != NULL ? LASER_OK
                           : laser_error_set(err, LASER_ENOMEM, file, "no memory for the tensor list");
}

static int check_metadata(const char *file, json_t *metadata, struct laser_error *err)
{
    const char *key;
    json_t *value;

    if (json_is_null(metadata))
        return LASER_OK;
    if (!json_is_object(metadata))
        return laser_error_set(err, LASER_EINPUT, file, "__metadata__ is %s, expected an object",
                               laser_json_type_name(metadata));
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return laser_error_set(err, LASER_EINPUT, file,
                                   "__metadata__ \"%.200s\" is %s, expected a string", key,
                                   laser_json_type_name(value));
    }
    return LASER_OK;
}

static int by_offset(const void *a, const void *b)
{
    const struct laser_tensor *x = a, *y = b;

    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if (x->size_bytes != y->size_bytes) /* empty tensors stand before the one that starts where they are */
        return x->size_bytes < y->size_bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Offsets count from the start of the data on entry and from the start of the file on return. */
static int check_layout(const char *file, struct laser_safetensors_header *h, int64_t data_bytes,
                        struct laser_error *err)
{
    int64_t end = 0;

    if (h->n_tensors > 1)
        qsort(h->tensors, (size_t)h->n_tensors, sizeof *h->tensors, by_offset);
    for (int64_t i = 0; i < h->n_tensors; i++) {
        struct laser_tensor *t = &h->tensors[i];

        if (t->offset != end)
            return laser_error_set(
                err, LASER_EINPUT, file,
                "tensor \"%.300s\" starts at byte %lld of the data, expected %lld: the data %s", t->name,
                (long long)t->offset, (long long)end, t->offset < end ? "overlap" : "have a hole");
        end += t->size_bytes;
        t->offset += h->data_start;
    }
    if (end != data_bytes)
        return laser_error_set(err, LASER_EINPUT, file,
                               "the tensors take %lld bytes, but %lld follow the header", (long long)end,
                               (long long)data_bytes);
    return LASER_OK;
}

static int parse_object(const char *file, json_t *root, int64_t data_bytes,
                        struct laser_safetensors_header *h, struct laser_error *err)
{
    const char *name;
    json_t *entry;
    int code = LASER_OK;

    if (!json_is_object(root))
        return laser_error_set(err, LASER_EINPUT, file, "the header is %s, expected an object",
                               laser_json_type_name(root));
    h->tensors = calloc(json_object_size(root) + 1, sizeof *h->tensors);
    if (h->tensors == NULL)
        return laser_error_set(err, LASER_ENOMEM, file, "no memory for the tensor list");
    json_object_foreach(root, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            code = check_metadata(file, entry, err);
        else if ((code = parse_tensor(file, name, entry, data_bytes, &h->tensors[h->n_tensors], err)) ==
                 LASER_OK)
            h->n_tensors++;
        if (code != LASER_OK)
            return code;
    }
    return check_layout(file, h, data_bytes, err);
}

/* The header length at the start of a file of size_bytes. */
static int check_length(const char *file, const unsigned char *bytes, int64_t n, int64_t size_bytes,
                        int64_t *length, struct laser_error *err)
{
    if (size_bytes == 0)
        return laser_error_set(err, LASER_EINPUT, file, "the file is empty");
    if (n < 8 || size_bytes < 8)
        return laser_error_set(err, LASER_EINPUT, file, "%lld bytes: too short for a safetensors file",
                               (long long)size_bytes);
    *length = little_endian_64(bytes);
    if (*length > LASER_SAFETENSORS_MAX_HEADER)
        return laser_error_set(err, LASER_EINPUT, file,
                               "header length %lld at byte 0, at most %lld allowed (not a safetensors file?)",
                               (long long)*length, (long long)LASER_SAFETENSORS_MAX_HEADER);
    if (*length > size_bytes - 8)
        return laser_error_set(err, LASER_EINPUT, file,
                               "header length %lld, but only %lld bytes follow it (truncated?)",
                               (long long)*length, (long long)(size_bytes - 8));
    return LASER_OK;
}

int laser_safetensors_parse(const char *file, const void *bytes, int64_t n, int64_t size_bytes,
                            struct laser_safetensors_header *header, struct laser_error *err)
{
    const char *text = (const char *)bytes + 8;
    json_t *root = NULL;
    int64_t length = 0;
    int code;

    memset(header, 0, sizeof *header);
    code = check_length(file, bytes, n, size_bytes, &length, err);
    if (code != LASER_OK)
        return code;
    if (length > n - 8)
        return laser_error_set(err, LASER_EINTERNAL, file, "%lld of %lld header bytes given",
                               (long long)(n - 8), (long long)length);
    if (length == 0 || text[0] != '{')
        return laser_error_set(err, LASER_EINPUT, file, "the header does not start with {");
    header->data_start = 8 + length;
    header->hash = XXH3_64bits(text, (size_t)length);
    code =
        laser_json_parse(file, text, (size_t)length, LASER_JSON_UNIQUE_KEYS | LASER_JSON_STRICT, &root, err);
    if (code == LASER_OK)
        code = parse_object(file, root, size_bytes - header->data_start, header, err);
    json_decref(root);
    if (code != LASER_OK)
        laser_safetensors_header_free(header);
    return code;
}

/* No safetensors file: perhaps what else it is can be told. */
static int name_kind(int fd, const char *file, int64_t size_bytes, int code, struct laser_error *err)
{
    char bytes[512];
    const int64_t n = size_bytes < (int64_t)sizeof bytes ? size_bytes : (int64_t)sizeof bytes;

    if (code == LASER_EINPUT && laser_io_read_at(fd, file, 0, n, bytes, NULL) == LASER_OK)
        laser_kind_refuse_data(file, bytes, (size_t)n, err);
    return code;
}

static int read_header_bytes(int fd, const char *file, int64_t size_bytes, char **bytes, int64_t *n,
                             struct laser_error *err)
{
    unsigned char start[8] = {0};
    int64_t length = 0;
    int code;

    *bytes = NULL;
    code = size_bytes >= 8 ? laser_io_read_at(fd, file, 0, 8, start, err) : LASER_OK;
    if (code == LASER_OK)
        code = check_length(file, start, 8, size_bytes, &length, err);
    if (code != LASER_OK)
        return name_kind(fd, file, size_bytes, code, err);
    *n = 8 + length;
    *bytes = malloc((size_t)*n);
    if (*bytes == NULL)
        return laser_error_set(err, LASER_ENOMEM, file, "no memory for a header of %lld bytes",
                               (long long)length);
    return laser_io_read_at(fd, file, 0, *n, *bytes, err);
}

int laser_safetensors_read_header(const char *file, struct laser_safetensors_header *header,
                                  int64_t *size_bytes, int64_t *mtime_ns, struct laser_error *err)
{
    const int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    char *bytes = NULL;
    int64_t n = 0;
    int code;

    memset(header, 0, sizeof *header);
    if (fd < 0)
        return laser_error_set(err, errno == ENOENT ? LASER_EINPUT : LASER_EIO, file, "cannot open: %s",
                               strerror(errno));
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return laser_error_set(err, LASER_EINPUT, file, "not a regular file");
    }
    code = read_header_bytes(fd, file, status.st_size, &bytes, &n, err);
    close(fd);
    if (code == LASER_OK)
        code = laser_safetensors_parse(file, bytes, n, status.st_size, header, err);
    free(bytes);
    if (size_bytes != NULL)
        *size_bytes = status.st_size;
    if (mtime_ns != NULL)
        *mtime_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    return code;
}

void laser_safetensors_header_free(struct laser_safetensors_header *header)
{
    for (int64_t i = 0; i < header->n_tensors; i++)
        free(header->tensors[i].name);
    free(header->tensors);
    memset(header, 0, sizeof *header);
}
