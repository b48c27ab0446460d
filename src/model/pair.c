#include "model/pair.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

/* Tokens whose sums are exchanged at a time, and numbers of each that a shard tells. */
enum { EXCHANGED = 512, NUMBERS = 12 };

struct laser_model_pair {
    const struct laser_model *model;
    struct laser_model_base base;
    int64_t max_tokens, common;
    struct laser_pair_token *tokens; /* [N] */
    float *slots;                    /* [shards, EXCHANGED, NUMBERS] */
    struct laser_scratch scratch;
};

int64_t laser_model_states_width(const struct laser_model *m)
{
    return laser_part_present(&m->head_dense) ? m->arch.embed_width : m->arch.hidden;
}

int laser_model_states(const struct laser_model *m, struct laser_model_workspace *ws, int64_t n,
                       const float *hidden, float *states, struct laser_error *err)
{
    if (n > ws->max_tokens)
        return laser_error_set(err, LASER_EINTERNAL, NULL, "%lld tokens in a workspace for %lld",
                               (long long)n, (long long)ws->max_tokens);
    laser_model_finish(m, ws, n, hidden);
    memcpy(states, ws->normed, (size_t)(n * laser_model_states_width(m)) * sizeof *states);
    return LASER_OK;
}

static void drop_part(struct laser_model *m, struct laser_part *part, struct laser_part *bias,
                      enum laser_precision precision, void *context)
{
    (void)bias;
    (void)precision;
    (void)context;
    if (part != m->output && part != &m->head_bias)
        part->out = 0;
}

void laser_model_keep_head(struct laser_model *m)
{
    int64_t kept = 0;

    laser_model_visit(m, drop_part, NULL);
    for (int64_t i = 0; i < m->binding_count; i++)
        if (laser_part_present(m->bindings[i].part))
            m->bindings[kept++] = m->bindings[i];
    m->binding_count = kept;
}

void laser_model_pair_free(struct laser_model_pair *pair)
{
    if (!pair)
        return;
    free(pair->tokens);
    free(pair->slots);
    laser_scratch_free(&pair->scratch);
    free(pair);
}

static int64_t scratch_of(const struct laser_model_pair *pair)
{
    struct laser_head own = laser_model_head(pair->model), base;

    if (pair->model->vocabulary.count == 0)
        return 0;
    if (!pair->base.head || pair->base.head->vocabulary.count == 0)
        return laser_pair_scratch_size(&own, NULL, pair->max_tokens);
    base = laser_model_head(pair->base.head);
    return laser_pair_scratch_size(&own, &base, pair->max_tokens);
}

int laser_model_pair_create(const struct laser_model *model, const struct laser_model_base *base,
                            int64_t max_tokens, struct laser_model_pair **out, struct laser_error *err)
{
    struct laser_model_pair *pair = calloc(1, sizeof *pair);
    int result = LASER_OK;

    *out = NULL;
    if (!pair)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory to compare two models");
    pair->model = model;
    pair->base = *base;
    pair->max_tokens = max_tokens;
    pair->common = base->vocabulary < model->arch.vocabulary ? base->vocabulary : model->arch.vocabulary;
    pair->tokens = malloc((size_t)max_tokens * sizeof *pair->tokens + 1);
    if (model->group.count > 1)
        pair->slots = malloc((size_t)model->group.count * EXCHANGED * NUMBERS * sizeof *pair->slots);
    if (!pair->tokens || (model->group.count > 1 && !pair->slots))
        result = laser_error_set(err, LASER_ENOMEM, NULL, "no memory to compare two models");
    if (result == LASER_OK)
        result = laser_scratch_reserve(&pair->scratch, scratch_of(pair), err);
    if (result != LASER_OK) {
        laser_model_pair_free(pair);
        return result;
    }
    *out = pair;
    return LASER_OK;
}

/* A double as two floats, whose sum it is to 48 bits. */
static void put(double x, float *two)
{
    two[0] = (float)x;
    two[1] = (float)(x - (double)two[0]);
}

static double get(const float *two)
{
    return (double)two[0] + (double)two[1];
}

/* Ids stay below 2^24, so that they are exact in float32. */
static void put_side(const struct laser_pair_side *side, float *slot)
{
    put(side->sum, slot);
    slot[2] = side->largest;
    slot[3] = side->target;
    slot[4] = side->argmax == INT64_MAX ? -1.0F : (float)side->argmax;
}

