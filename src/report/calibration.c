#include "report/calibration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/decisions.h"

/* Entries with `predicted`, `difference` and `stderr`. */
static int add_pairs(struct laser_calibration *c, const json_t *list)
{
    size_t room = c->n + json_array_size(list) + 1;
    struct laser_calibration_pair *bigger = realloc(c->pairs, room * sizeof *bigger);

    if (bigger == NULL)
        return 0;
    c->pairs = bigger;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *edit = json_array_get(list, i);
        struct laser_calibration_pair pair = {laser_result_number(edit, "predicted"),
                                              laser_result_number(edit, "difference"),
                                              laser_result_number(edit, "stderr")};
        if (isfinite(pair.predicted) && isfinite(pair.measured))
            c->pairs[c->n++] = pair;
    }
    return 1;
}

static void fit(struct laser_calibration *c)
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

int laser_calibration_read(const json_t *results, struct laser_calibration *c)
{
    const json_t *rounds = json_object_get(json_object_get(results, "tune"), "rounds");
    int good = 1;

    memset(c, 0, sizeof *c);
    for (size_t i = 0; good && i < json_array_size(rounds); i++)
        good = add_pairs(c, json_object_get(json_array_get(rounds, i), "steps"));
    fit(c);
    return good;
}

void laser_calibration_free(struct laser_calibration *c)
{
    free(c->pairs);
    memset(c, 0, sizeof *c);
}
