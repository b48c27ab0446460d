/* Counts what one rank sends and receives, all of it, between MPI_Init and MPI_Finalize: a library to be
 * loaded before the program's own (LD_PRELOAD), by MPI's profiling interface.  Rank 0 says at the end:
 * `TRAFFIC MESSAGES BYTES LARGEST`.
 */
#include <mpi.h>
#include <stdio.h>

static long long messages, bytes, largest;

static void count(int n, MPI_Datatype type)
{
    int size = 0;
    long long moved;

    PMPI_Type_size(type, &size);
    moved = (long long)n * size;
    ++messages;
    bytes += moved;
    if (moved > largest)
        largest = moved;
}

int MPI_Send(const void *b, int n, MPI_Datatype t, int to, int tag, MPI_Comm c)
{
    count(n, t);
    return PMPI_Send(b, n, t, to, tag, c);
}

int MPI_Isend(const void *b, int n, MPI_Datatype t, int to, int tag, MPI_Comm c, MPI_Request *r)
{
    count(n, t);
    return PMPI_Isend(b, n, t, to, tag, c, r);
}

int MPI_Recv(void *b, int n, MPI_Datatype t, int from, int tag, MPI_Comm c, MPI_Status *s)
{
    count(n, t);
    return PMPI_Recv(b, n, t, from, tag, c, s);
}

int MPI_Irecv(void *b, int n, MPI_Datatype t, int from, int tag, MPI_Comm c, MPI_Request *r)
{
    count(n, t);
    return PMPI_Irecv(b, n, t, from, tag, c, r);
}

int MPI_Bcast(void *b, int n, MPI_Datatype t, int root, MPI_Comm c)
{
    count(n, t);
    return PMPI_Bcast(b, n, t, root, c);
}

int MPI_Ibcast(void *b, int n, MPI_Datatype t, int root, MPI_Comm c, MPI_Request *r)
{
    count(n, t);
    return PMPI_Ibcast(b, n, t, root, c, r);
}

int MPI_Reduce(const void *a, void *b, int n, MPI_Datatype t, MPI_Op o, int root, MPI_Comm c)
{
    count(n, t);
    return PMPI_Reduce(a, b, n, t, o, root, c);
}

int MPI_Allreduce(const void *a, void *b, int n, MPI_Datatype t, MPI_Op o, MPI_Comm c)
{
    count(n, t);
    return PMPI_Allreduce(a, b, n, t, o, c);
}

int MPI_Iallreduce(const void *a, void *b, int n, MPI_Datatype t, MPI_Op o, MPI_Comm c, MPI_Request *r)
{
    count(n, t);
    return PMPI_Iallreduce(a, b, n, t, o, c, r);
}

int MPI_Gather(const void *a, int n, MPI_Datatype t, void *b, int m, MPI_Datatype u, int root, MPI_Comm c)
{
    int size;

    PMPI_Comm_size(c, &size);
    count(m * size, u);
    return PMPI_Gather(a, n, t, b, m, u, root, c);
}

int MPI_Finalize(void)
{
    int rank;

    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0)
        fprintf(stderr, "TRAFFIC %lld %lld %lld\n", messages, bytes, largest);
    return PMPI_Finalize();
}
