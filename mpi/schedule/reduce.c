/* The command `reduce`: scan, candidates, edits, the search on the selection windows, the report on the
 * others, the written model.
 */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "checkpoint/writer.h"
#include "comm/agree.h"
#include "corpus/split.h"
#include "schedule/commands.h"
#include "schedule/edits.h"
#include "schedule/evaluate.h"
#include "schedule/results.h"
#include "schedule/scan.h"
#include "search/search.h"
#include "search/strategy.h"
#include "spectrum/edit.h"
#include "store/parts.h"

struct reduction {
    struct laser_mpi_run *run;
    struct laser_mpi_evaluation e;
    struct laser_mpi_edit_list edits; /* every rank */

    /* rank 0 */
    struct laser_strategy_plan plan;
    struct laser_search *search;
    double *weights; /* scored tokens of every window */
    int64_t *ranks;  /* of each edit: singular values above 0 */
    json_t *decisions;
    double last_decision_s;
    double base_mean; /* of the whole search, also when it goes on from the ledger */
    int n_kept;

    /* the report windows */
    bool has_report;
    double report_base, report_final, report_difference, report_se;
};

/* ---- texts ---- */

static int split_windows(struct reduction *r, struct laser_error *err)
{
    double share = laser_deck_real(r->run->deck, "evaluate.selection_share");
    unsigned char *mark;
    int code;

    if (share >= 1)
        return LASER_OK;
    mark = malloc((size_t)r->e.n_windows);
    if (mark == NULL)
        return laser_error_set(err, LASER_ENOMEM, "evaluate.text", "no memory");
    code = laser_windows_split(r->e.windows, r->e.n_windows, LASER_SPLIT_SEEDED, share,
                               (uint64_t)laser_deck_int(r->run->deck, "evaluate.seed"), mark, err);
    if (code == LASER_OK)
        code = laser_mpi_windows_split(&r->e, mark, err);
    free(mark);
    r->has_report = code == LASER_OK;
    return code;
}

/* ---- candidates ---- */

static void fill_options(const struct laser_deck *deck, struct laser_strategy_options *o)
{
    *o = (struct laser_strategy_options){
        .strategy = (enum laser_strategy)laser_strategy_parse(laser_deck_string(deck, "reduce.strategy")),
        .rule = laser_deck_string(deck, "scan.threshold"),
        .candidates = (int)laser_deck_int(deck, "reduce.candidates")};
    o->types = laser_deck_list(deck, "reduce.types", &o->n_types);
    o->layers = laser_deck_list(deck, "reduce.layers", &o->n_layers);
    o->fractions = laser_deck_list(deck, "reduce.fractions", &o->n_fractions);
    o->edits = laser_deck_list(deck, "reduce.edits", &o->n_edits);
}

/* Can the matrix be edited: a whole tensor that was scanned. */
static bool usable(const struct laser_mpi_run *run, int64_t i)
{
    const struct laser_matrix *m = &run->matrices.matrices[i];
    const struct laser_tensor *t = &run->checkpoint->tensors[m->tensor];

    return run->outcomes[i].status == LASER_OUTCOME_SCANNED && m->scale < 0 && t->n_dims == 2 &&
           m->rows == t->shape[0] && m->cols == t->shape[1];
}

