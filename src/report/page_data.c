#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "report/page.h"
#include "report/sketch.h"

/* Beyond so many matrices each is drawn from fewer points. */
enum { MANY = 2000 };

/* ---- JSON into a script element: `<` must not occur in it ---- */

static void put_string(struct laser_text *out, const char *string)
{
    struct laser_text quoted = {0};

    if (string == NULL) {
        laser_text_puts(out, "null");
        return;
    }
    laser_json_quote(&quoted, string, 0);
    if (quoted.failed)
        out->failed = 1;
    for (size_t i = 0; !quoted.failed && i < quoted.size; i++) {
        if (quoted.data[i] == '<')
            laser_text_puts(out, "\\u003c");
        else
            laser_text_add(out, quoted.data + i, 1);
    }
    laser_text_free(&quoted);
}

static void put_tree(struct laser_text *out, const json_t *tree)
{
    struct laser_text text = {0};
    const char *p, *bracket;

    laser_json_render(&text, tree, 0);
    out->failed |= text.failed;
    p = text.data;
    while (!text.failed && (bracket = strchr(p, '<')) != NULL) {
        laser_text_add(out, p, (size_t)(bracket - p));
        laser_text_puts(out, "\\u003c");
        p = bracket + 1;
    }
    if (!text.failed)
        laser_text_puts(out, p);
    laser_text_free(&text);
}

