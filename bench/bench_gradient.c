/* Cost of a gradient against the forward pass of the same batch, with a sink that does nothing, in one
 * process. Usage: bench_gradient MODEL [seqlen [windows a call [float32|bfloat16 [rounds [MB for the
 * gradient]]]]].  Random tokens; forward and gradient take turns, and the median of the ratios of neighbours
 * counts, so that what else the machine does hits both.  Times are of this thread on a processor.
 */
#include <string.h>

#include "benching.h"
#include "model/gradient.h"

struct run {
    struct laser_model *model;
    struct laser_model_workspace *ws;
    struct laser_model_gradient *gradient;
    struct laser_model_batch batch;
    int32_t *tokens, *targets;
    float *hidden;
    double *nll;
    int64_t n, limit_bytes;
};

static void check(int result, const struct laser_error *err)
{
    if (result == LASER_OK)
        return;
    fprintf(stderr, "%s: %s\n", err->where, err->text);
    exit(result);
}

static void start(struct run *r, const struct laser_checkpoint *c, enum laser_precision precision)
{
    struct laser_error err = {0};
    const struct laser_arch *arch;

    check(laser_model_open(c, precision, &r->model, &err), &err);
    arch = laser_model_arch(r->model);
    r->n = laser_model_batch_tokens(&r->batch);
    check(laser_model_workspace_create(r->model, r->n, &r->ws, &err), &err);
    check(laser_model_gradient_create_within(r->model, r->n, r->limit_bytes, &r->gradient, &err), &err);
    r->tokens = allocate(r->n * (int64_t)sizeof *r->tokens);
    r->targets = allocate(r->n * (int64_t)sizeof *r->targets);
    r->nll = allocate(r->n * (int64_t)sizeof *r->nll);
    r->hidden = allocate(r->n * arch->hidden * (int64_t)sizeof *r->hidden);
    srand(1);
    for (int64_t i = 0; i < r->n; i++) {
        r->tokens[i] = (int32_t)(rand() % arch->vocabulary);
        r->targets[i] = (int32_t)(rand() % arch->vocabulary);
    }
}

static double forward_s(struct run *r)
{
    struct laser_error err = {0};
    double begin_s = now_s();

    check(laser_model_embed(r->model, r->ws, r->tokens, &r->batch, r->hidden, &err), &err);
    check(laser_model_layers(r->model, r->ws, 0, laser_model_arch(r->model)->layers, &r->batch, r->hidden,
                             &err),
          &err);
    check(laser_model_nll(r->model, r->ws, r->n, r->hidden, r->targets, r->nll, &err), &err);
    return now_s() - begin_s;
}

static double gradient_s(struct run *r)
{
    struct laser_error err = {0};
    double begin_s = now_s();

    check(laser_model_gradient_run(r->model, r->ws, r->gradient, r->tokens, &r->batch, r->targets, NULL,
                                   r->nll, NULL, &err),
          &err);
    return now_s() - begin_s;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(struct run *r, int rounds)
{
    double *ratios = allocate(rounds * (int64_t)sizeof *ratios), best_forward_s = 1e30, best_s = 1e30;

    for (int i = 0; i < rounds; i++) {
        double forward = forward_s(r), gradient = gradient_s(r);

        ratios[i] = gradient / forward;
        best_forward_s = forward < best_forward_s ? forward : best_forward_s;
        best_s = gradient < best_s ? gradient : best_s;
    }
    qsort(ratios, (size_t)rounds, sizeof *ratios, ascending);
    printf(
        "%lld tokens: forward %.2f s, gradient %.2f s (best); ratio %.2f (median; %.2f to %.2f); %.1f MB for "
        "the gradient\n",
        (long long)r->n, best_forward_s, best_s, ratios[rounds / 2], ratios[0], ratios[rounds - 1],
        (double)laser_model_gradient_bytes_within(r->model, r->n, r->limit_bytes) / 1e6);
    free(ratios);
}

int main(int argc, char **argv)
{
    struct laser_checkpoint *c;
    struct laser_error err = {0};
    struct run r = {
        .batch = {.sequences = argc > 3 ? atoll(argv[3]) : 4, .length = argc > 2 ? atoll(argv[2]) : 512}};

    if (argc < 2) {
        fprintf(stderr, "usage: bench_gradient MODEL [seqlen [windows [float32|bfloat16 [rounds [MB]]]]]\n");
        return LASER_EUSAGE;
    }
    r.limit_bytes = argc > 6 ? (int64_t)(1e6 * atof(argv[6])) : 0;
    laser_kernels_set_threads(1);
    check(laser_checkpoint_open(argv[1], &c, &err), &err);
    start(&r, c, argc > 4 && strcmp(argv[4], "bfloat16") == 0 ? LASER_BFLOAT16 : LASER_FLOAT32);
    measure(&r, argc > 5 ? atoi(argv[5]) : 5);
    laser_model_gradient_free(r.gradient);
    laser_model_workspace_free(r.ws);
    laser_model_free(r.model);
    laser_checkpoint_close(c);
    free(r.tokens);
    free(r.targets);
    free(r.nll);
    free(r.hidden);
    return 0;
}
