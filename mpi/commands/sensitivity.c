/* The command `sensitivity`: one pass of a text forward and backward through the model, and what each
 * singular value of each matrix is worth to the loss. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/log.h"
#include "commands/commands.h"
#include "commands/sample.h"
#include "evaluate/evaluation.h"
#include "reduce/forecast.h"
#include "report/heat_map.h"
#include "report/prediction_fit.h"
#include "report/scan_report.h"
#include "run/terminal.h"
#include "schedule/calibrate.h"
#include "schedule/scan.h"
#include "sensitivity/fisher.h"
#include "sensitivity/gather.h"
#include "sensitivity/statistics.h"
#include "sensitivity/vectors.h"
#include "store/report.h"
#include "store/results.h"
#include "store/sensitivity.h"

enum { LISTED = 5 };

struct sensing {
    struct laser_run *run;
    struct laser_mpi_evaluation whole;
    struct laser_evaluation *e; /* of it */
    struct laser_statistics statistics;
    struct laser_scan_spectrum spectrum;
    double *gradient, *error, *fisher; /* [n_values], of the summed loss; complete on rank 0 */
    double *steps;                     /* [n_matrices] predicted change of the mean loss by the best step */
    struct laser_predicted *edits;     /* of every matrix the rule's cut, then those of reduce.edits */
    int64_t n_edits, per_matrix;
    struct laser_sensitivity_record *records; /* rank 0 */
    json_t *sample;                           /* rank 0: edits that were measured */
};

/* ---- what the sums say ---- */

static int allocate(struct sensing *s, struct laser_error *err)
{
    size_t values = (size_t)s->spectrum.n_values + 1, matrices = (size_t)s->spectrum.n_matrices + 1;

    s->per_matrix = s->run->settings->reduce.edits.count + 1;
    s->n_edits = s->per_matrix * s->spectrum.n_matrices;
    s->gradient = calloc(values, sizeof *s->gradient);
    s->error = calloc(values, sizeof *s->error);
    s->fisher = calloc(values, sizeof *s->fisher);
    s->steps = calloc(matrices, sizeof *s->steps);
    s->edits = calloc((size_t)s->n_edits + 1, sizeof *s->edits);
    s->records = calloc(matrices, sizeof *s->records);
    if (s->gradient == NULL || s->error == NULL || s->fisher == NULL || s->steps == NULL ||
        s->edits == NULL || s->records == NULL)
        return laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory for %" PRId64 " singular values",
                               s->spectrum.n_values);
    return LASER_OK;
}

/* On the owner of a matrix. */
static int describe(struct sensing *s, int64_t matrix, struct laser_error *err)
{
    const struct laser_fisher *f = &s->statistics.matrices[matrix].fisher;
    int64_t first = s->spectrum.first[matrix];
    double *step = malloc((size_t)f->n * sizeof *step);
    int code = step == NULL ? laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory")
                            : laser_fisher_direction(f, s->spectrum.values + first,
                                                     s->run->settings->reduce.damping, step, err);

    if (code == LASER_OK) {
        double slope = 0, curvature = 2 * laser_fisher_predict(f, step), length;

        for (int64_t i = 0; i < f->n; ++i)
            slope += f->gradient[i] * step[i];
        curvature -= 2 * slope;
        /* The lowest point of length * slope + length^2 * curvature / 2. */
        length = curvature > 0 ? -slope / curvature : 0;
        s->steps[matrix] = (length * slope + length * length * curvature / 2) / f->tokens;
        laser_fisher_error(f, s->error + first);
        memcpy(s->gradient + first, f->gradient, (size_t)f->n * sizeof *f->gradient);
        for (int64_t i = 0; i < f->n; ++i)
            s->fisher[first + i] = laser_fisher_at(f, i, i);
    }
    free(step);
    return code;
}

static void to_root(const struct sensing *s, double *x, int64_t n)
{
    bool root = s->run->rank == 0;

    MPI_Reduce(root ? MPI_IN_PLACE : x, x, (int)n, MPI_DOUBLE, MPI_SUM, 0, laser_mpi_world(s->run));
}

