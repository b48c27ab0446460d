#include "store/report_load.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/json.h"
#include "run/outcome.h"
#include "store/results.h"

/* ---- notices and provenance ---- */

void laser_report_notice(struct laser_report_source *s, const char *file, const char *text)
{
    if (s->page.n_notices == LASER_REPORT_NOTES || s->n_texts == LASER_REPORT_NOTES)
        return;
    snprintf(s->texts[s->n_texts], sizeof s->texts[0], "%s", text);
    s->notices[s->page.n_notices++] = (struct laser_page_note){file, s->texts[s->n_texts++]};
}

static void add_provenance(struct laser_report_source *s, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0' && s->page.n_provenance < LASER_REPORT_NOTES)
        s->provenance[s->page.n_provenance++] = (struct laser_page_note){name, text};
}

static const char *text_of(const struct laser_report_source *s, const char *key)
{
    return json_string_value(json_object_get(s->results, key));
}

static const char *either(const char *a, const char *b)
{
    return a != NULL ? a : b;
}

static void fill_provenance(struct laser_report_source *s)
{
    const struct laser_spectra *h = &s->scan.spectra;
    const struct laser_windows *w = &s->windows;

    add_provenance(s, "program", either(text_of(s, "version"), h->version));
    add_provenance(s, "model", either(text_of(s, "model"), either(h->model, w->model)));
    add_provenance(s, "content of the model (XXH3)",
                   either(either(h->content, w->content), text_of(s, "content")));
    add_provenance(s, "libraries", either(either(h->libraries, w->libraries), text_of(s, "libraries")));
    add_provenance(s, "kernels of the evaluation", text_of(s, "kernels"));
}

/* ---- files ---- */

/* An error of one file: a notice; the first is kept for the case that nothing remains. */
static void refuse(struct laser_report_source *s, const char *file, const struct laser_error *found,
                   struct laser_error *err)
{
    char text[sizeof found->where + sizeof found->text + 8];

    snprintf(text, sizeof text, "cannot be read and is left out: %s", found->text);
    laser_report_notice(s, file, text);
    if (err->code == LASER_OK)
        *err = *found;
}

static void load_results(const char *dir, struct laser_report_source *s, struct laser_error *err)
{
    struct laser_error found = {0};
    char path[4200];
    int64_t format = 0;
    int code;

    snprintf(path, sizeof path, "%.4096s/results.json", dir);
    if (access(path, F_OK) != 0)
        return;
    code = laser_json_load(path, 0, &s->results, &found);
    if (code == LASER_OK && !json_is_object(s->results))
        code = laser_error_set(&found, LASER_EINPUT, path, "an object was expected, %s found",
                               laser_json_type_name(s->results));
    if (code == LASER_OK)
        code = laser_json_get_int(s->results, path, "format", &format, &found);
    if (code == LASER_OK && format != 1)
        code = laser_error_set(&found, LASER_EINPUT, path,
                               "format %lld found, 1 expected: it is of another version", (long long)format);
    if (code != LASER_OK) {
        json_decref(s->results);
        s->results = NULL;
        refuse(s, "results.json", &found, err);
    }
}

/* spectra.h5 beside the results, or the one that they were derived from. */
static void load_spectra(const char *dir, struct laser_report_source *s, struct laser_error *err)
{
    struct laser_error found = {0};
    const char *derived = text_of(s, "spectra");
    char path[4200];

    snprintf(path, sizeof path, "%.4096s/spectra.h5", dir);
    if (access(path, F_OK) != 0 && derived != NULL)
        snprintf(path, sizeof path, "%.4096s", derived);
    if (access(path, F_OK) != 0)
        return;
    if (laser_scan_load(path, &s->scan, &found) != LASER_OK) {
        laser_scan_input_free(&s->scan);
        refuse(s, "spectra.h5", &found, err);
    }
}

static int load_windows(const char *dir, struct laser_report_source *s, struct laser_error *err)
{
    struct laser_error found = {0};
    char path[4200];

    snprintf(path, sizeof path, "%.4096s/windows.h5", dir);
    if (access(path, F_OK) != 0)
        return LASER_OK;
    if (laser_windows_read(path, &s->windows, &found) != LASER_OK) {
        refuse(s, "windows.h5", &found, err);
        return LASER_OK;
    }
    s->losses = calloc((size_t)s->windows.n_windows + 1, sizeof *s->losses);
    s->datasets = calloc((size_t)s->windows.n_datasets + 1, sizeof *s->datasets);
    if (s->losses == NULL || s->datasets == NULL)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for its windows");
    for (int64_t i = 0; i < s->windows.n_windows; ++i) {
        const struct laser_window *w = &s->windows.windows[i];
        s->losses[i] = (struct laser_page_window){.dataset = w->dataset,
                                                  .scored = w->n_scored,
                                                  .nll_nats = s->windows.nll[i].sum_nats / w->n_scored};
    }
    for (int32_t i = 0; i < s->windows.n_datasets; ++i)
        s->datasets[i] = s->windows.datasets[i].name;
    s->page.windows = s->losses;
    s->page.n_windows = (size_t)s->windows.n_windows;
    s->page.datasets = s->datasets;
    s->page.n_datasets = (size_t)s->windows.n_datasets;
    return LASER_OK;
}

