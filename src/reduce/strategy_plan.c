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

int laser_strategy_edit_set(struct laser_strategy_edit *edit, int matrix, const char *text,
                            struct laser_error *err)
{
    size_t n = strlen(text);

    if (n >= sizeof edit->text)
        return laser_error_set(err, LASER_EUSAGE, "edit", "`%.60s...` is too long", text);
    edit->matrix = matrix;
    memcpy(edit->text, text, n + 1);
    return laser_edit_parse(text, &edit->what, err);
}
