/* Names of factored modules, and which tensors are factored. */
#include <stdio.h>
#include <string.h>

#include "compress/factored_parts.h"

bool laser_factored_module(const char *tensor, char *module, size_t size)
{
    size_t n = strlen(tensor), tail = strlen(".weight");

    if (n <= tail || n >= size || strcmp(tensor + n - tail, ".weight") != 0)
        return false;
    snprintf(module, size, "%.*s", (int)(n - tail), tensor);
    return true;
}

const struct laser_factor_pair *laser_factored_pair(const struct laser_factored *w,
                                                    const struct laser_tensor *t)
{
    int i = w->pair_of[t - w->writer->c->tensors];

    return i >= 0 ? &w->pairs[i] : NULL;
}
