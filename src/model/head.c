/* From the last hidden states to losses, scores and logits.  The vocabulary is split among the shards: what
 * they exchange are a largest logit, a sum of exponentials and the target's logit, never the logits. */
#include <math.h>
#include <string.h>

#include "model/internal.h"

void laser_model_finish(const struct laser_model *m, struct laser_model_workspace *ws, int64_t n,
                        const float *hidden)
{
    int64_t h = m->arch.hidden, width = m->arch.embed_width;

    if (!laser_part_present(&m->head_dense) && !laser_norm_present(&m->arch, &m->final_norm)) {
        memcpy(ws->normed, hidden, (size_t)(n * h) * sizeof *hidden);
        return;
    }
    if (!laser_part_present(&m->head_dense)) {
        laser_model_norm(&m->arch, &m->final_norm, n, hidden, ws->normed);
        return;
    }
    if (laser_norm_present(&m->arch, &m->final_norm)) {
        laser_model_norm(&m->arch, &m->final_norm, n, hidden, ws->sum);
        hidden = ws->sum;
    }
    laser_linear_apply(&m->head_dense.linear, n, hidden, h, ws->normed, width, LASER_STORE, &ws->scratch);
    laser_activation_apply(m->arch.head_activation, n, width, ws->normed, width);
    laser_model_norm_width(&m->arch, &m->head_norm, n, width, ws->normed, ws->normed);
}

struct laser_head laser_model_head(const struct laser_model *m)
{
    return (struct laser_head){.linear = &m->output->linear,
                               .first = m->vocabulary.first,
                               .size = m->vocabulary.count,
                               .scale = (float)m->arch.logit_scale,
                               .soft_cap = (float)m->arch.final_softcap};
}