/* Rank 0. */
static int build_plan(struct reduction *r, struct laser_error *err)
{
    struct laser_mpi_run *run = r->run;
    int n = (int)run->matrices.n_matrices, code;
    struct laser_strategy_matrix *m = calloc((size_t)n + 1, sizeof *m);
    enum laser_score score =
        laser_deck_is(run->deck, "scan.score", "snr") ? LASER_SCORE_SNR : LASER_SCORE_SNR_NORMALIZED;
    struct laser_strategy_options options;

    if (m == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d matrices", n);
    for (int i = 0; i < n; ++i)
        m[i] = (struct laser_strategy_matrix){.name = run->matrices.matrices[i].name,
                                              .type = run->matrices.matrices[i].type,
                                              .layer = run->matrices.matrices[i].layer,
                                              .rows = run->matrices.matrices[i].rows,
                                              .columns = run->matrices.matrices[i].cols,
                                              .score = laser_score_of(score, &run->outcomes[i].metrics.cut),
                                              .rank = run->outcomes[i].metrics.cut.k,
                                              .usable = usable(run, i)};
    fill_options(run->deck, &options);
    code = laser_strategy_build(&options, m, n, &r->plan, err);
    free(m);
    return code;
}

/* Rank 0: ranks after each edit. */
static int find_ranks(struct reduction *r, struct laser_error *err)
{
    r->ranks = calloc((size_t)r->plan.n_edits + 1, sizeof *r->ranks);
    if (r->ranks == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", r->plan.n_edits);
    for (int e = 0; e < r->plan.n_edits; ++e) {
        const struct laser_outcome *o = &r->run->outcomes[r->plan.edits[e].matrix];
        double *sigma = malloc((size_t)o->values.count * sizeof *sigma + 1);
        struct laser_edit what;
        int code = sigma == NULL ? laser_error_set(err, LASER_ENOMEM, "reduce", "no memory")
                                 : laser_part_read(r->run->output, &o->values, sigma, err);
        if (code == LASER_OK)
            code = laser_edit_parse(r->plan.edits[e].text, &what, err);
        if (code == LASER_OK)
            r->ranks[e] = laser_edit_apply(&what, sigma, o->metrics.rows, o->metrics.columns, sigma);
        free(sigma);
        if (code != LASER_OK)
            return code;
    }
    return LASER_OK;
}

/* ---- decisions ---- */

static const struct laser_strategy_edit *first_edit(const struct reduction *r, int trial, int32_t *number)
{
    *number = r->plan.edit_numbers[r->plan.trials[trial].first_edit];
    return &r->plan.edits[*number];
}

static int add_decision(struct reduction *r, const struct laser_search_decision *d, double seconds,
                        struct laser_error *err)
{
    int32_t number;
    const struct laser_strategy_edit *edit = first_edit(r, d->trial, &number);
    const struct laser_metrics *m = &r->run->outcomes[edit->matrix].metrics;
    json_t *o =
        json_pack("{s:s, s:s, s:I, s:I, s:b, s:s, s:i, s:f}", "tensor",
                  r->run->matrices.matrices[edit->matrix].name, "edit", edit->text, "rank",
                  (json_int_t)r->ranks[number], "of", (json_int_t)m->n, "kept", (int)d->kept, "reason",
                  laser_search_reason_name(d->reason), "windows", d->n_windows, "seconds", seconds);

    if (o == NULL)
        return laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");
    json_object_set_new(o, "edits", json_integer(r->plan.trials[d->trial].n_edits));
    json_object_set_new(o, "nll", isfinite(d->nll) ? json_real(d->nll) : json_null());
    json_object_set_new(o, "ppl", isfinite(exp(d->nll)) ? json_real(exp(d->nll)) : json_null());
    json_object_set_new(o, "difference", isfinite(d->difference) ? json_real(d->difference) : json_null());
    json_object_set_new(o, "difference_stderr",
                        isfinite(d->difference_se) ? json_real(d->difference_se) : json_null());
    json_array_append_new(r->decisions, o);
    r->n_kept += d->kept;
    laser_mpi_log_line(r->run->log, d->kept ? "KEPT" : "REVERTED",
                       "%-40s %-18s rank %5" PRId64 " of %5" PRId64 "  ppl %.6f (%+.2e +- %.1e nats) %s",
                       r->run->matrices.matrices[edit->matrix].name, edit->text, r->ranks[number], m->n,
                       exp(d->nll), d->difference, d->difference_se, laser_search_reason_name(d->reason));
    return LASER_OK;
}

/* The mean of the base goes into the ledger before the first decision, for a later start. */
static int remember_base(struct reduction *r, struct laser_error *err)
{
    struct laser_ledger_line line;

    if (!isnan(r->base_mean))
        return LASER_OK;
    laser_search_base(r->search, &r->base_mean);
    laser_ledger_line_begin(&line, "base");
    laser_ledger_line_real(&line, "nll", r->base_mean);
    return laser_ledger_append(r->run->ledger, &line, true, err);
}

/* A decision of the search: the ledger first, then the list. */
static int decided(void *context, const struct laser_search_decision *d, struct laser_error *err)
{
    struct reduction *r = context;
    double now = MPI_Wtime(), seconds = now - r->last_decision_s;
    int32_t number;
    const struct laser_strategy_edit *edit = first_edit(r, d->trial, &number);
    struct laser_ledger_line line;
    int code = remember_base(r, err);

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
    laser_ledger_line_int(&line, "windows", d->n_windows);
    laser_ledger_line_real(&line, "seconds", seconds);
    code = laser_ledger_append(r->run->ledger, &line, true, err);
    r->last_decision_s = now;
    return code == LASER_OK ? add_decision(r, d, seconds, err) : code;
}

/* What the decisions depend on: model, settings, texts. */
static int search_identity(struct reduction *r, char text[20], struct laser_error *err)
{
    struct laser_checkpoint_fingerprint print = laser_checkpoint_fingerprint(r->run->checkpoint);
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
    for (int32_t i = 0; i < r->e.n_datasets; ++i)
        XXH3_64bits_update(state, &r->e.datasets[i].hash, sizeof r->e.datasets[i].hash);
    snprintf(text, 20, "%016" PRIx64, (uint64_t)XXH3_64bits_digest(state));
    XXH3_freeState(state);
    free(deck);
    return LASER_OK;
}

static int begin_search_entry(struct reduction *r, const char *identity, struct laser_error *err)
{
    struct laser_ledger_line line;

    laser_ledger_line_begin(&line, "search");
    laser_ledger_line_text(&line, "identity", identity);
    laser_ledger_line_text(&line, "strategy", laser_deck_string(r->run->deck, "reduce.strategy"));
    laser_ledger_line_int(&line, "candidates", r->plan.n_candidates);
    return laser_ledger_append(r->run->ledger, &line, true, err);
}

static int replay_one(struct reduction *r, const struct laser_ledger_entry *entry, struct laser_error *err)
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
                                      .n_windows = (int)laser_ledger_get_int(entry, "windows", 0)};
    int code = laser_search_replay(r->search, d.candidate, d.kept, d.trial, err);

    return code == LASER_OK ? add_decision(r, &d, laser_ledger_get_real(entry, "seconds", 0), err) : code;
}

