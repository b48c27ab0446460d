/* Does this MPI know of the launcher that started it?  `srun` without the PMI of this MPI, or the mpiexec of
 * another MPI, starts N programs of one rank each, which would all do the same work and write the same files.
 */
#ifndef LASER_MPI_COMM_LAUNCH_H
#define LASER_MPI_COMM_LAUNCH_H

#include <stdbool.h>

#include "base/error.h"

/* Notes what the environment says.  Before MPI_Init, which may set such variables itself. */
void laser_mpi_launch_look(void);

/* LASER_EUSAGE if a launcher has started several tasks (OMPI_COMM_WORLD_SIZE, PMI_SIZE, the tasks of SLURM's
 * step, in this order: the innermost one counts) and this is a world of one.  Every task finds that by
 * itself. */
int laser_mpi_launch_check(int world_size, struct laser_error *err);

/* True after a check that has failed in a task other than the first, which has said it already. */
bool laser_mpi_launch_repeats(void);

/* Tasks of the SLURM job, if this one process was started in its script without a launcher; else 0. */
int laser_mpi_launch_forgotten(int world_size);

#endif
