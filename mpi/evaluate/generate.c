#include "evaluate/generate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/rope.h"
#include "base/clock.h"
#include "comm/agree.h"
#include "evaluate/evaluate.h"
#include "evaluate/evaluation.h"
#include "evaluate/texts.h"
#include "plan/estimate.h"
#include "plan/layout.h"
#include "run/signals.h"

static int check_model(struct laser_mpi_generator *v, struct laser_error *err)
{
    struct laser_model *model;
    int code;

    if (v->checkpoint->config == NULL)
        return laser_error_set(err, LASER_EINPUT, v->checkpoint->dir,
                               "there is no config.json: the model cannot be run");
    code = laser_arch_read(v->checkpoint->config, "config.json", &v->arch, err);
    if (code != LASER_OK)
        return code;
    if (v->arch.masked)
        return laser_error_set(
            err, LASER_EINPUT, v->checkpoint->dir,
            "%s is a masked language model: it fills in masks and does not continue a text",
            v->arch.model_type);
    code = laser_model_describe(v->checkpoint, NULL, LASER_FLOAT32, &model, err);
    laser_model_free(model);
    return code;
}

static int load_tokenizer(struct laser_mpi_generator *v, const char *fallback, struct laser_error *err)
{
    int code = fallback != NULL && !laser_evaluation_has_tokenizer(v->checkpoint)
                   ? laser_tokenizer_load(fallback, &v->tokenizer, err)
                   : laser_evaluation_tokenizer_load(v->checkpoint, "prompts", &v->tokenizer, err);

    return code == LASER_OK ? laser_stop_read(v->checkpoint, v->tokenizer, &v->stop, err) : code;
}

static int encode(struct laser_mpi_generator *v, const char *text, struct laser_mpi_prompt *prompt,
                  struct laser_error *err)
{
    int64_t longest = laser_arch_longest(&v->arch);
    int code = laser_tokenizer_encode(v->tokenizer, text, strlen(text), true, &prompt->ids, &prompt->n, err);

    if (code != LASER_OK)
        return code;
    if (prompt->n == 0)
        return laser_error_set(err, LASER_EINPUT, "generate.prompt", "\"%.60s\" has no token", text);
    if (prompt->n >= longest)
        return laser_error_set(err, LASER_EINPUT, "generate.prompt",
                               "\"%.60s...\" has %" PRId64 " tokens, the model has %" PRId64 " positions",
                               text, prompt->n, longest);
    for (int64_t i = 0; i < prompt->n; ++i)
        if (prompt->ids[i] >= v->arch.vocabulary)
            return laser_error_set(err, LASER_EINPUT, v->checkpoint->dir,
                                   "token id %d of the prompt, but the model's vocabulary ends at %" PRId64
                                   ": does the tokenizer belong to this model?",
                                   (int)prompt->ids[i], v->arch.vocabulary - 1);
    return LASER_OK;
}

/* Rank 0. */
static int read_prompts(struct laser_mpi_generator *v, const char *fallback, const char *const *prompts,
                        struct laser_error *err)
{
    int code = load_tokenizer(v, fallback, err);

    for (int i = 0; code == LASER_OK && i < v->n_prompts; ++i) {
        code = encode(v, prompts[i], &v->prompts[i], err);
        if (v->prompts[i].n > v->longest_prompt)
            v->longest_prompt = v->prompts[i].n;
    }
    if (code == LASER_OK && (v->draw = malloc((size_t)v->arch.vocabulary * sizeof *v->draw)) == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "generate", "no memory to draw tokens");
    return code;
}

