/* From an architecture to the tensors of a checkpoint: which slice of each this shard needs. */
#include <stdio.h>
#include <string.h>

#include "model/binder.h"

/* Row of the fused tensor where query (0), key (1) or value (2) of a head begins. */
static int64_t fused_row(const struct laser_arch *a, int part, int64_t head)
{
    int64_t size = a->head_size, q = a->heads * size, kv = a->kv_heads * size;
    int64_t group = a->heads / a->kv_heads, quarter = a->heads / 4;

    switch (a->qkv_layout) {
    case LASER_QKV_BY_HEAD:
        return (3 * head + part) * size;
    case LASER_QKV_BY_GROUP:
        return part == 0 ? (head / group * (group + 2) + head % group) * size
                         : (head * (group + 2) + group + part - 1) * size;
    case LASER_QKV_QUARTERS: /* query, value, key */
        return (head / quarter * 3 + (part == 0 ? 0 : 3 - part)) * quarter * size + head % quarter * size;
    default:
        return (part == 0 ? 0 : part == 1 ? q : q + kv) + head * size;
    }
}

/* One of the three out of a fused tensor, as many heads at once as lie together. */
static void bind_fused(struct laser_binder *b, struct laser_layer *layer, int part, int64_t to,
                       struct laser_share heads)
{
    const struct laser_arch *a = &b->model->arch;
    int64_t size = a->head_size, rows = (a->heads + 2 * a->kv_heads) * size;

    for (int64_t h = 0, run; h < heads.count || (h == 0 && heads.count == 0); h += run) {
        int64_t row = fused_row(a, part, heads.first + h);

        for (run = 1; h + run < heads.count && fused_row(a, part, heads.first + h + run) == row + run * size;)
            run++;
        laser_bind_outputs(b, &layer->qkv, &layer->qkv_bias, to + h * size, a->names->qkv, -1,
                           (struct laser_piece){rows, a->hidden, heads.count ? row : 0,
                                                heads.count ? run * size : 0, 0, a->hidden, 0},
                           a->q_bias);
    }
}

/* Each head's rows are its query and then its gate. */
static void bind_gated_queries(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    int64_t size = a->head_size;
    struct laser_piece piece = {2 * a->heads * size, a->hidden, 0, m->heads.count ? size : 0, 0,
                                a->hidden,           0};

    for (int64_t h = 0; h < m->heads.count || h == 0; h++) {
        piece.row = 2 * (m->heads.first + h) * size;
        if (m->heads.count == 0)
            piece.row = 0;
        laser_bind_outputs(b, &layer->qkv, &layer->qkv_bias, h * size, a->names->q, -1, piece, a->q_bias);
        piece.row += size;
        laser_bind_outputs(b, &layer->gate, NULL, h * size, a->names->q, -1, piece, false);
    }
}

static void bind_qkv(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    const struct laser_names *names = a->names;
    int64_t size = a->head_size, q_rows = a->heads * size, kv_rows = a->kv_heads * size;
    int64_t q_count = m->heads.count * size, kv_count = m->kv_heads.count * size;
    int64_t q_row = m->heads.first * size, kv_row = m->kv_heads.first * size;
    struct laser_piece q = {q_rows, a->hidden, q_row, q_count, 0, a->hidden, 0};
    struct laser_piece k = {kv_rows, a->hidden, kv_row, kv_count, 0, a->hidden, 0}, v = k;
    struct laser_part *part = &layer->qkv, *bias = &layer->qkv_bias;

    if (names->attention_gate)
        laser_bind_outputs(b, &layer->gate, NULL, 0, names->attention_gate, -1, q, false);
    if (a->qkv_layout == LASER_QKV_SEPARATE && a->attention_gate)
        bind_gated_queries(b, layer);
    if (a->qkv_layout == LASER_QKV_SEPARATE) {
        if (!a->attention_gate)
            laser_bind_outputs(b, part, bias, 0, names->q, -1, q, a->q_bias);
        laser_bind_outputs(b, part, bias, q_count, names->k, -1, k, a->q_bias);
        laser_bind_outputs(b, part, bias, q_count + kv_count, names->v, -1, v, a->q_bias);
        return;
    }
    bind_fused(b, layer, 0, 0, m->heads);
    bind_fused(b, layer, 1, q_count, m->kv_heads);
    bind_fused(b, layer, 2, q_count + kv_count, m->kv_heads);
}

