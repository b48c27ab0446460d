#include "base/clock.h"
#include "reduce/reduce.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "reduce/screen.h"

static const struct laser_strategy_edit *first_edit(const struct laser_reduction *r, int trial,
                                                    int32_t *number)
{
    *number = r->now->edit_numbers[r->now->trials[trial].first_edit];
    return &r->plan.edits[*number];
}

/* One that was given up has seen a part of the items: its own figure stands beside no other. */
static void say_decision(const struct laser_reduction *r, const struct laser_search_decision *d,
                         const struct laser_strategy_edit *edit, int64_t rank, int64_t of)
{
    const struct laser_objective *objective = &r->e->objective;
    const char *word = d->reason == LASER_REASON_MEASURED ? "MEASURED" : d->kept ? "KEPT" : "REVERTED";
    const char *unit = laser_reduction_has_ppl(r) ? " nats" : "";
    double change = laser_objective_shown_difference(objective, d->difference);
    char label[256], figure[LASER_NUMBER_SIZE], moved[LASER_NUMBER_SIZE];

    char kl[80] = "";

    if (isfinite(d->kl))
        snprintf(kl, sizeof kl, ", KL %.3g", d->kl);
    laser_reduction_sweep_label(r, d->trial, label, sizeof label);
    laser_number_change_power(change, 2, moved);
    if (d->reason == LASER_REASON_GIVEN_UP)
        laser_log_line(r->run->log, word,
                       "%-40s %-18s rank %5" PRId64 " of %5" PRId64 "  %s %s +- %.1e%s on %d of %" PRId64
                       " %s: given up early",
                       label, edit->text, rank, of, laser_objective_label(objective), moved, d->difference_se,
                       unit, d->n_windows, r->n_selecting, laser_reduction_items(r));
    else
        laser_log_line(r->run->log, word,
                       "%-40s %-18s rank %5" PRId64 " of %5" PRId64 "  %s %s (%s +- %.1e%s) %s%s", label,
                       edit->text, rank, of, laser_objective_label(objective),
                       laser_reduction_figure(r, laser_objective_shown(objective, d->nll), figure), moved,
                       d->difference_se, unit, laser_search_reason_name(d->reason), kl);
}

static int add_decision(struct laser_reduction *r, const struct laser_search_decision *d, double seconds,
                        struct laser_error *err)
{
    int32_t number;
    const struct laser_strategy_edit *edit = first_edit(r, d->trial, &number);
    const struct laser_metrics *m = &r->run->outcomes[edit->matrix].metrics;
    const struct laser_objective *objective = &r->e->objective;
    double shown = laser_objective_shown(objective, d->nll);
    json_t *o =
        json_pack("{s:s, s:s, s:I, s:I, s:b, s:s, s:i, s:I, s:i, s:i, s:f}", "tensor",
                  r->run->matrices.matrices[edit->matrix].name, "edit", edit->text, "rank",
                  (json_int_t)r->ranks[number], "of", (json_int_t)m->n, "kept", (int)d->kept, "reason",
                  laser_search_reason_name(d->reason), "windows", d->n_windows, "of_windows",
                  (json_int_t)r->n_selecting, "better", d->n_better, "worse", d->n_worse, "seconds", seconds);