int laser_mpi_generate_open(MPI_Comm world, const char *name, struct laser_checkpoint *checkpoint,
                            const char *fallback, const char *const *prompts, int n_prompts,
                            int64_t max_tokens, struct laser_mpi_generator *v, struct laser_error *err)
{
    int rank, code = LASER_OK;

    MPI_Comm_rank(world, &rank);
    memset(v, 0, sizeof *v);
    v->name = name;
    v->checkpoint = checkpoint;
    v->owns_checkpoint = checkpoint == NULL;
    if (checkpoint == NULL)
        code = laser_mpi_share_checkpoint(world, name, false, &v->checkpoint, err);
    if (code != LASER_OK)
        return code;
    code = check_model(v, err);
    v->n_prompts = n_prompts;
    v->prompts = calloc((size_t)n_prompts, sizeof *v->prompts);
    if (code == LASER_OK && v->prompts == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "generate.prompt", "no memory");
    if (code == LASER_OK && rank == 0)
        code = read_prompts(v, fallback, prompts, err);
    code = laser_mpi_agree(world, code, err);
    if (code != LASER_OK)
        return code;
    MPI_Bcast(&v->longest_prompt, 1, MPI_INT64_T, 0, world);
    v->positions = laser_arch_longest(&v->arch);
    if (v->positions > v->longest_prompt + max_tokens)
        v->positions = v->longest_prompt + max_tokens;
    return LASER_OK;
}

/* Tokens of one pass at most: a prompt, or all again where rotary frequencies change with the length. */
static int64_t batch_tokens(const struct laser_mpi_generator *v)
{
    return laser_rope_depends_on_length(&v->arch.rope) ? v->positions : v->longest_prompt;
}

int laser_mpi_generate_bytes(const struct laser_mpi_generator *v, int shards, enum laser_precision precision,
                             double *bytes, double *weights_bytes, struct laser_error *err)
{
    struct laser_model_estimate e;
    int64_t tokens = batch_tokens(v);
    int code = laser_model_estimate(&v->arch, shards, precision, laser_stored_type(v->checkpoint), tokens,
                                    tokens, &e, err);
    double heads = (double)(v->arch.kv_heads + shards - 1) / shards;

    if (code != LASER_OK)
        return code;
    *weights_bytes = (double)e.weights_bytes;
    *bytes = (double)e.weights_bytes + (double)e.hidden_bytes + (double)e.working_bytes +
             8.0 * (double)v->arch.layers * heads * (double)v->arch.head_size * (double)v->positions +
             4.0 * (double)v->arch.vocabulary;
    return LASER_OK;
}

int laser_mpi_generate_load(struct laser_mpi_generator *v, const struct laser_mpi_shards *shards,
                            enum laser_precision precision, struct laser_error *err)
{
    int64_t tokens = batch_tokens(v);
    int code = laser_model_describe(v->checkpoint, &shards->group, precision, &v->model, err);

    code = laser_mpi_agree(shards->comm, code, err);
    if (code == LASER_OK)
        code = laser_mpi_agree(shards->comm, laser_model_load(v->model, err), err);
    if (code != LASER_OK)
        return code;
    v->hidden = malloc((size_t)(tokens * v->arch.hidden) * sizeof *v->hidden);
    v->logits = malloc((size_t)v->arch.vocabulary * sizeof *v->logits);
    v->ids = malloc((size_t)v->positions * sizeof *v->ids);
    if (v->hidden == NULL || v->logits == NULL || v->ids == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "generate", "no memory for %" PRId64 " tokens", tokens);
    if (code == LASER_OK)
        code = laser_model_workspace_create(v->model, tokens, &v->workspace, err);
    if (code == LASER_OK)
        code = laser_model_cache_create(v->model, v->positions, &v->cache, err);
    return laser_mpi_agree(shards->comm, code, err);
}

void laser_mpi_generate_begin(struct laser_mpi_generator *v, MPI_Comm group, int prompt)
{
    int rank;

    MPI_Comm_rank(group, &rank);
    if (rank == 0) {
        v->n_prompt = v->prompts[prompt].n;
        memcpy(v->ids, v->prompts[prompt].ids, (size_t)v->n_prompt * sizeof *v->ids);
        laser_stream_start(&v->stream, v->tokenizer, v->ids, v->n_prompt);
    }
    MPI_Bcast(&v->n_prompt, 1, MPI_INT64_T, 0, group);
    MPI_Bcast(v->ids, (int)v->n_prompt, MPI_INT32_T, 0, group);
    v->n = v->n_prompt;
    v->ending = LASER_MPI_ENDING_NONE;
    v->seconds = 0;
    laser_model_cache_cut(v->cache, 0);
}

