/* Where the time of one decoder layer and of the head goes: the shapes of a 1.1B and a 135M Llama, one
 * process, one thread.  Usage: bench_layer [tokens of a window [windows [repeats]]].  Each stage's time is
 * its least. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "benching.h"
#include "kernels/act.h"
#include "kernels/attention.h"
#include "kernels/head.h"
#include "kernels/norm.h"
#include "kernels/rope.h"

struct shape {
    const char *name;
    int hidden, heads, kv_heads, head_dim, wide, layers;
    int64_t vocabulary;
};

enum { NORM, QKV, ROPE, ATTENTION, OUT, NORM2, GATE_UP, ACTIVATION, DOWN, HEAD, STAGES };
static const char *const stages[STAGES] = {"norm", "q, k, v",  "rope",       "attention", "o",
                                           "norm", "gate, up", "activation", "down",      "head"};
static const int is_product[STAGES] = {0, 1, 0, 0, 1, 0, 1, 0, 1, 1};

struct layer {
    const struct shape *shape;
    int64_t window, rows;
    struct laser_linear qkv, out, gate_up, down, vocabulary;
    struct laser_attention attention;
    struct laser_head head;
    struct laser_scratch scratch;
    int *kv_of_head;
    int64_t *targets;
    struct laser_head_token *tokens;
    float *stream, *normed, *projected, *attended, *widened, *weight, *cosines, *sines;
};

static void reserve(struct laser_scratch *scratch, int64_t size_bytes)
{
    if (laser_scratch_reserve(scratch, size_bytes, NULL) != LASER_OK)
        exit(1);
}

static void make_linear(struct layer *layer, struct laser_linear *linear, enum laser_precision precision,
                        int64_t out, int64_t in)
{
    float *values = random_floats(in, 0.1f);

    if (laser_linear_init(linear, precision, LASER_STORED_BF16, out, in,
                          allocate(laser_linear_size(precision, LASER_STORED_BF16, out, in)), NULL, NULL))
        exit(1);
    for (int64_t k = 0; k < in; k++) {
        uint16_t narrow = laser_bfloat16_from_float(values[k]);

        ((uint16_t *)values)[k] = narrow;
    }
    laser_linear_pack_rows(linear, 0, out, values, 0);
    free(values);
    reserve(&layer->scratch, laser_linear_scratch_size(linear, layer->rows));
}

static void make(struct layer *l, enum laser_precision precision)
{
    const struct shape *s = l->shape;
    int q = s->heads * s->head_dim, kv = s->kv_heads * s->head_dim;
    float *inverse = random_floats(s->head_dim / 2, 0.1f);

    make_linear(l, &l->qkv, precision, q + 2 * kv, s->hidden);
    make_linear(l, &l->out, precision, s->hidden, q);
    make_linear(l, &l->gate_up, precision, 2 * s->wide, s->hidden);
    make_linear(l, &l->down, precision, s->hidden, s->wide);
    make_linear(l, &l->vocabulary, precision, s->vocabulary, s->hidden);
    l->head = (struct laser_head){.linear = &l->vocabulary, .size = s->vocabulary, .scale = 1};
    l->kv_of_head = allocate(s->heads * (int64_t)sizeof(int));
    for (int h = 0; h < s->heads; h++)
        l->kv_of_head[h] = h / (s->heads / s->kv_heads);
    l->attention = (struct laser_attention){.batch = l->rows / l->window,
                                            .queries = l->window,
                                            .keys = l->window,
                                            .heads = s->heads,
                                            .head_dim = s->head_dim,
                                            .kv_of_head = l->kv_of_head,
                                            .scale = 1 / sqrtf((float)s->head_dim),
                                            .causal = true};
    reserve(&l->scratch, laser_attention_scratch_size(&l->attention));
    reserve(&l->scratch, laser_head_scratch_size(&l->head, l->rows));
    l->targets = allocate(l->rows * (int64_t)sizeof *l->targets);
    for (int64_t t = 0; t < l->rows; t++)
        l->targets[t] = t * 37 % s->vocabulary;
    l->tokens = allocate(l->rows * (int64_t)sizeof *l->tokens);
    l->stream = random_floats(l->rows * s->hidden, 0.1f);
    l->normed = random_floats(l->rows * s->hidden, 0.1f);
    l->projected = random_floats(l->rows * (q + 2 * kv), 0.1f);
    l->attended = random_floats(l->rows * q, 0.1f);
    l->widened = random_floats(l->rows * 2 * s->wide, 0.1f);
    l->weight = random_floats(s->hidden, 0.1f);
    l->cosines = random_floats(l->window * s->head_dim / 2, 0.1f);
    l->sines = random_floats(l->window * s->head_dim / 2, 0.1f);
    for (int j = 0; j < s->head_dim / 2; j++)
        inverse[j] = powf(10000, -2 * (float)j / (float)s->head_dim);
    laser_rope_table(0, l->window, s->head_dim / 2, inverse, 1, l->cosines, l->sines);
    free(inverse);
}

static void run_stage(struct layer *l, int stage)
{
    const struct shape *s = l->shape;
    int q = s->heads * s->head_dim, kv = s->kv_heads * s->head_dim, qkv = q + 2 * kv;

    switch (stage) {
    case NORM:
    case NORM2:
        laser_rmsnorm(l->rows, s->hidden, l->stream, s->hidden, l->weight, 1e-5f, false, l->normed,
                      s->hidden);
        break;
    case QKV:
        laser_linear_apply(&l->qkv, l->rows, l->normed, s->hidden, l->projected, qkv, LASER_STORE,
                           &l->scratch);
        break;
    case ROPE:
        laser_rope_apply(LASER_ROPE_HALVES, l->rows, l->window, s->heads + s->kv_heads, s->head_dim,
                         s->head_dim, l->cosines, l->sines, l->projected, qkv);
        break;
    case ATTENTION:
        laser_attention_apply(&l->attention, l->projected, qkv, l->projected + q, qkv, l->projected + q + kv,
                              qkv, l->attended, q, &l->scratch);
        break;
    case OUT:
        laser_linear_apply(&l->out, l->rows, l->attended, q, l->stream, s->hidden, LASER_ADD, &l->scratch);
        break;
    case GATE_UP:
        laser_linear_apply(&l->gate_up, l->rows, l->normed, s->hidden, l->widened, 2 * s->wide, LASER_STORE,
                           &l->scratch);
        break;
    case ACTIVATION:
        laser_activation_gated(LASER_ACT_SILU, l->rows, s->wide, l->widened, 2 * s->wide,
                               l->widened + s->wide, 2 * s->wide, l->widened, 2 * s->wide);
        break;
    case DOWN:
        laser_linear_apply(&l->down, l->rows, l->widened, 2 * s->wide, l->stream, s->hidden, LASER_ADD,
                           &l->scratch);
        break;
    case HEAD:
        laser_head_scan(&l->head, l->rows, l->normed, s->hidden, l->targets, NULL, l->tokens, &l->scratch);
        break;
    }
}

static double flops_of(const struct layer *l, int stage)
{
    const struct laser_linear *linears[STAGES] = {[QKV] = &l->qkv,
                                                  [OUT] = &l->out,
                                                  [GATE_UP] = &l->gate_up,
                                                  [DOWN] = &l->down,
                                                  [HEAD] = &l->vocabulary};
    const struct laser_linear *linear = linears[stage];

    return linear ? 2.0 * (double)l->rows * (double)linear->out * (double)linear->in : 0;
}

static void report(const struct layer *l, enum laser_precision precision, const double *least)
{
    double total = 0, products = 0;

    for (int i = 0; i < STAGES; i++) {
        double time_s = i == HEAD ? least[i] : l->shape->layers * least[i];

        total += time_s;
        products += is_product[i] ? time_s : 0;
    }
    printf("\n%s, %lld windows of %lld tokens, %s (%s)\n\n| stage | ms | share of the model | GFLOP/s "
           "|\n|---|---|---|---|\n",
           l->shape->name, (long long)(l->rows / l->window), (long long)l->window,
           precision == LASER_FLOAT32 ? "float32" : "bfloat16",
           laser_kernels_name(laser_kernels_current(precision)));
    for (int i = 0; i < STAGES; i++) {
        double time_s = i == HEAD ? least[i] : l->shape->layers * least[i];

        printf("| %s | %.3f | %.1f %% |", stages[i], least[i] * 1e3, 100 * time_s / total);
        if (is_product[i])
            printf(" %.0f |\n", flops_of(l, i) / least[i] * 1e-9);
        else
            printf(" |\n");
    }
    printf("\nproducts %.1f %%, %.0f tokens/s a process\n", 100 * products / total, (double)l->rows / total);
}

int main(int argc, char **argv)
{
    static const struct shape shapes[] = {{"1.1B", 2048, 32, 4, 64, 5632, 22, 32000},
                                          {"135M", 576, 9, 3, 64, 1536, 30, 49152}};
    int64_t window = argc > 1 ? atoll(argv[1]) : 512, windows = argc > 2 ? atoll(argv[2]) : 1;
    int repeats = argc > 3 ? atoi(argv[3]) : 5;

    laser_kernels_set_threads(1);
    for (int i = 0; i < 4; i++) {
        enum laser_precision precision = i % 2 ? LASER_BFLOAT16 : LASER_FLOAT32;
        struct layer layer = {.shape = &shapes[i / 2], .window = window, .rows = window * windows};
        double least[STAGES];

        make(&layer, precision);
        for (int stage = 0; stage < STAGES; stage++)
            least[stage] = 1e30;
        for (int r = 0; r < repeats; r++)
            for (int stage = 0; stage < STAGES; stage++) {
                double start = now_s();

                run_stage(&layer, stage);
                start = now_s() - start;
                least[stage] = start < least[stage] ? start : least[stage];
            }
        report(&layer, precision, least);
    }
    return 0;
}
