/* What of the strategy tune needs one process: steps as edits, what they did, how it is written down. */
#include "reduce/tune.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "reduce/forecast.h"
#include "sensitivity/fisher.h"
#include "sensitivity/statistics.h"
#include "store/values.h"

bool laser_tune_block(const struct laser_run *run, const char **why)
{
    const struct laser_statistics_options whole = {.values = true, .block = true};
    enum laser_deck_fisher form = run->settings->reduce.fisher;

    *why = "as asked";
    if (form != LASER_DECK_FISHER_AUTO)
        return form == LASER_DECK_FISHER_BLOCK;
    *why = "by memory";
    return laser_statistics_block_fits(run, &whole);
}

/* ---- steps as edits ---- */

int laser_tune_step_add(struct laser_run *run, const struct laser_scan_spectrum *p, const double *direction,
                        double length, double *moved, struct laser_strategy_edit *edits, int *n_edits,
                        uint64_t *hash, struct laser_error *err)
{
    const char **names = calloc((size_t)p->n_matrices + 1, sizeof *names);
    const double **values = calloc((size_t)p->n_matrices + 1, sizeof *values);
    int64_t *counts = calloc((size_t)p->n_matrices + 1, sizeof *counts);
    char text[48];
    int n = 0, code = names == NULL || values == NULL || counts == NULL
                          ? laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for a step")
                          : LASER_OK;

    laser_fisher_move(p->n_values, p->values, direction, length, run->settings->reduce.only_shrink,
                      p->original, moved);
    for (int64_t i = 0; code == LASER_OK && i < p->n_matrices; ++i) {
        if (run->outcomes[i].status != LASER_OUTCOME_SCANNED || !laser_reduction_usable(run, i))
            continue;
        names[n] = run->matrices.matrices[i].name;
        values[n] = moved + p->first[i];
        counts[n] = p->first[i + 1] - p->first[i];
        edits[n++].matrix = (int)i;
    }
    if (code == LASER_OK)
        code = laser_values_write(run->output, n, names, values, counts, hash, err);
    if (code == LASER_OK)
        snprintf(text, sizeof text, "values:%016" PRIx64, *hash);
    for (int i = 0; code == LASER_OK && i < n; ++i)
        code = laser_strategy_edit_set(&edits[i], edits[i].matrix, text, err);
    *n_edits = n;
    free(names);
    free(values);
    free(counts);
    return code;
}

