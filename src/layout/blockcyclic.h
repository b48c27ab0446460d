/* Two-dimensional block-cyclic layout, one dimension at a time: ScaLAPACK's rule with the first block on
 * process 0, in 64-bit integers and counted from 0.  Pure arithmetic; arguments must be in range.
 * Source: ScaLAPACK Users' Guide, section 4.3 (NUMROC, INDXG2L, INDXG2P, INDXL2G).
 */
#ifndef LASER_LAYOUT_BLOCKCYCLIC_H
#define LASER_LAYOUT_BLOCKCYCLIC_H

#include <stdint.h>

/* How many of the global indices 0 .. n-1 process iproc of nprocs owns, in blocks of nb. */
int64_t laser_layout_numroc(int64_t n, int nb, int iproc, int nprocs);

/* The process that owns a global index. */
int laser_layout_owner(int64_t global, int nb, int nprocs);

/* The local index of a global index, on the process that owns it. */
int64_t laser_layout_local(int64_t global, int nb, int nprocs);

/* The global index of a local index of process iproc. */
int64_t laser_layout_global(int64_t local, int nb, int iproc, int nprocs);

/* Part `part` of the range 0 .. n-1 cut into `parts` contiguous parts whose lengths differ by at most one,
 * the longer ones first: *first .. *first + *count - 1; *count is 0 where n < parts. */
void laser_layout_part(int64_t n, int part, int parts, int64_t *first, int64_t *count);

#endif
