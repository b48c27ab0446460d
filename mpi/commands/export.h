/* Files for other programs from a scan. */
#ifndef LASER_MPI_COMMANDS_EXPORT_H
#define LASER_MPI_COMMANDS_EXPORT_H

#include "exchange/export.h"
#include "schedule/scan_load.h"

/* Rank 0.  What the deck's section `export` asks for, into run->output (made if it is not there), but for
 * what needs the weights. */
int laser_mpi_export_texts(struct laser_mpi_run *run, const struct laser_mpi_scan_input *input,
                           struct laser_error *err);

/* Rank 0.  The deck's formats, rule and rank; the caller sets meta, rows and count.  LASER_EUSAGE: a metric
 * that no row has, top and bottom percent together. */
int laser_mpi_export_settings(const struct laser_mpi_run *run, const struct laser_mpi_scan_input *input,
                              struct laser_export *e, unsigned *formats, struct laser_error *err);

/* Collective.  For the formats pissa and milora: an adapter of the largest (PiSSA, arXiv 2404.02948) or
 * smallest (MiLoRA, arXiv 2406.09044) singular components of the picked modules, B A = U_r S_r V_r^T with S_r
 * shared evenly, and the model without them: OUT/NAME/adapter_*, OUT/NAME/base.  e and formats: rank 0's. The
 * model is the deck's.  LASER_EINPUT where it lacks a module. */
int laser_mpi_export_inits(struct laser_mpi_run *run, unsigned formats, const struct laser_export *e,
                           struct laser_error *err);

#endif
