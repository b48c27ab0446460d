/* Rotary position embedding: tables of cosines and sines, and their application to query and key heads.
 * Su et al. 2021, arXiv 2104.09864, equation 34. */
#ifndef LASER_KERNELS_ROPE_H
#define LASER_KERNELS_ROPE_H

#include <stdint.h>

enum laser_rope_style {
    LASER_ROPE_HALVES,     /* dimension i turns with i + rotary_dim / 2 (NeoX, Llama, ...) */
    LASER_ROPE_INTERLEAVED /* dimension 2 i turns with 2 i + 1 (GPT-J) */
};

/* cosines[positions, half] and sines[positions, half] of (first_position + p) * inverse_frequency[j], j <
 * half = rotary_dim / 2, both times attention_scaling (1 unless the model's rope_scaling says otherwise). The
 * angle is rounded to float32 before the cosine, as transformers does. */
void laser_rope_table(int64_t first_position, int64_t positions, int half, const float *inverse_frequency,
                      float attention_scaling, float *cosines, float *sines);

/* Turns the first rotary_dim (even, <= head_dim) dimensions of each of `heads` heads in place.  x[tokens,
 * heads * head_dim], stride in elements; row t uses the table's row t % table_rows, so that a batch of
 * sequences of table_rows tokens is one call. */
void laser_rope_apply(enum laser_rope_style style, int64_t tokens, int64_t table_rows, int heads,
                      int head_dim, int rotary_dim, const float *cosines, const float *sines, float *x,
                      int64_t x_stride);

/* Backward: the gradient at what was turned becomes the gradient before, in place (the transpose). */
void laser_rope_backward(enum laser_rope_style style, int64_t tokens, int64_t table_rows, int heads,
                         int head_dim, int rotary_dim, const float *cosines, const float *sines, float *dx,
                         int64_t dx_stride);

#endif
