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
    unsigned parts;
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
    int code = p->beside->side == LASER_BESIDE_BOUND ? LASER_OK : make_folder(p, err);

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

/* The open model on all windows. */
static int evaluate_parts(const struct pass *p, const char *phase, struct laser_item_score *scores,
                          struct laser_error *err)
{
    struct laser_evaluation *e = p->e;
    int code = open_beside(p, err);

    e->beside = p->beside;
    for (int part = 0; code == LASER_OK && part < LASER_PARTS; ++part)
        if ((p->parts >> part & 1u) && e->part_batch[part + 1] > e->part_batch[part])
            code = laser_mpi_evaluate_part(e, phase, (enum laser_item_part)part, NULL, 0, scores, err);
    e->beside = NULL;
    laser_beside_close(p->beside);
    return code;
}

/* Of the open model, on every rank. */
static int64_t vocabulary_of(const struct laser_evaluation *e)
{
    int64_t n = e->model != NULL ? laser_model_arch(e->model)->vocabulary : 0;

    MPI_Allreduce(MPI_IN_PLACE, &n, 1, MPI_INT64_T, MPI_MAX, laser_mpi_world(e->run));
    return n;
}

/* One model on all windows; *vocabulary is its size. */
static int run_pass(const struct pass *p, struct laser_checkpoint *model, const char *phase,
                    struct laser_item_score *scores, int64_t *vocabulary, struct laser_error *err)
{
    struct laser_evaluation *e = p->e;
    int code;

    e->run->checkpoint = model;
    code = laser_mpi_evaluation_open(e, err);
    if (code == LASER_OK) {
        *vocabulary = vocabulary_of(e);
        code = evaluate_parts(p, phase, scores, err);
    }
    laser_mpi_evaluation_close_model(e);
    return code;
}

/* The states are large, and of no more use. */
static void remove_states(const struct pass *p)
{
    char path[4400];

    for (int64_t b = 0; b < p->e->n_batches; ++b) {
        snprintf(path, sizeof path, "%.4299s/%06" PRId64, p->beside->states, b);
        unlink(path);
    }
    rmdir(p->beside->states);
}

int laser_mpi_evaluation_diverge(struct laser_evaluation *e, struct laser_checkpoint *base,
                                 struct laser_checkpoint *other, unsigned parts, struct laser_divergences *d,
                                 struct laser_error *err)
{
    struct laser_run *run = e->run;
    struct laser_checkpoint *own = run->checkpoint;
    struct laser_beside beside = {.side = LASER_BESIDE_BASE, .base = base};
    struct laser_item_score *scores[2] = {NULL, NULL};
    const struct pass pass = {e, &beside, parts};
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
        code = laser_divergences_compute(e, &beside, parts, scores[0], scores[1], d, err);
        remove_states(&pass);
    }
    free(scores[0]);
    free(scores[1]);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

int laser_mpi_evaluation_bound(struct laser_evaluation *e, unsigned parts, struct laser_beside *bound,
                               struct laser_error *err)
{
    struct laser_run *run = e->run;
    struct laser_item_score *scores = NULL;
    const struct pass pass = {e, bound, parts};
    int code = LASER_OK;

    *bound = (struct laser_beside){.side = LASER_BESIDE_BASE, .base = run->checkpoint};
    if (run->rank == 0 && (scores = calloc((size_t)e->n_items + 1, sizeof *scores)) == NULL)
        code =
            laser_error_set(err, LASER_ENOMEM, "divergence", "no memory for %" PRId64 " windows", e->n_items);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = evaluate_parts(&pass, "base", scores, err);
    free(scores);
    if (code != LASER_OK)
        return code;
    bound->side = LASER_BESIDE_BOUND;
    bound->vocabulary = vocabulary_of(e);
    return open_beside(&pass, err);
}

void laser_mpi_evaluation_unbound(struct laser_evaluation *e, struct laser_beside *bound)
{
    const struct pass pass = {e, bound, 0};

    laser_beside_close(bound);
    if (e->run->rank == 0)
        remove_states(&pass);
}

/* The model as it was read, with its adapter, and the one that was written; both are the caller's, also after an error. */
static int open_both(struct laser_run *run, const char *name, struct laser_checkpoint **base,
                     struct laser_checkpoint **written, struct laser_error *err)
{
    const struct laser_mpi_changes changes = {.adapter = laser_run_adapter(run), .base = ""};
    char path[4400];
    int code;

    snprintf(path, sizeof path, "%s/%s", run->output, name);
    code = laser_mpi_share_changed(laser_mpi_world(run), run->settings->model, &changes, false, base, err);
    return code == LASER_OK ? laser_mpi_share_checkpoint(laser_mpi_world(run), path, false, written, err)
                            : code;
}

int laser_mpi_evaluation_diverge_written(struct laser_evaluation *e, const char *name, unsigned parts,
                                         struct laser_divergences *d, struct laser_error *err)
{
    struct laser_checkpoint *base = NULL, *written = NULL;
    double *options = e->option_nats;
    struct laser_work_done *done = e->done;
    int code;

    memset(d, 0, sizeof *d);
    if (laser_parts_windows(e, parts) == 0)
        return LASER_OK;
    code = laser_mpi_run_safe_point(e->run, 0, err);
    if (code != LASER_OK)
        return code;
    /* What the last evaluation said is still wanted; the edits are in the written model. */
    e->option_nats = NULL;
    e->done = NULL;
    laser_mpi_evaluation_close_model(e);
    e->edits = NULL;
    e->n_edits = 0;
    code = open_both(e->run, name, &base, &written, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluation_diverge(e, base, written, parts, d, err);
    e->option_nats = options;
    e->done = done;
    laser_checkpoint_close(base);
    laser_checkpoint_close(written);
    return code;
}
