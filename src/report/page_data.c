#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/page.h"
#include "report/page_json.h"

/* ---- columns ---- */

struct columns {
    struct laser_text *out;
    const struct laser_scan_row **rows; /* scanned and failed */
    size_t n;
};

static void put_texts(const struct columns *c, const char *key,
                      const char *(*of)(const struct laser_scan_row *))
{
    laser_page_key(c->out, key);
    for (size_t i = 0; i < c->n; i++) {
        laser_text_fill(c->out, i > 0 ? ',' : '[', 1);
        laser_page_string(c->out, of(c->rows[i]));
    }
    laser_text_puts(c->out, c->n > 0 ? "]" : "[]");
}

/* Texts of which few are different: their list under names, and the index of each row under key. */
static void put_indexed(const struct columns *c, const char *names, const char *key,
                        const char *(*of)(const struct laser_scan_row *))
{
    const char **list = calloc(c->n + 1, sizeof *list);
    size_t *index = calloc(c->n + 1, sizeof *index), n = 0, next = 0;

    if (list == NULL || index == NULL) {
        c->out->failed = 1;
        free(list);
        free(index);
        return;
    }
    for (size_t i = 0; i < c->n; i++) {
        const char *text = of(c->rows[i]) != NULL ? of(c->rows[i]) : "";
        size_t at = next, tried = 0; /* most often the one after the last */

        for (; tried < n && strcmp(list[at], text) != 0; tried++)
            at = at + 1 < n ? at + 1 : 0;
        if (tried == n)
            list[at = n++] = text;
        index[i] = at;
        next = at + 1 < n ? at + 1 : 0;
    }
    laser_page_key(c->out, names);
    for (size_t k = 0; k < n; k++) {
        laser_text_fill(c->out, k > 0 ? ',' : '[', 1);
        laser_page_string(c->out, list[k]);
    }
    laser_text_puts(c->out, n > 0 ? "]" : "[]");
    laser_page_key(c->out, key);
    for (size_t i = 0; i < c->n; i++)
        laser_text_printf(c->out, i > 0 ? ",%zu" : "[%zu", index[i]);
    laser_text_puts(c->out, c->n > 0 ? "]" : "[]");
    free(list);
    free(index);
}

static const char *name_of(const struct laser_scan_row *row)
{
    return row->name;
}
static const char *type_of(const struct laser_scan_row *row)
{
    return row->type != NULL ? row->type : row->name;
}
static const char *dtype_of(const struct laser_scan_row *row)
{
    return row->dtype;
}
static const char *reason_of(const struct laser_scan_row *row)
{
    return row->status == LASER_SCAN_FAILED ? row->reason != NULL ? row->reason : "no reason given" : NULL;
}

static void put_numbers(const struct columns *c, double (*of)(const struct laser_scan_row *))
{
    for (size_t i = 0; i < c->n; i++) {
        laser_text_fill(c->out, i > 0 ? ',' : '[', 1);
        laser_page_real(c->out, of(c->rows[i]), 6);
    }
    laser_text_puts(c->out, c->n > 0 ? "]" : "[]");
}

static double layer_of(const struct laser_scan_row *row)
{
    return (double)row->layer;
}
static double rows_of(const struct laser_scan_row *row)
{
    return (double)row->rows;
}
static double columns_of(const struct laser_scan_row *row)
{
    return (double)row->columns;
}
static double score_of(const struct laser_scan_row *row)
{
    return row->status == LASER_SCAN_SCANNED ? row->score : (double)NAN;
}
static double seconds_of(const struct laser_scan_row *row)
{
    return row->seconds;
}

static const struct laser_scan_number *find_number(const struct laser_scan_row *row, const char *name,
                                                   int guess)
{
    if (guess < row->nnumbers && strcmp(row->numbers[guess].name, name) == 0)
        return &row->numbers[guess];
    for (int i = 0; i < row->nnumbers; i++)
        if (strcmp(row->numbers[i].name, name) == 0)
            return &row->numbers[i];
    return NULL;
}

/* The further numbers, under the names of the first row that has any. */
static void put_metrics(const struct columns *c)
{
    const struct laser_scan_row *model = NULL;

    for (size_t i = 0; i < c->n && model == NULL; i++)
        if (c->rows[i]->status == LASER_SCAN_SCANNED && c->rows[i]->nnumbers > 0)
            model = c->rows[i];
    laser_text_puts(c->out, ",\n\"metrics\":{\"score\":");
    put_numbers(c, score_of);
    laser_page_key(c->out, "seconds");
    put_numbers(c, seconds_of);
    for (int k = 0; model != NULL && k < model->nnumbers; k++) {
        if (strcmp(model->numbers[k].name, "rows") == 0 || strcmp(model->numbers[k].name, "columns") == 0)
            continue;
        laser_page_key(c->out, model->numbers[k].name);
        for (size_t i = 0; i < c->n; i++) {
            const struct laser_scan_number *x = find_number(c->rows[i], model->numbers[k].name, k);
            laser_text_fill(c->out, i > 0 ? ',' : '[', 1);
            laser_page_real(
                c->out, x != NULL && c->rows[i]->status == LASER_SCAN_SCANNED ? x->value : (double)NAN, 6);
        }
        laser_text_fill(c->out, ']', 1);
    }
    laser_text_fill(c->out, '}', 1);
}

