#include "evaluate/plan_evaluation.h"

#include <inttypes.h>
#include <stdio.h>

#include "evaluate/evaluation.h"

static void say(const struct laser_run *run, const struct laser_layout *l,
                const struct laser_layout_work *work, bool has_items)
{
    char time[160];

    if (has_items)
        snprintf(time, sizeof time, "about %.3g s for %" PRId64 " tokens in %" PRId64 " batches", l->seconds,
                 work->tokens, work->n_batches);
    else
        snprintf(time, sizeof time, "about %.3g s for a million tokens", 1e6 / l->tokens_per_second);
    laser_log_line(run->log, "EVALUATION",
                   "%d replica%s of %d shard%s (%s); weights %.3g GB a shard, memory %.3g GB a rank of "
                   "%.3g; %s",
                   l->replicas, l->replicas == 1 ? "" : "s", l->shards, l->shards == 1 ? "" : "s",
                   laser_deck_value_text(run->deck, LASER_KEY_evaluate_precision), l->weights_bytes / 1e9,
                   l->memory_bytes / 1e9, run->memory_limit_bytes / 1e9, time);
}

int laser_mpi_plan_evaluation(struct laser_run *run, double forward_flops, struct laser_layout *layout,
                              struct laser_error *err)
{
    struct laser_layout_work work = {.batch_tokens = 1024, .length = run->settings->evaluate.seqlen};
    struct laser_mpi_evaluation e;
    bool has_items = run->settings->evaluate.text.count > 0 || run->settings->evaluate.task.count > 0;
    int code;

    *layout = (struct laser_layout){0};
    if (has_items) {
        code = laser_mpi_texts_open(run, &e, err);
        if (code == LASER_OK)
            work = laser_evaluation_work(&e.evaluation);
        laser_mpi_evaluation_close(&e.evaluation);
        if (code != LASER_OK)
            return code;
    } else if (run->checkpoint->config == NULL) {
        return LASER_OK;
    } else if (work.length > work.batch_tokens) {
        work.batch_tokens = work.length;
    }
    work.forward_flops = forward_flops;
    code = laser_layout_choose(run, &work, layout, err);
    if (code != LASER_OK)
        layout->memory_bytes = 0;
    if (code == LASER_EINPUT && !has_items) {
        laser_error_clear(err);
        return LASER_OK;
    }
    if (code == LASER_ENOMEM) { /* what a plan is for */
        laser_log_line(run->log, "EVALUATION", "%s", err->text);
        laser_error_clear(err);
        return LASER_OK;
    }
    if (code == LASER_OK)
        say(run, layout, &work, has_items);
    return code;
}
