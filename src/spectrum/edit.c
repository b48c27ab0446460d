#include "spectrum/edit.h"

#include "spectrum/mp.h"
#include "spectrum/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double laser_noise_level(const double *s, int64_t rows, int64_t columns)
{
    int64_t n = rows < columns ? rows : columns;
    return laser_quantile(s, n, 0.5) / sqrt(laser_mp_median(laser_mp_beta(rows, columns)));
}

/* eta(u) in units of the noise; written as a product of differences so that it vanishes cleanly at the edge.
 */
static double optimal_shrinkage(double u, double beta)
{
    double c = sqrt(beta);
    if (!(u > 1 + c))
        return 0;
    double upper = 1 + c, lower = 1 - c;
    /* (u^2 - beta - 1)^2 - 4 beta = (u^2 - (1 + c)^2)(u^2 - (1 - c)^2) */
    double high = (1 - upper / u) * (1 + upper / u), low = (1 - lower / u) * (1 + lower / u);
    return u * sqrt(high * low);
}

/* ---- what the rows of edits.def name ---- */

static int parse_rule(const char *text, struct laser_edit *edit)
{
    return laser_rule_parse(text, &edit->rule, NULL) == LASER_OK;
}

static void print_rule(const struct laser_edit *edit, char *text)
{
    laser_rule_print(&edit->rule, text);
}

/* values: and 16 hexadecimal digits */
static int parse_hash(const char *text, struct laser_edit *edit)
{
    if (strncmp(text, "values:", 7) != 0 || strlen(text) != 23 || strspn(text + 7, "0123456789abcdef") != 16)
        return 0;
    edit->hash = strtoull(text + 7, NULL, 16);
    return 1;
}

static void print_hash(const struct laser_edit *edit, char *text)
{
    snprintf(text, LASER_RULE_TEXT_MAX, "values:%016" PRIx64, edit->hash);
}

static int64_t rank_of_rule(const struct laser_edit *edit, const double *s, int64_t rows, int64_t columns)
{
    struct laser_cut cut;
    laser_rule_apply(&edit->rule, s, rows, columns, &cut);
    return cut.k;
}

static int64_t rank_given(const struct laser_edit *edit, const double *s, int64_t rows, int64_t columns)
{
    int64_t n = rows < columns ? rows : columns, k = (int64_t)edit->value;
    (void)s;
    return k < n ? k : n;
}

static double shrink(double s, double a, double beta)
{
    double u = s / a;
    return isinf(u) ? s : a * optimal_shrinkage(u, beta);
}

static double wiener(double s, double a, double beta)
{
    double u = s / a;
    (void)beta;
    return s / (1 + 1 / u / u);
}

static const struct row {
    struct laser_form form;
    int (*parse)(const char *text, struct laser_edit *edit); /* NULL: by the form, into edit->value */
    void (*print)(const struct laser_edit *edit, char *text);
    int64_t (*keeps)(const struct laser_edit *edit, const double *s, int64_t rows,
                     int64_t columns);                 /* or all */
    double (*soften)(double s, double a, double beta); /* s, a > 0 */
} ROWS[LASER_EDITS] = {
#define EDIT(id, ...) [LASER_EDIT_##id] = {__VA_ARGS__},
#include "spectrum/edits.def"
};

/* ---- edits by their rows ---- */

int laser_edit_parse(const char *text, struct laser_edit *edit, struct laser_error *err)
{
    char forms[LASER_FORMS_SIZE];
    for (int kind = 0; kind < LASER_EDITS; kind++) {
        const struct row *row = &ROWS[kind];
        *edit = (struct laser_edit){.kind = (enum laser_edit_kind)kind};
        if (row->parse != NULL ? row->parse(text, edit) : laser_form_read(&row->form, text, &edit->value))
            return LASER_OK;
    }
    laser_edit_forms(1, forms);
    return laser_error_set(err, LASER_EUSAGE, text, "no such edit; valid: %s", forms);
}

void laser_edit_forms(int limits, char text[LASER_FORMS_SIZE])
{
    laser_form_list(ROWS, sizeof *ROWS, LASER_EDITS, limits, text, LASER_FORMS_SIZE);
}

void laser_edit_print(const struct laser_edit *edit, char text[LASER_RULE_TEXT_MAX])
{
    const struct row *row = &ROWS[edit->kind];
    if (row->print != NULL)
        row->print(edit, text);
    else
        laser_form_print(&row->form, edit->value, text, LASER_RULE_TEXT_MAX);
}

int64_t laser_edit_apply(const struct laser_edit *edit, const double *s, int64_t rows, int64_t columns,
                         double *s_new)
{
    const struct row *row = &ROWS[edit->kind];
    int64_t n = rows < columns ? rows : columns, k = n, above = 0;
    double a = 0, beta = laser_mp_beta(rows, columns);
    if (row->keeps != NULL)
        k = row->keeps(edit, s, rows, columns);
    if (row->soften != NULL)
        a = edit->value * laser_noise_level(s, rows, columns);
    for (int64_t i = 0; i < n; i++) {
        s_new[i] = edit->kind == LASER_EDIT_VALUES ? edit->values[i]
                   : i >= k                        ? 0
                   : a > 0 && s[i] > 0             ? row->soften(s[i], a, beta)
                                                   : s[i];
        above += s_new[i] > 0;
    }
    return above;
}
