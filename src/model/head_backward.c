/* Losses and the gradient after the last layer.  Only rows with a target take part, put together. */
#include <math.h>
#include <string.h>

#include "model/backward.h"

/* Fills gradient->rows, ws->targets and ws->sum, the hidden states of these rows; their number, or -1. */
static int64_t gather(const struct laser_backward *b, const float *hidden, const int32_t *targets,
                      double *nll)
{
    int64_t h = b->model->arch.hidden, count = 0;

    for (int64_t i = 0; i < b->n; i++) {
        nll[i] = 0;
        if (targets[i] >= b->model->arch.vocabulary) {
            laser_error_set(b->err, LASER_EINPUT, b->model->checkpoint->model,
                            "token id %ld: the vocabulary has %lld", (long)targets[i],
                            (long long)b->model->arch.vocabulary);
            return -1;
        }
        if (targets[i] < 0)
            continue;
        memcpy(b->ws->sum + count * h, hidden + i * h, (size_t)h * sizeof *hidden);
        b->ws->targets[count] = targets[i];
        b->gradient->rows[count++] = i;
    }
    return count;
}

/* This shard's part of the gradient at the normed states, in gradient->normed; *scale: of the loss. */
static void weigh(const struct laser_backward *b, int64_t count, const float *weights)
{
    const struct laser_model *m = b->model;
    int64_t h = m->arch.embed_width;
    float *row = b->gradient->block;

    for (int64_t i = 0; i < count; i++) {
        const struct laser_head_token *token = &b->ws->tokens[i];
        int64_t target = b->ws->targets[i] - m->vocabulary.first;
        double weight = weights ? (double)weights[b->gradient->rows[i]] : 1;
        double own = (double)b->gradient->largest[i], cap = m->arch.final_softcap;
        float factor = (float)(isinf(own) ? 0 : weight * exp(own - (double)token->largest) / token->sum);
        float *sums = b->gradient->normed + i * h;

        for (int64_t j = 0; j < h; j++)
            sums[j] *= factor;
        if (target < 0 || target >= m->vocabulary.count)
            continue;
        if (cap > 0)
            weight *= 1 - (double)token->target / cap * ((double)token->target / cap);
        weight *= m->arch.logit_scale;
        laser_linear_row(&m->output->linear, target, row);
        for (int64_t j = 0; j < h; j++)
            sums[j] -= (float)weight * row[j];
    }
}

static int losses(const struct laser_backward *b, int64_t count, double *nll)
{
    int64_t bad = -1;

    for (int64_t i = 0; i < count; i++) {
        int64_t row = b->gradient->rows[i];

        nll[row] = laser_head_nll_nats(&b->ws->tokens[i]);
        if (bad < 0 && !isfinite(nll[row]))
            bad = row;
    }
    if (bad >= 0)
        return laser_error_set(b->err, LASER_ENUMERIC, b->model->checkpoint->model,
                               "the loss of row %lld is not finite", (long long)bad);
    return LASER_OK;
}

/* The dense layer before the head, from hidden: gradient->normed becomes the gradient there. */
static void back_dense(const struct laser_backward *b, int64_t count, const float *hidden)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    struct laser_model_gradient *g = b->gradient;
    int64_t h = a->hidden, width = a->embed_width;
    float *normed = b->ws->normed;

    laser_linear_apply(&m->head_dense.linear, count, hidden, h, g->block, width, LASER_STORE,
                       &g->turning.scratch);
    memcpy(normed, g->block, (size_t)(count * width) * sizeof *normed);
    laser_activation_apply(a->head_activation, count, width, normed, width);
    laser_backward_norm_width(b, &m->head_norm, count, width, normed, g->normed, g->normed, false);
    laser_activation_backward(a->head_activation, count, width, g->block, width, g->normed, width);
    laser_part_apply_backward(&m->head_dense, count, g->block, width, g->normed, h, LASER_STORE, &g->turning);
}

/* gradient->normed, at the input of the head, becomes that at the hidden states of the rows. */
static void back_finish(const struct laser_backward *b, int64_t count, const float *hidden)
{
    const struct laser_model *m = b->model;
    struct laser_model_gradient *g = b->gradient;
    bool normed = laser_norm_present(&m->arch, &m->final_norm);
    float *last = b->ws->sum;
    int64_t h = m->arch.hidden;

    for (int64_t i = 0; i < count; i++)
        memcpy(last + i * h, hidden + g->rows[i] * h, (size_t)h * sizeof *last);
    if (laser_part_present(&m->head_dense)) {
        if (normed)
            laser_model_norm(&m->arch, &m->final_norm, count, last, b->ws->normed);
        back_dense(b, count, normed ? b->ws->normed : last);
    }
    if (normed)
        laser_backward_norm(b, &m->final_norm, count, last, g->normed, g->normed, false);
}

int laser_backward_head(const struct laser_backward *b, const float *hidden, const int32_t *targets,
                        const float *weights, double *nll)
{
    const struct laser_model *m = b->model;
    struct laser_model_gradient *g = b->gradient;
    struct laser_head head = laser_model_head(m);
    int64_t h = m->arch.hidden, width = m->arch.embed_width, count = gather(b, hidden, targets, nll);
    int result;

    if (count < 0)
        return LASER_EINPUT;
    memset(g->delta, 0, (size_t)(b->n * h) * sizeof *g->delta);
    if (count == 0)
        return LASER_OK;
    laser_model_finish(m, b->ws, count, b->ws->sum);
    if (m->vocabulary.count > 0)
        laser_head_backward(&head, count, b->ws->normed, width, b->ws->targets, b->ws->tokens, g->normed,
                            width, &g->turning.scratch);
    else
        memset(g->normed, 0, (size_t)(count * width) * sizeof *g->normed);
    for (int64_t i = 0; i < count; i++) {
        if (m->vocabulary.count == 0)
            b->ws->tokens[i] = (struct laser_head_token){
                .largest = -INFINITY, .target = -INFINITY, .argmax = INT64_MAX, .greater = 0};
        g->largest[i] = b->ws->tokens[i].largest;
    }
    result = laser_model_merge(m, b->ws, count, b->err);
    if (result == LASER_OK)
        result = losses(b, count, nll);
    if (result != LASER_OK)
        return result;
    weigh(b, count, weights);
    result = laser_model_group_sum(m, g->normed, count * width, b->err);
    if (result != LASER_OK)
        return result;
    if (g->teaching == LASER_TEACHER_RECORD) {
        memcpy(g->teacher, g->normed, (size_t)(count * width) * sizeof *g->teacher);
        return LASER_OK;
    }
    for (int64_t i = 0; g->teaching == LASER_TEACHER_SUBTRACT && i < count * width; i++)
        g->normed[i] -= g->teacher[i];
    back_finish(b, count, hidden);
    for (int64_t i = 0; i < count; i++)
        memcpy(g->delta + g->rows[i] * h, g->normed + i * h, (size_t)h * sizeof *g->delta);
    return LASER_OK;
}