static struct laser_pair_side get_side(const float *slot)
{
    return (struct laser_pair_side){.sum = get(slot),
                                    .largest = slot[2],
                                    .target = slot[3],
                                    .argmax = slot[4] < 0 ? INT64_MAX : (int64_t)slot[4]};
}

/* Every shard tells all of its numbers in a place of its own, so that a sum, over zeros, is a gathering; then each merges
 * them in the same order. */
static int exchange(struct laser_model_pair *pair, int64_t first, int64_t n, struct laser_error *err)
{
    const struct laser_model *m = pair->model;
    int64_t shard = n * NUMBERS;
    int result;

    memset(pair->slots, 0, (size_t)(m->group.count * shard) * sizeof *pair->slots);
    for (int64_t i = 0; i < n; i++) {
        const struct laser_pair_token *token = &pair->tokens[first + i];
        float *slot = pair->slots + m->group.index * shard + i * NUMBERS;

        put_side(&token->base, slot);
        put_side(&token->other, slot + 5);
        put(token->cross, slot + 10);
    }
    result = laser_model_group_sum(m, pair->slots, m->group.count * shard, err);
    for (int64_t k = 0; k < m->group.count && result == LASER_OK; k++)
        for (int64_t i = 0; i < n; i++) {
            const float *slot = pair->slots + k * shard + i * NUMBERS;
            struct laser_pair_token token = {get_side(slot), get_side(slot + 5), get(slot + 10)};

            if (k == 0)
                pair->tokens[first + i] = token;
            else
                laser_pair_merge(1, &token, &pair->tokens[first + i]);
        }
    return result;
}

static int take_targets(const struct laser_model_pair *pair, struct laser_model_workspace *ws, int64_t n,
                        const int32_t *targets, struct laser_error *err)
{
    if (n > ws->max_tokens || n > pair->max_tokens)
        return laser_error_set(err, LASER_EINTERNAL, NULL, "%lld tokens in a workspace for %lld",
                               (long long)n, (long long)ws->max_tokens);
    for (int64_t i = 0; i < n; i++) {
        if (targets[i] >= pair->common)
            return laser_error_set(
                err, LASER_EINPUT, pair->model->checkpoint->model,
                "token id %ld: the two models have %lld entries of the vocabulary in common",
                (long)targets[i], (long long)pair->common);
        ws->targets[i] = targets[i];
    }
    return LASER_OK;
}

static void scan(struct laser_model_pair *pair, struct laser_model_workspace *ws, int64_t n,
                 const float *base_states)
{
    const struct laser_model *m = pair->model, *from = pair->base.head ? pair->base.head : m;
    struct laser_head own = laser_model_head(m), theirs = laser_model_head(from);
    struct laser_logits other = {.head = &own, .x = ws->normed, .x_stride = laser_model_states_width(m)};
    struct laser_logits base = {
        .head = &theirs, .x = base_states, .x_stride = laser_model_states_width(from)};

    if (pair->base.read)
        base = (struct laser_logits){.read = pair->base.read, .context = pair->base.context};
    laser_pair_scan(&base, &other, m->vocabulary.first, m->vocabulary.count, pair->common, n, ws->targets,
                    pair->tokens, ws->tokens, &pair->scratch);
}

int laser_model_pair_run(struct laser_model_pair *pair, struct laser_model_workspace *ws, int64_t n,
                         const float *hidden, const float *base_states, const int32_t *targets,
                         struct laser_pair_values *values, double *nll, struct laser_error *err)
{
    const struct laser_model *m = pair->model;
    int64_t bad = -1;
    int result = take_targets(pair, ws, n, targets, err);

    if (result != LASER_OK)
        return result;
    laser_model_finish(m, ws, n, hidden);
    scan(pair, ws, n, base_states);
    result = laser_model_merge(m, ws, n, err);
    for (int64_t i = 0; i < n && result == LASER_OK && m->group.count > 1; i += EXCHANGED)
        result = exchange(pair, i, n - i < EXCHANGED ? n - i : EXCHANGED, err);
    if (result != LASER_OK)
        return result;
    for (int64_t i = 0; i < n; i++) {
        values[i] = laser_pair_values(&pair->tokens[i]);
        nll[i] = targets[i] < 0 ? 0 : laser_head_nll_nats(&ws->tokens[i]);
        if (bad < 0 && targets[i] >= 0 && !(isfinite(nll[i]) && isfinite(values[i].kl)))
            bad = i;
    }
    if (bad >= 0)
        return laser_error_set(err, LASER_ENUMERIC, m->checkpoint->model,
                               "the divergence of row %lld is not finite", (long long)bad);
    return LASER_OK;
}
