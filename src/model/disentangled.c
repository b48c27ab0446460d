/* Disentangled attention (DeBERTa, arXiv 2006.03654; in buckets of distances: DeBERTa-v2): the score of a query i and a
 * key j is
 *   scale (q_i . k_j + q_i . pk_r + k_j . pq_r),   r = span + bucket(i - j),
 * where pk and pq are projections of a table of relative positions that all layers share. */
#include <math.h>
#include <string.h>

#include "model/internal.h"

/* The bucket of a distance, as make_log_bucket_position of transformers has it: float32 throughout, as the border of
 * two buckets is a matter of rounding. */
static int64_t bucket_of(const struct laser_disentangled *d, int64_t distance)
{
    const int64_t middle = d->buckets / 2, size = distance < 0 ? -distance : distance;
    float share;

    if (d->buckets == 0 || size <= middle)
        return distance;
    share = logf((float)size / (float)middle) / logf((float)((double)(d->farthest - 1) / (double)middle));
    size_t place = (size_t)(ceilf(share * (float)(middle - 1)) + (float)middle);
    return distance < 0 ? -(int64_t)place : (int64_t)place;
}

static int64_t row_of(const struct laser_disentangled *d, int64_t distance)
{
    const int64_t row = d->span + bucket_of(d, distance);

    return row < 0 ? 0 : row >= 2 * d->span ? 2 * d->span - 1 : row;
}

static float dot(const float *x, const float *y, int64_t n)
{
    enum { LANES = 16 };
    float lanes[LANES] = {0}, sum = 0;
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            lanes[k] += x[i + k] * y[i + k];
    for (; i < n; i++)
        sum += x[i] * y[i];
    for (int k = 0; k < LANES; k++)
        sum += lanes[k];
    return sum;
}

/* Where the projections of the table stand in a row of ws->relative, and how long that is. */
struct columns {
    int64_t query, key, stride;
};

static struct columns columns_of(const struct laser_model *m, const struct laser_layer *layer)
{
    const int64_t q = m->heads.count * layer->head_size;

    if (m->arch.disentangled.shared)
        return (struct columns){0, q, q + 2 * layer->kv_heads.count * layer->head_size};
    return (struct columns){0, m->arch.disentangled.by_position ? q : 0, layer->relative.out};
}

int64_t laser_model_relative_width(const struct laser_model *m)
{
    return m->heads.count * m->arch.head_size + 2 * laser_model_key_width(m);
}

void laser_model_disentangled_begin(const struct laser_model *m, struct laser_model_workspace *ws,
                                    const struct laser_layer *layer)
{
    const struct laser_arch *a = &m->arch;
    const struct columns c = columns_of(m, layer);
    const int64_t rows = 2 * a->disentangled.span, h = a->hidden;

    for (int64_t i = 0; i < rows; i++)
        laser_linear_row(&m->relative.linear, i, ws->relative_states + i * h);
    if (laser_part_present(&m->relative_norm.weight))
        laser_model_norm(a, &m->relative_norm, rows, ws->relative_states, ws->relative_states);
    if (a->disentangled.shared)
        laser_part_apply(&layer->qkv, rows, ws->relative_states, h, ws->relative, c.stride, LASER_STORE,
                         &ws->scratch);
    else if (laser_part_present(&layer->relative))
        laser_part_apply(&layer->relative, rows, ws->relative_states, h, ws->relative, c.stride, LASER_STORE,
                         &ws->scratch);
}

/* The scores of one query with all keys of its sequence; row_of[j - i + length - 1] are the rows of distances. */
static void score(const struct laser_model *m, struct laser_model_workspace *ws,
                  const struct laser_layer *layer, int64_t head, int64_t i, int64_t length,
                  const float *query, const float *keys, int64_t stride)
{
    const struct laser_disentangled *d = &m->arch.disentangled;
    const struct columns c = columns_of(m, layer);
    const int64_t size = layer->head_size;

    for (int64_t j = 0; j < length; j++) {
        const float *key = keys + j * stride;
        const float *row = ws->relative + ws->relative_rows[i - j + length - 1] * c.stride + head * size;
        float sum = dot(query, key, size);

        if (d->by_content)
            sum += dot(query, row + c.key, size);
        if (d->by_position)
            sum += dot(key, row + c.query, size);
        ws->scores[j] = layer->attention_scale * sum;
    }
}

void laser_model_disentangled(const struct laser_model *m, struct laser_model_workspace *ws,
                              const struct laser_layer *layer, int64_t sequences, int64_t length,
                              const float *qkv, float *context)
{
    const int64_t size = layer->head_size, q = m->heads.count * size, stride = 3 * q;

    for (int64_t k = 0; k < 2 * length - 1; k++)
        ws->relative_rows[k] = row_of(&m->arch.disentangled, k - length + 1);
    for (int64_t s = 0; s < sequences; s++, qkv += length * stride, context += length * q)
        for (int64_t head = 0; head < m->heads.count; head++)
            for (int64_t i = 0; i < length; i++) {
                const float *keys = qkv + q + head * size, *values = keys + q;
                float *out = context + i * q + head * size;

                score(m, ws, layer, head, i, length, qkv + i * stride + head * size, keys, stride);
                laser_model_softmax(ws->scores, length);
                memset(out, 0, (size_t)size * sizeof *out);
                for (int64_t j = 0; j < length; j++)
                    for (int64_t k = 0; k < size; k++)
                        out[k] += ws->scores[j] * values[j * stride + k];
            }
}

/* ---- the convolution beside the first layer ---- */

/* out[length, H] = activation(convolution of x[length, H] over time, with zeros at both ends). */
static void convolve(const struct laser_model *m, struct laser_model_workspace *ws, int64_t length,
                     const float *x, float *out)
{
    const struct laser_arch *a = &m->arch;
    const int64_t h = a->hidden, kernel = a->side_kernel, wide = h / a->side_groups;

    for (int64_t t = 0; t < length; t++)
        for (int64_t g = 0; g < a->side_groups; g++) {
            for (int64_t k = 0; k < kernel; k++) {
                const int64_t from = t + k - kernel / 2;
                for (int64_t i = 0; i < wide; i++)
                    ws->side_window[i * kernel + k] =
                        from < 0 || from >= length ? 0 : x[from * h + g * wide + i];
            }
            for (int64_t o = g * wide; o < (g + 1) * wide; o++)
                out[t * h + o] = m->side_bias.values[o] +
                                 dot(m->side.values + o * wide * kernel, ws->side_window, wide * kernel);
        }
    laser_activation_apply(a->side_activation, length, h, out, h);
}

void laser_model_side_begin(const struct laser_model *m, struct laser_model_workspace *ws,
                            const struct laser_model_batch *batch, const float *hidden)
{
    int64_t row = 0;

    for (int64_t s = 0; s < batch->sequences; s++) {
        const int64_t length = batch->lengths ? batch->lengths[s] : batch->length;

        convolve(m, ws, length, hidden + row * m->arch.hidden, ws->side + row * m->arch.hidden);
        row += length;
    }
}

void laser_model_side_close(const struct laser_model *m, struct laser_model_workspace *ws, int64_t n,
                            float *hidden)
{
    for (int64_t i = 0; i < n * m->arch.hidden; i++)
        hidden[i] += ws->side[i];
    laser_model_norm(&m->arch, &m->side_norm, n, hidden, hidden);
}
