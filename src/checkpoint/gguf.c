#include "checkpoint/gguf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "checkpoint/io.h"

/* What is read at first; the tables of a large vocabulary take some MB. */
#define FIRST_BYTES (INT64_C(1) << 16)
#define MOST_BYTES  (INT64_C(1) << 30)

/* Longer arrays are those of the vocabulary. */
#define LONG_ARRAY 1024

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64, N_KINDS };

/* A place in the bytes. */
struct cursor {
    const char *file;
    const unsigned char *bytes;
    int64_t at;
    int64_t n;
    int64_t size_bytes;
    bool more; /* the bytes end, the file does not */
    bool vocabulary;
    struct laser_error *err;
};

static int broken(struct cursor *u, const char *what)
{
    return laser_error_set(u->err, LASER_EINPUT, u->file, "%s at byte %lld", what, (long long)u->at);
}

/* n bytes, or NULL with the error set. */
static const unsigned char *take(struct cursor *u, int64_t n, int *code)
{
    const unsigned char *p = u->bytes + u->at;

    if (n < 0 || n > u->size_bytes - u->at) {
        *code = laser_error_set(u->err, LASER_EINPUT, u->file,
                                "%lld bytes are needed at byte %lld, the file has %lld (truncated?)",
                                (long long)n, (long long)u->at, (long long)u->size_bytes);
        return NULL;
    }
    if (n > u->n - u->at) {
        u->more = true;
        *code = LASER_EINPUT;
        return NULL;
    }
    u->at += n;
    return p;
}

static uint64_t take_number(struct cursor *u, int n, int *code)
{
    const unsigned char *p = *code == LASER_OK ? take(u, n, code) : NULL;
    uint64_t value = 0;

    for (int i = n - 1; p != NULL && i >= 0; i--)
        value = value << 8 | p[i];
    return value;
}

/* In fresh memory, or NULL. */
static char *take_text(struct cursor *u, int *code)
{
    const uint64_t length = take_number(u, 8, code);
    const unsigned char *p =
        *code == LASER_OK ? take(u, length > INT64_MAX ? INT64_MAX : (int64_t)length, code) : NULL;
    char *text;

    if (p == NULL)
        return NULL;
    if (memchr(p, 0, (size_t)length) != NULL) {
        *code = broken(u, "a zero byte in a text");
        return NULL;
    }
    text = strndup((const char *)p, (size_t)length);
    if (text == NULL)
        *code = laser_error_set(u->err, LASER_ENOMEM, u->file, "no memory for its metadata");
    return text;
}

static json_t *take_float(struct cursor *u, int bytes, int *code)
{
    const unsigned char *p = take(u, bytes, code);
    double value = 0;

    if (p == NULL)
        return NULL;
    laser_dtype_to_f64(bytes == 4 ? LASER_F32 : LASER_F64, p, 1, &value);
    return value - value == 0 ? json_real(value) : json_null();
}

static json_t *take_value(struct cursor *u, unsigned kind, int depth, int *code);

/* An array; one of the vocabulary that is not asked for is passed over and becomes null. */
static json_t *take_array(struct cursor *u, int depth, int *code)
{
    static const int sizes[N_KINDS] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    const unsigned kind = (unsigned)take_number(u, 4, code);
    const uint64_t n = take_number(u, 8, code);
    json_t *list = json_array();
    const bool keep = n <= LONG_ARRAY || u->vocabulary;

    if (*code == LASER_OK && (kind >= N_KINDS || depth > 2))
        *code = broken(u, "an array of an unknown type");
    if (*code == LASER_OK && !keep && sizes[kind] > 0) {
        take(u, n < INT64_MAX / 8 ? (int64_t)n * sizes[kind] : INT64_MAX, code);
    } else {
        for (uint64_t i = 0; *code == LASER_OK && i < n; i++) {
            json_t *value = take_value(u, kind, depth + 1, code);

            if (keep && value != NULL)
                json_array_append_new(list, value);
            else
                json_decref(value);
        }
    }
    if (*code == LASER_OK && keep)
        return list;
    json_decref(list);
    return *code == LASER_OK ? json_null() : NULL;
}

static json_t *take_value(struct cursor *u, unsigned kind, int depth, int *code)
{
    char *text;
    json_t *value;

    switch (kind) {
    case U8:
    case U16:
    case U32:
    case U64:
        return json_integer((json_int_t)take_number(u,
                                                    kind == U8    ? 1
                                                    : kind == U16 ? 2
                                                    : kind == U32 ? 4
                                                                  : 8,
                                                    code));
    case I8:
        return json_integer((int8_t)take_number(u, 1, code));
    case I16:
        return json_integer((int16_t)take_number(u, 2, code));
    case I32:
        return json_integer((int32_t)take_number(u, 4, code));
    case I64:
        return json_integer((json_int_t)take_number(u, 8, code));
    case BOOL:
        return json_boolean(take_number(u, 1, code) != 0);
    case F32:
    case F64:
        return take_float(u, kind == F32 ? 4 : 8, code);
    case STRING:
        text = take_text(u, code);
        value = text != NULL ? json_string(text) : NULL;
        free(text);
        return value != NULL || *code != LASER_OK ? value : json_null(); /* not UTF-8: a token of bytes */
    case ARRAY:
        return take_array(u, depth, code);
    default:
        *code = broken(u, "metadata of an unknown type");
        return NULL;
    }
}

