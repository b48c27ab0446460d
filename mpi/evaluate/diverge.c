/* Two models on the same windows, one after the other: the first leaves its states in files, the second is compared with them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/agree.h"
#include "evaluate/batches.h"
#include "evaluate/evaluation.h"
#include "evaluate/worker.h"

struct pass {
    struct laser_evaluation *e;
    struct laser_beside *beside;
    int first, end; /* parts */
};

/* The folder that this side writes into, named by what its bits depend on; rank 0 makes it. */
static int make_folder(const struct pass *p, struct laser_error *err)
{
    struct laser_run *run = p->e->run;
    char *folder = p->beside->side == LASER_BESIDE_BASE ? p->beside->states : p->beside->tokens;
    char identity[20] = "", name[100];
    int code = LASER_OK;

    if (run->rank == 0) {
        const char *states = strrchr(p->beside->states, '-');
        code = laser_batches_identity(p->e, NULL, 0, identity, err);
        if (p->beside->side == LASER_BESIDE_BASE)
            snprintf(name, sizeof name, "work/states-%s", identity);
        else
            snprintf(name, sizeof name, "work/divergence-%s-%.20s", identity,
                     states != NULL ? states + 1 : "");
        snprintf(folder, sizeof p->beside->states, "%s", laser_run_path(run, name));
        if (code == LASER_OK)
            code = laser_directory_make(folder, err);
    }
    MPI_Bcast(folder, (int)sizeof p->beside->states, MPI_BYTE, 0, laser_mpi_world(run));
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

/* The base's head and working memory on the workers, whose model is open. */
static int open_beside(const struct pass *p, struct laser_error *err)
{
    const struct laser_evaluation *e = p->e;
    MPI_Comm world = laser_mpi_world(e->run);
    int code = make_folder(p, err);

    if (code != LASER_OK)
        return code;
    if (e->model != NULL)
        code = laser_beside_describe(p->beside, e, err);
    code = laser_mpi_agree(world, code, err);
    if (code == LASER_OK && p->beside->head != NULL)
        code = laser_model_load(p->beside->head, err);
    code = laser_mpi_agree(world, code, err);
    if (code == LASER_OK && e->worker != NULL)
        code = laser_beside_open(p->beside, e, laser_worker_tokens(e->worker), err);
    return laser_mpi_agree(world, code, err);
}

/* One model on all windows; *vocabulary is its size. */
static int run_pass(const struct pass *p, struct laser_checkpoint *model, const char *phase,
                    struct laser_item_score *scores, int64_t *vocabulary, struct laser_error *err)
{
    struct laser_evaluation *e = p->e;
    int code;

    e->run->checkpoint = model;
    code = laser_mpi_evaluation_open(e, err);
    *vocabulary = code == LASER_OK && e->model != NULL ? laser_model_arch(e->model)->vocabulary : 0;
    MPI_Allreduce(MPI_IN_PLACE, vocabulary, 1, MPI_INT64_T, MPI_MAX, laser_mpi_world(e->run));
    if (code == LASER_OK)
        code = open_beside(p, err);
    e->beside = p->beside;
    for (int part = p->first; code == LASER_OK && part < p->end; ++part)
        if (e->part_batch[part + 1] > e->part_batch[part])
            code = laser_mpi_evaluate_part(e, phase, (enum laser_item_part)part, NULL, 0, scores, err);
    e->beside = NULL;
    laser_beside_close(p->beside);
    laser_mpi_evaluation_close_model(e);
    return code;
}

/* The states are large, and of no more use. */
static void remove_states(const struct pass *p)
{
    char path[4400];

    for (int64_t b = p->e->part_batch[p->first]; b < p->e->part_batch[p->end]; ++b) {
        snprintf(path, sizeof path, "%.4299s/%06" PRId64, p->beside->states, b);
        unlink(path);
    }
    rmdir(p->beside->states);
}

int laser_mpi_evaluation_diverge(struct laser_evaluation *e, struct laser_checkpoint *base,
                                 struct laser_checkpoint *other, enum laser_item_part first,
                                 enum laser_item_part end, struct laser_divergences *d,
                                 struct laser_error *err)
{
    struct laser_run *run = e->run;
    struct laser_checkpoint *own = run->checkpoint;
    struct laser_beside beside = {.side = LASER_BESIDE_BASE, .base = base};
    struct laser_item_score *scores[2] = {NULL, NULL};
    const struct pass pass = {e, &beside, (int)first, (int)end};
    int code = LASER_OK;

    memset(d, 0, sizeof *d);
    for (int i = 0; run->rank == 0 && i < 2; ++i)
        if ((scores[i] = calloc((size_t)e->n_items + 1, sizeof *scores[i])) == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "divergence", "no memory for %" PRId64 " windows",
                                   e->n_items);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = run_pass(&pass, base, "base", scores[0], &d->vocabulary_base, err);
    if (code == LASER_OK) {
        beside.side = LASER_BESIDE_OTHER;
        beside.vocabulary = d->vocabulary_base;
        code = run_pass(&pass, other, "compared", scores[1], &d->vocabulary_other, err);
    }
    run->checkpoint = own;
    if (code == LASER_OK && run->rank == 0) {
        code = laser_divergences_compute(e, &beside, first, end, scores[0], scores[1], d, err);
        remove_states(&pass);
    }
    free(scores[0]);
    free(scores[1]);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}
