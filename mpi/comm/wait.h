/* Waiting without burning a core: an MPI rank that blocks in a receive or a collective spins at full speed.
 * These poll, and sleep longer the longer nothing comes (a millisecond, after seconds of nothing five).
 */
#ifndef LASER_MPI_COMM_WAIT_H
#define LASER_MPI_COMM_WAIT_H

#include <mpi.h>

/* State of one wait; begin with {0}. */
struct laser_mpi_pause {
    int polls;
};

/* Lets time pass after a poll that found nothing. */
void laser_mpi_pause(struct laser_mpi_pause *pause);

/* MPI_Wait that sleeps. */
void laser_mpi_wait(MPI_Request *request, MPI_Status *status);

/* MPI_Barrier that sleeps: collective over comm. */
void laser_mpi_barrier(MPI_Comm comm);

#endif
