/* Process grid and block size for a group of ranks and one matrix. */
#ifndef LASER_LAYOUT_GRIDSHAPE_H
#define LASER_LAYOUT_GRIDSHAPE_H

#include <stdint.h>

struct laser_grid_shape {
    int nprow, npcol; /* nprow * npcol <= ranks; the other ranks of the group idle */
    int nb;           /* block size, the same in both directions: 8 .. 64 */
};

/* Shape for an m x n matrix (m, n >= 1, the order does not change what is used) on `ranks` >= 1 ranks.
 * As square as the number of ranks allows without leaving many idle, the longer direction of the grid along
 * the longer side of the matrix, and never more process rows or columns than blocks of the short side. */
struct laser_grid_shape laser_layout_gridshape(int64_t m, int64_t n, int ranks);

#endif
