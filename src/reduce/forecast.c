#include "reduce/forecast.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "plan/cost.h"
#include "reduce/screen.h"
#include "sensitivity/statistics.h"

/* Lengths of a round of tune: three, and one more or two (search/line.h). */
#define USUAL_LENGTHS 4

/* An edit of one matrix computes the layers behind it and the head again: on average about half of the model. */
#define SHARE_OF_AN_EDIT 0.55

double laser_forecast_measured(const struct laser_evaluation *e)
{
    double seconds = 0, tokens = 0;

    for (int64_t i = 0; e->done != NULL && i < e->n_datasets + e->set.n_tasks; ++i) {
        seconds += e->done[i].work_s;
        tokens += (double)e->done[i].tokens;
    }
    return tokens > 0 ? seconds / tokens / e->n_groups : 0;
}

int64_t laser_forecast_calibration(const struct laser_evaluation *e)
{
    int64_t first = e->part_batch[LASER_PART_CALIBRATION],
            n = e->part_batch[LASER_PART_CALIBRATION + 1] - first,
            wanted = e->run->settings->reduce.calibration_tokens, tokens = 0, count;

    for (count = 0; count < n && (tokens < wanted || wanted == 0); ++count)
        tokens += laser_evaluation_tokens(e, first + count, first + count + 1);
    return count;
}

static int64_t tokens_of(const struct laser_evaluation *e, enum laser_item_part first,
                         enum laser_item_part last)
{
    return laser_evaluation_tokens(e, e->part_batch[first], e->part_batch[last + 1]);
}

static double token_seconds(const struct laser_evaluation *e, const struct laser_calibration *speed,
                            double token_s)
{
    double ranks = (double)e->n_groups * e->group_size;

    if (token_s > 0 || !(speed->forward_flops > 0))
        return token_s;
    return e->flops_per_token / speed->forward_flops / ranks;
}

/* Vectors of all matrices in float32, and the sums, of a rank that shares the vectors with none. */
static double gradient_bytes(const struct laser_run *run)
{
    struct laser_statistics_options options = {.values = true};
    double vectors = 0;

    options.block = run->settings->reduce.fisher != LASER_DECK_FISHER_DIAGONAL &&
                    laser_statistics_block_fits(run, &options);
    for (int64_t i = 0; i < run->matrices.n_matrices; ++i) {
        double rows = (double)run->matrices.matrices[i].rows,
               columns = (double)run->matrices.matrices[i].cols;

        vectors += 4 * fmin(rows, columns) * (rows + columns);
    }
    return laser_statistics_bytes(run, &options) + vectors;
}

/* Seconds until all matrices are rebuilt once, or some of them. */
static double rebuild_seconds(const struct laser_evaluation *e, const struct laser_calibration *speed,
                              int64_t n)
{
    const struct laser_matrix_list *list = &e->run->matrices;
    double flops = 0;

    for (int64_t i = 0; i < list->n_matrices; ++i)
        flops += laser_cost_flops(LASER_ROUTE_SERIAL_REBUILD, list->matrices[i].rows, list->matrices[i].cols);
    if (!(speed->product_flops > 0) || list->n_matrices == 0)
        return 0;
    return flops * (double)n / (double)list->n_matrices / speed->product_flops /
           ((double)e->n_groups * e->group_size);
}

/* Seconds of a pass over some batches: the first one is run by every group (sensitivity/sums.h). */
static double pass_seconds(const struct laser_evaluation *e, int64_t tokens, int64_t n_batches,
                           double token_s)
{
    double again = n_batches > 0 ? (double)(e->n_groups - 1) / (double)n_batches : 0;

    return LASER_GRADIENT_FORWARDS * (double)tokens * token_s * (1 + again);
}

static void fill_rest(const struct laser_evaluation *e, double token_s, struct laser_forecast *f)
{

    f->selecting_tokens = tokens_of(e, LASER_PART_SELECTION, LASER_PART_SELECTION);
    f->rest_tokens = tokens_of(e, LASER_PART_SELECTION_OTHER, LASER_PART_REPORT_OTHER) +
                     tokens_of(e, LASER_PART_GUARD, LASER_PART_GUARD_REPORT);
    f->rest_s = 2 * (double)f->rest_tokens * token_s;
}

void laser_forecast_tune(const struct laser_evaluation *e, const struct laser_calibration *speed,
                         double token_s, struct laser_forecast *f)
{
    int64_t first = e->part_batch[LASER_PART_CALIBRATION];
    double guards = (double)tokens_of(e, LASER_PART_GUARD, LASER_PART_GUARD);

    *f = (struct laser_forecast){.strategy = LASER_STRATEGY_TUNE,
                                 .passes = (int)e->run->settings->reduce.rounds,
                                 .gradient_bytes = gradient_bytes(e->run)};
    token_s = token_seconds(e, speed, token_s);
    f->evaluations = USUAL_LENGTHS * f->passes;
    f->gradient_tokens = laser_evaluation_tokens(e, first, first + laser_forecast_calibration(e));
    fill_rest(e, token_s, f);
    f->gradient_s = f->passes * pass_seconds(e, f->gradient_tokens, laser_forecast_calibration(e), token_s);
    /* The search that writes the model down evaluates it twice more. */
    f->evaluation_s = ((double)f->selecting_tokens + guards) * token_s * (f->evaluations + 2);
    f->edits_s = 2 * f->passes * rebuild_seconds(e, speed, e->run->matrices.n_matrices);
}

