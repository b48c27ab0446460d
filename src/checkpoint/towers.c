#include "config.h" /* _GNU_SOURCE */

#include "checkpoint/towers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/names.h"

struct place {
    const char *name, *type;
    size_t tower, row;
};

size_t laser_tower_length(const char *name)
{
    const char *rest;
    size_t n;

    if (laser_name_layer(name, &rest) < 0)
        return 0;
    if (rest == name) { /* nothing behind the number */
        const char *dot = strrchr(name, '.');
        return dot != NULL ? (size_t)(dot - name) : 0;
    }
    n = (size_t)(rest - name) - 1; /* the dot behind the number */
    while (n > 0 && name[n - 1] != '.')
        --n;
    return n > 0 ? n - 1 : 0;
}

static int compare_towers(const struct place *x, const struct place *y)
{
    size_t n = x->tower < y->tower ? x->tower : y->tower;
    int order = memcmp(x->name, y->name, n);

    return order != 0 ? order : (x->tower > y->tower) - (x->tower < y->tower);
}

static int by_type_and_tower(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = strcmp(x->type, y->type);

    return order != 0 ? order : compare_towers(x, y);
}

int laser_towers_share(const char *const *names, const char *const *types, size_t n, unsigned char *shared)
{
    struct place *places = malloc((n + 1) * sizeof *places);

    if (places == NULL)
        return 0;
    for (size_t i = 0; i < n; i++)
        places[i] = (struct place){names[i], types[i], laser_tower_length(names[i]), i};
    qsort(places, n, sizeof *places, by_type_and_tower);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first; end < n && strcmp(places[end].type, places[first].type) == 0;)
            ++end;
        for (size_t i = first; i < end; i++)
            shared[places[i].row] = compare_towers(&places[first], &places[end - 1]) != 0;
    }
    free(places);
    return 1;
}

char *laser_tower_type(const char *name, const char *type)
{
    char *text;

    return asprintf(&text, "%.*s:%s", (int)laser_tower_length(name), name, type) < 0 ? NULL : text;
}
