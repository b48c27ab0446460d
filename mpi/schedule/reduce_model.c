#include "schedule/reduce.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/writer.h"
#include "comm/agree.h"

/* Every rank's catalogue with the kept edits and no others. */
static int redirect_kept(struct laser_mpi_reduction *r, const int32_t *kept, int n, struct laser_error *err)
{
    int code = LASER_OK;

    for (int e = 0; code == LASER_OK && e < r->edits.n; ++e)
        code = laser_checkpoint_redirect(r->run->checkpoint, r->edits.files[e].tensor, NULL, 0, err);
    for (int i = 0; code == LASER_OK && i < n; ++i)
        code = laser_checkpoint_redirect(r->run->checkpoint, r->edits.files[kept[i]].tensor,
                                         r->edits.files[kept[i]].path, -1, err);
    return code;
}

/* The files of the checkpoint, shared among the ranks. */
int laser_mpi_reduction_write_model(struct laser_mpi_reduction *r, struct laser_error *err)
{
    struct laser_mpi_run *run = r->run;
    int32_t *kept = calloc(LASER_SEARCH_MAX_EDITS, sizeof *kept);
    struct laser_writer *writer = NULL;
    char dir[4400];
    int n = 0, code = LASER_OK;

    if (kept == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "model", "no memory");
    code = laser_mpi_agree(run->world, code, err);
    if (code != LASER_OK) {
        free(kept);
        return code;
    }
    if (run->rank == 0) {
        const int32_t *edits = laser_search_kept(r->search, &n);
        memcpy(kept, edits, (size_t)n * sizeof *kept);
    }
    MPI_Bcast(&n, 1, MPI_INT, 0, run->world);
    MPI_Bcast(kept, n, MPI_INT32_T, 0, run->world);
    laser_mpi_log_phase(run->log, "write");
    snprintf(dir, sizeof dir, "%s", laser_mpi_run_path(run, "model"));
    code = redirect_kept(r, kept, n, err);
    if (code == LASER_OK)
        code = laser_writer_open(run->checkpoint, dir, &writer, err);
    if (code == LASER_OK && run->rank == 0)
        code = laser_writer_begin(writer, err);
    code = laser_mpi_agree(run->world, code, err);
    for (int i = run->rank; code == LASER_OK && i < writer->n_files; i += run->size)
        code = laser_writer_file(writer, i, err);
    code = laser_mpi_agree(run->world, code, err);
    if (code == LASER_OK && run->rank == 0)
        code = laser_writer_finish(writer, err);
    code = laser_mpi_agree(run->world, code, err);
    laser_mpi_log_phase_end(run->log);
    laser_writer_close(writer);
    free(kept);
    return code;
}
