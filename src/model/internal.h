/* Inside of src/model: the weights of one shard and the working memory. */
#ifndef LASER_MODEL_INTERNAL_H
#define LASER_MODEL_INTERNAL_H

#include <math.h>

#include "kernels/attention.h"
#include "kernels/head.h"
#include "kernels/linear.h"
#include "model/gradient.h"
#include "model/model.h"

/* A matrix or a vector in memory.  Absent (out == 0): the model has none, or this shard has no part of it. */
struct laser_part {
    int64_t out, in; /* in == 0: a vector of out values */
    enum laser_storage stored;
    enum laser_precision precision;
    int64_t offset_bytes, size_bytes; /* in the arena */
    void *own;                        /* private copy that replaces the arena's */
    const struct laser_part *bias;    /* of a matrix, or NULL */
    float shift;                      /* of a vector: added to what the checkpoint holds */
    float factor;                   /* of a vector: what the checkpoint holds is multiplied by it; 0: by 1 */
    struct laser_linear linear;     /* matrix, ready after loading */
    float *values;                  /* vector, ready after loading */
    struct laser_thin *thin;        /* what replaces some of its outputs, in their order (thin.c) */
    int64_t first_piece, pieces;    /* of a linear weight: in the model's list, also where it is absent */
    struct laser_split *split;      /* of a matrix: the pieces that it consists of, or NULL (split.c) */
    int64_t bias_first;             /* of a piece: its first output in the bias */
    const struct laser_part *whole; /* of a piece, or of what all thin pieces share: the part */
};

/* A piece of a linear weight of the checkpoint that a part has, or, where other shards have all of it, could
 * have: its outputs follow those of the piece before. */
struct laser_bound_piece {
    int64_t tensor, origin, layer, rows, columns, first_column, column_count;
    bool transposed;
    bool thin;             /* the second factor of a weight: its inputs are the outputs of the first */
    int64_t inner, inputs; /* thin: tensor of the first factor, and its columns */
};

/* Some outputs of a part that the checkpoint holds as a product of two thin matrices, or the dense ones
 * between them. */
struct laser_split_piece {
    int64_t first, count;   /* outputs of the part */
    int64_t rank;           /* 0: dense */
    int64_t middle;         /* thin: where its inputs stand among those of all thin pieces */
    int64_t tensor;         /* thin: of its second factor */
    struct laser_part part; /* dense: count x in; thin: the second factor, count x rank */
    struct laser_split_piece *next;
};

/* A part in pieces: it has no bytes of its own. */
struct laser_split {
    struct laser_part in; /* the first factors of all thin pieces, one after another: sum of ranks x in */
    struct laser_split_piece *pieces;
    struct laser_split *next; /* of the model */
};

/* Where some outputs of a part come from: count rows of `in` elements (or values, for a vector). */
struct laser_binding {
    struct laser_part *part;
    int64_t tensor;       /* index in the checkpoint */
    int64_t first, count; /* outputs of the part */
    int64_t origin;       /* element of the tensor where they start */
    int64_t stride;       /* elements from one stored row to the next */
    bool transposed;      /* the outputs are columns of the stored rows */
};

struct laser_mlp {
    struct laser_part up, up_bias; /* gated: gate and up, one after the other */
    struct laser_part down, down_bias;
    int64_t columns;
};

struct laser_norm {
    struct laser_part weight, bias;
};

/* The ways through latents, latent.c: down on every shard, up to its heads. */
struct laser_latent_parts {
    struct laser_part q_down, q_down_bias, q_up, q_up_bias, kv_down, kv_down_bias, kv_up;
    struct laser_norm q_norm, kv_norm;
};

/* The gated delta rule, delta.c: `in` gives, for this shard's heads, queries, keys, values, gates, beta,
 * decay. */
struct laser_delta_parts {
    struct laser_part in, conv, dt, decay, norm, out;
};

/* A recurrence: `in` gives, for this shard's heads, x, B, C, gates, time steps (state_space.c), x and gates
 * (selective.c), B, C and x (short_convolution.c), or queries, keys and values of each head (lightning.c). */
