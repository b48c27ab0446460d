/* Scores of matrices as a grid of layers by types, for maps. */
#ifndef LASER_REPORT_LAYER_GRID_H
#define LASER_REPORT_LAYER_GRID_H

#include <stddef.h>
#include <stdint.h>

#include "report/scan_report.h"

struct laser_grid_cell {
    double sum; /* of the n scores that are numbers */
    int n;
    int nans;   /* matrices whose score is not a number */
    int zeros;  /* of these, those whose entries are all 0 */
    int failed; /* matrices that have none */
};

struct laser_layer_grid {
    char **types; /* experts of one kind are one type: "mlp.experts.*.up_proj" */
    size_t n_types;
    int64_t *layers; /* ascending, then -2 (all layers) and -1 (none) */
    size_t n_layers;
    struct laser_grid_cell *cells; /* n_layers x n_types */
    double *sorted;                /* the cells' means, ascending */
    size_t n_sorted;
};

/* The scanned and failed rows.  customary: types in the order in which a decoder layer has them (queries to
 * outputs, attention before MLP), else as they appear.  0 without memory.  Free it in any case. */
int laser_layer_grid_make(struct laser_layer_grid *grid, const struct laser_scan_row *rows, size_t count,
                          int customary);
void laser_layer_grid_free(struct laser_layer_grid *grid);

/* "mlp.experts.17.up_proj" as "mlp.experts.*.up_proj": numbers between dots become stars.  The caller frees
 * it; NULL without memory. */
char *laser_type_display(const char *type);

/* The place of a type in the customary order, for qsort of char *. */
int laser_type_compare(const void *a, const void *b);

/* Length of the tower that a type begins with ("vision_tower.encoder.layers:self_attn.q_proj"), 0 where it
 * has none. */
size_t laser_type_tower(const char *type);

#endif
