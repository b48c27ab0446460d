#include "base/clock.h"
#include "reduce/reduce.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "reduce/screen.h"

static const struct laser_strategy_edit *first_edit(const struct laser_reduction_search *s, int trial,
                                                    int32_t *number)
{
    *number = s->now->edit_numbers[s->now->trials[trial].first_edit];
    return &s->trials->plan.edits[*number];
}

/* One that was given up has seen a part of the items: its own figure stands beside no other. */
static void say_decision(const struct laser_reduction_search *s, const struct laser_search_decision *d,
                         const struct laser_strategy_edit *edit, int64_t rank, int64_t of)
{
    const struct laser_objective *objective = &s->setup->e->objective;
    const char *word = d->reason == LASER_REASON_MEASURED ? "MEASURED" : d->kept ? "KEPT" : "REVERTED";
    const char *unit = laser_reduction_has_ppl(s->setup) ? " nats" : "";
    double change = laser_objective_shown_difference(objective, d->difference);
    char label[256], figure[LASER_NUMBER_SIZE], moved[LASER_NUMBER_SIZE];

    char kl[80] = "";

    if (isfinite(d->kl))
        snprintf(kl, sizeof kl, ", KL %.3g", d->kl);
    laser_reduction_sweep_label(s, d->trial, label, sizeof label);
    laser_number_change_power(change, 2, moved);
    if (d->reason == LASER_REASON_GIVEN_UP)
        laser_log_line(s->setup->run->log, word,
                       "%-40s %-18s rank %5" PRId64 " of %5" PRId64 "  %s %s +- %.1e%s on %d of %" PRId64
                       " %s: given up early",
                       label, edit->text, rank, of, laser_objective_label(objective), moved, d->difference_se,
                       unit, d->n_windows, s->rule.n_selecting, laser_reduction_items(s->setup));
    else
        laser_log_line(s->setup->run->log, word,
                       "%-40s %-18s rank %5" PRId64 " of %5" PRId64 "  %s %s (%s +- %.1e%s) %s%s", label,
                       edit->text, rank, of, laser_objective_label(objective),
                       laser_reduction_figure(s->setup, laser_objective_shown(objective, d->nll), figure),
                       moved, d->difference_se, unit, laser_search_reason_name(d->reason), kl);
}

static int add_decision(struct laser_reduction_search *s, const struct laser_search_decision *d,
                        double seconds, struct laser_error *err)
{
    int32_t number;
    const struct laser_strategy_edit *edit = first_edit(s, d->trial, &number);
    const struct laser_metrics *m = &s->setup->run->outcomes[edit->matrix].metrics;
    const struct laser_objective *objective = &s->setup->e->objective;
    double shown = laser_objective_shown(objective, d->nll);
    json_t *o = json_pack("{s:s, s:s, s:I, s:I, s:b, s:s, s:i, s:I, s:i, s:i, s:f}", "tensor",
                          s->setup->run->matrices.matrices[edit->matrix].name, "edit", edit->text, "rank",
                          (json_int_t)s->trials->ranks[number], "of", (json_int_t)m->n, "kept", (int)d->kept,
                          "reason", laser_search_reason_name(d->reason), "windows", d->n_windows,
                          "of_windows", (json_int_t)s->rule.n_selecting, "better", d->n_better, "worse",
                          d->n_worse, "seconds", seconds);

    if (o == NULL)
        return laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");
    json_object_set_new(o, "edits", json_integer(s->now->trials[d->trial].n_edits));
    json_object_set_new(o, "nll", isfinite(d->nll) ? json_real(d->nll) : json_null());
    if (laser_reduction_has_ppl(s->setup))
        json_object_set_new(o, "ppl", isfinite(exp(d->nll)) ? json_real(exp(d->nll)) : json_null());
    else
        json_object_set_new(o, "value", isfinite(d->nll) ? json_real(shown) : json_null());
    if (s->setup->run->settings->reduce.max_kl > 0)
        json_object_set_new(o, "kl", isfinite(d->kl) ? json_real(d->kl) : json_null());
    json_object_set_new(o, "difference",
                        isfinite(d->difference) ? json_real(0 + d->difference) : json_null());
    json_object_set_new(o, "difference_stderr",
                        isfinite(d->difference_se) ? json_real(d->difference_se) : json_null());
    if (s->trials->changes != NULL) {
        double predicted = laser_screen_change(s->now, d->trial, s->trials->changes);

        json_object_set_new(o, "predicted", isfinite(predicted) ? json_real(0 + predicted) : json_null());
    }
    laser_reduction_sweep_describe(s, d->trial, o);
    json_array_append_new(s->decisions, o);
    s->n_kept += d->kept;
    if (s->now == &s->trials->plan)
        s->trial_means[d->trial] = d->nll;
    if (d->reason == LASER_REASON_MEASURED && s->setup->run->settings->log.level != LASER_LOG_VERBOSE)
        return LASER_OK; /* the table has it */
    say_decision(s, d, edit, s->trials->ranks[number], m->n);
    return LASER_OK;
}

