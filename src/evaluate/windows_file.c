#include "config.h"

#include "evaluate/windows_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/dispatch.h"
#include "store/results.h"
#include "store/windows.h"

int laser_evaluation_windows_write(const struct laser_evaluation *e, const char *name,
                                   const struct laser_window_nll *nll, struct laser_error *err)
{
    const struct laser_run *run = e->run;
    struct laser_checkpoint_fingerprint print = laser_checkpoint_fingerprint(run->checkpoint);
    char content[20], seqlen[24], stride[24], *deck = laser_deck_print(run->deck, run->command);
    const struct laser_windows_note notes[] = {
        {"laser_mpi_version", PACKAGE_VERSION},
        {"model", run->checkpoint->model},
        {"model_content_hash", content},
        {"convention", laser_convention_name(e->convention)},
        {"seqlen", seqlen},
        {"stride", stride},
        {"precision", laser_deck_value_text(run->deck, LASER_KEY_evaluate_precision)},
        {"kernels", laser_kernels_name(laser_kernels_current(e->precision))},
        {"libraries", run->libraries},
        {"deck", deck != NULL ? deck : ""}};
    int code;

    snprintf(content, sizeof content, "%016" PRIx64, print.content);
    snprintf(seqlen, sizeof seqlen, "%" PRId64, run->settings->evaluate.seqlen);
    snprintf(stride, sizeof stride, "%" PRId64, run->settings->evaluate.stride);
    code = laser_windows_write(laser_run_path(run, name), notes, sizeof notes / sizeof *notes, e->datasets,
                               e->n_datasets, e->windows, nll, e->n_windows, err);
    free(deck);
    return code;
}
