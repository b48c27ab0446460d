/* Quantised weights again: edited values as codes, in the blocks and with the scales and zero points that are
 * there, each rounded to the nearest value that its block has.
 *
 * Formats whose codes stand row by row: FP8 and int8 with scales, packed integers, FP4 (MXFP4, NVFP4), MLX's
 * integers, int8 of bitsandbytes.  The others are written dequantised (cast.h).
 */
#ifndef LASER_CHECKPOINT_ENCODE_H
#define LASER_CHECKPOINT_ENCODE_H

#include "checkpoint/matrix.h"

struct laser_output;

/* Can edited values of this tensor be put into its format? */
bool laser_coded_encodes(const struct laser_tensor *t);

/* Can the matrix be edited by itself: one of a plain tensor, or a whole one of a format that can be made again? */
bool laser_matrix_encodes(const struct laser_checkpoint *c, const struct laser_matrix *m);

/* Rounds the elements of an edited matrix (laser_matrix_alone) to what its codes can hold, so that they are those
 * that the written model will have.  Nothing is done to a matrix of a plain tensor. */
int laser_matrix_snap(const struct laser_checkpoint *c, const struct laser_matrix *m, void *bytes,
                      struct laser_error *err);

/* Writes the codes of a redirected tensor over those at `position` of a file. */
int laser_coded_put(const struct laser_checkpoint *c, const struct laser_tensor *t, int64_t position,
                    struct laser_output *out, struct laser_error *err);

#endif
