#include "plan/layout.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/dispatch.h"
#include "model/model.h"
#include "plan/estimate.h"
#include "plan/machine.h"
#include "plan/shards.h"

/* Of a text that is not known. */
#define MANY_TOKENS 1000000

#define MOST_SHARDS 4096

struct need {
    const struct laser_run *run;
    const struct laser_layout_work *work;
    struct laser_arch arch;
    enum laser_precision precision;
    enum laser_storage stored;
    int workers;
};

/* Floating-point operations a second of one core in products of these shapes (Zen 4 with AVX-512, measured;
 * the others in proportion to their vectors). */
static double product_rate(enum laser_precision precision)
{
    switch (laser_kernels_current(precision)) {
    case LASER_KERNELS_AVX512BF16:
        return precision == LASER_BFLOAT16 ? LASER_LAYER_BF16_FLOPS : LASER_LAYER_AVX512_FLOPS;
    case LASER_KERNELS_ONEDNN:
        return precision == LASER_BFLOAT16 ? LASER_LAYER_BF16_FLOPS : LASER_LAYER_AVX512_FLOPS;
    case LASER_KERNELS_AVX512:
        return LASER_LAYER_AVX512_FLOPS;
    case LASER_KERNELS_OPENBLAS:
        return LASER_LAYER_OPENBLAS_FLOPS;
    default:
        return LASER_LAYER_PLAIN_FLOPS;
    }
}

double laser_layout_assumed_flops(const struct laser_run *run)
{
    return product_rate(run->settings->evaluate.precision);
}

enum laser_storage laser_stored_type(const struct laser_checkpoint *c)
{
    const struct {
        enum laser_dtype dtype;
        enum laser_storage storage;
    } types[] = {{LASER_F64, LASER_STORED_F64},         {LASER_F32, LASER_STORED_F32},
                 {LASER_F16, LASER_STORED_F16},         {LASER_BF16, LASER_STORED_BF16},
                 {LASER_F8_E4M3, LASER_STORED_F8_E4M3}, {LASER_F8_E5M2, LASER_STORED_F8_E5M2}};
    enum laser_storage best = LASER_STORED_F32;
    int64_t most = -1;

    for (size_t k = 0; k < sizeof types / sizeof *types; ++k) {
        int64_t bytes = 0;
        for (int64_t i = 0; i < c->n_tensors; ++i)
            if (c->tensors[i].dtype == types[k].dtype)
                bytes += c->tensors[i].size_bytes;
        if (bytes > most) {
            most = bytes;
            best = types[k].storage;
        }
    }
    return best;
}

/* States before each layer but the first, of the batches that come to one copy. */
static double saved_bytes(const struct need *need, const struct laser_model_estimate *e, int replicas)
{
    const struct laser_layout_work *work = need->work;
    double tokens = work->tokens > 0 ? (double)work->tokens : MANY_TOKENS;
    double batches = ceil(tokens / (double)work->batch_tokens / replicas);
    double most = (double)need->run->settings->evaluate.cache_memory;

    return fmin(most, (double)(need->arch.layers - 1) * (double)e->hidden_bytes *
                          fmin(batches, tokens / (double)work->batch_tokens));
}

/* One layout's figures.  sharers: ranks of a node that hold the same shard of different copies. */
static int measure(const struct need *need, int shards, int sharers, struct laser_layout *l,
                   struct laser_error *err)
{
    const struct laser_layout_work *work = need->work;
    struct laser_model_estimate e;
    int code = laser_model_estimate(&need->arch, shards, need->precision, need->stored, work->batch_tokens,
                                    work->length, &e, err);
    double sums, flops_s, rounds;
    int64_t batches = work->n_batches;

    if (code != LASER_OK)
        return code;
    l->shards = shards;
    l->flops_per_token = e.flops_per_token;
    l->replicas = need->workers / shards;
    l->weights_bytes = (double)e.weights_bytes;
    l->memory_bytes = (double)e.weights_bytes / sharers + (double)e.hidden_bytes + (double)e.working_bytes +
                      need->run->base_bytes + LASER_EVALUATE_BYTES;
    if (l->replicas < 1)
        return LASER_OK;
    l->saved_bytes = saved_bytes(need, &e, l->replicas);
    if (batches == 0)
        batches = l->replicas;
    sums = laser_shards_sum_s(shards, (int)(2 * need->arch.layers + 1), (double)e.hidden_bytes);
    flops_s =
        LASER_LAYER_SHARE * (work->forward_flops > 0 ? work->forward_flops : product_rate(need->precision));
    l->batch_s = e.flops_per_token * (double)work->batch_tokens * e.share / flops_s + sums;
    rounds = ceil((double)batches / l->replicas);
    l->seconds = rounds * l->batch_s;
    l->tokens_per_second = (double)work->batch_tokens * l->replicas / l->batch_s;
    return LASER_OK;
}

/* Of one copy's shard on one node: groups are made of consecutive ranks. */
static int sharers_of(const struct need *need, int shards)
{
    int on_node = need->run->node_workers < need->workers ? need->run->node_workers : need->workers;

    return on_node / shards > 1 ? on_node / shards : 1;
}

