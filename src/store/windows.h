/* windows.h5: the loss of every window of an evaluation, so that two evaluations can be compared in pairs.
 *
 * Layout (doc/windows.md):
 *   /            attributes: format, format_version, and what the evaluation was made with, as text
 *   /datasets    one record for each data set: name, path, hash, tokens, words, bytes
 *   /windows     one record for each window: dataset, first, tokens, first_scored, scored, prefix, nll,
 *                nll_squares
 *
 * All functions are local (rank 0 calls them).
 */
#ifndef LASER_STORE_WINDOWS_H
#define LASER_STORE_WINDOWS_H

#include <stdint.h>

#include "base/error.h"
#include "corpus/perplexity.h"

/* A text attribute of the root. */
struct laser_windows_note {
    const char *name, *text;
};

/* Puts the file at path, whole or not at all, the windows in the order of the texts.  Of the data sets name,
 * path, hash, n_tokens, n_words and n_bytes are stored, never their tokens.  LASER_EIO, LASER_ENOMEM. */
int laser_windows_write(const char *path, const struct laser_windows_note *notes, int n_notes,
                        const struct laser_dataset *datasets, int32_t n_datasets,
                        const struct laser_window *windows, const struct laser_window_nll *nll,
                        int64_t n_windows, struct laser_error *err);

/* An evaluation as read; free with laser_windows_free. */
struct laser_windows {
    char *model, *convention, *precision, *deck, *content, *libraries; /* NULL where missing */
    struct laser_dataset *datasets;                                    /* without tokens */
    int32_t n_datasets;
    struct laser_window *windows;
    struct laser_window_nll *nll;
    int64_t n_windows;
};

/* LASER_EINPUT: not there, another kind of file, torn, or windows that do not fit its data sets. */
int laser_windows_read(const char *path, struct laser_windows *windows, struct laser_error *err);
void laser_windows_free(struct laser_windows *windows);

/* Are both the same windows of the same texts?  LASER_EINPUT naming the first difference: a data set that
 * only one has, other tokens, another convention or window length. */
int laser_windows_match(const char *name_a, const struct laser_windows *a, const char *name_b,
                        const struct laser_windows *b, struct laser_error *err);

#endif
