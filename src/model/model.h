/* A language model of a Hugging Face checkpoint, causal or masked: loading and the forward pass.
 *
 * Written once for one process and for several: a group of `count` processes (shards) holds the model
 * together. Each shard has a share of the attention heads (with the key-value heads that they need), of the
 * MLP columns or experts, and of the vocabulary; every shard has all hidden states.  Sums over the shards go
 * through a struct of function pointers: one for the embedding, two for a layer (one where attention and MLP
 * are parallel), two for the loss.  All functions below marked "collective" are called by all shards with the
 * same arguments.
 *
 * Letters: B sequences, T tokens of each, N tokens of all sequences together, H hidden size, V vocabulary.
 * Hidden states are float32 [N, H], the caller's, so that those before an edited layer can be kept and the
 * rest run again.
 */
#ifndef LASER_MODEL_MODEL_H
#define LASER_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "kernels/dispatch.h"

/* How the shards talk.  The functions return 0, or a code from enum laser_result, the same on every shard. */
struct laser_model_group {
    int index, count; /* this shard, number of shards */
    void *context;
    int (*sum)(void *context, float *x,
               int64_t n); /* x[n] becomes the sum over the shards, same bits on each */
    int (*max)(void *context, float *x, int64_t n);
    /* Memory for the weights of this shard, aligned to 64, shared by all processes that hold the same shard
     * and need the same bytes; *fill_it is set on the one of them that is to write it.  NULL: no memory, on
     * all of them. May be NULL: every process allocates its own. */
    void *(*weights_alloc)(void *context, int64_t bytes, bool *fill_it);
    /* A barrier of the processes that share the weights, after which the writes of the filling one are seen.
     */
    void (*weights_ready)(void *context);
};

struct laser_model;
struct laser_model_workspace;
struct laser_model_cache;

/* The sequences of one call, one after another in N. */
struct laser_model_batch {
    int64_t sequences;               /* B */
    int64_t length;                  /* T of every sequence, if lengths is NULL */
    const int64_t *lengths;          /* [B] tokens of each sequence, at least 1 */
    struct laser_model_cache *cache; /* tokens that stand before those of every sequence; NULL: none */
    const int64_t *parents;          /* [B] the earlier sequence that this one goes on from, which may go on
                                        from another, or -1; NULL: none.  With lengths, without a cache, and
                                        where laser_arch_continues. */
};

/* Tokens of all sequences. */
int64_t laser_model_batch_tokens(const struct laser_model_batch *batch);

/* Tokens that stand before a sequence: those of all it goes on from. */
int64_t laser_model_batch_offset(const struct laser_model_batch *batch, int64_t sequence);

/* Can a sequence go on from another, so that what they share is computed once?  Not in a masked model, and
 * not where the rotary positions depend on the whole length. */
bool laser_arch_continues(const struct laser_arch *arch);

/* A model whose config.json has a quantization_config is read as it is where every weight is of a floating
 * type, as transformers does (the key is left over); LASER_EINPUT, with a tensor that is not. */
int laser_model_check_types(const struct laser_checkpoint *checkpoint, const struct laser_arch *arch,
                            struct laser_error *err);

/* Describes the model without reading a weight: every tensor that the forward pass needs is found and its
 * shape checked, and a tensor that has no place in it is an error.  Local. checkpoint and *group (may be
 * NULL: one process; copied) must outlive the model. LASER_EINPUT: not supported (named), missing or wrongly
 * shaped tensors, config.json contradicting them. */
int laser_model_describe(const struct laser_checkpoint *checkpoint, const struct laser_model_group *group,
                         enum laser_precision precision, struct laser_model **model, struct laser_error *err);

/* Reads this shard's slices into memory.  Collective over the processes that share the weights, if
 * weights_alloc is given; otherwise local.  After an error the model can only be freed. */
int laser_model_load(struct laser_model *model, struct laser_error *err);

/* Both in one, for one process. */
int laser_model_open(const struct laser_checkpoint *checkpoint, enum laser_precision precision,
                     struct laser_model **model, struct laser_error *err);