/* ---- a run ---- */

static void put_skipped(struct laser_text *out, const struct laser_page_run *run)
{
    const char *separator = "";

    laser_text_puts(out, ",\n\"skipped\":[");
    for (size_t i = 0; i < run->n_rows; i++) {
        if (run->rows[i].status != LASER_SCAN_SKIPPED)
            continue;
        laser_text_printf(out, "%s\n[", separator);
        laser_page_string(out, run->rows[i].name);
        laser_text_fill(out, ',', 1);
        laser_page_string(out, run->rows[i].reason);
        laser_text_printf(out, ",%lld,%lld]", (long long)run->rows[i].rows, (long long)run->rows[i].columns);
        separator = ",";
    }
    laser_text_fill(out, ']', 1);
}

static void put_notes(struct laser_text *out, const char *key, const struct laser_page_note *notes, size_t n)
{
    laser_page_key(out, key);
    laser_text_fill(out, '[', 1);
    for (size_t i = 0; i < n; i++) {
        laser_text_puts(out, i > 0 ? ",[" : "[");
        laser_page_string(out, notes[i].name);
        laser_text_fill(out, ',', 1);
        laser_page_string(out, notes[i].text);
        laser_text_fill(out, ']', 1);
    }
    laser_text_fill(out, ']', 1);
}

static void put_windows(struct laser_text *out, const struct laser_page_run *run)
{
    laser_text_puts(out, ",\n\"datasets\":[");
    for (size_t i = 0; i < run->n_datasets; i++) {
        laser_text_puts(out, i > 0 ? "," : "");
        laser_page_string(out, run->datasets[i]);
    }
    laser_text_puts(out, "],\n\"windows\":[");
    for (size_t i = 0; i < run->n_windows; i++) {
        const struct laser_page_window *w = &run->windows[i];
        laser_text_printf(out, "%s[%d,%d,", i > 0 ? "," : "", (int)w->dataset, (int)w->scored);
        laser_page_real(out, w->nll_nats, 7);
        laser_text_fill(out, ']', 1);
    }
    laser_text_fill(out, ']', 1);
}

/* results.json without what the columns hold; matrices that have no rows (of a compression) stay. */
static void put_results(struct laser_text *out, const struct laser_page_run *run)
{
    json_t *copy = json_is_object(run->results) ? json_copy((json_t *)run->results) : json_object();

    laser_text_puts(out, ",\n\"results\":");
    if (copy == NULL) {
        out->failed = 1;
        return;
    }
    if (run->n_rows > 0)
        json_object_del(copy, "matrices");
    json_object_del(copy, "deck"); /* has its own place */
    laser_page_tree(out, copy);
    json_decref(copy);
}

static void put_run(struct laser_text *out, const struct laser_page_run *run)
{
    struct columns c = {.out = out, .rows = calloc(run->n_rows + 1, sizeof *c.rows)};

    if (c.rows == NULL) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < run->n_rows; i++)
        if (run->rows[i].status != LASER_SCAN_SKIPPED)
            c.rows[c.n++] = &run->rows[i];
    laser_text_puts(out, "\n{\"label\":");
    laser_page_string(out, run->label);
    laser_page_key(out, "model");
    laser_page_string(out, run->model);
    laser_page_key(out, "command");
    laser_page_string(out, run->command);
    laser_page_key(out, "rule");
    laser_page_string(out, run->rule);
    laser_page_key(out, "score");
    laser_page_string(out, run->score);
    laser_page_key(out, "deck");
    laser_page_string(out, run->deck);
    put_texts(&c, "names", name_of);
    put_indexed(&c, "typeNames", "types", type_of);
    put_indexed(&c, "dtypeNames", "dtypes", dtype_of);
    put_texts(&c, "failures", reason_of);
    laser_page_key(out, "layers");
    put_numbers(&c, layer_of);
    laser_page_key(out, "rows");
    put_numbers(&c, rows_of);
    laser_page_key(out, "columns");
    put_numbers(&c, columns_of);
    put_metrics(&c);
    laser_page_spectra(out, c.rows, c.n);
    put_skipped(out, run);
    put_notes(out, "provenance", run->provenance, run->n_provenance);
    put_notes(out, "notices", run->notices, run->n_notices);
    put_windows(out, run);
    put_results(out, run);
    laser_text_fill(out, '}', 1);
    free(c.rows);
}

void laser_page_data(struct laser_text *out, const struct laser_page_run *runs, int n_runs)
{
    laser_text_printf(out, "{\"format\":1,\"paired\":%s,\n",
                      n_runs > 1 && runs[1].is_paired ? "true" : "false");
    laser_page_curves(out, runs, n_runs);
    laser_text_puts(out, ",\n\"runs\":[");
    for (int i = 0; i < n_runs; i++) {
        laser_text_puts(out, i > 0 ? "," : "");
        put_run(out, &runs[i]);
    }
    laser_text_puts(out, "]}\n");
}
