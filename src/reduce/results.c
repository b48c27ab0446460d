#include "reduce/reduce.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "evaluate/windows_file.h"
#include "report/prediction_fit.h"
#include "store/decisions.h"
#include "store/report.h"
#include "store/results.h"

static json_t *mean_json(const struct laser_reduction *r, double nll, double se)
{
    bool ppl = laser_reduction_has_ppl(&r->setup);
    json_t *o = json_pack("{s:f, s:f}", "nll", nll, ppl ? "ppl" : "value",
                          laser_objective_shown(&r->setup.e->objective, nll));

    if (o != NULL && isfinite(se)) {
        json_object_set_new(o, "stderr", json_real(se));
        if (ppl)
            json_object_set_new(o, "ppl_stderr", json_real(se * exp(nll)));
    }
    return o;
}

static json_t *state_json(json_t *selection, json_t *report)
{
    json_t *o = json_object();

    json_object_set_new(o, "selection", selection);
    if (report != NULL)
        json_object_set_new(o, "report", report);
    return o;
}

/* Parameters of the edited matrices, and of the same as two thin matrices where that is less. */
struct saving {
    int64_t dense, thin, n_thin;
};

static struct saving find_saving(const struct laser_reduction *r)
{
    struct saving s = {0};
    int n;
    const int32_t *kept = laser_search_kept(r->search.state, &n);

    /* With a base the differences have low rank, and the matrices have not. */
    for (int i = 0; i < n && !laser_run_edits_change(r->setup.run); ++i) {
        const struct laser_matrix *m = r->trials.edits.files[kept[i]].matrix;
        int64_t whole = m->rows * m->cols, thin = r->trials.ranks[kept[i]] * (m->rows + m->cols);
        bool splits = thin < whole && !m->transposed && laser_matrix_is_whole(r->setup.run->checkpoint, m);
        s.dense += whole;
        s.thin += splits ? thin : whole;
        s.n_thin += splits;
    }
    return s;
}

/* A multiplication and an addition for each parameter and token. */
static json_t *saved_json(const struct saving *s)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "edited_parameters", (json_int_t)s->dense,
                     "edited_parameters_factored", (json_int_t)s->thin, "matrices", (json_int_t)s->n_thin,
                     "parameters", (json_int_t)(s->dense - s->thin), "flops_per_token",
                     (json_int_t)(2 * (s->dense - s->thin)));
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(0 + x) : json_null();
}

static bool changes_the_model(const struct laser_reduction *r)
{
    return r->setup.run->settings->reduce.strategy != LASER_STRATEGY_SWEEP;
}

/* The rule, and what the report part says of what it kept. */
static int fill_verdict(const struct laser_reduction *r, json_t *results)
{
    json_t *rule = laser_keep_rule_json(&r->search);
    int bad = rule != NULL ? json_object_set_new(results, "keep_rule", rule) : 0;

    if (!r->setup.has_report)
        return bad;
    if (changes_the_model(r))
        bad |= json_object_set_new(results, "verdict",
                                   json_string(r->search.n_kept == 0
                                                   ? "nothing was kept"
                                                   : laser_reduction_verdict(&r->setup, &r->report.kept)));
    return bad | json_object_set_new(results, "report_difference",
                                     json_pack("{s:o, s:o}", "nll", number(r->report.kept.difference),
                                               "stderr", number(r->report.kept.error)));
}

static int fill_results(const struct laser_reduction *r, json_t *results, double final, double final_se,
                        const struct saving *saving, json_t *phases, struct laser_error *err)
{
    json_t *base_report = r->setup.has_report ? mean_json(r, r->report.base, r->report.base_se) : NULL;
    json_t *final_report = r->setup.has_report ? mean_json(r, r->report.final, r->report.final_se) : NULL;
    int bad =
        json_object_set_new(
            results, "strategy",
            json_string(laser_deck_value_text(r->setup.run->deck, LASER_KEY_reduce_strategy))) |
        json_object_set_new(results, "baseline",
                            state_json(mean_json(r, r->search.base_mean, r->search.base_se), base_report)) |
        json_object_set(results, "decisions", r->search.decisions) |
        json_object_set_new(results, "final", state_json(mean_json(r, final, final_se), final_report)) |
        json_object_set_new(results, "saved", saved_json(saving)) |
        json_object_set(results, "phases", phases) |
        json_object_set_new(results, "seconds", json_real(laser_clock_s() - r->setup.run->start_s));

    if (r->report.divergence.each != NULL)
        bad |= json_object_set_new(results, "divergence", laser_divergences_json(&r->report.divergence));
    if (r->search.sweep != NULL)
        bad |= json_object_set(results, "sweep", r->search.sweep);
    if (r->report.tune != NULL)
        bad |= json_object_set(results, "tune", r->report.tune);
    if (r->search.table != NULL)
        bad |= laser_reduction_sweep_results(r, results);
    bad |= laser_reduction_tasks_json(r, results);
    bad |= fill_verdict(r, results);
    bad |= !laser_prediction_fit_add(results);
    if (bad)
        return laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");
    return laser_results_write(r->setup.run->output, results, err);
}

