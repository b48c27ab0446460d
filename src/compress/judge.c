#include "compress/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/search.h"

void laser_judgement_free(struct laser_judgement *j)
{
    free(j->dataset);
    free(j->nll);
    free(j->tokens);
    memset(j, 0, sizeof *j);
}

void laser_judgement_add(const struct laser_evaluation *e, enum laser_item_part part,
                         const struct laser_item_score *scores, struct laser_judgement *j)
{
    for (int64_t i = e->part_item[part]; i < e->part_item[part + 1]; ++i) {
        const struct laser_window *w;
        int64_t index;

        if (laser_item_is_question(e, i, &index))
            continue;
        w = &e->windows[index];
        j->dataset[j->n] = w->dataset;
        j->tokens[j->n] = w->n_scored;
        j->nll[j->n++] = scores[i].window.sum_nats / w->n_scored;
        j->tokens_evaluated += w->n_tokens;
    }
}

bool laser_judgement_compare(const struct laser_evaluation *e, const struct laser_judgement *a,
                             const struct laser_judgement *b, int32_t dataset, double *mean_a,
                             double *difference, double *error)
{
    double *x = malloc((size_t)a->n * 3 * sizeof *x + 1), *y = x + a->n, *w = y + a->n, sum = 0, weight = 0;
    int n = 0;

    *mean_a = *difference = *error = NAN;
    for (int64_t i = 0; x != NULL && i < a->n; ++i) {
        if (dataset < 0 ? a->dataset[i] >= e->n_datasets - e->n_guards : a->dataset[i] != dataset)
            continue;
        x[n] = b->nll[i];
        y[n] = a->nll[i];
        w[n++] = a->tokens[i];
        sum += a->tokens[i] * a->nll[i];
        weight += a->tokens[i];
    }
    if (n > 0) {
        *mean_a = sum / weight;
        laser_search_paired(x, y, w, n, difference, error);
    }
    free(x);
    return n > 0;
}

json_t *laser_judgement_json(const struct laser_evaluation *e, const struct laser_judgement *before,
                             const struct laser_judgement *after)
{
    json_t *list = json_array();

    for (int32_t d = 0; d < e->n_datasets; ++d) {
        double mean, difference, error;
        int64_t windows = 0;

        if (!laser_judgement_compare(e, before, after, d, &mean, &difference, &error))
            continue;
        for (int64_t i = 0; i < before->n; ++i)
            windows += before->dataset[i] == d;
        json_array_append_new(
            list, json_pack("{s:s, s:b, s:I, s:f, s:f, s:f, s:o}", "name", e->datasets[d].name, "guard",
                            (int)(d >= e->n_datasets - e->n_guards), "windows", (json_int_t)windows, "before",
                            mean, "after", mean + difference, "difference", difference, "stderr",
                            isfinite(error) ? json_real(error) : json_null()));
    }
    return list;
}