/* Decisions of an earlier start, if they were made on the same model, settings and texts. */
static int replay(struct reduction *r, struct laser_error *err)
{
    struct laser_mpi_entries *old = &r->run->decisions;
    const char *theirs = old->n > 0 ? laser_ledger_get(&old->entries[0], "identity") : NULL;
    char identity[20];
    int code = search_identity(r, identity, err);

    if (code != LASER_OK)
        return code;
    if (theirs == NULL || strcmp(theirs, identity) != 0) {
        if (old->n > 1)
            laser_mpi_log_line(r->run->log, "RESUME",
                               "%d earlier decisions are not used again: settings or texts are other ones",
                               old->n - 1);
        return begin_search_entry(r, identity, err);
    }
    if (old->n > 1)
        laser_mpi_log_line(r->run->log, "RESUME", "going on from the ledger");
    for (int i = 1; code == LASER_OK && i < old->n; ++i) {
        if (strcmp(old->entries[i].kind, "base") == 0) {
            r->base_mean = laser_ledger_get_real(&old->entries[i], "nll", NAN);
            laser_search_replay_base(r->search, r->base_mean);
        } else {
            code = replay_one(r, &old->entries[i], err);
        }
    }
    return code;
}

/* ---- the search ---- */

static void fill_search_plan(const struct reduction *r, struct laser_search_plan *p)
{
    const struct laser_deck *deck = r->run->deck;
    bool compat = laser_deck_is(deck, "reduce.accept", "laserrmt");
    int strategy = laser_strategy_parse(laser_deck_string(deck, "reduce.strategy"));

    *p = (struct laser_search_plan){.candidates = r->plan.candidates,
                                    .n_candidates = r->plan.n_candidates,
                                    .trials = r->plan.trials,
                                    .n_trials = r->plan.n_trials,
                                    .edits = r->plan.edit_numbers,
                                    .n_edits = r->plan.n_edit_numbers,
                                    .window_weights = r->weights,
                                    .n_windows = (int)r->e.n_selected,
                                    .batch_windows = r->e.batch_windows,
                                    .accept = compat ? LASER_ACCEPT_NOT_WORSE : LASER_ACCEPT_PAIRED,
                                    .z = 2,
                                    .tolerance = laser_deck_real(deck, "reduce.tolerance"),
                                    .max_kept = (int)laser_deck_int(deck, "reduce.max_kept"),
                                    .give_up_early = !compat,
                                    .lookahead = 4};
    if (strategy == LASER_STRATEGY_BACKWARD) {
        if (compat)
            p->accept = LASER_ACCEPT_BETTER;
        if (p->max_kept == 0)
            p->max_kept = 5;
    } else if (strategy == LASER_STRATEGY_SWEEP) {
        p->accept = LASER_ACCEPT_NEVER;
        p->give_up_early = false;
    } else if (strategy == LASER_STRATEGY_BUDGET) {
        p->accept = LASER_ACCEPT_TOLERANCE;
        p->pick = LASER_PICK_FIRST;
    } else if (strategy == LASER_STRATEGY_ALL) {
        p->accept = LASER_ACCEPT_TOLERANCE; /* evaluated and reported; kept where the tolerance allows it */
    }
}