static int parse_metadata(struct cursor *u, uint64_t n, json_t *metadata)
{
    int code = LASER_OK;

    for (uint64_t i = 0; code == LASER_OK && i < n; i++) {
        char *key = take_text(u, &code);
        const unsigned kind = (unsigned)take_number(u, 4, &code);
        json_t *value = code == LASER_OK ? take_value(u, kind, 0, &code) : NULL;

        if (code == LASER_OK && json_object_get(metadata, key) != NULL)
            code = laser_error_set(u->err, LASER_EINPUT, u->file, "the key \"%.200s\" occurs twice", key);
        if (code == LASER_OK)
            json_object_set_new(metadata, key, value); /* a key that is not UTF-8 is none of ours */
        else
            json_decref(value);
        free(key);
    }
    return code;
}

/* Elements and bytes of a tensor. */
static int measure(struct cursor *u, struct laser_gguf_tensor *t)
{
    int64_t n = 1;

    for (int d = 0; d < t->n_dims; d++) {
        if (t->shape[d] < 0 || __builtin_mul_overflow(n, t->shape[d], &n))
            return laser_error_set(u->err, LASER_EINPUT, u->file, "tensor \"%.300s\": its shape overflows",
                                   t->name);
    }
    if (t->n_dims > 0 && t->shape[t->n_dims - 1] % laser_ggml_block(t->type) != 0)
        return laser_error_set(u->err, LASER_EINPUT, u->file,
                               "tensor \"%.300s\": rows of %lld are no whole blocks of %s (%lld)", t->name,
                               (long long)t->shape[t->n_dims - 1], laser_ggml_name(t->type),
                               (long long)laser_ggml_block(t->type));
    if (__builtin_mul_overflow(n / laser_ggml_block(t->type), laser_ggml_block_bytes(t->type),
                               &t->size_bytes))
        return laser_error_set(u->err, LASER_EINPUT, u->file, "tensor \"%.300s\": its size overflows",
                               t->name);
    return LASER_OK;
}

static int parse_tensor(struct cursor *u, struct laser_gguf_tensor *t)
{
    int code = LASER_OK;
    uint64_t n_dims, type, offset;

    t->name = take_text(u, &code);
    n_dims = take_number(u, 4, &code);
    if (code == LASER_OK && n_dims > LASER_MAX_DIMS)
        return laser_error_set(u->err, LASER_EINPUT, u->file, "tensor \"%.300s\" has %llu dimensions",
                               t->name, (unsigned long long)n_dims);
    t->n_dims = code == LASER_OK ? (int)n_dims : 0;
    for (int d = t->n_dims - 1; d >= 0; d--)
        t->shape[d] = (int64_t)take_number(u, 8, &code);
    type = take_number(u, 4, &code);
    offset = take_number(u, 8, &code);
    if (code != LASER_OK)
        return code;
    if (laser_ggml_name((int64_t)type) == NULL)
        return laser_error_set(
            u->err, LASER_EINPUT, u->file,
            "tensor \"%.300s\" is of GGUF type %llu, which is not read; known: F32 F16 BF16 F64 Q8_0 Q4_0 "
            "Q4_1 Q5_0 Q5_1 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4. llama-quantize makes them",
            t->name, (unsigned long long)type);
    t->type = (int)type;
    t->offset = offset > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)offset;
    return measure(u, t);
}

/* Offsets count from the data on entry and from the start of the file on return. */
static int place(struct cursor *u, struct laser_gguf *g)
{
    const json_t *value = json_object_get(g->metadata, "general.alignment");
    const int64_t alignment = json_is_integer(value) ? json_integer_value(value) : 32;

    if (alignment < 1 || alignment > 1 << 20)
        return laser_error_set(u->err, LASER_EINPUT, u->file, "general.alignment is %lld",
                               (long long)alignment);
    g->data_start = (u->at + alignment - 1) / alignment * alignment;
    for (int64_t i = 0; i < g->n_tensors; i++) {
        struct laser_gguf_tensor *t = &g->tensors[i];

        if (t->size_bytes > u->size_bytes - g->data_start ||
            t->offset > u->size_bytes - g->data_start - t->size_bytes)
            return laser_error_set(
                u->err, LASER_EINPUT, u->file,
                "tensor \"%.300s\": %lld bytes from byte %lld of the data on, but the file has %lld "
                "(truncated?)",
                t->name, (long long)t->size_bytes, (long long)t->offset,
                (long long)(u->size_bytes > g->data_start ? u->size_bytes - g->data_start : 0));
        t->offset += g->data_start;
    }
    return LASER_OK;
}

