#include "run/notes.h"

#include <inttypes.h>

#include "base/number.h"
#include "checkpoint/beside.h"

void laser_say_beside(const struct laser_run *run)
{
    if (laser_beside_has_index(run->checkpoint))
        laser_log_line(run->log, "NOTE",
                       "model.safetensors and model.safetensors.index.json are both in the model directory: "
                       "model.safetensors is read, as by transformers; readers that follow the index get "
                       "other weights");
    if (laser_beside_has_adapter(run->checkpoint))
        laser_log_line(run->log, "NOTE",
                       "adapter_config.json is in the model directory: this is the model without the "
                       "adapter, which transformers would attach");
}

void laser_say_left_out(const struct laser_run *run, const struct laser_writer *writer)
{
    char size[LASER_NUMBER_SIZE];

    if (writer->n_left_out > 0)
        laser_log_line(run->log, "LEFT OUT",
                       "%d file%s with weights of the model as it was (%s; %s): --copy-other-weights takes "
                       "%s along",
                       writer->n_left_out, writer->n_left_out == 1 ? "" : "s", writer->left_out,
                       laser_number_bytes((double)writer->left_out_bytes, size),
                       writer->n_left_out == 1 ? "it" : "them");
}

void laser_say_whole(const struct laser_run *run)
{
    const struct laser_matrix *first = NULL;
    int64_t n = 0;

    for (int64_t i = 0; i < run->matrices.n_matrices; ++i) {
        const struct laser_matrix *m = &run->matrices.matrices[i];
        if (m->note == NULL)
            continue;
        first = first != NULL ? first : m;
        ++n;
    }
    if (n > 0)
        laser_log_line(run->log, "NOTE", "scan.split_fused: %lld matri%s left whole, the first is %s: %s",
                       (long long)n, n == 1 ? "x is" : "ces are", first->name, first->note);
}

static void say_group(const struct laser_run *run, const char *key, int64_t setting, const char *what)
{
    int asked = (int)setting, workers = run->size > 1 ? run->size - 1 : 1;

    if (asked > workers)
        laser_log_line(run->log, "WARNING", "%s: %s of %d ranks are asked for, %d rank%s work%s: %d is used",
                       key, what, asked, workers, workers > 1 ? "s" : "", workers > 1 ? "" : "s", workers);
}

void laser_say_groups(const struct laser_run *run)
{
    say_group(run, "parallel.group_size", run->settings->parallel.group_size, "groups");
    say_group(run, "parallel.shards", run->settings->parallel.shards, "copies of the model");
}

void laser_say_model(const struct laser_run *run)
{
    const struct laser_checkpoint *c = run->checkpoint;
    char size[LASER_NUMBER_SIZE], limit[LASER_NUMBER_SIZE], time[LASER_NUMBER_SIZE];
    double bytes = 0, max_time = run->settings->run.max_time;

    for (int64_t i = 0; i < c->n_tensors; ++i)
        bytes += (double)c->tensors[i].size_bytes;
    laser_log_line(run->log, "MODEL", "%s: %" PRId64 " tensors, %s, %" PRId64 " matrices to scan", c->model,
                   c->n_tensors, laser_number_bytes(bytes, size), run->matrices.n_matrices);
    if (laser_run_adapter(run)[0] != '\0')
        laser_log_line(run->log, "ADAPTER", "%s: its change is added", laser_run_adapter(run));
    if (laser_run_base(run)[0] != '\0')
        laser_log_line(run->log, "BASE", "%s: its weights are subtracted%s", laser_run_base(run),
                       run->change != NULL ? "; what is edited are the differences" : "");
    laser_log_line(run->log, "LIMIT", "%s of memory a rank%s%s%s%s%s",
                   laser_number_bytes(run->memory_limit_bytes, limit), run->limit_name != NULL ? " (" : "",
                   run->limit_name != NULL ? run->limit_name : "", run->limit_name != NULL ? ")" : "",
                   max_time > 0 ? ", time " : "", max_time > 0 ? laser_number_time(max_time, time) : "");
    laser_say_groups(run);
}