static void bind_latent_norm(struct laser_binder *b, struct laser_norm *norm, const char *name, int64_t size)
{
    char buffer[LASER_NAME_BYTES];

    laser_bind_values(b, &norm->weight, 0, laser_bind_name(b, buffer, name, -1, ".weight"), size, 0, size);
}

static void bind_latent(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    const struct laser_names *n = a->names;
    const struct laser_latent *l = &a->latent;
    struct laser_latent_parts *parts = &layer->latent;
    int64_t down = l->kv_rank + l->turned, query = l->plain + l->turned, up = l->plain + l->value;
    int64_t first = m->heads.first, count = m->heads.count;
    struct laser_piece kv = {down, a->hidden, 0, down, 0, a->hidden, 0};
    struct laser_piece kv_up = {a->heads * up, l->kv_rank, first * up, count * up, 0, l->kv_rank, 0};
    struct laser_piece q = {l->q_rank, a->hidden, 0, l->q_rank, 0, a->hidden, 0};
    struct laser_piece q_up = {a->heads * query, a->hidden, first * query, count * query, 0, a->hidden, 0};

    laser_bind_outputs(b, &parts->kv_down, &parts->kv_down_bias, 0, n->kv_down, -1, kv, a->q_bias);
    bind_latent_norm(b, &parts->kv_norm, n->kv_down_norm, l->kv_rank);
    laser_bind_outputs(b, &parts->kv_up, NULL, 0, n->kv_up, -1, kv_up, false);
    if (l->q_rank == 0) {
        laser_bind_outputs(b, &parts->q_up, NULL, 0, n->qkv, -1, q_up, false);
        return;
    }
    q_up.cols = q_up.col_count = l->q_rank;
    laser_bind_outputs(b, &parts->q_down, &parts->q_down_bias, 0, n->q_down, -1, q, a->q_bias);
    bind_latent_norm(b, &parts->q_norm, n->q_down_norm, l->q_rank);
    laser_bind_outputs(b, &parts->q_up, NULL, 0, n->q, -1, q_up, false);
}

/* The norm of the queries, or of the keys, of this shard's heads. */
static void bind_qk_norm(struct laser_binder *b, struct laser_norm *norm, const char *name, int64_t heads,
                         struct laser_share mine)
{
    const struct laser_arch *a = &b->model->arch;
    int64_t size = a->head_size;
    char buffer[LASER_NAME_BYTES], suffix[64];

    if (a->qk_norm_plain)
        return;
    if (a->qk_norm == LASER_QK_NORM_HEADS) {
        laser_bind_values(b, &norm->weight, 0, laser_bind_name(b, buffer, name, -1, ".weight"), size, 0,
                          size);
        if (a->qk_norm_bias)
            laser_bind_values(b, &norm->bias, 0, laser_bind_name(b, buffer, name, -1, ".bias"), size, 0,
                              size);
        return;
    }
    if (name[strlen(name) - 1] != '.') {
        laser_bind_flat(b, &norm->weight, 0, laser_bind_name(b, buffer, name, -1, ".weight"), heads * size,
                        mine.first * size, mine.count * size);
        return;
    }
    for (int64_t h = 0; h < heads; h++) {
        bool is_mine = h >= mine.first && h < mine.first + mine.count;

        snprintf(suffix, sizeof suffix, "%d.weight", (int)h);
        laser_bind_values(b, &norm->weight, is_mine ? (h - mine.first) * size : 0,
                          laser_bind_name(b, buffer, name, -1, suffix), size, 0, is_mine ? size : 0);
    }
}

/* rows rows of a tensor of `all` rows, from `from` on, to `to` of the inputs' part. */
static void bind_delta_rows(struct laser_binder *b, struct laser_layer *layer, const char *name, int64_t all,
                            int64_t from, int64_t rows, int64_t to)
{
    int64_t hidden = b->model->arch.hidden;

    laser_bind_outputs(b, &layer->delta.in, NULL, to, name, -1,
                       (struct laser_piece){all, hidden, rows ? from : 0, rows, 0, hidden, 0}, false);
}

/* Fused by key head: its query and key, then the values and the gates of its value heads; beta and decay
 * apart. */
