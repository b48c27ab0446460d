#include "layout/blockcyclic.h"

int64_t laser_layout_numroc(int64_t n, int nb, int iproc, int nprocs)
{
    int64_t blocks = n / nb, mine = blocks / nprocs * nb, left = blocks % nprocs;

    if (iproc < left)
        mine += nb;
    else if (iproc == left)
        mine += n % nb;
    return mine;
}

int laser_layout_owner(int64_t global, int nb, int nprocs)
{
    return (int)(global / nb % nprocs);
}

int64_t laser_layout_local(int64_t global, int nb, int nprocs)
{
    return global / ((int64_t)nb * nprocs) * nb + global % nb;
}

int64_t laser_layout_global(int64_t local, int nb, int iproc, int nprocs)
{
    return (local / nb * nprocs + iproc) * nb + local % nb;
}

void laser_layout_part(int64_t n, int part, int parts, int64_t *first, int64_t *count)
{
    int64_t base = n / parts, extra = n % parts;

    *first = base * part + (part < extra ? part : extra);
    *count = base + (part < extra);
}
