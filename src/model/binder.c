#include "model/binder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void laser_bind_fail(struct laser_binder *b, int code, const char *where, const char *fmt, ...)
{
    char text[512];
    va_list args;

    if (b->result == LASER_OK) {
        va_start(args, fmt);
        vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        b->result = laser_error_set(b->err, code, where, "%s", text);
    }
}

static bool storage_of(enum laser_dtype dtype, enum laser_storage *storage)
{
    switch (dtype) {
    case LASER_F64:
        *storage = LASER_STORED_F64;
        return true;
    case LASER_F32:
        *storage = LASER_STORED_F32;
        return true;
    case LASER_F16:
        *storage = LASER_STORED_F16;
        return true;
    case LASER_BF16:
        *storage = LASER_STORED_BF16;
        return true;
    case LASER_F8_E4M3:
        *storage = LASER_STORED_F8_E4M3;
        return true;
    case LASER_F8_E5M2:
        *storage = LASER_STORED_F8_E5M2;
        return true;
    default:
        return false;
    }
}

static void print_shape(const struct laser_tensor *tensor, char *text, size_t size)
{
    int n = snprintf(text, size, "[");

    for (int i = 0; i < tensor->n_dims; i++)
        n += snprintf(text + n, size - (size_t)n, "%s%lld", i ? ", " : "", (long long)tensor->shape[i]);
    snprintf(text + n, size - (size_t)n, "]");
}

static void print_expected(int64_t stack, int64_t rows, int64_t cols, char *text, size_t size)
{
    if (cols == 0)
        snprintf(text, size, "[%lld]", (long long)rows);
    else if (stack == 0)
        snprintf(text, size, "[%lld, %lld]", (long long)rows, (long long)cols);
    else
        snprintf(text, size, "[%lld, %lld, %lld]", (long long)stack, (long long)rows, (long long)cols);
}

static bool has_shape(const struct laser_tensor *t, int64_t stack, int64_t rows, int64_t cols)
{
    const int64_t *shape = t->shape;

    if (cols == 0)
        return t->n_dims == 1 && shape[0] == rows;
    if (stack == 0)
        return t->n_dims == 2 && shape[0] == rows && shape[1] == cols;
    return t->n_dims == 3 && shape[0] == stack && shape[1] == rows && shape[2] == cols;
}

int64_t laser_bind_find(struct laser_binder *b, const char *name, int64_t stack, int64_t rows, int64_t cols,
                        enum laser_storage *storage)
{
    int64_t index = b->sketch ? 0 : laser_checkpoint_find_index(b->model->checkpoint, name);
    const struct laser_tensor *tensor;
    char shape[256], expected[128];

    if (b->result != LASER_OK)
        return -1;
    if (b->sketch) {
        *storage = b->sketch->stored;
        if (b->sketch->note)
            b->sketch->note(b->sketch->context, name, stack, rows, cols);
        return 0;
    }
    if (index < 0) {
        laser_bind_fail(b, LASER_EINPUT, name,
                        "the checkpoint lacks this weight, which config.json asks for");
        return -1;
    }
    tensor = &b->model->checkpoint->tensors[index];
    if (!has_shape(tensor, stack, rows, cols)) {
        print_shape(tensor, shape, sizeof shape);
        print_expected(stack, rows, cols, expected, sizeof expected);
        laser_bind_fail(b, LASER_EINPUT, name, "shape %s, but config.json says %s", shape, expected);
        return -1;
    }
    if (!storage_of(tensor->dtype, storage)) {
        laser_bind_fail(b, LASER_EINPUT, name,
                        "type %s is not a floating type: quantized weights are not supported",
                        laser_dtype_name(tensor->dtype));
        return -1;
    }
    if (b->model->tensor_layer[index] == -2)
        b->model->tensor_layer[index] = b->layer;
    return index;
}

void laser_bind_add(struct laser_binder *b, struct laser_binding binding)
{
    struct laser_model *model = b->model;

    if (binding.count == 0 || b->result != LASER_OK || b->sketch)
        return;
    if (model->binding_count == model->binding_room) {
        int64_t room = model->binding_room ? 2 * model->binding_room : 256;
        struct laser_binding *grown = realloc(model->bindings, (size_t)room * sizeof *grown);

        if (!grown) {
            laser_bind_fail(b, LASER_ENOMEM, NULL, "no memory for the list of weights");
            return;
        }
        model->bindings = grown;
        model->binding_room = room;
    }
    model->bindings[model->binding_count++] = binding;
}

/* The next rows of a part that is being put together. */
static void note_storage(struct laser_part *part, bool is_first, enum laser_storage storage)
{
    if (is_first)
        part->stored = storage;
    else if (part->stored != storage)
        part->stored = LASER_STORED_F32; /* pieces of different types meet in float32 */
}

/* index: of the weight in a stack. */
static void bind_piece(struct laser_binder *b, struct laser_part *part, int64_t first, const char *name,
                       int64_t index, const struct laser_piece *p)
{
    const struct laser_arch *a = &b->model->arch;
    bool transposed = (a->transposed || (p->stack && a->stacks_in_out)) && p->rows > 0;
    enum laser_storage storage = LASER_STORED_F32;
    int64_t rows = transposed ? p->cols : p->rows, cols = transposed ? p->rows : p->cols;
    int64_t tensor = laser_bind_find(b, name, p->stack, rows, cols, &storage);

    if (tensor < 0 || p->row_count == 0 || p->col_count == 0)
        return;
    note_storage(part, first == 0, storage);
    part->in = p->col_count;
    if (part->out < first + p->row_count)
        part->out = first + p->row_count;
    laser_bind_add(
        b, (struct laser_binding){.part = part,
                                  .tensor = tensor,
                                  .first = first,
                                  .count = p->row_count,
                                  .origin = (p->stack ? index * rows * cols : 0) +
                                            (transposed ? p->col * cols + p->row : p->row * cols + p->col),
                                  .stride = cols,
                                  .transposed = transposed});
}