static void bind_delta_by_head(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_delta *d = &m->arch.delta;
    const struct laser_names *n = m->arch.names;
    int64_t per = d->value_heads / d->key_heads, values = per * d->value_size, key = d->key_size;
    int64_t count = m->delta_heads.count, step = 2 * key + 2 * values, all = d->key_heads * step;
    int64_t v = 2 * count * key, z = v + count * values, beta = z + count * values,
            decay = beta + count * per;

    if (count == 0) {
        bind_delta_rows(b, layer, n->delta_qkvz, all, 0, 0, 0);
        bind_delta_rows(b, layer, n->delta_ba, 2 * d->value_heads, 0, 0, 0);
    }
    for (int64_t h = 0; h < count; h++) {
        int64_t row = (m->delta_heads.first + h) * step, pair = (m->delta_heads.first + h) * 2 * per;

        bind_delta_rows(b, layer, n->delta_qkvz, all, row, key, h * key);
        bind_delta_rows(b, layer, n->delta_qkvz, all, row + key, key, (count + h) * key);
        bind_delta_rows(b, layer, n->delta_qkvz, all, row + 2 * key, values, v + h * values);
        bind_delta_rows(b, layer, n->delta_qkvz, all, row + 2 * key + values, values, z + h * values);
        bind_delta_rows(b, layer, n->delta_ba, 2 * d->value_heads, pair, per, beta + h * per);
        bind_delta_rows(b, layer, n->delta_ba, 2 * d->value_heads, pair + per, per, decay + h * per);
    }
}

static void bind_delta_apart(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_delta *d = &m->arch.delta;
    const struct laser_names *n = m->arch.names;
    int64_t per = d->value_heads / d->key_heads, first = m->delta_heads.first, count = m->delta_heads.count;
    int64_t keys = d->key_heads * d->key_size, values = d->value_heads * d->value_size,
            all = 2 * keys + values;
    int64_t key = count * d->key_size, heads = count * per, value = heads * d->value_size;
    int64_t from = first * d->key_size, value_from = first * per * d->value_size;

    bind_delta_rows(b, layer, n->delta_qkv, all, from, key, 0);
    bind_delta_rows(b, layer, n->delta_qkv, all, keys + from, key, key);
    bind_delta_rows(b, layer, n->delta_qkv, all, 2 * keys + value_from, value, 2 * key);
    bind_delta_rows(b, layer, n->delta_z, values, value_from, value, 2 * key + value);
    bind_delta_rows(b, layer, n->delta_b, d->value_heads, first * per, heads, 2 * key + 2 * value);
    bind_delta_rows(b, layer, n->delta_a, d->value_heads, first * per, heads, 2 * key + 2 * value + heads);
}

static void bind_delta(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    const struct laser_delta *d = &a->delta;
    const struct laser_names *n = a->names;
    struct laser_delta_parts *parts = &layer->delta;
    int64_t per = d->value_heads / d->key_heads, first = m->delta_heads.first, count = m->delta_heads.count;
    int64_t keys = d->key_heads * d->key_size, values = d->value_heads * d->value_size, k = d->kernel;
    int64_t key = count * d->key_size, value = count * per * d->value_size;
    struct laser_piece out = {a->hidden, values, 0, 0, first * per * d->value_size, value, 0};
    char name[LASER_NAME_BYTES];

    if (n->delta_qkvz)
        bind_delta_by_head(b, layer);
    else
        bind_delta_apart(b, layer);
    laser_bind_name(b, name, n->delta_conv, -1, "");
    laser_bind_flat(b, &parts->conv, 0, name, (2 * keys + values) * k, first * d->key_size * k, key * k);
    laser_bind_flat(b, &parts->conv, key * k, name, (2 * keys + values) * k, (keys + first * d->key_size) * k,
                    key * k);
    laser_bind_flat(b, &parts->conv, 2 * key * k, name, (2 * keys + values) * k,
                    (2 * keys + first * per * d->value_size) * k, value * k);
    laser_bind_values(b, &parts->dt, 0, laser_bind_name(b, name, n->delta_dt, -1, ""), d->value_heads,
                      first * per, count * per);
    laser_bind_values(b, &parts->decay, 0, laser_bind_name(b, name, n->delta_decay, -1, ""), d->value_heads,
                      first * per, count * per);
    laser_bind_values(b, &parts->norm, 0, laser_bind_name(b, name, n->delta_norm, -1, ""), d->value_size, 0,
                      d->value_size);
    laser_bind_inputs(b, &parts->out, NULL, n->delta_out, -1, out, false);
}

