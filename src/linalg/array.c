#include "linalg/array.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

double *laser_array_zeros(size_t count)
{
    void *array = NULL;
    size_t size = count * sizeof(double);
    if (size < 2 * HUGE_PAGE)
        return calloc(count > 0 ? count : 1, sizeof(double));
    if (posix_memalign(&array, HUGE_PAGE, size) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    (void)madvise(array, size, MADV_HUGEPAGE);
#endif
    memset(array, 0, size);
    return array;
}
