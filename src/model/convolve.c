/* The short causal convolution of recurrent layers. */
#include <string.h>

#include "model/internal.h"

/* The sum over the last kernel - 1 inputs, which stand in a ring whose oldest row is `oldest`, and this one. */
static float sum_of(const float *w, float bias, int64_t kernel, const float *ring, int64_t oldest,
                    int64_t channels, float x)
{
    float sum = 0;

    for (int64_t j = 0, at = oldest; j < kernel - 1; j++) {
        sum += w[j] * ring[at * channels];
        at = at + 1 == kernel - 1 ? 0 : at + 1;
    }
    return sum + w[kernel - 1] * x + bias;
}

/* The ring's rows from the oldest on. */
static void unroll(int64_t rows, int64_t channels, int64_t oldest, float *ring)
{
    for (int64_t turn = 0; turn < oldest; turn++)
        for (int64_t c = 0; c < channels; c++) {
            float first = ring[c];

            for (int64_t j = 0; j + 1 < rows; j++)
                ring[j * channels + c] = ring[(j + 1) * channels + c];
            ring[(rows - 1) * channels + c] = first;
        }
}

void laser_model_convolve(const float *weight, const float *bias, int64_t kernel, int64_t channels, bool silu,
                          int64_t length, float *rows, int64_t stride, float *tail)
{
    int64_t oldest = 0;

    for (int64_t t = 0; t < length; t++) {
        float *row = rows + t * stride;

        for (int64_t c = 0; c < channels; c++) {
            float x = row[c],
                  y = sum_of(weight + c * kernel, bias ? bias[c] : 0, kernel, tail + c, oldest, channels, x);

            if (kernel > 1)
                tail[oldest * channels + c] = x;
            row[c] = silu ? y * laser_sigmoid(y) : y;
        }
        oldest = oldest + 1 >= kernel - 1 ? 0 : oldest + 1;
    }
    unroll(kernel - 1, channels, oldest, tail);
}
