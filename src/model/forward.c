/* The layer loop. */
#include <math.h>
#include <string.h>

#include "model/internal.h"

static void add(float *x, const float *y, int64_t n, float scale)
{
    for (int64_t i = 0; scale == 1 && i < n; i++)
        x[i] += y[i];
    for (int64_t i = 0; scale != 1 && i < n; i++)
        x[i] += scale * y[i];
}

/* What a block reads: the normed states, or the states where there is no norm before it. */
static const float *read_block(const struct laser_model *m, struct laser_model_workspace *ws,
                               const struct laser_norm *norm, int64_t n, const float *hidden)
{
    if (!laser_norm_present(&m->arch, norm))
        return hidden;
    laser_model_norm(&m->arch, norm, n, hidden, ws->normed);
    return ws->normed;
}

/* x += scale [norm](sum over the shards of ws->sum) */
static int close_block(const struct laser_model *m, struct laser_model_workspace *ws,
                       const struct laser_norm *post, int64_t n, float *hidden, struct laser_error *err)
{
    int64_t size = n * m->arch.hidden;
    int result = laser_model_group_sum(m, ws->sum, size, err);

    if (result != LASER_OK)
        return result;
    if (laser_part_present(&post->weight))
        laser_model_norm(&m->arch, post, n, ws->sum, ws->sum);
    add(hidden, ws->sum, size, (float)m->arch.residual_scale);
    return LASER_OK;
}

/* Whether a block may add to the hidden states directly. */
static bool is_direct(const struct laser_model *m, const struct laser_norm *post)
{
    return m->group.count == 1 && !laser_part_present(&post->weight) && m->arch.residual_scale == 1;
}

static int run_serial(const struct laser_model *m, struct laser_model_workspace *ws,
                      const struct laser_layer *layer, const struct laser_model_batch *batch, int64_t n,
                      float *hidden, struct laser_error *err)
{
    bool direct = is_direct(m, &layer->post_attention_norm), mixes = layer->mixer != LASER_MIXER_NONE;
    int result = LASER_OK;

    if (mixes)
        result = laser_model_mix(m, ws, layer, batch, read_block(m, ws, &layer->attention_norm, n, hidden),
                                 direct ? hidden : ws->sum, direct ? LASER_ADD : LASER_STORE, err);
    if (result == LASER_OK && mixes && !direct)
        result = close_block(m, ws, &layer->post_attention_norm, n, hidden, err);
    if (result != LASER_OK || layer->bare)
        return result;
    direct = is_direct(m, &layer->post_mlp_norm);
    laser_model_mlp(m, ws, layer, n, read_block(m, ws, &layer->mlp_norm, n, hidden),
                    direct ? hidden : ws->sum, direct ? LASER_ADD : LASER_STORE);
    return direct ? LASER_OK : close_block(m, ws, &layer->post_mlp_norm, n, hidden, err);
}

/* Both blocks read the same hidden states: one sum for the two. */
static int run_parallel(const struct laser_model *m, struct laser_model_workspace *ws,
                        const struct laser_layer *layer, const struct laser_model_batch *batch, int64_t n,
                        float *hidden, struct laser_error *err)
{
    static const struct laser_norm none;
    int result;

    laser_model_norm(&m->arch, &layer->attention_norm, n, hidden, ws->normed);
    result = laser_model_mix(m, ws, layer, batch, ws->normed, ws->sum, LASER_STORE, err);
    if (result != LASER_OK)
        return result;
    if (m->arch.residual == LASER_RESIDUAL_PARALLEL)
        laser_model_norm(&m->arch, &layer->mlp_norm, n, hidden, ws->normed);
    laser_model_mlp(m, ws, layer, n, ws->normed, ws->sum, LASER_ADD);
    return close_block(m, ws, &none, n, hidden, err);
}

