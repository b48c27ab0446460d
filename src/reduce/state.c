/* The parts of a reduction, from empty to freed. */
#include <math.h>
#include <stdlib.h>

#include "reduce/reduce.h"

void laser_reduction_init(struct laser_reduction *r, struct laser_run *run, struct laser_evaluation *e)
{
    *r = (struct laser_reduction){.setup = {.run = run, .e = e},
                                  .trials = {.setup = &r->setup},
                                  .search = {.setup = &r->setup,
                                             .trials = &r->trials,
                                             .now = &r->trials.plan,
                                             .base_mean = NAN,
                                             .winner = -1},
                                  .report = {.setup = &r->setup}};
}

static void free_trials(struct laser_reduction_trials *t)
{
    laser_edit_list_free(&t->edits);
    laser_strategy_free(&t->plan);
    laser_sweep_free(&t->cells);
    free(t->ranks);
    free(t->changes);
    free(t->asked);
}

static void free_search(struct laser_reduction_search *s)
{
    laser_search_free(s->state);
    laser_strategy_free(&s->composed);
    json_decref(s->decisions);
    json_decref(s->sweep);
    json_decref(s->table);
    free(s->weights);
    free(s->batch_first);
    free(s->trial_means);
}

void laser_reduction_free(struct laser_reduction *r)
{
    free_search(&r->search);
    free_trials(&r->trials);
    laser_reduction_report_free(&r->report);
}