static int describe_all(struct sensing *s, struct laser_error *err)
{
    int code = laser_mpi_agree(laser_mpi_world(s->run), allocate(s, err), err);
    const char *const *texts = s->run->settings->reduce.edits.items;

    if (code != LASER_OK)
        return code;
    for (int64_t i = 0; code == LASER_OK && i < s->spectrum.n_matrices; ++i)
        if (s->statistics.matrices[i].owner == s->run->rank &&
            s->statistics.matrices[i].fisher.gradient != NULL)
            code = describe(s, i, err);
    code = laser_mpi_agree(laser_mpi_world(s->run), code, err);
    if (code != LASER_OK)
        return code;
    to_root(s, s->gradient, s->spectrum.n_values);
    to_root(s, s->error, s->spectrum.n_values);
    to_root(s, s->fisher, s->spectrum.n_values);
    to_root(s, s->steps, s->spectrum.n_matrices);
    for (int64_t i = 0; code == LASER_OK && i < s->n_edits; ++i) {
        int64_t k = i % s->per_matrix;
        s->edits[i] = (struct laser_predicted){
            .matrix = i / s->per_matrix, .text = k == 0 ? s->run->settings->scan.threshold : texts[k - 1]};
        code = laser_edit_parse(s->edits[i].text, &s->edits[i].what, err);
    }
    if (code != LASER_OK) /* the same on every rank */
        return code;
    return laser_mpi_predict(s->run, &s->statistics, &s->spectrum, s->edits, s->n_edits, err);
}

/* ---- what is written ---- */

/* Means over the tokens. */
static void fill_records(struct sensing *s)
{
    double tokens = s->statistics.tokens;

    for (int64_t i = 0; i < s->spectrum.n_values; ++i) {
        s->gradient[i] /= tokens;
        s->error[i] /= tokens;
        s->fisher[i] /= tokens;
    }
    for (int64_t i = 0; i < s->spectrum.n_matrices; ++i) {
        const struct laser_matrix *m = &s->run->matrices.matrices[i];
        const struct laser_predicted *edits = s->edits + i * s->per_matrix, *best = edits;
        int64_t first = s->spectrum.first[i];

        for (int64_t k = 1; k < s->per_matrix; ++k)
            if (edits[k].change < best->change)
                best = &edits[k];
        s->records[i] = (struct laser_sensitivity_record){.name = m->name,
                                                          .type = m->type,
                                                          .layer = m->layer,
                                                          .rows = m->rows,
                                                          .columns = m->cols,
                                                          .n = s->spectrum.first[i + 1] - first,
                                                          .reached = s->statistics.matrices[i].reached,
                                                          .sigma = s->spectrum.original + first,
                                                          .gradient = s->gradient + first,
                                                          .error = s->error + first,
                                                          .fisher = s->fisher + first,
                                                          .cut = edits[0].change,
                                                          .step = s->steps[i],
                                                          .best_edit = best->text,
                                                          .best = best->change};
    }
}

static json_t *real_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *results_json(const struct sensing *s)
{
    json_t *list = json_array(), *o;

    for (int64_t i = 0; i < s->spectrum.n_matrices; ++i) {
        const struct laser_sensitivity_record *r = &s->records[i];

        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:I, s:f, s:o, s:o, s:s, s:o}", "tensor", r->name, "type",
                                        r->type, "layer", (json_int_t)r->layer, "tokens", r->reached, "cut",
                                        real_or_null(r->cut), "step", real_or_null(r->step), "best_edit",
                                        r->best_edit, "best", real_or_null(r->best)));
    }
    o = json_pack("{s:f, s:I, s:f, s:s, s:s, s:o}", "tokens", s->statistics.tokens, "windows",
                  (json_int_t)s->statistics.windows, "loss", s->statistics.loss / s->statistics.tokens,
                  "predictions", s->statistics.options.block ? "block" : "diagonal", "threshold",
                  s->run->settings->scan.threshold, "matrices", list);
    json_object_set(o, "sample", s->sample);
    return o;
}