/* Enough digits for a picture and for a table beside it. */
static void put_real(struct laser_text *out, double value, int digits)
{
    if (isnan(value))
        laser_text_puts(out, "null");
    else if (isinf(value))
        laser_text_puts(out, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else
        laser_text_printf(out, "%.*g", digits, value);
}

static void put_key(struct laser_text *out, const char *key)
{
    laser_text_puts(out, ",\n");
    put_string(out, key);
    laser_text_fill(out, ':', 1);
}

/* ---- columns ---- */

struct columns {
    struct laser_text *out;
    const struct laser_scan_row **rows; /* scanned and failed */
    size_t n;
};

static void put_texts(const struct columns *c, const char *key,
                      const char *(*of)(const struct laser_scan_row *))
{
    put_key(c->out, key);
    for (size_t i = 0; i < c->n; i++) {
        laser_text_fill(c->out, i > 0 ? ',' : '[', 1);
        put_string(c->out, of(c->rows[i]));
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
    put_key(c->out, names);
    for (size_t k = 0; k < n; k++) {
        laser_text_fill(c->out, k > 0 ? ',' : '[', 1);
        put_string(c->out, list[k]);
    }
    laser_text_puts(c->out, n > 0 ? "]" : "[]");
    put_key(c->out, key);
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
        put_real(c->out, of(c->rows[i]), 6);
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
    put_key(c->out, "seconds");
    put_numbers(c, seconds_of);
    for (int k = 0; model != NULL && k < model->nnumbers; k++) {
        if (strcmp(model->numbers[k].name, "rows") == 0 || strcmp(model->numbers[k].name, "columns") == 0)
            continue;
        put_key(c->out, model->numbers[k].name);
        for (size_t i = 0; i < c->n; i++) {
            const struct laser_scan_number *x = find_number(c->rows[i], model->numbers[k].name, k);
            laser_text_fill(c->out, i > 0 ? ',' : '[', 1);
            put_real(c->out, x != NULL && c->rows[i]->status == LASER_SCAN_SCANNED ? x->value : (double)NAN,
                     6);
        }
        laser_text_fill(c->out, ']', 1);
    }
    laser_text_fill(c->out, '}', 1);
}

/* ---- spectra ---- */

static int has_spectrum(const struct laser_scan_row *row)
{
    return row->status == LASER_SCAN_SCANNED && row->sigma != NULL && row->rows > 0 && row->columns > 0;
}

static void put_sketch(struct laser_text *out, const struct laser_sketch *k)
{
    const double heads[] = {k->low, k->high, k->level, k->edge, k->compat, k->threshold};

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        laser_text_fill(out, i > 0 ? ',' : '[', 1);
        put_real(out, heads[i], 6);
    }
    laser_text_printf(out, ",%lld,[", (long long)k->above);
    for (int i = 0; i < k->n_bins; i++)
        laser_text_printf(out, i > 0 ? ",%lld" : "%lld", (long long)k->counts[i]);
    laser_text_puts(out, "],[");
    for (int i = 0; i < k->n_points; i++) {
        laser_text_puts(out, i > 0 ? "," : "");
        put_real(out, k->values[i], 5);
    }
    laser_text_puts(out, "]]");
}

/* What the sketches of n values have in common: the ranks at which values are given. */
static void put_ranks(const struct columns *c, int points)
{
    int64_t seen[64], ranks[LASER_SKETCH_POINTS];
    int n_seen = 0;

    laser_text_puts(c->out, ",\n\"ranks\":{");
    for (size_t i = 0; i < c->n && n_seen < 64; i++) {
        const struct laser_scan_row *row = c->rows[i];
        int64_t n = row->rows < row->columns ? row->rows : row->columns;
        int known = !has_spectrum(row), count;

        for (int j = 0; j < n_seen; j++)
            known |= seen[j] == n;
        if (known)
            continue;
        seen[n_seen++] = n;
        count = laser_sketch_ranks(n, points, ranks);
        laser_text_printf(c->out, "%s\"%lld\":[", n_seen > 1 ? "," : "", (long long)n);
        for (int j = 0; j < count; j++)
            laser_text_printf(c->out, j > 0 ? ",%lld" : "%lld", (long long)ranks[j] + 1);
        laser_text_fill(c->out, ']', 1);
    }
    laser_text_fill(c->out, '}', 1);
}

static void put_spectra(const struct columns *c)
{
    int many = c->n > MANY, bins = many ? LASER_SKETCH_BINS / 2 : LASER_SKETCH_BINS;
    int points = many ? LASER_SKETCH_POINTS / 2 : LASER_SKETCH_POINTS;
    struct laser_sketch sketch;

    put_ranks(c, points);
    laser_text_puts(c->out, ",\n\"spectra\":[");
    for (size_t i = 0; i < c->n; i++) {
        const struct laser_scan_row *row = c->rows[i];

        laser_text_puts(c->out, i > 0 ? ",\n" : "\n");
        if (!has_spectrum(row)) {
            laser_text_puts(c->out, "null");
            continue;
        }
        laser_sketch_make(row->sigma, row->rows, row->columns, row->threshold, bins, points, &sketch);
        put_sketch(c->out, &sketch);
    }
    laser_text_fill(c->out, ']', 1);
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
        put_string(out, run->rows[i].name);
        laser_text_fill(out, ',', 1);
        put_string(out, run->rows[i].reason);
        laser_text_printf(out, ",%lld,%lld]", (long long)run->rows[i].rows, (long long)run->rows[i].columns);
        separator = ",";
    }
    laser_text_fill(out, ']', 1);
}

static void put_notes(struct laser_text *out, const char *key, const struct laser_page_note *notes, size_t n)
{
    put_key(out, key);
    laser_text_fill(out, '[', 1);
    for (size_t i = 0; i < n; i++) {
        laser_text_puts(out, i > 0 ? ",[" : "[");
        put_string(out, notes[i].name);
        laser_text_fill(out, ',', 1);
        put_string(out, notes[i].text);
        laser_text_fill(out, ']', 1);
    }
    laser_text_fill(out, ']', 1);
}

static void put_windows(struct laser_text *out, const struct laser_page_run *run)
{
    laser_text_puts(out, ",\n\"datasets\":[");
    for (size_t i = 0; i < run->n_datasets; i++) {
        laser_text_puts(out, i > 0 ? "," : "");
        put_string(out, run->datasets[i]);
    }
    laser_text_puts(out, "],\n\"windows\":[");
    for (size_t i = 0; i < run->n_windows; i++) {
        const struct laser_page_window *w = &run->windows[i];
        laser_text_printf(out, "%s[%d,%d,", i > 0 ? "," : "", (int)w->dataset, (int)w->scored);
        put_real(out, w->nll_nats, 7);
        laser_text_fill(out, ']', 1);
    }
    laser_text_fill(out, ']', 1);
}

