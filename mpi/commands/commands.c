#include "commands/commands.h"

#include "compress/command.h"
#include "kernels/dispatch.h"
#include "reduce/reduce.h"
#include "schedule/report.h"
#include "schedule/scan.h"

static const struct laser_mpi_command commands[] = {
    {LASER_COMMAND_SCAN, true, true, laser_mpi_command_scan},
    {LASER_COMMAND_PLAN, false, false, laser_mpi_command_plan},
    {LASER_COMMAND_DERIVE, false, false, laser_mpi_command_derive},
    {LASER_COMMAND_PERPLEXITY, true, true, laser_mpi_command_perplexity},
    {LASER_COMMAND_EVALUATE, true, true, laser_mpi_command_perplexity},
    {LASER_COMMAND_TASK, false, false, laser_mpi_command_task},
    {LASER_COMMAND_COMPARE, false, false, laser_mpi_command_compare},
    {LASER_COMMAND_REDUCE, true, true, laser_mpi_command_reduce},
    {LASER_COMMAND_SENSITIVITY, true, true, laser_mpi_command_sensitivity},
    {LASER_COMMAND_COMPRESS, true, true, laser_mpi_command_compress},
    {LASER_COMMAND_APPLY, true, true, laser_mpi_command_apply},
    {LASER_COMMAND_SHOW, false, false, laser_mpi_command_show},
    {LASER_COMMAND_MODELS, false, false, laser_mpi_command_models},
    {LASER_COMMAND_REPORT, false, false, laser_mpi_command_report},
    {LASER_COMMAND_EXPORT, false, false, laser_mpi_command_export},
    {LASER_COMMAND_GENERATE, false, true, laser_mpi_command_generate},
};

const struct laser_mpi_command *laser_mpi_command_find(enum laser_command command)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; ++i)
        if (commands[i].command == command)
            return &commands[i];
    return NULL;
}

void laser_mpi_set_threads(int threads)
{
    laser_kernels_set_threads(threads);
}

int laser_mpi_command_scan(struct laser_mpi_run *run, struct laser_error *err)
{
    int code = laser_mpi_run_open(run, err);

    return code == LASER_OK ? laser_mpi_scan(run, err) : code;
}
