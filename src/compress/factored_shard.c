/* The bytes of one shard: factors in place of weights, or the product of factors. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/writer_files.h"
#include "compress/factored_parts.h"
#include "linalg/lapack.h"

#define PIECE_BYTES (INT64_C(4) << 20)

/* One tensor of the shard as it will be. */
struct entry {
    const struct laser_tensor *from;
    const struct laser_factor_pair *pair;
    const struct laser_matrix *part; /* dense part of a tensor of which others are factored */
    char which;                      /* of a pair: 'a' or 'b'; 0: as it is */
    char name[2100];
    enum laser_dtype dtype;
    int n_dims;
    int64_t shape[LASER_MAX_DIMS];
    int64_t elements, order;
};

static void add_entry(struct entry *list, int64_t *n, const struct laser_tensor *t, enum laser_dtype dtype,
                      int n_dims, const int64_t *shape)
{
    struct entry *e = &list[*n];

    e->from = t;
    e->dtype = dtype;
    e->n_dims = n_dims;
    e->elements = 1;
    e->order = (*n)++;
    for (int d = 0; d < n_dims; ++d) {
        e->shape[d] = shape[d];
        e->elements *= shape[d];
    }
}

static void add_pair(const struct laser_factored *w, struct entry *list, int64_t *n,
                     const struct laser_tensor *t, const struct laser_factor_pair *pair)
{
    const struct laser_matrix m = laser_factored_matrix(pair, t);
    int64_t rows = laser_factored_rows(&m), columns = laser_factored_columns(&m), k = pair->rank;
    enum laser_dtype dtype = w->dtype == LASER_DTYPE_COUNT ? t->dtype : w->dtype;
    char module[2048] = "";

    laser_factored_part_module(t, &m, module, sizeof module);
    for (int which = 'a'; which <= 'b'; ++which) {
        struct entry *e = &list[*n];
        add_entry(list, n, t, dtype, 2,
                  which == 'a' ? (const int64_t[]){rows, k} : (const int64_t[]){k, columns});
        e->pair = pair;
        e->which = (char)which;
        snprintf(e->name, sizeof e->name, "%s.%cLinear.weight", module, which - 'a' + 'A');
    }
}

static void add_parts(const struct laser_factored *w, struct entry *list, int64_t *n,
                      const struct laser_tensor *t, const struct laser_factored_parts *parts)
{
    char module[2048];

    for (int64_t i = 0; i < parts->list.n_matrices; ++i) {
        const struct laser_matrix *m = &parts->list.matrices[i];
        struct entry *e = &list[*n];

        if (parts->pair_of[i] >= 0) {
            add_pair(w, list, n, t, &w->pairs[parts->pair_of[i]]);
            continue;
        }
        add_entry(list, n, t, t->dtype, 2,
                  (const int64_t[]){laser_factored_rows(m), laser_factored_columns(m)});
        e->part = m;
        laser_factored_part_module(t, m, module, sizeof module);
        snprintf(e->name, sizeof e->name, "%s.weight", module);
    }
}

