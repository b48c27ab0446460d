#include "schedule/notes.h"

#include "base/number.h"
#include "checkpoint/beside.h"

void laser_mpi_say_beside(const struct laser_mpi_run *run)
{
    if (laser_beside_has_index(run->checkpoint))
        laser_mpi_log_line(
            run->log, "NOTE",
            "model.safetensors and model.safetensors.index.json are both in the model directory: "
            "model.safetensors is read, as by transformers; readers that follow the index get "
            "other weights");
    if (laser_beside_has_adapter(run->checkpoint))
        laser_mpi_log_line(run->log, "NOTE",
                           "adapter_config.json is in the model directory: this is the model without the "
                           "adapter, which transformers would attach");
}

void laser_mpi_say_left_out(const struct laser_mpi_run *run, const struct laser_writer *writer)
{
    char size[LASER_NUMBER_SIZE];

    if (writer->n_left_out > 0)
        laser_mpi_log_line(
            run->log, "LEFT OUT",
            "%d file%s with weights of the model as it was (%s; %s): --copy-other-weights takes "
            "%s along",
            writer->n_left_out, writer->n_left_out == 1 ? "" : "s", writer->left_out,
            laser_number_bytes((double)writer->left_out_bytes, size),
            writer->n_left_out == 1 ? "it" : "them");
}

void laser_mpi_say_whole(const struct laser_mpi_run *run)
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
        laser_mpi_log_line(run->log, "NOTE", "scan.split_fused: %lld matri%s left whole, the first is %s: %s",
                           (long long)n, n == 1 ? "x is" : "ces are", first->name, first->note);
}