/* Weights from weights_alloc stay with who allocated them.  NULL is fine. */
void laser_model_free(struct laser_model *model);

const struct laser_arch *laser_model_arch(const struct laser_model *model);

/* Bytes of this shard's weights in memory. */
int64_t laser_model_weights_bytes(const struct laser_model *model);

/* Does this shard hold weights as products of two thin ones, as config.json's truncation_ranks says? */
bool laser_model_is_factored(const struct laser_model *model);

/* Where a tensor is used first: -1 the embedding, 0 .. L-1 a layer, L the final norm or the head, -2 nowhere.
 */
int64_t laser_model_layer_of(const struct laser_model *model, const char *tensor);

enum laser_model_reload {
    LASER_RELOAD_PRIVATE, /* this process only: shared weights are copied before they change.  Local. */
    LASER_RELOAD_SHARED   /* for all that share the weights; private copies of the same weights are dropped.
                             Collective over them. */
};

/* The data of the tensor changed in the checkpoint: reads this shard's slice again.  Fused and tied weights
 * are handled.  LASER_EINPUT: the model has no such tensor.  LASER_EIO: the tensor's weights are undefined
 * now; a successful reload mends them. */
int laser_model_reload(struct laser_model *model, const char *tensor, enum laser_model_reload how,
                       struct laser_error *err);

/* The same where only elements first .. first + count - 1 of the tensor changed (one expert of a stack):
 * weights that take nothing from them are left alone. */
int laser_model_reload_part(struct laser_model *model, const char *tensor, int64_t first, int64_t count,
                            enum laser_model_reload how, struct laser_error *err);

/* Can a weight of low rank be applied as two thin products?  Those of a tensor of its own inside a layer can:
 * not tables and heads, not what several weights share (fused, or a stack of experts).  The same on every
 * shard that has a part of it. */
bool laser_model_takes_thin(const struct laser_model *model, const char *tensor);

/* From now on the tensor counts as left[rows, k] right[k, columns] (rows and columns as stored, row-major,
 * float32, whole, copied), whatever its data are; left NULL: as its data again.  Local.  Only one workspace
 * at a time may then use the model.  LASER_EINPUT: a tensor that takes none, k above its smaller side.
 * LASER_ENOMEM: as before. */
int laser_model_thin(struct laser_model *model, const char *tensor, int64_t k, const float *left,
                     const float *right, struct laser_error *err);

/* Memory for calls of up to max_tokens (N) at a time: nothing is allocated afterwards. */
int laser_model_workspace_create(const struct laser_model *model, int64_t max_tokens,
                                 struct laser_model_workspace **workspace, struct laser_error *err);
void laser_model_workspace_free(struct laser_model_workspace *workspace);
int64_t laser_model_workspace_bytes(const struct laser_model_workspace *workspace);

/* Keys and values of the first `length` tokens of a causal model, of this shard's heads and all layers, so
 * that these tokens need not be computed again: a batch with a cache goes on from them.  Its sequences do not
 * see each other.  Each call of laser_model_layers writes those of the batch behind them, where they count
 * only after laser_model_cache_extend; with several sequences what stands there is of no use.
 *
 *   a prompt                           batch {1, n, .cache}, all layers, extend by n
 *   generation                         batch {1, 1, .cache}, all layers, extend by 1
 *   alternatives after a common start  batch {B, .lengths, .cache}, all layers, no extend
 *
 * positions: tokens that it has room for, those of the longest sequence of a batch included.  Local.
 * LASER_EINPUT: a masked model, whose tokens see those that follow.  LASER_ENOMEM. */
int laser_model_cache_create(const struct laser_model *model, int64_t positions,
                             struct laser_model_cache **cache, struct laser_error *err);
void laser_model_cache_free(struct laser_model_cache *cache); /* NULL is fine */
int64_t laser_model_cache_bytes(const struct laser_model *model, int64_t positions);
int64_t laser_model_cache_length(const struct laser_model_cache *cache);
void laser_model_cache_extend(struct laser_model_cache *cache, int64_t n);

