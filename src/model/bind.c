/* From an architecture to the tensors of a checkpoint: which slice of each this shard needs. */
#include <stdio.h>
#include <string.h>

#include "model/binder.h"

static void bind_qkv(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    const struct laser_names *names = a->names;
    int64_t size = a->head_size, q_rows = a->heads * size, kv_rows = a->kv_heads * size;
    int64_t q_count = m->heads.count * size, kv_count = m->kv_heads.count * size;
    int64_t stacked = q_rows + 2 * kv_rows, q_row = m->heads.first * size, kv_row = m->kv_heads.first * size;
    struct laser_piece q = {q_rows, a->hidden, q_row, q_count, 0, a->hidden, 0};
    struct laser_piece k = {kv_rows, a->hidden, kv_row, kv_count, 0, a->hidden, 0}, v = k;
    struct laser_part *part = &layer->qkv, *bias = &layer->qkv_bias;

    if (a->qkv_layout == LASER_QKV_SEPARATE) {
        laser_bind_outputs(b, part, bias, 0, names->q, -1, q, a->q_bias);
        laser_bind_outputs(b, part, bias, q_count, names->k, -1, k, a->q_bias);
        laser_bind_outputs(b, part, bias, q_count + kv_count, names->v, -1, v, a->q_bias);
        return;
    }
    q.rows = k.rows = v.rows = stacked;
    if (a->qkv_layout == LASER_QKV_STACKED) {
        k.row += q_rows;
        v.row += q_rows + kv_rows;
        laser_bind_outputs(b, part, bias, 0, names->qkv, -1, q, a->q_bias);
        laser_bind_outputs(b, part, bias, q_count, names->qkv, -1, k, a->q_bias);
        laser_bind_outputs(b, part, bias, q_count + kv_count, names->qkv, -1, v, a->q_bias);
        return;
    }
    q.row_count = m->heads.count > 0 ? size : 0;
    for (int third = 0; third < 3; third++)
        for (int64_t h = 0; h < m->heads.count || h == 0; h++) {
            q.row = (3 * (m->heads.first + h) + third) * size;
            laser_bind_outputs(b, part, bias, (third * m->heads.count + h) * size, names->qkv, -1, q,
                               a->q_bias);
        }
}

static void bind_attention(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    int64_t size = a->head_size;
    struct laser_piece o = {a->hidden, a->heads * size, 0, 0, m->heads.first * size, m->heads.count * size,
                            0};

    bind_qkv(b, layer);
    laser_bind_inputs(b, &layer->o, &layer->o_bias, a->names->o, -1, o, a->o_bias);
    if (a->qk_norm) {
        laser_bind_norm(b, &layer->q_norm, a->names->q_norm, size);
        laser_bind_norm(b, &layer->k_norm, a->names->k_norm, size);
    }
}

struct mlp_names {
    const char *gate, *up, *gate_up, *down;
    int64_t stack; /* of experts in one tensor, 0: none */
};

static void bind_mlp(struct laser_binder *b, struct laser_mlp *mlp, const struct mlp_names *names, int expert,
                     int64_t columns, struct laser_share share, bool bias)
{
    const struct laser_arch *a = &b->model->arch;
    struct laser_piece up = {columns, a->hidden, share.first, share.count, 0, a->hidden, names->stack};
    struct laser_piece down = {a->hidden, columns, 0, 0, share.first, share.count, names->stack};

    mlp->columns = share.count;
    if (names->gate_up) {
        struct laser_piece gate = up;

        gate.rows = up.rows = 2 * columns;
        up.row += columns;
        laser_bind_outputs(b, &mlp->up, &mlp->up_bias, 0, names->gate_up, expert, gate, bias);
        laser_bind_outputs(b, &mlp->up, &mlp->up_bias, share.count, names->gate_up, expert, up, bias);
    } else {
        if (a->gated)
            laser_bind_outputs(b, &mlp->up, &mlp->up_bias, 0, names->gate, expert, up, bias);
        laser_bind_outputs(b, &mlp->up, &mlp->up_bias, a->gated ? share.count : 0, names->up, expert, up,
                           bias);
    }
    laser_bind_inputs(b, &mlp->down, &mlp->down_bias, names->down, expert, down, bias);
}

static bool has(const struct laser_binder *b, const char *name)
{
    return laser_checkpoint_find_index(b->model->checkpoint, name) >= 0;
}

