/* The backward pass of a model: the gradient of a loss at the output of every linear layer.
 *
 *   loss = sum over rows i of weights[i] * nll[i], nll as of laser_model_nll
 *
 * The weights of the model get no gradient: only delta, the gradient at each linear layer's output, is formed
 * and handed, with the layer's input x, to a sink.  (The gradient of the layer's weight would be delta^T x.)
 * The hidden states before each layer are kept, the inside of a layer is computed again: the forward of one
 * layer at a time, with the forward's sums over the shards.  Besides these the backward of a layer has two
 * sums (one where attention and MLP are parallel), and the head one.
 *
 * Letters: N tokens of the batch, H hidden size, L layers; n rows of one call of the sink.
 */
#ifndef LASER_MODEL_GRADIENT_H
#define LASER_MODEL_GRADIENT_H

#include "model/model.h"

/* Rows first .. first + count - 1 of a matrix. */
struct laser_model_rows {
    int64_t first, count;
};

/* One weight matrix of the checkpoint as the backward pass meets it: a whole tensor of two dimensions, or one
 * expert of a stack; rows and columns in the orientation y = W x, also where W is stored transposed.
 *
 * A fused tensor (query, key and value; gate and up) is one matrix.  The outputs of a shard are then several
 * pieces of its rows, in the order of the columns of delta: delta[:, 0 .. piece[0].count - 1] belongs to rows
 * piece[0].first ..., the next columns to piece[1], and so on.  A piece may be empty.
 *
 * Shards.  outputs_split: every shard has some rows of W, and u . delta for a vector u[rows] is the sum over
 * the shards of what each gets from its rows.  (A row may be on two shards, that of a key or value head
 * which both need: then each has a part of its delta, and the sum is still right.)  inputs_split: every shard
 * has some columns, and v . x for a vector v[columns] is the sum over the shards.  What is not split is the
 * same on every shard, to the last bit.  A shard without any row or column of a matrix is called
 * nevertheless, so that all shards are called for the same matrices in the same order with the same n. */
struct laser_model_linear_site {
    int64_t tensor;                     /* index in the checkpoint */
    int64_t origin;                     /* element of the tensor where the matrix starts: not 0 in a stack */
    int64_t layer;                      /* 0 .. L - 1 */
    int64_t rows, columns;              /* of the whole matrix */
    int64_t first_row, row_count;       /* outputs that this shard has: delta[n, row_count]; may be 0 */
    int64_t first_column, column_count; /* inputs that this shard has: x[n, column_count]; may be 0 */
    int64_t pieces;                     /* first_row is the first of several where there are several */
    const struct laser_model_rows *piece; /* [pieces] */
    bool outputs_split, inputs_split;     /* false where there is one shard */
    bool transposed;                      /* stored [columns, rows] */
};

struct laser_model_gradient_sink {
    void *context;
    bool inputs_only; /* no gradient is taken: a forward pass, layers first to last, delta is NULL */
    /* Called once for every linear layer of attention and MLP, routers included (experts with the tokens that
     * reached them, n = 0 where none did), last layer first, in the same order on every shard, so that it may
     * be collective over them.  x[n, column_count] and delta[n, row_count], strides of rows in elements, are
     * valid during the call only.  token_rows[n]: the row of the batch that each row comes from; NULL: row i
     * is token i.  Returns a laser_result, the same on every shard; an error ends the pass. */
    int (*linear)(void *context, const struct laser_model_linear_site *site, int64_t n, const float *x,
                  int64_t x_stride, const float *delta, int64_t delta_stride, const int64_t *token_rows,
                  struct laser_error *err);
};

/* Kept hidden states and working memory for calls of up to max_tokens. */
struct laser_model_gradient;

/* Local.  LASER_EUSAGE: max_tokens out of range.  LASER_ENOMEM. */
int laser_model_gradient_create(const struct laser_model *model, int64_t max_tokens,
                                struct laser_model_gradient **gradient, struct laser_error *err);
void laser_model_gradient_free(struct laser_model_gradient *gradient); /* NULL is fine */

/* What laser_model_gradient_create will allocate on this shard, but for a few hundred bytes; the workspace
 * and the weights not included; the model need only be described. */
int64_t laser_model_gradient_bytes(const struct laser_model *model, int64_t max_tokens);

/* The same with more memory, up to limit_bytes: what is inside of as many layers as fit stays after the
 * forward and need not be computed again.  That saves up to a quarter of the time; the gradient is the same.
 */
int laser_model_gradient_create_within(const struct laser_model *model, int64_t max_tokens,
                                       int64_t limit_bytes, struct laser_model_gradient **gradient,
                                       struct laser_error *err);

/* What that will allocate: at most limit_bytes, or laser_model_gradient_bytes where that is more. */
int64_t laser_model_gradient_bytes_within(const struct laser_model *model, int64_t max_tokens,
                                          int64_t limit_bytes);

/* Forward and backward over one batch without cache and parents.  nll[N] (out) as of laser_model_nll: 0 where
 * targets[i] < 0.  weights[N], which may be negative, counts where targets[i] >= 0; NULL: 1 for all of these.
 * sink NULL, or without a function: no calls.  Collective over the shards.  LASER_EINPUT: as
 * laser_model_embed and laser_model_nll.  LASER_ENUMERIC: a loss is not finite (row named), or a gradient is
 * not (layer named).
 */
int laser_model_gradient_run(const struct laser_model *model, struct laser_model_workspace *workspace,
                             struct laser_model_gradient *gradient, const int32_t *tokens,
                             const struct laser_model_batch *batch, const int32_t *targets,
                             const float *weights, double *nll, const struct laser_model_gradient_sink *sink,
                             struct laser_error *err);

/* Before laser_model_gradient_run of the same batch, targets and weights, perhaps with other weights of the model
 * (laser_model_thin): that run's gradient is not of the losses but of the Kullback-Leibler divergence of its
 * distributions from those that the model has now, sum over rows i of weights[i] KL(now || then).  With p now and
 * p' then, the gradient at the logits is p' - p: that of the loss then less that of the loss now, in which the
 * target cancels; each is taken back to the input of the head.  (Exact where the head has no soft cap and no
 * layer of its own before the vocabulary; otherwise its slope is taken where each model is.)  The losses of that
 * run stay losses.  Collective.  Errors as laser_model_gradient_run. */
int laser_model_gradient_teach(const struct laser_model *model, struct laser_model_workspace *workspace,
                               struct laser_model_gradient *gradient, const int32_t *tokens,
                               const struct laser_model_batch *batch, const int32_t *targets,
                               const float *weights, double *nll, struct laser_error *err);

#endif
