#include "corpus/overlap.h"

#include <inttypes.h>
#include <stdlib.h>

#include <xxhash.h>

struct piece {
    uint64_t hash;
    int64_t window;
};

static int by_hash(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->window < y->window ? -1 : x->window > y->window;
}

static uint64_t hash_of(const int32_t *tokens)
{
    return XXH3_64bits(tokens, LASER_OVERLAP_TOKENS * sizeof *tokens);
}

/* Tokens of the text that a window reads: behind what stands in for the first ones. */
static int64_t begin_of(const struct laser_window *w)
{
    return w->first + (w->prefix >= 0);
}

static int64_t pieces_of(const struct laser_window *w, int32_t dataset)
{
    int64_t end = w->first + w->n_tokens;

    return w->dataset == dataset ? 0 : (end - begin_of(w)) / LASER_OVERLAP_TOKENS;
}

/* The pieces of all windows, by their hashes. */
static struct piece *list_pieces(const struct laser_dataset *datasets, int32_t dataset,
                                 const struct laser_window *windows, int64_t n, int64_t *n_pieces)
{
    struct piece *list;
    int64_t count = 0;

    for (int64_t i = 0; i < n; ++i)
        count += pieces_of(&windows[i], dataset);
    list = malloc((size_t)count * sizeof *list + 1);
    *n_pieces = 0;
    for (int64_t i = 0; list != NULL && i < n; ++i) {
        const int32_t *tokens = datasets[windows[i].dataset].tokens + begin_of(&windows[i]);

        for (int64_t p = 0; p < pieces_of(&windows[i], dataset); ++p)
            list[(*n_pieces)++] = (struct piece){hash_of(tokens + p * LASER_OVERLAP_TOKENS), i};
    }
    if (list != NULL)
        qsort(list, (size_t)count, sizeof *list, by_hash);
    return list;
}

/* The first piece of this hash, or where it would be. */
static int64_t find(const struct piece *pieces, int64_t n, uint64_t hash)
{
    int64_t low = 0, high = n;

    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (pieces[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int laser_windows_overlap(const struct laser_dataset *datasets, int32_t dataset,
                          const struct laser_window *windows, int64_t n, int64_t *found, int64_t *of,
                          struct laser_error *err)
{
    const struct laser_dataset *d = &datasets[dataset];
    unsigned char *seen = calloc((size_t)n + 1, 1);
    int64_t n_pieces;
    struct piece *pieces = list_pieces(datasets, dataset, windows, n, &n_pieces);

    *found = *of = 0;
    if (seen == NULL || pieces == NULL) {
        free(seen);
        free(pieces);
        return laser_error_set(err, LASER_ENOMEM, d->name, "no memory to compare %" PRId64 " windows", n);
    }
    for (int64_t at = 0; n_pieces > 0 && at + LASER_OVERLAP_TOKENS <= d->n_tokens; ++at) {
        uint64_t hash = hash_of(d->tokens + at);

        for (int64_t i = find(pieces, n_pieces, hash); i < n_pieces && pieces[i].hash == hash; ++i)
            seen[pieces[i].window] = 1;
    }
    for (int64_t i = 0; i < n; ++i) {
        *of += pieces_of(&windows[i], dataset) > 0;
        *found += seen[i];
    }
    free(seen);
    free(pieces);
    return LASER_OK;
}