struct laser_mixer_parts {
    struct laser_part in, in_bias, conv, conv_bias, out, out_bias;
    struct laser_part dt, decay, skip, norm;
    struct laser_part x, step, step_bias, step_norm, b_norm, c_norm; /* selective.c */
    struct laser_part gate;                                          /* lightning.c */
};

/* The decays of lightning attention, where the checkpoint holds them. */
struct laser_decay_parts {
    struct laser_part rate, query, key, diagonal;
};

/* first .. first + count - 1 of something that is split among the shards. */
struct laser_share {
    int64_t first, count;
};

struct laser_layer {
    struct laser_norm attention_norm, mlp_norm, post_attention_norm, post_mlp_norm, q_norm, k_norm;
    struct laser_part qkv, qkv_bias, o, o_bias;
    struct laser_part relative, relative_bias; /* disentangled.c: of the table, queries and then keys */
    struct laser_latent_parts latent;
    struct laser_part gate; /* of the attention's output */
    struct laser_delta_parts delta;
    struct laser_mixer_parts mix;
    struct laser_decay_parts decays;
    enum laser_mixer mixer;
    bool bare;           /* no MLP */
    int64_t tail, state; /* floats that a sequence leaves behind: inputs of the convolution, states */
    int64_t memory;      /* where they stand in a cache */
    struct laser_part moe_down, moe_down_bias, moe_up, moe_up_bias; /* around experts of another width */
    struct laser_part sinks;
    struct laser_part activation; /* 4 parameters */
    struct laser_mlp mlp;         /* where the layer is dense */
    struct laser_part router, router_bias, correction;
    struct laser_mlp *experts; /* [E] or NULL */
    struct laser_mlp shared;
    struct laser_part shared_router;
    int64_t window;
    int64_t head_size;           /* D here */
    struct laser_share kv_heads; /* of this shard here */
    const int *kv_of_head;
    struct laser_part scalar; /* of the states behind the layer */
    float attention_scale;
    int rope; /* 0: none, 1: arch.rope, 2: arch.local_rope */
};

struct laser_model {
    struct laser_arch arch;
    struct laser_model_group group;
    const struct laser_checkpoint *checkpoint;
    enum laser_precision precision;
    struct laser_share heads, kv_heads, vocabulary, positions;
    struct laser_share delta_heads; /* key heads of the delta rule */
    struct laser_share mix_heads, mix_groups;
    struct laser_share full_kv_heads;  /* in layers without a window */
    int *kv_of_head, *full_kv_of_head; /* [heads.count] */
    float *slopes;                     /* [heads.count] or NULL */

    struct laser_part embed, position_table, type_table, head, head_bias;
    struct laser_part embed_project, embed_project_bias; /* on every shard */
    struct laser_part head_dense, head_dense_bias;       /* masked: before the head, on every shard */
    struct laser_part relative; /* disentangled.c: the table of relative positions, on every shard */
    struct laser_part side,
        side_bias; /* disentangled.c: a convolution beside the first layer, on every shard */
    struct laser_norm embed_norm, final_norm, head_norm, relative_norm, side_norm;
    const struct laser_part *output; /* the head, or the embedding where they are tied */
    struct laser_layer *layers;
    struct laser_mlp *experts; /* of all layers */

    struct laser_binding *bindings;
    int64_t binding_count, binding_room;
    struct laser_bound_piece *pieces;
    struct laser_model_rows *piece_rows; /* which rows of each piece's matrix */
    int64_t piece_count, piece_room;
    int64_t *tensor_layer; /* [tensors of the checkpoint], -2: not used */
    struct laser_split *splits;
    int64_t arena_bytes;
    unsigned char *arena;
    bool arena_is_ours, fills, arch_is_lent;
};

struct laser_model_cache {
    int64_t positions, length, layer_size;
    float *keys, *values; /* [L, positions, kv_heads D]; keys are turned */
    float *states[2];     /* behind the cached tokens; behind the batch's.  Of all layers, or NULL. */
    int64_t states_size;
    struct laser_scratch scratch;
};

