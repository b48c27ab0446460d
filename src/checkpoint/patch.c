/* Parts of tensors that are read from other files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/io.h"
#include "checkpoint/matrix.h"
#include "checkpoint/state.h"

bool laser_matrix_is_whole(const struct laser_checkpoint *c, const struct laser_matrix *m)
{
    const struct laser_tensor *t = &c->tensors[m->tensor];

    return t->n_dims == 2 && m->rows == t->shape[0] && m->cols == t->shape[1];
}

struct laser_matrix laser_matrix_alone(const struct laser_matrix *matrix)
{
    struct laser_matrix m = *matrix;

    m.first = m.col0 = 0;
    m.block_rows = m.block_stride = m.rows;
    m.ld = m.cols;
    m.col_step = 1;
    return m;
}

const struct laser_checkpoint_patch *laser_checkpoint_patches(const struct laser_checkpoint *c,
                                                              const struct laser_tensor *tensor)
{
    return c->state->patches != NULL ? c->state->patches[tensor - c->tensors] : NULL;
}

static void free_patch(struct laser_checkpoint_patch *p)
{
    free(p->path);
    free(p);
}

void laser_checkpoint_patches_free(struct laser_checkpoint *c)
{
    for (int64_t i = 0; c->state->patches != NULL && i < c->n_tensors; i++)
        for (struct laser_checkpoint_patch *p = c->state->patches[i], *next; p != NULL; p = next) {
            next = p->next;
            free_patch(p);
        }
    free(c->state->patches);
}

/* Position in the tensor, in elements, of element (i, j) of the window. */
static int64_t position(const struct laser_matrix *m, int64_t i, int64_t j)
{
    return m->first + (i / m->block_rows * m->block_stride + i % m->block_rows) * m->ld + m->col0 +
           j * m->col_step;
}