static void bind_attention(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    int64_t size = laser_arch_value_size(a);
    struct laser_piece o = {a->hidden, a->heads * size, 0, 0, m->heads.first * size, m->heads.count * size,
                            0};
    char buffer[LASER_NAME_BYTES];

    if (a->latent.kv_rank)
        bind_latent(b, layer);
    else
        bind_qkv(b, layer);
    laser_bind_inputs(b, &layer->o, &layer->o_bias, a->names->o, -1, o, a->o_bias);
    if (a->names->o_bias_last && b->layer + 1 == a->layers)
        laser_bind_values(b, &layer->o_bias, 0, laser_bind_name(b, buffer, a->names->o_bias_last, -1, ""),
                          a->hidden, 0, m->group.index == 0 ? a->hidden : 0);
    if (a->qk_norm) {
        bind_qk_norm(b, &layer->q_norm, a->names->q_norm, a->heads, m->heads);
        bind_qk_norm(b, &layer->k_norm, a->names->k_norm, a->kv_heads, m->kv_heads);
    }
    if (a->sinks)
        laser_bind_values(b, &layer->sinks, 0, laser_bind_name(b, buffer, a->names->sinks, -1, ""), a->heads,
                          m->heads.first, m->heads.count);
}

struct mlp_names {
    const char *gate, *up, *gate_up, *down;
    int64_t stack; /* of experts in one tensor, 0: none */
};

/* Biases of experts lie in matrices [E, outputs].  That of the way down is added where the last columns are.
 */
static void bind_expert_bias(struct laser_binder *b, struct laser_mlp *mlp, int expert, int64_t columns,
                             struct laser_share share)
{
    const struct laser_arch *a = &b->model->arch;
    int64_t experts = a->moe.experts, up = 2 * columns, hidden = a->hidden;
    int64_t pieces = a->mixed_gate_up ? 1 : 2, count = a->mixed_gate_up ? 2 * share.count : share.count;
    bool adds = share.count > 0 && share.first + share.count == columns;
    char buffer[LASER_NAME_BYTES];

    laser_bind_name(b, buffer, a->names->stack_gate_up_bias, -1, "");
    for (int64_t i = 0; i < pieces; i++)
        laser_bind_flat(b, &mlp->up_bias, i * count, buffer, experts * up,
                        expert * up + i * columns + (a->mixed_gate_up ? 2 : 1) * share.first, count);
    laser_bind_flat(b, &mlp->down_bias, 0, laser_bind_name(b, buffer, a->names->stack_down_bias, -1, ""),
                    experts * hidden, expert * hidden, adds ? hidden : 0);
}

