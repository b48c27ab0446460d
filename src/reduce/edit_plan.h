/* plan.yaml: the edits that a reduction kept, to be replayed on the same model or another copy of it.
 *
 *   version: 1
 *   model: "org/name"
 *   base: "org/base"             # where differences from a base were edited: reduce --base
 *   edits:
 *     - tensor: "model.layers.3.mlp.down_proj.weight"
 *       edit: "wiener:0.5"         # spectrum/edit.h
 *       rank: 128                  # singular values above 0 afterwards
 *       shape: [128, 320]
 *       dtype: BF16
 *       hash: 6b1f...              # XXH3 of the tensor's bytes before the edit
 *       change_hash: 90c2...       # with a base: of its difference in float64
 */
#ifndef LASER_REDUCE_EDIT_PLAN_H
#define LASER_REDUCE_EDIT_PLAN_H

#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

struct laser_edit_plan_item {
    char *tensor;
    char *edit;
    int64_t rank, rows, columns;
    char dtype[16];
    uint64_t hash;
    uint64_t change_hash; /* 0 without a base */
};

struct laser_edit_plan {
    char *model;
    char *base; /* NULL: the matrices themselves are edited */
    int64_t n_items;
    struct laser_edit_plan_item *items;
};

/* Appends the file's text. */
void laser_edit_plan_render(const struct laser_edit_plan *plan, struct laser_text *out);

/* Reads a file; the keys above are all required, but for those of a base.  LASER_EINPUT (file:line and what is wrong: syntax, a key
 * that is missing or of another kind, an edit that does not exist, a tensor twice), LASER_EIO, LASER_ENOMEM.
 * Free with laser_edit_plan_free. */
int laser_edit_plan_read(const char *path, struct laser_edit_plan *plan, struct laser_error *err);
void laser_edit_plan_free(struct laser_edit_plan *plan);

#endif