static int make_weights(struct reduction *r, struct laser_error *err)
{
    r->weights = malloc((size_t)r->e.n_windows * sizeof *r->weights);
    if (r->weights == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %" PRId64 " windows",
                               r->e.n_windows);
    for (int64_t i = 0; i < r->e.n_windows; ++i)
        r->weights[i] = r->e.windows[i].n_scored;
    return LASER_OK;
}

static int open_search(struct reduction *r, struct laser_error *err)
{
    struct laser_search_plan plan;
    int code = make_weights(r, err);

    r->base_mean = NAN;
    r->decisions = json_array();
    if (code == LASER_OK && r->decisions == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "reduce", "no memory");
    if (code != LASER_OK)
        return code;
    fill_search_plan(r, &plan);
    code = laser_search_create(&plan, decided, r, &r->search, err);
    return code == LASER_OK ? replay(r, err) : code;
}

static int run_search(struct reduction *r, struct laser_error *err)
{
    int code = LASER_OK;

    if (r->run->rank == 0)
        code = open_search(r, err);
    code = laser_mpi_agree(r->run->world, code, err);
    r->last_decision_s = MPI_Wtime();
    return code == LASER_OK ? laser_mpi_evaluate_search(&r->e, "search", r->search, 0, err) : code;
}

/* The kept edits as one trial on the report windows, against the base. */
static int report_decided(void *context, const struct laser_search_decision *d, struct laser_error *err)
{
    struct reduction *r = context;

    (void)err;
    r->report_final = d->nll;
    r->report_difference = d->difference;
    r->report_se = d->difference_se;
    return LASER_OK;
}

