#include "layout/gridshape.h"

#define NB_MIN 8
#define NB_MAX 64

/* The share of the time that does not shrink with all ranks but only with the rows or columns of the grid. */
#define EDGE_SHARE 0.05

static int block_size(int64_t side, int across)
{
    int64_t nb = side / (4 * (int64_t)across) / NB_MIN * NB_MIN;

    return nb < NB_MIN ? NB_MIN : nb > NB_MAX ? NB_MAX : (int)nb;
}

struct laser_grid_shape laser_layout_gridshape(int64_t m, int64_t n, int ranks)
{
    struct laser_grid_shape best = {1, 1, NB_MIN};
    int64_t side = m < n ? m : n, blocks = (side + NB_MIN - 1) / NB_MIN;
    double best_cost = 1.0 + 2 * EDGE_SHARE;
    int p, q;

    for (p = 1; (int64_t)p * p <= ranks && p <= blocks; p++) {
        double cost;

        q = ranks / p;
        if (q > blocks)
            q = (int)blocks;
        cost = 1.0 / ((double)p * q) + EDGE_SHARE * (1.0 / p + 1.0 / q);
        if (cost < best_cost) {
            best_cost = cost;
            best.nprow = p;
            best.npcol = q;
        }
    }
    if (best.nprow > best.npcol || (m > n && best.nprow < best.npcol)) {
        int t = best.nprow;

        best.nprow = best.npcol;
        best.npcol = t;
    }
    best.nb = block_size(side, best.nprow > best.npcol ? best.nprow : best.npcol);
    return best;
}
