/* Speed of the forward pass of a checkpoint in one process: tokens per second, share of the head, rate of
 * arithmetic. Usage: bench_model MODEL [seqlen [windows a call [float32|bfloat16 [seconds]]]].  Random
 * tokens; the best call counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/model.h"
#include "plan/estimate.h"

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(int result, const struct laser_error *err)
{
    if (result == LASER_OK)
        return;
    fprintf(stderr, "%s: %s\n", err->where, err->text);
    exit(result);
}

struct run {
    struct laser_model *model;
    struct laser_model_workspace *ws;
    struct laser_model_batch batch;
    int32_t *tokens, *targets;
    float *hidden;
    double *nll;
    int64_t n;
};

static void start(struct run *r, const struct laser_checkpoint *c, enum laser_precision precision)
{
    struct laser_error err = {0};
    double begin_s = now_s();
    const struct laser_arch *arch;

    check(laser_model_open(c, precision, &r->model, &err), &err);
    printf("loaded %.1f MB in %.2f s\n", (double)laser_model_weights_bytes(r->model) / 1e6,
           now_s() - begin_s);
    arch = laser_model_arch(r->model);
    r->n = laser_model_batch_tokens(&r->batch);
    check(laser_model_workspace_create(r->model, r->n, &r->ws, &err), &err);
    r->tokens = calloc((size_t)r->n, sizeof *r->tokens);
    r->targets = calloc((size_t)r->n, sizeof *r->targets);
    r->nll = calloc((size_t)r->n, sizeof *r->nll);
    r->hidden = calloc((size_t)(r->n * arch->hidden), sizeof *r->hidden);
    if (!r->tokens || !r->targets || !r->nll || !r->hidden)
        exit(LASER_ENOMEM);
    srand(1);
    for (int64_t i = 0; i < r->n; i++) {
        r->tokens[i] = (int32_t)(rand() % arch->vocabulary);
        r->targets[i] = (int32_t)(rand() % arch->vocabulary);
    }
}

static void measure(struct run *r, double limit_s)
{
    struct laser_error err = {0};
    double begin_s = now_s(), best_s = 1e30, best_head_s = 1e30;

    do {
        double a = now_s(), b, c;

        check(laser_model_embed(r->model, r->ws, r->tokens, &r->batch, r->hidden, &err), &err);
        check(laser_model_layers(r->model, r->ws, 0, laser_model_arch(r->model)->layers, &r->batch, r->hidden,
                                 &err),
              &err);
        b = now_s();
        check(laser_model_nll(r->model, r->ws, r->n, r->hidden, r->targets, r->nll, &err), &err);
        c = now_s();
        best_head_s = c - b < best_head_s ? c - b : best_head_s;
        best_s = c - a < best_s ? c - a : best_s;
    } while (now_s() - begin_s < limit_s);
    {
        struct laser_model_estimate estimate;

        check(laser_model_estimate(laser_model_arch(r->model), 1, LASER_BFLOAT16, LASER_STORED_BF16, r->n,
                                   r->batch.length, &estimate, &err),
              &err);
        printf("%.1f tokens/s, %.1f GFLOP/s, head %.1f %%, working arrays %.1f MB\n", (double)r->n / best_s,
               estimate.flops_per_token * (double)r->n / best_s / 1e9, 100 * best_head_s / best_s,
               (double)laser_model_workspace_bytes(r->ws) / 1e6);
    }
}

int main(int argc, char **argv)
{
    struct laser_checkpoint *c;
    struct laser_error err = {0};
    struct run r = {
        .batch = {.sequences = argc > 3 ? atoll(argv[3]) : 4, .length = argc > 2 ? atoll(argv[2]) : 512}};

    if (argc < 2) {
        fprintf(stderr, "usage: bench_model MODEL [seqlen [windows [float32|bfloat16 [seconds]]]]\n");
        return LASER_EUSAGE;
    }
    check(laser_checkpoint_open(argv[1], &c, &err), &err);
    start(&r, c, argc > 4 && strcmp(argv[4], "bfloat16") == 0 ? LASER_BFLOAT16 : LASER_FLOAT32);
    measure(&r, argc > 5 ? atof(argv[5]) : 5);
    laser_model_workspace_free(r.ws);
    laser_model_free(r.model);
    laser_checkpoint_close(c);
    free(r.tokens);
    free(r.targets);
    free(r.nll);
    free(r.hidden);
    return 0;
}