/* Each expert with tensors of its own, or stacks [E, 2 I, H] and [E, H, I] as transformers 5 has them in
 * memory and writes them with save_original_format=False. */
static bool is_stacked(const struct laser_binder *b)
{
    char buffer[LASER_NAME_BYTES];
    const char *stack = b->model->arch.names->stack_gate_up;

    return stack && has(b, laser_bind_name(b, buffer, stack, -1, ""));
}

static void bind_experts(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    const struct laser_names *n = a->names;
    const struct laser_moe *moe = &a->moe;
    const struct mlp_names own_names = {n->expert_gate, n->expert_up, NULL, n->expert_down, 0};
    const struct mlp_names stack_names = {NULL, NULL, n->stack_gate_up, n->stack_down, moe->experts};
    const struct mlp_names shared_names = {n->shared_gate, n->shared_up, NULL, n->shared_down, 0};
    bool whole = laser_share_whole_experts(a, m->group.count), stacked = is_stacked(b);
    struct laser_share mine = laser_share_of(moe->experts, m->group.index, m->group.count, 1);
    struct laser_piece router = {moe->experts, a->hidden, 0, moe->experts, 0, a->hidden, 0};
    struct laser_piece shared_router = {1, a->hidden, 0, 1, 0, a->hidden, 0};

    laser_bind_outputs(b, &layer->router, NULL, 0, stacked ? n->stack_router : n->router, -1, router, false);
    for (int64_t e = 0; e < moe->experts; e++) {
        struct laser_share share = laser_share_columns(moe->intermediate, m->group.index, m->group.count);

        if (whole)
            share = (struct laser_share){0, e >= mine.first && e < mine.first + mine.count ? moe->intermediate
                                                                                           : 0};
        bind_mlp(b, &layer->experts[e], stacked ? &stack_names : &own_names, (int)e, moe->intermediate, share,
                 false);
    }
    if (moe->shared == 0)
        return;
    bind_mlp(b, &layer->shared, &shared_names, -1, moe->shared,
             laser_share_columns(moe->shared, m->group.index, m->group.count), false);
    laser_bind_outputs(b, &layer->shared_router, NULL, 0, n->shared_router, -1, shared_router, false);
}

static void bind_layer(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    const struct laser_names *n = a->names;
    const struct mlp_names dense = {n->gate, n->up, n->gate_up, n->down, 0};

    layer->window = a->window[b->layer];
    layer->attention_scale =
        (float)(a->attention_scale / (a->attention_scale_by_layer ? (double)(b->layer + 1) : 1.0));
    laser_bind_norm(b, &layer->attention_norm, n->attention_norm, a->hidden);
    laser_bind_norm(b, &layer->mlp_norm, n->mlp_norm, a->hidden);
    laser_bind_norm(b, &layer->post_attention_norm, n->post_attention_norm, a->hidden);
    laser_bind_norm(b, &layer->post_mlp_norm, n->post_mlp_norm, a->hidden);
    bind_attention(b, layer);
    if (a->sparse[b->layer])
        bind_experts(b, layer);
    else
        bind_mlp(b, &layer->mlp, &dense, -1, a->intermediate,
                 laser_share_columns(a->intermediate, m->group.index, m->group.count), a->mlp_bias);
}

/* A table [rows, H] of which the shard has a share of the rows; never transposed. */
static void bind_table(struct laser_binder *b, struct laser_part *part, const char *name, int64_t rows,
                       struct laser_share share)
{
    enum laser_storage storage = LASER_STORED_F32;
    int64_t hidden = b->model->arch.hidden, tensor = laser_bind_find(b, name, 0, rows, hidden, &storage);

    if (tensor < 0 || share.count == 0)
        return;
    part->stored = storage;
    part->out = share.count;
    part->in = hidden;
    laser_bind_add(b, (struct laser_binding){.part = part,
                                             .tensor = tensor,
                                             .count = share.count,
                                             .origin = share.first * hidden,
                                             .stride = hidden});
}

/* What a masked model does to the hidden states before its head; small, so that every shard does all of it.
 * Its names have no prefix. */
static void bind_head_dense(struct laser_binder *b)
{
    struct laser_model *m = b->model;
    const struct laser_names *n = m->arch.names;
    const char *prefix = b->prefix;
    int64_t h = m->arch.hidden;

    b->prefix = "";
    laser_bind_outputs(b, &m->head_dense, &m->head_dense_bias, 0, n->head_dense, -1,
                       (struct laser_piece){h, h, 0, h, 0, h, 0}, true);
    laser_bind_norm(b, &m->head_norm, n->head_norm, h);
    b->prefix = prefix;
}

