/* A model that goes on from prompts, held by a group of ranks in shards. */
#ifndef LASER_MPI_EVALUATE_GENERATE_H
#define LASER_MPI_EVALUATE_GENERATE_H

#include "forward/shards.h"
#include "generate/sample.h"
#include "generate/stop.h"
#include "generate/stream.h"
#include "schedule/run.h"
#include "tokenizer/tokenizer.h"

/* Why a text ended. */
enum laser_mpi_ending {
    LASER_MPI_ENDING_NONE, /* it has not */
    LASER_MPI_ENDING_STOP, /* a token that ends texts */
    LASER_MPI_ENDING_LENGTH,
    LASER_MPI_ENDING_CONTEXT /* no more positions */
};

struct laser_mpi_prompt {
    int32_t *ids; /* rank 0 */
    int64_t n;    /* every rank */
};

struct laser_mpi_generator {
    const char *name; /* as the user named the model; rank 0 */
    struct laser_checkpoint *checkpoint;
    bool owns_checkpoint;
    struct laser_arch arch;

    /* Rank 0. */
    struct laser_tokenizer *tokenizer;
    struct laser_stop stop;
    struct laser_stream stream;
    struct laser_sampling_token *draw; /* [V] */

    struct laser_mpi_prompt *prompts;
    int n_prompts;
    int64_t longest_prompt, positions; /* tokens that a text may have, its prompt included */

    /* Ranks of the group. */
    struct laser_model *model;
    struct laser_model_workspace *workspace;
    struct laser_model_cache *cache;
    float *hidden, *logits;
    int32_t *ids; /* [positions] of the current text */
    int64_t n_prompt, n;
    enum laser_mpi_ending ending;
    double seconds;
};

/* Collective over world.  Opens the model (checkpoint borrowed; NULL: that of `name` on rank 0), reads its
 * config.json and tokenizer (fallback's where it has none) and encodes the prompts on rank 0.
 * LASER_EINPUT: no causal model, no tokenizer, a prompt without a token or longer than the context. */
int laser_mpi_generate_open(MPI_Comm world, const char *name, struct laser_checkpoint *checkpoint,
                            const char *fallback, const char *const *prompts, int n_prompts,
                            int64_t max_tokens, struct laser_mpi_generator *generator,
                            struct laser_error *err);

/* Bytes that a rank of a group of `shards` needs for the generator, and of them those of the weights. */
int laser_mpi_generate_bytes(const struct laser_mpi_generator *generator, int shards,
                             enum laser_precision precision, double *bytes, double *weights_bytes,
                             struct laser_error *err);

/* Collective over the group.  Loads the model. */
int laser_mpi_generate_load(struct laser_mpi_generator *generator, const struct laser_mpi_shards *shards,
                            enum laser_precision precision, struct laser_error *err);

/* Collective over the group: begins a text. */
void laser_mpi_generate_begin(struct laser_mpi_generator *generator, MPI_Comm group, int prompt);

/* Collective over the group: one more token, drawn on its rank 0, or an ending.  Appends to *text (rank 0)
 * what can be shown.  LASER_ESTOPPED after a signal. */
int laser_mpi_generate_step(struct laser_mpi_generator *generator, MPI_Comm group,
                            const struct laser_sampling *sampling, int64_t max_tokens, uint64_t sequence,
                            struct laser_text *text, struct laser_error *err);

/* Collective over the sharers of the weights, as laser_model_free. */
void laser_mpi_generate_close(struct laser_mpi_generator *generator);

#endif
