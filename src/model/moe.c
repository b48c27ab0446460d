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
static void choose(const struct laser_moe *moe, float *p, int32_t *chosen, float *weight)
{
    float sum = 0;

    for (int64_t k = 0; k < moe->per_token; k++) {
        int64_t best = -1;

        for (int64_t e = 0; e < moe->experts; e++)
            if (!(p[e] < 0) && (best < 0 || p[e] > p[best] || isnan(p[best])))
                best = e;
        chosen[k] = (int32_t)best;
        weight[k] = p[best];
        sum += p[best];
        p[best] = -1;
    }
    for (int64_t k = 0; moe->normalized && k < moe->per_token; k++)
        weight[k] /= sum;
}

void laser_model_route(const struct laser_model *m, struct laser_model_workspace *ws,
                       const struct laser_layer *layer, int64_t n, const float *x)
{
    const struct laser_moe *moe = &m->arch.moe;
    int64_t slots = n * moe->per_token;

    laser_part_apply(&layer->router, n, x, m->arch.hidden, ws->router, moe->experts, LASER_STORE,
                     &ws->scratch);
    for (int64_t i = 0; i < n; i++) {
        laser_model_softmax(ws->router + i * moe->experts, moe->experts);
        choose(moe, ws->router + i * moe->experts, ws->chosen + i * moe->per_token,
               ws->weights + i * moe->per_token);
    }
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

/* out += weight * expert(x) for the tokens of `count` slots. */
static void run_expert(const struct laser_model *m, struct laser_model_workspace *ws,
                       const struct laser_mlp *expert, int64_t count, const int64_t *slots, const float *x,
                       float *out)
{
    int64_t h = m->arch.hidden, per_token = m->arch.moe.per_token, stride;

    for (int64_t i = 0; i < count; i++)
        memcpy(ws->gathered + i * h, x + slots[i] / per_token * h, (size_t)h * sizeof *x);
    stride = laser_model_mlp_up(m, ws, expert, count, ws->gathered);
    laser_part_apply(&expert->down, count, ws->up, stride, ws->expert_out, h, LASER_STORE, &ws->scratch);
    for (int64_t i = 0; i < count; i++) {
        float *y = out + slots[i] / per_token * h, weight = ws->weights[slots[i]];
        const float *from = ws->expert_out + i * h;

        for (int64_t j = 0; j < h; j++)
            y[j] += weight * from[j];
    }
}

/* out += sigmoid(shared_router(x)) * shared(x); the gate is applied before the down projection. */
static void run_shared(const struct laser_model *m, struct laser_model_workspace *ws,
                       const struct laser_layer *layer, int64_t n, const float *x, float *out)
{
    int64_t h = m->arch.hidden, stride = laser_model_mlp_up(m, ws, &layer->shared, n, x);

    laser_part_apply(&layer->shared_router, n, x, h, ws->router, 1, LASER_STORE, &ws->scratch);
    for (int64_t i = 0; i < n; i++) {
        float gate = 1 / (1 + expf(-ws->router[i]));

        for (int64_t j = 0; j < layer->shared.columns; j++)
            ws->up[i * stride + j] *= gate;
    }
    laser_part_apply(&layer->shared.down, n, ws->up, stride, out, h, LASER_ADD, &ws->scratch);
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
    for (int64_t e = 0; e < moe->experts; e++)
        for (int64_t s = ws->slot_start[e]; layer->experts[e].columns && s < ws->slot_start[e + 1];
             s += step) {
            int64_t left = ws->slot_start[e + 1] - s;

            run_expert(m, ws, &layer->experts[e], left < step ? left : step, ws->slots + s, x, out);
        }
    for (int64_t done = 0; layer->shared.columns && done < n; done += step)
        run_shared(m, ws, layer, n - done < step ? n - done : step, x + done * h, out + done * h);
}
