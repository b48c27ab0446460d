/* Inside of src/model: the backward pass of one batch, and what its parts share. */
#ifndef LASER_MODEL_BACKWARD_H
#define LASER_MODEL_BACKWARD_H

#include "model/internal.h"

/* What the forward of a layer leaves for its backward. */
struct laser_inside {
    float *qkv;      /* [N, (heads + 2 kv_heads) D], queries and keys turned */
    float *context;  /* [N, heads D] the output of the attention */
    float *softmax;  /* [N, heads, 2] */
    float *unnormed; /* as qkv, before norms and clips, where there are some */
    float *
        unclosed; /* [N, heads D] the output of the attention before it is cut, gated or scaled; NULL: it is not */
    float *middle;          /* [N, H] hidden states between attention and MLP; not where they are parallel */
    float *attention, *mlp; /* [N, H] what goes into a norm behind a block, where there is one */
    float *up;              /* [N, columns or 2 columns] before the activation, then the gradient there */
};

struct laser_model_gradient {
    const struct laser_model *model;
    int64_t max_tokens, bytes, kept; /* kept: of so many layers, the last ones, the insides stay */
    void *memory;
    float *states; /* [L + 1, N, H] before each layer, and after the last */
    float *delta;  /* [N, H] the gradient at the hidden states, the same on every shard */
    float *normed; /* [N, H] the gradient at the input of a block; where there are experts, behind the n rows
                      of the batch the gradients at the routing weights [n, per token] and at the gate of the
                      shared expert [n]: all of it goes through one sum */
    float *heads;  /* [N, heads D] the gradient at the output of the attention, or of what is in its place */
    float *activated;                 /* [N, columns], then the gradient there */
    float *block;                     /* [N, H] the gradient at the output of a block, and other short uses */
    float *largest;                   /* [N] logit of this shard */
    int64_t *rows;                    /* [N] of the batch: those with a target, those of an expert */
    float *gathered, *gathered_delta; /* [N, H], of an expert */
    float *scaled;                    /* [N, H], of laser_backward_scaled */
    float *raw,
        *rising; /* [N, widest way into a mixer]: what came in before its convolution; the gradient there */
    float *context;                /* [N, 2 of a mixer's outputs]: outputs before gates and norms */
    float *sums;                   /* [N, widest]: what goes through a sum over the shards */
    float *step, *memory_of_steps; /* of one step of a recurrence; of laser_backward_steps */
    float *teacher; /* [N, H] of another model's gradient at the input of the head, for rows with a target */
    enum { LASER_TEACHER_NONE, LASER_TEACHER_RECORD, LASER_TEACHER_SUBTRACT } teaching;
    bool taught; /* the next run takes what was recorded off */
    struct laser_turning turning;
    struct laser_inside inside; /* of the current layer */
    struct laser_inside
        shared; /* of all layers whose insides do not stay; its qkv and context are the workspace's */
    struct laser_inside *insides; /* [kept] */
};

/* One pass. */
struct laser_backward {
    const struct laser_model *model;
    struct laser_model_workspace *ws;
    struct laser_model_gradient *gradient;
    const struct laser_model_batch *batch;
    int64_t n;
    const struct laser_model_gradient_sink *sink;
    struct laser_error *err;
};

/* Is it a pass for the inputs of the layers alone? */
static inline bool laser_backward_inputs_only(const struct laser_backward *b)
{
    return b->sink && b->sink->inputs_only;
}

/* Which side of a weight the shards share out. */
enum laser_shared_side { LASER_SPLIT_NONE, LASER_SPLIT_OUTPUTS, LASER_SPLIT_INPUTS };

/* gradient.c: hands the weights of a part to the sink. */
int laser_backward_report(const struct laser_backward *b, const struct laser_part *part,
                          enum laser_shared_side split, int64_t n, const float *x, int64_t x_stride,
                          const float *delta, int64_t delta_stride, const int64_t *token_rows);

/* dx[n, width] (+)= dy W, where the shard may have no part. */
void laser_backward_project(const struct laser_backward *b, const struct laser_part *part, int64_t n,
                            const float *dy, int64_t dy_stride, int64_t width, float *dx,
                            enum laser_output output);

/* dx (+)= the gradient at x of laser_model_norm; dx may be dy or x where nothing is added. */
void laser_backward_norm(const struct laser_backward *b, const struct laser_norm *norm, int64_t n,
                         const float *x, const float *dy, float *dx, bool add);

/* The same of laser_model_norm_width. */
void laser_backward_norm_width(const struct laser_backward *b, const struct laser_norm *norm, int64_t n,
                               int64_t width, const float *x, const float *dy, float *dx, bool add);