/* The norm comes after the sum with what the block read. */
static int close_post(const struct laser_model *m, struct laser_model_workspace *ws,
                      const struct laser_norm *post, int64_t n, float *hidden, struct laser_error *err)
{
    static const struct laser_norm none;
    int result = m->group.count == 1 ? LASER_OK : close_block(m, ws, &none, n, hidden, err);

    if (result == LASER_OK)
        laser_model_norm(&m->arch, post, n, hidden, hidden);
    return result;
}

static int run_post(const struct laser_model *m, struct laser_model_workspace *ws,
                    const struct laser_layer *layer, const struct laser_model_batch *batch, int64_t n,
                    float *hidden, struct laser_error *err)
{
    bool direct = m->group.count == 1;
    float *out = direct ? hidden : ws->sum;
    enum laser_output output = direct ? LASER_ADD : LASER_STORE;
    int result;

    result = laser_model_mix(m, ws, layer, batch, hidden, out, output, err);
    if (result == LASER_OK)
        result = close_post(m, ws, &layer->post_attention_norm, n, hidden, err);
    if (result != LASER_OK)
        return result;
    laser_model_mlp(m, ws, layer, n, hidden, out, output);
    return close_post(m, ws, &layer->post_mlp_norm, n, hidden, err);
}

/* x = keep x + add (sum over the shards of ws->sum) */
static int blend(const struct laser_model *m, struct laser_model_workspace *ws, const struct laser_blend *by,
                 int64_t n, float *hidden, struct laser_error *err)
{
    int64_t size = n * m->arch.hidden;
    int result = laser_model_group_sum(m, ws->sum, size, err);

    for (int64_t i = 0; result == LASER_OK && i < size; i++)
        hidden[i] = (float)by->keep * hidden[i] + (float)by->add * ws->sum[i];
    return result;
}

/* A block adds to what it read, which is normed. */
static int run_normed(const struct laser_model *m, struct laser_model_workspace *ws,
                      const struct laser_layer *layer, const struct laser_model_batch *batch, int64_t n,
                      float *hidden, struct laser_error *err)
{
    const struct laser_arch *a = &m->arch;
    bool attends = layer->mixer == LASER_MIXER_ATTENTION;
    int result;

    laser_model_norm(a, &layer->attention_norm, n, hidden, hidden);
    result = laser_model_mix(m, ws, layer, batch, hidden, ws->sum, LASER_STORE, err);
    if (result == LASER_OK)
        result = blend(m, ws, attends ? &a->blend_attention : &a->blend_mixer, n, hidden, err);
    if (result != LASER_OK)
        return result;
    laser_model_norm(a, &layer->mlp_norm, n, hidden, hidden);
    laser_model_mlp(m, ws, layer, n, hidden, ws->sum, LASER_STORE);
    return blend(m, ws, &a->blend_mlp, n, hidden, err);
}

static int check_batch(const struct laser_model *m, const struct laser_model_workspace *ws,
                       const struct laser_model_batch *batch, int64_t *longest, struct laser_error *err)
{
    const struct laser_arch *a = &m->arch;
    int64_t most = batch->length, least = batch->length, n, start = laser_model_batch_start(batch);

    for (int64_t i = 0; batch->lengths && i < batch->sequences; i++) {
        int64_t length = batch->lengths[i];

        most = i == 0 || length > most ? length : most;
        least = i == 0 || length < least ? length : least;
    }
    for (int64_t i = 0; batch->parents && i < batch->sequences; i++) {
        int64_t end;

        if (!batch->lengths || batch->cache || batch->parents[i] >= i || batch->parents[i] < -1 ||
            !laser_arch_continues(a))
            return laser_error_set(err, LASER_EINTERNAL, NULL, "sequence %lld cannot continue at %lld",
                                   (long long)i, (long long)batch->parents[i]);
        end = laser_model_batch_offset(batch, i) + batch->lengths[i];
        most = end > most ? end : most;
    }
    n = laser_model_batch_tokens(batch);
    if (batch->sequences < 1 || least < 1 || n > ws->max_tokens)
        return laser_error_set(err, LASER_EINTERNAL, NULL, "a batch of %lld tokens in a workspace for %lld",
                               (long long)n, (long long)ws->max_tokens);
    if (batch->cache && most > batch->cache->positions - start)
        return laser_error_set(err, LASER_EINTERNAL, NULL, "%lld tokens behind %lld in a cache for %lld",
                               (long long)most, (long long)start, (long long)batch->cache->positions);
    if (a->index_topk > 0 && start + most > a->index_topk)
        return laser_error_set(
            err, LASER_EINPUT, m->checkpoint->model,
            "a sequence of %lld tokens: beyond index_topk, %lld, an indexer chooses what is seen, which is "
            "not supported",
            (long long)(start + most), (long long)a->index_topk);
    if (start + most > laser_arch_longest(a))
        return laser_error_set(err, LASER_EINPUT, m->checkpoint->model,
                               "a sequence of %lld tokens: the model has %lld positions",
                               (long long)(start + most), (long long)laser_arch_longest(a));
    *longest = most;
    return LASER_OK;
}

