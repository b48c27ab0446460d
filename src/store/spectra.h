/* spectra.h5: every matrix's singular values and numbers, and what they were made with.
 *
 * Layout (doc/spectra.md):
 *   /                                  attributes: format, format_version, laser_mpi_version, model,
 *                                      model_content_hash, rule, score, deck (YAML), libraries, ranks, seconds
 *   /matrices/<name>                   attributes: name, type, dtype, layer, status, solver, reason, and the fields of
 *                                      laser_metric_fields; `/` in a tensor name is written %2F
 *   /matrices/<name>/singular_values   float64, largest first (scanned ones)
 *   /tensors/name, status, reason      one entry for every tensor of the checkpoint
 *
 * All functions are local (rank 0 calls them).
 */
#ifndef LASER_STORE_SPECTRA_H
#define LASER_STORE_SPECTRA_H

#include <stdint.h>

#include "base/error.h"
#include "run/outcome.h"

struct laser_spectra_matrix {
    char *name;
    char *type;
    char *dtype;
    int layer; /* -1: none */
    struct laser_outcome outcome;
    double *sigma; /* outcome.metrics.n values; NULL unless scanned */
};

/* Begins a file (a temporary one beside path). */
struct laser_spectra_writer;
int laser_spectra_create(const char *path, struct laser_spectra_writer **out, struct laser_error *err);

/* A text attribute of the root. */
int laser_spectra_text(struct laser_spectra_writer *writer, const char *name, const char *text,
                       struct laser_error *err);

int laser_spectra_add(struct laser_spectra_writer *writer, const struct laser_spectra_matrix *matrix,
                      struct laser_error *err);

/* The account of all tensors: n names, what became of each, and why. */
int laser_spectra_tensors(struct laser_spectra_writer *writer, const char *const *names,
                          const char *const *statuses, const char *const *reasons, int64_t n,
                          struct laser_error *err);

/* Closes, syncs and puts the file in its place.  With commit 0 it is thrown away.  Frees the writer. */
int laser_spectra_finish(struct laser_spectra_writer *writer, int commit, struct laser_error *err);

/* Reads a whole file: *n matrices in the order of their names, with their values and metrics as stored, and a
 * root attribute by name (text; NULL where missing).  Free with laser_spectra_free. */
struct laser_spectra_tensor {
    char *name, *status, *reason;
};
struct laser_spectra {
    struct laser_spectra_matrix *matrices;
    int64_t n;
    struct laser_spectra_tensor *tensors; /* the account of all of them; none in a file without one */
    int64_t n_tensors;
    char *model, *base, *rule, *score, *deck, *version, *content, *libraries;
};
int laser_spectra_read(const char *path, struct laser_spectra *spectra, struct laser_error *err);
void laser_spectra_free(struct laser_spectra *spectra);

#endif