struct laser_model_workspace {
    const struct laser_model *model;
    int64_t max_tokens, mlp_tokens, bytes;
    void *memory;
    float *normed;  /* [N, H], or of the embedding's width where that is more */
    float *sum;     /* as normed */
    float *qkv;     /* [N, (heads + 2 kv_heads) D] */
    float *context; /* [N, heads D] */
    float *chain;   /* [N, 2 kv_heads D]: keys and values of all that a sequence goes on from, and its own */
    float *up;      /* [mlp_tokens, 2 columns or columns] */
    float *relative_states, *relative; /* disentangled.c: [2 span, H]; [2 span, (heads + 2 kv_heads) D] */
    float *scores;                     /* [N] */
    int64_t *relative_rows;            /* [2 N] */
    float *side, *side_window;         /* [N, H]; [kernel H / groups] */
    float *cosines, *sines, *frequencies;
    float *local_cosines, *local_sines; /* of arch.local_rope */
    float *latent,
        *raised;  /* latent.c: [N, longest latent], [N, widest way up]; or gates, or delta.c's inputs */
    float *state; /* mixer.c: what one sequence leaves behind in one layer */
    float *scratch_state;            /* what a step of a recurrence needs besides */
    float *narrow;                   /* moe.c: [N, 2 width] where experts are of another width */
    int64_t table_first;             /* position of the first row of the tables */
    int64_t table_length;            /* rows that are valid */
    struct laser_head_token *tokens; /* [N] */
    float *pairs;                    /* [2 N] */
    int64_t *targets;                /* [N] */
    /* experts */
    float *gathered, *expert_out; /* [mlp_tokens, H] */
    float *router, *choice;       /* [N, E], [E] */
    float *weights;               /* [N, per token] */
    int32_t *chosen;              /* [N, per token] */
    int64_t *slot_start;          /* [E + 1] */
    int64_t *slots;               /* [N, per token]: token * per_token + choice, sorted by expert */
    struct laser_scratch scratch;
    /* Where an attention block leaves what its backward needs; NULL: nowhere. */
    float *softmax;  /* [N, heads, 2] */
    float *unnormed; /* as qkv: queries, keys and values before their norm or clip */
    float *unclosed; /* [N, heads D]: the context before it is cut, gated or scaled */
};

/* bind.c: fills parts, bindings (with binder.c) and sizes. */
int laser_model_bind(struct laser_model *model, struct laser_error *err);

/* shard.c: the share of shard `index` of `count` in n, cut at multiples of `grain` where there is enough. */
struct laser_share laser_share_of(int64_t n, int index, int count, int64_t grain);
/* What of a share is below n. */
struct laser_share laser_share_within(struct laser_share share, int64_t n);
/* MLP columns and experts of a shard, see shard.c. */
struct laser_share laser_share_columns(int64_t columns, int index, int count);
bool laser_share_whole_experts(const struct laser_arch *arch, int count);
struct laser_share laser_share_kv_heads(int64_t heads, int64_t kv_heads, struct laser_share mine);

/* model.c: a model of this architecture whose tensors are not looked for: all parts have their sizes, as if
 * everything were stored in one type.  note (may be NULL) is told of every tensor, some more than once: rows
 * x cols, `stack` of them (0: not a stack), cols 0: a vector.  Free with laser_model_free. */
typedef void laser_sketch_note(void *context, const char *name, int64_t stack, int64_t rows, int64_t cols);
int laser_model_sketch(const struct laser_arch *arch, const struct laser_model_group *group,
                       enum laser_precision precision, enum laser_storage stored, laser_sketch_note *note,
                       void *context, struct laser_model **model, struct laser_error *err);

/* load.c: every part that is there, in a fixed order, a bias before its matrix. */
typedef void laser_part_visitor(struct laser_model *model, struct laser_part *part, struct laser_part *bias,
                                enum laser_precision precision, void *context);
void laser_model_visit(struct laser_model *model, laser_part_visitor *visit, void *context);

/* workspace.c: bytes of the working arrays of batches of up to max_tokens. */
int64_t laser_model_working_bytes(const struct laser_model *model, int64_t max_tokens);

/* load.c: gives every part its place; bytes of all, or -1 if they overflow. */
int64_t laser_model_place(struct laser_model *model);

/* forward.c: LASER_OK at once where there is one shard. */
int laser_model_group_sum(const struct laser_model *model, float *x, int64_t n, struct laser_error *err);
int laser_model_group_max(const struct laser_model *model, float *x, int64_t n, struct laser_error *err);

