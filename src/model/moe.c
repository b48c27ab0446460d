/* Mixture of experts: every shard routes all tokens (the router is small) and computes its experts, or its
 * columns of every expert.  Shazeer et al. 2017, arXiv 1701.06538; softmax before the choice as in Mixtral,
 * arXiv 2401.04088. */
#include <math.h>
#include <string.h>

#include "model/internal.h"

void laser_model_softmax(float *x, int64_t n)
{
    float largest = x[0], sum = 0;

    for (int64_t i = 1; i < n; i++)
        largest = fmaxf(largest, x[i]);
    for (int64_t i = 0; i < n; i++)
        sum += x[i] = expf(x[i] - largest);
    for (int64_t i = 0; i < n; i++)
        x[i] /= sum;
}

/* The k largest of p, which is used up; a NaN is never the largest, so that the choice stays defined. */
static void choose(int64_t n, int64_t k, float *p, int32_t *chosen)
{
    for (int64_t i = 0; i < k; i++) {
        int64_t best = -1;

        for (int64_t e = 0; e < n; e++)
            if (p[e] != -INFINITY && (best < 0 || p[e] > p[best] || isnan(p[best])))
                best = e;
        if (best < 0)
            best = 0;
        chosen[i] = (int32_t)best;
        p[best] = -INFINITY;
    }
}

/* What a group of experts is worth: its best, or its two best together. */
static float worth(const struct laser_moe *moe, const float *p)
{
    int64_t n = moe->experts / moe->groups;
    float first = -INFINITY, second = -INFINITY;

    for (int64_t e = 0; e < n; e++)
        if (p[e] > first) {
            second = first;
            first = p[e];
        } else if (p[e] > second) {
            second = p[e];
        }
    return moe->groups_by_two ? first + second : first;
}

/* Leaves the best groups alone; all others are out of the choice.  DeepSeek-V2, arXiv 2405.04434, 2.2.2. */
static void limit_groups(const struct laser_moe *moe, float *p)
{
    int64_t n = moe->experts / moe->groups;

    for (int64_t g = 0; g < moe->groups - moe->top_groups; g++) {
        int64_t worst = -1;
        float least = INFINITY;

        for (int64_t i = 0; i < moe->groups; i++) {
            bool is_out = p[i * n] == -INFINITY;

            if (!is_out && (worst < 0 || worth(moe, p + i * n) <= least)) {
                worst = i;
                least = worth(moe, p + i * n);
            }
        }
        for (int64_t e = 0; worst >= 0 && e < n; e++)
            p[worst * n + e] = -INFINITY;
    }
}

/* Two experts, each weighted by a softmax over the logits that are near it: arXiv 2409.12136. */
static void mix_sparsely(const struct laser_moe *moe, float *logits, int32_t *chosen, float *weight)
{
    for (int64_t k = 0; k < moe->per_token; k++) {
        int64_t best = -1;
        float sum = 0;

        for (int64_t e = 0; e < moe->experts; e++) {
            bool taken = k > 0 && e == chosen[0];
            if (!taken && (best < 0 || logits[e] > logits[best] || isnan(logits[best])))
                best = e;
        }
        for (int64_t e = 0; e < moe->experts; e++) {
            float factor = fmaxf(fabsf(logits[e]), logits[best]);
            bool taken = k > 0 && e == chosen[0];

            if (!taken && !((logits[best] - logits[e]) / factor > 2 * (float)moe->jitter))
                sum += expf(logits[e] - logits[best]);
        }
        chosen[k] = (int32_t)best;
        weight[k] = 1 / sum;
    }
}

/* The experts of one token and their weights, from its logits. */
static void weigh(const struct laser_moe *moe, const float *correction, float *logits, float *work,
                  int32_t *chosen, float *weight)
{
    int64_t n = moe->experts, k = moe->per_token;
    bool sigmoid = moe->score == LASER_MOE_SIGMOID || moe->score == LASER_MOE_SIGMOID_INPUT;
    bool early = !moe->logit_corrected && sigmoid;
    float sum = 0;

    if (moe->score == LASER_MOE_SPARSEMIXER) {
        mix_sparsely(moe, logits, chosen, weight);
        return;
    }
    if (moe->score == LASER_MOE_SOFTMAX)
        laser_model_softmax(logits, n);
    for (int64_t e = 0; e < n; e++) {
        if (early)
            logits[e] = 1 / (1 + expf(-logits[e]));
        work[e] = logits[e] + (correction ? correction[e] : 0);
    }
    if (moe->groups > moe->top_groups)
        limit_groups(moe, work);
    choose(n, k, work, chosen);
    for (int64_t i = 0; i < k; i++) {
        weight[i] = logits[chosen[i]];
        if (sigmoid && !early)
            weight[i] = 1 / (1 + expf(-weight[i]));
    }
    if (moe->score == LASER_MOE_SOFTMAX_CHOSEN)
        laser_model_softmax(weight, k);
    for (int64_t i = 0; i < k; i++)
        sum += weight[i];
    sum = fmaxf(sum + (float)moe->more_sum, (float)moe->least_sum);
    for (int64_t i = 0; i < k; i++)
        weight[i] = (moe->normalized ? weight[i] / sum : weight[i]) * (float)moe->scale;
}

