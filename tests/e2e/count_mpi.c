/* Counts what one rank sends and receives, all of it, between MPI_Init and MPI_Finalize: a library to be
 * loaded before the program's own (LD_PRELOAD), by MPI's profiling interface.  Rank 0 says at the end:
 * `TRAFFIC MESSAGES BYTES LARGEST`.  With LASER_COUNT_RANKS in the environment every rank says `RANK R sent BYTES`: what it
 * sends, a collective of two ranks being one message (of more, the bytes of a tree's leaf: a lower bound).
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static long long messages, bytes, largest, sent;

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

static void send(int n, MPI_Datatype type)
{
    int size = 0;

    PMPI_Type_size(type, &size);
    sent += (long long)n * size;
}

static int is_me(int root, MPI_Comm c)
{
    int rank;

    PMPI_Comm_rank(c, &rank);
    return rank == root;
}

static int others(MPI_Comm c)
{
    int size;

    PMPI_Comm_size(c, &size);
    return size > 1;
}

int MPI_Rsend(const void *b, int n, MPI_Datatype t, int to, int tag, MPI_Comm c)
{
    count(n, t);
    send(n, t);
    return PMPI_Rsend(b, n, t, to, tag, c);
}

int MPI_Alltoallv(const void *a, const int *n, const int *from, MPI_Datatype t, void *b, const int *m,
                  const int *to, MPI_Datatype u, MPI_Comm c)
{
    int ranks, me;

    PMPI_Comm_size(c, &ranks);
    PMPI_Comm_rank(c, &me);
    for (int i = 0; i < ranks; ++i) {
        count(m[i], u);
        send(i != me ? n[i] : 0, t);
    }
    return PMPI_Alltoallv(a, n, from, t, b, m, to, u, c);
}

int MPI_Ssend(const void *b, int n, MPI_Datatype t, int to, int tag, MPI_Comm c)
{
    count(n, t);
    send(n, t);
    return PMPI_Ssend(b, n, t, to, tag, c);
}

int MPI_Sendrecv(const void *a, int n, MPI_Datatype t, int to, int tag, void *b, int m, MPI_Datatype u,
                 int from, int utag, MPI_Comm c, MPI_Status *s)
{
    count(n, t);
    send(n, t);
    return PMPI_Sendrecv(a, n, t, to, tag, b, m, u, from, utag, c, s);
}

int MPI_Send(const void *b, int n, MPI_Datatype t, int to, int tag, MPI_Comm c)
{
    count(n, t);
    send(n, t);
    return PMPI_Send(b, n, t, to, tag, c);
}

int MPI_Isend(const void *b, int n, MPI_Datatype t, int to, int tag, MPI_Comm c, MPI_Request *r)
{
    count(n, t);
    send(n, t);
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
    send(is_me(root, c) && others(c) ? n : 0, t);
    return PMPI_Bcast(b, n, t, root, c);
}

int MPI_Ibcast(void *b, int n, MPI_Datatype t, int root, MPI_Comm c, MPI_Request *r)
{
    count(n, t);
    send(is_me(root, c) && others(c) ? n : 0, t);
    return PMPI_Ibcast(b, n, t, root, c, r);
}

int MPI_Reduce(const void *a, void *b, int n, MPI_Datatype t, MPI_Op o, int root, MPI_Comm c)
{
    count(n, t);
    send(is_me(root, c) ? 0 : n, t);
    return PMPI_Reduce(a, b, n, t, o, root, c);
}

int MPI_Allreduce(const void *a, void *b, int n, MPI_Datatype t, MPI_Op o, MPI_Comm c)
{
    count(n, t);
    send(others(c) ? n : 0, t);
    return PMPI_Allreduce(a, b, n, t, o, c);
}

int MPI_Iallreduce(const void *a, void *b, int n, MPI_Datatype t, MPI_Op o, MPI_Comm c, MPI_Request *r)
{
    count(n, t);
    send(others(c) ? n : 0, t);
    return PMPI_Iallreduce(a, b, n, t, o, c, r);
}

int MPI_Gather(const void *a, int n, MPI_Datatype t, void *b, int m, MPI_Datatype u, int root, MPI_Comm c)
{
    int size;

    PMPI_Comm_size(c, &size);
    count(m * size, u);
    send(is_me(root, c) ? 0 : n, t);
    return PMPI_Gather(a, n, t, b, m, u, root, c);
}

int MPI_Finalize(void)
{
    int rank;

    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0)
        fprintf(stderr, "TRAFFIC %lld %lld %lld\n", messages, bytes, largest);
    if (getenv("LASER_COUNT_RANKS") != NULL)
        fprintf(stderr, "RANK %d sent %lld\n", rank, sent);
    return PMPI_Finalize();
}
