/* A scan as rows, whoever has written it: of this program (output directory or spectra.h5), of Spectrum
 * (JSON), of WeightWatcher (CSV).
 */
#ifndef LASER_STORE_SCAN_LOAD_H
#define LASER_STORE_SCAN_LOAD_H

#include <stdbool.h>

#include "exchange/foreign.h"
#include "report/scan_report.h"
#include "run/run.h"
#include "store/spectra.h"

struct laser_scan_input {
    struct laser_scan_row *rows; /* matrices, then skipped tensors as far as the file has them */
    size_t n;
    size_t n_matrices;
    const char *program;              /* NULL: this one; else "Spectrum", "WeightWatcher" */
    const char *model, *rule, *score; /* model and rule: NULL where the file does not say */
    const char *lm_head, *embedding;  /* parameter names, NULL where the scan names none */

    char path[4200]; /* of the file that was read */
    struct laser_spectra spectra;
    struct laser_foreign_scan foreign;
    struct laser_scan_row *own_rows;
    struct laser_scan_number *numbers;
};

/* Local.  Rows have the numbers and scores that the file has.  LASER_EINPUT (where: file; what was found and
 * expected), LASER_EIO, LASER_ENOMEM.  Free with laser_scan_input_free, also after an error. */
int laser_scan_load(const char *path, struct laser_scan_input *input, struct laser_error *err);
void laser_scan_input_free(struct laser_scan_input *input);

/* Local.  Numbers and scores again from the singular values.  LASER_EUSAGE for a scan without them (of
 * another program), LASER_ENOMEM. */
int laser_scan_rederive(struct laser_scan_input *input, const char *rule, const char *score,
                        struct laser_error *err);

/* Local.  What the deck says of files made from a scan; the caller frees *model_id. */
int laser_scan_input_meta(const struct laser_run *run, const struct laser_scan_input *input,
                          struct laser_scan_meta *meta, char **model_id, struct laser_error *err);

#endif