double laser_reduction_error(const double *nll, const double *weights, int n, double mean)
{
    double weight = 0, spread = 0;

    if (nll == NULL || n < 2)
        return NAN;
    for (int i = 0; i < n; ++i) {
        double d = weights[i] * (nll[i] - mean);
        weight += weights[i];
        spread += d * d;
    }
    return sqrt(spread * n / (n - 1)) / weight;
}

/* The mean of the base goes into the ledger before the first decision, for a later start. */
int laser_reduction_remember_base(struct laser_reduction_search *s, struct laser_error *err)
{
    struct laser_ledger_line line;
    const double *windows;

    if (!isnan(s->base_mean))
        return LASER_OK;
    windows = laser_search_base(s->state, &s->base_mean);
    s->base_se = laser_reduction_error(windows, s->weights,
                                       (int)s->setup->e->part_item[LASER_PART_SELECTION + 1], s->base_mean);
    laser_keep_rule_check_base(s->setup->run, &s->rule, windows);
    laser_ledger_line_begin(&line, "base");
    laser_ledger_line_real(&line, "stderr", s->base_se);
    laser_ledger_line_real(&line, "nll", s->base_mean);
    return laser_ledger_append(s->setup->run->ledger, &line, true, err);
}

/* A decision of the search: the ledger first, then the list. */
int laser_reduction_decided(void *context, const struct laser_search_decision *d, struct laser_error *err)
{
    struct laser_reduction_search *s = context;
    double now = laser_clock_s(), seconds = now - s->last_decision_s;
    int32_t number;
    const struct laser_strategy_edit *edit = first_edit(s, d->trial, &number);
    struct laser_ledger_line line;
    int code = laser_reduction_remember_base(s, err);

    if (code != LASER_OK)
        return code;
    laser_ledger_line_begin(&line, "decision");
    laser_ledger_line_int(&line, "candidate", d->candidate);
    laser_ledger_line_int(&line, "trial", d->trial);
    laser_ledger_line_text(&line, "tensor", s->setup->run->matrices.matrices[edit->matrix].name);
    laser_ledger_line_text(&line, "edit", edit->text);
    laser_ledger_line_int(&line, "rank", s->trials->ranks[number]);
    laser_ledger_line_text(&line, "kept", d->kept ? "yes" : "no");
    laser_ledger_line_int(&line, "reason", d->reason);
    laser_ledger_line_real(&line, "nll", d->nll);
    laser_ledger_line_real(&line, "difference", d->difference);
    laser_ledger_line_real(&line, "stderr", d->difference_se);
    if (s->setup->run->settings->reduce.max_kl > 0)
        laser_ledger_line_real(&line, "kl", d->kl);
    laser_ledger_line_int(&line, "windows", d->n_windows);
    laser_ledger_line_int(&line, "better", d->n_better);
    laser_ledger_line_int(&line, "worse", d->n_worse);
    laser_ledger_line_real(&line, "seconds", seconds);
    code = laser_ledger_append(s->setup->run->ledger, &line, true, err);
    s->last_decision_s = now;
    ++s->setup->run->pace.n_durable;
    return code == LASER_OK ? add_decision(s, d, seconds, err) : code;
}

int laser_search_identity(const struct laser_reduction_search *s, char text[20], struct laser_error *err)
{
    struct laser_checkpoint_fingerprint print = laser_run_print(s->setup->run);
    char *deck = laser_deck_json(s->setup->run->deck, LASER_COMMAND_REDUCE, 1);
    XXH3_state_t *state = XXH3_createState();

    if (deck == NULL || state == NULL) {
        free(deck);
        XXH3_freeState(state);
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory");
    }
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, &print, sizeof print);
    XXH3_64bits_update(state, deck, strlen(deck));
    XXH3_64bits_update(state, &s->rule.z, sizeof s->rule.z);
    for (int32_t i = 0; i < s->setup->e->n_datasets; ++i)
        XXH3_64bits_update(state, &s->setup->e->datasets[i].hash, sizeof s->setup->e->datasets[i].hash);
    for (int64_t i = 0; i < s->setup->e->set.n_tasks; ++i)
        XXH3_64bits_update(state, &s->setup->e->set.tasks[i].hash, sizeof s->setup->e->set.tasks[i].hash);
    snprintf(text, 20, "%016" PRIx64, (uint64_t)XXH3_64bits_digest(state));
    XXH3_freeState(state);
    free(deck);
    return LASER_OK;
}

