/* What the tokens of a sequence leave behind in a layer: the last inputs of its convolution, and its state. */
#include <string.h>

#include "model/internal.h"

void laser_model_size_memory(const struct laser_model *m, struct laser_layer *layer)
{
    const struct laser_delta *d = &m->arch.delta;
    const struct laser_recurrence *mix = &m->arch.mix;
    int64_t heads = m->mix_heads.count, keys = m->delta_heads.count, size = m->arch.head_size;

    switch (layer->mixer) {
    case LASER_MIXER_ATTENTION:
    case LASER_MIXER_NONE:
        break;
    case LASER_MIXER_DELTA:
        layer->tail = (d->kernel - 1) * (2 * keys * d->key_size + laser_delta_width(m));
        layer->state = laser_delta_width(m) * d->key_size;
        break;
    case LASER_MIXER_STATE_SPACE:
    case LASER_MIXER_BOTH:
        layer->tail = (mix->kernel - 1) * (heads * mix->head_size + 2 * m->mix_groups.count * mix->state);
        layer->state = heads * mix->head_size * mix->state;
        break;
    case LASER_MIXER_SELECTIVE:
    case LASER_MIXER_CONVOLUTION:
        layer->tail = (mix->kernel - 1) * heads;
        layer->state = heads * mix->state;
        break;
    case LASER_MIXER_LIGHTNING:
        layer->state = m->heads.count * size * size;
        break;
    }
}

/* What the tokens before a sequence left behind, in a place where the sequence leaves its own: with several
 * sequences behind a cache, that of the last stays, and is of no use. */
static float *begin(struct laser_model_workspace *ws, const struct laser_layer *layer,
                    const struct laser_model_batch *batch)
{
    size_t bytes = (size_t)(layer->tail + layer->state) * sizeof(float);

    if (!batch->cache) {
        memset(ws->state, 0, bytes);
        return ws->state;
    }
    memcpy(batch->cache->states[1] + layer->memory, batch->cache->states[0] + layer->memory, bytes);
    return batch->cache->states[1] + layer->memory;
}

float *laser_model_begin_state(struct laser_model_workspace *ws, const struct laser_layer *layer,
                               const struct laser_model_batch *batch)
{
    size_t bytes = (size_t)layer->state * sizeof(float);
    int64_t at = layer->memory + layer->tail;

    if (!batch->cache) {
        memset(ws->state + layer->tail, 0, bytes);
        return ws->state + layer->tail;
    }
    memcpy(batch->cache->states[1] + at, batch->cache->states[0] + at, bytes);
    return batch->cache->states[1] + at;
}

void laser_model_run_sequences(const struct laser_model *m, struct laser_model_workspace *ws,
                               const struct laser_layer *layer, const struct laser_model_batch *batch,
                               laser_sequence_run *run, int64_t stride, int64_t width)
{
    int64_t row = 0;

    for (int64_t s = 0; s < batch->sequences; s++) {
        int64_t length = batch->lengths ? batch->lengths[s] : batch->length;

        run(m, ws, layer, length, ws->raised + row * stride, begin(ws, layer, batch),
            ws->context + row * width);
        row += length;
    }
}