static void scale(float *x, int64_t n, float factor)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= factor;
}

int laser_model_layers(const struct laser_model *m, struct laser_model_workspace *ws, int64_t first,
                       int64_t last, const struct laser_model_batch *batch, float *hidden,
                       struct laser_error *err)
{
    int64_t n = laser_model_batch_tokens(batch), longest = 0;
    int result = check_batch(m, ws, batch, &longest, err);
    int (*run)(const struct laser_model *, struct laser_model_workspace *, const struct laser_layer *,
               const struct laser_model_batch *, int64_t, float *, struct laser_error *) = run_parallel;

    if (result != LASER_OK)
        return result;
    if (m->arch.residual == LASER_RESIDUAL_SERIAL)
        run = run_serial;
    else if (m->arch.residual == LASER_RESIDUAL_POST)
        run = run_post;
    else if (m->arch.residual == LASER_RESIDUAL_NORMED)
        run = run_normed;
    laser_model_fill_tables(m, ws, laser_model_batch_start(batch), longest);
    for (int64_t i = first; i < last && result == LASER_OK; i++) {
        const struct laser_layer *layer = &m->layers[laser_arch_weights_of(&m->arch, i)];

        if (i == 0 && m->arch.side_kernel)
            laser_model_side_begin(m, ws, batch, hidden);
        result = run(m, ws, layer, batch, n, hidden, err);
        if (i == 0 && m->arch.side_kernel && result == LASER_OK)
            laser_model_side_close(m, ws, n, hidden);
        if (laser_part_present(&layer->scalar))
            scale(hidden, n * m->arch.hidden, layer->scalar.values[0]);
    }
    return result;
}

static void add_row(const struct laser_part *table, struct laser_share share, int64_t row, float scale,
                    float *buffer, int64_t width, float *hidden)
{
    if (row < share.first || row >= share.first + share.count)
        return;
    laser_linear_row(&table->linear, row - share.first, buffer);
    for (int64_t j = 0; j < width; j++)
        hidden[j] += scale * buffer[j];
}

