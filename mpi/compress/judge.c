#include "compress/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"

void laser_mpi_judgement_free(struct laser_mpi_judgement *j)
{
    free(j->dataset);
    free(j->nll);
    free(j->tokens);
    memset(j, 0, sizeof *j);
}

/* Rank 0.  The windows of a part behind those that are there. */
static void add_part(const struct laser_mpi_evaluation *e, enum laser_mpi_part part,
                     const struct laser_mpi_item_score *scores, struct laser_mpi_judgement *j)
{
    for (int64_t i = e->part_item[part]; i < e->part_item[part + 1]; ++i) {
        const struct laser_window *w;
        int64_t index;

        if (laser_mpi_item_is_question(e, i, &index))
            continue;
        w = &e->windows[index];
        j->dataset[j->n] = w->dataset;
        j->tokens[j->n] = w->n_scored;
        j->nll[j->n++] = scores[i].window.sum_nats / w->n_scored;
        j->tokens_evaluated += w->n_tokens;
    }
}

int laser_mpi_judge(struct laser_mpi_evaluation *e, struct laser_mpi_judgement *j, struct laser_error *err)
{
    struct laser_mpi_run *run = e->run;
    struct laser_mpi_item_score *scores = NULL;
    int64_t reused = run->batches.n;
    double start_s;
    int code = LASER_OK;

    memset(j, 0, sizeof *j);
    if (run->rank == 0) {
        size_t n = (size_t)e->n_items + 1;

        scores = calloc(n, sizeof *scores);
        j->dataset = calloc(n, sizeof *j->dataset);
        j->nll = calloc(n, sizeof *j->nll);
        j->tokens = calloc(n, sizeof *j->tokens);
        if (scores == NULL || j->dataset == NULL || j->nll == NULL || j->tokens == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory for %zu windows", n);
    }
    code = laser_mpi_agree(run->world, code, err);
    start_s = MPI_Wtime();
    if (code == LASER_OK)
        code = laser_mpi_evaluate_part(e, "held out", LASER_PART_REPORT, NULL, 0, scores, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluate_part(e, "guards", LASER_PART_GUARD_REPORT, NULL, 0, scores, err);
    if (code == LASER_OK && run->rank == 0) {
        add_part(e, LASER_PART_REPORT, scores, j);
        add_part(e, LASER_PART_GUARD_REPORT, scores, j);
        j->tokens_per_second = reused == 0 ? (double)j->tokens_evaluated / (MPI_Wtime() - start_s) : 0;
    }
    free(scores);
    return code;
}

bool laser_mpi_judgement_compare(const struct laser_mpi_evaluation *e, const struct laser_mpi_judgement *a,
                                 const struct laser_mpi_judgement *b, int32_t dataset, double *mean_a,
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

json_t *laser_mpi_judgement_json(const struct laser_mpi_evaluation *e,
                                 const struct laser_mpi_judgement *before,
                                 const struct laser_mpi_judgement *after)
{
    json_t *list = json_array();

    for (int32_t d = 0; d < e->n_datasets; ++d) {
        double mean, difference, error;
        int64_t windows = 0;

        if (!laser_mpi_judgement_compare(e, before, after, d, &mean, &difference, &error))
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
