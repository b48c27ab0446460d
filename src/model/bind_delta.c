/* Tensors of the gated delta rule: which slice of each this shard needs. */
#include <stdio.h>
#include <string.h>

#include "model/binder.h"

/* rows rows of a tensor of `all` rows, from `from` on, to `to` of the inputs' part. */
static void bind_delta_rows(struct laser_binder *b, struct laser_layer *layer, const char *name, int64_t all,
                            int64_t from, int64_t rows, int64_t to)
{
    int64_t hidden = b->model->arch.hidden;

    laser_bind_outputs(b, &layer->delta.in, NULL, to, name, -1,
                       (struct laser_piece){all, hidden, rows ? from : 0, rows, 0, hidden, 0}, false);
}

/* Fused by key head: its query and key, then the values and the gates of its value heads; beta and decay
 * apart. */
static void bind_delta_by_head(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_delta *d = &m->arch.delta;
    const struct laser_names *n = m->arch.names;
    int64_t per = d->value_heads / d->key_heads, values = per * d->value_size, key = d->key_size;
    int64_t count = m->delta_heads.count, step = 2 * key + 2 * values, all = d->key_heads * step;
    int64_t v = 2 * count * key, z = v + count * values, beta = z + count * values,
            decay = beta + count * per;

    if (count == 0) {
        bind_delta_rows(b, layer, n->delta_qkvz, all, 0, 0, 0);
        bind_delta_rows(b, layer, n->delta_ba, 2 * d->value_heads, 0, 0, 0);
    }
    for (int kind = 0; kind < 4; kind++) /* in the order of the outputs */
        for (int64_t h = 0; h < count; h++) {
            const struct {
                int64_t from, rows, to;
            } run[] = {{0, key, h * key},
                       {key, key, (count + h) * key},
                       {2 * key, values, v + h * values},
                       {2 * key + values, values, z + h * values}};

            bind_delta_rows(b, layer, n->delta_qkvz, all, (m->delta_heads.first + h) * step + run[kind].from,
                            run[kind].rows, run[kind].to);
        }
    for (int kind = 0; kind < 2; kind++)
        for (int64_t h = 0; h < count; h++)
            bind_delta_rows(b, layer, n->delta_ba, 2 * d->value_heads,
                            ((m->delta_heads.first + h) * 2 + kind) * per, per,
                            (kind ? decay : beta) + h * per);
}

static void bind_delta_apart(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_delta *d = &m->arch.delta;
    const struct laser_names *n = m->arch.names;
    int64_t per = d->value_heads / d->key_heads, first = m->delta_heads.first, count = m->delta_heads.count;
    int64_t keys = d->key_heads * d->key_size, values = d->value_heads * d->value_size,
            all = 2 * keys + values;
    int64_t key = count * d->key_size, heads = count * per, value = heads * d->value_size;
    int64_t from = first * d->key_size, value_from = first * per * d->value_size;

    bind_delta_rows(b, layer, n->delta_qkv, all, from, key, 0);
    bind_delta_rows(b, layer, n->delta_qkv, all, keys + from, key, key);
    bind_delta_rows(b, layer, n->delta_qkv, all, 2 * keys + value_from, value, 2 * key);
    bind_delta_rows(b, layer, n->delta_z, values, value_from, value, 2 * key + value);
    bind_delta_rows(b, layer, n->delta_b, d->value_heads, first * per, heads, 2 * key + 2 * value);
    bind_delta_rows(b, layer, n->delta_a, d->value_heads, first * per, heads, 2 * key + 2 * value + heads);
}

void laser_bind_delta(struct laser_binder *b, struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    const struct laser_delta *d = &a->delta;
    const struct laser_names *n = a->names;
    struct laser_delta_parts *parts = &layer->delta;
    int64_t per = d->value_heads / d->key_heads, first = m->delta_heads.first, count = m->delta_heads.count;
    int64_t keys = d->key_heads * d->key_size, values = d->value_heads * d->value_size, k = d->kernel;
    int64_t key = count * d->key_size, value = count * per * d->value_size;
    struct laser_piece out = {a->hidden, values, 0, 0, first * per * d->value_size, value, 0};
    char name[LASER_NAME_BYTES];

    if (n->delta_qkvz)
        bind_delta_by_head(b, layer);
    else
        bind_delta_apart(b, layer);
    laser_bind_name(b, name, n->delta_conv, -1, "");
    laser_bind_flat(b, &parts->conv, 0, name, (2 * keys + values) * k, first * d->key_size * k, key * k);
    laser_bind_flat(b, &parts->conv, key * k, name, (2 * keys + values) * k, (keys + first * d->key_size) * k,
                    key * k);
    laser_bind_flat(b, &parts->conv, 2 * key * k, name, (2 * keys + values) * k,
                    (2 * keys + first * per * d->value_size) * k, value * k);
    laser_bind_values(b, &parts->dt, 0, laser_bind_name(b, name, n->delta_dt, -1, ""), d->value_heads,
                      first * per, count * per);
    laser_bind_values(b, &parts->decay, 0, laser_bind_name(b, name, n->delta_decay, -1, ""), d->value_heads,
                      first * per, count * per);
    laser_bind_values(b, &parts->norm, 0, laser_bind_name(b, name, n->delta_norm, -1, ""), d->value_size, 0,
                      d->value_size);
    laser_bind_inputs(b, &parts->out, NULL, n->delta_out, -1, out, false);
}
