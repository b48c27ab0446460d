#include "reduce/factors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "compress/factored.h"

static void say(const struct laser_reduction *r, const struct laser_factor *factors, int n, const char *dir)
{
    const struct laser_run *run = r->setup.run;
    int64_t dense = 0, thin = 0;

    for (int i = 0; i < n; ++i) {
        const struct laser_tensor *t =
            laser_checkpoint_find(run->checkpoint, r->trials.edits.files[factors[i].edit].tensor);
        int64_t whole = t->shape[0] * t->shape[1], small = factors[i].rank * (t->shape[0] + t->shape[1]);
        if (!factors[i].thin)
            continue;
        dense += whole;
        thin += small;
        laser_log_line(run->log, "FACTORED",
                       "%-40s rank %5d  %" PRId64 " -> %" PRId64 " parameters, %" PRId64 " -> %" PRId64
                       " flops a token",
                       t->name, factors[i].rank, whole, small, 2 * whole, 2 * small);
    }
    laser_log_line(run->log, "FACTORED", "%" PRId64 " -> %" PRId64 " parameters in all of them: %s", dense,
                   thin, dir);
}

/* The factors that are smaller than their matrices; paths: of their files, 4400 bytes each. */
static int list_pairs(const struct laser_reduction *r, const struct laser_factor *factors, int n,
                      struct laser_factor_pair *pairs, char *paths)
{
    int n_pairs = 0;

    for (int i = 0; i < n; ++i) {
        char *path = paths + (size_t)n_pairs * 4400;
        if (!factors[i].thin)
            continue;
        laser_factor_path(r, factors[i].edit, "factored", path, 4400);
        pairs[n_pairs++] = (struct laser_factor_pair){
            .tensor = r->trials.edits.files[factors[i].edit].tensor, .rank = factors[i].rank, .path = path};
    }
    return n_pairs;
}

int laser_reduction_factored_write(const struct laser_reduction *r, const struct laser_factor *factors, int n,
                                   struct laser_error *err)
{
    struct laser_factor_pair *pairs = calloc((size_t)n + 1, sizeof *pairs);
    char dir[4400], *paths = malloc((size_t)n * 4400 + 1);
    int n_pairs, code;

    if (pairs == NULL || paths == NULL) {
        free(pairs);
        free(paths);
        return laser_error_set(err, LASER_ENOMEM, "reduce.also", "no memory for the list of factors");
    }
    n_pairs = list_pairs(r, factors, n, pairs, paths);
    snprintf(dir, sizeof dir, "%s", laser_run_path(r->setup.run, "factored"));
    if (n_pairs == 0) {
        laser_log_line(r->setup.run->log, "FACTORED",
                       "none of the %d edited matrices is smaller as two thin ones: nothing is written", n);
        code = LASER_OK;
    } else {
        code = laser_factored_write(r->setup.run->checkpoint, dir, pairs, n_pairs, LASER_FORM_FACTORED,
                                    LASER_DTYPE_COUNT, err);
        if (code == LASER_OK)
            say(r, factors, n, dir);
    }
    free(pairs);
    free(paths);
    return code;
}