/* First row that ends behind an element: rows stand one after another. */
static int64_t first_row_behind(const struct laser_matrix *m, int64_t element)
{
    int64_t low = 0, high = m->rows;

    while (low < high) {
        const int64_t middle = low + (high - low) / 2;

        if (position(m, middle, m->cols - 1) < element)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Elements of the tensor that are asked for, and where they go. */
struct request {
    int64_t begin, end; /* elements */
    int64_t size;       /* bytes of one */
    char *dst;
    int fd;
};

/* n elements from (i, j) on, which stand side by side in the tensor. */
static int read_run(const struct laser_checkpoint_patch *p, const struct request *r, int64_t i, int64_t j,
                    int64_t n, struct laser_error *err)
{
    const struct laser_matrix *m = &p->window;
    const int64_t at = position(m, i, j), from = at < r->begin ? r->begin : at,
                  end = at + n < r->end ? at + n : r->end;

    if (from >= end)
        return LASER_OK;
    return laser_io_read_at(r->fd, p->path, p->offset + (i * m->cols + j + from - at) * r->size,
                            (end - from) * r->size, r->dst + (from - r->begin) * r->size, err);
}

/* One row whose elements stand apart. */
static int read_apart(const struct laser_checkpoint_patch *p, const struct request *r, int64_t i, char *row,
                      struct laser_error *err)
{
    const struct laser_matrix *m = &p->window;
    const int code =
        laser_io_read_at(r->fd, p->path, p->offset + i * m->cols * r->size, m->cols * r->size, row, err);

    for (int64_t j = 0; code == LASER_OK && j < m->cols; j++) {
        const int64_t at = position(m, i, j);

        if (at >= r->begin && at < r->end)
            memcpy(r->dst + (at - r->begin) * r->size, row + j * r->size, (size_t)r->size);
    }
    return code;
}

static int read_patch(const struct laser_checkpoint_patch *p, const struct request *r,
                      struct laser_error *err)
{
    const struct laser_matrix *m = &p->window;
    const bool whole_rows = m->col_step == 1 && m->col0 == 0 && m->cols == m->ld;
    char *row = m->col_step > 1 ? malloc((size_t)(m->cols * r->size)) : NULL;
    int code = LASER_OK;

    if (m->col_step > 1 && row == NULL)
        return laser_error_set(err, LASER_ENOMEM, p->path, "no memory for a row of it");
    for (int64_t i = first_row_behind(m, r->begin);
         code == LASER_OK && i < m->rows && position(m, i, 0) < r->end;) {
        int64_t n = whole_rows ? m->block_rows - i % m->block_rows : 1;

        n = n < m->rows - i ? n : m->rows - i;
        code = m->col_step > 1 ? read_apart(p, r, i, row, err) : read_run(p, r, i, 0, n * m->cols, err);
        i += n;
    }
    free(row);
    return code;
}

int laser_checkpoint_patch_bytes(const struct laser_checkpoint_patch *patches, int64_t byte_offset,
                                 int64_t n_bytes, char *dst, struct laser_error *err)
{
    int code = LASER_OK;

    for (const struct laser_checkpoint_patch *p = patches; code == LASER_OK && p != NULL; p = p->next) {
        struct request r = {.size = (int64_t)laser_dtype_size(p->window.dtype), .dst = dst};

        if (byte_offset % r.size != 0 || n_bytes % r.size != 0)
            return laser_error_set(err, LASER_EINTERNAL, p->path, "bytes %lld + %lld: not whole elements",
                                   (long long)byte_offset, (long long)n_bytes);
        r.begin = byte_offset / r.size;
        r.end = r.begin + n_bytes / r.size;
        if (position(&p->window, 0, 0) >= r.end ||
            position(&p->window, p->window.rows - 1, p->window.cols - 1) < r.begin)
            continue;
        r.fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (r.fd < 0)
            return laser_error_set(err, LASER_EIO, p->path, "cannot open: %s", strerror(errno));
        code = read_patch(p, &r, err);
        close(r.fd);
    }
    return code;
}

static bool same_window(const struct laser_matrix *a, const struct laser_matrix *b)
{
    return a->rows == b->rows && a->cols == b->cols && a->first == b->first &&
           a->block_rows == b->block_rows && a->block_stride == b->block_stride && a->col0 == b->col0 &&
           a->col_step == b->col_step;
}

static int make_patch(const struct laser_matrix *m, const char *path, struct laser_checkpoint_patch **out,
                      struct laser_error *err)
{
    const struct laser_tensor wanted = {.name = m->name,
                                        .dtype = m->dtype,
                                        .n_dims = 2,
                                        .shape = {m->rows, m->cols},
                                        .size_bytes =
                                            m->rows * m->cols * (int64_t)laser_dtype_size(m->dtype)};
    struct laser_checkpoint_patch *p = calloc(1, sizeof *p);
    int code;

    if (p == NULL || (p->path = strdup(path)) == NULL) {
        free(p);
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for a redirection");
    }
    p->window = *m;
    p->window.name = p->window.type = NULL;
    code = laser_checkpoint_find_overlay(&wanted, path, &p->offset, err);
    if (code != LASER_OK) {
        free_patch(p);
        return code;
    }
    *out = p;
    return LASER_OK;
}

int laser_matrix_redirect(struct laser_checkpoint *c, const struct laser_matrix *m, const char *path,
                          struct laser_error *err)
{
    struct laser_checkpoint_patch *made = NULL, **at;

    if (laser_matrix_is_whole(c, m))
        return laser_checkpoint_redirect(c, c->tensors[m->tensor].name, path, -1, err);
    if (c->state->patches == NULL)
        c->state->patches = calloc((size_t)c->n_tensors, sizeof *c->state->patches);
    if (c->state->patches == NULL)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for a redirection");
    if (path != NULL && make_patch(m, path, &made, err) != LASER_OK)
        return err->code;
    at = &c->state->patches[m->tensor];
    while (*at != NULL && !same_window(&(*at)->window, m))
        at = &(*at)->next;
    if (*at != NULL) {
        struct laser_checkpoint_patch *old = *at;

        *at = old->next;
        free_patch(old);
    }
    if (made != NULL) {
        made->next = c->state->patches[m->tensor];
        c->state->patches[m->tensor] = made;
    }
    return LASER_OK;
}
