/* Weights of low rank as two thin ones. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

/* Tokens at a time: what stands between the two products stays in the cache. */
enum { ROWS = 512 };

struct laser_thin {
    int64_t tensor, first, count; /* outputs of the part that it replaces */
    struct laser_linear in, out;  /* k x in; count x k */
    float *middle;                /* ROWS x k */
    struct laser_scratch scratch;
    struct laser_thin *next;
};

static void free_thin(struct laser_thin *t)
{
    free(t->in.packed);
    free(t->out.packed);
    free(t->middle);
    laser_scratch_free(&t->scratch);
    free(t);
}

void laser_part_drop_thin(struct laser_part *part)
{
    while (part->thin) {
        struct laser_thin *next = part->thin->next;

        free_thin(part->thin);
        part->thin = next;
    }
}

/* Whatever no thin product gives; starts are moved down to where a range may start, so that this comes first.
 */
static void apply_rest(const struct laser_part *part, int64_t n, const float *x, int64_t x_stride, float *y,
                       int64_t y_stride, enum laser_output output, const struct laser_scratch *scratch)
{
    int64_t at = 0;

    for (const struct laser_thin *t = part->thin; at < part->out; t = t->next) {
        int64_t from = at / 32 * 32, to = t ? t->first : part->out;

        if (at < to)
            laser_linear_apply_range(&part->linear, from, to - from, n, x, x_stride, y + from, y_stride,
                                     output, scratch);
        if (!t)
            return;
        at = t->first + t->count;
    }
}

void laser_part_apply_whole(const struct laser_part *part, int64_t n, const float *x, int64_t x_stride,
                            float *y, int64_t y_stride, enum laser_output output,
                            const struct laser_scratch *scratch)
{
    if (!part->thin) {
        laser_linear_apply(&part->linear, n, x, x_stride, y, y_stride, output, scratch);
        return;
    }
    apply_rest(part, n, x, x_stride, y, y_stride, output, scratch);
    for (const struct laser_thin *t = part->thin; t; t = t->next) {
        struct laser_linear out = t->out;

        out.bias = part->linear.bias ? part->linear.bias + t->first : NULL;
        for (int64_t row = 0; row < n; row += ROWS) {
            int64_t rows = n - row < ROWS ? n - row : ROWS;

            laser_linear_apply(&t->in, rows, x + row * x_stride, x_stride, t->middle, out.in, LASER_STORE,
                               &t->scratch);
            laser_linear_apply(&out, rows, t->middle, out.in, y + row * y_stride + t->first, y_stride, output,
                               &t->scratch);
        }
    }
}

/* Outputs of a weight that fit into the room for its transpose; more than these would not be faster. */
static int64_t block_outputs(const struct laser_linear *linear, const struct laser_turning *turning)
{
    int64_t fits = turning->packed_bytes / laser_linear_transposed_size(linear, 32) * 32;

    return fits < LASER_TURNED ? fits : LASER_TURNED;
}

static void clear_thin(const struct laser_thin *t, int64_t first, int64_t count, struct laser_linear *turned)
{
    for (; t; t = t->next) {
        int64_t from = t->first > first ? t->first : first,
                to = t->first + t->count < first + count ? t->first + t->count : first + count;

        if (from < to)
            laser_linear_clear_inputs(turned, from - first, to - from);
    }
}

/* dx (+)= dy W, without the outputs that thin ones replace. */
static void multiply_back(const struct laser_linear *linear, const struct laser_thin *thin, int64_t n,
                          const float *dy, int64_t dy_stride, float *dx, int64_t dx_stride,
                          enum laser_output output, const struct laser_turning *turning)
{
    int64_t step = block_outputs(linear, turning);

    for (int64_t first = 0; first < linear->out; first += step, output = LASER_ADD) {
        int64_t count = linear->out - first < step ? linear->out - first : step;
        struct laser_linear turned;

        laser_linear_transpose(linear, first, count, turning->packed, &turned);
        clear_thin(thin, first, count, &turned);
        laser_linear_apply(&turned, n, dy + first, dy_stride, dx, dx_stride, output, &turning->scratch);
    }
}

void laser_part_apply_whole_backward(const struct laser_part *part, int64_t n, const float *dy,
                                     int64_t dy_stride, float *dx, int64_t dx_stride,
                                     enum laser_output output, const struct laser_turning *turning)
{
    multiply_back(&part->linear, part->thin, n, dy, dy_stride, dx, dx_stride, output, turning);
    for (const struct laser_thin *t = part->thin; t; t = t->next)
        for (int64_t row = 0; row < n; row += ROWS) {
            int64_t rows = n - row < ROWS ? n - row : ROWS;

            multiply_back(&t->out, NULL, rows, dy + row * dy_stride + t->first, dy_stride, t->middle,
                          t->out.in, LASER_STORE, turning);
            multiply_back(&t->in, NULL, rows, t->middle, t->out.in, dx + row * dx_stride, dx_stride,
                          LASER_ADD, turning);
        }
}

