/* Working memory of a forward pass: one block, cut into the arrays. */
#include <stdlib.h>
#include <string.h>

#include "kernels/attention.h"
#include "model/internal.h"

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Takes count elements off the block; the first pass, with base NULL, only measures. */
static void *take(unsigned char *base, int64_t *used, int64_t count, size_t size)
{
    unsigned char *at = base ? base + *used : NULL;

    *used += (count * (int64_t)size + 63) / 64 * 64;
    return at;
}

/* The widest up projection of this shard. */
static int64_t widest_up(const struct laser_model *m)
{
    int64_t widest = 1;

    for (int64_t i = 0; i < m->arch.layers; i++) {
        const struct laser_layer *layer = &m->layers[i];

        widest = larger(widest, larger(layer->mlp.up.out, layer->shared.up.out));
        for (int64_t e = 0; layer->experts && e < m->arch.moe.experts; e++)
            widest = larger(widest, layer->experts[e].up.out);
    }
    return widest;
}

void laser_model_raised_widths(const struct laser_model *m, int64_t *latent, int64_t *raised)
{
    const struct laser_latent *l = &m->arch.latent;

    *latent = larger(l->q_rank, l->kv_rank + l->turned);
    *raised = m->heads.count * (l->plain + larger(l->turned, l->value));
    for (int64_t i = 0; i < m->arch.layers; i++) {
        const struct laser_layer *layer = &m->layers[i];

        *raised = larger(*raised, larger(layer->gate.out, layer->delta.in.out));
        *raised =
            larger(*raised, layer->mix.in.out + (layer->mixer == LASER_MIXER_SELECTIVE ? m->mix_heads.count
                                                                                       : 0)); /* time steps */
    }
    *latent = larger(*latent, larger(m->arch.mix.groups, m->arch.mix.rank + 2 * m->arch.mix.state));
}

int64_t laser_model_mixed_width(const struct laser_model *m)
{
    return larger(laser_delta_width(m), m->mix_heads.count * m->arch.mix.head_size);
}

/* What one layer leaves behind, and what a step needs besides. */
static void state_sizes(const struct laser_model *m, int64_t *memory, int64_t *scratch)
{
    *memory = 0;
    *scratch = larger(m->arch.delta.value_size, m->arch.mix.head_size);
    for (int64_t i = 0; i < m->arch.layers; i++) {
        const struct laser_layer *layer = &m->layers[i];

        *memory = larger(*memory, layer->tail + layer->state);
        if (layer->mixer == LASER_MIXER_SELECTIVE)
            *scratch = larger(*scratch, layer->state);
    }
}

static void cut(struct laser_model_workspace *ws, unsigned char *base)
{
    const struct laser_model *m = ws->model;
    const struct laser_arch *a = &m->arch;
    int64_t n = ws->max_tokens, h = a->hidden, half = a->rope.rotated / 2, e = a->moe.experts;
    int64_t k = a->moe.per_token, used = 0, latent, raised, local = a->local_rope.rotated / 2;
    int64_t memory, scratch;

    ws->normed = take(base, &used, n * larger(h, a->embed_width), sizeof(float));
    ws->sum = take(base, &used, n * larger(h, a->embed_width), sizeof(float));
    ws->qkv =
        take(base, &used, n * (laser_model_query_width(m) + 2 * laser_model_key_width(m)), sizeof(float));
    ws->context =
        take(base, &used, n * larger(laser_model_query_width(m), laser_model_mixed_width(m)), sizeof(float));
    if (laser_arch_continues(a))
        ws->chain = take(base, &used, n * 2 * laser_model_key_width(m), sizeof(float));
    if (a->disentangled.span > 0) {
        ws->relative_states = take(base, &used, 2 * a->disentangled.span * h, sizeof(float));
        ws->relative =
            take(base, &used, 2 * a->disentangled.span * laser_model_relative_width(m), sizeof(float));
        ws->scores = take(base, &used, n, sizeof(float));
        ws->relative_rows = take(base, &used, 2 * n, sizeof(int64_t));
    }
    if (a->side_kernel > 0) {
        ws->side = take(base, &used, n * h, sizeof(float));
        ws->side_window = take(base, &used, a->side_kernel * (h / a->side_groups), sizeof(float));
    }
    ws->up = take(base, &used, ws->mlp_tokens * widest_up(m), sizeof(float));
    ws->cosines = take(base, &used, n * half, sizeof(float));
    ws->sines = take(base, &used, n * half, sizeof(float));
    ws->frequencies = take(base, &used, larger(half, local), sizeof(float));
    ws->local_cosines = take(base, &used, n * local, sizeof(float));
    ws->local_sines = take(base, &used, n * local, sizeof(float));
    laser_model_raised_widths(m, &latent, &raised);
    ws->latent = take(base, &used, n * latent, sizeof(float));
    ws->raised = take(base, &used, n * raised, sizeof(float));
    state_sizes(m, &memory, &scratch);
    ws->state = take(base, &used, memory, sizeof(float));
    ws->scratch_state = take(base, &used, scratch, sizeof(float));
    ws->narrow = take(base, &used, n * 2 * a->moe.width, sizeof(float));
    ws->tokens = take(base, &used, n, sizeof *ws->tokens);
    ws->pairs = take(base, &used, 2 * n, sizeof(float));
    ws->targets = take(base, &used, n, sizeof(int64_t));
    if (e > 0) {
        ws->gathered = take(base, &used, ws->mlp_tokens * h, sizeof(float));
        ws->expert_out = take(base, &used, ws->mlp_tokens * h, sizeof(float));
        ws->router = take(base, &used, n * e, sizeof(float));
        ws->choice = take(base, &used, e, sizeof(float));
        ws->weights = take(base, &used, n * k, sizeof(float));
        ws->chosen = take(base, &used, n * k, sizeof(int32_t));
        ws->slot_start = take(base, &used, e + 1, sizeof(int64_t));
        ws->slots = take(base, &used, n * k, sizeof(int64_t));
    }
    ws->bytes = used;
}