/* Scans ws->normed[n] for ws->targets into ws->tokens. */
static void scan(const struct laser_model *m, struct laser_model_workspace *ws, int64_t n,
                 const float *reference)
{
    struct laser_head head = laser_model_head(m);

    if (m->vocabulary.count > 0) {
        laser_head_scan(&head, n, ws->normed, m->arch.embed_width, ws->targets, reference, ws->tokens,
                        &ws->scratch);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        ws->tokens[i] = (struct laser_head_token){
            .largest = -INFINITY, .target = -INFINITY, .argmax = INT64_MAX, .greater = 0};
}

/* Merges the slices of the shards: the same as laser_head_merge over all of them, through sum and max.  A NaN
 * travels as an infinite largest logit with a sum that is not a number. */
int laser_model_merge(const struct laser_model *m, struct laser_model_workspace *ws, int64_t n,
                      struct laser_error *err)
{
    float *largest = ws->pairs, *target = ws->pairs + n;
    int result;

    if (m->group.count == 1)
        return LASER_OK;
    for (int64_t i = 0; i < n; i++) {
        struct laser_head_token *token = &ws->tokens[i];

        if (isnan(token->largest)) {
            token->largest = INFINITY;
            token->sum = NAN;
        }
        largest[i] = token->largest;
        target[i] = isnan(token->target) ? INFINITY : token->target;
    }
    result = laser_model_group_max(m, ws->pairs, 2 * n, err);
    if (result != LASER_OK)
        return result;
    for (int64_t i = 0; i < n; i++) {
        struct laser_head_token *token = &ws->tokens[i];
        double own =
            token->largest == -INFINITY ? 0 : token->sum * exp((double)token->largest - (double)largest[i]);

        token->largest = largest[i];
        token->target = target[i];
        ws->pairs[i] = (float)own;
    }
    result = laser_model_group_sum(m, ws->pairs, n, err);
    for (int64_t i = 0; i < n && result == LASER_OK; i++)
        ws->tokens[i].sum = ws->pairs[i];
    return result;
}

int laser_model_nll(const struct laser_model *m, struct laser_model_workspace *ws, int64_t n,
                    const float *hidden, const int32_t *targets, double *nll, struct laser_error *err)
{
    int64_t bad = -1;
    int result;

    if (n > ws->max_tokens)
        return laser_error_set(err, LASER_EINTERNAL, NULL, "%lld tokens in a workspace for %lld",
                               (long long)n, (long long)ws->max_tokens);
    for (int64_t i = 0; i < n; i++) {
        if (targets[i] >= m->arch.vocabulary)
            return laser_error_set(err, LASER_EINPUT, m->checkpoint->model,
                                   "token id %ld: the vocabulary has %lld", (long)targets[i],
                                   (long long)m->arch.vocabulary);
        ws->targets[i] = targets[i];
    }
    laser_model_finish(m, ws, n, hidden);
    scan(m, ws, n, NULL);
    result = laser_model_merge(m, ws, n, err);
    if (result != LASER_OK)
        return result;
    for (int64_t i = 0; i < n; i++) {
        nll[i] = targets[i] < 0 ? 0 : laser_head_nll_nats(&ws->tokens[i]);
        if (bad < 0 && !isfinite(nll[i]))
            bad = i;
    }
    if (bad >= 0)
        return laser_error_set(err, LASER_ENUMERIC, m->checkpoint->model,
                               "the loss of row %lld is not finite", (long long)bad);
    return LASER_OK;
}

/* The second scan: how many logits are above the target's, and which is the first of the largest. */
static int rank(const struct laser_model *m, struct laser_model_workspace *ws, int64_t n,
                struct laser_model_score *scores, struct laser_error *err)
{
    float *reference = ws->pairs + n;
    int result;

    for (int64_t i = 0; i < n; i++) {
        scores[i].log_probability = -laser_head_nll_nats(&ws->tokens[i]);
        reference[i] = ws->tokens[i].target;
    }
    for (int64_t i = 0; i < n; i++) /* the merge left the global largest; the scan finds the slice's own */
        ws->pairs[i] = ws->tokens[i].largest;
    scan(m, ws, n, reference);
    for (int64_t i = 0; i < n; i++) {
        bool has_largest = ws->tokens[i].largest == ws->pairs[i] && m->vocabulary.count > 0;
        /* ids stay below 2^24, so that they are exact in float32 */
        ws->pairs[n + i] = (float)ws->tokens[i].greater;
        ws->pairs[i] = has_largest ? -(float)ws->tokens[i].argmax : -INFINITY;
    }
    result = laser_model_group_max(m, ws->pairs, n, err);
    if (result == LASER_OK)
        result = laser_model_group_sum(m, ws->pairs + n, n, err);
    for (int64_t i = 0; i < n && result == LASER_OK; i++) {
        scores[i].rank = (int64_t)ws->pairs[n + i];
        scores[i].is_greedy = -ws->pairs[i] == (float)ws->targets[i];
    }
    return result;
}

int laser_model_scores(const struct laser_model *m, struct laser_model_workspace *ws, int64_t count,
                       const float *hidden, const int64_t *rows, const int32_t *targets,
                       struct laser_model_score *scores, struct laser_error *err)
{
    int64_t h = m->arch.hidden;
    int result;

    if (count > ws->max_tokens)
        return laser_error_set(err, LASER_EINTERNAL, NULL, "%lld rows in a workspace for %lld",
                               (long long)count, (long long)ws->max_tokens);
    for (int64_t i = 0; i < count; i++) {
        if (targets[i] < 0 || targets[i] >= m->arch.vocabulary)
            return laser_error_set(err, LASER_EINPUT, m->checkpoint->model,
                                   "token id %ld: the vocabulary has %lld", (long)targets[i],
                                   (long long)m->arch.vocabulary);
        ws->targets[i] = targets[i];
        memcpy(ws->sum + i * h, hidden + rows[i] * h, (size_t)h * sizeof *hidden);
    }
    laser_model_finish(m, ws, count, ws->sum);
    scan(m, ws, count, NULL);
    result = laser_model_merge(m, ws, count, err);
    return result == LASER_OK ? rank(m, ws, count, scores, err) : result;
}

int laser_model_logits(const struct laser_model *m, struct laser_model_workspace *ws, const float *hidden,
                       float *logits, struct laser_error *err)
{
    struct laser_head head = laser_model_head(m);
    int64_t v = m->arch.vocabulary;

    memset(logits, 0, (size_t)v * sizeof *logits);
    laser_model_finish(m, ws, 1, hidden);
    if (m->vocabulary.count > 0)
        laser_head_logits(&head, 1, ws->normed, m->arch.hidden, logits + m->vocabulary.first,
                          m->vocabulary.count, &ws->scratch);
    return laser_model_group_sum(m, logits, v, err);
}
