/* What of a linear layer, as a backward pass meets it, is one matrix of the scan: all of it, or a part of a fused
 * weight (q of q, k and v). */
#ifndef LASER_SENSITIVITY_SITE_PART_H
#define LASER_SENSITIVITY_SITE_PART_H

#include "checkpoint/matrix.h"
#include "model/gradient.h"

/* *part: the site of the matrix alone, with the outputs of it that this shard has; their gradients follow each other
 * from element *offset of every row of the site's.  room[site->row_count + 1] holds its pieces.  The matrix begins in
 * the site.  False: its outputs alternate with those of another, or are not together here. */
bool laser_site_part(const struct laser_model_linear_site *site, const struct laser_matrix *m,
                     struct laser_model_rows *room, struct laser_model_linear_site *part, int64_t *offset);

#endif