static void bind_mlp(struct laser_binder *b, struct laser_mlp *mlp, const struct mlp_names *names, int expert,
                     int64_t columns, struct laser_share share, bool bias)
{
    const struct laser_arch *a = &b->model->arch;
    struct laser_piece up = {columns, a->hidden, share.first, share.count, 0, a->hidden, names->stack};
    struct laser_piece down = {a->hidden, columns, 0, 0, share.first, share.count, names->stack};

    mlp->columns = share.count;
    if (names->gate_up && names->stack && a->mixed_gate_up) {
        up = (struct laser_piece){2 * columns, a->hidden, 2 * share.first, 2 * share.count,
                                  0,           a->hidden, names->stack};
        laser_bind_outputs(b, &mlp->up, &mlp->up_bias, 0, names->gate_up, expert, up, bias);
    } else if (names->gate_up) {
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
    return !b->sketch && laser_checkpoint_find_index(b->model->checkpoint, name) >= 0;
}

/* Each expert with tensors of its own, or stacks [E, 2 I, H] and [E, H, I] as transformers 5 has them in
 * memory and writes them with save_original_format=False. */
static bool is_stacked(const struct laser_binder *b)
{
    char buffer[LASER_NAME_BYTES];
    const struct laser_names *names = b->model->arch.names;
    const char *stack = names->stack_gate_up;

    return stack && (!names->expert || has(b, laser_bind_name(b, buffer, stack, -1, "")));
}

static void bind_experts(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    const struct laser_names *n = a->names;
    const struct laser_moe *moe = &a->moe;
    const struct mlp_names own_names = {n->expert_gate, n->expert_up, NULL, n->expert_down, 0};
    const struct mlp_names stack_names = {NULL, NULL, n->stack_gate_up, n->stack_down, moe->experts};
    const struct mlp_names shared_names = {n->shared_gate, n->shared_up, n->shared_gate_up, n->shared_down,
                                           0};
    bool whole = laser_share_whole_experts(a, m->group.count), stacked = is_stacked(b);
    struct laser_share mine = laser_share_of(moe->experts, m->group.index, m->group.count, 1);
    struct laser_piece router = {moe->experts, a->hidden, 0, moe->experts, 0, a->hidden, 0};
    struct laser_piece shared_router = {1, a->hidden, 0, 1, 0, a->hidden, 0};
    char buffer[LASER_NAME_BYTES];

    laser_bind_outputs(b, &layer->router, &layer->router_bias, 0, stacked ? n->stack_router : n->router, -1,
                       router, moe->router_bias);
    if (moe->corrected)
        laser_bind_flat(b, &layer->correction, 0, laser_bind_name(b, buffer, n->correction, -1, ""),
                        moe->experts, 0, moe->experts);
    for (int64_t e = 0; e < moe->experts; e++) {
        struct laser_share share = laser_share_columns(moe->intermediate, m->group.index, m->group.count);

        if (whole)
            share = (struct laser_share){0, e >= mine.first && e < mine.first + mine.count ? moe->intermediate
                                                                                           : 0};
        bind_mlp(b, &layer->experts[e], stacked ? &stack_names : &own_names, (int)e, moe->intermediate, share,
                 false);
        if (moe->expert_bias)
            bind_expert_bias(b, &layer->experts[e], (int)e, moe->intermediate, share);
    }
    if (moe->shared == 0)
        return;
    bind_mlp(b, &layer->shared, &shared_names, -1, moe->shared,
             laser_share_columns(moe->shared, m->group.index, m->group.count), a->mlp_bias);
    if (moe->shared_gated)
        laser_bind_outputs(b, &layer->shared_router, NULL, 0, n->shared_router, -1, shared_router, false);
}

static void bind_activation(struct laser_binder *b, struct laser_layer *layer)
{
    static const char *const parameters[] = {"alpha_p", "alpha_n", "beta", "eps"};
    char buffer[LASER_NAME_BYTES];

    for (int i = 0; i < 4; i++)
        laser_bind_flat(b, &layer->activation, i,
                        laser_bind_name(b, buffer, b->model->arch.names->activation, -1, parameters[i]), 1, 0,
                        1);
}

static void bind_layer(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    const struct laser_names *n = a->names;
    const struct mlp_names dense = {n->gate, n->up, n->gate_up, n->down, 0};

    layer->window = a->window[b->layer];
    layer->rope = a->rope_of[b->layer];
    layer->attention_scale =
        (float)(a->attention_scale / (a->attention_scale_by_layer ? (double)(b->layer + 1) : 1.0));
    laser_bind_norm(b, &layer->attention_norm, n->attention_norm, a->hidden);
    if (a->residual != LASER_RESIDUAL_PARALLEL_SHARED)
        laser_bind_norm(b, &layer->mlp_norm, n->mlp_norm, a->hidden);
    laser_bind_norm(b, &layer->post_attention_norm, n->post_attention_norm, a->hidden);
    laser_bind_norm(b, &layer->post_mlp_norm, n->post_mlp_norm, a->hidden);
    if (a->sparse[b->layer])
        laser_bind_norm(b, &layer->post_mlp_norm, n->sparse_post_mlp_norm, a->hidden);
    if (a->linear[b->layer])
        bind_delta(b, layer);
    else
        bind_attention(b, layer);
    if (a->activation == LASER_ACT_XIELU)
        bind_activation(b, layer);
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
static void name_head(const struct laser_binder *b, char *head, size_t size)
{
    const struct laser_wrapper *w = b->model->arch.wrapper;

    snprintf(head, size, "%s.weight", b->model->arch.names->head);
    for (int i = 0; w && w->heads[i]; i++) {
        snprintf(head, size, "%s.weight", w->heads[i]);
        if (has(b, head))
            return;
    }
}

static void bind_ends(struct laser_binder *b)
{
    struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    char embed[LASER_NAME_BYTES], head[LASER_NAME_BYTES], positions[LASER_NAME_BYTES];
    bool tied;

    b->layer = -1;
    laser_bind_name(b, embed, a->names->embed, -1, ".weight");
    name_head(b, head, sizeof head);
    tied = a->tied || (a->wrapper && !b->sketch && !has(b, head));
    bind_table(b, &m->embed, tied && !has(b, embed) && has(b, head) ? head : embed, a->vocabulary,
               m->vocabulary);
    if (a->names->positions)
        bind_table(b, &m->position_table, laser_bind_name(b, positions, a->names->positions, -1, ".weight"),
                   a->max_positions + a->position_offset, m->positions);
    if (a->names->types)
        bind_table(b, &m->type_table, laser_bind_name(b, positions, a->names->types, -1, ".weight"),
                   a->token_types, (struct laser_share){0, m->group.index == 0});
    laser_bind_norm(b, &m->embed_norm, a->names->embed_norm, a->hidden);
    b->layer = a->layers;
    m->output = &m->embed;
    if (!tied || (has(b, embed) && has(b, head))) {
        bind_table(b, &m->head, head, a->vocabulary, m->vocabulary);
        m->output = &m->head;
    }
    if (a->head_bias) {
        snprintf(head, sizeof head, "%s.bias", a->names->head);
        laser_bind_values(b, &m->head_bias, 0, a->names->head_bias ? a->names->head_bias : head,
                          a->vocabulary, m->vocabulary.first, m->vocabulary.count);
    }
    laser_bind_norm(b, &m->final_norm, a->norm_plain ? NULL : a->names->final_norm, a->hidden);
    if (a->names->head_dense)
        bind_head_dense(b);
}

/* A wrapper has tensors of other parts, which are left alone: those outside of the prefix and, where the
 * prefix is that of the whole, those outside of the layers. */
static bool is_ours(const struct laser_binder *b, const char *name)
{
    const struct laser_arch *a = &b->model->arch;
    size_t n = strlen(b->prefix);

    if (!a->wrapper)
        return true;
    return strncmp(name, b->prefix, n) == 0 &&
           (strcmp(b->prefix, "model.") != 0 ||
            strncmp(name + n, a->names->layer, strlen(a->names->layer)) == 0);
}

static void refuse_unused(struct laser_binder *b)
{
    const struct laser_model *m = b->model;

    for (int64_t i = 0; i < m->checkpoint->n_tensors; i++) {
        const char *name = m->checkpoint->tensors[i].name;

        if (m->tensor_layer[i] == -2 && !laser_arch_ignores(&m->arch, name) && is_ours(b, name))
            laser_bind_fail(
                b, LASER_EINPUT, name,
                "the checkpoint holds this weight, but a %s model as config.json describes it has no place "
                "for it",
                m->arch.model_type);
    }
}

static int bind_all(struct laser_binder *b)
{
    const struct laser_arch *a = &b->model->arch;

    bind_ends(b);
    for (b->layer = 0; b->layer < a->layers && b->result == LASER_OK; b->layer++)
        bind_layer(b, &b->model->layers[b->layer]);
    return b->result;
}

/* Does the checkpoint spell its tensors so?  Leaves the prefix set. */
static bool is_spelled(struct laser_binder *b, const struct laser_names *names)
{
    const char *first = names->final_norm ? names->final_norm : names->embed_norm;
    char buffer[LASER_NAME_BYTES];

    const struct laser_wrapper *w = b->model->arch.wrapper;
    const char *const *prefixes = w ? w->prefixes : names->prefix;

    if (b->model->arch.norm_plain || !first)
        first = names->embed;
    for (int i = 0; w ? prefixes[i] != NULL : i < 2; i++) {
        b->prefix = prefixes[i];
        if (has(b, laser_bind_name(b, buffer, first, -1, ".weight")))
            return true;
    }
    b->prefix = prefixes[0]; /* none: messages name the usual one */
    return false;
}

int laser_model_bind(struct laser_model *model, struct laser_error *err)
{
    struct laser_binder b = {.model = model, .layer = -1, .err = err};
    const struct laser_names *names = model->arch.names;

    while (!is_spelled(&b, names) && names->also)
        names = names->also;
    if (is_spelled(&b, names))
        model->arch.names = names;
    else
        is_spelled(&b, model->arch.names);
    if (bind_all(&b) == LASER_OK)
        refuse_unused(&b);
    return b.result;
}

int laser_model_bind_sketch(struct laser_model *model, const struct laser_sketch *sketch,
                            struct laser_error *err)
{
    const struct laser_wrapper *w = model->arch.wrapper;
    struct laser_binder b = {.model = model,
                             .sketch = sketch,
                             .layer = -1,
                             .prefix = w ? w->prefixes[0] : model->arch.names->prefix[0],
                             .err = err};

    return bind_all(&b);
}
