/* Keys and values of tokens that were computed before. */
#include <stdlib.h>
#include <string.h>

#include "arch/rope.h"
#include "kernels/attention.h"
#include "model/internal.h"

/* Floats of the keys of one layer. */
static int64_t layer_size(const struct laser_model *m, int64_t positions)
{
    return laser_model_key_width(m) * positions;
}

/* Floats of the states of all layers. */
static int64_t states_size(const struct laser_model *m)
{
    int64_t n = 0;

    for (int64_t i = 0; i < m->arch.layers; i++)
        n += m->layers[i].tail + m->layers[i].state;
    return n;
}

int64_t laser_model_cache_bytes(const struct laser_model *m, int64_t positions)
{
    return (2 * m->arch.layers * layer_size(m, positions) + 2 * states_size(m)) * (int64_t)sizeof(float);
}

static int64_t scratch_size(const struct laser_model *m, int64_t positions)
{
    const struct laser_attention attention = {
        .batch = 1,
        .queries = positions,
        .keys = positions,
        .heads = (int)m->heads.count,
        .head_dim =
            (int)(m->arch.head_size > m->arch.full_head_size ? m->arch.head_size : m->arch.full_head_size),
        .kv_of_head = m->kv_of_head,
        .causal = true};

    return laser_attention_scratch_size(&attention);
}

int laser_model_cache_create(const struct laser_model *m, int64_t positions, struct laser_model_cache **cache,
                             struct laser_error *err)
{
    struct laser_model_cache *c;
    int result;

    *cache = NULL;
    if (m->arch.masked)
        return laser_error_set(err, LASER_EINPUT, m->checkpoint->model,
                               "%s is a masked language model: it does not continue a text",
                               m->arch.model_type);
    if (positions < 1 || positions > INT64_C(1) << 26)
        return laser_error_set(err, LASER_EUSAGE, NULL, "a cache of %lld tokens", (long long)positions);
    c = calloc(1, sizeof *c);
    if (!c)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a cache");
    c->positions = positions;
    c->layer_size = layer_size(m, positions);
    c->keys = malloc((size_t)laser_model_cache_bytes(m, positions) + 1);
    if (!c->keys) {
        laser_model_cache_free(c);
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the keys and values of %lld tokens",
                               (long long)positions);
    }
    c->values = c->keys + m->arch.layers * c->layer_size;
    c->states_size = states_size(m);
    c->states[0] = c->values + m->arch.layers * c->layer_size;
    c->states[1] = c->states[0] + c->states_size;
    laser_model_cache_cut(c, 0);
    result = laser_scratch_reserve(&c->scratch, scratch_size(m, positions), err);
    if (result != LASER_OK) {
        laser_model_cache_free(c);
        return result;
    }
    *cache = c;
    return LASER_OK;
}

void laser_model_cache_free(struct laser_model_cache *cache)
{
    if (!cache)
        return;
    laser_scratch_free(&cache->scratch);
    free(cache->keys);
    free(cache);
}

int64_t laser_model_cache_length(const struct laser_model_cache *cache)
{
    return cache->length;
}

void laser_model_cache_extend(struct laser_model_cache *cache, int64_t n)
{
    float *behind = cache->states[1];

    cache->length += n;
    cache->states[1] = cache->states[0];
    cache->states[0] = behind;
}

void laser_model_cache_cut(struct laser_model_cache *cache, int64_t n)
{
    if (n < cache->length)
        cache->length = cache->states_size > 0 ? 0 : n;
    if (cache->length == 0)
        memset(cache->states[0], 0, (size_t)cache->states_size * sizeof(float));
}

bool laser_model_cache_serves(const struct laser_model *m, const struct laser_model_cache *cache,
                              int64_t length)
{
    const struct laser_rope *rope = &m->arch.rope;

    if (cache->length == 0 || !laser_rope_depends_on_length(rope))
        return true;
    if (rope->kind == LASER_ROPE_DYNAMIC)
        return length == cache->length || length <= rope->max_positions;
    return (length > rope->original_positions) == (cache->length > rope->original_positions);
}

/* The rows behind the cached ones become those of this sequence. */
void laser_model_cache_write(struct laser_model_cache *cache, int64_t layer, int64_t n, int64_t width,
                             const float *k, const float *v, int64_t stride)
{
    float *keys = laser_model_cache_keys(cache, layer) + cache->length * width;
    float *values = laser_model_cache_values(cache, layer) + cache->length * width;

    for (int64_t i = 0; i < n; i++) {
        memcpy(keys + i * width, k + i * stride, (size_t)width * sizeof *keys);
        memcpy(values + i * width, v + i * stride, (size_t)width * sizeof *values);
    }
}