void laser_bind_values(struct laser_binder *b, struct laser_part *part, int64_t first, const char *name,
                       int64_t size, int64_t from, int64_t count)
{
    enum laser_storage storage;
    int64_t tensor = laser_bind_find(b, name, 0, size, 0, &storage);

    if (tensor < 0 || count == 0)
        return;
    part->in = 0;
    if (part->out < first + count)
        part->out = first + count;
    laser_bind_add(
        b, (struct laser_binding){
               .part = part, .tensor = tensor, .first = first, .count = count, .origin = from, .stride = 1});
}

static int64_t elements_of(const struct laser_tensor *tensor)
{
    int64_t n = 1;

    for (int i = 0; i < tensor->n_dims; i++)
        n *= tensor->shape[i];
    return n;
}

void laser_bind_flat(struct laser_binder *b, struct laser_part *part, int64_t first, const char *name,
                     int64_t size, int64_t from, int64_t count)
{
    int64_t index = b->sketch ? -1 : laser_checkpoint_find_index(b->model->checkpoint, name);
    const struct laser_tensor *tensor = index < 0 ? NULL : &b->model->checkpoint->tensors[index];
    enum laser_storage storage;

    if (!tensor || (tensor->n_dims == 1 && tensor->shape[0] == size) || elements_of(tensor) != size ||
        !storage_of(tensor->dtype, &storage)) {
        laser_bind_values(b, part, first, name, size, from, count);
        return;
    }
    if (b->model->tensor_layer[index] == -2)
        b->model->tensor_layer[index] = b->layer;
    if (count == 0)
        return;
    part->in = 0;
    if (part->out < first + count)
        part->out = first + count;
    laser_bind_add(
        b, (struct laser_binding){
               .part = part, .tensor = index, .first = first, .count = count, .origin = from, .stride = 1});
}

const char *laser_bind_name(const struct laser_binder *b, char *buffer, const char *name, int expert,
                            const char *suffix)
{
    char layer[64] = "", inner[128] = "";

    if (b->sketch && !b->sketch->note) { /* nobody reads it */
        buffer[0] = '\0';
        return buffer;
    }
    if (b->layer >= 0 && b->layer < b->model->arch.layers)
        snprintf(layer, sizeof layer, "%s%d.", b->model->arch.names->layer, (int)b->layer);
    if (expert >= 0)
        snprintf(inner, sizeof inner, "%s%d.", b->model->arch.names->expert, expert);
    snprintf(buffer, LASER_NAME_BYTES, "%s%s%s%s%s", b->prefix, layer, inner, name, suffix);
    return buffer;
}

static bool find(const struct laser_binder *b, const char *name, const char *suffix)
{
    char buffer[LASER_NAME_BYTES];

    return laser_checkpoint_find_index(b->model->checkpoint, laser_bind_name(b, buffer, name, -1, suffix)) >=
           0;
}

void laser_bind_norm(struct laser_binder *b, struct laser_norm *norm, const char *name, int64_t size)
{
    char buffer[LASER_NAME_BYTES];
    bool old;

    if (!name)
        return;
    /* as BERT's first checkpoints have them */
    old = !b->sketch && find(b, name, ".gamma") && !find(b, name, ".weight");
    norm->weight.shift = b->model->arch.norm == LASER_NORM_LAYER && b->model->arch.norm_plus_one;
    laser_bind_values(b, &norm->weight, 0, laser_bind_name(b, buffer, name, -1, old ? ".gamma" : ".weight"),
                      size, 0, size);
    if (b->model->arch.norm_bias)
        laser_bind_values(b, &norm->bias, 0, laser_bind_name(b, buffer, name, -1, old ? ".beta" : ".bias"),
                          size, 0, size);
}

/* Stacks have no suffix in their names, and the expert is no part of it. */
static const char *weight_name(const struct laser_binder *b, char *buffer, const char *name, int expert,
                               const struct laser_piece *p)
{
    return laser_bind_name(b, buffer, name, p->stack ? -1 : expert, p->stack ? "" : ".weight");
}

void laser_bind_outputs(struct laser_binder *b, struct laser_part *part, struct laser_part *bias,
                        int64_t first, const char *name, int expert, struct laser_piece p, bool has_bias)
{
    char buffer[LASER_NAME_BYTES];

    bind_piece(b, part, first, weight_name(b, buffer, name, expert, &p), expert, &p);
    if (has_bias)
        laser_bind_values(b, bias, first, laser_bind_name(b, buffer, name, expert, ".bias"), p.rows, p.row,
                          p.row_count);
}

void laser_bind_inputs(struct laser_binder *b, struct laser_part *part, struct laser_part *bias,
                       const char *name, int expert, struct laser_piece p, bool has_bias)
{
    char buffer[LASER_NAME_BYTES];
    bool adds = b->model->group.index == 0;

    p.row = 0;
    p.row_count = p.rows;
    bind_piece(b, part, 0, weight_name(b, buffer, name, expert, &p), expert, &p);
    if (has_bias)
        laser_bind_values(b, bias, 0, laser_bind_name(b, buffer, name, expert, ".bias"), p.rows, 0,
                          adds ? p.rows : 0);
}
