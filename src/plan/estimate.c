#include "plan/estimate.h"

#include "model/internal.h"

/* Running sum for one shard. */
struct tally {
    double flops; /* a token */
};

static bool is_of_experts(const struct laser_model *m, const struct laser_part *part)
{
    const struct laser_mlp *end = m->experts;

    for (int64_t i = 0; i < m->arch.layers; i++)
        end += m->arch.sparse[i] ? m->arch.moe.experts : 0;
    return (const char *)part >= (const char *)m->experts && (const char *)part < (const char *)end;
}

static bool is_of_layers(const struct laser_model *m, const struct laser_part *part)
{
    return (const char *)part >= (const char *)m->layers &&
           (const char *)part < (const char *)(m->layers + m->arch.layers);
}

/* How often a token passes a matrix, on average. */
static double use_of(const struct laser_model *m, const struct laser_part *part)
{
    const struct laser_moe *moe = &m->arch.moe;

    if (part->whole)
        part = part->whole;
    if (part == &m->embed)
        return m->output == &m->embed;
    if (part == &m->position_table || part == &m->type_table)
        return 0;
    if (is_of_layers(m, part))
        return (double)laser_arch_layer_uses(&m->arch, ((const char *)part - (const char *)m->layers) /
                                                           (ptrdiff_t)sizeof *m->layers);
    return moe->experts > 0 && is_of_experts(m, part) ? (double)moe->per_token / (double)moe->experts : 1;
}

static void count_part(struct laser_model *m, struct laser_part *part, struct laser_part *bias,
                       enum laser_precision precision, void *context)
{
    struct tally *t = context;

    (void)bias;
    (void)precision;
    if (part->in > 0)
        t->flops += use_of(m, part) * 2 * (double)part->out * (double)part->in;
}

/* Keys that a token sees on average. */
static double mean_keys(const struct laser_arch *a, int64_t layer, int64_t length)
{
    int64_t window = a->window[layer];
    double l = (double)length, w = (double)window;

    if (a->masked)
        return window == 0 || 2 * window - 1 >= length ? l : 2 * w - 1;
    if (window == 0 || window >= length)
        return (l + 1) / 2;
    return a->chunked ? (w + 1) / 2 : w - w * (w - 1) / (2 * l);
}

/* Products of a head's vectors for each pair of a query and a key: the score, the value, and with the rows of their
 * distance. */
static double products_of_pairs(const struct laser_arch *a)
{
    return 2 + a->disentangled.by_content + a->disentangled.by_position;
}

int laser_model_estimate(const struct laser_arch *arch, int shards, enum laser_precision precision,
                         enum laser_storage stored, int64_t max_tokens, int64_t length,
                         struct laser_model_estimate *estimate, struct laser_error *err)
{
    double busiest = 0;

    if (shards < 1 || max_tokens < 1 || length < 1)
        return laser_error_set(err, LASER_EUSAGE, NULL, "%d shards, %lld tokens, sequences of %lld", shards,
                               (long long)max_tokens, (long long)length);
    *estimate =
        (struct laser_model_estimate){.hidden_bytes = max_tokens * arch->hidden * (int64_t)sizeof(float)};
    for (int index = 0; index < shards; index++) {
        const struct laser_model_group group = {.index = index, .count = shards};
        struct laser_model *m;
        struct tally t = {0};
        int64_t working;
        int result = laser_model_sketch(arch, &group, precision, stored, NULL, NULL, &m, err);

        if (result != LASER_OK)
            return result;
        laser_model_visit(m, count_part, &t);
        for (int64_t i = 0; i < arch->layers; i++)
            t.flops += products_of_pairs(arch) * 2 *
                       (double)(m->heads.count * laser_arch_head_size(arch, i)) * mean_keys(arch, i, length);
        working = laser_model_working_bytes(m, max_tokens);
        if (m->arena_bytes > estimate->weights_bytes)
            estimate->weights_bytes = m->arena_bytes;
        if (working > estimate->working_bytes)
            estimate->working_bytes = working;
        estimate->flops_per_token += t.flops;
        busiest = t.flops > busiest ? t.flops : busiest;
        laser_model_free(m);
    }
    /* the key-value heads that two shards hold are counted twice: work that is really done */
    estimate->share = busiest / estimate->flops_per_token;
    return LASER_OK;
}