/* layer_backward.c: the forward of a layer into gradient->inside, and, if next is not NULL, the hidden states
 * after it. */
int laser_backward_forward(const struct laser_backward *b, const struct laser_layer *layer,
                           const float *hidden, float *next);

/* gradient->delta after a layer becomes that before it, from gradient->inside. */
int laser_backward_layer(const struct laser_backward *b, const struct laser_layer *layer,
                         const float *hidden);

/* What the softmax of the attention gave. */
static inline const float *laser_backward_unclosed(const struct laser_backward *b)
{
    return b->gradient->inside.unclosed ? b->gradient->inside.unclosed : b->ws->context;
}

/* scale x[N, H], where scale is not 1 in gradient->scaled. */
const float *laser_backward_scaled(const struct laser_backward *b, float scale, const float *x);

/* What a layer has before its MLP: from gradient->inside or, where that has nothing, from x; dx = the shard's part of the gradient at x, the input of the
 * block, from delta at its output. */
typedef int laser_backward_mixer(const struct laser_backward *b, const struct laser_layer *layer,
                                 const float *x, const float *delta, float *dx);
laser_backward_mixer laser_backward_mix, laser_backward_attention, laser_backward_delta,
    laser_backward_state_space, laser_backward_selective, laser_backward_short_convolution,
    laser_backward_lightning;

/* latent_backward.c: from the gradients of queries, keys and values in ws->qkv. */
int laser_backward_latent(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                          float *dx);

/* qk_norm_backward.c: ws->qkv through norms and clips before the rotation, collective; and rows of it through
 * norms of heads, wherever they stand. */
int laser_backward_qk_norm(const struct laser_backward *b, const struct laser_layer *layer);
void laser_backward_norm_heads(const struct laser_backward *b, const struct laser_layer *layer, int64_t row,
                               int64_t rows);

/* backward_parts.c: ws->raised and gradient->raw = in(x); and back for each sequence of the batch. */
void laser_backward_enter(const struct laser_backward *b, const struct laser_part *in, const float *x);
void laser_backward_sequences(const struct laser_backward *b, const struct laser_layer *layer,
                              void (*back)(const struct laser_backward *b, const struct laser_layer *layer,
                                           int64_t row, int64_t length));

/* steps_backward.c: a recurrence of `size` floats, from zeros.  forward: the state before step t becomes that behind
 * it.  back, steps last to first: from both, the gradient at the state behind becomes that at the one before. */
struct laser_backward_recurrence {
    void *context;
    int64_t size;
    void (*forward)(void *context, int64_t t, float *state);
    void (*back)(void *context, int64_t t, const float *before, const float *after, float *delta);
};
int64_t laser_backward_steps_room(int64_t steps, int64_t size); /* floats of room */
void laser_backward_steps(const struct laser_backward_recurrence *recurrence, int64_t steps, float *room);

/* Channel c of token t behind laser_model_convolve, before its SiLU, from the rows before it. */
float laser_backward_convolved(const float *weight, const float *bias, int64_t kernel, int64_t t, int64_t c,
                               const float *rows, int64_t stride);
/* The gradient behind laser_model_convolve becomes that at rows; rows may be NULL without SiLU. */
void laser_backward_convolve(const float *weight, const float *bias, int64_t kernel, int64_t channels,
                             bool silu, int64_t length, const float *rows, int64_t stride, float *delta,
                             int64_t delta_stride);

/* mlp_backward.c: fills gradient->inside.up from n rows; gradient->activated from that. */
void laser_backward_mlp_up(const struct laser_backward *b, const struct laser_mlp *mlp, int64_t n,
                           const float *x);
void laser_backward_activate(const struct laser_backward *b, const struct laser_layer *layer,
                             const struct laser_mlp *mlp, int64_t n);

/* The gradient at the output of the activation, in gradient->activated, becomes that before it, in
 * gradient->inside.up. */
void laser_backward_activation(const struct laser_backward *b, const struct laser_layer *layer,
                               const struct laser_mlp *mlp, int64_t n);

/* The MLP after both, as laser_backward_attention. */
int laser_backward_mlp(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                       const float *delta, float *dx);

/* moe_backward.c: the same for experts; fills also what stands behind gradient->normed, into which it goes.
 */
int laser_backward_experts(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                           const float *delta);

/* After the sum over the shards: adds what goes through the routers. */
int laser_backward_routers(const struct laser_backward *b, const struct laser_layer *layer, const float *x);

/* head_backward.c: losses, and gradient->delta after the last layer. */
int laser_backward_head(const struct laser_backward *b, const float *hidden, const int32_t *targets,
                        const float *weights, double *nll);

#endif
