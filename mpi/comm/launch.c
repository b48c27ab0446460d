#include "comm/launch.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SLURM numbers the steps that srun makes from 0; those of the script itself are above this. */
#define LAST_STEP 4000000000LL

static struct {
    const char *launcher; /* what says so; NULL: no launcher */
    long long tasks, rank;
    bool refused;
    long long script_tasks; /* of a job script that started us by itself */
} launch;

/* A whole number in the environment; 0 where there is none. */
static long long number(const char *name)
{
    const char *text = getenv(name);

    return text != NULL ? strtoll(text, NULL, 10) : 0;
}

/* Are we a task of a step that srun has made?  A job script has SLURM_NTASKS, too. */
static bool is_step(void)
{
    const char *step = getenv("SLURM_STEP_ID");

    if (step == NULL)
        step = getenv("SLURM_STEPID");
    return number("SLURM_PROCID") > 0 || (step != NULL && strtoll(step, NULL, 10) < LAST_STEP);
}

void laser_mpi_launch_look(void)
{
    launch.rank = number("OMPI_COMM_WORLD_RANK") + number("PMI_RANK") + number("SLURM_PROCID");
    if ((launch.tasks = number("OMPI_COMM_WORLD_SIZE")) > 0) {
        launch.launcher = "mpirun of Open MPI (OMPI_COMM_WORLD_SIZE)";
    } else if ((launch.tasks = number("PMI_SIZE")) > 0) {
        launch.launcher = getenv("SLURM_PROCID") != NULL ? "srun (PMI_SIZE)" : "mpiexec (PMI_SIZE)";
    } else if ((launch.tasks = number("SLURM_STEP_NUM_TASKS")) > 0) {
        launch.launcher = "srun (SLURM_STEP_NUM_TASKS)";
    } else if (is_step() && (launch.tasks = number("SLURM_NTASKS")) > 0) {
        launch.launcher = "srun (SLURM_NTASKS)";
    } else {
        launch.script_tasks = number("SLURM_NTASKS");
    }
}

int laser_mpi_launch_check(int world_size, struct laser_error *err)
{
    if (world_size != 1 || launch.launcher == NULL || launch.tasks <= 1)
        return LASER_OK;
    launch.refused = true;
    return laser_error_set(
        err, LASER_EUSAGE, "MPI",
        "%s has started %lld tasks, and for MPI each of them is alone: it does not know this launcher. %s",
        launch.launcher, launch.tasks,
        strncmp(launch.launcher, "srun", 4) == 0
            ? "`srun --mpi=list` names what srun can serve: srun --mpi=pmix (or pmi2), or mpirun within the "
              "job"
            : "Start it with the mpirun of the MPI that `laser_mpi --version` names");
}

bool laser_mpi_launch_repeats(void)
{
    return launch.refused && launch.rank > 0;
}

int laser_mpi_launch_forgotten(int world_size)
{
    return world_size == 1 && launch.script_tasks > 1 ? (int)launch.script_tasks : 0;
}