/* attention.c: the heads of this shard, from the normed states x[N, H] into ws->context, with queries and
 * keys as turned in ws->qkv.  Collective where queries and keys are normed over all heads. */
int laser_model_heads(const struct laser_model *model, struct laser_model_workspace *ws,
                      const struct laser_layer *layer, const struct laser_model_batch *batch, const float *x,
                      struct laser_error *err);

/* Sequences of one batch that are computed together: `count` of `length` tokens each in consecutive rows from
 * `row` on.  Starts from {0}; false after the last. */
struct laser_model_run {
    int64_t first, count, length, row;
};
bool laser_model_next_run(const struct laser_model_batch *batch, struct laser_model_run *run);

struct laser_attention laser_model_attention_shape(const struct laser_model *model,
                                                   const struct laser_layer *layer, int64_t sequences,
                                                   int64_t queries, int64_t offset);

/* attention.c: out (+)= the shard's part of the attention block of the normed states x[N, H].  Collective
 * where queries and keys are normed over all heads. */
int laser_model_attention(const struct laser_model *model, struct laser_model_workspace *ws,
                          const struct laser_layer *layer, const struct laser_model_batch *batch,
                          const float *x, float *out, enum laser_output output, struct laser_error *err);

/* The heads as what the output projection reads, ws->context[N, context width]. */
int laser_model_closed_heads(const struct laser_model *model, struct laser_model_workspace *ws,
                             const struct laser_layer *layer, const struct laser_model_batch *batch,
                             const float *x, struct laser_error *err);

static inline int64_t laser_model_context_width(const struct laser_model *m, const struct laser_layer *layer)
{
    return m->heads.count * (m->arch.latent.kv_rank ? m->arch.latent.value : layer->head_size);
}

/* Queries of rows that stand at first + row % length grow with their positions, in place in qkv. */
void laser_model_warm(const struct laser_model *model, const struct laser_layer *layer, int64_t rows,
                      int64_t first, int64_t length, float *qkv);

/* qk_norm.c: norms of queries and keys in place, n rows of qkv. */
void laser_model_norm_heads(const struct laser_model *model, const struct laser_layer *layer, int64_t n,
                            float *qkv);
int laser_model_norm_whole(const struct laser_model *model, struct laser_model_workspace *ws,
                           const struct laser_layer *layer, int64_t n, struct laser_error *err);

/* latent.c: ws->qkv[n] from the normed states, each head with its turned elements first; and ws->context[n]
 * down to the elements that values have. */
void laser_model_latent(const struct laser_model *model, struct laser_model_workspace *ws,
                        const struct laser_layer *layer, int64_t n, const float *x);
void laser_model_latent_close(const struct laser_model *model, struct laser_model_workspace *ws, int64_t n);

/* disentangled.c: ws->relative of a layer; then the attention of sequences in consecutive rows of qkv. */
void laser_model_disentangled_begin(const struct laser_model *model, struct laser_model_workspace *ws,
                                    const struct laser_layer *layer);
void laser_model_disentangled(const struct laser_model *model, struct laser_model_workspace *ws,
                              const struct laser_layer *layer, int64_t sequences, int64_t length,
                              const float *qkv, float *context);
int64_t laser_model_relative_width(const struct laser_model *model);

/* The convolution beside the first layer: of what the layer reads into ws->side; and with what it gives. */
void laser_model_side_begin(const struct laser_model *model, struct laser_model_workspace *ws,
                            const struct laser_model_batch *batch, const float *hidden);
void laser_model_side_close(const struct laser_model *model, struct laser_model_workspace *ws, int64_t n,
                            float *hidden);

/* The rotary tables for `length` tokens from position `first` on, unless they are there. */
void laser_model_fill_tables(const struct laser_model *model, struct laser_model_workspace *ws, int64_t first,
                             int64_t length);

/* cache.c: n rows of keys and values, each of `width` floats, go behind the cached ones of a layer. */
void laser_model_cache_write(struct laser_model_cache *cache, int64_t layer, int64_t n, int64_t width,
                             const float *k, const float *v, int64_t stride);

static inline float *laser_model_cache_keys(const struct laser_model_cache *cache, int64_t layer)
{
    return cache->keys + layer * cache->layer_size;
}

