#include "schedule/batches.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/text.h"
#include "kernels/dispatch.h"

static int find_identity(const struct laser_mpi_evaluation *e, char identity[20], struct laser_error *err)
{
    struct laser_checkpoint_fingerprint print = laser_checkpoint_fingerprint(e->run->checkpoint);
    struct laser_text text = {0};

    laser_text_printf(&text, "%016" PRIx64 " %016" PRIx64 " %s %s %d shards, %d windows", print.content,
                      print.times, laser_convention_name(e->convention),
                      laser_kernels_name(laser_kernels_current(e->precision)), e->team.group_size,
                      e->batch_windows);
    for (int32_t i = 0; i < e->n_datasets; ++i)
        laser_text_printf(&text, " %016" PRIx64, (uint64_t)e->datasets[i].hash);
    for (int64_t i = 0; i < e->n_windows; ++i)
        laser_text_printf(&text, " %" PRId64 "+%" PRId64, (int64_t)e->windows[i].n_tokens,
                          (int64_t)e->windows[i].n_scored);
    if (text.failed) {
        laser_text_free(&text);
        return laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory");
    }
    snprintf(identity, 20, "%016" PRIx64, (uint64_t)XXH3_64bits(text.data, text.size));
    laser_text_free(&text);
    return LASER_OK;
}

/* "SUM,SUM_OF_SQUARES;..." of n windows; false if it is anything else. */
static bool read_sums(const char *text, struct laser_window_nll *nll, int n)
{
    char *end;

    for (int i = 0; i < n; ++i) {
        nll[i].sum_nats = strtod(text, &end);
        if (*end != ',')
            return false;
        nll[i].sum_squares_nats2 = strtod(end + 1, &end);
        if (*end != ';')
            return false;
        text = end + 1;
    }
    return *text == '\0';
}

int laser_mpi_batches_open(struct laser_mpi_evaluation *e, struct laser_window_nll *nll,
                           struct laser_mpi_batches *b, struct laser_error *err)
{
    const struct laser_mpi_entries *old = &e->run->batches;
    int code = find_identity(e, b->identity, err);

    b->done = calloc((size_t)e->n_batches + 1, 1);
    if (code == LASER_OK && b->done == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory");
    for (int i = 0; code == LASER_OK && i < old->n; ++i) {
        const char *identity = laser_ledger_get(&old->entries[i], "evaluation");
        const char *sums = laser_ledger_get(&old->entries[i], "nll");
        int64_t batch = laser_ledger_get_int(&old->entries[i], "number", -1), first;
        int n;
        if (identity == NULL || strcmp(identity, b->identity) != 0 || sums == NULL || batch < 0 ||
            batch >= e->n_batches || b->done[batch])
            continue;
        n = laser_mpi_batch_windows(e, batch, &first);
        if (!read_sums(sums, nll + first, n))
            continue;
        b->done[batch] = 1;
        ++b->n_done;
        b->n_windows += n;
    }
    if (code == LASER_OK && b->n_done > 0)
        laser_mpi_log_line(e->run->log, "RESUME", "%" PRId64 " of %" PRId64 " batches are done already",
                           b->n_done, e->n_batches);
    return code;
}

int laser_mpi_batches_record(struct laser_mpi_evaluation *e, const struct laser_mpi_batches *b, int64_t batch,
                             const struct laser_window_nll *nll, int n, struct laser_error *err)
{
    struct laser_ledger_line line;
    struct laser_text sums = {0};
    int code;

    for (int i = 0; i < n; ++i)
        laser_text_printf(&sums, "%.17g,%.17g;", nll[i].sum_nats, nll[i].sum_squares_nats2);
    if (sums.failed || sums.data == NULL) {
        laser_text_free(&sums);
        return laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory");
    }
    laser_ledger_line_begin(&line, "batch");
    laser_ledger_line_text(&line, "evaluation", b->identity);
    laser_ledger_line_int(&line, "number", batch);
    laser_ledger_line_text(&line, "nll", sums.data);
    laser_text_free(&sums);
    code = laser_ledger_append(e->run->ledger, &line, false, err);
    ++e->run->pace.n_durable;
    return code;
}

void laser_mpi_batches_free(struct laser_mpi_batches *b)
{
    free(b->done);
    memset(b, 0, sizeof *b);
}