/* Elements of larger types first, so that all stay aligned; otherwise as they were. */
static int by_place(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    size_t p = laser_dtype_size(x->dtype), q = laser_dtype_size(y->dtype);

    if (p != q)
        return p > q ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int by_offset(const void *a, const void *b)
{
    const struct laser_tensor *x = *(const struct laser_tensor *const *)a,
                              *y = *(const struct laser_tensor *const *)b;

    return x->offset != y->offset ? (x->offset < y->offset ? -1 : 1) : strcmp(x->name, y->name);
}

static struct entry *list_entries(const struct laser_factored *w, int shard, int64_t *n)
{
    const struct laser_checkpoint *c = w->writer->c;
    const struct laser_tensor **order = malloc(((size_t)c->n_tensors + 1) * sizeof *order);
    int64_t count = 0, parts = 0;
    struct entry *list;

    *n = 0;
    for (int64_t t = 0; order != NULL && t < c->n_tensors; ++t)
        if (c->tensors[t].file == shard) {
            order[count++] = &c->tensors[t];
            parts += w->parts_of[t] != NULL ? w->parts_of[t]->list.n_matrices : 1;
        }
    list = calloc(2 * (size_t)parts + 1, sizeof *list);
    if (order == NULL || list == NULL) {
        free(order);
        free(list);
        return NULL;
    }
    qsort(order, (size_t)count, sizeof *order, by_offset);
    for (int64_t i = 0; i < count; ++i) {
        const struct laser_tensor *t = order[i];
        const struct laser_factor_pair *pair = laser_factored_pair(w, t);
        if (pair != NULL) {
            add_pair(w, list, n, t, pair);
            continue;
        }
        if (w->parts_of[t - c->tensors] != NULL) {
            add_parts(w, list, n, t, w->parts_of[t - c->tensors]);
            continue;
        }
        add_entry(list, n, t, t->dtype, t->n_dims, t->shape);
        snprintf(list[*n - 1].name, sizeof list->name, "%s", t->name);
        if (w->bias_of[t - c->tensors] >= 0) /* "x.bias" belongs to the second factor */
            snprintf(list[*n - 1].name, sizeof list->name, "%.*s.ALinear.bias",
                     (int)(strlen(t->name) - strlen(".bias")), t->name);
    }
    free(order);
    qsort(list, (size_t)*n, sizeof *list, by_place);
    return list;
}

static json_t *describe(const struct entry *e, int64_t *at)
{
    json_t *dims = json_array();
    int64_t size = e->elements * (int64_t)laser_dtype_size(e->dtype), from = *at;

    for (int d = 0; d < e->n_dims; ++d)
        json_array_append_new(dims, json_integer(e->shape[d]));
    *at += size;
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", laser_dtype_name(e->dtype), "shape", dims,
                     "data_offsets", (json_int_t)from, (json_int_t)*at);
}

static int make_header(const struct laser_factored *w, const struct entry *list, int64_t n, const char *file,
                       json_t *weight_map, char **text, int64_t *header_bytes, int64_t *data_bytes,
                       struct laser_error *err)
{
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    int bad = header == NULL;

    (void)w;
    *data_bytes = 0;
    for (int64_t i = 0; i < n; ++i) {
        bad |= json_object_set_new(header, list[i].name, describe(&list[i], data_bytes));
        if (weight_map != NULL)
            bad |= json_object_set_new(weight_map, list[i].name, json_string(file));
    }
    bad |= !bad && laser_safetensors_header_text(header, text, header_bytes) != LASER_OK;
    json_decref(header);
    return bad ? laser_error_set(err, LASER_ENOMEM, file, "no memory for its header") : LASER_OK;
}

int laser_factored_header(const struct laser_factored *w, int shard, json_t *weight_map, int64_t *parameters,
                          char **text, int64_t *header_bytes, int64_t *data_bytes, struct laser_error *err)
{
    const char *file = w->writer->c->files[shard].name;
    int64_t n;
    struct entry *list = list_entries(w, shard, &n);
    int code;

    if (list == NULL)
        return laser_error_set(err, LASER_ENOMEM, file, "no memory for its header");
    code = make_header(w, list, n, file, weight_map, text, header_bytes, data_bytes, err);
    for (int64_t i = 0; parameters != NULL && i < n; ++i)
        *parameters += list[i].elements;
    free(list);
    return code;
}

/* An open file of factors. */
struct factor_file {
    const char *path;
    int fd;
    struct laser_safetensors_header header;
    const struct laser_tensor *a, *b;
};

static void close_factors(struct factor_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    laser_safetensors_header_free(&f->header);
}

static bool is_factor(const struct laser_tensor *t, const char *name, int64_t rows, int64_t columns)
{
    return strcmp(t->name, name) == 0 && t->n_dims == 2 && t->shape[0] == rows && t->shape[1] == columns &&
           laser_dtype_is_float(t->dtype);
}