static inline float *laser_model_cache_values(const struct laser_model_cache *cache, int64_t layer)
{
    return cache->values + layer * cache->layer_size;
}

/* Tokens before those of the batch. */
static inline int64_t laser_model_batch_start(const struct laser_model_batch *batch)
{
    return batch->cache ? batch->cache->length : 0;
}

/* thin.c: y (+)= part(x), as laser_linear_apply, with the factors of weights that have some.  A part of
 * several weights is always stored, never added. */
void laser_part_apply(const struct laser_part *part, int64_t n, const float *x, int64_t x_stride, float *y,
                      int64_t y_stride, enum laser_output output, const struct laser_scratch *scratch);

/* The same for a part that is not split. */
void laser_part_apply_whole(const struct laser_part *part, int64_t n, const float *x, int64_t x_stride,
                            float *y, int64_t y_stride, enum laser_output output,
                            const struct laser_scratch *scratch);
void laser_part_drop_thin(struct laser_part *part);

/* Room for the transposes of blocks of weights, and for products with them. */
struct laser_turning {
    void *packed;
    int64_t packed_bytes;
    struct laser_scratch scratch;
    float *middle, *middle_delta; /* [N, widest] between the factors of a split part: states, gradients */
};

/* Outputs of a weight that are transposed at a time: as many inputs as the product takes at a time anyway. */
enum { LASER_TURNED = 1024 };

/* dx (+)= dy W of a part that is not split. */
void laser_part_apply_whole_backward(const struct laser_part *part, int64_t n, const float *dy,
                                     int64_t dy_stride, float *dx, int64_t dx_stride,
                                     enum laser_output output, const struct laser_turning *turning);

/* dx (+)= dy W of a part, the gradient at its input from that at its output.  packed holds 32 rows as long as
 * the longer side of the weight, or more. */
void laser_part_apply_backward(const struct laser_part *part, int64_t n, const float *dy, int64_t dy_stride,
                               float *dx, int64_t dx_stride, enum laser_output output,
                               const struct laser_turning *turning);
/* split.c: where the next `count` outputs of a part are bound, from `first` on; *offset: the first of them in
 * the part that is returned.  rank 0: dense; otherwise the second factor is `tensor`, and *in_first (may be
 * NULL) is where its first factor starts in part->split->in, or -1 if that is bound already.  NULL: no
 * memory. */
struct laser_part *laser_split_extend(struct laser_model *model, struct laser_part *part, int64_t first,
                                      int64_t count, int64_t rank, int64_t tensor, int64_t *offset,
                                      int64_t *in_first);
void laser_split_apply(const struct laser_part *part, int64_t n, const float *x, int64_t x_stride, float *y,
                       int64_t y_stride, enum laser_output output, const struct laser_scratch *scratch);
/* As laser_part_apply_backward. */
void laser_split_apply_backward(const struct laser_part *part, int64_t n, const float *dy, int64_t dy_stride,
                                float *dx, int64_t dx_stride, enum laser_output output,
                                const struct laser_turning *turning);
int64_t laser_split_scratch_size(const struct laser_split *split, int64_t tokens);
void laser_split_free_all(struct laser_model *model);

/* mlp.c: y = norm(x) for n rows of H; y may be x. */
void laser_model_norm(const struct laser_arch *arch, const struct laser_norm *norm, int64_t n, const float *x,
                      float *y);
void laser_model_norm_width(const struct laser_arch *arch, const struct laser_norm *norm, int64_t n,
                            int64_t width, const float *x, float *y);

/* out[n, width] (+)= part(x), where the shard may have no part but still the bias to add. */
void laser_model_project(const struct laser_part *part, const struct laser_part *bias, int64_t n,
                         const float *x, int64_t x_stride, int64_t width, float *out,
                         enum laser_output output, const struct laser_scratch *scratch);

/* out (+)= the shard's part of the MLP of the normed states x[n, H]. */
void laser_model_mlp(const struct laser_model *model, struct laser_model_workspace *ws,
                     const struct laser_layer *layer, int64_t n, const float *x, float *out,
                     enum laser_output output);

/* The same of a layer without experts. */
void laser_model_mlp_dense(const struct laser_model *model, struct laser_model_workspace *ws,
                           const struct laser_layer *layer, int64_t n, const float *x, float *out,
                           enum laser_output output);