int laser_model_embed(const struct laser_model *m, struct laser_model_workspace *ws, const int32_t *tokens,
                      const struct laser_model_batch *batch, float *hidden, struct laser_error *err)
{
    const struct laser_arch *a = &m->arch;
    const struct laser_share first_type = {0, m->type_table.out};
    int64_t n = laser_model_batch_tokens(batch), h = a->embed_width, longest, row = 0;
    int64_t start = laser_model_batch_start(batch);
    bool projects = laser_part_present(&m->embed_project), norms;
    float *sum = projects ? ws->sum : hidden;
    int result = check_batch(m, ws, batch, &longest, err);

    for (int64_t i = 0; result == LASER_OK && i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= a->vocabulary)
            result = laser_error_set(err, LASER_EINPUT, m->checkpoint->model,
                                     "token id %ld: the vocabulary has %lld", (long)tokens[i],
                                     (long long)a->vocabulary);
    if (result != LASER_OK)
        return result;
    memset(sum, 0, (size_t)(n * h) * sizeof *sum);
    for (int64_t s = 0; s < batch->sequences; s++) {
        int64_t length = batch->lengths ? batch->lengths[s] : batch->length;
        int64_t offset = laser_model_batch_offset(batch, s);

        for (int64_t t = 0, counted = 0; t < length; t++, row++) {
            int64_t position = start + offset + t;

            add_row(&m->embed, m->vocabulary, tokens[row], (float)a->embed_scale, ws->normed, h,
                    sum + row * h);
            if (a->masked) {
                bool counts = tokens[row] != a->padding;

                counted += counts;
                position = a->padding + (counts ? counted : 0);
                if (a->token_types > 0)
                    add_row(&m->type_table, first_type, 0, 1, ws->normed, h, sum + row * h);
            }
            if (a->names->positions)
                add_row(&m->position_table, m->positions, position + a->position_offset, 1, ws->normed, h,
                        sum + row * h);
        }
    }
    result = laser_model_group_sum(m, sum, n * h, err);
    norms = a->embed_norm_plain || laser_part_present(&m->embed_norm.weight);
    if (result == LASER_OK && norms && !a->embed_norm_late)
        laser_model_norm_width(a, &m->embed_norm, n, h, sum, sum);
    if (result == LASER_OK && projects)
        laser_linear_apply(&m->embed_project.linear, n, sum, h, hidden, a->hidden, LASER_STORE, &ws->scratch);
    if (result == LASER_OK && norms && a->embed_norm_late)
        laser_model_norm(a, &m->embed_norm, n, hidden, hidden);
    return result;
}

/* The first row of x[n, width] with a value that is not finite, or -1. */
static int64_t first_bad_row(const float *x, int64_t n, int64_t width)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j++)
            if (!isfinite(x[i * width + j]))
                return i;
    return -1;
}

static int64_t sequence_of_row(const struct laser_model_batch *batch, int64_t row)
{
    int64_t s = 0;

    if (!batch->lengths)
        return row / batch->length;
    while (row >= batch->lengths[s])
        row -= batch->lengths[s++];
    return s;
}

/* The first row whose logits are not finite, judged by the loss of an arbitrary target; -1 if none. */
static int64_t first_bad_logits(const struct laser_model *m, struct laser_model_workspace *ws, int64_t n,
                                const float *hidden, struct laser_error *err, int *result)
{
    for (int64_t i = 0; i < n; i++) {
        int32_t target = 0;
        double nll;
        struct laser_error ignored;

        *result = laser_model_nll(m, ws, 1, hidden + i * m->arch.hidden, &target, &nll, &ignored);
        if (*result == LASER_ENUMERIC) {
            *result = LASER_OK;
            return i;
        }
        if (*result != LASER_OK) {
            if (err)
                *err = ignored;
            return -1;
        }
    }
    return -1;
}

int laser_model_blame(const struct laser_model *m, struct laser_model_workspace *ws, const int32_t *tokens,
                      const struct laser_model_batch *batch, float *hidden, int64_t *layer, int64_t *sequence,
                      struct laser_error *err)
{
    int64_t n = laser_model_batch_tokens(batch), bad;
    int result = laser_model_embed(m, ws, tokens, batch, hidden, err);

    *layer = -1;
    *sequence = -1;
    if (result != LASER_OK)
        return result;
    bad = first_bad_row(hidden, n, m->arch.hidden);
    while (bad < 0 && result == LASER_OK && ++*layer < m->arch.layers) {
        result = laser_model_layers(m, ws, *layer, *layer + 1, batch, hidden, err);
        bad = first_bad_row(hidden, n, m->arch.hidden);
    }
    if (bad < 0 && result == LASER_OK)
        bad = first_bad_logits(m, ws, n, hidden, err, &result);
    if (bad >= 0)
        *sequence = sequence_of_row(batch, bad);
    else
        *layer = -2;
    return result;
}