/* Back to the first n tokens (0: empty).  Where layers keep states (laser_arch_keeps_states), which cannot be
 * taken back, the cache is empty then. */
void laser_model_cache_cut(struct laser_model_cache *cache, int64_t n);

/* Whether a sequence of `length` tokens may go on from the cache.  Not if its rotary frequencies differ from
 * those that the cached keys were turned by (dynamic and longrope scaling): then cut to 0 and begin anew. */
bool laser_model_cache_serves(const struct laser_model *model, const struct laser_model_cache *cache,
                              int64_t length);

/* hidden[N, H] of tokens[N].  Collective.  LASER_EINPUT: a token id outside the vocabulary, a sequence longer
 * than the learned positions. */
int laser_model_embed(const struct laser_model *model, struct laser_model_workspace *workspace,
                      const int32_t *tokens, const struct laser_model_batch *batch, float *hidden,
                      struct laser_error *err);

/* Layers first .. last - 1, in place.  Collective. */
int laser_model_layers(const struct laser_model *model, struct laser_model_workspace *workspace,
                       int64_t first, int64_t last, const struct laser_model_batch *batch, float *hidden,
                       struct laser_error *err);

/* nll[N] = -log p(targets[i] at row i | ...) in nats from the last layer's hidden states; 0 where targets[i]
 * < 0 (not scored). Collective.  LASER_ENUMERIC: a loss is not finite (row named; all of nll is filled):
 * laser_model_blame says where that began. */
int laser_model_nll(const struct laser_model *model, struct laser_model_workspace *workspace, int64_t n,
                    const float *hidden, const int32_t *targets, double *nll, struct laser_error *err);

struct laser_model_score {
    double log_probability; /* of the target, nats */
    int64_t rank;           /* how many tokens have a higher logit: 0 the best, below k a hit of the top k */
    bool is_greedy;         /* the target is the first of the highest */
};

/* Scores the targets of chosen rows: rows[count] index hidden[N, H], targets[count] >= 0.  count <=
 * max_tokens. Collective. */
int laser_model_scores(const struct laser_model *model, struct laser_model_workspace *workspace,
                       int64_t count, const float *hidden, const int64_t *rows, const int32_t *targets,
                       struct laser_model_score *scores, struct laser_error *err);

/* How an answer to a prompt is scored.  Causal: the tokens are the prompt and all of the answer but its last
 * token; answer token i is predicted at row n_prompt - 1 + i.  Masked (laser_arch.masked): the one mask in
 * the prompt becomes as many masks as the answer has tokens, and answer token i is predicted at mask i.  So
 * the log probability of the answer is the sum over laser_model_scores(rows, answer); in a masked model no
 * answer token sees another. mask: id of the mask, not used by a causal model.  tokens[n_prompt + n_answer],
 * rows[n_answer] (within the sequence) and *n_tokens are filled.  Local. LASER_EINPUT: an empty prompt or
 * answer; a masked model's prompt without a mask or with several. */
int laser_model_question(const struct laser_arch *arch, int32_t mask, const int32_t *prompt, int64_t n_prompt,
                         const int32_t *answer, int64_t n_answer, int32_t *tokens, int64_t *n_tokens,
                         int64_t *rows, struct laser_error *err);

/* logits[V] of one row of hidden[H].  Collective. */
int laser_model_logits(const struct laser_model *model, struct laser_model_workspace *workspace,
                       const float *hidden, float *logits, struct laser_error *err);

/* Runs tokens[N] layer by layer and tells where the first value that is not finite appears: *layer as in
 * laser_model_layer_of (L also when only the logits are not finite), *sequence the number of the first
 * sequence with one; *layer = -2 if all is finite.  hidden[N, H] is used up.  Collective. */
int laser_model_blame(const struct laser_model *model, struct laser_model_workspace *workspace,
                      const int32_t *tokens, const struct laser_model_batch *batch, float *hidden,
                      int64_t *layer, int64_t *sequence, struct laser_error *err);

#endif
