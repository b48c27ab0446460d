#include "spectrum/edit.h"

#include "spectrum/mp.h"
#include "spectrum/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_rank(const char *text, int64_t *k)
{
    if (strncmp(text, "rank=", 5) != 0)
        return 0;
    const char *digits = text + 5;
    size_t length = strlen(digits);
    if (length == 0 || length > 18 || strspn(digits, "0123456789") != length)
        return 0;
    *k = strtoll(digits, NULL, 10);
    return 1;
}

/* values: and 16 hexadecimal digits */
static int parse_hash(const char *text, uint64_t *hash)
{
    if (strncmp(text, "values:", 7) != 0 || strlen(text) != 23 || strspn(text + 7, "0123456789abcdef") != 16)
        return 0;
    *hash = strtoull(text + 7, NULL, 16);
    return 1;
}

int laser_edit_parse(const char *text, struct laser_edit *edit, struct laser_error *err)
{
    *edit = (struct laser_edit){.kind = LASER_EDIT_NONE};
    if (strcmp(text, "none") == 0)
        return LASER_OK;
    if (parse_rank(text, &edit->k))
        edit->kind = LASER_EDIT_RANK;
    else if (parse_hash(text, &edit->hash))
        edit->kind = LASER_EDIT_VALUES;
    else if (laser_text_value(text, "shrink", ':', &edit->fraction) && edit->fraction > 0)
        edit->kind = LASER_EDIT_SHRINK;
    else if (laser_text_value(text, "wiener", ':', &edit->fraction) && edit->fraction > 0)
        edit->kind = LASER_EDIT_WIENER;
    else if (laser_rule_parse(text, &edit->rule, NULL) == LASER_OK)
        edit->kind = LASER_EDIT_RULE;
    else
        return laser_error_set(
            err, LASER_EUSAGE, text,
            "no such edit; valid: none, laserrmt, marchenko-pastur, gavish-donoho, rank:RHO, "
            "energy:E, rank=K, shrink:FRACTION, wiener:FRACTION (RHO and E between 0 and 1, "
            "FRACTION above 0)");
    return LASER_OK;
}

void laser_edit_print(const struct laser_edit *edit, char text[LASER_RULE_TEXT_MAX])
{
    char number[32];
    switch (edit->kind) {
    case LASER_EDIT_NONE:
        snprintf(text, LASER_RULE_TEXT_MAX, "none");
        break;
    case LASER_EDIT_RULE:
        laser_rule_print(&edit->rule, text);
        break;
    case LASER_EDIT_VALUES:
        snprintf(text, LASER_RULE_TEXT_MAX, "values:%016" PRIx64, edit->hash);
        break;
    case LASER_EDIT_RANK:
        snprintf(text, LASER_RULE_TEXT_MAX, "rank=%" PRId64, edit->k);
        break;
    default:
        laser_text_number(edit->fraction, number, sizeof number);
        snprintf(text, LASER_RULE_TEXT_MAX, "%s:%s", edit->kind == LASER_EDIT_SHRINK ? "shrink" : "wiener",
                 number);
    }
}

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

static double soften(const struct laser_edit *edit, double s, double a, double beta)
{
    if (!(a > 0) || !(s > 0))
        return s;
    double u = s / a;
    if (edit->kind == LASER_EDIT_SHRINK)
        return isinf(u) ? s : a * optimal_shrinkage(u, beta);
    return s / (1 + 1 / u / u);
}

int64_t laser_edit_apply(const struct laser_edit *edit, const double *s, int64_t rows, int64_t columns,
                         double *s_new)
{
    int64_t n = rows < columns ? rows : columns, k = n, above = 0;
    double a = 0, beta = laser_mp_beta(rows, columns);
    int soft = edit->kind == LASER_EDIT_SHRINK || edit->kind == LASER_EDIT_WIENER;
    if (edit->kind == LASER_EDIT_RULE) {
        struct laser_cut cut;
        laser_rule_apply(&edit->rule, s, rows, columns, &cut);
        k = cut.k;
    } else if (edit->kind == LASER_EDIT_RANK) {
        k = edit->k < n ? edit->k : n;
    } else if (soft) {
        a = edit->fraction * laser_noise_level(s, rows, columns);
    }
    for (int64_t i = 0; i < n; i++) {
        s_new[i] = edit->kind == LASER_EDIT_VALUES ? edit->values[i]
                   : i >= k                        ? 0
                   : soft                          ? soften(edit, s[i], a, beta)
                                                   : s[i];
        above += s_new[i] > 0;
    }
    return above;
}