static int parse_all(struct cursor *u, struct laser_gguf *g)
{
    int code = LASER_OK;
    const unsigned char *magic = take(u, 4, &code);
    const uint64_t version = take_number(u, 4, &code);
    uint64_t n_tensors, n_keys;

    if (code != LASER_OK)
        return code;
    if (memcmp(magic, "GGUF", 4) != 0)
        return laser_error_set(u->err, LASER_EINPUT, u->file, "no GGUF file: it does not begin with GGUF");
    if (version != 2 && version != 3)
        return laser_error_set(u->err, LASER_EINPUT, u->file, "GGUF version %llu, expected 2 or 3%s",
                               (unsigned long long)version, version > 65535 ? " (a big-endian file?)" : "");
    n_tensors = take_number(u, 8, &code);
    n_keys = take_number(u, 8, &code);
    if (code == LASER_OK && n_tensors > (uint64_t)u->size_bytes / 32)
        return broken(u, "more tensors than the file can hold (truncated?)");
    g->metadata = json_object();
    if (code == LASER_OK)
        code = parse_metadata(u, n_keys, g->metadata);
    if (code != LASER_OK)
        return code;
    g->tensors = calloc((size_t)n_tensors + 1, sizeof *g->tensors);
    if (g->tensors == NULL)
        return laser_error_set(u->err, LASER_ENOMEM, u->file, "no memory for the tensor list");
    while (code == LASER_OK && g->n_tensors < (int64_t)n_tensors)
        code = parse_tensor(u, &g->tensors[g->n_tensors++]);
    return code == LASER_OK ? place(u, g) : code;
}

bool laser_gguf_is_file(const char *name)
{
    const size_t n = strlen(name);

    return n > 5 && strcmp(name + n - 5, ".gguf") == 0;
}

int laser_gguf_parse(const char *file, const void *bytes, int64_t n, int64_t size_bytes, bool vocabulary,
                     struct laser_gguf *g, bool *more, struct laser_error *err)
{
    struct cursor u = {
        .file = file, .bytes = bytes, .n = n, .size_bytes = size_bytes, .vocabulary = vocabulary, .err = err};
    int code;

    memset(g, 0, sizeof *g);
    code = parse_all(&u, g);
    *more = u.more;
    g->hash = code == LASER_OK ? XXH3_64bits(bytes, (size_t)u.at) : 0;
    if (code != LASER_OK)
        laser_gguf_free(g);
    return code;
}

static int parse_file(int fd, const char *file, int64_t size_bytes, bool vocabulary, struct laser_gguf *g,
                      struct laser_error *err)
{
    bool more = true;
    int code = LASER_OK;

    for (int64_t n = FIRST_BYTES; more; n *= 2) {
        const int64_t some = n < size_bytes ? n : size_bytes;
        unsigned char *bytes = malloc((size_t)some + 1);

        code = bytes == NULL ? laser_error_set(err, LASER_ENOMEM, file, "no memory for its metadata")
                             : laser_io_read_at(fd, file, 0, some, bytes, err);
        more = false;
        if (code == LASER_OK)
            code = laser_gguf_parse(file, bytes, some, size_bytes, vocabulary, g, &more, err);
        free(bytes);
        if (more && n >= MOST_BYTES)
            return laser_error_set(err, LASER_EINPUT, file, "more than %lld bytes of metadata",
                                   (long long)MOST_BYTES);
    }
    return code;
}

int laser_gguf_read(const char *file, bool vocabulary, struct laser_gguf *g, int64_t *size_bytes,
                    int64_t *mtime_ns, struct laser_error *err)
{
    const int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    int code;

    memset(g, 0, sizeof *g);
    if (fd < 0)
        return laser_error_set(err, errno == ENOENT ? LASER_EINPUT : LASER_EIO, file, "cannot open: %s",
                               strerror(errno));
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        code = laser_error_set(err, LASER_EINPUT, file, "not a regular file");
    else
        code = parse_file(fd, file, status.st_size, vocabulary, g, err);
    close(fd);
    *size_bytes = status.st_size;
    *mtime_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    return code;
}

void laser_gguf_free(struct laser_gguf *g)
{
    for (int64_t i = 0; i < g->n_tensors; i++)
        free(g->tensors[i].name);
    free(g->tensors);
    json_decref(g->metadata);
    memset(g, 0, sizeof *g);
}
