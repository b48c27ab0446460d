/* The part of BLACS, PBLAS and ScaLAPACK that is used here; no vendor header is common to all builds. */
#ifndef LASER_MPI_GRID_BLACS_H
#define LASER_MPI_GRID_BLACS_H

#include <mpi.h>

int Csys2blacs_handle(MPI_Comm comm);
void Cfree_blacs_system_handle(int handle);
void Cblacs_gridinit(int *context, const char *order, int nprow, int npcol);
void Cblacs_gridexit(int context);
void Cblacs_gridinfo(int context, int *nprow, int *npcol, int *myrow, int *mycol);
void Cblacs_set(int context, int what, int *value);

#endif