static double real_of(const json_t *decision, const char *key)
{
    const json_t *v = json_object_get(decision, key);

    return json_is_number(v) ? json_number_value(v) : NAN;
}

/* Those of a sweep first. */
static int write_decisions(const struct laser_reduction *r, struct laser_error *err)
{
    size_t n_sweep = json_array_size(r->search.sweep), n = n_sweep + json_array_size(r->search.decisions);
    struct laser_spectra_decision *list = calloc(n + 1, sizeof *list);
    int code;

    if (list == NULL)
        return laser_error_set(err, LASER_ENOMEM, "spectra.h5", "no memory for %zu decisions", n);
    for (size_t i = 0; i < n; ++i) {
        const json_t *d = i < n_sweep ? json_array_get(r->search.sweep, i)
                                      : json_array_get(r->search.decisions, i - n_sweep);
        list[i] = (struct laser_spectra_decision){
            .tensor = json_string_value(json_object_get(d, "tensor")),
            .edit = json_string_value(json_object_get(d, "edit")),
            .reason = json_string_value(json_object_get(d, "reason")),
            .rank = json_integer_value(json_object_get(d, "rank")),
            .of = json_integer_value(json_object_get(d, "of")),
            .kept = json_is_true(json_object_get(d, "kept")),
            .windows = json_integer_value(json_object_get(d, "windows")),
            .nll = real_of(d, "nll"),
            .difference = real_of(d, "difference"),
            .difference_stderr = real_of(d, "difference_stderr"),
            .seconds = real_of(d, "seconds"),
        };
    }
    code = laser_spectra_decisions(laser_run_path(r->setup.run, "spectra.h5"), list, (int64_t)n, err);
    free(list);
    return code;
}

unsigned laser_reduction_reported(const struct laser_reduction_setup *s)
{
    return 1u << LASER_PART_GUARD_REPORT |
           (s->has_report ? 1u << LASER_PART_REPORT | 1u << LASER_PART_REPORT_OTHER
                          : 1u << LASER_PART_SELECTION | 1u << LASER_PART_SELECTION_OTHER);
}

static void say_saving(const struct laser_reduction *r, const struct saving *s)
{
    if (s->n_thin > 0)
        laser_log_line(r->setup.run->log, "RESULT",
                       "as two thin matrices %" PRId64 " of the edited ones have %" PRId64
                       " parameters less (%.1f %% of the edited) and take %" PRId64
                       " flops less a token (--also factored)",
                       s->n_thin, s->dense - s->thin, 100 * (double)(s->dense - s->thin) / (double)s->dense,
                       2 * (s->dense - s->thin));
    else if (s->dense > 0)
        laser_log_line(r->setup.run->log, "RESULT",
                       "no parameters are saved: none of the edited matrices is smaller as two thin ones");
}

