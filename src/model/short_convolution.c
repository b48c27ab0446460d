/* The gated short convolution of LFM2: y = C conv(B x), where one matrix gives B, C and x.  Every shard has some
 * channels. */
#include "model/internal.h"

void laser_short_convolution_run(const struct laser_model *m, struct laser_model_workspace *ws,
                                 const struct laser_layer *layer, int64_t length, float *rows, float *memory,
                                 float *out)
{
    int64_t n = m->mix_heads.count;

    (void)ws;
    for (int64_t t = 0; t < length; t++)
        for (int64_t j = 0; j < n; j++)
            rows[t * 3 * n + j] *= rows[t * 3 * n + 2 * n + j];
    laser_model_convolve(layer->mix.conv.values, layer->mix.conv_bias.values, m->arch.mix.kernel, n, false,
                         length, rows, 3 * n, memory);
    for (int64_t t = 0; t < length; t++)
        for (int64_t j = 0; j < n; j++)
            out[t * n + j] = rows[t * 3 * n + j] * rows[t * 3 * n + n + j];
}

int laser_model_short_convolution(const struct laser_model *m, struct laser_model_workspace *ws,
                                  const struct laser_layer *layer, const struct laser_model_batch *batch,
                                  const float *x, float *out, enum laser_output output,
                                  struct laser_error *err)
{
    int64_t n = laser_model_batch_tokens(batch), channels = m->mix_heads.count;

    (void)err;
    if (channels > 0) {
        laser_part_apply(&layer->mix.in, n, x, m->arch.hidden, ws->raised, 3 * channels, LASER_STORE,
                         &ws->scratch);
        laser_model_run_sequences(m, ws, layer, batch, laser_short_convolution_run, 3 * channels, channels);
    }
    laser_model_project(&layer->mix.out, &layer->mix.out_bias, n, ws->context, channels, m->arch.hidden, out,
                        output, &ws->scratch);
    return LASER_OK;
}
