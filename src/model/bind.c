/* From an architecture to the tensors of a checkpoint: names, shapes, and which slice of each this shard
 * needs. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

/* Sticky state of one binding run. */
struct binder {
    struct laser_model *model;
    const char *prefix;
    int64_t layer;
    int result;
    struct laser_error *err;
};

static bool fail(struct binder *b, int code, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static bool fail(struct binder *b, int code, const char *where, const char *fmt, ...)
{
    char text[512];
    va_list args;

    if (b->result == LASER_OK) {
        va_start(args, fmt);
        vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        b->result = laser_error_set(b->err, code, where, "%s", text);
    }
    return false;
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

/* Finds a tensor of the expected shape (b = 0: a vector of a) and marks it as used; -1 after an error. */
static int64_t find_tensor(struct binder *b, const char *name, int64_t rows, int64_t cols,
                           enum laser_storage *storage)
{
    int64_t index = laser_checkpoint_find_index(b->model->checkpoint, name);
    const struct laser_tensor *tensor;
    char shape[256];
    bool fits;

    if (b->result != LASER_OK)
        return -1;
    if (index < 0) {
        fail(b, LASER_EINPUT, name, "the checkpoint lacks this weight, which config.json asks for");
        return -1;
    }
    tensor = &b->model->checkpoint->tensors[index];
    fits = cols == 0 ? tensor->n_dims == 1 && tensor->shape[0] == rows
                     : tensor->n_dims == 2 && tensor->shape[0] == rows && tensor->shape[1] == cols;
    if (!fits) {
        print_shape(tensor, shape, sizeof shape);
        if (cols == 0)
            fail(b, LASER_EINPUT, name, "shape %s, but config.json says [%lld]", shape, (long long)rows);
        else
            fail(b, LASER_EINPUT, name, "shape %s, but config.json says [%lld, %lld]", shape, (long long)rows,
                 (long long)cols);
        return -1;
    }
    if (!storage_of(tensor->dtype, storage)) {
        fail(b, LASER_EINPUT, name, "type %s is not a floating type: quantized weights are not supported",
             laser_dtype_name(tensor->dtype));
        return -1;
    }
    if (b->model->tensor_layer[index] == -2)
        b->model->tensor_layer[index] = b->layer;
    return index;
}

static void add_binding(struct binder *b, struct laser_binding binding)
{
    struct laser_model *model = b->model;

    if (binding.count == 0 || b->result != LASER_OK)
        return;
    if (model->binding_count == model->binding_room) {
        int64_t room = model->binding_room ? 2 * model->binding_room : 256;
        struct laser_binding *grown = realloc(model->bindings, (size_t)room * sizeof *grown);

        if (!grown) {
            fail(b, LASER_ENOMEM, NULL, "no memory for the list of weights");
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

/* A piece of a linear weight: rows x cols as the layer sees it ([out, in]), of which the shard takes
 * row_count rows from row on and col_count columns from col on.  first: where they go in the part. */
struct piece {
    const char *name;
    int64_t rows, cols, row, row_count, col, col_count;
};

static void bind_piece(struct binder *b, struct laser_part *part, int64_t first, const struct piece *p)
{
    bool transposed = b->model->arch.transposed && p->rows > 0;
    enum laser_storage storage = LASER_STORED_F32;
    int64_t tensor =
        find_tensor(b, p->name, transposed ? p->cols : p->rows, transposed ? p->rows : p->cols, &storage);

    if (tensor < 0 || p->row_count == 0 || p->col_count == 0)
        return;
    note_storage(part, first == 0, storage);
    part->in = p->col_count;
    if (part->out < first + p->row_count)
        part->out = first + p->row_count;
    add_binding(b, (struct laser_binding){.part = part,
                                          .tensor = tensor,
                                          .first = first,
                                          .count = p->row_count,
                                          .origin = transposed ? p->col * p->rows + p->row
                                                               : p->row * p->cols + p->col,
                                          .stride = transposed ? p->rows : p->cols,
                                          .transposed = transposed});
}

/* count values of a vector of `size`, from `from` on. */
static void bind_values(struct binder *b, struct laser_part *part, int64_t first, const char *name,
                        int64_t size, int64_t from, int64_t count)
{
    enum laser_storage storage;
    int64_t tensor = find_tensor(b, name, size, 0, &storage);

    if (tensor < 0 || count == 0)
        return;
    part->in = 0;
    if (part->out < first + count)
        part->out = first + count;
    add_binding(
        b, (struct laser_binding){
               .part = part, .tensor = tensor, .first = first, .count = count, .origin = from, .stride = 1});
}

/* A full name; the buffer is the caller's. */
enum { NAME_BYTES = 512 };
static const char *full_name(const struct binder *b, char *buffer, const char *name, int expert,
                             const char *suffix)
{
    char layer[64] = "", inner[128] = "";

    if (b->layer >= 0 && b->layer < b->model->arch.layers)
        snprintf(layer, sizeof layer, "%s%d.", b->model->arch.names->layer, (int)b->layer);
    if (expert >= 0)
        snprintf(inner, sizeof inner, "%s%d.", b->model->arch.names->expert, expert);
    snprintf(buffer, NAME_BYTES, "%s%s%s%s%s", b->prefix, layer, inner, name, suffix);
    return buffer;
}

static void bind_norm(struct binder *b, struct laser_norm *norm, const char *name, int64_t size)
{
    char buffer[NAME_BYTES];

    if (!name)
        return;
    bind_values(b, &norm->weight, 0, full_name(b, buffer, name, -1, ".weight"), size, 0, size);
    if (b->model->arch.norm == LASER_NORM_LAYER)
        bind_values(b, &norm->bias, 0, full_name(b, buffer, name, -1, ".bias"), size, 0, size);
}

/* One tensor, a share of its outputs, all inputs. */
static void bind_outputs(struct binder *b, struct laser_part *part, struct laser_part *bias, int64_t first,
                         const char *name, int expert, struct piece p, bool has_bias)
{
    char buffer[NAME_BYTES];

    p.name = full_name(b, buffer, name, expert, ".weight");
    bind_piece(b, part, first, &p);
    if (has_bias)
        bind_values(b, bias, first, full_name(b, buffer, name, expert, ".bias"), p.rows, p.row, p.row_count);
}

/* One tensor, all outputs, a share of its inputs; the bias is added by the first shard alone. */
static void bind_inputs(struct binder *b, struct laser_part *part, struct laser_part *bias, const char *name,
                        int expert, struct piece p, bool has_bias)
{
    char buffer[NAME_BYTES];
    bool adds = b->model->group.index == 0;

    p.row = 0;
    p.row_count = p.rows;
    p.name = full_name(b, buffer, name, expert, ".weight");
    bind_piece(b, part, 0, &p);
    if (has_bias)
        bind_values(b, bias, 0, full_name(b, buffer, name, expert, ".bias"), p.rows, 0, adds ? p.rows : 0);
}

static void bind_qkv(struct binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    const struct laser_names *names = a->names;
    int64_t size = a->head_size, q_rows = a->heads * size, kv_rows = a->kv_heads * size;
    int64_t q_count = m->heads.count * size, kv_count = m->kv_heads.count * size;
    int64_t stacked = q_rows + 2 * kv_rows, q_row = m->heads.first * size, kv_row = m->kv_heads.first * size;
    struct piece q = {NULL, q_rows, a->hidden, q_row, q_count, 0, a->hidden};
    struct piece k = {NULL, kv_rows, a->hidden, kv_row, kv_count, 0, a->hidden}, v = k;
    struct laser_part *part = &layer->qkv, *bias = &layer->qkv_bias;

    if (a->qkv_layout == LASER_QKV_SEPARATE) {
        bind_outputs(b, part, bias, 0, names->q, -1, q, a->q_bias);
        bind_outputs(b, part, bias, q_count, names->k, -1, k, a->q_bias);
        bind_outputs(b, part, bias, q_count + kv_count, names->v, -1, v, a->q_bias);
        return;
    }
    q.rows = k.rows = v.rows = stacked;
    if (a->qkv_layout == LASER_QKV_STACKED) {
        k.row += q_rows;
        v.row += q_rows + kv_rows;
        bind_outputs(b, part, bias, 0, names->qkv, -1, q, a->q_bias);
        bind_outputs(b, part, bias, q_count, names->qkv, -1, k, a->q_bias);
        bind_outputs(b, part, bias, q_count + kv_count, names->qkv, -1, v, a->q_bias);
        return;
    }
    q.row_count = m->heads.count > 0 ? size : 0;
    for (int third = 0; third < 3; third++)
        for (int64_t h = 0; h < m->heads.count || h == 0; h++) {
            q.row = (3 * (m->heads.first + h) + third) * size;
            bind_outputs(b, part, bias, (third * m->heads.count + h) * size, names->qkv, -1, q, a->q_bias);
        }
}

static void bind_attention(struct binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    int64_t size = a->head_size;
    struct piece o = {NULL, a->hidden, a->heads * size, 0, 0, m->heads.first * size, m->heads.count * size};

    bind_qkv(b, layer);
    bind_inputs(b, &layer->o, &layer->o_bias, a->names->o, -1, o, a->o_bias);
    if (a->qk_norm) {
        bind_norm(b, &layer->q_norm, a->names->q_norm, size);
        bind_norm(b, &layer->k_norm, a->names->k_norm, size);
    }
}

struct mlp_names {
    const char *gate, *up, *gate_up, *down;
};

static void bind_mlp(struct binder *b, struct laser_mlp *mlp, const struct mlp_names *names, int expert,
                     int64_t columns, struct laser_share share, bool bias)
{
    const struct laser_arch *a = &b->model->arch;
    struct piece up = {NULL, columns, a->hidden, share.first, share.count, 0, a->hidden};
    struct piece down = {NULL, a->hidden, columns, 0, 0, share.first, share.count};

    mlp->columns = share.count;
    if (names->gate_up) {
        struct piece gate = up;

        gate.rows = up.rows = 2 * columns;
        up.row += columns;
        bind_outputs(b, &mlp->up, &mlp->up_bias, 0, names->gate_up, expert, gate, bias);
        bind_outputs(b, &mlp->up, &mlp->up_bias, share.count, names->gate_up, expert, up, bias);
    } else {
        if (a->gated)
            bind_outputs(b, &mlp->up, &mlp->up_bias, 0, names->gate, expert, up, bias);
        bind_outputs(b, &mlp->up, &mlp->up_bias, a->gated ? share.count : 0, names->up, expert, up, bias);
    }
    bind_inputs(b, &mlp->down, &mlp->down_bias, names->down, expert, down, bias);
}

static void bind_experts(struct binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    const struct laser_names *n = a->names;
    const struct laser_moe *moe = &a->moe;
    const struct mlp_names expert_names = {n->expert_gate, n->expert_up, NULL, n->expert_down};
    const struct mlp_names shared_names = {n->shared_gate, n->shared_up, NULL, n->shared_down};
    bool whole = laser_share_whole_experts(a, m->group.count);
    struct laser_share mine = laser_share_of(moe->experts, m->group.index, m->group.count, 1);
    struct piece router = {NULL, moe->experts, a->hidden, 0, moe->experts, 0, a->hidden};
    struct piece shared_router = {NULL, 1, a->hidden, 0, 1, 0, a->hidden};

    bind_outputs(b, &layer->router, NULL, 0, n->router, -1, router, false);
    for (int64_t e = 0; e < moe->experts; e++) {
        struct laser_share share = laser_share_columns(moe->intermediate, m->group.index, m->group.count);

        if (whole)
            share = (struct laser_share){0, e >= mine.first && e < mine.first + mine.count ? moe->intermediate
                                                                                           : 0};
        bind_mlp(b, &layer->experts[e], &expert_names, (int)e, moe->intermediate, share, false);
    }
    if (moe->shared == 0)
        return;
    bind_mlp(b, &layer->shared, &shared_names, -1, moe->shared,
             laser_share_columns(moe->shared, m->group.index, m->group.count), false);
    bind_outputs(b, &layer->shared_router, NULL, 0, n->shared_router, -1, shared_router, false);
}

static void bind_layer(struct binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    const struct laser_names *n = a->names;
    const struct mlp_names dense = {n->gate, n->up, n->gate_up, n->down};

    layer->window = a->window[b->layer];
    layer->attention_scale =
        (float)(a->attention_scale / (a->attention_scale_by_layer ? (double)(b->layer + 1) : 1.0));
    bind_norm(b, &layer->attention_norm, n->attention_norm, a->hidden);
    bind_norm(b, &layer->mlp_norm, n->mlp_norm, a->hidden);
    bind_norm(b, &layer->post_attention_norm, n->post_attention_norm, a->hidden);
    bind_norm(b, &layer->post_mlp_norm, n->post_mlp_norm, a->hidden);
    bind_attention(b, layer);
    if (a->sparse[b->layer])
        bind_experts(b, layer);
    else
        bind_mlp(b, &layer->mlp, &dense, -1, a->intermediate,
                 laser_share_columns(a->intermediate, m->group.index, m->group.count), a->mlp_bias);
}

/* A table [rows, H] of which the shard has a share of the rows; never transposed. */
static void bind_table(struct binder *b, struct laser_part *part, const char *name, int64_t rows,
                       struct laser_share share)
{
    enum laser_storage storage = LASER_STORED_F32;
    int64_t hidden = b->model->arch.hidden, tensor = find_tensor(b, name, rows, hidden, &storage);

    if (tensor < 0 || share.count == 0)
        return;
    part->stored = storage;
    part->out = share.count;
    part->in = hidden;
    add_binding(b, (struct laser_binding){.part = part,
                                          .tensor = tensor,
                                          .count = share.count,
                                          .origin = share.first * hidden,
                                          .stride = hidden});
}

static bool has(const struct binder *b, const char *name)
{
    return laser_checkpoint_find_index(b->model->checkpoint, name) >= 0;
}

/* What a masked model does to the hidden states before its head; small, so that every shard does all of it.
 * Its names have no prefix. */
static void bind_head_dense(struct binder *b)
{
    struct laser_model *m = b->model;
    const struct laser_names *n = m->arch.names;
    const char *prefix = b->prefix;
    int64_t h = m->arch.hidden;

    b->prefix = "";
    bind_outputs(b, &m->head_dense, &m->head_dense_bias, 0, n->head_dense, -1,
                 (struct piece){NULL, h, h, 0, h, 0, h}, true);
    bind_norm(b, &m->head_norm, n->head_norm, h);
    b->prefix = prefix;
}

/* Embedding and head.  A tied checkpoint may hold the one matrix under either name; if it holds both, each is
 * used for its own purpose, as transformers does when they differ. */
static void bind_ends(struct binder *b)
{
    struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    char embed[NAME_BYTES], head[NAME_BYTES], positions[NAME_BYTES];

    b->layer = -1;
    full_name(b, embed, a->names->embed, -1, ".weight");
    snprintf(head, sizeof head, "%s.weight", a->names->head);
    bind_table(b, &m->embed, a->tied && !has(b, embed) && has(b, head) ? head : embed, a->vocabulary,
               m->vocabulary);
    if (a->names->positions)
        bind_table(b, &m->position_table, full_name(b, positions, a->names->positions, -1, ".weight"),
                   a->max_positions, m->positions);
    if (a->names->types)
        bind_table(b, &m->type_table, full_name(b, positions, a->names->types, -1, ".weight"), a->token_types,
                   (struct laser_share){0, m->group.index == 0});
    bind_norm(b, &m->embed_norm, a->names->embed_norm, a->hidden);
    b->layer = a->layers;
    m->output = &m->embed;
    if (!a->tied || (has(b, embed) && has(b, head))) {
        bind_table(b, &m->head, head, a->vocabulary, m->vocabulary);
        m->output = &m->head;
    }
    if (a->head_bias) {
        snprintf(head, sizeof head, "%s.bias", a->names->head);
        bind_values(b, &m->head_bias, 0, a->names->head_bias ? a->names->head_bias : head, a->vocabulary,
                    m->vocabulary.first, m->vocabulary.count);
    }
    bind_norm(b, &m->final_norm, a->names->final_norm, a->hidden);
    if (a->names->head_dense)
        bind_head_dense(b);
}

static void refuse_unused(struct binder *b)
{
    const struct laser_model *m = b->model;

    for (int64_t i = 0; i < m->checkpoint->n_tensors; i++) {
        const char *name = m->checkpoint->tensors[i].name;
        bool ignored = m->tensor_layer[i] != -2;

        for (int k = 0; !ignored && k < 4 && m->arch.names->ignored[k]; k++) {
            size_t n = strlen(name), tail = strlen(m->arch.names->ignored[k]);
            ignored = n >= tail && strcmp(name + n - tail, m->arch.names->ignored[k]) == 0;
        }
        if (!ignored)
            fail(b, LASER_EINPUT, name,
                 "the checkpoint holds this weight, but a %s model as config.json describes it has no place "
                 "for it",
                 m->arch.model_type);
    }
}

int laser_model_bind(struct laser_model *model, struct laser_error *err)
{
    struct binder b = {.model = model, .layer = -1, .err = err};
    const struct laser_arch *a = &model->arch;
    const char *first = a->names->final_norm ? a->names->final_norm : a->names->embed_norm;
    char buffer[NAME_BYTES];

    for (int i = 0; i < 2; i++) {
        b.prefix = a->names->prefix[i];
        if (has(&b, full_name(&b, buffer, first, -1, ".weight")))
            break;
        if (i == 1)
            b.prefix = a->names->prefix[0]; /* neither: the message names the usual one */
    }
    bind_ends(&b);
    for (b.layer = 0; b.layer < a->layers && b.result == LASER_OK; b.layer++)
        bind_layer(&b, &model->layers[b.layer]);
    if (b.result == LASER_OK)
        refuse_unused(&b);
    return b.result;
}
