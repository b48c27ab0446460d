/* The way back through a gated short convolution (short_convolution.c): with u = B x and y = C conv(u),
 * dC = dy conv(u), du = conv'(dy C), dB = du x, dx = du B. */
#include "model/backward.h"

static void back_sequence(const struct laser_backward *b, const struct laser_layer *layer, int64_t row,
                          int64_t length)
{
    struct laser_model_gradient *g = b->gradient;
    int64_t n = b->model->mix_heads.count, kernel = b->model->arch.mix.kernel;
    const float *raw = g->raw + row * 3 * n, *active = b->ws->raised + row * 3 * n, *dy = g->heads + row * n;
    float *delta = g->rising + row * 3 * n; /* active: conv(u), C, x */

    for (int64_t t = 0; t < length; t++)
        for (int64_t j = 0; j < n; j++) {
            delta[t * 3 * n + j] = dy[t * n + j] * raw[t * 3 * n + n + j];
            delta[t * 3 * n + n + j] = dy[t * n + j] * active[t * 3 * n + j];
        }
    laser_backward_convolve(layer->mix.conv.values, NULL, kernel, n, false, length, NULL, 0, delta, 3 * n);
    for (int64_t t = 0; t < length; t++)
        for (int64_t j = 0; j < n; j++) {
            float du = delta[t * 3 * n + j];

            delta[t * 3 * n + j] = du * raw[t * 3 * n + 2 * n + j];
            delta[t * 3 * n + 2 * n + j] = du * raw[t * 3 * n + j];
        }
}

int laser_backward_short_convolution(const struct laser_backward *b, const struct laser_layer *layer,
                                     const float *x, const float *delta, float *dx)
{
    const struct laser_model *m = b->model;
    struct laser_model_gradient *g = b->gradient;
    int64_t n = m->mix_heads.count, h = m->arch.hidden;
    int result;

    if (n > 0) {
        laser_backward_enter(b, &layer->mix.in, x);
        laser_model_run_sequences(m, b->ws, layer, b->batch, laser_short_convolution_run, 3 * n, n);
    }
    result = laser_backward_report(b, &layer->mix.out, LASER_SPLIT_INPUTS, b->n, b->ws->context, n, delta, h,
                                   NULL);
    laser_backward_project(b, &layer->mix.out, b->n, delta, h, n, g->heads, LASER_STORE);
    if (n > 0 && !laser_backward_inputs_only(b))
        laser_backward_sequences(b, layer, back_sequence);
    if (result == LASER_OK)
        result =
            laser_backward_report(b, &layer->mix.in, LASER_SPLIT_OUTPUTS, b->n, x, h, g->rising, 3 * n, NULL);
    laser_backward_project(b, &layer->mix.in, b->n, g->rising, 3 * n, h, dx, LASER_STORE);
    return result;
}
