/* The command `export`: a scan as files for fine-tuning tools. */
#include "commands/export.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/rundir.h"

/* The names of the first row's numbers, for a message. */
static void list_metrics(const struct laser_scan_row *row, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "score");

    for (int i = 0; i < row->nnumbers && n < size; ++i)
        n += (size_t)snprintf(text + n, size - n, ", %s", row->numbers[i].name);
}

static int check_metric(const struct laser_scan_input *in, const char *metric, struct laser_error *err)
{
    char names[900];
    double value;

    for (size_t i = 0; i < in->n_matrices; ++i)
        if (in->rows[i].status == LASER_SCAN_SCANNED) {
            if (laser_row_metric(&in->rows[i], metric, &value))
                return LASER_OK;
            list_metrics(&in->rows[i], names, sizeof names);
            return laser_error_set(err, LASER_EUSAGE, "export.metric",
                                   "\"%s\" is no number of this scan; it has %s", metric, names);
        }
    return LASER_OK;
}

int laser_export_settings(const struct laser_run *run, const struct laser_scan_input *in,
                          struct laser_export *e, unsigned *formats, struct laser_error *err)
{
    const struct laser_deck *deck = run->deck;
    const struct laser_settings *settings = run->settings;
    const struct laser_deck_list *names = &settings->export.formats;
    const char *metric = settings->export.metric;
    int bottom = (int)settings->export.bottom_percent;

    *formats = 0;
    for (int i = 0; i < names->count; ++i)
        *formats |= laser_export_format(names->items[i]);
    /* Without a spectrum there is nothing to tell WeightWatcher. */
    if ((*formats & LASER_EXPORT_WEIGHTWATCHER) && in->program != NULL &&
        in->foreign.kind != LASER_FOREIGN_WEIGHTWATCHER) {
        if (laser_deck_is_set(deck, LASER_KEY_export_formats))
            return laser_error_set(err, LASER_EUSAGE, "export.formats",
                                   "a scan of %s has SNRs only, weightwatcher cannot be made of it",
                                   in->program);
        *formats &= ~(unsigned)LASER_EXPORT_WEIGHTWATCHER;
    }
    if (bottom > 0 && laser_deck_is_set(deck, LASER_KEY_scan_top_percent))
        return laser_error_set(err, LASER_EUSAGE, "export.bottom_percent",
                               "scan.top_percent is set, too: which one, top or bottom?");
    *e = (struct laser_export){.rows = in->rows,
                               .count = in->n,
                               .rule = {.metric = metric[0] != '\0' ? metric : NULL,
                                        .percent = bottom > 0 ? bottom : (int)settings->scan.top_percent,
                                        .bottom = bottom > 0,
                                        .overall = settings->export.per == LASER_DECK_PER_OVERALL},
                               .rank = (int)settings->export.rank};
    return metric[0] != '\0' ? check_metric(in, metric, err) : LASER_OK;
}

static void log_lines(const struct laser_run *run, char *text)
{
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        laser_log_line(run->log, "EXPORT", "%s", line);
}

static void say_pick(const struct laser_run *run, const struct laser_scan_input *in,
                     const struct laser_export *e, const struct laser_pick *pick)
{
    size_t n_nan = 0, n_zero = 0, n_parts = 0, n_norms = 0, n_scanned = 0;

    for (size_t i = 0; i < in->n; ++i) {
        n_scanned += in->rows[i].status == LASER_SCAN_SCANNED;
        n_nan += in->rows[i].status == LASER_SCAN_SCANNED && isnan(in->rows[i].score) && !in->rows[i].is_zero;
        n_zero += in->rows[i].is_zero != 0;
        n_parts += pick->picked[i] && laser_export_module(&in->rows[i]) == 0;
        n_norms +=
            pick->picked[i] && laser_export_module(&in->rows[i]) > 0 && !laser_export_adaptable(&in->rows[i]);
    }
    laser_log_line(run->log, "PICKED", "%zu of %zu matrices: the %s %d %% by %s, %s", pick->n_picked,
                   n_scanned, e->rule.bottom ? "bottom" : "top", e->rule.percent,
                   e->rule.metric != NULL ? e->rule.metric : in->score,
                   e->rule.overall ? "all types together" : "of each type");
    if (n_nan > 0)
        laser_log_line(run->log, "NOTE", "%zu scores are no numbers (NaN) and never picked", n_nan);
    if (n_zero > 0)
        laser_log_line(run->log, "NOTE", "%zu matrices hold nothing but zeros: no score, never picked",
                       n_zero);
    if (n_parts > 0)
        laser_log_line(run->log, "NOTE", "%zu of them are parts of tensors, which no tool takes as modules",
                       n_parts);
    if (n_norms > 0)
        laser_log_line(run->log, "NOTE",
                       "%zu of them are norms, which have no adapters (LLaMA-Factory, PEFT)", n_norms);
    if (in->foreign.ignored != NULL)
        laser_log_line(run->log, "NOTE", "columns that are not known and not read: %s", in->foreign.ignored);
}

