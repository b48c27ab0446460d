/* The way back through what a layer has before its MLP. */
#include <string.h>

#include "model/backward.h"

void laser_backward_enter(const struct laser_backward *b, const struct laser_part *in, const float *x)
{
    laser_part_apply(in, b->n, x, b->model->arch.hidden, b->ws->raised, in->out, LASER_STORE,
                     &b->gradient->turning.scratch);
    memcpy(b->gradient->raw, b->ws->raised, (size_t)(b->n * in->out) * sizeof(float));
}

void laser_backward_sequences(const struct laser_backward *b, const struct laser_layer *layer,
                              void (*back)(const struct laser_backward *, const struct laser_layer *, int64_t,
                                           int64_t))
{
    int64_t row = 0;

    for (int64_t s = 0; s < b->batch->sequences; s++) {
        int64_t length = b->batch->lengths ? b->batch->lengths[s] : b->batch->length;

        back(b, layer, row, length);
        row += length;
    }
}

/* Attention and a state space read the same states. */
static int back_both(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                     const float *delta, float *dx)
{
    int64_t size = b->n * b->model->arch.hidden;
    float *sum = b->ws->sum;
    int result = laser_backward_attention(b, layer, x, delta, sum);

    if (result == LASER_OK)
        result = laser_backward_state_space(b, layer, x, delta, dx);
    for (int64_t i = 0; i < size; i++)
        dx[i] += sum[i];
    return result;
}

int laser_backward_mix(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                       const float *delta, float *dx)
{
    static laser_backward_mixer *const mixers[] = {
        [LASER_MIXER_ATTENTION] = laser_backward_attention,
        [LASER_MIXER_DELTA] = laser_backward_delta,
        [LASER_MIXER_STATE_SPACE] = laser_backward_state_space,
        [LASER_MIXER_BOTH] = back_both,
        [LASER_MIXER_SELECTIVE] = laser_backward_selective,
        [LASER_MIXER_CONVOLUTION] = laser_backward_short_convolution,
        [LASER_MIXER_LIGHTNING] = laser_backward_lightning,
    };

    return mixers[layer->mixer](b, layer, x, delta, dx);
}