/* ---- rows ---- */

static double real_of(const json_t *object, const char *key)
{
    struct laser_error ignored;
    double value;

    return laser_json_get_real(object, "", key, &value, &ignored) == LASER_OK ? value : NAN;
}

static int64_t int_of(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

/* What results.json says of one tensor; false where it is not an entry of this format. */
static bool row_from_json(const json_t *o, struct laser_scan_row *row, struct laser_scan_number *numbers)
{
    const char *status = json_string_value(json_object_get(o, "status"));

    *row = (struct laser_scan_row){.name = json_string_value(json_object_get(o, "name")),
                                   .type = json_string_value(json_object_get(o, "type")),
                                   .dtype = json_string_value(json_object_get(o, "dtype")),
                                   .reason = json_string_value(json_object_get(o, "reason")),
                                   .layer = int_of(o, "layer", -1),
                                   .rows = int_of(o, "rows", 0),
                                   .columns = int_of(o, "columns", 0)};
    if (row->name == NULL || status == NULL || row->rows < 0 || row->columns < 0)
        return false;
    if (strcmp(status, "scanned") != 0) {
        row->status = strcmp(status, "failed") == 0 ? LASER_SCAN_FAILED : LASER_SCAN_SKIPPED;
        return true;
    }
    row->threshold = real_of(o, "threshold");
    row->rank = int_of(o, "rank", 0);
    row->snr = real_of(o, "snr");
    row->score = real_of(o, "score");
    row->is_zero = real_of(o, "s_max") == 0;
    if (row->is_zero)
        row->snr = row->score = NAN;
    row->seconds = real_of(o, "seconds");
    for (int i = 0; i < laser_n_metric_fields; ++i)
        numbers[row->nnumbers++] =
            (struct laser_scan_number){laser_metric_fields[i].name, real_of(o, laser_metric_fields[i].name),
                                       laser_metric_fields[i].is_integer};
    row->numbers = numbers;
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct laser_spectra_matrix *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

/* Gives the rows their singular values. */
static int attach_values(struct laser_report_source *s, struct laser_error *err)
{
    size_t n = (size_t)s->scan.spectra.n;
    const struct laser_spectra_matrix **sorted = calloc(n + 1, sizeof *sorted);

    if (sorted == NULL)
        return laser_error_set(err, LASER_ENOMEM, "spectra.h5", "no memory for its matrices");
    for (size_t i = 0; i < n; ++i)
        sorted[i] = &s->scan.spectra.matrices[i];
    qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 0; i < s->page.n_rows; ++i) {
        struct laser_spectra_matrix key = {.name = (char *)(uintptr_t)s->rows[i].name};
        const struct laser_spectra_matrix *wanted = &key, **found;
        found = bsearch(&wanted, sorted, n, sizeof *sorted, by_name);
        if (found != NULL && (*found)->outcome.metrics.rows == s->rows[i].rows &&
            (*found)->outcome.metrics.columns == s->rows[i].columns)
            s->rows[i].sigma = (*found)->sigma;
    }
    free(sorted);
    return LASER_OK;
}

static int rows_from_json(struct laser_report_source *s, const json_t *list, struct laser_error *err)
{
    size_t n = json_array_size(list), torn = 0, fields = (size_t)laser_n_metric_fields, i;
    char text[100];
    const json_t *o;

    s->rows = calloc(n + 1, sizeof *s->rows);
    s->numbers = calloc(n + 1, fields * sizeof *s->numbers);
    if (s->rows == NULL || s->numbers == NULL)
        return laser_error_set(err, LASER_ENOMEM, "report", "no memory for %zu matrices", n);
    json_array_foreach(list, i, o)
    {
        size_t at = s->page.n_rows;
        if (row_from_json(o, &s->rows[at], s->numbers + at * fields))
            ++s->page.n_rows;
        else
            ++torn;
    }
    s->page.rows = s->rows;
    if (torn > 0) {
        snprintf(text, sizeof text, "%zu of its %zu matrices have no name, status or shape and are left out",
                 torn, n);
        laser_report_notice(s, "results.json", text);
    }
    return attach_values(s, err);
}

static bool is_compression(const struct laser_report_source *s)
{
    const char *command = text_of(s, "command");

    return command != NULL && strcmp(command, "compress") == 0;
}

/* Those of results.json, with the values of spectra.h5; where there are none, those of the scan alone.  The
 * matrices of a compression are no scan: they have ranks only, which the page reads itself. */
static int make_rows(struct laser_report_source *s, struct laser_error *err)
{
    const json_t *list = json_object_get(s->results, "matrices");

    if (json_array_size(list) > 0 && !is_compression(s))
        return rows_from_json(s, list, err);
    s->page.rows = s->scan.rows;
    s->page.n_rows = s->scan.n;
    return LASER_OK;
}

static int fill_names(const char *path, struct laser_report_source *s, struct laser_error *err)
{
    const char *model = either(text_of(s, "model"), either(s->scan.spectra.model, s->windows.model));
    const char *end = path + strlen(path), *start;

    while (end > path + 1 && end[-1] == '/')
        --end;
    for (start = end; start > path && start[-1] != '/';)
        --start;
    s->label = strndup(start, (size_t)(end - start));
    s->model_id = text_of(s, "model_id") != NULL ? strdup(text_of(s, "model_id"))
                                                 : laser_scan_model_id(model != NULL ? model : path);
    if (s->label == NULL || s->model_id == NULL)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory");
    s->page.label = s->label;
    s->page.model = s->model_id;
    s->page.command = either(text_of(s, "command"), "spectra.h5");
    s->page.rule = either(text_of(s, "threshold"), s->scan.rule);
    s->page.score = either(text_of(s, "score"), s->scan.score);
    s->page.deck = either(either(s->scan.spectra.deck, s->windows.deck), text_of(s, "deck"));
    if (strcmp(s->page.command, "perplexity") == 0 && s->windows.deck != NULL)
        s->page.deck = s->windows.deck;
    s->page.results = s->results;
    s->page.provenance = s->provenance;
    s->page.notices = s->notices;
    return LASER_OK;
}

/* spectra.h5 alone, or a scan that another program wrote. */
static int load_file(const char *path, struct laser_report_source *s, struct laser_error *err)
{
    int code = laser_scan_load(path, &s->scan, err);

    if (code == LASER_OK)
        code = make_rows(s, err);
    if (code == LASER_OK)
        code = fill_names(path, s, err);
    if (code != LASER_OK)
        return code;
    if (s->scan.program != NULL) {
        snprintf(s->texts[s->n_texts], sizeof s->texts[0], "a scan by %s", s->scan.program);
        s->page.command = s->texts[s->n_texts++];
        add_provenance(s, "file", path);
    }
    if (s->scan.foreign.ignored != NULL)
        laser_report_notice(s, "columns that are not shown:", s->scan.foreign.ignored);
    fill_provenance(s);
    return LASER_OK;
}

static int load_directory(const char *path, struct laser_report_source *s, struct laser_error *err)
{
    int code;

    load_results(path, s, err);
    load_spectra(path, s, err);
    code = load_windows(path, s, err);
    if (code != LASER_OK)
        return code;
    if (s->results == NULL && s->scan.spectra.n == 0 && s->windows.n_windows == 0)
        return err->code != LASER_OK
                   ? err->code
                   : laser_error_set(err, LASER_EINPUT, path,
                                     "there is neither results.json nor spectra.h5 nor windows.h5 in it");
    laser_error_clear(err);
    code = make_rows(s, err);
    if (code == LASER_OK)
        code = fill_names(path, s, err);
    if (code == LASER_OK)
        fill_provenance(s);
    return code;
}

int laser_report_load(const char *path, struct laser_report_source *s, struct laser_error *err)
{
    struct stat info;

    memset(s, 0, sizeof *s);
    laser_error_clear(err);
    if (stat(path, &info) != 0)
        return laser_error_set(err, LASER_EINPUT, path, "there is no such directory or file");
    if (S_ISDIR(info.st_mode))
        return load_directory(path, s, err);
    return load_file(path, s, err);
}

void laser_report_free(struct laser_report_source *s)
{
    json_decref(s->results);
    laser_scan_input_free(&s->scan);
    laser_windows_free(&s->windows);
    free(s->rows);
    free(s->numbers);
    free(s->losses);
    free(s->datasets);
    free(s->model_id);
    free(s->label);
    memset(s, 0, sizeof *s);
}
