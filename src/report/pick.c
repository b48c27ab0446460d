#include "report/pick.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/groups.h"

int laser_row_metric(const struct laser_scan_row *row, const char *name, double *value)
{
    const struct {
        const char *name;
        double value;
    } own[] = {{"score", row->score}, {"snr", row->snr},     {"threshold", row->threshold},
               {"s_max", row->s_max}, {"s_min", row->s_min}, {"rank", (double)row->rank}};

    /* First what a reader has put there: a foreign scan has neither rank nor threshold. */
    for (int i = 0; i < row->nnumbers; i++)
        if (strcmp(row->numbers[i].name, name) == 0) {
            *value = row->numbers[i].value;
            return 1;
        }
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(own[i].name, name) == 0) {
            *value = own[i].value;
            return 1;
        }
    return 0;
}

/* The rows with what is sorted by as their score. */
static struct laser_scan_row *keyed(const struct laser_scan_row *rows, size_t count,
                                    const struct laser_pick_rule *rule)
{
    struct laser_scan_row *copy = calloc(count + 1, sizeof *copy);

    for (size_t i = 0; copy != NULL && i < count; i++) {
        double value = NAN;

        copy[i] = rows[i];
        if (!laser_row_metric(&rows[i], rule->metric != NULL ? rule->metric : "score", &value))
            value = NAN;
        copy[i].score = rule->bottom ? -value : value;
    }
    return copy;
}

static void mark(struct laser_pick *pick, const struct laser_scan_row *rows, const size_t *order, size_t n,
                 int percent)
{
    size_t wanted = n * (size_t)percent / 100;

    for (size_t i = 0; i < wanted && !isnan(rows[order[i]].score); i++) {
        pick->picked[order[i]] = 1;
        pick->n_picked++;
    }
}

/* All scanned rows in one list. */
static int mark_overall(struct laser_pick *pick, const struct laser_scan_row *rows, size_t count, int percent)
{
    size_t *order = malloc((count + 1) * sizeof *order), n = 0;
    int good = order != NULL;

    for (size_t i = 0; good && i < count; i++)
        if (rows[i].status == LASER_SCAN_SCANNED && !rows[i].is_zero)
            order[n++] = i;
    good = good && laser_rows_sort(rows, order, n);
    if (good)
        mark(pick, rows, order, n, percent);
    free(order);
    return good;
}

static int group(struct laser_pick *pick, const struct laser_scan_row *rows, size_t count)
{
    const char **keys = calloc(count + 1, sizeof *keys);
    struct laser_row_groups groups = {0};
    int good = keys != NULL;

    for (size_t i = 0; good && i < count; i++)
        keys[i] = rows[i].status == LASER_SCAN_SCANNED && !rows[i].is_zero ? rows[i].type : NULL;
    good = good && laser_row_groups_make(&groups, keys, count);
    pick->types = calloc(groups.count + 1, sizeof *pick->types);
    pick->picked = calloc(count + 1, 1);
    good = good && pick->types != NULL && pick->picked != NULL;
    for (size_t g = 0; good && g < groups.count; g++) {
        pick->types[g] = keys[groups.order[groups.start[g]]];
        good = laser_rows_sort(rows, groups.order + groups.start[g], groups.start[g + 1] - groups.start[g]);
    }
    pick->order = groups.order;
    pick->start = groups.start;
    pick->n_types = groups.count;
    free(keys);
    return good;
}

int laser_pick_make(struct laser_pick *pick, const struct laser_scan_row *rows, size_t count,
                    const struct laser_pick_rule *rule)
{
    struct laser_scan_row *copy = keyed(rows, count, rule);
    int good;

    *pick = (struct laser_pick){0};
    good = copy != NULL && group(pick, copy, count);
    if (good && rule->overall)
        good = mark_overall(pick, copy, count, rule->percent);
    for (size_t g = 0; good && !rule->overall && g < pick->n_types; g++)
        mark(pick, copy, pick->order + pick->start[g], pick->start[g + 1] - pick->start[g], rule->percent);
    free(copy);
    return good;
}

void laser_pick_free(struct laser_pick *pick)
{
    free(pick->order);
    free(pick->start);
    free(pick->types);
    free(pick->picked);
    *pick = (struct laser_pick){0};
}
