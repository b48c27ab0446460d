#include "report/prediction_fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/decisions.h"

/* Entries with `predicted`, `difference` and an error under this key. */
static int add_pairs(struct laser_prediction_fit *c, const json_t *list, const char *error)
{
    size_t room = c->n + json_array_size(list) + 1;
    struct laser_prediction_pair *bigger = realloc(c->pairs, room * sizeof *bigger);

    if (bigger == NULL)
        return 0;
    c->pairs = bigger;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *edit = json_array_get(list, i);
        struct laser_prediction_pair pair = {laser_result_number(edit, "predicted"),
                                             laser_result_number(edit, "difference"),
                                             laser_result_number(edit, error)};
        if (isfinite(pair.predicted) && isfinite(pair.measured))
            c->pairs[c->n++] = pair;
    }
    return 1;
}

static void fit(struct laser_prediction_fit *c)
{
    double n = (double)c->n, px = 0, py = 0, pp = 0, pm = 0, xx = 0, yy = 0, xy = 0;

    for (size_t i = 0; i < c->n; i++) {
        px += c->pairs[i].predicted / n;
        py += c->pairs[i].measured / n;
    }
    for (size_t i = 0; i < c->n; i++) {
        double x = c->pairs[i].predicted, y = c->pairs[i].measured;
        pp += x * x;
        pm += x * y;
        xx += (x - px) * (x - px);
        yy += (y - py) * (y - py);
        xy += (x - px) * (y - py);
    }
    c->factor = pp > 0 ? pm / pp : (double)NAN;
    c->correlation = c->n > 2 && xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN;
}

int laser_prediction_fit_read(const json_t *results, struct laser_prediction_fit *c)
{
    const json_t *rounds = json_object_get(json_object_get(results, "tune"), "rounds");
    int good = 1;

    memset(c, 0, sizeof *c);
    for (size_t i = 0; good && i < json_array_size(rounds); i++)
        good = add_pairs(c, json_object_get(json_array_get(rounds, i), "steps"), "stderr");
    /* What rises is a share, for which another loss was predicted. */
    if (!json_is_true(json_object_get(results, "objective_rises")))
        good = good && add_pairs(c, json_object_get(results, "sweep"), "difference_stderr") &&
               add_pairs(c, json_object_get(results, "decisions"), "difference_stderr");
    good = good && add_pairs(c, json_object_get(json_object_get(results, "sensitivity"), "sample"), "stderr");
    fit(c);
    return good;
}

void laser_prediction_fit_free(struct laser_prediction_fit *c)
{
    free(c->pairs);
    memset(c, 0, sizeof *c);
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(0 + x) : json_null();
}

int laser_prediction_fit_add(json_t *results)
{
    struct laser_prediction_fit c;
    int good = laser_prediction_fit_read(results, &c);

    if (good && c.n > 0)
        good = json_object_set_new(results, "predictions",
                                   json_pack("{s:I, s:o, s:o}", "edits", (json_int_t)c.n, "correlation",
                                             number(c.correlation), "factor", number(c.factor))) == 0;
    laser_prediction_fit_free(&c);
    return good;
}

char *laser_prediction_fit_text(const json_t *results, char text[120])
{
    const json_t *p = json_object_get(results, "predictions");
    double factor = laser_result_number(p, "factor"), correlation = laser_result_number(p, "correlation");
    int n = (int)json_integer_value(json_object_get(p, "edits"));
    int used = snprintf(text, 120, "%.0d%s", n, n == 1 ? " edit" : n > 1 ? " edits" : "");

    if (isfinite(factor))
        used += snprintf(text + used, 120 - (size_t)used, ": measured = %.2f x predicted", factor);
    if (isfinite(correlation))
        snprintf(text + used, 120 - (size_t)used, ", correlation %.2f", correlation);
    return text;
}
