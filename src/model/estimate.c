#include "model/estimate.h"

#include <stdio.h>

#include "model/internal.h"

/* Running sums for one shard. */
struct tally {
    const struct laser_arch *arch;
    enum laser_precision precision;
    enum laser_storage stored;
    int index, count;
    int64_t bytes; /* -1: overflow */
    double flops;  /* a token */
    int64_t widest_up;
};

static void count_bytes(struct tally *t, int64_t bytes)
{
    if (bytes < 0 || t->bytes < 0 || bytes > INT64_MAX / 4 - t->bytes)
        t->bytes = -1;
    else
        t->bytes += bytes;
}

static void count_vector(struct tally *t, int64_t n)
{
    count_bytes(t, (n * (int64_t)sizeof(float) + 63) / 64 * 64);
}

/* use: how often a token passes it, on average. */
static void count_matrix(struct tally *t, enum laser_precision precision, int64_t out, int64_t in, double use)
{
    if (out == 0 || in == 0)
        return;
    count_bytes(t, laser_linear_size(precision, t->stored, out, in));
    t->flops += use * 2 * (double)out * (double)in;
}

/* Weights that read the same inputs: the dense ones are one matrix, and so are the first factors of the
 * others. */
struct gathered {
    int64_t layer, in, dense, ranks;
    double use;
};

/* The rank of a weight that is stored as two thin ones, else 0. */
static int64_t rank_of(const struct laser_arch *a, int64_t layer, int64_t expert, const char *name)
{
    char module[512], inner[64] = "";

    if (!a->low_ranks || !name)
        return 0;
    if (expert >= 0)
        snprintf(inner, sizeof inner, "%s%lld.", a->names->expert ? a->names->expert : "", (long long)expert);
    for (int i = 0; i < 2; i++) {
        int64_t rank;

        snprintf(module, sizeof module, "%s%s%lld.%s%s", a->names->prefix[i] ? a->names->prefix[i] : "",
                 a->names->layer, (long long)layer, inner, name);
        rank = laser_arch_low_rank(a, module);
        if (rank > 0)
            return rank;
    }
    return 0;
}

static void gather(struct tally *t, struct gathered *g, int64_t expert, const char *name, int64_t rows)
{
    int64_t rank = rank_of(t->arch, g->layer, expert, name);

    if (rank == 0) {
        g->dense += rows;
    } else if (rows > 0) {
        g->ranks += rank;
        count_matrix(t, t->precision, rows, rank, g->use);
    }
}

static void count_gathered(struct tally *t, const struct gathered *g)
{
    count_matrix(t, t->precision, g->dense, g->in, g->use);
    count_matrix(t, t->precision, g->ranks, g->in, g->use);
}

static void count_weight(struct tally *t, int64_t layer, int64_t expert, const char *name, int64_t rows,
                         int64_t in, double use)
{
    struct gathered g = {.layer = layer, .in = in, .use = use};

    if (in > 0)
        gather(t, &g, expert, name, rows);
    count_gathered(t, &g);
}

static void count_norm(struct tally *t, const char *name, int64_t n)
{
    if (!name)
        return;
    count_vector(t, n);
    if (t->arch->norm == LASER_NORM_LAYER)
        count_vector(t, n);
}

struct mlp_names {
    const char *gate, *up, *gate_up, *down;
};

static void count_mlp(struct tally *t, int64_t layer, int64_t expert, const struct mlp_names *names,
                      int64_t columns, double use, bool bias)
{
    const struct laser_arch *a = t->arch;
    int64_t up = (a->gated ? 2 : 1) * columns;
    struct gathered g = {.layer = layer, .in = a->hidden, .use = use};

    if (names->gate_up) {
        gather(t, &g, expert, names->gate_up, up);
    } else {
        gather(t, &g, expert, names->up, columns);
        if (a->gated)
            gather(t, &g, expert, names->gate, columns);
    }
    count_gathered(t, &g);
    count_weight(t, layer, expert, names->down, a->hidden, columns, use);
    if (bias) {
        count_vector(t, up);
        count_vector(t, t->index == 0 ? a->hidden : 0);
    }
    if (up > t->widest_up)
        t->widest_up = up;
}

static void count_experts(struct tally *t, int64_t layer)
{
    const struct laser_names *n = t->arch->names;
    const struct mlp_names own = {n->expert_gate, n->expert_up, NULL, n->expert_down},
                           shared = {n->shared_gate, n->shared_up, NULL, n->shared_down};
    const struct laser_moe *moe = &t->arch->moe;
    bool whole = laser_share_whole_experts(t->arch, t->count);
    int64_t mine = laser_share_of(moe->experts, t->index, t->count, 1).count;
    int64_t columns = laser_share_columns(moe->intermediate, t->index, t->count).count;
    double use = (double)moe->per_token / (double)moe->experts;

    count_matrix(t, LASER_FLOAT32, moe->experts, t->arch->hidden, 1);
    for (int64_t e = 0; e < moe->experts; e++)
        if (!whole || e < mine) /* which ones does not matter here */
            count_mlp(t, layer, e, &own, whole ? moe->intermediate : columns, use, false);
    if (moe->shared > 0) {
        count_mlp(t, layer, -1, &shared, laser_share_columns(moe->shared, t->index, t->count).count, 1,
                  false);
        count_matrix(t, LASER_FLOAT32, 1, t->arch->hidden, 1);
    }
}

