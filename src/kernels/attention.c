#include "kernels/attention.h"

#include <math.h>
#include <string.h>

int64_t laser_attention_scratch_size(const struct laser_attention *attention)
{
    return (attention->keys + attention->head_dim) * (int64_t)sizeof(float);
}

static bool is_seen(const struct laser_attention *a, int64_t b, int64_t t, int64_t s)
{
    int64_t distance = a->query_offset + t - s;

    if (a->lengths && s >= a->lengths[b])
        return false;
    if (a->causal && distance < 0)
        return false;
    return !a->window || (distance < a->window && -distance < a->window);
}

static float score(const struct laser_attention *a, const float *q, const float *k)
{
    float sum = 0;

    for (int d = 0; d < a->head_dim; d++)
        sum += q[d] * k[d];
    sum *= a->scale;
    return a->soft_cap > 0 ? a->soft_cap * tanhf(sum / a->soft_cap) : sum;
}

static void attend(const struct laser_attention *a, int64_t b, int64_t t, const float *q, const float *k,
                   int64_t k_stride, const float *v, int64_t v_stride, float *out, float *scores)
{
    float *sums = scores + a->keys, largest = -INFINITY, total = 0;

    memset(sums, 0, (size_t)a->head_dim * sizeof *sums);
    for (int64_t s = 0; s < a->keys; s++) {
        scores[s] = is_seen(a, b, t, s) ? score(a, q, k + s * k_stride) : -INFINITY;
        largest = fmaxf(largest, scores[s]);
    }
    for (int64_t s = 0; s < a->keys && largest > -INFINITY; s++) {
        float weight = expf(scores[s] - largest);

        total += weight;
        for (int d = 0; d < a->head_dim; d++)
            sums[d] += weight * v[s * v_stride + d];
    }
    for (int d = 0; d < a->head_dim; d++)
        out[d] = total > 0 ? sums[d] / total : 0;
}

void laser_attention_apply(const struct laser_attention *attention, const float *q, int64_t q_stride,
                           const float *k, int64_t k_stride, const float *v, int64_t v_stride, float *out,
                           int64_t out_stride, const struct laser_scratch *scratch)
{
    for (int64_t b = 0; b < attention->batch; b++)
        for (int h = 0; h < attention->heads; h++) {
            int64_t kv =
                (attention->kv_of_head ? attention->kv_of_head[h] : h) * (int64_t)attention->head_dim;
            int64_t head = h * (int64_t)attention->head_dim;

            for (int64_t t = 0; t < attention->queries; t++) {
                int64_t row = b * attention->queries + t;

                attend(attention, b, t, q + row * q_stride + head, k + b * attention->keys * k_stride + kv,
                       k_stride, v + b * attention->keys * v_stride + kv, v_stride,
                       out + row * out_stride + head, scratch->data);
            }
        }
}
