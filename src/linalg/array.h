/* Large arrays of doubles.  Private to this module. */
#ifndef LASER_LINALG_ARRAY_H
#define LASER_LINALG_ARRAY_H

#include <stddef.h>

/* count doubles, all zero, or NULL; released by free().  Asks for huge pages where that helps: a column of a
 * large matrix touches a page of its own for every entry of a row. */
double *laser_array_zeros(size_t count);

#endif