void laser_model_route(const struct laser_model *m, struct laser_model_workspace *ws,
                       const struct laser_layer *layer, int64_t n, const float *x)
{
    const struct laser_moe *moe = &m->arch.moe;
    int64_t slots = n * moe->per_token;

    laser_part_apply(&layer->router, n, x, m->arch.hidden, ws->router, moe->experts, LASER_STORE,
                     &ws->scratch);
    for (int64_t i = 0; i < n; i++)
        weigh(moe, layer->correction.values, ws->router + i * moe->experts, ws->choice,
              ws->chosen + i * moe->per_token, ws->weights + i * moe->per_token);
    memset(ws->slot_start, 0, (size_t)(moe->experts + 1) * sizeof *ws->slot_start);
    for (int64_t s = 0; s < slots; s++)
        ws->slot_start[ws->chosen[s] + 1]++;
    for (int64_t e = 0; e < moe->experts; e++)
        ws->slot_start[e + 1] += ws->slot_start[e];
    for (int64_t s = 0; s < slots; s++)
        ws->slots[ws->slot_start[ws->chosen[s]]++] = s;
    for (int64_t e = moe->experts; e > 0; e--)
        ws->slot_start[e] = ws->slot_start[e - 1]; /* the filling moved each start to the next one's */
    ws->slot_start[0] = 0;
}

/* Of what experts read and give. */
static int64_t expert_width(const struct laser_model *m)
{
    return m->arch.moe.width ? m->arch.moe.width : m->arch.hidden;
}

/* out += weight * expert(x) for the tokens of `count` slots. */
static void run_expert(const struct laser_model *m, struct laser_model_workspace *ws,
                       const struct laser_layer *layer, const struct laser_mlp *expert, int64_t count,
                       const int64_t *slots, const float *x, float *out)
{
    int64_t h = expert_width(m), per_token = m->arch.moe.per_token, stride;
    bool at_input = m->arch.moe.score == LASER_MOE_SIGMOID_INPUT;

    for (int64_t i = 0; i < count; i++)
        memcpy(ws->gathered + i * h, x + slots[i] / per_token * h, (size_t)h * sizeof *x);
    for (int64_t i = 0; at_input && i < count; i++)
        for (int64_t j = 0; j < h; j++)
            ws->gathered[i * h + j] *= ws->weights[slots[i]];
    stride = laser_model_mlp_up(m, ws, layer, expert, count, ws->gathered);
    laser_part_apply(&expert->down, count, ws->up, stride, ws->expert_out, h, LASER_STORE, &ws->scratch);
    for (int64_t i = 0; i < count; i++) {
        float *y = out + slots[i] / per_token * h, weight = at_input ? 1 : ws->weights[slots[i]];
        const float *from = ws->expert_out + i * h;

        for (int64_t j = 0; j < h; j++)
            y[j] += weight * from[j];
    }
}

static void run_experts(const struct laser_model *m, struct laser_model_workspace *ws,
                        const struct laser_layer *layer, const float *x, float *out)
{
    int64_t step = ws->mlp_tokens;

    for (int64_t e = 0; e < m->arch.moe.experts; e++)
        for (int64_t s = ws->slot_start[e]; layer->experts[e].columns && s < ws->slot_start[e + 1];
             s += step) {
            int64_t left = ws->slot_start[e + 1] - s;

            run_expert(m, ws, layer, &layer->experts[e], left < step ? left : step, ws->slots + s, x, out);
        }
}

/* Experts of another width, between two matrices; the second one takes what this shard has of the sum. */
static void run_narrow(const struct laser_model *m, struct laser_model_workspace *ws,
                       const struct laser_layer *layer, int64_t n, const float *x, float *out)
{
    int64_t h = m->arch.hidden, width = m->arch.moe.width;
    float *sum = ws->narrow + n * width;

    laser_part_apply(&layer->moe_down, n, x, h, ws->narrow, width, LASER_STORE, &ws->scratch);
    memset(sum, 0, (size_t)(n * width) * sizeof *sum);
    run_experts(m, ws, layer, ws->narrow, sum);
    laser_model_project(&layer->moe_up, &layer->moe_up_bias, n, sum, width, h, out, LASER_ADD, &ws->scratch);
}

/* out += shared(x), times sigmoid(shared_router(x)) where it has a gate, which is applied before the down
 * projection. */
static void run_shared(const struct laser_model *m, struct laser_model_workspace *ws,
                       const struct laser_layer *layer, int64_t n, const float *x, float *out)
{
    int64_t h = m->arch.hidden, columns = layer->shared.columns;
    int64_t stride = columns ? laser_model_mlp_up(m, ws, layer, &layer->shared, n, x) : 0;

    bool gated = columns && laser_part_present(&layer->shared_router);
    float scale = (float)m->arch.moe.shared_scale;

    if (gated)
        laser_part_apply(&layer->shared_router, n, x, h, ws->router, 1, LASER_STORE, &ws->scratch);
    for (int64_t i = 0; (gated || scale != 1) && i < n; i++) {
        float gate = gated ? scale / (1 + expf(-ws->router[i])) : scale;

        for (int64_t j = 0; j < columns; j++)
            ws->up[i * stride + j] *= gate;
    }
    laser_model_project(&layer->shared.down, &layer->shared.down_bias, n, ws->up, stride, h, out, LASER_ADD,
                        &ws->scratch);
}

void laser_model_moe(const struct laser_model *m, struct laser_model_workspace *ws,
                     const struct laser_layer *layer, int64_t n, const float *x, float *out,
                     enum laser_output output)
{
    const struct laser_moe *moe = &m->arch.moe;
    int64_t h = m->arch.hidden, step = ws->mlp_tokens;

    if (output == LASER_STORE)
        memset(out, 0, (size_t)(n * h) * sizeof *out);
    laser_model_route(m, ws, layer, n, x);
    if (moe->width)
        run_narrow(m, ws, layer, n, x, out);
    else
        run_experts(m, ws, layer, x, out);
    for (int64_t done = 0; moe->shared && done < n; done += step)
        run_shared(m, ws, layer, n - done < step ? n - done : step, x + done * h, out + done * h);
}
