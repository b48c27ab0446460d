#include "corpus/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct draw {
    uint64_t key;
    int64_t window;
};

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014) */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static int compare_draws(const void *x, const void *y)
{
    const struct draw *a = x, *b = y;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->window < b->window ? -1 : a->window > b->window;
}

/* Items begin .. end - 1 are of one data set. */
static void split_dataset(int32_t dataset, int64_t begin, int64_t end, enum laser_split_kind kind,
                          double fraction, uint64_t seed, struct draw *draws, unsigned char *selected)
{
    int64_t n = end - begin, wanted = (int64_t)floor(fraction * (double)n + 0.5);
    wanted = wanted < 1 ? 1 : wanted > n - 1 ? n - 1 : wanted;
    for (int64_t i = 0; i < n; i++) {
        uint64_t key = mix(mix(seed) ^ mix((uint64_t)dataset) ^ (uint64_t)i);
        draws[i] = (struct draw){.key = kind == LASER_SPLIT_SEEDED ? key : (uint64_t)i, .window = begin + i};
    }
    qsort(draws, (size_t)n, sizeof *draws, compare_draws);
    for (int64_t i = 0; i < n; i++)
        selected[draws[i].window] = i < wanted;
}

int laser_items_split(const int32_t *dataset, int64_t n, enum laser_split_kind kind, double fraction,
                      uint64_t seed, unsigned char *selected, struct laser_error *err)
{
    if (!(fraction > 0 && fraction < 1))
        return laser_error_set(err, LASER_EUSAGE, "split fraction", "%g; expected between 0 and 1", fraction);
    struct draw *draws = calloc((size_t)n + 1, sizeof *draws);
    if (!draws)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory to split %lld items", (long long)n);
    int result = LASER_OK;
    for (int64_t begin = 0, end; result == LASER_OK && begin < n; begin = end) {
        for (end = begin + 1; end < n && dataset[end] == dataset[begin];)
            end++;
        if (end - begin < 2)
            result = laser_error_set(err, LASER_EINPUT, NULL,
                                     "data set %d has a single item, which cannot be split", dataset[begin]);
        else
            split_dataset(dataset[begin], begin, end, kind, fraction, seed, draws, selected);
    }
    free(draws);
    return result;
}

int laser_windows_split(const struct laser_window *windows, int64_t n_windows, enum laser_split_kind kind,
                        double fraction, uint64_t seed, unsigned char *selected, struct laser_error *err)
{
    int32_t *dataset = malloc((size_t)n_windows * sizeof *dataset + 1);
    int result;

    if (!dataset)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory to split %lld windows",
                               (long long)n_windows);
    for (int64_t i = 0; i < n_windows; i++)
        dataset[i] = windows[i].dataset;
    result = laser_items_split(dataset, n_windows, kind, fraction, seed, selected, err);
    free(dataset);
    return result;
}
