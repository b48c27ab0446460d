/* What became of one matrix in a scan. */
#ifndef LASER_RUN_OUTCOME_H
#define LASER_RUN_OUTCOME_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "run/ledger.h"
#include "spectrum/metrics.h"

enum laser_outcome_status { LASER_OUTCOME_OPEN, LASER_OUTCOME_SCANNED, LASER_OUTCOME_FAILED };

enum laser_solver { LASER_SOLVER_AUTO, LASER_SOLVER_GRAM, LASER_SOLVER_GESVD };

/* "auto", "gram", "gesvd". */
const char *laser_solver_name(enum laser_solver solver);

/* Where the singular values stand: a part file, see src/store/parts.h. */
struct laser_part_record {
    int32_t part;   /* number of the part file */
    int64_t offset; /* bytes */
    int64_t count;  /* doubles */
    uint64_t hash;  /* XXH3 of the bytes */
};

/* Plain data: sent from a group's leader to rank 0, whose size does not depend on the matrix. */
struct laser_outcome {
    int32_t status; /* enum laser_outcome_status */
    int32_t solver; /* the one that gave the values */
    int32_t code;   /* of a failure: enum laser_result */
    int32_t ranks;  /* of the group */
    struct laser_part_record values;
    int64_t bytes_read;
    double read_s, solve_s;
    struct laser_metrics metrics; /* scanned; its texts are NULL until laser_outcome_texts */
    double step_noise; /* that the step of a quantised format implies (checkpoint/step.h); 0: not quantised */
    char reason[384];  /* of a failure */
};

/* The static texts of metrics (status, warning), which do not travel between processes. */
void laser_metrics_texts(struct laser_metrics *metrics);

/* A ledger line of a finished matrix, and back.  The metrics are not in it but for k, threshold and snr, for
 * people: they follow from the values. */
void laser_outcome_write(const char *name, const struct laser_outcome *outcome,
                         struct laser_ledger_line *line);
void laser_outcome_read(const struct laser_ledger_entry *entry, struct laser_outcome *outcome);

/* The numbers of a matrix under the names that results.json and spectra.h5 use. */
struct laser_metric_field {
    const char *name;
    size_t offset;  /* in struct laser_metrics */
    int is_integer; /* int64_t, else double */
    const char *help;
};
extern const struct laser_metric_field laser_metric_fields[];
extern const int laser_n_metric_fields;

#endif