static int open_factors(const struct laser_factor_pair *pair, const struct laser_tensor *t,
                        struct factor_file *f, struct laser_error *err)
{
    const struct laser_matrix m = laser_factored_matrix(pair, t);
    int64_t rows = laser_factored_rows(&m), columns = laser_factored_columns(&m);
    int code;

    *f = (struct factor_file){.path = pair->path, .fd = -1};
    code = laser_safetensors_read_header(pair->path, &f->header, NULL, NULL, err);
    if (code != LASER_OK)
        return code;
    for (int64_t i = 0; i < f->header.n_tensors; ++i) {
        if (is_factor(&f->header.tensors[i], "a", rows, pair->rank))
            f->a = &f->header.tensors[i];
        if (is_factor(&f->header.tensors[i], "b", pair->rank, columns))
            f->b = &f->header.tensors[i];
    }
    if (f->a == NULL || f->b == NULL)
        code = laser_error_set(err, LASER_EINPUT, pair->path,
                               "does not hold the factors a [%" PRId64 ", %" PRId64 "] and b [%" PRId64
                               ", %" PRId64 "] of %s",
                               rows, pair->rank, pair->rank, columns, t->name);
    else if ((f->fd = open(pair->path, O_RDONLY | O_CLOEXEC)) < 0)
        code = laser_error_set(err, LASER_EIO, pair->path, "cannot open: %s", strerror(errno));
    if (code != LASER_OK)
        close_factors(f);
    return code;
}

/* Elements first ... first + n - 1 of a factor, widened. */
static int read_factor(const struct factor_file *f, const struct laser_tensor *t, int64_t first, int64_t n,
                       void *raw, double *x, struct laser_error *err)
{
    int64_t size = (int64_t)laser_dtype_size(t->dtype);
    int code = laser_io_read_at(f->fd, f->path, t->offset + first * size, n * size, raw, err);

    if (code == LASER_OK)
        laser_dtype_to_f64(t->dtype, raw, n, x);
    return code;
}

static int put_factor(const struct entry *e, unsigned char *piece, struct laser_output *out,
                      struct laser_error *err)
{
    int64_t step = PIECE_BYTES / 3 / 8 / 8 * 8, size = (int64_t)laser_dtype_size(e->dtype);
    double *x = (double *)(void *)piece;
    unsigned char *raw = piece + step * 8, *rounded = raw + step * 8;
    struct factor_file f;
    int code = open_factors(e->pair, e->from, &f, err);

    if (code != LASER_OK)
        return code;
    for (int64_t at = 0; code == LASER_OK && at < e->elements; at += step) {
        int64_t n = e->elements - at < step ? e->elements - at : step;
        code = read_factor(&f, e->which == 'a' ? f.a : f.b, at, n, raw, x, err);
        if (code == LASER_OK && !laser_dtype_from_f64(e->dtype, x, n, rounded))
            code = laser_error_set(err, LASER_EINTERNAL, e->name, "factors of type %s",
                                   laser_dtype_name(e->dtype));
        if (code == LASER_OK)
            code = laser_output_write(out, rounded, n * size, err);
    }
    close_factors(&f);
    return code;
}

static int put_copy(const struct laser_factored *w, const struct laser_tensor *t, unsigned char *piece,
                    struct laser_output *out, struct laser_error *err)
{
    int code = LASER_OK;

    for (int64_t at = 0; code == LASER_OK && at < t->size_bytes; at += PIECE_BYTES) {
        int64_t n = t->size_bytes - at < PIECE_BYTES ? t->size_bytes - at : PIECE_BYTES;
        code = laser_checkpoint_read(w->writer->c, t, at, n, piece, err);
        if (code == LASER_OK)
            code = laser_output_write(out, piece, n, err);
    }
    return code;
}

