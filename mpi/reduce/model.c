#include "reduce/reduction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/writer.h"
#include "comm/agree.h"
#include "plan/shards.h"
#include "reduce/factors.h"
#include "run/notes.h"

static int clear_redirections(const struct laser_reduction *r, struct laser_error *err)
{
    int code = LASER_OK;

    for (int e = 0; code == LASER_OK && e < r->trials.edits.n; ++e)
        code = laser_matrix_redirect(r->setup.run->checkpoint, r->trials.edits.files[e].matrix, NULL, err);
    return code;
}

static int redirect_kept(const struct laser_reduction *r, const int32_t *kept, int n, struct laser_error *err)
{
    int code = LASER_OK;

    for (int i = 0; code == LASER_OK && i < n; ++i)
        code = laser_matrix_redirect(r->setup.run->checkpoint, r->trials.edits.files[kept[i]].matrix,
                                     r->trials.edits.files[kept[i]].path, err);
    return code;
}

/* No tensor may be redirected before.  OUT/factored and OUT/lora, if reduce.also asks for them; on rank 0 the edited tensors are
 * redirected to their edits afterwards. */
static int write_factors(const struct laser_reduction *r, const int32_t *edits, int n,
                         struct laser_error *err)
{
    struct laser_run *run = r->setup.run;
    bool factored = laser_reduction_also(r, LASER_DECK_ALSO_FACTORED),
         lora = laser_reduction_also(r, LASER_DECK_ALSO_LORA);
    struct laser_factor *factors;
    int lora_rank = 0, code = LASER_OK;

    if (!factored && !lora)
        return LASER_OK;
    factors = calloc((size_t)n + 1, sizeof *factors);
    if (factors == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "reduce.also", "no memory");
    if (code == LASER_OK && run->rank == 0)
        code = laser_directory_make(laser_run_path(run, "work/factors"), err);
    for (int i = 0; code == LASER_OK && i < n; ++i) {
        code = laser_factor_describe(r, edits[i], &factors[i], err);
        if (lora && !factors[i].other_form && factors[i].change_rank > lora_rank)
            lora_rank = factors[i].change_rank;
    }
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    for (int i = run->rank; code == LASER_OK && i < n; i += run->size)
        if (!factors[i].other_form)
            code = laser_factor_make(r, &factors[i], lora_rank, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    /* What is not smaller in two matrices goes into the factored model as it is after the edit. */
    for (int i = 0; code == LASER_OK && run->rank == 0 && i < n; ++i)
        code = laser_matrix_redirect(run->checkpoint, r->trials.edits.files[edits[i]].matrix,
                                     r->trials.edits.files[edits[i]].path, err);
    if (code == LASER_OK && run->rank == 0) {
        if (factored)
            code = laser_reduction_factored_write(r, factors, n, err);
        if (code == LASER_OK && lora)
            code = laser_reduction_lora_write(r, factors, n, lora_rank, err);
    }
    for (int i = 0; factors != NULL && i < n; ++i)
        free(factors[i].s);
    free(factors);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

int laser_mpi_checkpoint_write(struct laser_run *run, const char *dir, struct laser_error *err)
{
    struct laser_writer *writer = NULL;
    int code = laser_writer_open(run->checkpoint, dir, &writer, err);

    if (code == LASER_OK && run->rank == 0)
        laser_say_left_out(run, writer);
    if (code == LASER_OK && run->rank == 0)
        code = laser_writer_begin(writer, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    for (int i = run->rank; code == LASER_OK && i < writer->n_files; i += run->size)
        code = laser_writer_file(writer, i, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK && run->rank == 0)
        code = laser_writer_finish(writer, err);
    laser_writer_close(writer);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

int laser_mpi_reduction_write(const struct laser_reduction *r, const int32_t *edits, int n, bool with_plan,
                              struct laser_error *err)
{
    struct laser_run *run = r->setup.run;
    char dir[4400];
    int32_t *kept;
    int code = LASER_OK;

    MPI_Bcast(&n, 1, MPI_INT, 0, laser_mpi_world(run));
    kept = calloc((size_t)n + 1, sizeof *kept);
    if (kept == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "model", "no memory for %d edits", n);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_run_safe_point(run, laser_checkpoint_write_s(run->checkpoint, run->size), err);
    if (code == LASER_OK) {
        laser_log_phase(run->log, "write");
        if (run->rank == 0 && n > 0)
            memcpy(kept, edits, (size_t)n * sizeof *kept);
        MPI_Bcast(kept, n, MPI_INT32_T, 0, laser_mpi_world(run));
        code = clear_redirections(r, err);
        if (code == LASER_OK && run->rank == 0 && with_plan)
            code = laser_reduction_write_plan(r, kept, n, err);
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
    }
    if (code == LASER_OK)
        code = write_factors(r, kept, n, err);
    if (code == LASER_OK)
        code = laser_mpi_agree(laser_mpi_world(run), redirect_kept(r, kept, n, err), err);
    snprintf(dir, sizeof dir, "%s", laser_run_path(run, "model"));
    if (code == LASER_OK)
        code = laser_mpi_checkpoint_write(run, dir, err);
    laser_log_phase_end(run->log);
    free(kept);
    return code;
}
