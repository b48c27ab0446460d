#include <stdlib.h>
#include <string.h>

#include "checkpoint/coded.h"
#include "checkpoint/state.h"

/* The same program unpacks what it packed, so numbers travel in the machine's own order. */
#define MAGIC INT64_C(0x324b434150534c)

struct packer {
    char *bytes;
    size_t n;
    size_t capacity;
    bool failed;
};

struct unpacker {
    const char *bytes;
    size_t n;
    size_t at;
    bool failed;
};

static void put(struct packer *p, const void *bytes, size_t n)
{
    if (!p->failed && p->n + n > p->capacity) {
        const size_t capacity = 2 * (p->n + n) + 4096;
        char *more = realloc(p->bytes, capacity);

        if (more == NULL) {
            p->failed = true;
        } else {
            p->bytes = more;
            p->capacity = capacity;
        }
    }
    if (p->failed)
        return;
    memcpy(p->bytes + p->n, bytes, n);
    p->n += n;
}

static void put_int(struct packer *p, int64_t value)
{
    put(p, &value, sizeof value);
}

/* NULL has length -1. */
static void put_text(struct packer *p, const char *text)
{
    put_int(p, text != NULL ? (int64_t)strlen(text) : -1);
    if (text != NULL)
        put(p, text, strlen(text));
}

static int64_t get_int(struct unpacker *u)
{
    int64_t value = 0;

    if (u->failed || u->n - u->at < sizeof value) {
        u->failed = true;
        return 0;
    }
    memcpy(&value, u->bytes + u->at, sizeof value);
    u->at += sizeof value;
    return value;
}

static char *get_text(struct unpacker *u)
{
    const int64_t length = get_int(u);
    char *text;

    if (u->failed || length < 0)
        return NULL;
    if ((uint64_t)length > u->n - u->at || (text = strndup(u->bytes + u->at, (size_t)length)) == NULL) {
        u->failed = true;
        return NULL;
    }
    u->at += (size_t)length;
    return text;
}

/* A count of things that take at least `least` bytes each, so that a damaged one allocates nothing. */
static int64_t get_count(struct unpacker *u, int64_t least)
{
    const int64_t count = get_int(u);

    if (u->failed || count < 0 || count > (int64_t)(u->n - u->at) / least) {
        u->failed = true;
        return 0;
    }
    return count;
}

static void put_coded(struct packer *p, const struct laser_coded *k);

static void put_stored(struct packer *p, const struct laser_tensor *t)
{
    put_text(p, t->name);
    put_int(p, t->dtype);
    put_int(p, t->n_dims);
    for (int d = 0; d < t->n_dims; d++)
        put_int(p, t->shape[d]);
    put_int(p, t->file);
    put_int(p, t->offset);
    put_int(p, t->size_bytes);
    put_int(p, t->file_bytes);
    put_int(p, t->coded != NULL);
    if (t->coded != NULL)
        put_coded(p, t->coded);
}

static void put_coded(struct packer *p, const struct laser_coded *k)
{
    struct laser_coded plain = *k;

    memset(plain.parts, 0, sizeof plain.parts);
    put(p, &plain, sizeof plain);
    for (int i = 0; i < LASER_CODED_PARTS; i++) {
        put_int(p, k->parts[i] != NULL);
        if (k->parts[i] != NULL)
            put_stored(p, k->parts[i]);
    }
}

static void put_tensor(struct packer *p, const struct laser_checkpoint *c, int64_t i)
{
    put_stored(p, &c->tensors[i]);
    put_text(p, c->state->redirections != NULL ? c->state->redirections[i].path : NULL);
    put_int(p, c->state->redirections != NULL ? c->state->redirections[i].offset : 0);
}

int laser_checkpoint_pack(const struct laser_checkpoint *c, void **buf, size_t *n, struct laser_error *err)
{
    struct packer p = {0};

    put_int(&p, MAGIC);
    put_text(&p, c->model);
    put_text(&p, c->dir);
    put_text(&p, c->index);
    put_int(&p, c->single_file);
    put_int(&p, c->anew);
    put_int(&p, c->total_size_bytes);
    put_text(&p, c->config_text);
    put_int(&p, c->n_files);
    for (int i = 0; i < c->n_files; i++) {
        const struct laser_checkpoint_file *f = &c->files[i];

        put_text(&p, f->name);
        put_text(&p, f->path);
        put_int(&p, f->size_bytes);
        put_int(&p, f->mtime_ns);
        put_int(&p, f->data_start);
        put_int(&p, (int64_t)f->header_hash);
    }
    put_int(&p, c->n_tensors);
    for (int64_t i = 0; i < c->n_tensors; i++)
        put_tensor(&p, c, i);
    *buf = p.bytes;
    *n = p.n;
    if (p.failed) {
        free(p.bytes);
        *buf = NULL;
        return laser_error_set(err, LASER_ENOMEM, c->model, "no memory to pack the catalogue");
    }
    return LASER_OK;
}