/* The up projection and the activation of n <= mlp_tokens rows into ws->up; returns its stride. */
int64_t laser_model_mlp_up(const struct laser_model *model, struct laser_model_workspace *ws,
                           const struct laser_layer *layer, const struct laser_mlp *mlp, int64_t n,
                           const float *x);

/* The parameters of a layer's activation. */
struct laser_xielu laser_model_xielu(const struct laser_layer *layer);

/* head.c: ws->normed[n, H] from the last layer's states. */
void laser_model_finish(const struct laser_model *model, struct laser_model_workspace *ws, int64_t n,
                        const float *hidden);

struct laser_head laser_model_head(const struct laser_model *model);

/* Merges what the shards found of the logits of ws->tokens[n]. */
int laser_model_merge(const struct laser_model *model, struct laser_model_workspace *ws, int64_t n,
                      struct laser_error *err);

/* pair.c: all that is bound but the head has no part in the model any more. */
void laser_model_keep_head(struct laser_model *model);

/* moe.c */
/* Softmax of one row of E logits, in place. */
void laser_model_softmax(float *x, int64_t n);

/* Fills ws->chosen, ws->weights and the slots of each expert. */
void laser_model_route(const struct laser_model *model, struct laser_model_workspace *ws,
                       const struct laser_layer *layer, int64_t n, const float *x);

void laser_model_moe(const struct laser_model *model, struct laser_model_workspace *ws,
                     const struct laser_layer *layer, int64_t n, const float *x, float *out,
                     enum laser_output output);

/* ws->context[n, gate's outputs] times the sigmoid of gate(x); uses ws->raised. */
void laser_model_apply_gate(const struct laser_part *gate, struct laser_model_workspace *ws, int64_t n,
                            const float *x, int64_t hidden);

/* mixer.c: what the layer has before its MLP, as laser_model_attention. */
int laser_model_mix(const struct laser_model *model, struct laser_model_workspace *ws,
                    const struct laser_layer *layer, const struct laser_model_batch *batch, const float *x,
                    float *out, enum laser_output output, struct laser_error *err);

/* Runs the sequences of a batch one after another: rows[length, stride] to out[length, width], with what earlier
 * tokens left behind (layer->tail floats, then layer->state), which becomes what these leave. */
typedef void laser_sequence_run(const struct laser_model *model, struct laser_model_workspace *ws,
                                const struct laser_layer *layer, int64_t length, float *rows, float *memory,
                                float *out);
void laser_model_run_sequences(const struct laser_model *model, struct laser_model_workspace *ws,
                               const struct laser_layer *layer, const struct laser_model_batch *batch,
                               laser_sequence_run *run, int64_t stride, int64_t width);

/* The states alone at the beginning of a sequence. */
float *laser_model_begin_state(struct laser_model_workspace *ws, const struct laser_layer *layer,
                               const struct laser_model_batch *batch);

/* Floats that a layer's sequences leave behind on this shard: layer->tail and layer->state. */
void laser_model_size_memory(const struct laser_model *model, struct laser_layer *layer);

/* convolve.c: causal convolution over time of the first `channels` of rows[length, stride] in place, then SiLU
 * where asked for; weight[channels, kernel], bias may be NULL, tail[kernel - 1, channels]: the inputs before the
 * first row, which become those before the next. */
void laser_model_convolve(const float *weight, const float *bias, int64_t kernel, int64_t channels, bool silu,
                          int64_t length, float *rows, int64_t stride, float *tail);

static inline float laser_sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* Slope of x sigmoid(x). */
static inline float laser_silu_slope(float x)
{
    float s = laser_sigmoid(x);

    return s * (1 + x * (1 - s));
}

static inline float laser_softplus(float x)
{
    return x > 20 ? x : log1pf(expf(x));
}

/* Each in a file of its own: a layer's mixer, as laser_model_attention. */
typedef int laser_mixer_apply(const struct laser_model *model, struct laser_model_workspace *ws,
                              const struct laser_layer *layer, const struct laser_model_batch *batch,
                              const float *x, float *out, enum laser_output output, struct laser_error *err);
