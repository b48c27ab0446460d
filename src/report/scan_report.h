/* What a scan tells: the files that fine-tuning tools read, results.json, and the table on the terminal.
 *
 * Everything is rendered into texts; laser_scan_write_files() is the one function that touches the disk.  A
 * text without memory has .failed set, nothing else can go wrong in rendering.
 */
#ifndef LASER_REPORT_SCAN_REPORT_H
#define LASER_REPORT_SCAN_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "base/text.h"

enum laser_scan_status { LASER_SCAN_SCANNED, LASER_SCAN_SKIPPED, LASER_SCAN_FAILED };

/* A further number of a matrix, under the name that results.json and spectra.h5 use. */
struct laser_scan_number {
    const char *name;
    double value;
    int is_integer;
};

/* One tensor of the checkpoint.  Strings belong to the caller and may be NULL where nothing is to be said. */
struct laser_scan_row {
    const char *name; /* full tensor name, with ".weight" */
    const char *type; /* name after the layer number without ".weight" */
    int64_t layer;    /* -1: none; -2 in a heat map: all of them */
    int64_t rows, columns;
    const char *dtype; /* as safetensors names it: BF16 */
    enum laser_scan_status status;
    const char *reason; /* of skipped and failed */
    int is_zero;        /* scanned, and every entry is 0: no score; out of means, rankings and lists */

    /* Of a scanned matrix; the others leave them zero. */
    const char *solver;
    double threshold; /* NaN where the rule has none */
    int64_t rank;     /* singular values kept, of min(rows, columns) */
    double snr;       /* Infinity when nothing is noise, NaN of a zero matrix */
    double score;     /* what matrices are ranked by */
    double s_max, s_min;
    double step_noise,
        fitted_noise; /* of a quantised matrix: what the format's step implies, and noise_sigma; 0: none */
    const struct laser_scan_number
        *numbers; /* the further metrics; may repeat names above, with the same value */
    int nnumbers;
    const double *sigma; /* the singular values, largest first, or NULL; kept out of results.json */

    double seconds; /* reading and solving */
};

/* What holds for the whole scan. */
struct laser_scan_meta {
    const char *command, *version;
    const char *model;            /* as given */
    const char *base;             /* whose weights were subtracted; NULL: none */
    const char *model_id;         /* laser_scan_model_id(), or the user's */
    const char *threshold;        /* rule as text: "laserrmt", "rank:0.5" */
    const char *score;            /* "snr", "snr-normalized" */
    double never_cuts_below_beta; /* laser_compat_beta_limit() for the rule laserrmt, 0 for others */
    int ranks;
    double seconds;
    int top_percent;     /* share of the unfrozen parameters' file; 0: no file */
    const char *lm_head; /* parameter name of the output layer, "lm_head.weight"; NULL when tied or absent */
    const char *embedding; /* "model.embed_tokens.weight"; NULL when absent */
};

/* ---- names ---- */

/* "org/name" for a hub id and for a snapshot in a hub cache, else the last part of a path without
 * ".safetensors".  The caller frees it; NULL without memory. */
char *laser_scan_model_id(const char *model);

/* model_id with '/' and '_' as '-'; anything else that a file name should not hold becomes '-' too. */
void laser_scan_slug(struct laser_text *out, const char *model_id);

/* ---- files of the scanners (reference: Spectrum, laserRMT's laser_scanner.py) ----
 *
 * Only scanned matrices that are not zero; names without ".weight"; numbers as Python writes them, bare
 * Infinity and NaN; "snr" is the row's score.  The bytes equal json.dump(..., indent=4). */
void laser_scan_json_flat(struct laser_text *out, const struct laser_scan_row *rows, size_t count);

/* Per type in order of appearance, best score first, equals in the order of the rows, NaN last. */
void laser_scan_json_sorted(struct laser_text *out, const struct laser_scan_row *rows, size_t count);

/* The picked rows by type, as Axolotl's unfrozen_parameters. */
struct laser_pick;
struct laser_pick_rule;
void laser_scan_unfrozen_yaml(struct laser_text *out, const struct laser_scan_meta *meta,
                              const struct laser_scan_row *rows, const struct laser_pick *pick);

/* ---- results.json (doc/results.md) ---- */

/* A new reference, to which other commands add their parts; NULL without memory. */
json_t *laser_scan_results(const struct laser_scan_meta *meta, const struct laser_scan_row *rows,
                           size_t count);

/* dir/results.json, atomically.  LASER_EIO, LASER_ENOMEM. */
int laser_results_write(const char *dir, const json_t *results, struct laser_error *err);

/* Will the names of the scan files be short enough for dir?  To be asked before the work.  LASER_EUSAGE, LASER_ENOMEM. */
int laser_scan_check_names(const char *dir, const char *model_id, int top_percent, struct laser_error *err);

/* The three (two when top_percent is 0) scan files in dir, each atomically.  LASER_EIO, LASER_ENOMEM. */
int laser_scan_write_files(const char *dir, const struct laser_scan_meta *meta,
                           const struct laser_scan_row *rows, size_t count, struct laser_error *err);

/* The file of unfrozen parameters for any pick (report/pick.h).  LASER_EIO, LASER_ENOMEM. */
int laser_scan_write_unfrozen(const char *dir, const struct laser_scan_meta *meta,
                              const struct laser_scan_row *rows, size_t count,
                              const struct laser_pick_rule *rule, struct laser_error *err);

/* ---- terminal ---- */

struct laser_scan_style {
    int width; /* columns; no line is longer, but fewer than 66 count as 66 */
    int utf8;  /* 0: ASCII only */
};

/* Per type: count, shape, beta, SNR, share kept and a verdict; lowest and highest scores; what was skipped or
 * failed and why.  Experts of one kind count as one type here. */
void laser_scan_table(struct laser_text *out, const struct laser_scan_meta *meta,
                      const struct laser_scan_row *rows, size_t count, const struct laser_scan_style *style);

#endif
