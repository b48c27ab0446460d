/* Tensors of attention, or of what a layer has in its place: which slice of each this shard needs. */
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

/* One of the three out of a fused tensor, as many heads at once as lie together; no head: behind the first. */
static void bind_fused(struct laser_binder *b, struct laser_layer *layer, int part, int64_t to,
                       struct laser_share heads)
{
    const struct laser_arch *a = &b->model->arch;
    int64_t size = a->head_size, rows = (a->heads + 2 * a->kv_heads) * size;

    for (int64_t h = 0, run; h < heads.count || (h == 0 && heads.count == 0); h += run) {
        int64_t row = heads.count ? fused_row(a, part, heads.first + h) : fused_row(a, part, 0) + size;

        for (run = 1; h + run < heads.count && fused_row(a, part, heads.first + h + run) == row + run * size;)
            run++;
        laser_bind_outputs(
            b, &layer->qkv, &layer->qkv_bias, to + h * size, a->names->qkv, -1,
            (struct laser_piece){rows, a->hidden, row, heads.count ? run * size : 0, 0, a->hidden, 0},
            a->q_bias);
    }
}

/* Each head's rows are its query and then its gate.  All gates are bound before the queries, as one run of
 * pieces: they are one matrix on the way back. */
static void bind_gated_queries(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    int64_t size = a->head_size;
    struct laser_piece piece = {2 * a->heads * size, a->hidden, 0, m->heads.count ? size : 0, 0,
                                a->hidden,           0};

    for (int64_t h = 0; h < m->heads.count || h == 0; h++) {
        piece.row = m->heads.count ? (2 * (m->heads.first + h) + 1) * size : 2 * size;
        laser_bind_outputs(b, &layer->gate, NULL, h * size, a->names->q, -1, piece, false);
    }
    for (int64_t h = 0; h < m->heads.count || h == 0; h++) {
        piece.row = m->heads.count ? 2 * (m->heads.first + h) * size : size;
        laser_bind_outputs(b, &layer->qkv, &layer->qkv_bias, h * size, a->names->q, -1, piece, a->q_bias);
    }
}

static void bind_qkv(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    const struct laser_names *names = a->names;
    int64_t size = layer->head_size, q_rows = a->heads * size,
            kv_rows = laser_arch_kv_heads(a, b->layer) * size;
    int64_t q_count = m->heads.count * size, kv_count = layer->kv_heads.count * size;
    int64_t q_row = m->heads.first * size, kv_row = layer->kv_heads.first * size;
    struct laser_piece q = {q_rows, a->hidden, q_row, q_count, 0, a->hidden, 0};
    struct laser_piece k = {kv_rows, a->hidden, kv_row, kv_count, 0, a->hidden, 0}, v = k;
    struct laser_part *part = &layer->qkv, *bias = &layer->qkv_bias;
    bool value_is_key = a->full_value_is_key && a->window[b->layer] == 0;

    if (names->attention_gate)
        laser_bind_outputs(b, &layer->gate, NULL, 0, names->attention_gate, -1, q, false);
    if (a->qkv_layout == LASER_QKV_SEPARATE && a->attention_gate)
        bind_gated_queries(b, layer);
    if (a->qkv_layout == LASER_QKV_SEPARATE) {
        if (!a->attention_gate)
            laser_bind_outputs(b, part, bias, 0, names->q, -1, q, a->q_bias);
        laser_bind_outputs(b, part, bias, q_count, names->k, -1, k, a->q_bias);
        laser_bind_outputs(b, part, bias, q_count + kv_count, value_is_key ? names->k : names->v, -1, v,
                           a->q_bias);
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
    int64_t size = laser_arch_head_size(a, b->layer);
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

/* Projections of the table of relative positions. */
static void bind_relative(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    const struct laser_disentangled *d = &a->disentangled;
    int64_t size = a->head_size, count = m->heads.count * size;
    struct laser_piece piece = {a->heads * size, a->hidden, m->heads.first * size, count, 0, a->hidden, 0};

    if (d->by_position)
        laser_bind_outputs(b, &layer->relative, &layer->relative_bias, 0, a->names->relative_q, -1, piece,
                           true);
    if (d->by_content)
        laser_bind_outputs(b, &layer->relative, &layer->relative_bias, d->by_position ? count : 0,
                           a->names->relative_k, -1, piece, true);
}

void laser_bind_attention(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    int64_t size = a->latent.kv_rank ? a->latent.value : layer->head_size;
    struct laser_piece o = {a->hidden, a->heads * size, 0, 0, m->heads.first * size, m->heads.count * size,
                            0};
    char buffer[LASER_NAME_BYTES];

    if (a->latent.kv_rank)
        bind_latent(b, layer);
    else
        bind_qkv(b, layer);
    if (a->disentangled.span && !a->disentangled.shared)
        bind_relative(b, layer);
    layer->qkv_bias.factor = (float)(1 / a->qkv_scale);
    layer->o_bias.factor = (float)(a->context_scale / a->qkv_scale);
    laser_bind_inputs(b, &layer->o, &layer->o_bias, a->names->o, -1, o, a->o_bias);
    if (a->names->o_bias_last && b->layer + 1 == a->layers)
        laser_bind_values(b, &layer->o_bias, 0, laser_bind_name(b, buffer, a->names->o_bias_last, -1, ""),
                          a->hidden, 0, m->group.index == 0 ? a->hidden : 0);
    if (a->qk_norm) {
        bind_qk_norm(b, &layer->q_norm, a->names->q_norm, a->heads, m->heads);
        bind_qk_norm(b, &layer->k_norm, a->names->k_norm, laser_arch_kv_heads(a, b->layer), layer->kv_heads);
    }
    if (a->sinks)
        laser_bind_values(b, &layer->sinks, 0, laser_bind_name(b, buffer, a->names->sinks, -1, ""), a->heads,
                          m->heads.first, m->heads.count);
}
