#include "kernels/scratch.h"

#include <stdlib.h>

int laser_scratch_reserve(struct laser_scratch *scratch, int64_t size_bytes, struct laser_error *err)
{
    void *data;

    if (size_bytes <= scratch->size_bytes)
        return LASER_OK;
    if (size_bytes > INT64_MAX - 63)
        return laser_error_set(err, LASER_ENOMEM, NULL, "working memory of %lld bytes",
                               (long long)size_bytes);
    size_bytes = (size_bytes + 63) / 64 * 64;
    data = aligned_alloc(64, (size_t)size_bytes);
    if (!data)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %lld bytes of working memory",
                               (long long)size_bytes);
    free(scratch->data);
    scratch->data = data;
    scratch->size_bytes = size_bytes;
    return LASER_OK;
}

void laser_scratch_free(struct laser_scratch *scratch)
{
    free(scratch->data);
    scratch->data = NULL;
    scratch->size_bytes = 0;
}