/* How many workers, each with its own memory, would hold the model; 0: none do. */
static int workers_that_do(const struct need *need)
{
    struct laser_layout l;
    struct laser_error ignored;

    for (int shards = 1; shards <= MOST_SHARDS; shards += shards < 64 ? 1 : shards / 16)
        if (measure(need, shards, 1, &l, &ignored) == LASER_OK &&
            l.memory_bytes <= need->run->memory_limit_bytes)
            return shards;
    return 0;
}

static int refuse(const struct need *need, const struct laser_layout *l, struct laser_error *err)
{
    int workers = workers_that_do(need);
    char enough[160];

    if (workers > 0)
        snprintf(enough, sizeof enough, "%d ranks with that much memory would do (--shards %d)", workers + 1,
                 workers);
    else
        snprintf(enough, sizeof enough,
                 "no number of ranks would do: the working memory of a batch is too large, set "
                 "evaluate.batch_tokens");
    return laser_error_set(
        err, LASER_ENOMEM, need->run->checkpoint->model,
        "evaluation needs about %.3g GB on each of %d rank%s that hold a copy, a rank may use "
        "%.3g GB (parallel.memory_per_rank): %s",
        l->memory_bytes / 1e9, l->shards, l->shards == 1 ? "" : "s", need->run->memory_limit_bytes / 1e9,
        enough);
}

struct choice {
    const struct need *need;
    struct laser_layout layout; /* measured last */
};

static int measure_choice(void *context, int shards, double *bytes, double *seconds, struct laser_error *err)
{
    struct choice *c = context;
    int code = measure(c->need, shards, sharers_of(c->need, shards), &c->layout, err);

    *bytes = c->layout.memory_bytes;
    *seconds = c->layout.seconds;
    return code;
}

static int choose(const struct need *need, struct laser_layout *best, struct laser_error *err)
{
    const struct laser_run *run = need->run;
    struct choice c = {.need = need};
    int shards, code = laser_shards_choose(run, need->workers, run->command != LASER_COMMAND_REDUCE,
                                           measure_choice, &c, &shards, err);

    if (code != LASER_OK)
        return code;
    if (shards == 0)
        return refuse(need, &c.layout, err);
    if (c.layout.shards != shards) /* an estimate of thousands of experts takes its time */
        return measure(need, shards, sharers_of(need, shards), best, err);
    *best = c.layout;
    return LASER_OK;
}

void laser_say_config(struct laser_log *log, const struct laser_arch *arch)
{
    if (arch->ignored[0] != '\0')
        laser_log_line(log, "NOTE", "config.json: ignored, as transformers does for models of type %s: %s",
                       arch->model_type, arch->ignored);
    if (arch->quantized)
        laser_log_line(log, "NOTE",
                       "config.json: ignored: quantization_config; every weight is of a floating type");
}

void laser_say_not_run(const struct laser_run *run)
{
    struct laser_model *model;
    struct laser_error err = {0};

    if (!json_is_object(run->checkpoint->config))
        return;
    if (laser_model_describe(run->checkpoint, NULL, LASER_FLOAT32, &model, &err) == LASER_OK)
        laser_model_free(model);
    else
        laser_log_line(run->log, "NOTE", "this model can be scanned, not run: %s%s%s", err.where,
                       err.where[0] != '\0' ? ": " : "", err.text);
}

/* *arch is the caller's after LASER_OK. */
static int read_arch(const struct laser_checkpoint *c, struct laser_arch *arch, struct laser_error *err)
{
    int code = laser_arch_read(c->config, "config.json", arch, err);

    if (code != LASER_OK)
        return code;
    code = laser_model_check_types(c, arch, err);
    if (code != LASER_OK)
        laser_arch_free(arch);
    return code;
}

int laser_layout_choose(const struct laser_run *run, const struct laser_layout_work *work,
                        struct laser_layout *layout, struct laser_error *err)
{
    struct laser_layout_work assumed = *work;
    struct need need = {.run = run, .work = &assumed, .workers = run->size > 1 ? run->size - 1 : 1};
    int code = read_arch(run->checkpoint, &need.arch, err);

    if (code != LASER_OK)
        return code;
    if (run->rank == 0)
        laser_say_config(run->log, &need.arch);
    assumed.forward_flops = 0;
    need.precision = run->settings->evaluate.precision;
    need.stored = laser_stored_type(run->checkpoint);
    code = choose(&need, layout, err);
    need.work = work;
    if (code == LASER_OK && work->forward_flops > 0)
        code = measure(&need, layout->shards, sharers_of(&need, layout->shards), layout, err);
    laser_arch_free(&need.arch);
    return code;
}

int laser_layout_of(const struct laser_run *run, const struct laser_layout_work *work, int shards,
                    struct laser_layout *layout, struct laser_error *err)
{
    struct need need = {.run = run, .work = work, .workers = run->size > 1 ? run->size - 1 : 1};
    int code = read_arch(run->checkpoint, &need.arch, err);

    if (code != LASER_OK)
        return code;
    need.precision = run->settings->evaluate.precision;
    need.stored = laser_stored_type(run->checkpoint);
    code = measure(&need, shards, sharers_of(&need, shards), layout, err);
    laser_arch_free(&need.arch);
    return code;
}