/* Outputs first ... first + n - 1 of a part as the layer sees it; room: as many elements. */
static int read_outputs(const struct laser_checkpoint *c, const struct laser_matrix *m, int64_t first,
                        int64_t n, double *room, double *x, struct laser_error *err)
{
    int code;

    if (!m->transposed)
        return laser_matrix_read(c, m, first, n, 0, m->cols, x, m->cols, err);
    code = laser_matrix_read(c, m, 0, m->rows, first, n, room, n, err);
    for (int64_t i = 0; code == LASER_OK && i < m->rows; ++i)
        for (int64_t j = 0; j < n; ++j)
            x[j * m->rows + i] = room[i * n + j];
    return code;
}

static int put_part(const struct laser_checkpoint *c, const struct entry *e, struct laser_output *out,
                    struct laser_error *err)
{
    int64_t width = e->shape[1], step = PIECE_BYTES / 8 / width > 0 ? PIECE_BYTES / 8 / width : 1;
    double *x = malloc((size_t)(2 * step * width) * sizeof *x);
    void *bytes = malloc((size_t)(step * width) * laser_dtype_size(e->dtype));
    int code =
        x == NULL || bytes == NULL ? laser_error_set(err, LASER_ENOMEM, e->name, "no memory") : LASER_OK;

    for (int64_t row = 0; code == LASER_OK && row < e->shape[0]; row += step) {
        int64_t n = e->shape[0] - row < step ? e->shape[0] - row : step;

        code = read_outputs(c, e->part, row, n, x + step * width, x, err);
        if (code != LASER_OK)
            break;
        laser_dtype_from_f64(e->dtype, x, n * width, bytes);
        code = laser_output_write(out, bytes, n * width * (int64_t)laser_dtype_size(e->dtype), err);
    }
    free(x);
    free(bytes);
    return code;
}

int laser_factored_put_shard(const struct laser_factored *w, const struct laser_writer_file *f,
                             struct laser_output *out, struct laser_error *err)
{
    unsigned char *piece = aligned_alloc(64, PIECE_BYTES);
    int64_t n, header_bytes, data_bytes;
    struct entry *list = list_entries(w, f->shard, &n);
    char *text = NULL;
    int code = piece == NULL || list == NULL
                   ? laser_error_set(err, LASER_ENOMEM, f->name, "no memory")
                   : make_header(w, list, n, f->name, NULL, &text, &header_bytes, &data_bytes, err);

    if (code == LASER_OK)
        code = laser_output_write(out, text, header_bytes, err);
    for (int64_t i = 0; code == LASER_OK && i < n; ++i)
        code = list[i].which != 0     ? put_factor(&list[i], piece, out, err)
               : list[i].part != NULL ? put_part(w->writer->c, &list[i], out, err)
                                      : put_copy(w, list[i].from, piece, out, err);
    free(text);
    free(list);
    free(piece);
    return code;
}

/* Rows first ... first + count - 1 of the stored matrix: A B, or (A B)^T.  a [rows, k], b [k, columns]. */
static void multiply(const struct laser_matrix *m, int64_t rank, int64_t first, int64_t count,
                     const double *a, const double *b, double *c)
{
    const double one = 1, zero = 0;
    int k = (int)rank, rows = (int)count, width = (int)m->cols, n = (int)laser_factored_columns(m);

    if (m->transposed) /* c [count, rows] = b[:, first ..]^T a^T */
        dgemm_("T", "T", &width, &rows, &k, &one, a, &k, b + first, &n, &zero, c, &width);
    else
        dgemm_("N", "N", &width, &rows, &k, &one, b, &n, a + first * rank, &k, &zero, c, &width);
}

/* Rows first ... first + n - 1 of the stored matrix to where they stand in the tensor, which begins at `position`. */
static int put_rows(const struct laser_matrix *m, int64_t first, int64_t n, const unsigned char *bytes,
                    int64_t position, struct laser_output *out, struct laser_error *err)
{
    int64_t size = (int64_t)laser_dtype_size(m->dtype);
    bool together = m->cols == m->ld && m->block_rows == m->rows;
    int code = LASER_OK;

    for (int64_t i = 0, step = together ? n : 1; code == LASER_OK && i < n; i += step) {
        int64_t row = (first + i) / m->block_rows * m->block_stride + (first + i) % m->block_rows;

        code = laser_output_write_at(out, position + (m->first + row * m->ld + m->col0) * size,
                                     bytes + i * m->cols * size, step * m->cols * size, err);
    }
    return code;
}

