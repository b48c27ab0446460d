/* Which token comes next: the likeliest, or one drawn from a distribution that temperature, top-k and top-p
 * shape, in this order, as transformers does (generation/logits_process.py: TemperatureLogitsWarper,
 * TopKLogitsWarper, TopPLogitsWarper).
 */
#ifndef LASER_GENERATE_SAMPLE_H
#define LASER_GENERATE_SAMPLE_H

#include <stdint.h>

#include "base/error.h"

struct laser_sampling {
    double temperature; /* 0: the likeliest token, the first among equals */
    int64_t top_k;      /* 0: no limit; those equal to the k-th stay */
    double top_p;       /* 1: no limit; one token stays always */
    uint64_t seed;
};

/* A token and its probability; the working memory of a draw is one for each token of the vocabulary. */
struct laser_sampling_token {
    float logit;
    int32_t id;
    double probability;
};

/* The tokens that may be drawn, likeliest first (of equal ones the lower id), and their probabilities, which
 * sum to 1: tokens[0 .. *kept - 1] of tokens[V].  temperature must be above 0. LASER_ENUMERIC: a logit is not
 * a number, or the largest is not finite. */
int laser_sampling_distribution(const struct laser_sampling *sampling, int64_t vocabulary,
                                const float *logits, struct laser_sampling_token *tokens, int64_t *kept,
                                struct laser_error *err);

/* The next token.  The draw depends on (seed, sequence, step) alone: the same in two models, and for the same
 * logits on every number of ranks.  tokens[V] is not used where temperature is 0.  LASER_ENUMERIC as above.
 */
int laser_sampling_next(const struct laser_sampling *sampling, int64_t vocabulary, const float *logits,
                        uint64_t sequence, uint64_t step, struct laser_sampling_token *tokens, int32_t *next,
                        struct laser_error *err);

#endif
