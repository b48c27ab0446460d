#include "run/outcome.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REAL(name, member, help)                                                                             \
    {                                                                                                        \
        name, offsetof(struct laser_metrics, member), 0, help                                                \
    }
#define INT(name, member, help)                                                                              \
    {                                                                                                        \
        name, offsetof(struct laser_metrics, member), 1, help                                                \
    }

const struct laser_metric_field laser_metric_fields[] = {
    INT("rows", rows, "rows as stored"),
    INT("columns", columns, "columns as stored"),
    REAL("threshold", cut.threshold, "singular values above it are signal; NaN where the rule has none"),
    INT("rank", cut.k, "singular values kept"),
    REAL("signal", cut.signal, "sum of the kept singular values"),
    REAL("noise", cut.noise, "sum of the others"),
    REAL("snr", cut.snr, "signal / noise; Infinity where nothing is noise, NaN of a zero matrix"),
    REAL("snr_normalized", cut.snr_normalized, "snr / largest singular value"),
    REAL("s_max", s_max, "largest singular value"),
    REAL("s_min", s_min, "smallest singular value"),
    REAL("energy_kept", energy_kept, "share of the squared Frobenius norm that is kept"),
    REAL("frobenius", frobenius, "Frobenius norm"),
    REAL("stable_rank", stable_rank, "squared Frobenius norm / squared largest singular value"),
    REAL("effective_rank", effective_rank, "exponential of the entropy of the singular values"),
    REAL("entropy", entropy, "matrix entropy (WeightWatcher)"),
    INT("matrix_rank", matrix_rank, "numerical rank"),
    REAL("noise_sigma", noise_sigma, "median estimate of the noise of one entry"),
    REAL("mp_edge", mp_edge, "Marchenko-Pastur edge"),
    INT("num_spikes", num_spikes, "singular values above the edge"),
    REAL("sigma_mp", sigma_mp, "noise_sigma / root mean square entry"),
    REAL("mp_softrank", mp_softrank, "squared edge / squared largest singular value"),
    REAL("alpha", alpha, "power law exponent of the eigenvalues"),
    REAL("alpha_sigma", alpha_sigma, "its standard error"),
    REAL("ks_distance", ks_distance, "distance of the power law fit"),
    REAL("xmin", xmin, "where the power law begins"),
    REAL("xmax", xmax, "largest eigenvalue"),
    INT("tail", tail, "eigenvalues in the power law"),
    REAL("log_norm", log_norm, "log10 of the squared Frobenius norm"),
    REAL("log_spectral_norm", log_spectral_norm, "log10 of the largest eigenvalue"),
    REAL("alpha_weighted", alpha_weighted, "alpha * log_spectral_norm"),
    REAL("log_alpha_norm", log_alpha_norm, "log10 of the sum of eigenvalues to the power alpha"),
};
const int laser_n_metric_fields = (int)(sizeof laser_metric_fields / sizeof *laser_metric_fields);

const char *laser_solver_name(enum laser_solver solver)
{
    static const char *const names[] = {"auto", "gram", "gesvd"};

    return names[solver];
}

void laser_metrics_texts(struct laser_metrics *m)
{
    m->status = isnan(m->alpha) ? "failed" : "success";
    m->warning = m->alpha < 2 ? "over-trained" : m->alpha > 6 ? "under-trained" : "";
}

void laser_outcome_write(const char *name, const struct laser_outcome *o, struct laser_ledger_line *line)
{
    char hash[20];

    laser_ledger_line_begin(line, "matrix");
    laser_ledger_line_text(line, "name", name);
    laser_ledger_line_text(line, "status", o->status == LASER_OUTCOME_SCANNED ? "scanned" : "failed");
    if (o->status == LASER_OUTCOME_SCANNED) {
        laser_ledger_line_int(line, "rank", o->metrics.cut.k);
        laser_ledger_line_real(line, "threshold", o->metrics.cut.threshold);
        laser_ledger_line_real(line, "snr", o->metrics.cut.snr);
        laser_ledger_line_text(line, "solver", laser_solver_name((enum laser_solver)o->solver));
        laser_ledger_line_int(line, "part", o->values.part);
        laser_ledger_line_int(line, "offset", o->values.offset);
        laser_ledger_line_int(line, "count", o->values.count);
        snprintf(hash, sizeof hash, "%016" PRIx64, o->values.hash);
        laser_ledger_line_text(line, "values", hash);
        if (o->step_noise > 0)
            laser_ledger_line_real(line, "step_noise", o->step_noise);
    } else {
        laser_ledger_line_int(line, "code", o->code);
        laser_ledger_line_text(line, "reason", o->reason);
    }
    laser_ledger_line_int(line, "ranks", o->ranks);
    laser_ledger_line_int(line, "bytes", o->bytes_read);
    laser_ledger_line_real(line, "read_s", o->read_s);
    laser_ledger_line_real(line, "solve_s", o->solve_s);
}

static uint64_t read_hash(const struct laser_ledger_entry *entry, const char *key)
{
    const char *text = laser_ledger_get(entry, key);

    return text != NULL ? strtoull(text, NULL, 16) : 0;
}

void laser_outcome_read(const struct laser_ledger_entry *entry, struct laser_outcome *o)
{
    const char *status = laser_ledger_get(entry, "status"), *solver = laser_ledger_get(entry, "solver");
    const char *reason = laser_ledger_get(entry, "reason");

    memset(o, 0, sizeof *o);
    o->status =
        status != NULL && strcmp(status, "scanned") == 0 ? LASER_OUTCOME_SCANNED : LASER_OUTCOME_FAILED;
    o->solver = solver != NULL && strcmp(solver, "gesvd") == 0 ? LASER_SOLVER_GESVD : LASER_SOLVER_GRAM;
    o->code = (int32_t)laser_ledger_get_int(entry, "code", 0);
    o->ranks = (int32_t)laser_ledger_get_int(entry, "ranks", 1);
    o->values.part = (int32_t)laser_ledger_get_int(entry, "part", -1);
    o->values.offset = laser_ledger_get_int(entry, "offset", 0);
    o->values.count = laser_ledger_get_int(entry, "count", 0);
    o->values.hash = read_hash(entry, "values");
    o->step_noise = laser_ledger_get_real(entry, "step_noise", 0);
    o->bytes_read = laser_ledger_get_int(entry, "bytes", 0);
    o->read_s = laser_ledger_get_real(entry, "read_s", 0);
    o->solve_s = laser_ledger_get_real(entry, "solve_s", 0);
    snprintf(o->reason, sizeof o->reason, "%s", reason != NULL ? reason : "");
}
