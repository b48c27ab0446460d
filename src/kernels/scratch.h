/* Working memory of the kernels: reserved once, used by every call, so that no loop allocates.
 * Each kernel says how much it needs; the caller reserves the largest. */
#ifndef LASER_KERNELS_SCRATCH_H
#define LASER_KERNELS_SCRATCH_H

#include <stdint.h>

#include "base/error.h"

struct laser_scratch {
    void *data; /* aligned to 64 bytes; contents are undefined between calls */
    int64_t size_bytes;
};

/* Grows *scratch (zero-initialised by its owner before the first call) to at least size_bytes; never shrinks.
 * LASER_ENOMEM leaves it as it was.  Free with laser_scratch_free. */
int laser_scratch_reserve(struct laser_scratch *scratch, int64_t size_bytes, struct laser_error *err);

void laser_scratch_free(struct laser_scratch *scratch);

#endif
