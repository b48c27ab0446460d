/* Tensors of recurrences: which slice of each this shard needs. */
#include "model/binder.h"

/* rows of a tensor of `all` rows, from `from` on, to `to` of what comes in. */
static void bind_in(struct laser_binder *b, struct laser_layer *layer, int64_t all, int64_t from,
                    int64_t rows, int64_t to)
{
    const struct laser_arch *a = &b->model->arch;

    laser_bind_outputs(b, &layer->mix.in, &layer->mix.in_bias, to, a->names->mix_in, -1,
                       (struct laser_piece){all, a->hidden, rows ? from : 0, rows, 0, a->hidden, 0},
                       a->mix.in_bias);
}

static void bind_out(struct laser_binder *b, struct laser_layer *layer, int64_t all, int64_t from,
                     int64_t count)
{
    const struct laser_arch *a = &b->model->arch;

    layer->mix.out_bias.factor = (float)a->mix.out_scale;
    laser_bind_inputs(b, &layer->mix.out, &layer->mix.out_bias, a->names->mix_out, -1,
                      (struct laser_piece){a->hidden, all, 0, 0, count ? from : 0, count, 0},
                      a->mix.out_bias);
}

/* Channels of the convolution. */
static void bind_convolution(struct laser_binder *b, struct laser_layer *layer, int64_t all, int64_t from,
                             int64_t count, int64_t to)
{
    const struct laser_recurrence *mix = &b->model->arch.mix;
    char name[LASER_NAME_BYTES];

    laser_bind_name(b, name, b->model->arch.names->mix_conv, -1, ".weight");
    laser_bind_flat(b, &layer->mix.conv, to * mix->kernel, name, all * mix->kernel, from * mix->kernel,
                    count * mix->kernel);
    if (mix->conv_bias)
        laser_bind_values(b, &layer->mix.conv_bias, to,
                          laser_bind_name(b, name, b->model->arch.names->mix_conv, -1, ".bias"), all, from,
                          count);
}

/* One value, or `each`, of every head. */
static void bind_heads(struct laser_binder *b, struct laser_part *part, const char *name, int64_t each)
{
    const struct laser_share heads = b->model->mix_heads;
    char full[LASER_NAME_BYTES];

    laser_bind_flat(b, part, 0, laser_bind_name(b, full, name, -1, ""), b->model->arch.mix.heads * each,
                    heads.first * each, heads.count * each);
}

static void bind_vector(struct laser_binder *b, struct laser_part *part, const char *name, int64_t size,
                        int64_t from, int64_t count)
{
    char full[LASER_NAME_BYTES];

    laser_bind_values(b, part, 0, laser_bind_name(b, full, name, -1, ".weight"), size, from, count);
}

/* The matrix gives gates, x, B, C, time steps. */
static void bind_state_space(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_names *n = m->arch.names;
    const struct laser_recurrence *mix = &m->arch.mix;
    int64_t inner = mix->heads * mix->head_size, groups = mix->groups * mix->state;
    int64_t all = 2 * inner + 2 * groups + mix->heads;
    int64_t x = m->mix_heads.count * mix->head_size, x_from = m->mix_heads.first * mix->head_size;
    int64_t bc = m->mix_groups.count * mix->state, bc_from = m->mix_groups.first * mix->state;

    layer->mix.in_bias.factor = (float)(1 / mix->in_scale);
    bind_in(b, layer, all, inner + x_from, x, 0);
    bind_in(b, layer, all, 2 * inner + bc_from, bc, x);
    bind_in(b, layer, all, 2 * inner + groups + bc_from, bc, x + bc);
    bind_in(b, layer, all, x_from, x, x + 2 * bc);
    bind_in(b, layer, all, 2 * inner + 2 * groups + m->mix_heads.first, m->mix_heads.count, 2 * x + 2 * bc);
    bind_convolution(b, layer, inner + 2 * groups, x_from, x, 0);
    bind_convolution(b, layer, inner + 2 * groups, inner + bc_from, bc, x);
    bind_convolution(b, layer, inner + 2 * groups, inner + groups + bc_from, bc, x + bc);
    bind_heads(b, &layer->mix.dt, n->mix_dt, 1);
    bind_heads(b, &layer->mix.decay, n->mix_decay, 1);
    bind_heads(b, &layer->mix.skip, n->mix_skip, 1);
    if (mix->normed)
        bind_vector(b, &layer->mix.norm, n->mix_norm, inner, x_from, x);
    bind_out(b, layer, inner, x_from, x);
}

