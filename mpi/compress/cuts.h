/* Matrices taken apart for compression (compress/compress.h): from the covariances of a calibration text to
 * files from which the factors of every rank can be read, in `work/cuts` of the output directory.
 */
#ifndef LASER_MPI_COMPRESS_CUTS_H
#define LASER_MPI_COMPRESS_CUTS_H

#include <stdint.h>

#include "base/error.h"
#include "compress/compress.h"
#include "compress/left_out.h"
#include "sensitivity/gather.h"

struct laser_mpi_cuts {
    int64_t n_matrices;  /* of run->matrices */
    double **s;          /* every rank: values of each matrix, largest first; NULL: not taken apart */
    unsigned char *made; /* of this rank; of any rank once laser_mpi_cuts_share has run */
    char folder[40];     /* below `work/cuts`: stands for model, texts, tokens and method */
};

/* Collective.  The folder of these settings: method, and key, which stands for texts, windows and precision.
 * Reads what is there already: *complete says whether that is all (of the matrices that laser_mpi_cuts_usable
 * names). */
int laser_mpi_cuts_open(const struct laser_run *run, const struct laser_compress_method *method, uint64_t key,
                        struct laser_mpi_cuts *cuts, bool *complete, struct laser_error *err);
void laser_mpi_cuts_free(struct laser_mpi_cuts *cuts);

/* Why a matrix stays as it is.  cuts, all of them made; NULL: whether tokens reached it is not known yet. */
enum laser_left_out laser_mpi_cuts_left_out(const struct laser_run *run, const struct laser_mpi_cuts *cuts,
                                            int64_t matrix);

/* Can a matrix be stored as two factors: not scaled, not alternating with others row by row?  And is a product of two ever
 * smaller? */
bool laser_mpi_cuts_usable(const struct laser_run *run, int64_t matrix);

/* Collective.  Takes every usable matrix that the statistics have apart, on the rank that owns its covariances;
 * statistics NULL, for a method that needs none: every usable matrix.  Matrices that fewer than
 * LASER_CUTS_TOKENS tokens reached are left out.  LASER_ESTOPPED between two matrices.  Called once for
 * each range of matrices, then laser_mpi_cuts_share. */
int laser_mpi_cuts_make(struct laser_run *run, const struct laser_compress_method *method,
                        const struct laser_statistics *statistics, struct laser_mpi_cuts *cuts,
                        struct laser_error *err);

/* Collective.  The values of all matrices on every rank. */
void laser_mpi_cuts_share(const struct laser_run *run, struct laser_mpi_cuts *cuts);

/* Local.  The factors of rank k of one matrix into a file with "a" [rows, k] and "b" [k, columns] in the
 * dtype of the matrix.  values[k] stand for the first k of its own; NULL: those. */
int laser_mpi_cuts_factors(const struct laser_run *run, const struct laser_mpi_cuts *cuts, int64_t matrix,
                           int64_t k, const double *values, const char *path, struct laser_error *err);

/* Local.  The first k pairs of vectors of one matrix, as sensitivity/vectors.h reads them. */
int laser_mpi_cuts_vectors(const struct laser_run *run, const struct laser_mpi_cuts *cuts, int64_t matrix,
                           int64_t k, const char *path, struct laser_error *err);

/* Local.  The cut matrix with these values as an edit of an evaluation: two factors (evaluate/thin.h), or, not
 * thin, the matrix itself in its own dtype. */
int laser_mpi_cuts_edit(const struct laser_run *run, const struct laser_mpi_cuts *cuts, int64_t matrix,
                        int64_t k, const double *values, bool thin, const char *path,
                        struct laser_error *err);

#endif
