#include "compress/judge_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "comm/agree.h"
#include "evaluate/evaluation.h"

int laser_mpi_judge(struct laser_evaluation *e, struct laser_judgement *j, struct laser_error *err)
{
    struct laser_run *run = e->run;
    struct laser_item_score *scores = NULL;
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
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    start_s = laser_clock_s();
    if (code == LASER_OK)
        code = laser_mpi_evaluate_part(e, "held out", LASER_PART_REPORT, NULL, 0, scores, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluate_part(e, "guards", LASER_PART_GUARD_REPORT, NULL, 0, scores, err);
    if (code == LASER_OK && run->rank == 0) {
        laser_judgement_add(e, LASER_PART_REPORT, scores, j);
        laser_judgement_add(e, LASER_PART_GUARD_REPORT, scores, j);
        j->tokens_per_second = reused == 0 ? (double)j->tokens_evaluated / (laser_clock_s() - start_s) : 0;
    }
    free(scores);
    return code;
}