laser_mixer_apply laser_model_delta, laser_model_state_space, laser_model_selective,
    laser_model_short_convolution, laser_model_lightning;

/* Values of the delta rule on this shard: heads x size. */
static inline int64_t laser_delta_width(const struct laser_model *m)
{
    const struct laser_delta *d = &m->arch.delta;

    return d->key_heads ? m->delta_heads.count * (d->value_heads / d->key_heads) * d->value_size : 0;
}

/* Largest of one layer on this shard: floats of a row of queries; of keys. */
int64_t laser_model_query_width(const struct laser_model *model);
int64_t laser_model_key_width(const struct laser_model *model);

/* Forwards of one token, which the way back takes again: delta.c, state_space.c, selective.c. */
void laser_delta_step(const struct laser_delta *delta, float decay, float beta, const float *q,
                      const float *k, const float *v, float *state, float *recalled, float *out);
void laser_state_space_step(const struct laser_recurrence *mix, float decay, float dt, float skip,
                            const float *x, const float *b, const float *c, float *state, float *stepped,
                            float *y);
void laser_selective_step(int64_t states, int64_t channels, const float *rate, const float *skip,
                          const float *x, const float *gate, const float *dt, const float *b, const float *c,
                          float *state, float *y);

/* Sequences as laser_model_run_sequences takes them. */
laser_sequence_run laser_delta_run, laser_state_space_run, laser_selective_convolve, laser_lightning_run,
    laser_short_convolution_run;

/* state_space.c: floats of a row that comes in: x, B, C, gates, time steps. */
struct laser_state_row {
    int64_t x, b, c, gate, step, width;
};
struct laser_state_row laser_state_row_of(const struct laser_model *model);
void laser_state_space_scale(const struct laser_model *model, int64_t n, float *rows);
/* y[n, width] times SiLU of the gates in rows. */
void laser_state_space_gate(const struct laser_state_row *at, int64_t n, const float *rows, float *y);
/* RMS norm over the heads of each group, of which other shards may have some.  Collective. */
int laser_state_space_norm(const struct laser_model *model, struct laser_model_workspace *ws,
                           const struct laser_layer *layer, int64_t n, float *y, struct laser_error *err);

/* selective.c: -exp(A), turned to [state, channels]; and, collective, the latents of n rows in ws->latent, with
 * the time steps from them at `steps`; unnormed (may be NULL): as the latents, before their norms. */
void laser_selective_rates(const struct laser_model *model, const struct laser_layer *layer, float *rates);
int laser_selective_inner(const struct laser_model *model, struct laser_model_workspace *ws,
                          const struct laser_layer *layer, int64_t n, float *steps, float *unnormed,
                          struct laser_error *err);

/* lightning.c: one head's decays. */
struct laser_decays {
    float rate;
    const float *query, *key, *diagonal; /* [block], [block], [block, block], or NULL: as the rate says */
    int64_t block;
};
struct laser_decays laser_lightning_decays(const struct laser_model *model, const struct laser_layer *layer,
                                           int64_t head);
void laser_lightning_block(const struct laser_decays *decays, int64_t n, int64_t size, const float *q,
                           int64_t stride, float *state, float *out, int64_t out_stride);
/* RMS norm of ws->context over the heads of all shards; leaves the sums of squares in ws->pairs[n].  Collective. */
int laser_lightning_norm(const struct laser_model *model, struct laser_model_workspace *ws,
                         const struct laser_layer *layer, int64_t n, struct laser_error *err);

/* workspace.c: the longest latent, and the widest way up from one or into a mixer; outputs of recurrences. */
void laser_model_raised_widths(const struct laser_model *model, int64_t *latent, int64_t *raised);
int64_t laser_model_mixed_width(const struct laser_model *model);

/* Is there a norm of this kind in the layer? */
static inline bool laser_norm_present(const struct laser_arch *arch, const struct laser_norm *norm)
{
    return arch->norm_plain || norm->weight.out > 0;
}

/* Rows of an MLP at a time in batches of up to n tokens: enough for the products, little memory. */
static inline int64_t laser_model_mlp_rows(int64_t n)
{
    return n < 1024 ? n : 1024;
}

static inline bool laser_part_present(const struct laser_part *part)
{
    return part->out > 0;
}

#endif