int laser_tune_plan(const struct laser_strategy_edit *edits, int n, struct laser_strategy_plan *plan,
                    struct laser_error *err)
{
    plan->edits = calloc((size_t)n + 1, sizeof *plan->edits);
    plan->trials = calloc(1, sizeof *plan->trials);
    plan->candidates = calloc(1, sizeof *plan->candidates);
    plan->edit_numbers = calloc((size_t)n + 1, sizeof *plan->edit_numbers);
    if (plan->edits == NULL || plan->trials == NULL || plan->candidates == NULL || plan->edit_numbers == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", n);
    for (int i = 0; i < n; ++i) {
        plan->edits[i] = edits[i];
        plan->edit_numbers[i] = i;
    }
    plan->n_edits = plan->n_edit_numbers = n;
    plan->n_trials = plan->n_candidates = n > 0;
    plan->trials[0].n_edits = n;
    plan->candidates[0].n_trials = 1;
    return LASER_OK;
}

/* ---- what a step did ---- */

/* Mean difference of the windows of a part, all of them (dataset -1) or those of one text; NaN without any. */
static void compare(const struct laser_tune_scores *s, enum laser_item_part part, int32_t dataset,
                    double *mean, double *error)
{
    const struct laser_evaluation *e = s->e;
    double *a = s->room, *b = a + e->n_items, *weights = b + e->n_items;
    int n = 0;

    for (int64_t i = e->part_item[part]; i < e->part_item[part + 1]; ++i) {
        const struct laser_window *w;
        int64_t index;

        if (laser_item_is_question(e, i, &index))
            continue;
        w = &e->windows[index];
        if (dataset >= 0 && w->dataset != dataset)
            continue;
        weights[n] = w->n_scored;
        a[n] = s->after[i].window.sum_nats / w->n_scored;
        b[n++] = s->before[i].window.sum_nats / w->n_scored;
    }
    *mean = *error = NAN;
    if (n > 0)
        laser_search_paired(a, b, weights, n, mean, error);
}

/* Mean divergence of what was measured last, on the windows that select. */
static double mean_kl(const struct laser_tune_scores *s)
{
    const struct laser_evaluation *e = s->e;
    double sum = 0, tokens = 0;
    int64_t index;

    for (int64_t i = 0; i < e->part_item[LASER_PART_SELECTION + 1]; ++i)
        if (!laser_item_is_question(e, i, &index)) {
            sum += s->after[i].kl_nats;
            tokens += e->windows[index].n_scored;
        }
    return sum / tokens;
}

/* A step that leads too far from the model as it was is no step. */
static void judge_distance(const struct laser_tune_scores *s, struct laser_line_step *step, json_t *o,
                           char *text, size_t size)
{
    const double most = s->e->run->settings->reduce.max_kl, kl = most > 0 ? mean_kl(s) : 0;

    if (!(most > 0))
        return;
    json_object_set_new(o, "kl", isfinite(kl) ? json_real(kl) : json_null());
    snprintf(text, size, ", KL %.4g%s", kl, kl <= most ? "" : ": too far from the base");
    if (kl <= most)
        return;
    step->harms = true;
    json_object_set_new(o, "too_far", json_true());
}

void laser_tune_judge(const struct laser_tune_scores *s, double predicted, struct laser_line_step *step,
                      json_t *list)
{
    const struct laser_evaluation *e = s->e;
    json_t *o = json_object(), *guards = json_object();
    char harmed[300] = "", distance[80] = "";

    compare(s, LASER_PART_SELECTION, -1, &step->difference, &step->error);
    for (int32_t i = e->n_datasets - e->n_guards; i < e->n_datasets; ++i) {
        double mean, error;

        compare(s, LASER_PART_GUARD, i, &mean, &error);
        if (!(mean <= error || mean <= 0)) {
            step->harms = true;
            snprintf(harmed, sizeof harmed, ", harms %s (%+.4f +- %.4f)", e->datasets[i].name, mean, error);
        }
        json_object_set_new(guards, e->datasets[i].name,
                            json_pack("{s:f, s:f}", "difference", isfinite(mean) ? mean : 0, "stderr",
                                      isfinite(error) ? error : 0));
    }
    json_object_set_new(o, "harms_guard", json_boolean(step->harms));
    judge_distance(s, step, o, distance, sizeof distance);
    laser_log_line(e->run->log, "STEP", "length %.4g: %+.5f +- %.5f nats, predicted %+.5f%s%s", step->length,
                   step->difference, step->error, predicted, harmed, distance);
    json_object_set_new(o, "length", json_real(step->length));
    json_object_set_new(o, "difference",
                        isfinite(step->difference) ? json_real(step->difference) : json_null());
    json_object_set_new(o, "stderr", isfinite(step->error) ? json_real(step->error) : json_null());
    json_object_set_new(o, "predicted", isfinite(predicted) ? json_real(predicted) : json_null());
    json_object_set_new(o, "guards", guards);
    json_array_append_new(list, o);
}

/* ---- rounds ---- */

void laser_tune_batches(const struct laser_evaluation *e, int round, int64_t *first_batch, int64_t *end_batch)
{
    int64_t first = e->part_batch[LASER_PART_CALIBRATION],
            n = e->part_batch[LASER_PART_CALIBRATION + 1] - first;
    int64_t count = laser_forecast_calibration(e), start;

    start = n > 0 ? (int64_t)round * count % n : 0;
    if (start + count > n)
        start = n - count;
    *first_batch = first + start;
    *end_batch = first + start + count;
}

int laser_tune_key(const struct laser_reduction_search *search, const struct laser_scan_spectrum *spectrum,
                   bool block, int round, uint64_t *key, struct laser_error *err)
{
    char identity[20];
    XXH3_state_t *state;
    int code = laser_search_identity(search, identity, err);

    if (code != LASER_OK)
        return code;
    state = XXH3_createState();
    if (state == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory");
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, identity, strlen(identity));
    XXH3_64bits_update(state, &round, sizeof round);
    XXH3_64bits_update(state, &block, sizeof block);
    XXH3_64bits_update(state, spectrum->values, (size_t)spectrum->n_values * sizeof *spectrum->values);
    *key = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return LASER_OK;
}

/* ---- the guard texts in the end ---- */

static json_t *guard_json(const struct laser_tune_scores *s, int32_t dataset, enum laser_item_part part)
{
    const struct laser_evaluation *e = s->e;
    double mean, error, before = 0, tokens = 0;
    int64_t index, n = 0;

    compare(s, part, dataset, &mean, &error);
    for (int64_t i = e->part_item[part]; i < e->part_item[part + 1]; ++i)
        if (!laser_item_is_question(e, i, &index) && e->windows[index].dataset == dataset) {
            before += s->before[i].window.sum_nats;
            tokens += e->windows[index].n_scored;
            ++n;
        }
    if (n == 0)
        return json_null();
    return json_pack("{s:I, s:f, s:f, s:o}", "windows", (json_int_t)n, "nll", before / tokens, "difference",
                     mean, "stderr", isfinite(error) ? json_real(error) : json_null());
}

int laser_tune_guards(const struct laser_tune_scores *s, json_t *tune, struct laser_error *err)
{
    const struct laser_evaluation *e = s->e;
    json_t *guards = json_object();
    int bad = guards == NULL;

    for (int32_t i = e->n_datasets - e->n_guards; !bad && i < e->n_datasets; ++i)
        bad = json_object_set_new(guards, e->datasets[i].name,
                                  json_pack("{s:o, s:o}", "selection", guard_json(s, i, LASER_PART_GUARD),
                                            "report", guard_json(s, i, LASER_PART_GUARD_REPORT)));
    bad = bad || json_object_set(tune, "guards", guards);
    json_decref(guards);
    return bad ? laser_error_set(err, LASER_ENOMEM, "results.json", "no memory") : LASER_OK;
}

void laser_tune_say(const struct laser_reduction *r)
{
    const char *name;
    json_t *guard;

    json_object_foreach(json_object_get(r->report.tune, "guards"), name, guard)
    {
        const json_t *part = json_object_get(guard, "report");
        const char *which = "held out";

        if (!json_is_object(part)) {
            part = json_object_get(guard, "selection");
            which = "decided too";
        }
        laser_log_line(r->setup.run->log, "RESULT",
                       "guard %s: %+.5f +- %.5f nats on %" JSON_INTEGER_FORMAT " windows (%s)", name,
                       json_number_value(json_object_get(part, "difference")),
                       json_number_value(json_object_get(part, "stderr")),
                       json_integer_value(json_object_get(part, "windows")), which);
    }
}
