#include "reduce/reduce.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/file.h"
#include "checkpoint/writer.h"
#include "comm/agree.h"
#include "schedule/notes.h"
#include "search/edit_plan.h"

#define PIECE_BYTES (4 << 20)

/* What a rank writes, and reads, in a second: a cautious figure for a parallel file system. */
#define WRITE_BYTES_S 200e6

/* ---- plan.yaml ---- */

int laser_mpi_tensor_hash(const struct laser_checkpoint *c, const struct laser_tensor *t, uint64_t *hash,
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

int laser_mpi_change_hash(const struct laser_mpi_run *run, const struct laser_tensor *t, uint64_t *hash,
                          struct laser_error *err)
{
    return laser_mpi_tensor_hash(run->change, laser_checkpoint_find(run->change, t->name), hash, err);
}

/* A stack of experts may have an edit for each: *known is the tensor that has been hashed last. */
static int fill_item(const struct laser_mpi_reduction *r, int32_t number, struct laser_edit_plan_item *item,
                     const struct laser_tensor **known, uint64_t *known_hash, struct laser_error *err)
{
    const struct laser_strategy_edit *edit = &r->plan.edits[number];
    const struct laser_matrix *m = &r->run->matrices.matrices[edit->matrix];
    const struct laser_tensor *t = &r->run->checkpoint->tensors[m->tensor];

    item->tensor = strdup(m->name);
    item->edit = strdup(edit->text);
    item->rank = r->ranks[number];
    item->rows = m->rows;
    item->columns = m->cols;
    snprintf(item->dtype, sizeof item->dtype, "%s", laser_dtype_name(t->dtype));
    if (item->tensor == NULL || item->edit == NULL)
        return laser_error_set(err, LASER_ENOMEM, "plan.yaml", "no memory");
    if (t != *known && laser_mpi_tensor_hash(r->run->checkpoint, t, known_hash, err) != LASER_OK)
        return err->code;
    *known = t;
    item->hash = *known_hash;
    return r->run->change != NULL ? laser_mpi_change_hash(r->run, t, &item->change_hash, err) : LASER_OK;
}

/* Rank 0, before anything is redirected. */
static int write_plan(const struct laser_mpi_reduction *r, const int32_t *kept, int n,
                      struct laser_error *err)
{
    struct laser_edit_plan plan = {.model = strdup(r->run->checkpoint->model),
                                   .base = r->run->change != NULL ? strdup(laser_mpi_run_base(r->run)) : NULL,
                                   .items = calloc((size_t)n + 1, sizeof *plan.items)};
    struct laser_text text = {0};
    const struct laser_tensor *known = NULL;
    uint64_t known_hash = 0;
    int code = plan.model == NULL || plan.items == NULL || (r->run->change != NULL && plan.base == NULL)
                   ? laser_error_set(err, LASER_ENOMEM, "plan.yaml", "no memory")
                   : LASER_OK;

    for (int i = 0; code == LASER_OK && i < n; ++i)
        code = fill_item(r, kept[i], &plan.items[plan.n_items++], &known, &known_hash, err);
    if (code == LASER_OK) {
        laser_edit_plan_render(&plan, &text);
        code = text.failed
                   ? laser_error_set(err, LASER_ENOMEM, "plan.yaml", "no memory")
                   : laser_file_replace(laser_mpi_run_path(r->run, "plan.yaml"), text.data, text.size, err);
    }
    laser_text_free(&text);
    laser_edit_plan_free(&plan);
    return code;
}

/* ---- the model ---- */

static int clear_redirections(struct laser_mpi_reduction *r, struct laser_error *err)
{
    int code = LASER_OK;

    for (int e = 0; code == LASER_OK && e < r->edits.n; ++e)
        code = laser_matrix_redirect(r->run->checkpoint, r->edits.files[e].matrix, NULL, err);
    return code;
}

static int redirect_kept(struct laser_mpi_reduction *r, const int32_t *kept, int n, struct laser_error *err)
{
    int code = LASER_OK;

    for (int i = 0; code == LASER_OK && i < n; ++i)
        code = laser_matrix_redirect(r->run->checkpoint, r->edits.files[kept[i]].matrix,
                                     r->edits.files[kept[i]].path, err);
    return code;
}

/* The files of the checkpoint, shared among the ranks. */
static int write_files(struct laser_mpi_run *run, struct laser_error *err)
{
    struct laser_writer *writer = NULL;
    char dir[4400];
    int code;

    snprintf(dir, sizeof dir, "%s", laser_mpi_run_path(run, "model"));
    code = laser_writer_open(run->checkpoint, dir, &writer, err);
    if (code == LASER_OK && run->rank == 0)
        laser_mpi_say_left_out(run, writer);
    if (code == LASER_OK && run->rank == 0)
        code = laser_writer_begin(writer, err);
    code = laser_mpi_agree(run->world, code, err);
    for (int i = run->rank; code == LASER_OK && i < writer->n_files; i += run->size)
        code = laser_writer_file(writer, i, err);
    code = laser_mpi_agree(run->world, code, err);
    if (code == LASER_OK && run->rank == 0)
        code = laser_writer_finish(writer, err);
    laser_writer_close(writer);
    return laser_mpi_agree(run->world, code, err);
}

static double model_bytes(const struct laser_mpi_run *run)
{
    double bytes = 0;

    for (int64_t i = 0; i < run->checkpoint->n_tensors; ++i)
        bytes += (double)run->checkpoint->tensors[i].size_bytes;
    return bytes;
}

int laser_mpi_reduction_write(struct laser_mpi_reduction *r, const int32_t *edits, int n, bool with_plan,
                              struct laser_error *err)
{
    struct laser_mpi_run *run = r->run;
    int32_t *kept;
    int code = LASER_OK;

    MPI_Bcast(&n, 1, MPI_INT, 0, run->world);
    kept = calloc((size_t)n + 1, sizeof *kept);
    if (kept == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "model", "no memory for %d edits", n);
    code = laser_mpi_agree(run->world, code, err);
    if (code == LASER_OK)
        code = laser_mpi_run_safe_point(run, model_bytes(run) / WRITE_BYTES_S / run->size, err);
    if (code == LASER_OK) {
        laser_mpi_log_phase(run->log, "write");
        if (run->rank == 0 && n > 0)
            memcpy(kept, edits, (size_t)n * sizeof *kept);
        MPI_Bcast(kept, n, MPI_INT32_T, 0, run->world);
        code = clear_redirections(r, err);
        if (code == LASER_OK && run->rank == 0 && with_plan)
            code = write_plan(r, kept, n, err);
        code = laser_mpi_agree(run->world, code, err);
    }
    if (code == LASER_OK)
        code = laser_mpi_factors_write(r, kept, n, err);
    if (code == LASER_OK)
        code = laser_mpi_agree(run->world, redirect_kept(r, kept, n, err), err);
    if (code == LASER_OK)
        code = write_files(run, err);
    laser_mpi_log_phase_end(run->log);
    free(kept);
    return code;
}
