/* plan.yaml of a reduction. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/file.h"
#include "reduce/edit_plan.h"
#include "reduce/reduce.h"

#define PIECE_BYTES (4 << 20)

int laser_tensor_hash(const struct laser_checkpoint *c, const struct laser_tensor *t, uint64_t *hash,
                      struct laser_error *err)
{
    XXH3_state_t *state = XXH3_createState();
    void *piece = malloc(PIECE_BYTES);
    int code = LASER_OK;

    if (state == NULL || piece == NULL)
        code = laser_error_set(err, LASER_ENOMEM, t->name, "no memory");
    else
        XXH3_64bits_reset(state);
    for (int64_t at = 0; code == LASER_OK && at < t->size_bytes; at += PIECE_BYTES) {
        int64_t n = t->size_bytes - at < PIECE_BYTES ? t->size_bytes - at : PIECE_BYTES;
        code = laser_checkpoint_read(c, t, at, n, piece, err);
        if (code == LASER_OK)
            XXH3_64bits_update(state, piece, (size_t)n);
    }
    if (code == LASER_OK)
        *hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    free(piece);
    return code;
}

int laser_change_hash(const struct laser_run *run, const struct laser_tensor *t, uint64_t *hash,
                      struct laser_error *err)
{
    return laser_tensor_hash(run->change, laser_checkpoint_find(run->change, t->name), hash, err);
}

/* A stack of experts may have an edit for each: *known is the tensor that has been hashed last. */
static int fill_item(const struct laser_reduction *r, int32_t number, struct laser_edit_plan_item *item,
                     const struct laser_tensor **known, uint64_t *known_hash, struct laser_error *err)
{
    const struct laser_strategy_edit *edit = &r->trials.plan.edits[number];
    const struct laser_matrix *m = &r->setup.run->matrices.matrices[edit->matrix];
    const struct laser_tensor *t = &r->setup.run->checkpoint->tensors[m->tensor];

    item->tensor = strdup(m->name);
    item->edit = strdup(edit->text);
    item->rank = r->trials.ranks[number];
    item->rows = m->rows;
    item->columns = m->cols;
    snprintf(item->dtype, sizeof item->dtype, "%s", laser_dtype_name(t->dtype));
    if (item->tensor == NULL || item->edit == NULL)
        return laser_error_set(err, LASER_ENOMEM, "plan.yaml", "no memory");
    if (t != *known && laser_tensor_hash(r->setup.run->checkpoint, t, known_hash, err) != LASER_OK)
        return err->code;
    *known = t;
    item->hash = *known_hash;
    return r->setup.run->change != NULL ? laser_change_hash(r->setup.run, t, &item->change_hash, err)
                                        : LASER_OK;
}

int laser_reduction_write_plan(const struct laser_reduction *r, const int32_t *kept, int n,
                               struct laser_error *err)
{
    struct laser_edit_plan plan = {.model = strdup(r->setup.run->checkpoint->model),
                                   .base = r->setup.run->change != NULL ? strdup(laser_run_base(r->setup.run))
                                                                        : NULL,
                                   .items = calloc((size_t)n + 1, sizeof *plan.items)};
    struct laser_text text = {0};
    const struct laser_tensor *known = NULL;
    uint64_t known_hash = 0;
    int code = plan.model == NULL || plan.items == NULL || (r->setup.run->change != NULL && plan.base == NULL)
                   ? laser_error_set(err, LASER_ENOMEM, "plan.yaml", "no memory")
                   : LASER_OK;

    for (int i = 0; code == LASER_OK && i < n; ++i)
        code = fill_item(r, kept[i], &plan.items[plan.n_items++], &known, &known_hash, err);
    if (code == LASER_OK) {
        laser_edit_plan_render(&plan, &text);
        code = text.failed
                   ? laser_error_set(err, LASER_ENOMEM, "plan.yaml", "no memory")
                   : laser_file_replace(laser_run_path(r->setup.run, "plan.yaml"), text.data, text.size, err);
    }
    laser_text_free(&text);
    laser_edit_plan_free(&plan);
    return code;
}