/* Embedding and head.  A tied checkpoint may hold the one matrix under either name; if it holds both, each is
 * used for its own purpose, as transformers does when they differ. */
static void bind_ends(struct laser_binder *b)
{
    struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    char embed[LASER_NAME_BYTES], head[LASER_NAME_BYTES], positions[LASER_NAME_BYTES];

    b->layer = -1;
    laser_bind_name(b, embed, a->names->embed, -1, ".weight");
    snprintf(head, sizeof head, "%s.weight", a->names->head);
    bind_table(b, &m->embed, a->tied && !has(b, embed) && has(b, head) ? head : embed, a->vocabulary,
               m->vocabulary);
    if (a->names->positions)
        bind_table(b, &m->position_table, laser_bind_name(b, positions, a->names->positions, -1, ".weight"),
                   a->max_positions, m->positions);
    if (a->names->types)
        bind_table(b, &m->type_table, laser_bind_name(b, positions, a->names->types, -1, ".weight"),
                   a->token_types, (struct laser_share){0, m->group.index == 0});
    laser_bind_norm(b, &m->embed_norm, a->names->embed_norm, a->hidden);
    b->layer = a->layers;
    m->output = &m->embed;
    if (!a->tied || (has(b, embed) && has(b, head))) {
        bind_table(b, &m->head, head, a->vocabulary, m->vocabulary);
        m->output = &m->head;
    }
    if (a->head_bias) {
        snprintf(head, sizeof head, "%s.bias", a->names->head);
        laser_bind_values(b, &m->head_bias, 0, a->names->head_bias ? a->names->head_bias : head,
                          a->vocabulary, m->vocabulary.first, m->vocabulary.count);
    }
    laser_bind_norm(b, &m->final_norm, a->names->final_norm, a->hidden);
    if (a->names->head_dense)
        bind_head_dense(b);
}

static void refuse_unused(struct laser_binder *b)
{
    const struct laser_model *m = b->model;

    for (int64_t i = 0; i < m->checkpoint->n_tensors; i++) {
        const char *name = m->checkpoint->tensors[i].name;

        if (m->tensor_layer[i] == -2 && !laser_arch_ignores(&m->arch, name))
            laser_bind_fail(
                b, LASER_EINPUT, name,
                "the checkpoint holds this weight, but a %s model as config.json describes it has no place "
                "for it",
                m->arch.model_type);
    }
}

/* A rank that belongs to no weight of the model would be a silent mistake. */
static void refuse_unused_ranks(struct laser_binder *b)
{
    const struct laser_model *m = b->model;
    char name[LASER_NAME_BYTES + 32];
    const char *module;
    json_t *rank;

    json_object_foreach(m->arch.low_ranks, module, rank)
    {
        int64_t tensor;

        snprintf(name, sizeof name, "%.500s.ALinear.weight", module);
        tensor = laser_checkpoint_find_index(m->checkpoint, name);
        if (tensor < 0 || m->tensor_layer[tensor] == -2)
            laser_bind_fail(
                b, LASER_EINPUT, module,
                "truncation_ranks in config.json gives it a rank of %lld, but a %s model has no linear "
                "layer of this name",
                (long long)json_integer_value(rank), m->arch.model_type);
    }
}

int laser_model_bind(struct laser_model *model, struct laser_error *err)
{
    struct laser_binder b = {.model = model, .layer = -1, .err = err};
    const struct laser_arch *a = &model->arch;
    const char *first = a->names->final_norm ? a->names->final_norm : a->names->embed_norm;
    char buffer[LASER_NAME_BYTES];

    for (int i = 0; i < 2; i++) {
        b.prefix = a->names->prefix[i];
        if (has(&b, laser_bind_name(&b, buffer, first, -1, ".weight")))
            break;
        if (i == 1)
            b.prefix = a->names->prefix[0]; /* neither: the message names the usual one */
    }
    bind_ends(&b);
    for (b.layer = 0; b.layer < a->layers && b.result == LASER_OK; b.layer++)
        bind_layer(&b, &model->layers[b.layer]);
    if (b.result == LASER_OK)
        refuse_unused_ranks(&b);
    if (b.result == LASER_OK)
        refuse_unused(&b);
    return b.result;
}
