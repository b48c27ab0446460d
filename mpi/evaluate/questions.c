/* The tasks of an evaluation (evaluate/texts.h) on all ranks; the objective. */
#include "comm/agree.h"
#include "evaluate/evaluation.h"
#include "evaluate/texts.h"

/* The arrays of rank 0 on every rank. */
static int share(struct laser_evaluation *e, struct laser_error *err)
{
    struct laser_set *s = &e->set;
    int64_t counts[] = {s->n_tasks, s->n_questions, s->n_options, s->n_tokens, s->n_targets, s->n_variants};
    const struct {
        void **data;
        size_t size;
    } arrays[] = {{(void **)&s->tasks, sizeof *s->tasks},     {(void **)&s->questions, sizeof *s->questions},
                  {(void **)&s->options, sizeof *s->options}, {(void **)&s->tokens, sizeof *s->tokens},
                  {(void **)&s->targets, sizeof *s->targets}, {(void **)&s->variants, sizeof *s->variants}};
    int code = LASER_OK;

    MPI_Bcast(counts, 6, MPI_INT64_T, 0, laser_mpi_world(e->run));
    for (int i = 0; code == LASER_OK && i < 6; ++i) {
        size_t bytes = (size_t)counts[i] * arrays[i].size;
        void *data = *arrays[i].data;
        if (counts[i] == 0)
            continue;
        code = laser_mpi_share(laser_mpi_world(e->run), &data, &bytes, err);
        *arrays[i].data = data;
    }
    s->n_tasks = counts[0];
    s->n_questions = counts[1];
    s->n_options = counts[2];
    s->n_tokens = counts[3];
    s->n_targets = counts[4];
    s->n_variants = counts[5];
    return code;
}

/* Every rank. */
static int read_objective(struct laser_evaluation *e, struct laser_error *err)
{
    const char *text = e->run->settings->evaluate.objective;
    unsigned kinds = laser_set_kinds(&e->set);
    int code;

    if (*text == '\0') {
        laser_objective_default(e->n_datasets > 0, kinds, &e->objective);
        return LASER_OK;
    }
    code = laser_objective_parse(text, &e->objective, err);
    return code == LASER_OK ? laser_objective_check(&e->objective, e->n_datasets > 0, kinds, err) : code;
}

int laser_mpi_questions_open(struct laser_evaluation *e, struct laser_error *err)
{
    const struct laser_deck_pairs *tasks = &e->run->settings->evaluate.task;
    int code = LASER_OK;

    if (tasks->count > 0 && e->run->command != LASER_COMMAND_PERPLEXITY) {
        if (e->run->rank == 0)
            code = laser_questions_load(e, tasks->items, tasks->count, err);
        code = laser_mpi_agree(laser_mpi_world(e->run), code, err);
        if (code == LASER_OK)
            code = share(e, err);
    }
    if (code == LASER_OK)
        code = read_objective(e, err);
    return laser_mpi_agree(laser_mpi_world(e->run), code, err);
}