void laser_forecast_search(const struct laser_reduction_setup *setup, int trials,
                           const struct laser_calibration *speed, double token_s, struct laser_forecast *f)
{
    const struct laser_evaluation *e = setup->e;
    enum laser_strategy strategy = e->run->settings->reduce.strategy;
    int asked = (int)e->run->settings->reduce.evaluations;
    int64_t n;

    *f = (struct laser_forecast){.strategy = strategy, .trials = trials, .evaluations = trials};
    token_s = token_seconds(e, speed, token_s);
    fill_rest(e, token_s, f);
    if (laser_screen_is(setup) && trials > laser_screen_whole(strategy, asked)) {
        f->evaluations = asked > 0 ? asked : laser_screen_limit(strategy);
        f->passes = 1;
        n = laser_evaluation_first_batches(e, e->run->settings->reduce.calibration_tokens);
        f->gradient_tokens = laser_evaluation_tokens(e, 0, n);
        f->gradient_s = pass_seconds(e, f->gradient_tokens, n, token_s);
        f->gradient_bytes = gradient_bytes(e->run);
        f->edits_s = rebuild_seconds(e, speed, e->run->matrices.n_matrices); /* the vectors */
    }
    f->evaluation_s = (double)f->selecting_tokens * token_s * (1 + SHARE_OF_AN_EDIT * f->evaluations);
    f->edits_s += rebuild_seconds(e, speed, f->evaluations);
}

void laser_forecast_sensitivity(const struct laser_evaluation *e, int trials,
                                const struct laser_calibration *speed, struct laser_forecast *f)
{
    const struct laser_settings *settings = e->run->settings;
    double token_s = token_seconds(e, speed, 0);
    int64_t n = e->run->matrices.n_matrices;

    *f = (struct laser_forecast){.trials = trials, .passes = 1, .gradient_bytes = gradient_bytes(e->run)};
    if (!laser_objective_has_share(&e->objective))
        f->evaluations = settings->sensitivity.sample < trials ? (int)settings->sensitivity.sample : trials;
    f->gradient_tokens = tokens_of(e, LASER_PART_SELECTION, LASER_PART_SELECTION);
    if (f->evaluations > 0)
        f->selecting_tokens = laser_evaluation_tokens(
            e, 0, laser_evaluation_first_batches(e, settings->sensitivity.sample_tokens));
    f->gradient_s = pass_seconds(e, f->gradient_tokens, e->part_batch[LASER_PART_SELECTION + 1], token_s);
    f->evaluation_s = (double)f->selecting_tokens * token_s * (1 + SHARE_OF_AN_EDIT * f->evaluations);
    f->edits_s = rebuild_seconds(e, speed, n + f->evaluations);
}

static void say_gradient(struct laser_log *log, const struct laser_forecast *f)
{
    char time[LASER_NUMBER_SIZE], bytes[LASER_NUMBER_SIZE];

    if (f->passes == 0)
        return;
    if (f->passes == 1)
        laser_log_line(log, "WORK", "a gradient on %" PRId64 " tokens%s%s, %s of sums and singular vectors",
                       f->gradient_tokens, f->gradient_s > 0 ? ": about " : "",
                       f->gradient_s > 0 ? laser_number_time(f->gradient_s, time) : "",
                       laser_number_bytes(f->gradient_bytes, bytes));
    else
        laser_log_line(log, "WORK",
                       "at most %d rounds, each with a gradient on %" PRId64
                       " tokens%s%s in all, %s of sums and singular vectors",
                       f->passes, f->gradient_tokens, f->gradient_s > 0 ? ": about " : "",
                       f->gradient_s > 0 ? laser_number_time(f->gradient_s, time) : "",
                       laser_number_bytes(f->gradient_bytes, bytes));
}

void laser_forecast_say(struct laser_log *log, const struct laser_forecast *f)
{
    double total = f->gradient_s + f->evaluation_s + f->edits_s + f->rest_s;
    char time[LASER_NUMBER_SIZE], whole[LASER_NUMBER_SIZE];
    bool knows = f->evaluation_s > 0;

    say_gradient(log, f);
    if (f->strategy == LASER_STRATEGY_TUNE)
        laser_log_line(log, "WORK", "about %d steps evaluated on %" PRId64 " tokens%s%s", f->evaluations,
                       f->selecting_tokens, knows ? ": about " : "",
                       knows ? laser_number_time(f->evaluation_s + f->edits_s, time) : "");
    else
        laser_log_line(log, "WORK", "at most %d of %d edits evaluated on %" PRId64 " tokens%s%s; %d left out",
                       f->evaluations, f->trials, f->selecting_tokens, knows ? ": at most about " : "",
                       knows ? laser_number_time(f->evaluation_s + f->edits_s, time) : "",
                       f->trials - f->evaluations);
    if (knows)
        laser_log_line(log, "WORK", "%s about %s, of it %s for the report on %" PRId64 " tokens",
                       f->strategy == LASER_STRATEGY_TUNE ? "in all" : "in all at most",
                       laser_number_time(total, whole), laser_number_time(f->rest_s, time), f->rest_tokens);
}