static void get_files(struct unpacker *u, struct laser_checkpoint *c)
{
    const int64_t n = get_count(u, 48);

    c->files = calloc((size_t)n + 1, sizeof *c->files);
    if (c->files == NULL || n > INT32_MAX)
        u->failed = true;
    for (; !u->failed && c->n_files < n; c->n_files++) {
        struct laser_checkpoint_file *f = &c->files[c->n_files];

        f->name = get_text(u);
        f->path = get_text(u);
        f->size_bytes = get_int(u);
        f->mtime_ns = get_int(u);
        f->data_start = get_int(u);
        f->header_hash = (uint64_t)get_int(u);
        u->failed = u->failed || f->name == NULL || f->path == NULL;
    }
}

static void get_coded(struct unpacker *u, const struct laser_checkpoint *c, int depth,
                      struct laser_coded **out);

/* depth: coded tensors have parts that may be coded themselves, but not without end. */
static void get_tensor(struct unpacker *u, const struct laser_checkpoint *c, int depth,
                       struct laser_tensor *t)
{
    int64_t dtype, n_dims, file;

    t->name = get_text(u);
    dtype = get_int(u);
    n_dims = get_int(u);
    if (t->name == NULL || dtype < 0 || dtype >= LASER_DTYPE_END || n_dims < 0 || n_dims > LASER_MAX_DIMS)
        u->failed = true;
    for (int d = 0; !u->failed && d < n_dims; d++)
        t->shape[d] = get_int(u);
    file = get_int(u);
    t->offset = get_int(u);
    t->size_bytes = get_int(u);
    t->file_bytes = get_int(u);
    if (file < 0 || file >= c->n_files || t->offset < 0 || t->size_bytes < 0 || t->file_bytes < 0)
        u->failed = true;
    if (get_int(u) != 0)
        get_coded(u, c, depth + 1, &t->coded);
    if (u->failed)
        return;
    t->dtype = (enum laser_dtype)dtype;
    t->n_dims = (int)n_dims;
    t->file = (int)file;
}

static void get_coded(struct unpacker *u, const struct laser_checkpoint *c, int depth,
                      struct laser_coded **out)
{
    struct laser_coded *k = calloc(1, sizeof *k);

    *out = k;
    if (u->failed || k == NULL || depth > 4 || u->n - u->at < sizeof *k) {
        u->failed = true;
        return;
    }
    memcpy(k, u->bytes + u->at, sizeof *k);
    u->at += sizeof *k;
    memset(k->parts, 0, sizeof k->parts);
    k->format[sizeof k->format - 1] = '\0';
    u->failed = (unsigned)k->coding >= LASER_CODED_COUNT || k->rows < 1 || k->cols < 1 || k->block_rows < 1 ||
                k->block_cols < 1;
    for (int i = 0; !u->failed && i < LASER_CODED_PARTS; i++) {
        if (get_int(u) == 0)
            continue;
        k->parts[i] = calloc(1, sizeof *k->parts[i]);
        if (k->parts[i] == NULL)
            u->failed = true;
        else
            get_tensor(u, c, depth, k->parts[i]);
    }
}

static void get_tensors(struct unpacker *u, struct laser_checkpoint *c, struct laser_error *err)
{
    const int64_t n = get_count(u, 56);
    struct laser_checkpoint_redirection *redirections;
    bool any = false;

    c->tensors = calloc((size_t)n + 1, sizeof *c->tensors);
    if (c->tensors == NULL || laser_checkpoint_state_init(c, &laser_coded_reader, err) != LASER_OK)
        u->failed = true;
    redirections = u->failed ? NULL : calloc((size_t)n + 1, sizeof *redirections);
    if (redirections == NULL) {
        u->failed = true;
        return;
    }
    c->state->redirections = redirections;
    while (!u->failed && c->n_tensors < n) {
        const int64_t i = c->n_tensors++; /* first, so that what is half there is freed */

        get_tensor(u, c, 0, &c->tensors[i]);
        redirections[i].path = get_text(u);
        redirections[i].offset = get_int(u);
        any = any || redirections[i].path != NULL;
    }
    if (!any) {
        free(redirections);
        c->state->redirections = NULL;
    }
}

int laser_checkpoint_unpack(const void *buf, size_t n, struct laser_checkpoint **out, struct laser_error *err)
{
    struct unpacker u = {.bytes = buf, .n = n};
    struct laser_checkpoint *c = calloc(1, sizeof *c);
    int code = LASER_OK;

    *out = NULL;
    if (c == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the catalogue");
    u.failed = get_int(&u) != MAGIC;
    c->model = get_text(&u);
    c->dir = get_text(&u);
    c->index = get_text(&u);
    c->single_file = get_int(&u) != 0;
    c->anew = get_int(&u) != 0;
    c->total_size_bytes = get_int(&u);
    c->config_text = get_text(&u);
    get_files(&u, c);
    get_tensors(&u, c, err);
    if (u.failed || u.at != n || c->model == NULL || c->dir == NULL)
        code = laser_error_set(err, LASER_EINPUT, c->model, "not a packed catalogue, or a damaged one");
    if (code == LASER_OK && c->config_text != NULL)
        code = laser_checkpoint_parse_config(c, (int64_t)strlen(c->config_text), err);
    if (code == LASER_OK)
        laser_coded_clean_config(c);
    if (code != LASER_OK) {
        laser_checkpoint_close(c);
        return code;
    }
    *out = c;
    return LASER_OK;
}