/* The logits behind the text, from what the cache does not know yet. */
static int run(struct laser_mpi_generator *v, struct laser_error *err)
{
    struct laser_model_batch batch = {.sequences = 1, .cache = v->cache};
    int64_t at;
    int code;

    if (!laser_model_cache_serves(v->model, v->cache, v->n))
        laser_model_cache_cut(v->cache, 0);
    at = laser_model_cache_length(v->cache);
    batch.length = v->n - at;
    code = laser_model_embed(v->model, v->workspace, v->ids + at, &batch, v->hidden, err);
    if (code == LASER_OK)
        code = laser_model_layers(v->model, v->workspace, 0, v->arch.layers, &batch, v->hidden, err);
    if (code != LASER_OK)
        return code;
    laser_model_cache_extend(v->cache, batch.length);
    return laser_model_logits(v->model, v->workspace, v->hidden + (batch.length - 1) * v->arch.hidden,
                              v->logits, err);
}

/* What rank 0 decided. */
struct decision {
    int32_t token, ending, code;
};

static struct decision decide(struct laser_mpi_generator *v, const struct laser_sampling *sampling,
                              int64_t max_tokens, uint64_t sequence, struct laser_error *err)
{
    struct decision d = {0};

    if (laser_signalled())
        d.code = laser_error_set(err, LASER_ESTOPPED, "", "stopped by a signal");
    else
        d.code = laser_sampling_next(sampling, v->arch.vocabulary, v->logits, sequence,
                                     (uint64_t)(v->n - v->n_prompt), v->draw, &d.token, err);
    if (laser_stop_has(&v->stop, d.token))
        d.ending = LASER_MPI_ENDING_STOP;
    else if (v->n + 1 - v->n_prompt == max_tokens)
        d.ending = LASER_MPI_ENDING_LENGTH;
    else if (v->n + 1 == v->positions)
        d.ending = LASER_MPI_ENDING_CONTEXT;
    return d;
}

int laser_mpi_generate_step(struct laser_mpi_generator *v, MPI_Comm group,
                            const struct laser_sampling *sampling, int64_t max_tokens, uint64_t sequence,
                            struct laser_text *text, struct laser_error *err)
{
    struct decision d = {0};
    double start_s = laser_clock_s();
    int rank, code = run(v, err); /* the same on every shard */

    if (code != LASER_OK)
        return code;
    MPI_Comm_rank(group, &rank);
    if (rank == 0)
        d = decide(v, sampling, max_tokens, sequence, err);
    if (rank == 0 && d.code == LASER_OK && d.ending != LASER_MPI_ENDING_STOP) {
        v->ids[v->n] = d.token;
        d.code = laser_stream_push(&v->stream, text, err);
    }
    if (rank == 0 && d.code == LASER_OK && d.ending != LASER_MPI_ENDING_NONE)
        d.code = laser_stream_end(&v->stream, text, err);
    MPI_Bcast(&d, (int)sizeof d, MPI_BYTE, 0, group);
    if (d.code != LASER_OK)
        return d.code;
    if (d.ending != LASER_MPI_ENDING_STOP)
        v->ids[v->n++] = d.token;
    v->ending = (enum laser_mpi_ending)d.ending;
    v->seconds += laser_clock_s() - start_s;
    return LASER_OK;
}

void laser_mpi_generate_close(struct laser_mpi_generator *v)
{
    laser_model_cache_free(v->cache);
    laser_model_workspace_free(v->workspace);
    laser_model_free(v->model);
    laser_tokenizer_free(v->tokenizer);
    for (int i = 0; v->prompts != NULL && i < v->n_prompts; ++i)
        free(v->prompts[i].ids);
    free(v->prompts);
    free(v->draw);
    free(v->hidden);
    free(v->logits);
    free(v->ids);
    laser_arch_free(&v->arch);
    if (v->owns_checkpoint)
        laser_checkpoint_close(v->checkpoint);
    memset(v, 0, sizeof *v);
}