/* The matrix gives x and gates. */
static void bind_selective(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_names *n = m->arch.names;
    const struct laser_recurrence *mix = &m->arch.mix;
    int64_t all = mix->heads, first = m->mix_heads.first, count = m->mix_heads.count;
    struct laser_piece x = {mix->rank + 2 * mix->state, all, 0, 0, count ? first : 0, count, 0};
    struct laser_piece step = {all, mix->rank, count ? first : 0, count, 0, mix->rank, 0};

    bind_in(b, layer, 2 * all, first, count, 0);
    bind_in(b, layer, 2 * all, all + first, count, count);
    bind_convolution(b, layer, all, first, count, 0);
    laser_bind_inputs(b, &layer->mix.x, NULL, n->mix_x, -1, x, false);
    laser_bind_outputs(b, &layer->mix.step, &layer->mix.step_bias, 0, n->mix_step, -1, step, true);
    bind_heads(b, &layer->mix.decay, n->mix_decay, mix->state);
    bind_heads(b, &layer->mix.skip, n->mix_skip, 1);
    if (mix->inner == LASER_INNER_WEIGHTED) {
        bind_vector(b, &layer->mix.step_norm, n->mix_step_norm, mix->rank, 0, mix->rank);
        bind_vector(b, &layer->mix.b_norm, n->mix_b_norm, mix->state, 0, mix->state);
        bind_vector(b, &layer->mix.c_norm, n->mix_c_norm, mix->state, 0, mix->state);
    }
    bind_out(b, layer, all, first, count);
}

/* The matrix gives B, C and x. */
static void bind_short_convolution(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    int64_t all = m->arch.mix.heads, first = m->mix_heads.first, count = m->mix_heads.count;

    for (int k = 0; k < 3; k++)
        bind_in(b, layer, 3 * all, k * all + first, count, k * count);
    bind_convolution(b, layer, all, first, count, 0);
    bind_out(b, layer, all, first, count);
}

/* `each` values of every head, where the checkpoint has them. */
static void bind_decays(struct laser_binder *b, struct laser_part *part, const char *name, int64_t each)
{
    const struct laser_model *m = b->model;
    char full[LASER_NAME_BYTES];

    laser_bind_name(b, full, name, -1, "");
    if (!b->sketch && laser_checkpoint_find_index(m->checkpoint, full) >= 0)
        laser_bind_flat(b, part, 0, full, m->arch.heads * each, m->heads.first * each, m->heads.count * each);
}

/* The matrix gives query, key and value of each head. */
static void bind_lightning(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    int64_t size = a->head_size, all = a->heads * size, block = a->mix.block;
    int64_t first = m->heads.first * size, count = m->heads.count * size;

    bind_in(b, layer, 3 * all, 3 * first, 3 * count, 0);
    bind_vector(b, &layer->mix.norm, a->names->mix_norm, all, first, count);
    laser_bind_outputs(b, &layer->mix.gate, NULL, 0, a->names->mix_gate, -1,
                       (struct laser_piece){all, a->hidden, count ? first : 0, count, 0, a->hidden, 0},
                       false);
    bind_out(b, layer, all, first, count);
    bind_decays(b, &layer->decays.rate, "self_attn.slope_rate", 1);
    bind_decays(b, &layer->decays.query, "self_attn.query_decay", block);
    bind_decays(b, &layer->decays.key, "self_attn.key_decay", block);
    bind_decays(b, &layer->decays.diagonal, "self_attn.diagonal_decay", block * block);
}

static void bind_both(struct laser_binder *b, struct laser_layer *layer)
{
    bind_state_space(b, layer);
    laser_bind_attention(b, layer);
}

static void bind_nothing(struct laser_binder *b, struct laser_layer *layer)
{
    (void)b;
    (void)layer;
}

void laser_bind_mixer(struct laser_binder *b, struct laser_layer *layer)
{
    static void (*const binds[])(struct laser_binder *, struct laser_layer *) = {
        [LASER_MIXER_ATTENTION] = laser_bind_attention,
        [LASER_MIXER_NONE] = bind_nothing,
        [LASER_MIXER_DELTA] = laser_bind_delta,
        [LASER_MIXER_STATE_SPACE] = bind_state_space,
        [LASER_MIXER_BOTH] = bind_both,
        [LASER_MIXER_SELECTIVE] = bind_selective,
        [LASER_MIXER_CONVOLUTION] = bind_short_convolution,
        [LASER_MIXER_LIGHTNING] = bind_lightning,
    };

    layer->mixer = b->model->arch.mixer[b->layer];
    layer->bare = b->model->arch.bare[b->layer];
    if (b->layer > 0)
        layer->memory = layer[-1].memory + layer[-1].tail + layer[-1].state;
    binds[layer->mixer](b, layer);
    laser_model_size_memory(b->model, layer);
}
