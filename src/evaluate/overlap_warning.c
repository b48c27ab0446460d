#include <inttypes.h>
#include <stdlib.h>

#include "corpus/overlap.h"
#include "evaluate/evaluate.h"

/* The windows of texts that decide: of gradients, and of the selection. */
static int64_t deciding_windows(const struct laser_evaluation *e, struct laser_window *out)
{
    static const enum laser_item_part parts[] = {LASER_PART_CALIBRATION, LASER_PART_SELECTION};
    int64_t n = 0, index;

    for (size_t p = 0; p < sizeof parts / sizeof *parts; ++p)
        for (int64_t i = e->part_item[parts[p]]; i < e->part_item[parts[p] + 1]; ++i)
            if (!laser_item_is_question(e, i, &index))
                out[n++] = e->windows[index];
    return n;
}

int laser_evaluation_warn_of_overlap(const struct laser_evaluation *e, const char *which,
                                     struct laser_error *err)
{
    struct laser_window *windows = malloc((size_t)e->n_windows * sizeof *windows + 1);
    int64_t n, found, of;
    int code = windows == NULL ? laser_error_set(err, LASER_ENOMEM, "evaluate", "no memory") : LASER_OK;

    n = code == LASER_OK ? deciding_windows(e, windows) : 0;
    for (int32_t d = 0; code == LASER_OK && d < e->n_datasets; ++d) {
        code = laser_windows_overlap(e->datasets, d, windows, n, &found, &of, err);
        if (code == LASER_OK && found > 0)
            laser_log_line(e->run->log, "WARNING",
                           "%" PRId64 " of %" PRId64
                           " windows %s stand in %s %s too: its loss is not that of "
                           "an unseen text",
                           found, of, which, d >= e->n_datasets - e->n_guards ? "the guard text" : "the text",
                           e->datasets[d].name);
    }
    free(windows);
    return code;
}