static int write_files(struct sensing *s, json_t *results, json_t *phases, struct laser_error *err)
{
    struct laser_sensitivity_meta meta = {.model = s->run->checkpoint->model,
                                          .rule = s->run->settings->scan.threshold,
                                          .tokens = s->statistics.tokens,
                                          .windows = (double)s->statistics.windows,
                                          .loss = s->statistics.loss / s->statistics.tokens,
                                          .block = s->statistics.options.block};
    int code = laser_sensitivity_write(laser_run_path(s->run, "sensitivity.h5"), &meta, s->records,
                                       s->spectrum.n_matrices, err);

    if (code == LASER_OK &&
        (json_object_set_new(results, "sensitivity", results_json(s)) != 0 ||
         json_object_set(results, "phases", phases) != 0 || !laser_prediction_fit_add(results)))
        code = laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");
    return code == LASER_OK ? laser_results_write(s->run->output, results, err) : code;
}

/* ---- what is said ---- */

static int by_change(const void *a, const void *b)
{
    const struct laser_sensitivity_record *x = *(const struct laser_sensitivity_record *const *)a;
    const struct laser_sensitivity_record *y = *(const struct laser_sensitivity_record *const *)b;
    double d = (isfinite(x->best) ? x->best : INFINITY) - (isfinite(y->best) ? y->best : INFINITY);

    return d < 0 ? -1 : d > 0 ? 1 : strcmp(x->name, y->name);
}

static void list_best(const struct sensing *s, struct laser_text *out)
{
    int64_t n = s->spectrum.n_matrices;
    const struct laser_sensitivity_record **order = malloc((size_t)n * sizeof *order + 1);

    if (order == NULL) {
        out->failed = 1;
        return;
    }
    for (int64_t i = 0; i < n; ++i)
        order[i] = &s->records[i];
    qsort(order, (size_t)n, sizeof *order, by_change);
    laser_text_puts(out, "\nedits that are predicted to help most (change of the mean loss, nats)\n");
    for (int64_t i = 0; i < n && i < LISTED && order[i]->best < 0; ++i)
        laser_text_printf(out, "  %-46s %-18s %+.2e\n", order[i]->name, order[i]->best_edit, order[i]->best);
    free(order);
}

/* The edits that were measured, and how good their predictions are. */
static void list_sample(const struct sensing *s, struct laser_text *out)
{
    const json_t *edit;
    size_t i;

    if (json_array_size(s->sample) > 0)
        laser_text_puts(out, "\nmeasured beside their predictions (change of the mean loss, nats)\n");
    json_array_foreach(s->sample, i, edit) laser_text_printf(
        out, "  %-46s %-18s predicted %+.2e, measured %+.2e +- %.1e\n",
        json_string_value(json_object_get(edit, "tensor")), json_string_value(json_object_get(edit, "edit")),
        json_number_value(json_object_get(edit, "predicted")),
        json_number_value(json_object_get(edit, "difference")),
        json_number_value(json_object_get(edit, "stderr")));
}

static void say(const struct sensing *s, const json_t *results)
{
    char predictions[120];
    struct laser_heat_style style = {.width = laser_terminal_style().width,
                                     .colours = laser_terminal_is_watched()};
    struct laser_scan_row *rows = calloc((size_t)s->spectrum.n_matrices + 1, sizeof *rows);
    struct laser_text out = {0};
    size_t n = 0;

    for (int64_t i = 0; rows != NULL && i < s->spectrum.n_matrices; ++i)
        if (isfinite(s->records[i].cut))
            rows[n++] = (struct laser_scan_row){.name = s->records[i].name,
                                                .type = s->records[i].type,
                                                .layer = s->records[i].layer,
                                                .score = s->records[i].cut};
    laser_text_printf(
        &out, "Predicted change of the mean loss by the cut %s of each matrix, nats (less is better)\n\n",
        s->run->settings->scan.threshold);
    if (n > 0)
        laser_heat_map(&out, rows, n, &style);
    list_best(s, &out);
    list_sample(s, &out);
    if (!out.failed && out.data != NULL)
        laser_log_block(s->run->log, out.data);
    laser_text_free(&out);
    free(rows);
    laser_log_line(s->run->log, "RESULT", "loss %.6f on %.0f tokens in %" PRId64 " windows",
                   s->statistics.loss / s->statistics.tokens, s->statistics.tokens, s->statistics.windows);
    if (laser_prediction_fit_text(results, predictions)[0] != '\0')
        laser_log_line(s->run->log, "RESULT", "predictions of %s", predictions);
    laser_log_line(s->run->log, "RESULT", "%s holds sensitivity.h5, spectra.h5, results.json",
                   s->run->output);
}