/* The product of a pair over the bytes of its weight; the tensor stands at `position`. */
static int put_product(const struct laser_factor_pair *pair, const struct laser_tensor *t, int64_t position,
                       struct laser_output *out, struct laser_error *err)
{
    const struct laser_matrix m = laser_factored_matrix(pair, t);
    int64_t rows = laser_factored_rows(&m), columns = laser_factored_columns(&m), k = pair->rank;
    int64_t width = m.cols, size = (int64_t)laser_dtype_size(t->dtype),
            step = PIECE_BYTES / 8 / width > 0 ? PIECE_BYTES / 8 / width : 1;
    double *a = malloc((size_t)(rows * k) * sizeof *a), *b = malloc((size_t)(columns * k) * sizeof *b),
           *c = malloc((size_t)(step * width) * sizeof *c);
    void *raw = malloc((size_t)((rows > columns ? rows : columns) * k) * sizeof *a),
         *rounded = malloc((size_t)(step * width * size));
    struct factor_file f = {.fd = -1};
    int code = a == NULL || b == NULL || c == NULL || raw == NULL || rounded == NULL
                   ? laser_error_set(err, LASER_ENOMEM, t->name, "no memory for its factors")
                   : LASER_OK;

    if (code == LASER_OK && (rows > INT_MAX || columns > INT_MAX))
        code = laser_error_set(err, LASER_EINTERNAL, t->name, "a side beyond LAPACK's int");
    if (code == LASER_OK && (code = open_factors(pair, t, &f, err)) == LASER_OK) {
        code = read_factor(&f, f.a, 0, rows * k, raw, a, err);
        if (code == LASER_OK)
            code = read_factor(&f, f.b, 0, columns * k, raw, b, err);
        for (int64_t row = 0; code == LASER_OK && row < m.rows; row += step) {
            int64_t count = m.rows - row < step ? m.rows - row : step;
            multiply(&m, k, row, count, a, b, c);
            laser_dtype_from_f64(t->dtype, c, count * width, rounded);
            code = put_rows(&m, row, count, rounded, position, out, err);
        }
        close_factors(&f);
    }
    free(a);
    free(b);
    free(c);
    free(raw);
    free(rounded);
    return code;
}

static int put_products(const struct laser_factored *w, int64_t tensor, int64_t position,
                        struct laser_output *out, struct laser_error *err)
{
    const struct laser_tensor *t = &w->writer->c->tensors[tensor];
    const struct laser_factored_parts *parts = w->parts_of[tensor];
    const struct laser_factor_pair *pair = laser_factored_pair(w, t);
    int code = pair != NULL ? put_product(pair, t, position, out, err) : LASER_OK;

    for (int64_t i = 0; parts != NULL && code == LASER_OK && i < parts->list.n_matrices; ++i)
        if (parts->pair_of[i] >= 0)
            code = put_product(&w->pairs[parts->pair_of[i]], t, position, out, err);
    return code;
}

int laser_factored_put_dense_shard(const struct laser_factored *w, const struct laser_writer_file *f,
                                   struct laser_output *out, struct laser_error *err)
{
    const struct laser_checkpoint *c = w->writer->c;
    char *header = NULL;
    int64_t length = 0;
    int code = laser_writer_make_header(c, f->shard, &header, &length, err);

    free(header);
    if (code == LASER_OK)
        code = laser_writer_put_shard(w->writer, f, out, err);
    for (int64_t i = 0; code == LASER_OK && i < c->n_tensors; ++i) {
        const struct laser_tensor *t = &c->tensors[i];
        if (t->file == f->shard)
            code = put_products(w, i, length + t->offset - c->files[f->shard].data_start, out, err);
    }
    return code;
}