/* results.json without what the columns hold. */
static void put_results(struct laser_text *out, const json_t *results)
{
    json_t *copy = json_is_object(results) ? json_copy((json_t *)results) : json_object();

    laser_text_puts(out, ",\n\"results\":");
    if (copy == NULL) {
        out->failed = 1;
        return;
    }
    json_object_del(copy, "matrices");
    put_tree(out, copy);
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
    put_string(out, run->label);
    put_key(out, "model");
    put_string(out, run->model);
    put_key(out, "command");
    put_string(out, run->command);
    put_key(out, "rule");
    put_string(out, run->rule);
    put_key(out, "score");
    put_string(out, run->score);
    put_key(out, "deck");
    put_string(out, run->deck);
    put_texts(&c, "names", name_of);
    put_indexed(&c, "typeNames", "types", type_of);
    put_indexed(&c, "dtypeNames", "dtypes", dtype_of);
    put_texts(&c, "failures", reason_of);
    put_key(out, "layers");
    put_numbers(&c, layer_of);
    put_key(out, "rows");
    put_numbers(&c, rows_of);
    put_key(out, "columns");
    put_numbers(&c, columns_of);
    put_metrics(&c);
    put_spectra(&c);
    put_skipped(out, run);
    put_notes(out, "provenance", run->provenance, run->n_provenance);
    put_notes(out, "notices", run->notices, run->n_notices);
    put_windows(out, run);
    put_results(out, run->results);
    laser_text_fill(out, '}', 1);
    free(c.rows);
}

/* ---- the Marchenko-Pastur curves, one for each shape of spectrum that occurs ---- */

struct betas {
    double list[256];
    int n;
};

static void add_betas(struct betas *betas, const struct laser_page_run *run)
{
    for (size_t i = 0; i < run->n_rows; i++) {
        const struct laser_scan_row *row = &run->rows[i];
        int64_t a = row->rows, b = row->columns;
        double beta = a < b ? (double)a / (double)b : (double)b / (double)a;
        int known = !has_spectrum(row);

        for (int j = 0; j < betas->n; j++)
            known |= betas->list[j] == beta;
        if (!known && betas->n < 256)
            betas->list[betas->n++] = beta;
    }
}

static void put_curves(struct laser_text *out, const struct betas *betas)
{
    double u[LASER_SKETCH_CURVE], f[LASER_SKETCH_CURVE];

    laser_text_puts(out, "\"curves\":[");
    for (int i = 0; i < betas->n; i++) {
        laser_sketch_curve(betas->list[i], u, f);
        laser_text_printf(out, "%s\n{\"beta\":%.9g,\"u\":[", i > 0 ? "," : "", betas->list[i]);
        for (int j = 0; j < LASER_SKETCH_CURVE; j++)
            laser_text_printf(out, j > 0 ? ",%.6g" : "%.6g", u[j]);
        laser_text_puts(out, "],\"f\":[");
        for (int j = 0; j < LASER_SKETCH_CURVE; j++)
            laser_text_printf(out, j > 0 ? ",%.6g" : "%.6g", f[j]);
        laser_text_puts(out, "]}");
    }
    laser_text_fill(out, ']', 1);
}

void laser_page_data(struct laser_text *out, const struct laser_page_run *runs, int n_runs)
{
    struct betas betas = {.n = 0};

    for (int i = 0; i < n_runs; i++)
        add_betas(&betas, &runs[i]);
    laser_text_puts(out, "{\"format\":1,\n");
    put_curves(out, &betas);
    laser_text_puts(out, ",\n\"runs\":[");
    for (int i = 0; i < n_runs; i++) {
        laser_text_puts(out, i > 0 ? "," : "");
        put_run(out, &runs[i]);
    }
    laser_text_puts(out, "]}\n");
}