/* Keys that a token sees on average. */
static double mean_keys(int64_t length, int64_t window, bool masked)
{
    double l = (double)length, w = (double)window;

    if (masked)
        return l;
    return window == 0 || window >= length ? (l + 1) / 2 : w - w * (w - 1) / (2 * l);
}

static void count_qkv(struct tally *t, int64_t layer, int64_t q, int64_t kv)
{
    const struct laser_names *n = t->arch->names;
    struct gathered g = {.layer = layer, .in = t->arch->hidden, .use = 1};

    if (t->arch->qkv_layout == LASER_QKV_SEPARATE) {
        gather(t, &g, -1, n->q, q);
        gather(t, &g, -1, n->k, kv);
        gather(t, &g, -1, n->v, kv);
    } else {
        gather(t, &g, -1, n->qkv, q + 2 * kv);
    }
    count_gathered(t, &g);
}

static void count_layer(struct tally *t, int64_t layer, int64_t length)
{
    const struct laser_arch *a = t->arch;
    const struct mlp_names dense = {a->names->gate, a->names->up, a->names->gate_up, a->names->down};
    struct laser_share heads = laser_share_of(a->heads, t->index, t->count, 1);
    int64_t d = a->head_size, q = heads.count * d, kv = laser_share_kv_heads(a, heads).count * d,
            qkv = q + 2 * kv;

    count_norm(t, a->names->attention_norm, a->hidden);
    count_norm(t, a->names->mlp_norm, a->hidden);
    count_norm(t, a->names->post_attention_norm, a->hidden);
    count_norm(t, a->names->post_mlp_norm, a->hidden);
    count_norm(t, a->qk_norm ? a->names->q_norm : NULL, d);
    count_norm(t, a->qk_norm ? a->names->k_norm : NULL, d);
    count_qkv(t, layer, q, kv);
    count_vector(t, a->q_bias ? qkv : 0);
    count_weight(t, layer, -1, a->names->o, a->hidden, q, 1);
    count_vector(t, a->o_bias && t->index == 0 ? a->hidden : 0);
    t->flops += 4 * (double)q * mean_keys(length, a->window[layer], a->masked);
    if (a->sparse[layer])
        count_experts(t, layer);
    else
        count_mlp(t, layer, -1, &dense, laser_share_columns(a->intermediate, t->index, t->count).count, 1,
                  a->mlp_bias);
}

static void count_ends(struct tally *t)
{
    const struct laser_arch *a = t->arch;
    int64_t rows = laser_share_of(a->vocabulary, t->index, t->count, 32).count;

    count_matrix(t, a->tied ? t->precision : LASER_FLOAT32, rows, a->hidden, a->tied ? 1 : 0);
    if (!a->tied)
        count_matrix(t, t->precision, rows, a->hidden, 1);
    if (a->names->positions)
        count_matrix(t, LASER_FLOAT32, laser_share_of(a->max_positions, t->index, t->count, 1).count,
                     a->hidden, 0);
    count_matrix(t, LASER_FLOAT32, a->token_types > 0 && t->index == 0 ? 1 : 0, a->hidden, 0);
    count_norm(t, a->names->embed_norm, a->hidden);
    if (a->names->head_dense) {
        count_matrix(t, t->precision, a->hidden, a->hidden, 1);
        count_vector(t, a->hidden);
        count_norm(t, a->names->head_norm, a->hidden);
    }
    count_vector(t, a->head_bias ? rows : 0);
    count_norm(t, a->names->final_norm, a->hidden);
}

/* Working arrays of one batch; the same terms as in workspace.c, without the small ones. */
static int64_t working_bytes(const struct tally *t, int64_t n)
{
    const struct laser_arch *a = t->arch;
    struct laser_share heads = laser_share_of(a->heads, t->index, t->count, 1);
    int64_t d = a->head_size, kv = laser_share_kv_heads(a, heads).count;
    int64_t row = 2 * a->hidden + (2 * heads.count + 4 * kv) * d + 16, experts = a->moe.experts;
    int64_t mlp = laser_model_mlp_rows(n) * (t->widest_up + (experts ? 2 * a->hidden : 0));

    return (n * (row + experts + 4 * a->moe.per_token) + mlp) * (int64_t)sizeof(float);
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
        struct tally t = {
            .arch = arch, .precision = precision, .stored = stored, .index = index, .count = shards};
        int64_t working;

        count_ends(&t);
        for (int64_t i = 0; i < arch->layers; i++)
            count_layer(&t, i, length);
        if (t.bytes < 0)
            return laser_error_set(err, LASER_EINPUT, arch->model_type,
                                   "the weights are larger than any memory");
        working = working_bytes(&t, max_tokens);
        estimate->weights_bytes = t.bytes > estimate->weights_bytes ? t.bytes : estimate->weights_bytes;
        estimate->working_bytes = working > estimate->working_bytes ? working : estimate->working_bytes;
        estimate->flops_per_token += t.flops;
        busiest = t.flops > busiest ? t.flops : busiest;
    }
    /* the key-value heads that two shards hold are counted twice: work that is really done */
    estimate->share = busiest / estimate->flops_per_token;
    return LASER_OK;
}