static int begin_search_entry(struct laser_reduction_search *s, const char *identity, struct laser_error *err)
{
    struct laser_ledger_line line;

    laser_ledger_line_begin(&line, "search");
    laser_ledger_line_text(&line, "identity", identity);
    laser_ledger_line_text(&line, "strategy",
                           laser_deck_value_text(s->setup->run->deck, LASER_KEY_reduce_strategy));
    laser_ledger_line_int(&line, "candidates", s->trials->plan.n_candidates);
    return laser_ledger_append(s->setup->run->ledger, &line, true, err);
}

static int replay_one(struct laser_reduction_search *s, const struct laser_ledger_entry *entry,
                      struct laser_error *err)
{
    const char *kept = laser_ledger_get(entry, "kept");
    struct laser_search_decision d = {.candidate = (int)laser_ledger_get_int(entry, "candidate", -1),
                                      .trial = (int)laser_ledger_get_int(entry, "trial", -1),
                                      .kept = kept != NULL && strcmp(kept, "yes") == 0,
                                      .reason =
                                          (enum laser_search_reason)laser_ledger_get_int(entry, "reason", 0),
                                      .nll = laser_ledger_get_real(entry, "nll", NAN),
                                      .difference = laser_ledger_get_real(entry, "difference", NAN),
                                      .difference_se = laser_ledger_get_real(entry, "stderr", NAN),
                                      .kl = laser_ledger_get_real(entry, "kl", NAN),
                                      .n_windows = (int)laser_ledger_get_int(entry, "windows", 0),
                                      .n_better = (int)laser_ledger_get_int(entry, "better", 0),
                                      .n_worse = (int)laser_ledger_get_int(entry, "worse", 0)};
    int code = laser_search_replay(s->state, d.candidate, d.kept, d.trial, err);

    return code == LASER_OK ? add_decision(s, &d, laser_ledger_get_real(entry, "seconds", 0), err) : code;
}

int laser_reduction_first(const struct laser_reduction_search *s)
{
    return s->now == &s->trials->plan ? s->trials->round_first : 0;
}

/* The entries of an earlier start that the search takes over: those after the ones taken over already. */
static int take_over(struct laser_reduction_search *s, struct laser_error *err)
{
    const struct laser_ledger_entries *old = &s->setup->run->decisions;
    int n = 0, code = LASER_OK;

    while (code == LASER_OK && s->n_replayed < old->n &&
           n < s->now->n_candidates - laser_reduction_first(s)) {
        const struct laser_ledger_entry *entry = &old->entries[s->n_replayed++];
        if (strcmp(entry->kind, "base") == 0) {
            s->base_mean = laser_ledger_get_real(entry, "nll", NAN);
            s->base_se = laser_ledger_get_real(entry, "stderr", NAN);
        } else if (strcmp(entry->kind, "decision") == 0) {
            code = replay_one(s, entry, err);
            ++n;
        }
    }
    if (!isnan(s->base_mean))
        laser_search_replay_base(s->state, s->base_mean);
    if (code == LASER_OK && n > 0)
        laser_log_line(s->setup->run->log, "RESUME", "%d decisions are made already", n);
    return code;
}

int laser_reduction_replay(struct laser_reduction_search *s, struct laser_error *err)
{
    struct laser_ledger_entries *old = &s->setup->run->decisions;
    const char *theirs = old->n > 0 ? laser_ledger_get(&old->entries[0], "identity") : NULL;
    char identity[20];
    int code = LASER_OK;

    if (s->n_replayed == 0) {
        code = laser_search_identity(s, identity, err);
        if (code != LASER_OK)
            return code;
        if (theirs == NULL || strcmp(theirs, identity) != 0) {
            if (old->n > 1)
                laser_log_line(s->setup->run->log, "RESUME",
                               "%d earlier decisions are not used again: settings or texts are other ones",
                               old->n - 1);
            s->n_replayed = old->n + 1;
            return begin_search_entry(s, identity, err);
        }
        s->n_replayed = 1;
    }
    return take_over(s, err);
}