/* ---- all of it ---- */

static int gather(struct sensing *s, struct laser_error *err)
{
    struct laser_statistics_options options = {.values = true, .block = true};
    enum laser_deck_fisher form = s->run->settings->reduce.fisher;
    int code = laser_mpi_spectrum_read(s->run, &s->spectrum, err);

    options.block = form == LASER_DECK_FISHER_AUTO ? laser_statistics_block_fits(s->run, &options)
                                                   : form == LASER_DECK_FISHER_BLOCK;
    if (code == LASER_OK) {
        struct laser_forecast forecast;
        struct laser_calibration speed;

        laser_mpi_calibrate(s->run, &speed);
        laser_forecast_sensitivity(s->e,
                                   (int)(s->spectrum.n_matrices * (s->run->settings->reduce.edits.count + 1)),
                                   &speed, &forecast);
        laser_forecast_say(s->run->log, &forecast);
        code = laser_mpi_vectors_make(s->run, err);
    }
    if (code == LASER_OK)
        code = laser_mpi_statistics_gather(s->e, &options, s->e->part_batch[LASER_PART_SELECTION],
                                           s->e->part_batch[LASER_PART_SELECTION + 1], NULL, 0,
                                           &s->statistics, err);
    return code == LASER_OK ? describe_all(s, err) : code;
}

static int sense(struct sensing *s, struct laser_error *err)
{
    struct laser_run *run = s->run;
    json_t *results = NULL, *phases;
    int code = laser_mpi_texts_open(run, &s->whole, err);

    if (code == LASER_OK)
        code = laser_mpi_scan_matrices(run, err);
    if (code == LASER_OK)
        code = laser_mpi_agree(laser_mpi_world(run),
                               run->rank == 0 ? laser_scan_results_write(run, &results, err) : LASER_OK, err);
    s->e->caches = run->settings->sensitivity.sample > 0;
    if (code == LASER_OK)
        code = laser_mpi_evaluation_open(s->e, err);
    if (code == LASER_OK)
        code = gather(s, err);
    if (code == LASER_OK && run->settings->sensitivity.sample > 0)
        code = laser_mpi_sample_measure(s->e, s->edits, s->n_edits, &s->sample, err);
    if (code == LASER_OK) {
        phases = laser_mpi_log_phases_json(run->log, laser_mpi_world(run));
        if (run->rank == 0) {
            fill_records(s);
            code = write_files(s, results, phases, err);
        }
        json_decref(phases);
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
    }
    if (code == LASER_OK)
        laser_mpi_statistics_forget(run);
    if (code == LASER_OK && run->rank == 0) {
        say(s, results);
        laser_report_make(run);
    }
    json_decref(results);
    return code;
}

int laser_mpi_command_sensitivity(struct laser_run *run, struct laser_error *err)
{
    struct sensing s = {.run = run};
    int code = laser_mpi_run_open(run, err);

    if (code != LASER_OK)
        return code;
    laser_mpi_evaluation_init(&s.whole);
    s.e = &s.whole.evaluation;
    code = sense(&s, err);
    laser_statistics_free(&s.statistics);
    laser_scan_spectrum_free(&s.spectrum);
    laser_mpi_evaluation_close(s.e);
    free(s.gradient);
    free(s.error);
    free(s.fisher);
    free(s.steps);
    free(s.edits);
    free(s.records);
    json_decref(s.sample);
    return code;
}
