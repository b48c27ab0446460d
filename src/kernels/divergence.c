#include "kernels/divergence.h"

#include <math.h>

#include "kernels/head_block.h"
#include "kernels/vec.h"

enum { BLOCK = LASER_HEAD_BLOCK, TOKENS = LASER_HEAD_TOKENS };

int64_t laser_pair_scratch_size(const struct laser_head *base, const struct laser_head *other, int64_t tokens)
{
    int64_t rows = tokens < TOKENS ? tokens : TOKENS, bytes = 0;
    const struct laser_head *heads[] = {base, other};

    for (int i = 0; i < 2; i++) {
        int64_t more = heads[i] ? laser_linear_scratch_size(heads[i]->linear, rows) : 0;
        bytes = more > bytes ? more : bytes;
    }
    return 2 * BLOCK * rows * (int64_t)sizeof(float) + bytes;
}

LASER_INLINE void widen(laser_vec64 *v, const float *from)
{
    laser_vec_half narrow;

    memcpy(&narrow, from, sizeof narrow);
    *v = __builtin_convertvector(narrow, laser_vec64);
}

/* sums[0] += exp(a - largest_a), [1] += exp(b - largest_b), [2] += exp(a - largest_a) (a - b), n a multiple of
 * LASER_LANES64. */
LASER_INLINE void add_pairs_body(int64_t n, const float *a, const float *b, double largest_a,
                                 double largest_b, double *sums)
{
    laser_vec64 total[3] = {{0}, {0}, {0}}, p, q, difference;

    for (int64_t i = 0; i < n; i += LASER_LANES64) {
        widen(&p, a + i);
        widen(&q, b + i);
        difference = p - q;
        p -= largest_a;
        q -= largest_b;
        laser_vec64_exp_below_0(&p);
        laser_vec64_exp_below_0(&q);
        total[0] += p;
        total[1] += q;
        total[2] += p * difference;
    }
    for (int k = 0; k < 3; k++)
        sums[k] += laser_vec64_sum(&total[k]);
}

LASER_VARIANTS(add_pairs,
               (int64_t n, const float *a, const float *b, double largest_a, double largest_b, double *sums),
               (n, a, b, largest_a, largest_b, sums))

/* The largest of a block; returns what the sums so far are to be multiplied by. */
static double raise_largest(int64_t first, int64_t n, const float *logits, struct laser_pair_side *side)
{
    float largest;
    int64_t at = laser_head_largest(n, logits, &largest);
    double factor = 1;

    if (largest > side->largest) {
        factor = exp((double)side->largest - (double)largest);
        side->largest = largest;
        side->argmax = first + at;
    }
    return factor;
}

/* Logits of entries first .. first + n - 1 of one token. */
static void scan_pair(int64_t first, int64_t n, const float *a, const float *b, int64_t target,
                      struct laser_pair_token *token)
{
    int64_t whole = n / LASER_LANES64 * LASER_LANES64;
    double shrink_a = raise_largest(first, n, a, &token->base);
    double shrink_b = raise_largest(first, n, b, &token->other);
    double sums[3] = {token->base.sum * shrink_a, token->other.sum * shrink_b, token->cross * shrink_a};
    float tail_a[LASER_LANES64], tail_b[LASER_LANES64];

    add_pairs(whole, a, b, (double)token->base.largest, (double)token->other.largest, sums);
    if (whole < n) {
        for (int i = 0; i < LASER_LANES64; i++) { /* finite, and far below every logit that counts */
            tail_a[i] = whole + i < n ? a[whole + i] : token->base.largest - 1000;
            tail_b[i] = whole + i < n ? b[whole + i] : token->other.largest - 1000;
        }
        add_pairs(LASER_LANES64, tail_a, tail_b, (double)token->base.largest, (double)token->other.largest,
                  sums);
    }
    token->base.sum = sums[0];
    token->other.sum = sums[1];
    token->cross = sums[2];
    if (target >= first && target < first + n) {
        token->base.target = a[target - first];
        token->other.target = b[target - first];
    }
}

