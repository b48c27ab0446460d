/* What a layer has before its MLP. */
#include "model/internal.h"

/* Attention and a state space read the same states. */
static int mix_both(const struct laser_model *m, struct laser_model_workspace *ws,
                    const struct laser_layer *layer, const struct laser_model_batch *batch, const float *x,
                    float *out, enum laser_output output, struct laser_error *err)
{
    int result = laser_model_state_space(m, ws, layer, batch, x, out, output, err);

    return result == LASER_OK ? laser_model_attention(m, ws, layer, batch, x, out, LASER_ADD, err) : result;
}

int laser_model_mix(const struct laser_model *m, struct laser_model_workspace *ws,
                    const struct laser_layer *layer, const struct laser_model_batch *batch, const float *x,
                    float *out, enum laser_output output, struct laser_error *err)
{
    static laser_mixer_apply *const mixers[] = {
        [LASER_MIXER_ATTENTION] = laser_model_attention,
        [LASER_MIXER_DELTA] = laser_model_delta,
        [LASER_MIXER_STATE_SPACE] = laser_model_state_space,
        [LASER_MIXER_BOTH] = mix_both,
        [LASER_MIXER_SELECTIVE] = laser_model_selective,
        [LASER_MIXER_CONVOLUTION] = laser_model_short_convolution,
        [LASER_MIXER_LIGHTNING] = laser_model_lightning,
    };

    return mixers[layer->mixer](m, ws, layer, batch, x, out, output, err);
}
