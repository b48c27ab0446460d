/* WeightWatcher's details data frame, as pandas writes it: one line a matrix, columns found by name. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/text.h"
#include "exchange/foreign_parts.h"

/* Columns of WeightWatcher (0.7.7 and earlier) under the names of results.json; kinds: a number, a whole one,
 * one where -1 says that the fit failed, the same whole, and what is kept apart. */
enum kind { REAL, WHOLE, FIT, FIT_WHOLE, NAME, LONGNAME, ROWS, COLUMNS };

static const struct column {
    const char *header, *name;
    enum kind kind;
} known[] = {
    {"longname", NULL, LONGNAME},
    {"name", NULL, NAME},
    {"N", NULL, ROWS},
    {"M", NULL, COLUMNS},
    {"alpha", "alpha", FIT},
    {"D", "ks_distance", FIT},
    {"sigma", "alpha_sigma", FIT},
    {"xmin", "xmin", FIT},
    {"xmax", "xmax", FIT},
    {"num_pl_spikes", "tail", FIT_WHOLE},
    {"alpha_weighted", "alpha_weighted", FIT},
    {"log_alpha_norm", "log_alpha_norm", FIT},
    {"log_norm", "log_norm", REAL},
    {"log_spectral_norm", "log_spectral_norm", REAL},
    {"stable_rank", "stable_rank", REAL},
    {"entropy", "entropy", REAL},
    {"matrix_rank", "matrix_rank", WHOLE},
    {"sv_max", "s_max", REAL},
    {"sv_min", "s_min", REAL},
    {"num_spikes", "num_spikes", WHOLE},
    {"sigma_mp", "sigma_mp", REAL},
    {"mp_softrank", "mp_softrank", REAL},
};

static const char dropped[] =
    " layer_id layer_type Q num_evals norm spectral_norm lambda_max has_esd rank_loss "
    "weak_rank_loss rf status warning W_scale bulk_max bulk_min num_fingers raw_alpha "
    "Lambda M_rank layer_index  ";

enum { N_KNOWN = sizeof known / sizeof known[0] };

/* The columns of one file. */
struct table {
    struct laser_csv csv;
    struct laser_foreign_scan *scan;
    const struct column **columns; /* NULL: not kept */
    size_t n_columns, n_numbers;
    int has[N_KNOWN];
};

static const struct column *find_column(const char *text, size_t n)
{
    for (size_t i = 0; i < N_KNOWN; i++)
        if (strlen(known[i].header) == n && memcmp(known[i].header, text, n) == 0)
            return &known[i];
    return NULL;
}

static int is_dropped(const char *text, size_t n)
{
    char word[64];

    if (n > sizeof word - 3)
        return 0;
    snprintf(word, sizeof word, " %.*s ", (int)n, text);
    return n == 0 || strstr(dropped, word) != NULL;
}

static int add_column(struct table *t, const struct laser_csv_field *field, struct laser_text *all,
                      struct laser_text *ignored, struct laser_error *err)
{
    const struct column *column = find_column(field->text, field->n);
    const struct column **grown = realloc(t->columns, (t->n_columns + 1) * sizeof *grown);
    char text[160];

    if (grown == NULL)
        return laser_error_set(err, LASER_ENOMEM, t->csv.path, "no memory for its columns");
    t->columns = grown;
    if (column != NULL && t->has[column - known]++) {
        snprintf(text, sizeof text, "column %s is there twice", column->header);
        return laser_csv_fail(&t->csv, 1, text, err);
    }
    t->columns[t->n_columns++] = column;
    t->n_numbers += column != NULL && column->name != NULL;
    if (field->n > 0)
        laser_text_printf(all, "%s%.*s", all->size > 0 ? ", " : "", (int)field->n, field->text);
    if (column == NULL && !is_dropped(field->text, field->n))
        laser_text_printf(ignored, "%s%.*s", ignored->size > 0 ? ", " : "", (int)field->n, field->text);
    return LASER_OK;
}