static int64_t part_scratch(const struct laser_part *part, int64_t tokens)
{
    if (part->split)
        return laser_split_scratch_size(part->split, tokens);
    return laser_part_present(part) ? laser_linear_scratch_size(&part->linear, tokens) : 0;
}

static int64_t mlp_scratch(const struct laser_mlp *mlp, int64_t tokens)
{
    return larger(part_scratch(&mlp->up, tokens), part_scratch(&mlp->down, tokens));
}

static int64_t layer_scratch(const struct laser_model *m, const struct laser_layer *layer, int64_t n,
                             int64_t mlp_n)
{
    int64_t rows =
        larger(n, 2 * m->arch.disentangled.span); /* those of a table go through queries and keys */
    int64_t bytes = larger(part_scratch(&layer->qkv, rows), part_scratch(&layer->o, n));

    bytes = larger(bytes, part_scratch(&layer->relative, rows));

    bytes =
        larger(bytes, larger(part_scratch(&layer->latent.q_down, n), part_scratch(&layer->latent.q_up, n)));
    bytes =
        larger(bytes, larger(part_scratch(&layer->latent.kv_down, n), part_scratch(&layer->latent.kv_up, n)));
    bytes = larger(bytes, larger(part_scratch(&layer->delta.in, n), part_scratch(&layer->delta.out, n)));
    bytes = larger(bytes, larger(part_scratch(&layer->mix.in, n), part_scratch(&layer->mix.out, n)));
    bytes = larger(bytes, larger(part_scratch(&layer->mix.x, n), part_scratch(&layer->mix.step, n)));
    bytes = larger(bytes, larger(part_scratch(&layer->mix.gate, n), part_scratch(&layer->moe_down, n)));
    bytes = larger(bytes, part_scratch(&layer->moe_up, n));
    bytes = larger(bytes, larger(part_scratch(&layer->gate, n), mlp_scratch(&layer->mlp, mlp_n)));
    bytes = larger(bytes, mlp_scratch(&layer->shared, mlp_n));
    bytes = larger(bytes, part_scratch(&layer->router, n));
    bytes = larger(bytes, part_scratch(&layer->shared_router, mlp_n));
    for (int64_t e = 0; layer->experts && e < m->arch.moe.experts; e++)
        bytes = larger(bytes, mlp_scratch(&layer->experts[e], mlp_n));
    return bytes;
}

static int64_t scratch_size(const struct laser_model_workspace *ws)
{
    const struct laser_model *m = ws->model;
    const struct laser_head head = {.linear = &m->output->linear, .size = m->vocabulary.count, .scale = 1};
    const struct laser_attention attention = {.batch = 1,
                                              .queries = ws->max_tokens,
                                              .keys = ws->max_tokens,
                                              .heads = (int)m->heads.count,
                                              .head_dim =
                                                  (int)larger(m->arch.head_size, m->arch.full_head_size),
                                              .kv_of_head = m->kv_of_head,
                                              .causal = !m->arch.masked};
    int64_t bytes = larger(64, laser_attention_scratch_size(&attention));

    if (m->vocabulary.count > 0)
        bytes = larger(bytes, laser_head_scratch_size(&head, ws->max_tokens));
    bytes = larger(bytes, part_scratch(&m->head_dense, ws->max_tokens));
    bytes = larger(bytes, part_scratch(&m->embed_project, ws->max_tokens));
    for (int64_t i = 0; i < m->arch.layers; i++)
        bytes = larger(bytes, layer_scratch(m, &m->layers[i], ws->max_tokens, ws->mlp_tokens));
    return bytes;
}

int laser_model_workspace_create(const struct laser_model *model, int64_t max_tokens,
                                 struct laser_model_workspace **workspace, struct laser_error *err)
{
    struct laser_model_workspace *ws;
    int result;

    *workspace = NULL;
    if (max_tokens < 1 || max_tokens > INT64_C(1) << 26)
        return laser_error_set(err, LASER_EUSAGE, NULL, "a batch of %lld tokens", (long long)max_tokens);
    ws = calloc(1, sizeof *ws);
    if (!ws)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the working arrays");
    ws->model = model;
    ws->max_tokens = max_tokens;
    ws->mlp_tokens = laser_model_mlp_rows(max_tokens);
    cut(ws, NULL);
    ws->memory = aligned_alloc(64, (size_t)ws->bytes);
    if (!ws->memory) {
        result = laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %.1f MB of working arrays",
                                 (double)ws->bytes / 1e6);
        laser_model_workspace_free(ws);
        return result;
    }
    cut(ws, ws->memory);
    result = laser_scratch_reserve(&ws->scratch, scratch_size(ws), err);
    if (result != LASER_OK) {
        laser_model_workspace_free(ws);
        return result;
    }
    *workspace = ws;
    return LASER_OK;
}

int64_t laser_model_working_bytes(const struct laser_model *model, int64_t max_tokens)
{
    struct laser_model_workspace ws = {
        .model = model, .max_tokens = max_tokens, .mlp_tokens = laser_model_mlp_rows(max_tokens)};

    cut(&ws, NULL);
    return ws.bytes;
}

int64_t laser_model_workspace_bytes(const struct laser_model_workspace *ws)
{
    return ws->bytes + ws->scratch.size_bytes;
}

void laser_model_workspace_free(struct laser_model_workspace *ws)
{
    if (!ws)
        return;
    laser_scratch_free(&ws->scratch);
    free(ws->memory);
    free(ws);
}