/* Logits of entries v .. v + n - 1 for tokens t .. t + count - 1, BLOCK a row. */
static void fill_block(const struct laser_logits *source, int64_t v, int64_t n, int64_t t, int64_t count,
                       float *logits, const struct laser_scratch *scratch)
{
    if (source->head) {
        laser_head_block(source->head, v - source->head->first, n, count, source->x + t * source->x_stride,
                         source->x_stride, logits, scratch);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        source->read(source->context, t + i, v, n, logits + i * BLOCK);
}

/* One block of some tokens; a[], b[]: the logits, BLOCK a row, of which the first `common` are compared. */
static void take_block(int64_t v, int64_t n, int64_t common, int64_t count, const float *a, const float *b,
                       const int64_t *targets, struct laser_pair_token *result,
                       struct laser_head_token *alone)
{
    for (int64_t i = 0; i < count; i++) {
        if (common > 0)
            scan_pair(v, common, a + i * BLOCK, b + i * BLOCK, targets[i], &result[i]);
        if (alone)
            laser_head_scan_logits(v, n, b + i * BLOCK, targets[i], NULL, &alone[i]);
    }
}

static void begin(int64_t tokens, struct laser_pair_token *result, struct laser_head_token *alone)
{
    const struct laser_pair_side nothing = {0, -INFINITY, -INFINITY, INT64_MAX};

    for (int64_t t = 0; t < tokens; t++) {
        result[t] = (struct laser_pair_token){nothing, nothing, 0};
        if (alone)
            alone[t] = (struct laser_head_token){0, -INFINITY, -INFINITY, INT64_MAX, 0};
    }
}

void laser_pair_scan(const struct laser_logits *base, const struct laser_logits *other, int64_t first,
                     int64_t size, int64_t common, int64_t tokens, const int64_t *targets,
                     struct laser_pair_token *result, struct laser_head_token *alone,
                     const struct laser_scratch *scratch)
{
    int64_t rows = tokens < TOKENS ? tokens : TOKENS;
    float *a = scratch->data, *b = a + BLOCK * rows;
    struct laser_scratch rest = {b + BLOCK * rows,
                                 scratch->size_bytes - 2 * BLOCK * rows * (int64_t)sizeof *a};

    begin(tokens, result, alone);
    for (int64_t t = 0; t < tokens; t += TOKENS) {
        int64_t count = tokens - t < TOKENS ? tokens - t : TOKENS;

        for (int64_t v = first; v < first + size; v += BLOCK) {
            int64_t n = first + size - v < BLOCK ? first + size - v : BLOCK;
            int64_t both = common - v < n ? common - v : n;

            fill_block(other, v, n, t, count, b, &rest);
            if (both > 0)
                fill_block(base, v, both, t, count, a, &rest);
            take_block(v, n, both, count, a, b, targets + t, result + t, alone ? alone + t : NULL);
        }
    }
}

/* What a sum under `largest` becomes under a larger one. */
static double under(double sum, float largest, float larger)
{
    return largest > -INFINITY ? sum * exp((double)largest - (double)larger) : sum;
}

static void merge_side(const struct laser_pair_side *from, struct laser_pair_side *into)
{
    float largest = from->largest > into->largest ? from->largest : into->largest;

    if (from->largest > into->largest || (from->largest == into->largest && from->argmax < into->argmax))
        into->argmax = from->argmax;
    into->sum = under(from->sum, from->largest, largest) + under(into->sum, into->largest, largest);
    into->largest = largest;
    into->target = fmaxf(from->target, into->target);
}

void laser_pair_merge(int64_t tokens, const struct laser_pair_token *from, struct laser_pair_token *into)
{
    for (int64_t t = 0; t < tokens; t++) {
        const struct laser_pair_token *a = &from[t];
        struct laser_pair_token *b = &into[t];
        float largest = a->base.largest > b->base.largest ? a->base.largest : b->base.largest;

        b->cross = under(a->cross, a->base.largest, largest) + under(b->cross, b->base.largest, largest);
        merge_side(&a->base, &b->base);
        merge_side(&a->other, &b->other);
    }
}

static double log_z(const struct laser_pair_side *side)
{
    return (double)side->largest + log(side->sum);
}

struct laser_pair_values laser_pair_values(const struct laser_pair_token *token)
{
    const struct laser_pair_side *a = &token->base, *b = &token->other;
    /* Equal logits give exactly 0, other rounding may end just below. */
    double kl = token->cross / a->sum - (log_z(a) - log_z(b));
    bool has_target = a->target > -INFINITY;

    return (struct laser_pair_values){.kl = kl < 0 ? 0 : kl,
                                      .nll_base = has_target ? log_z(a) - (double)a->target : 0,
                                      .nll_other = has_target ? log_z(b) - (double)b->target : 0,
                                      .same_top = a->argmax == b->argmax};
}