    if (o == NULL)
        return laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");
    json_object_set_new(o, "edits", json_integer(r->now->trials[d->trial].n_edits));
    json_object_set_new(o, "nll", isfinite(d->nll) ? json_real(d->nll) : json_null());
    if (laser_reduction_has_ppl(r))
        json_object_set_new(o, "ppl", isfinite(exp(d->nll)) ? json_real(exp(d->nll)) : json_null());
    else
        json_object_set_new(o, "value", isfinite(d->nll) ? json_real(shown) : json_null());
    if (r->run->settings->reduce.max_kl > 0)
        json_object_set_new(o, "kl", isfinite(d->kl) ? json_real(d->kl) : json_null());
    json_object_set_new(o, "difference",
                        isfinite(d->difference) ? json_real(0 + d->difference) : json_null());
    json_object_set_new(o, "difference_stderr",
                        isfinite(d->difference_se) ? json_real(d->difference_se) : json_null());
    if (r->changes != NULL) {
        double predicted = laser_screen_change(r->now, d->trial, r->changes);

        json_object_set_new(o, "predicted", isfinite(predicted) ? json_real(0 + predicted) : json_null());
    }
    laser_reduction_sweep_describe(r, d->trial, o);
    json_array_append_new(r->decisions, o);
    r->n_kept += d->kept;
    if (r->now == &r->plan)
        r->trial_means[d->trial] = d->nll;
    if (d->reason == LASER_REASON_MEASURED && r->run->settings->log.level != LASER_LOG_VERBOSE)
        return LASER_OK; /* the table has it */
    say_decision(r, d, edit, r->ranks[number], m->n);
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
int laser_reduction_remember_base(struct laser_reduction *r, struct laser_error *err)
{
    struct laser_ledger_line line;
    const double *windows;

    if (!isnan(r->base_mean))
        return LASER_OK;
    windows = laser_search_base(r->search, &r->base_mean);
    r->base_se = laser_reduction_error(windows, r->weights, (int)r->e->part_item[LASER_PART_SELECTION + 1],
                                       r->base_mean);
    laser_keep_rule_check_base(r, windows);
    laser_ledger_line_begin(&line, "base");
    laser_ledger_line_real(&line, "stderr", r->base_se);
    laser_ledger_line_real(&line, "nll", r->base_mean);
    return laser_ledger_append(r->run->ledger, &line, true, err);
}

/* A decision of the search: the ledger first, then the list. */
int laser_reduction_decided(void *context, const struct laser_search_decision *d, struct laser_error *err)
{
    struct laser_reduction *r = context;
    double now = laser_clock_s(), seconds = now - r->last_decision_s;
    int32_t number;
    const struct laser_strategy_edit *edit = first_edit(r, d->trial, &number);
    struct laser_ledger_line line;
    int code = laser_reduction_remember_base(r, err);

    if (code != LASER_OK)
        return code;
    laser_ledger_line_begin(&line, "decision");
    laser_ledger_line_int(&line, "candidate", d->candidate);
    laser_ledger_line_int(&line, "trial", d->trial);
    laser_ledger_line_text(&line, "tensor", r->run->matrices.matrices[edit->matrix].name);
    laser_ledger_line_text(&line, "edit", edit->text);
    laser_ledger_line_int(&line, "rank", r->ranks[number]);
    laser_ledger_line_text(&line, "kept", d->kept ? "yes" : "no");
    laser_ledger_line_int(&line, "reason", d->reason);
    laser_ledger_line_real(&line, "nll", d->nll);
    laser_ledger_line_real(&line, "difference", d->difference);
    laser_ledger_line_real(&line, "stderr", d->difference_se);
    if (r->run->settings->reduce.max_kl > 0)
        laser_ledger_line_real(&line, "kl", d->kl);
    laser_ledger_line_int(&line, "windows", d->n_windows);
    laser_ledger_line_int(&line, "better", d->n_better);
    laser_ledger_line_int(&line, "worse", d->n_worse);
    laser_ledger_line_real(&line, "seconds", seconds);
    code = laser_ledger_append(r->run->ledger, &line, true, err);
    r->last_decision_s = now;
    ++r->run->pace.n_durable;
    return code == LASER_OK ? add_decision(r, d, seconds, err) : code;
}

int laser_search_identity(const struct laser_reduction *r, char text[20], struct laser_error *err)
{
    struct laser_checkpoint_fingerprint print = laser_run_print(r->run);
    char *deck = laser_deck_json(r->run->deck, LASER_COMMAND_REDUCE, 1);
    XXH3_state_t *state = XXH3_createState();

    if (deck == NULL || state == NULL) {
        free(deck);
        XXH3_freeState(state);
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory");
    }
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, &print, sizeof print);
    XXH3_64bits_update(state, deck, strlen(deck));
    XXH3_64bits_update(state, &r->z, sizeof r->z);
    for (int32_t i = 0; i < r->e->n_datasets; ++i)
        XXH3_64bits_update(state, &r->e->datasets[i].hash, sizeof r->e->datasets[i].hash);
    for (int64_t i = 0; i < r->e->set.n_tasks; ++i)
        XXH3_64bits_update(state, &r->e->set.tasks[i].hash, sizeof r->e->set.tasks[i].hash);
    snprintf(text, 20, "%016" PRIx64, (uint64_t)XXH3_64bits_digest(state));
    XXH3_freeState(state);
    free(deck);
    return LASER_OK;
}

static int begin_search_entry(struct laser_reduction *r, const char *identity, struct laser_error *err)
{
    struct laser_ledger_line line;

    laser_ledger_line_begin(&line, "search");
    laser_ledger_line_text(&line, "identity", identity);
    laser_ledger_line_text(&line, "strategy", laser_deck_value_text(r->run->deck, LASER_KEY_reduce_strategy));
    laser_ledger_line_int(&line, "candidates", r->plan.n_candidates);
    return laser_ledger_append(r->run->ledger, &line, true, err);
}

static int replay_one(struct laser_reduction *r, const struct laser_ledger_entry *entry,
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
    int code = laser_search_replay(r->search, d.candidate, d.kept, d.trial, err);

    return code == LASER_OK ? add_decision(r, &d, laser_ledger_get_real(entry, "seconds", 0), err) : code;
}

/* The entries of an earlier start that the search takes over: those after the ones taken over already. */
static int take_over(struct laser_reduction *r, struct laser_error *err)
{
    const struct laser_ledger_entries *old = &r->run->decisions;
    int n = 0, code = LASER_OK;

    while (code == LASER_OK && r->n_replayed < old->n && n < r->now->n_candidates - r->round_first) {
        const struct laser_ledger_entry *entry = &old->entries[r->n_replayed++];
        if (strcmp(entry->kind, "base") == 0) {
            r->base_mean = laser_ledger_get_real(entry, "nll", NAN);
            r->base_se = laser_ledger_get_real(entry, "stderr", NAN);
        } else if (strcmp(entry->kind, "decision") == 0) {
            code = replay_one(r, entry, err);
            ++n;
        }
    }
    if (!isnan(r->base_mean))
        laser_search_replay_base(r->search, r->base_mean);
    if (code == LASER_OK && n > 0)
        laser_log_line(r->run->log, "RESUME", "%d decisions are made already", n);
    return code;
}

int laser_reduction_replay(struct laser_reduction *r, struct laser_error *err)
{
    struct laser_ledger_entries *old = &r->run->decisions;
    const char *theirs = old->n > 0 ? laser_ledger_get(&old->entries[0], "identity") : NULL;
    char identity[20];
    int code = LASER_OK;

    if (r->n_replayed == 0) {
        code = laser_search_identity(r, identity, err);
        if (code != LASER_OK)
            return code;
        if (theirs == NULL || strcmp(theirs, identity) != 0) {
            if (old->n > 1)
                laser_log_line(r->run->log, "RESUME",
                               "%d earlier decisions are not used again: settings or texts are other ones",
                               old->n - 1);
            r->n_replayed = old->n + 1;
            return begin_search_entry(r, identity, err);
        }
        r->n_replayed = 1;
    }
    return take_over(r, err);
}
