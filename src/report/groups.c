#include "report/groups.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct keyed {
    const char *key;
    size_t row;
    size_t first; /* row where its key appears first */
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int order = strcmp(x->key, y->key);

    return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

static int by_appearance(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;

    if (x->first != y->first)
        return x->first > y->first ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

int laser_row_groups_make(struct laser_row_groups *groups, const char *const *keys, size_t nrows)
{
    struct keyed *items = calloc(nrows + 1, sizeof *items);
    size_t n = 0;

    memset(groups, 0, sizeof *groups);
    groups->order = calloc(nrows + 1, sizeof *groups->order);
    groups->start = calloc(nrows + 1, sizeof *groups->start);
    if (items == NULL || groups->order == NULL || groups->start == NULL) {
        free(items);
        laser_row_groups_free(groups);
        return 0;
    }
    for (size_t i = 0; i < nrows; i++) {
        if (keys[i] == NULL)
            continue;
        items[n].key = keys[i];
        items[n++].row = i;
    }
    qsort(items, n, sizeof *items, by_key);
    for (size_t i = 0; i < n; i++)
        items[i].first =
            i > 0 && strcmp(items[i].key, items[i - 1].key) == 0 ? items[i - 1].first : items[i].row;
    qsort(items, n, sizeof *items, by_appearance);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || items[i].first != items[i - 1].first)
            groups->start[groups->count++] = i;
        groups->order[i] = items[i].row;
    }
    groups->start[groups->count] = n;
    free(items);
    return 1;
}

void laser_row_groups_free(struct laser_row_groups *groups)
{
    free(groups->order);
    free(groups->start);
    memset(groups, 0, sizeof *groups);
}

struct scored {
    double score;
    size_t row, position;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;

    if (isnan(x->score) != isnan(y->score))
        return isnan(x->score) ? 1 : -1;
    if (x->score != y->score && !isnan(x->score))
        return x->score < y->score ? 1 : -1;
    return (x->position > y->position) - (x->position < y->position);
}

int laser_rows_sort(const struct laser_scan_row *rows, size_t *order, size_t n)
{
    struct scored *items = calloc(n + 1, sizeof *items);

    if (items == NULL)
        return 0;
    for (size_t i = 0; i < n; i++) {
        items[i].score = rows[order[i]].score;
        items[i].row = order[i];
        items[i].position = i;
    }
    qsort(items, n, sizeof *items, by_score);
    for (size_t i = 0; i < n; i++)
        order[i] = items[i].row;
    free(items);
    return 1;
}
