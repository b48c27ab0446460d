#include "commands/commands.h"

#include "comm/agree.h"
#include "commands/serial.h"
#include "compress/command.h"
#include "kernels/dispatch.h"
#include "reduce/reduction.h"
#include "schedule/scan.h"

static const struct laser_mpi_command commands[] = {
    {LASER_COMMAND_SCAN, true, true, laser_mpi_command_scan, NULL},
    {LASER_COMMAND_PLAN, false, false, laser_mpi_command_plan, NULL},
    {LASER_COMMAND_DERIVE, false, false, NULL, laser_command_derive},
    {LASER_COMMAND_PERPLEXITY, true, true, laser_mpi_command_perplexity, NULL},
    {LASER_COMMAND_EVALUATE, true, true, laser_mpi_command_perplexity, NULL},
    {LASER_COMMAND_TASK, false, false, NULL, laser_command_task},
    {LASER_COMMAND_COMPARE, false, false, laser_mpi_command_compare, NULL},
    {LASER_COMMAND_REDUCE, true, true, laser_mpi_command_reduce, NULL},
    {LASER_COMMAND_SENSITIVITY, true, true, laser_mpi_command_sensitivity, NULL},
    {LASER_COMMAND_COMPRESS, true, true, laser_mpi_command_compress, NULL},
    {LASER_COMMAND_APPLY, true, true, laser_mpi_command_apply, NULL},
    {LASER_COMMAND_SHOW, false, false, NULL, laser_command_show},
    {LASER_COMMAND_MODELS, false, false, NULL, laser_command_models},
    {LASER_COMMAND_TOKENIZE, false, false, NULL, laser_command_tokenize},
    {LASER_COMMAND_REPORT, false, false, NULL, laser_command_report},
    {LASER_COMMAND_EXPORT, false, false, laser_mpi_command_export, NULL},
    {LASER_COMMAND_GENERATE, false, true, laser_mpi_command_generate, NULL},
};

const struct laser_mpi_command *laser_mpi_command_find(enum laser_command command)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; ++i)
        if (commands[i].command == command)
            return &commands[i];
    return NULL;
}

int laser_mpi_command_run(const struct laser_mpi_command *command, struct laser_run *run,
                          struct laser_error *err)
{
    int code = LASER_OK;

    if (command->run != NULL)
        return command->run(run, err);
    if (run->rank == 0)
        code = command->alone(run, err);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

void laser_mpi_set_threads(int threads)
{
    laser_kernels_set_threads(threads);
}

int laser_mpi_command_scan(struct laser_run *run, struct laser_error *err)
{
    int code = laser_mpi_run_open(run, err);

    return code == LASER_OK ? laser_mpi_scan(run, err) : code;
}