/* A name and alpha there must be. */
static int check_header(struct table *t, const struct laser_text *all, struct laser_error *err)
{
    int has_name = 0, has_alpha = 0;
    char text[800];

    for (size_t i = 0; i < t->n_columns; i++) {
        const struct column *c = t->columns[i];

        has_name |= c != NULL && (c->kind == NAME || c->kind == LONGNAME);
        has_alpha |= c != NULL && strcmp(c->header, "alpha") == 0;
    }
    if (has_name && has_alpha)
        return LASER_OK;
    snprintf(
        text, sizeof text,
        "neither a scan in JSON nor the CSV of WeightWatcher's details: the column %s was expected, found "
        "are: %.500s",
        has_name ? "alpha" : "longname or name", all->data != NULL ? all->data : "none");
    return laser_csv_fail(&t->csv, 1, text, err);
}

static int read_header(struct table *t, struct laser_error *err)
{
    struct laser_csv_field field = {0};
    struct laser_text all = {0}, ignored = {0};
    int code = LASER_OK;

    while (code == LASER_OK && !field.last) {
        code = laser_csv_next(&t->csv, &field, err);
        if (code == LASER_OK)
            code = add_column(t, &field, &all, &ignored, err);
    }
    if (code == LASER_OK)
        code = check_header(t, &all, err);
    if (code == LASER_OK && ignored.size > 0)
        t->scan->ignored = laser_text_take(&ignored);
    laser_text_free(&all);
    laser_text_free(&ignored);
    return code;
}

/* pandas leaves a missing number out. */
static int get_number(const struct table *t, int64_t line, const struct column *column, const char *cell,
                      double *value, struct laser_error *err)
{
    char text[200], *end;

    *value = NAN;
    if (*cell == '\0')
        return LASER_OK;
    *value = strtod(cell, &end);
    if (*end != '\0') {
        snprintf(text, sizeof text, "column %s: a number was expected, \"%.80s\" found", column->header,
                 cell);
        return laser_csv_fail(&t->csv, line, text, err);
    }
    if ((column->kind == FIT || column->kind == FIT_WHOLE) && *value == -1.0)
        *value = NAN;
    return LASER_OK;
}

/* What a line says, before its row is made. */
struct line {
    char name[1024], longname[1024];
    double rows, columns, alpha;
    struct laser_scan_number *numbers;
    int n_numbers;
};

static int take_cell(const struct table *t, int64_t number, const struct column *column, char *cell,
                     struct line *line, struct laser_error *err)
{
    double value;
    int code;

    if (column->kind == NAME || column->kind == LONGNAME) {
        char *to = column->kind == NAME ? line->name : line->longname;

        if (strlen(cell) >= sizeof line->name)
            return laser_csv_fail(&t->csv, number, "a name of more than 1023 characters", err);
        memcpy(to, cell, strlen(cell) + 1);
        return LASER_OK;
    }
    code = get_number(t, number, column, cell, &value, err);
    if (code != LASER_OK)
        return code;
    if (column->kind == ROWS || column->kind == COLUMNS) {
        if (!(value >= 1 && value <= 1e9)) {
            char text[120];

            snprintf(text, sizeof text, "column %s: a size of a matrix was expected, \"%.40s\" found",
                     column->header, cell);
            return laser_csv_fail(&t->csv, number, text, err);
        }
        *(column->kind == ROWS ? &line->rows : &line->columns) = value;
        return LASER_OK;
    }
    if (strcmp(column->name, "alpha") == 0)
        line->alpha = value;
    line->numbers[line->n_numbers++] = (struct laser_scan_number){
        column->name, value, (column->kind == WHOLE || column->kind == FIT_WHOLE) && isfinite(value)};
    return LASER_OK;
}

