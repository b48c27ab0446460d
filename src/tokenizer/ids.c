/* Token ids that are appended one after another. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/model.h"

void laser_ids_add_all(struct laser_ids *v, const int32_t *ids, size_t n)
{
    if (v->failed || n == 0)
        return;
    if (v->cap - v->n < n) {
        size_t cap = v->cap + v->cap / 2 + n + 64;
        int32_t *p = cap < SIZE_MAX / sizeof(*p) ? realloc(v->at, cap * sizeof(*p)) : NULL;
        if (!p) {
            v->failed = true;
            return;
        }
        v->at = p;
        v->cap = cap;
    }
    memcpy(v->at + v->n, ids, n * sizeof(*ids));
    v->n += n;
}

void laser_ids_add(struct laser_ids *v, int32_t id)
{
    if (v->n < v->cap)
        v->at[v->n++] = id;
    else
        laser_ids_add_all(v, &id, 1);
}
