#include "sensitivity/site_part.h"

/* Outputs of a part among those of the whole: blocks of so many, one every stride. */
struct outputs {
    int64_t first, rows, block, stride;
};

static struct outputs outputs_of(const struct laser_model_linear_site *site, const struct laser_matrix *m)
{
    if (site->transposed)
        return (struct outputs){m->col0, m->cols, m->cols, m->cols};
    return (struct outputs){(m->first - site->origin) / m->ld, m->rows, m->block_rows, m->block_stride};
}

/* The next outputs of a piece, from `at` on, that are together inside the part or outside of it: how many; *place: where
 * they are in the part, -1: outside. */
static int64_t next_run(const struct outputs *o, int64_t at, int64_t end, int64_t *place)
{
    int64_t from = at - o->first, within = from >= 0 ? from % o->stride : 0, run;

    *place = -1;
    if (from < 0)
        run = -from;
    else if (from / o->stride * o->block >= o->rows)
        run = end - at;
    else if (within >= o->block)
        run = o->stride - within;
    else {
        *place = from / o->stride * o->block + within;
        run = o->block - within;
    }
    return run < end - at ? run : end - at;
}

bool laser_site_part(const struct laser_model_linear_site *site, const struct laser_matrix *m,
                     struct laser_model_rows *room, struct laser_model_linear_site *part, int64_t *offset)
{
    const struct outputs o = outputs_of(site, m);
    int64_t at = 0, behind = -1, place;

    *part = *site;
    part->rows = o.rows;
    part->piece = room;
    part->pieces = part->row_count = 0;
    *offset = 0;
    if (m->col_step != 1)
        return false;
    for (int64_t i = 0; i < site->pieces; ++i) {
        int64_t row = site->piece[i].first, end = row + site->piece[i].count;

        for (int64_t run; row < end; row += run, at += run) {
            run = next_run(&o, row, end, &place);
            if (place < 0)
                continue;
            if (part->pieces == 0)
                *offset = at;
            else if (at != behind)
                return false;
            room[part->pieces++] = (struct laser_model_rows){place, run};
            part->row_count += run;
            behind = at + run;
        }
    }
    part->first_row = part->pieces > 0 ? room[0].first : 0;
    return true;
}
