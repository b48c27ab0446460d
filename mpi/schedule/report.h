/* report.html, from what stands in an output directory. */
#ifndef LASER_MPI_SCHEDULE_REPORT_H
#define LASER_MPI_SCHEDULE_REPORT_H

#include "schedule/run.h"

/* Rank 0, at the end of a run whose files are written: run->output gets its report.html.  What the run has
 * computed is safe by then, so a report that cannot be made is a warning in the log and no error. */
void laser_mpi_report_make(struct laser_mpi_run *run);

/* Every rank, before the work: has this program the formats that report.figures asks for?  LASER_EUSAGE. */
int laser_mpi_report_check(const struct laser_deck *deck, struct laser_error *err);

/* The command `report`: collective, as all commands. */
int laser_mpi_command_report(struct laser_mpi_run *run, struct laser_error *err);

#endif
