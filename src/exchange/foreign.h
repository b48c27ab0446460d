/* Scans that other programs wrote, as rows of a report: Spectrum's JSON in both layouts, WeightWatcher's CSV.
 *
 * They rank matrices; singular values are not in them.  Names get the ".weight" that those programs leave
 * out, so that the same matrix has the same name as in a scan of one's own.
 */
#ifndef LASER_EXCHANGE_FOREIGN_H
#define LASER_EXCHANGE_FOREIGN_H

#include "base/error.h"
#include "report/scan_report.h"

enum laser_foreign_kind {
    LASER_FOREIGN_SPECTRUM,        /* {name: {"snr", "type"}}; also this program's snr_results_*.json */
    LASER_FOREIGN_SPECTRUM_SORTED, /* {type: {name: snr}} */
    LASER_FOREIGN_WEIGHTWATCHER    /* its details data frame as CSV */
};

struct laser_foreign_scan {
    enum laser_foreign_kind kind;
    const char *program; /* "Spectrum", "WeightWatcher" */
    const char *score;   /* what row.score is: "snr", "alpha" */
    struct laser_scan_row *rows;
    size_t n;
    char *ignored; /* columns of a CSV that this program does not know, comma-separated; NULL: none */

    char **texts; /* what the rows' strings are in */
    size_t n_texts, room, numbers_room;
    struct laser_scan_number *numbers;
};

/* Reads a file; what it is follows from its first character.
 *
 * Spectrum: score and snr are the file's number (Infinity and NaN may occur), everything else is zero or
 * NULL. WeightWatcher: score is alpha; the columns that this program has, too, are in .numbers under its own
 * names (results.json's: D is ks_distance, sigma alpha_sigma, num_pl_spikes tail); rows and columns are N and
 * M, the larger one first.  A fit that failed (-1) is NaN.  snr is NaN.
 *
 * LASER_EINPUT: torn, neither of these, nothing in it, a name twice, a value of another type; where is the
 * file, with the line where there is one, and the text names key or column, what was found and expected.
 * LASER_EIO, LASER_ENOMEM.  Free with laser_foreign_free, also after an error. */
int laser_foreign_read(const char *path, struct laser_foreign_scan *scan, struct laser_error *err);
void laser_foreign_free(struct laser_foreign_scan *scan);

#endif
