/* The commands of the program that work on a model or on results. */
#ifndef LASER_MPI_COMMANDS_COMMANDS_H
#define LASER_MPI_COMMANDS_COMMANDS_H

#include "schedule/run.h"

struct laser_mpi_command {
    enum laser_command command;
    bool is_job; /* its log has a head and a table of phases, and ends with JOB DONE */
    bool stops;  /* it looks for requests to stop; without that a signal ends it */
    /* Collective over run->world; the same code on every rank. */
    int (*run)(struct laser_run *run, struct laser_error *err);
    int (*alone)(struct laser_run *run, struct laser_error *err); /* instead: rank 0's, the others wait */
};

/* NULL if the program has no such command. */
const struct laser_mpi_command *laser_mpi_command_find(enum laser_command command);

/* Collective over run->world.  Runs a command; the same code on every rank. */
int laser_mpi_command_run(const struct laser_mpi_command *command, struct laser_run *run,
                          struct laser_error *err);

/* Threads of the kernels of the forward pass. */
void laser_mpi_set_threads(int threads);

int laser_mpi_command_scan(struct laser_run *run, struct laser_error *err);
int laser_mpi_command_plan(struct laser_run *run, struct laser_error *err);
int laser_mpi_command_compare(struct laser_run *run, struct laser_error *err);
int laser_mpi_command_perplexity(struct laser_run *run, struct laser_error *err);
int laser_mpi_command_sensitivity(struct laser_run *run, struct laser_error *err);
int laser_mpi_command_export(struct laser_run *run, struct laser_error *err);
int laser_mpi_command_generate(struct laser_run *run, struct laser_error *err);
int laser_mpi_command_apply(struct laser_run *run, struct laser_error *err);

#endif