static const struct laser_binding *only_binding(const struct laser_model *m, int64_t tensor, int64_t *n)
{
    const struct laser_binding *found = NULL;

    *n = 0;
    for (int64_t i = 0; i < m->binding_count; i++)
        if (m->bindings[i].tensor == tensor) {
            found = &m->bindings[i];
            ++*n;
        }
    return found;
}

bool laser_model_takes_thin(const struct laser_model *model, const char *name)
{
    int64_t tensor = laser_checkpoint_find_index(model->checkpoint, name), n;
    const struct laser_binding *b;

    if (tensor < 0 || model->tensor_layer[tensor] < 0 || model->tensor_layer[tensor] >= model->arch.layers ||
        model->checkpoint->tensors[tensor].n_dims != 2)
        return false;
    b = only_binding(model, tensor, &n);
    return n == 0 || (n == 1 && b->part->in > 0);
}

static int make_linear(const struct laser_part *part, struct laser_linear *linear, int64_t out, int64_t in,
                       const char *name, struct laser_error *err)
{
    int64_t bytes = laser_linear_size(part->precision, LASER_STORED_F32, out, in);
    void *packed = bytes < 0 ? NULL : aligned_alloc(64, (size_t)bytes);

    if (!packed)
        return laser_error_set(err, LASER_ENOMEM, name, "no memory for a factor %" PRId64 " x %" PRId64, out,
                               in);
    return laser_linear_init(linear, part->precision, LASER_STORED_F32, out, in, packed, NULL, err);
}

/* This shard's slices.  The stored matrix is a b; where it is the transpose of the layer's weight, that is
 * b^T a^T. */
static void pack(const struct laser_binding *b, struct laser_thin *t, const float *left, const float *right)
{
    int64_t k = t->in.out, major = b->origin / b->stride, minor = b->origin % b->stride;

    if (b->transposed) {
        laser_linear_pack_columns(&t->in, 0, k, left + major * k, k);
        laser_linear_pack_columns(&t->out, 0, b->count, right + minor, b->stride);
    } else {
        laser_linear_pack_rows(&t->in, 0, k, right + minor, b->stride);
        laser_linear_pack_rows(&t->out, 0, b->count, left + major * k, k);
    }
}

static int make_thin(const struct laser_binding *b, int64_t k, const float *left, const float *right,
                     const char *name, struct laser_thin **out, struct laser_error *err)
{
    struct laser_thin *t = calloc(1, sizeof *t);
    int64_t in_scratch, out_scratch;
    int result;

    if (!t)
        return laser_error_set(err, LASER_ENOMEM, name, "no memory for its factors");
    t->tensor = b->tensor;
    t->first = b->first;
    t->count = b->count;
    result = make_linear(b->part, &t->in, k, b->part->in, name, err);
    if (result == LASER_OK)
        result = make_linear(b->part, &t->out, b->count, k, name, err);
    if (result == LASER_OK && !(t->middle = malloc((size_t)(ROWS * k) * sizeof *t->middle)))
        result = laser_error_set(err, LASER_ENOMEM, name, "no memory for its factors");
    if (result == LASER_OK) {
        in_scratch = laser_linear_scratch_size(&t->in, ROWS);
        out_scratch = laser_linear_scratch_size(&t->out, ROWS);
        result = laser_scratch_reserve(&t->scratch, in_scratch > out_scratch ? in_scratch : out_scratch, err);
    }
    if (result != LASER_OK) {
        free_thin(t);
        return result;
    }
    pack(b, t, left, right);
    *out = t;
    return LASER_OK;
}

int laser_model_thin(struct laser_model *model, const char *name, int64_t k, const float *left,
                     const float *right, struct laser_error *err)
{
    int64_t tensor = laser_checkpoint_find_index(model->checkpoint, name), n;
    const struct laser_binding *b;
    struct laser_thin *made = NULL, **at;
    int result = LASER_OK;

    if (!laser_model_takes_thin(model, name) || (left && k < 1))
        return laser_error_set(err, LASER_EINPUT, name, "not a weight that can be taken as two factors");
    if (left &&
        (k > model->checkpoint->tensors[tensor].shape[0] || k > model->checkpoint->tensors[tensor].shape[1]))
        return laser_error_set(
            err, LASER_EINPUT, name,
            "factors of rank %" PRId64 ", more than a matrix %" PRId64 " x %" PRId64 " can have", k,
            model->checkpoint->tensors[tensor].shape[0], model->checkpoint->tensors[tensor].shape[1]);
    b = only_binding(model, tensor, &n);
    if (!b)
        return LASER_OK;
    if (left)
        result = make_thin(b, k, left, right, name, &made, err);
    if (result != LASER_OK)
        return result;
    for (at = &b->part->thin; *at && (*at)->first < b->first; at = &(*at)->next)
        ;
    if (*at && (*at)->tensor == tensor) {
        struct laser_thin *old = *at;

        *at = old->next;
        free_thin(old);
    }
    if (made) {
        made->next = *at;
        *at = made;
    }
    return LASER_OK;
}
