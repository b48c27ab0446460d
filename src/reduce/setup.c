/* What the settings say of a reduction. */
#include <math.h>

#include "reduce/reduce.h"

bool laser_reduction_strategy_is(const struct laser_reduction_setup *setup, enum laser_strategy strategy)
{
    return setup->run->settings->reduce.strategy == strategy;
}

bool laser_tune_is(const struct laser_reduction_setup *setup)
{
    return setup->run->settings->reduce.strategy == LASER_STRATEGY_TUNE;
}

bool laser_sweep_is(const struct laser_reduction_setup *setup)
{
    return setup->run->settings->reduce.strategy == LASER_STRATEGY_SWEEP ||
           setup->run->settings->reduce.strategy == LASER_STRATEGY_COMPOSE;
}

const char *laser_reduction_unit(const struct laser_reduction_setup *setup)
{
    return laser_reduction_has_ppl(setup) ? "nats" : laser_objective_label(&setup->e->objective);
}

bool laser_reduction_has_ppl(const struct laser_reduction_setup *setup)
{
    return setup->e->objective.n_terms == 1 && laser_objective_has_text(&setup->e->objective);
}

/* Of perplexity a relative rise, of another objective an amount of it. */
double laser_reduction_tolerance(const struct laser_reduction_setup *setup)
{
    double tolerance = setup->run->settings->reduce.tolerance;

    return laser_reduction_has_ppl(setup) ? log1p(tolerance) : tolerance;
}
