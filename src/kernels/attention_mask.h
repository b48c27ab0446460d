/* Inside kernels/ only: which keys a block of queries sees, for the attention and its backward. */
#ifndef LASER_KERNELS_ATTENTION_MASK_H
#define LASER_KERNELS_ATTENTION_MASK_H

#include <math.h>
#include <string.h>

#include "kernels/attention.h"
#include "kernels/block.h"
#include "kernels/vec.h"

enum { LASER_QUERIES = LASER_BLOCK_COLUMNS }; /* in the lanes of a block of scores */

/* Where a block of scores stands. */
struct laser_attention_mask {
    int64_t first_distance; /* query position minus key position of lane 0 and the block's first key */
    int64_t window;
    bool causal;
    const int32_t *reach; /* [LASER_QUERIES] how far back each lane sees, itself included; NULL: no chunks */
};

/* Scores fall by the slope with the distance, which is `distance` in lane 0. */
LASER_INLINE void laser_attention_incline(float slope, int64_t distance, int first_lane, laser_vec *score)
{
    static const laser_vec lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

    *score -= slope * (lane + (float)(distance + first_lane));
}

/* Fills reach[LASER_QUERIES] of the queries from t on and returns it; NULL: no chunks. */
static inline const int32_t *laser_attention_reach(const struct laser_attention *a, int64_t t, int32_t *reach)
{
    if (!a->chunk)
        return NULL;
    for (int i = 0; i < LASER_QUERIES; i++)
        reach[i] = (int32_t)((a->query_offset + t + i) % a->chunk + 1);
    return reach;
}

/* Scores of lanes that may not see the key at this distance (of lane 0) become -Infinity. */
LASER_INLINE void laser_attention_hide(const struct laser_attention_mask *mask, int64_t distance,
                                       int first_lane, laser_vec *score)
{
    static const laser_vec_mask lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    laser_vec nothing;
    laser_vec_mask seen, far;
    int32_t window = mask->window > INT32_MAX / 4 ? INT32_MAX / 4 : (int32_t)mask->window;

    far = lane + (int32_t)distance + first_lane;
    seen = far >= (mask->causal ? 0 : INT32_MIN);
    if (window)
        seen &= (far < window) & (far > -window);
    if (mask->reach) {
        laser_vec_mask reach;

        memcpy(&reach, mask->reach + first_lane, sizeof reach);
        seen &= far < reach;
    }
    laser_vec_fill(&nothing, -INFINITY);
    laser_vec_select(score, &seen, score, &nothing);
}

LASER_INLINE bool laser_attention_all_see(const struct laser_attention_mask *mask, int64_t distance)
{
    if ((mask->causal && distance < 0) || mask->reach)
        return false;
    return !mask->window || (distance + LASER_QUERIES - 1 < mask->window && distance > -mask->window);
}

/* Keys that any of the queries t .. t + count - 1 sees: *low (a multiple of 14) up to *high. */
static inline void laser_attention_range(const struct laser_attention *a, int64_t length, int64_t t,
                                         int64_t count, int64_t *low, int64_t *high)
{
    int64_t first = a->query_offset + t, last = first + count - 1;

    *low = 0;
    *high = length;
    if (a->causal && *high > last + 1)
        *high = last + 1;
    if (a->window) {
        if (*high > last + a->window)
            *high = last + a->window;
        if (first - a->window + 1 > 0)
            *low = (first - a->window + 1) / LASER_BLOCK_ROWS * LASER_BLOCK_ROWS;
    }
    if (a->chunk && first / a->chunk * a->chunk > *low)
        *low = first / a->chunk * a->chunk / LASER_BLOCK_ROWS * LASER_BLOCK_ROWS;
}

static inline int64_t laser_attention_length(const struct laser_attention *a, int64_t sequence)
{
    return a->lengths && a->lengths[sequence] < a->keys ? a->lengths[sequence] : a->keys;
}

#endif
