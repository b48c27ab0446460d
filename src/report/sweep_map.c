#include "report/sweep_map.h"

#include <stdlib.h>
#include <string.h>

int64_t laser_sweep_layer(const json_t *layer)
{
    if (json_is_integer(layer))
        return json_integer_value(layer);
    return json_is_string(layer) ? -2 : -1;
}

/* One row of a map for each cell that was measured: at most layers x types.  Returns how many. */
static size_t sweep_rows(const json_t *table, struct laser_scan_row *rows)
{
    const json_t *layers = json_object_get(table, "layers"), *types = json_object_get(table, "types");
    const json_t *gains = json_object_get(table, "gain");
    size_t n = 0;

    for (size_t l = 0; l < json_array_size(layers); ++l)
        for (size_t t = 0; t < json_array_size(types); ++t) {
            const json_t *gain = json_array_get(json_array_get(gains, l), t);
            const char *type = json_string_value(json_array_get(types, t));
            if (!json_is_number(gain) || type == NULL)
                continue;
            rows[n++] = (struct laser_scan_row){.name = type,
                                                .type = type,
                                                .layer = laser_sweep_layer(json_array_get(layers, l)),
                                                .score = json_number_value(gain)};
        }
    return n;
}

void laser_sweep_map(struct laser_text *out, const json_t *table, const struct laser_heat_style *style)
{
    size_t n =
        json_array_size(json_object_get(table, "layers")) * json_array_size(json_object_get(table, "types"));
    const char *unit = json_string_value(json_object_get(table, "unit"));
    struct laser_scan_row *rows = calloc(n + 1, sizeof *rows);

    if (rows == NULL) {
        out->failed = 1;
        return;
    }
    n = sweep_rows(table, rows);
    if (n > 0) {
        laser_text_printf(out,
                          "Best gain of each layer and type over the kept fractions, %s (more is better)\n\n",
                          unit != NULL ? unit : "in units of the objective");
        laser_heat_map(out, rows, n, style);
    }
    free(rows);
}