int laser_export_texts(struct laser_run *run, const struct laser_scan_input *in, struct laser_error *err)
{
    struct laser_text said = {0};
    struct laser_scan_meta meta;
    struct laser_export e;
    unsigned formats;
    char *model_id = NULL;
    int code = laser_export_settings(run, in, &e, &formats, err);

    if (code == LASER_OK)
        code = laser_scan_input_meta(run, in, &meta, &model_id, err);
    e.meta = &meta;
    if (code == LASER_OK)
        code = laser_directory_make(run->output, err);
    if (code == LASER_OK)
        code = laser_export_write(run->output, &e, formats, &said, err);
    if (code == LASER_OK && said.data != NULL)
        log_lines(run, said.data);
    laser_text_free(&said);
    free(model_id);
    return code;
}

/* ---- the command ---- */

/* What is made from weights needs them. */
static int check_weights(const struct laser_settings *settings, unsigned formats, struct laser_error *err)
{
    const bool apart = (formats & (LASER_EXPORT_PISSA | LASER_EXPORT_MILORA)) != 0,
               lora = (formats & LASER_EXPORT_LORA) != 0;

    if (apart && (lora || settings->scan.base[0] != '\0'))
        return laser_error_set(err, LASER_EUSAGE, "export.formats",
                               "pissa and milora take a model apart, lora the difference from a base: export "
                               "them one after the other");
    if (apart && settings->model[0] == '\0')
        return laser_error_set(err, LASER_EUSAGE, "model",
                               "pissa and milora take the weights apart: give --model DIR");
    if (lora && (settings->model[0] == '\0' || settings->scan.base[0] == '\0'))
        return laser_error_set(err, LASER_EUSAGE, settings->model[0] == '\0' ? "model" : "scan.base",
                               "lora is the difference of two models: give --model TUNED --base BASE");
    return LASER_OK;
}

int laser_export_scan(struct laser_run *run, struct laser_scan_input *in, struct laser_export *e,
                      unsigned *formats, struct laser_pick *pick, struct laser_error *err)
{
    const struct laser_deck *deck = run->deck;
    const struct laser_settings *settings = run->settings;
    int code = laser_scan_load(run->arguments[0], in, err);

    if (code == LASER_OK &&
        (laser_deck_is_set(deck, LASER_KEY_scan_threshold) || laser_deck_is_set(deck, LASER_KEY_scan_score)))
        code = laser_scan_rederive(
            in,
            laser_deck_is_set(deck, LASER_KEY_scan_threshold) || in->rule == NULL ? settings->scan.threshold
                                                                                  : in->rule,
            laser_deck_is_set(deck, LASER_KEY_scan_score) ? laser_score_name(settings->scan.score)
                                                          : in->score,
            err);
    if (code == LASER_OK)
        code = laser_export_settings(run, in, e, formats, err);
    if (code == LASER_OK && !laser_pick_make(pick, in->rows, in->n, &e->rule))
        code = laser_error_set(err, LASER_ENOMEM, in->path, "no memory for its matrices");
    if (code != LASER_OK)
        return code;
    e->pick = pick;
    say_pick(run, in, e, pick);
    snprintf(run->output, sizeof run->output, "%s", settings->output);
    code = check_weights(settings, *formats, err);
    return code == LASER_OK ? laser_export_texts(run, in, err) : code;
}

/* The base has it under this name, and it is a linear layer: not an embedding, whose adapters are others. */
static bool has_lora(const struct laser_scan_row *row)
{
    return row->status == LASER_SCAN_SCANNED && row->rank > 0 && laser_export_adaptable(row) &&
           (row->layer >= 0 || strcmp(row->type, "lm_head") == 0);
}

int laser_export_lora(const struct laser_run *run, const struct laser_export *e, struct laser_export *lora,
                      struct laser_pick *pick, struct laser_error *err)
{
    size_t n = 0;
    int64_t highest = 1;

    *lora = *e;
    lora->own_ranks = true;
    lora->pick = pick;
    if (e->meta->base == NULL)
        return laser_error_set(err, LASER_EUSAGE, run->arguments[0],
                               "a scan of weights, not of differences: lora needs one of scan --base");
    if (!laser_pick_make(pick, e->rows, e->count, &e->rule))
        return laser_error_set(err, LASER_ENOMEM, "export", "no memory for its matrices");
    for (size_t i = 0; i < e->count; ++i) {
        pick->picked[i] = has_lora(&e->rows[i]);
        n += pick->picked[i];
        if (pick->picked[i] && e->rows[i].rank > highest)
            highest = e->rows[i].rank;
    }
    pick->n_picked = n;
    if (!laser_deck_is_set(run->deck, LASER_KEY_export_rank) || highest < e->rank)
        lora->rank = (int)highest;
    return LASER_OK;
}