static double number_of(const struct line *line, const char *name)
{
    for (int i = 0; i < line->n_numbers; i++)
        if (strcmp(line->numbers[i].name, name) == 0)
            return line->numbers[i].value;
    return NAN;
}

static int add_row(struct table *t, const struct line *line, struct laser_error *err)
{
    const char *name = line->longname[0] != '\0' ? line->longname : line->name;
    struct laser_scan_row *row = laser_foreign_add(t->scan, name, strlen(name), NULL);

    if (row == NULL)
        return laser_error_set(err, LASER_ENOMEM, t->csv.path, "no memory for its matrices");
    row->rows = (int64_t)line->rows;
    row->columns = (int64_t)line->columns;
    row->threshold = row->snr = NAN;
    row->score = line->alpha;
    row->s_max = number_of(line, "s_max");
    row->s_min = number_of(line, "s_min");
    row->nnumbers = line->n_numbers;
    return LASER_OK;
}

static int read_line(struct table *t, struct line *line, struct laser_error *err)
{
    struct laser_csv_field field = {0};
    int64_t number = t->csv.line;
    char text[160];
    size_t i = 0;
    int code = LASER_OK;

    line->name[0] = line->longname[0] = '\0';
    line->rows = line->columns = 0;
    line->alpha = NAN;
    line->n_numbers = 0;
    for (; code == LASER_OK && !field.last; i++) {
        char cell[1100];

        code = laser_csv_next(&t->csv, &field, err);
        if (code == LASER_OK && i < t->n_columns && t->columns[i] != NULL) {
            snprintf(cell, sizeof cell, "%.*s", (int)(field.n < sizeof cell ? field.n : sizeof cell - 1),
                     field.text);
            code = take_cell(t, number, t->columns[i], cell, line, err);
        }
    }
    if (code != LASER_OK)
        return code;
    if (i != t->n_columns) {
        snprintf(text, sizeof text, "%zu fields where the header line has %zu", i, t->n_columns);
        return laser_csv_fail(&t->csv, number, text, err);
    }
    if (line->longname[0] == '\0' && line->name[0] == '\0')
        return laser_csv_fail(&t->csv, number, "the matrix has no name", err);
    return add_row(t, line, err);
}

static int read_lines(struct table *t, struct laser_error *err)
{
    struct laser_foreign_scan *scan = t->scan;
    struct line line;
    int code = LASER_OK;

    while (code == LASER_OK && laser_csv_more(&t->csv)) {
        if ((scan->n + 1) * t->n_numbers > scan->numbers_room) {
            size_t room = 2 * (scan->n + 32) * t->n_numbers;
            void *grown = realloc(scan->numbers, room * sizeof *scan->numbers);

            if (grown == NULL)
                return laser_error_set(err, LASER_ENOMEM, t->csv.path, "no memory for its numbers");
            scan->numbers = grown;
            scan->numbers_room = room;
        }
        line.numbers = scan->numbers + scan->n * t->n_numbers;
        code = read_line(t, &line, err);
    }
    for (size_t i = 0; code == LASER_OK && i < scan->n; i++)
        scan->rows[i].numbers = scan->numbers + i * t->n_numbers;
    return code;
}

int laser_foreign_read_csv(const char *path, char *text, size_t size, struct laser_foreign_scan *scan,
                           struct laser_error *err)
{
    struct table t = {.scan = scan};
    int code = LASER_OK;

    scan->kind = LASER_FOREIGN_WEIGHTWATCHER;
    scan->program = "WeightWatcher";
    scan->score = "alpha";
    if (memchr(text, '\0', size) != NULL)
        return laser_error_set(err, LASER_EINPUT, path,
                               "this is neither a scan in JSON nor a CSV of WeightWatcher: it is no text");
    laser_csv_begin(&t.csv, path, text, size);
    if (laser_csv_more(&t.csv))
        code = read_header(&t, err);
    if (code == LASER_OK)
        code = read_lines(&t, err);
    free(t.columns);
    return code;
}
