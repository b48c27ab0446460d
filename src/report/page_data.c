#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/page.h"
#include "report/page_json.h"

/* ---- columns ---- */

struct columns {
    struct laser_text *out;
    const struct laser_run_matrices *list;
    size_t n;
};

typedef const char *text_of_row(const struct laser_scan_row *row);
typedef double number_of_row(const struct laser_scan_row *row);

static void put_texts(const struct columns *c, const char *key, text_of_row *of)
{
    laser_page_key(c->out, key);
    for (size_t i = 0; i < c->n; i++) {
        laser_text_fill(c->out, i > 0 ? ',' : '[', 1);
        laser_page_string(c->out, of(c->list->rows[i]));
    }
    laser_text_puts(c->out, c->n > 0 ? "]" : "[]");
}

/* Texts of which few are different: their list under names, and the index of each row under key.  of, or the texts
 * themselves. */
static void put_indexed(const struct columns *c, const char *names, const char *key, text_of_row *of,
                        char *const *texts)
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
        const char *text = texts != NULL ? texts[i] : of(c->list->rows[i]);
        size_t at = next, tried = 0; /* most often the one after the last */

        text = text != NULL ? text : "";
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

static void put_reals(const struct columns *c, const double *values, number_of_row *of)
{
    for (size_t i = 0; i < c->n; i++) {
        laser_text_fill(c->out, i > 0 ? ',' : '[', 1);
        laser_page_real(c->out, values != NULL ? values[i] : of(c->list->rows[i]), 6);
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

static void put_metrics(const struct columns *c)
{
    laser_text_puts(c->out, ",\n\"metrics\":{\"format\":1");
    for (int k = 0; k < c->list->n_metrics; k++) {
        laser_page_key(c->out, c->list->metrics[k].key);
        put_reals(c, c->list->metrics[k].values, NULL);
    }
    laser_text_fill(c->out, '}', 1);
}

/* Numbers of experts, and the types with a star in the place of the number. */
static void put_experts(const struct columns *c)
{
    int any = 0;

    for (size_t i = 0; i < c->n; i++)
        any |= c->list->experts[i] >= 0;
    laser_page_key(c->out, "experts");
    if (!any) {
        laser_text_puts(c->out, "null");
        return;
    }
    for (size_t i = 0; i < c->n; i++)
        laser_text_printf(c->out, i > 0 ? ",%lld" : "[%lld", (long long)c->list->experts[i]);
    laser_text_fill(c->out, ']', 1);
    put_indexed(c, "kindNames", "kinds", NULL, c->list->types);
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

/* results.json without what the columns hold. */
static void put_results(struct laser_text *out, const struct laser_page_run *run, size_t n_matrices)
{
    json_t *copy = json_is_object(run->results) ? json_copy((json_t *)run->results) : json_object();

    laser_text_puts(out, ",\n\"results\":");
    if (copy == NULL) {
        out->failed = 1;
        return;
    }
    if (n_matrices > 0)
        json_object_del(copy, "matrices");
    json_object_del(copy, "deck"); /* has its own place */
    laser_page_tree(out, copy);
    json_decref(copy);
}

static void put_run(struct laser_text *out, const struct laser_page_run *run,
                    const struct laser_run_matrices *list)
{
    const struct columns c = {.out = out, .list = list, .n = list->n};

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
    put_indexed(&c, "typeNames", "types", type_of, NULL);
    put_experts(&c);
    put_indexed(&c, "dtypeNames", "dtypes", dtype_of, NULL);
    put_texts(&c, "failures", reason_of);
    laser_page_key(out, "layers");
    put_reals(&c, NULL, layer_of);
    laser_page_key(out, "rows");
    put_reals(&c, NULL, rows_of);
    laser_page_key(out, "columns");
    put_reals(&c, NULL, columns_of);
    put_metrics(&c);
    put_skipped(out, run);
    put_notes(out, "provenance", run->provenance, run->n_provenance);
    put_notes(out, "notices", run->notices, run->n_notices);
    put_windows(out, run);
    put_results(out, run, list->n);
    laser_text_fill(out, '}', 1);
}

/* `"types":[...],"layers":[...]`: of both runs, in the order of the maps. */
static void put_axes(struct laser_text *out, const struct laser_matrix_table *t)
{
    laser_text_puts(out, "\"types\":[");
    for (size_t i = 0; i < t->n_types; i++) {
        laser_text_puts(out, i > 0 ? "," : "");
        laser_page_string(out, t->types[i]);
    }
    laser_text_puts(out, "],\n\"layers\":[");
    for (size_t i = 0; i < t->n_layers; i++)
        laser_text_printf(out, i > 0 ? ",%lld" : "%lld", (long long)t->layers[i]);
    laser_text_puts(out, "]");
}

/* What is known of the metrics that occur, in the order in which they are offered: label, explanation, kind. */
static void put_metric_texts(struct laser_text *out, const struct laser_matrix_table *t)
{
    static const char *const kinds[] = {"", "share", "count", "signed"};
    const char *separator = "";

    laser_text_puts(out, "\"metricTexts\":[");
    for (size_t k = 0; k < laser_n_metric_texts; k++) {
        const struct laser_metric_text *m = &laser_metric_texts[k];
        if (laser_matrix_metric(&t->runs[0], m->key) == NULL &&
            (t->n_runs < 2 || laser_matrix_metric(&t->runs[1], m->key) == NULL))
            continue;
        laser_text_printf(out, "%s\n[\"%s\",\"%s\",\"%s\",\"%s\"]", separator, m->key, m->label,
                          m->explanation, kinds[m->kind]);
        separator = ",";
    }
    laser_text_puts(out, "]");
}

void laser_page_data(struct laser_text *out, const struct laser_drawing *d)
{
    laser_text_printf(out, "{\"format\":2,\"paired\":%s,\n",
                      d->n_runs > 1 && d->runs[1].is_paired ? "true" : "false");
    put_axes(out, d->table);
    laser_text_puts(out, ",\n");
    put_metric_texts(out, d->table);
    laser_text_puts(out, ",\n");
    laser_page_curves(out, d);
    laser_text_puts(out, ",\n");
    laser_page_maps(out, d);
    laser_text_puts(out, ",\n");
    laser_page_spectra(out, d);
    laser_text_puts(out, ",\n\"runs\":[");
    for (int i = 0; i < d->n_runs; i++) {
        laser_text_puts(out, i > 0 ? "," : "");
        put_run(out, &d->runs[i], &d->table->runs[i]);
    }
    laser_text_puts(out, "]}\n");
}
