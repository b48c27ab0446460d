/* The command `reduce`: scan, candidates, edits, the search on the selection windows, the report on the
 * others, the written model.
 */
#include "reduce/reduction.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/writer.h"
#include "comm/agree.h"
#include "comm/log.h"
#include "corpus/split.h"
#include "schedule/scan.h"
#include "sensitivity/gather.h"
#include "store/results.h"

static int candidates_and_edits(struct laser_reduction *r, json_t **results, struct laser_error *err)
{
    bool screens = laser_screen_is(&r->setup);
    int code = LASER_OK, any = 0;

    if (r->setup.run->rank == 0) {
        code = laser_scan_results_write(r->setup.run, results, err);
        if (code == LASER_OK)
            code = laser_reduction_plan(&r->trials, err);
        any = r->trials.plan.n_candidates > 0;
    }
    code = laser_mpi_agree(laser_mpi_world(r->setup.run), code, err);
    MPI_Bcast(&any, 1, MPI_INT, 0, laser_mpi_world(r->setup.run));
    if (code == LASER_OK && screens) {
        r->setup.e->caches = true;
        code = laser_mpi_evaluation_open(r->setup.e, err);
        if (code == LASER_OK && any)
            code = laser_mpi_reduction_screen(r, err);
    }
    if (code == LASER_OK && r->setup.run->rank == 0)
        code = laser_edits_disk(r->setup.run, &r->trials.plan, r->trials.ranks, err);
    code = laser_mpi_agree(laser_mpi_world(r->setup.run), code, err);
    return code == LASER_OK ? laser_mpi_edits_make(r->setup.run, &r->trials.plan, &r->trials.edits, err)
                            : code;
}

/* Completes rank 0's results (of the scan), writes them and the decisions in spectra.h5, and says how it went. */
static int finish(struct laser_reduction *r, json_t *results, struct laser_error *err)
{
    json_t *phases = laser_mpi_log_phases_json(r->setup.run->log, laser_mpi_world(r->setup.run));
    int code = r->setup.run->rank == 0 ? laser_reduction_finish(r, results, phases, err) : LASER_OK;

    json_decref(phases);
    return laser_mpi_agree(laser_mpi_world(r->setup.run), code, err);
}

static int write_kept(struct laser_reduction *r, struct laser_error *err)
{
    int32_t *kept = NULL;
    int n = 0, code = LASER_OK;

    if (r->setup.run->rank == 0 && (kept = laser_reduction_last_edits(r, &n)) == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "model", "no memory for the list of edits");
    code = laser_mpi_agree(laser_mpi_world(r->setup.run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_reduction_write(r, kept, n, true, err);
    free(kept);
    return code;
}

/* How far the written model is from the one before, where that is another one. */
static int diverge(struct laser_reduction *r, struct laser_error *err)
{
    int kept = 0;

    if (r->setup.run->rank == 0)
        laser_search_kept(r->search.state, &kept);
    MPI_Bcast(&kept, 1, MPI_INT, 0, laser_mpi_world(r->setup.run));
    return kept > 0 && r->setup.run->settings->evaluate.divergence
               ? laser_mpi_evaluation_diverge_written(
                     r->setup.e, "model", laser_reduction_reported(&r->setup), &r->report.divergence, err)
               : LASER_OK;
}

static int open_with_edits(struct laser_reduction *r, json_t **results, struct laser_error *err)
{
    int code = candidates_and_edits(r, results, err);

    if (code == LASER_OK && r->setup.e->model_is_open)
        return laser_mpi_agree(
            laser_mpi_world(r->setup.run),
            laser_evaluation_edits(r->setup.e, r->trials.edits.files, r->trials.edits.n, err), err);
    r->setup.e->edits = r->trials.edits.files;
    r->setup.e->n_edits = r->trials.edits.n;
    return code == LASER_OK ? laser_mpi_evaluation_open(r->setup.e, err) : code;
}

/* What reduce.max_kl is measured against: the open model without edits, on the windows that select. */
static int open_bound(struct laser_reduction *r, struct laser_error *err)
{
    const unsigned parts = 1u << LASER_PART_SELECTION;

    if (!(r->setup.run->settings->reduce.max_kl > 0))
        return LASER_OK;
    if (laser_parts_windows(r->setup.e, parts) == 0)
        return laser_error_set(
            err, LASER_EUSAGE, "reduce.max_kl",
            "no window of a text selects: the divergence is one of texts, and the objective has none");
    return laser_mpi_evaluation_bound(r->setup.e, parts, &r->setup.bound, err);
}

/* The edits follow from gradients: the model comes first. */
static int tune(struct laser_reduction *r, json_t **results, struct laser_error *err)
{
    int code = r->setup.run->rank == 0 ? laser_scan_results_write(r->setup.run, results, err) : LASER_OK;

    code = laser_mpi_agree(laser_mpi_world(r->setup.run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluation_open(r->setup.e, err);
    if (code == LASER_OK)
        code = open_bound(r, err);
    return code == LASER_OK ? laser_mpi_reduction_tune(r, err) : code;
}

static int reduce(struct laser_reduction *r, json_t **results, struct laser_error *err)
{
    struct laser_run *run = r->setup.run;
    int code = laser_mpi_texts_open(run, r->setup.e->parallel, err);

    if (code == LASER_OK) {
        code = laser_reduction_split(r->setup.e, &r->setup.has_report, err);
        if (code == LASER_OK && run->rank == 0)
            code = laser_reduction_check_ends(run, r->setup.e->precision, err);
        if (code == LASER_OK && run->rank == 0 && r->setup.e->n_datasets > 1)
            code = laser_evaluation_warn_of_overlap(r->setup.e, "that select", err);
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
    }
    if (code == LASER_OK)
        code = laser_mpi_scan_matrices(run, err);
    if (code == LASER_OK)
        code = laser_tune_is(&r->setup) ? tune(r, results, err) : open_with_edits(r, results, err);
    if (code == LASER_OK && !laser_tune_is(&r->setup))
        code = open_bound(r, err);
    if (code == LASER_OK)
        code = laser_mpi_reduction_search(r, err);
    if (code == LASER_OK && run->settings->reduce.max_kl > 0)
        laser_mpi_evaluation_unbound(r->setup.e, &r->setup.bound);
    if (code == LASER_OK && r->setup.has_report)
        code = laser_mpi_reduction_report(&r->search, &r->report, err);
    if (code == LASER_OK && laser_tune_is(&r->setup))
        code = laser_mpi_tune_guards(r, err);
    if (code == LASER_OK && r->setup.e->set.n_questions > 0)
        code = laser_mpi_reduction_measure(&r->search, &r->report, err);
    if (code == LASER_OK)
        code = write_kept(r, err);
    if (code == LASER_OK)
        code = diverge(r, err);
    return code == LASER_OK ? finish(r, *results, err) : code;
}

int laser_mpi_command_reduce(struct laser_run *run, struct laser_error *err)
{
    struct laser_mpi_evaluation e;
    struct laser_reduction r;
    json_t *results = NULL;
    int code = laser_mpi_run_open(run, err);

    if (code != LASER_OK)
        return code;
    laser_mpi_evaluation_init(&e);
    laser_reduction_init(&r, run, &e.evaluation);
    code = reduce(&r, &results, err);
    if (code == LASER_OK) {
        laser_mpi_statistics_forget(run);
        if (run->rank == 0)
            code = laser_results_failures(run, err);
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
    }
    laser_beside_close(&r.setup.bound);
    laser_mpi_evaluation_close(r.setup.e);
    laser_reduction_free(&r);
    json_decref(results);
    return code;
}