/* The objective on the part that selects and on the other. */
static void say_objective(const struct laser_reduction *r, double final, double final_se)
{
    const struct laser_objective *o = &r->setup.e->objective;
    bool ppl = laser_reduction_has_ppl(&r->setup);
    const char *label = ppl ? "perplexity" : laser_objective_label(o),
               *items = laser_reduction_items(&r->setup);
    double base = laser_objective_shown(o, r->search.base_mean), last = laser_objective_shown(o, final);
    char a[LASER_NUMBER_SIZE], b[LASER_NUMBER_SIZE], c[LASER_NUMBER_SIZE], d[LASER_NUMBER_SIZE];

    laser_log_line(r->setup.run->log, "RESULT", "selection: %s %s +- %s -> %s +- %s on %" PRId64 " %s", label,
                   laser_reduction_figure(&r->setup, base, a),
                   laser_reduction_figure(&r->setup, ppl ? r->search.base_se * base : r->search.base_se, b),
                   laser_reduction_figure(&r->setup, last, c),
                   laser_reduction_figure(&r->setup, ppl ? final_se * last : final_se, d),
                   r->setup.e->part_item[LASER_PART_SELECTION + 1], items);
    if (!r->setup.has_report)
        return;
    laser_log_line(
        r->setup.run->log, "RESULT", "report:    %s %s -> %s on %" PRId64 " %s (%s +- %s%s)%s%s", label,
        laser_reduction_figure(&r->setup, laser_objective_shown(o, r->report.base), a),
        laser_reduction_figure(&r->setup, laser_objective_shown(o, r->report.final), b),
        r->setup.e->part_item[LASER_PART_REPORT_OTHER] - r->setup.e->part_item[LASER_PART_REPORT], items,
        laser_reduction_change(&r->setup, laser_objective_shown_difference(o, r->report.kept.difference), c),
        laser_reduction_figure(&r->setup, r->report.kept.error, d), ppl ? " nats" : "",
        r->search.n_kept > 0 ? ": " : "",
        r->search.n_kept > 0 ? laser_reduction_verdict(&r->setup, &r->report.kept) : "");
}

static void say(const struct laser_reduction *r, const json_t *results, double final, double final_se,
                const struct saving *saving)
{
    char predictions[120];
    struct laser_log *log = r->setup.run->log;
    int reverted = (int)json_array_size(r->search.decisions) - r->search.n_kept;

    say_objective(r, final, final_se);
    laser_reduction_tasks_say(r);
    if (r->report.divergence.each != NULL)
        laser_divergences_say(&r->report.divergence, log);
    if (!changes_the_model(r))
        laser_log_line(log, "RESULT", "%d edits measured, each alone; the model is unchanged", reverted);
    else
        laser_log_line(log, "RESULT", "%d candidates kept, %d reverted", r->search.n_kept, reverted);
    laser_reduction_sweep_say(r);
    laser_tune_say(r);
    if (laser_prediction_fit_text(results, predictions)[0] != '\0')
        laser_log_line(log, "RESULT", "predictions of %s", predictions);
    say_saving(r, saving);
    laser_log_line(log, "RESULT", "%s holds model/, plan.yaml, results.json, spectra.h5, ledger.txt",
                   r->setup.run->output);
}

/* windows.h5: the loss of every window with the kept edits. */
static int write_windows(const struct laser_reduction *r, const double *selecting, struct laser_error *err)
{
    const struct laser_evaluation *e = r->setup.e;
    struct laser_window_nll *nll = calloc((size_t)e->n_windows + 1, sizeof *nll);
    int64_t w;
    int code;

    if (nll == NULL)
        return laser_error_set(err, LASER_ENOMEM, "windows.h5", "no memory for %" PRId64 " windows",
                               e->n_windows);
    for (int64_t i = 0; i < e->n_items; ++i)
        if (!laser_item_is_question(e, i, &w)) {
            double mean = i < e->part_item[LASER_PART_SELECTION + 1] ? selecting[i]
                          : r->report.items != NULL                  ? r->report.items[i]
                                                                     : NAN;
            nll[w] = r->report.after != NULL ? r->report.after[i].window
                                             : (struct laser_window_nll){mean * e->windows[w].n_scored, NAN};
        }
    code = e->n_windows > 0 ? laser_evaluation_windows_write(e, "windows.h5", nll, err) : LASER_OK;
    free(nll);
    return code;
}

int laser_reduction_finish(const struct laser_reduction *r, json_t *results, json_t *phases,
                           struct laser_error *err)
{
    int code;
    struct saving saving = find_saving(r);
    double final, final_se;
    const double *windows = laser_search_best(r->search.state, &final);
    final_se = laser_reduction_error(windows, r->search.weights,
                                     (int)r->setup.e->part_item[LASER_PART_SELECTION + 1], final);
    code = write_decisions(r, err);
    if (code == LASER_OK)
        code = write_windows(r, windows, err);
    if (code == LASER_OK)
        code = laser_reduction_tasks_write(r, err);
    if (code == LASER_OK)
        code = fill_results(r, results, final, final_se, &saving, phases, err);
    if (code == LASER_OK && laser_sweep_is(&r->setup))
        laser_reduction_sweep_list(&r->search);
    if (code == LASER_OK) {
        say(r, results, final, final_se, &saving);
        laser_report_make(r->setup.run);
    }
    return code;
}
