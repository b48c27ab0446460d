/* The way back through what a layer has before its MLP. */
#include "model/backward.h"

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
