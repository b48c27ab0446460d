#include <stdlib.h>
#include <string.h>

#include "reduce/strategy.h"

void laser_strategy_free(struct laser_strategy_plan *plan)
{
    free(plan->edits);
    free(plan->trials);
    free(plan->candidates);
    free(plan->edit_numbers);
    memset(plan, 0, sizeof *plan);
}
