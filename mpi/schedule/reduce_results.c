#include "schedule/reduce.h"

#include <inttypes.h>
#include <math.h>

#include "schedule/results.h"

static json_t *state_json(double selection, double report, bool has_report)
{
    json_t *o = json_pack("{s:{s:f, s:f}}", "selection", "nll", selection, "ppl", exp(selection));

    if (o != NULL && has_report)
        json_object_set_new(o, "report", json_pack("{s:f, s:f}", "nll", report, "ppl", exp(report)));
    return o;
}

/* Parameters that the kept edits would save as two thin matrices. */
static json_t *saved_json(const struct laser_mpi_reduction *r)
{
    int n;
    const int32_t *kept = laser_search_kept(r->search, &n);
    int64_t dense = 0, factored = 0;

    for (int i = 0; i < n; ++i) {
        const struct laser_metrics *m = &r->run->outcomes[r->plan.edits[kept[i]].matrix].metrics;
        int64_t whole = m->rows * m->columns, thin = r->ranks[kept[i]] * (m->rows + m->columns);
        dense += whole;
        factored += thin < whole ? thin : whole;
    }
    return json_pack("{s:I, s:I, s:I}", "edited_parameters", (json_int_t)dense, "edited_parameters_factored",
                     (json_int_t)factored, "parameters", (json_int_t)(dense - factored));
}

int laser_mpi_reduction_results(struct laser_mpi_reduction *r, json_t *results, struct laser_error *err)
{
    double final, current_base;

    laser_search_best(r->search, &final);
    laser_search_base(r->search, &current_base);
    if (isnan(r->base_mean))
        r->base_mean = current_base;
    json_object_set_new(results, "strategy", json_string(laser_deck_string(r->run->deck, "reduce.strategy")));
    json_object_set_new(results, "baseline", state_json(r->base_mean, r->report_base, r->has_report));
    json_object_set(results, "decisions", r->decisions);
    json_object_set_new(results, "final", state_json(final, r->report_final, r->has_report));
    if (r->has_report)
        json_object_set_new(results, "report_difference",
                            json_pack("{s:f, s:f}", "nll", r->report_difference, "stderr", r->report_se));
    json_object_set_new(results, "saved", saved_json(r));
    json_object_set_new(results, "seconds", json_real(MPI_Wtime() - r->run->start_s));
    laser_mpi_log_line(r->run->log, "RESULT", "selection: perplexity %.6f -> %.6f on %" PRId64 " windows",
                       exp(r->base_mean), exp(final), r->e.n_selected);
    if (r->has_report)
        laser_mpi_log_line(r->run->log, "RESULT",
                           "report:    perplexity %.6f -> %.6f on %" PRId64 " windows (%+.6f +- %.6f nats)",
                           exp(r->report_base), exp(r->report_final), r->e.n_windows - r->e.n_selected,
                           r->report_difference, r->report_se);
    laser_mpi_log_line(r->run->log, "RESULT", "%d of %zu candidates kept; the model is in %s", r->n_kept,
                       json_array_size(r->decisions), laser_mpi_run_path(r->run, "model"));
    return laser_results_write(r->run->output, results, err);
}