static int run_report(struct reduction *r, struct laser_error *err)
{
    struct laser_search_candidate candidate = {.n_trials = 1};
    struct laser_search_trial trial = {0};
    struct laser_search_plan plan = {.candidates = &candidate,
                                     .n_candidates = 1,
                                     .trials = &trial,
                                     .n_trials = 1,
                                     .window_weights = r->weights + (r->run->rank == 0 ? r->e.n_selected : 0),
                                     .n_windows = (int)(r->e.n_windows - r->e.n_selected),
                                     .batch_windows = r->e.batch_windows,
                                     .accept = LASER_ACCEPT_NEVER,
                                     .lookahead = 1};
    struct laser_search *search = NULL;
    int code = LASER_OK;

    if (r->run->rank == 0) {
        plan.edits = laser_search_kept(r->search, &plan.n_edits);
        trial.n_edits = plan.n_edits;
        code = laser_search_create(&plan, report_decided, r, &search, err);
    }
    code = laser_mpi_agree(r->run->world, code, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluate_search(&r->e, "report", search, laser_mpi_selected_batches(&r->e), err);
    if (code == LASER_OK && r->run->rank == 0)
        laser_search_base(search, &r->report_base);
    laser_search_free(search);
    return code;
}

/* ---- the model ---- */

/* Every rank's catalogue with the kept edits and no others. */
static int redirect_kept(struct reduction *r, const int32_t *kept, int n, struct laser_error *err)
{
    int code = LASER_OK;

    for (int e = 0; code == LASER_OK && e < r->edits.n; ++e)
        code = laser_checkpoint_redirect(r->run->checkpoint, r->edits.files[e].tensor, NULL, 0, err);
    for (int i = 0; code == LASER_OK && i < n; ++i)
        code = laser_checkpoint_redirect(r->run->checkpoint, r->edits.files[kept[i]].tensor,
                                         r->edits.files[kept[i]].path, -1, err);
    return code;
}

/* The files of the checkpoint, shared among the ranks. */
static int write_model(struct reduction *r, struct laser_error *err)
{
    struct laser_mpi_run *run = r->run;
    int32_t *kept = calloc(LASER_SEARCH_MAX_EDITS, sizeof *kept);
    struct laser_writer *writer = NULL;
    char dir[4400];
    int n = 0, code = LASER_OK;

    if (kept == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "model", "no memory");
    code = laser_mpi_agree(run->world, code, err);
    if (code != LASER_OK) {
        free(kept);
        return code;
    }
    if (run->rank == 0)
        memcpy(kept, laser_search_kept(r->search, &n), (size_t)n * sizeof *kept);
    MPI_Bcast(&n, 1, MPI_INT, 0, run->world);
    MPI_Bcast(kept, n, MPI_INT32_T, 0, run->world);
    laser_mpi_log_phase(run->log, "write");
    snprintf(dir, sizeof dir, "%s", laser_mpi_run_path(run, "model"));
    code = redirect_kept(r, kept, n, err);
    if (code == LASER_OK)
        code = laser_writer_open(run->checkpoint, dir, &writer, err);
    if (code == LASER_OK && run->rank == 0)
        code = laser_writer_begin(writer, err);
    code = laser_mpi_agree(run->world, code, err);
    for (int i = run->rank; code == LASER_OK && i < writer->n_files; i += run->size)
        code = laser_writer_file(writer, i, err);
    code = laser_mpi_agree(run->world, code, err);
    if (code == LASER_OK && run->rank == 0)
        code = laser_writer_finish(writer, err);
    code = laser_mpi_agree(run->world, code, err);
    laser_mpi_log_phase_end(run->log);
    laser_writer_close(writer);
    free(kept);
    return code;
}

/* ---- the end ---- */

static json_t *state_json(double selection, double report, bool has_report)
{
    json_t *o = json_pack("{s:{s:f, s:f}}", "selection", "nll", selection, "ppl", exp(selection));

    if (o != NULL && has_report)
        json_object_set_new(o, "report", json_pack("{s:f, s:f}", "nll", report, "ppl", exp(report)));
    return o;
}

/* Parameters that the kept edits would save as two thin matrices. */
static json_t *saved_json(const struct reduction *r)
{
    int n;
    const int32_t *kept = laser_search_kept(r->search, &n);
    int64_t dense = 0, factored = 0;

    for (int i = 0; i < n; ++i) {
        const struct laser_metrics *m = &r->run->outcomes[r->plan.edits[kept[i]].matrix].metrics;
        int64_t whole = m->rows * m->columns, thin = r->ranks[kept[i]] * (m->rows + m->columns);
        dense += whole;
        factored += thin < whole ? thin : whole;
    }
    return json_pack("{s:I, s:I, s:I}", "edited_parameters", (json_int_t)dense, "edited_parameters_factored",
                     (json_int_t)factored, "parameters", (json_int_t)(dense - factored));
}

static int write_results(struct reduction *r, json_t *results, struct laser_error *err)
{
    double final, current_base;

    laser_search_best(r->search, &final);
    laser_search_base(r->search, &current_base);
    if (isnan(r->base_mean))
        r->base_mean = current_base;
    json_object_set_new(results, "strategy", json_string(laser_deck_string(r->run->deck, "reduce.strategy")));
    json_object_set_new(results, "baseline", state_json(r->base_mean, r->report_base, r->has_report));
    json_object_set(results, "decisions", r->decisions);
    json_object_set_new(results, "final", state_json(final, r->report_final, r->has_report));
    if (r->has_report)
        json_object_set_new(results, "report_difference",
                            json_pack("{s:f, s:f}", "nll", r->report_difference, "stderr", r->report_se));
    json_object_set_new(results, "saved", saved_json(r));
    json_object_set_new(results, "seconds", json_real(MPI_Wtime() - r->run->start_s));
    laser_mpi_log_line(r->run->log, "RESULT", "selection: perplexity %.6f -> %.6f on %" PRId64 " windows",
                       exp(r->base_mean), exp(final), r->e.n_selected);
    if (r->has_report)
        laser_mpi_log_line(r->run->log, "RESULT",
                           "report:    perplexity %.6f -> %.6f on %" PRId64 " windows (%+.6f +- %.6f nats)",
                           exp(r->report_base), exp(r->report_final), r->e.n_windows - r->e.n_selected,
                           r->report_difference, r->report_se);
    laser_mpi_log_line(r->run->log, "RESULT", "%d of %zu candidates kept; the model is in %s", r->n_kept,
                       json_array_size(r->decisions), laser_mpi_run_path(r->run, "model"));
    return laser_results_write(r->run->output, results, err);
}

static int candidates_and_edits(struct reduction *r, json_t **results, struct laser_error *err)
{
    struct laser_mpi_run *run = r->run;
    int code = LASER_OK;

    if (run->rank == 0) {
        code = laser_mpi_results_write(run, results, err);
        if (code == LASER_OK)
            code = build_plan(r, err);
        if (code == LASER_OK)
            code = find_ranks(r, err);
        if (code == LASER_OK && r->plan.n_candidates == 0)
            laser_mpi_log_line(
                run->log, "CANDIDATES",
                "none: the rule %s removes nothing from any of the matrices (%d looked at); the model "
                "is written as it is",
                laser_deck_string(run->deck, "scan.threshold"), r->plan.n_no_op);
    }
    code = laser_mpi_agree(run->world, code, err);
    return code == LASER_OK ? laser_mpi_edits_make(run, &r->plan, &r->edits, err) : code;
}

static int reduce(struct reduction *r, json_t **results, struct laser_error *err)
{
    struct laser_mpi_run *run = r->run;
    int code = laser_mpi_texts_open(run, &r->e, err);

    if (code == LASER_OK)
        code = split_windows(r, err);
    if (code == LASER_OK)
        code = laser_mpi_scan_matrices(run, err);
    if (code == LASER_OK)
        code = candidates_and_edits(r, results, err);
    r->e.edits = r->edits.files;
    r->e.n_edits = r->edits.n;
    if (code == LASER_OK)
        code = laser_mpi_evaluation_open(&r->e, err);
    if (code == LASER_OK)
        code = run_search(r, err);
    if (code == LASER_OK) {
        if (run->rank == 0)
            code = remember_base(r, err);
        code = laser_mpi_agree(run->world, code, err);
    }
    if (code == LASER_OK && r->has_report)
        code = run_report(r, err);
    if (code == LASER_OK)
        code = write_model(r, err);
    if (code == LASER_OK) {
        if (run->rank == 0)
            code = write_results(r, *results, err);
        code = laser_mpi_agree(run->world, code, err);
    }
    return code;
}

int laser_mpi_command_reduce(struct laser_mpi_run *run, struct laser_error *err)
{
    struct reduction r = {.run = run};
    json_t *results = NULL;
    int code = laser_mpi_run_open(run, err);

    if (code != LASER_OK)
        return code;
    r.e.shards.sharers = MPI_COMM_NULL;
    r.e.team.group_comm = MPI_COMM_NULL;
    code = reduce(&r, &results, err);
    if (code == LASER_OK) {
        if (run->rank == 0)
            code = laser_mpi_results_failures(run, err);
        code = laser_mpi_agree(run->world, code, err);
    }
    laser_mpi_evaluation_close(&r.e);
    laser_mpi_edits_free(&r.edits);
    laser_search_free(r.search);
    laser_strategy_free(&r.plan);
    json_decref(r.decisions);
    json_decref(results);
    free(r.weights);
    free(r.ranks);
    return code;
}
