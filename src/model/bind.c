/* From an architecture to the tensors of a checkpoint: which slice of each this shard needs. */
#include <stdio.h>
#include <string.h>

#include "arch/family.h"
#include "model/binder.h"

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

/* width: of what it reads and gives. */
static void bind_mlp(struct laser_binder *b, struct laser_mlp *mlp, const struct mlp_names *names, int expert,
                     int64_t width, int64_t columns, struct laser_share share, bool bias)
{
    const struct laser_arch *a = &b->model->arch;
    struct laser_piece up = {columns, width, share.first, share.count, 0, width, names->stack};
    struct laser_piece down = {width, columns, 0, 0, share.first, share.count, names->stack};

    mlp->columns = share.count;
    mlp->down_bias.factor = (float)a->down_scale;
    if (names->gate_up && names->stack && a->mixed_gate_up) {
        up = (struct laser_piece){2 * columns, width, 2 * share.first, 2 * share.count,
                                  0,           width, names->stack};
        laser_bind_outputs(b, &mlp->up, &mlp->up_bias, 0, names->gate_up, expert, up, bias);
    } else if (names->gate_up && !a->gated) {
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

/* As it is, or in parts. */
static bool has(const struct laser_binder *b, const char *name)
{
    return !b->sketch && (laser_checkpoint_find_index(b->model->checkpoint, name) >= 0 ||
                          laser_arch_low_part_count(&b->model->arch, name) > 0);
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

/* The matrices around experts of another width, on every shard; the first adds the bias. */
static void bind_narrowing(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_arch *a = &b->model->arch;
    int64_t width = a->moe.width;

    laser_bind_outputs(b, &layer->moe_down, &layer->moe_down_bias, 0, a->names->moe_down, -1,
                       (struct laser_piece){width, a->hidden, 0, width, 0, a->hidden, 0}, a->mlp_bias);
    laser_bind_inputs(b, &layer->moe_up, &layer->moe_up_bias, a->names->moe_up, -1,
                      (struct laser_piece){a->hidden, width, 0, 0, 0, width, 0}, a->mlp_bias);
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
        bind_mlp(b, &layer->experts[e], stacked ? &stack_names : &own_names, (int)e,
                 moe->width ? moe->width : a->hidden, moe->intermediate, share, false);
        if (moe->expert_bias)
            bind_expert_bias(b, &layer->experts[e], (int)e, moe->intermediate, share);
    }
    if (moe->width)
        bind_narrowing(b, layer);
    if (moe->shared == 0)
        return;
    bind_mlp(b, &layer->shared, &shared_names, -1, a->hidden, moe->shared,
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
    char buffer[LASER_NAME_BYTES];
    bool full;

    layer->window = a->window[b->layer];
    layer->rope = a->rope_of[b->layer];
    layer->head_size = laser_arch_head_size(a, b->layer);
    full = a->full_kv_heads && a->window[b->layer] == 0;
    layer->kv_heads = full ? m->full_kv_heads : m->kv_heads;
    layer->kv_of_head = full ? m->full_kv_of_head : m->kv_of_head;
    if (n->layer_scalar)
        laser_bind_flat(b, &layer->scalar, 0, laser_bind_name(b, buffer, n->layer_scalar, -1, ""), 1, 0, 1);
    layer->attention_scale =
        (float)(a->attention_scale / (a->attention_scale_by_layer ? (double)(b->layer + 1) : 1.0));
    if ((!a->first_plain || b->layer > 0) && a->mixer[b->layer] != LASER_MIXER_NONE)
        laser_bind_norm(b, &layer->attention_norm, n->attention_norm, a->hidden);
    if (a->residual != LASER_RESIDUAL_PARALLEL_SHARED && !a->bare[b->layer])
        laser_bind_norm(b, &layer->mlp_norm, n->mlp_norm, a->hidden);
    laser_bind_norm(b, &layer->post_attention_norm, n->post_attention_norm, a->hidden);
    laser_bind_norm(b, &layer->post_mlp_norm, n->post_mlp_norm, a->hidden);
    if (a->sparse[b->layer])
        laser_bind_norm(b, &layer->post_mlp_norm, n->sparse_post_mlp_norm, a->hidden);
    laser_bind_mixer(b, layer);
    if (layer->bare)
        return;
    if (a->activation == LASER_ACT_XIELU)
        bind_activation(b, layer);
    if (a->sparse[b->layer])
        bind_experts(b, layer);
    else
        bind_mlp(b, &layer->mlp, &dense, -1, a->hidden, a->intermediate,
                 laser_share_columns(a->intermediate, m->group.index, m->group.count), a->mlp_bias);
}

/* A table [rows, H] of which the shard has a share of the rows; never transposed. */
static void bind_table(struct laser_binder *b, struct laser_part *part, const char *name, int64_t rows,
                       struct laser_share share)
{
    enum laser_storage storage = LASER_STORED_F32;
    int64_t hidden = b->model->arch.embed_width, tensor = laser_bind_find(b, name, 0, rows, hidden, &storage);

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
    int64_t h = m->arch.hidden, width = m->arch.embed_width;

    b->prefix = "";
    laser_bind_outputs(b, &m->head_dense, &m->head_dense_bias, 0, n->head_dense, -1,
                       (struct laser_piece){width, h, 0, width, 0, h, 0}, m->arch.head_dense_bias);
    laser_bind_norm(b, &m->head_norm, n->head_norm, width);
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

/* The table of relative positions, and its norm. */
static void bind_relative(struct laser_binder *b)
{
    struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    enum laser_storage storage = LASER_STORED_F32;
    char buffer[LASER_NAME_BYTES];
    int64_t rows = 2 * a->disentangled.span, tensor;

    if (rows > 0) {
        laser_bind_name(b, buffer, a->names->relative, -1, ".weight");
        tensor = laser_bind_find(b, buffer, 0, rows, a->hidden, &storage);
        if (tensor < 0)
            return;
        m->relative.stored = storage;
        m->relative.out = rows;
        m->relative.in = a->hidden;
        laser_bind_add(b, (struct laser_binding){
                              .part = &m->relative, .tensor = tensor, .count = rows, .stride = a->hidden});
    }
    if (a->disentangled.normed)
        laser_bind_norm(b, &m->relative_norm, a->names->relative_norm, a->hidden);
}

/* The convolution beside the first layer. */
static void bind_side(struct laser_binder *b)
{
    struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    int64_t size = a->hidden * (a->hidden / a->side_groups) * a->side_kernel;
    char buffer[LASER_NAME_BYTES];

    laser_bind_flat(b, &m->side, 0, laser_bind_name(b, buffer, a->names->side, -1, ".weight"), size, 0, size);
    laser_bind_values(b, &m->side_bias, 0, laser_bind_name(b, buffer, a->names->side, -1, ".bias"), a->hidden,
                      0, a->hidden);
    laser_bind_norm(b, &m->side_norm, a->names->side_norm, a->hidden);
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
    if (a->token_types > 0)
        bind_table(b, &m->type_table, laser_bind_name(b, positions, a->names->types, -1, ".weight"),
                   a->token_types, (struct laser_share){0, m->group.index == 0});
    laser_bind_norm(b, &m->embed_norm, a->names->embed_norm, a->embed_norm_late ? a->hidden : a->embed_width);
    if (a->embed_projects)
        laser_bind_outputs(
            b, &m->embed_project, &m->embed_project_bias, 0, a->names->embed_project, -1,
            (struct laser_piece){a->hidden, a->embed_width, 0, a->hidden, 0, a->embed_width, 0},
            a->embed_project_bias);
    bind_relative(b);
    if (a->side_kernel)
        bind_side(b);
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

        if (m->tensor_layer[i] == -2 && !laser_names_ignore(m->arch.names, name) && is_ours(b, name))
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

static int bind_all(struct laser_binder *b)
{
    const struct laser_arch *a = &b->model->arch;

    bind_ends(b);
    for (b->layer = 0; b->layer < a->layers && b->result == LASER_OK; b->layer++)
        if (laser_arch_weights_of(a, b->layer) == b->layer)
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

/* A wrapper may have been stored without its language model: the towers alone. */
static void refuse_no_text(struct laser_binder *b)
{
    const struct laser_model *m = b->model;

    if (m->arch.wrapper)
        laser_bind_fail(
            b, LASER_EINPUT, m->checkpoint->model,
            "the checkpoint of a %s model holds no weights of its language model, %s, whose names would "
            "begin with %s",
            m->arch.wrapper->model_type, m->arch.model_type, b->prefix);
}

int laser_model_bind(struct laser_model *model, struct laser_error *err)
{
    struct laser_binder b = {.model = model, .layer = -1, .err = err};
    const struct laser_names *names = model->arch.names;

    while (!is_spelled(&b, names) && names->also)
        names = names->also;
    if (is_spelled(&b, names)) {
        model->arch.names = names;
    } else {
        is_spelled(&b, model->arch.names);
        refuse_no_text(&b);
    }
    if (bind_all(&b) == LASER_OK)
        refuse_unused_ranks(&b);
    if (b.result == LASER_OK)
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
