/* The way back through a linear layer or a norm, wherever it stands. */
#include <string.h>

#include "kernels/norm.h"
#include "model/backward.h"

/* The thin piece whose outputs begin there. */
static const struct laser_split_piece *thin_at(const struct laser_split *split, int64_t first)
{
    const struct laser_split_piece *p = split->pieces;

    while (p && p->first != first)
        p = p->next;
    return p;
}

/* A weight that is stored in two factors is two layers, one after the other.  A second factor's outputs begin at `first`
 * of the part; there is one shard. */
static int report_factors(const struct laser_backward *b, const struct laser_part *part, int64_t first,
                          const struct laser_bound_piece *piece, const struct laser_model_linear_site *second,
                          int64_t n, const float *x, int64_t x_stride, const float *delta,
                          int64_t delta_stride, const int64_t *token_rows)
{
    const struct laser_turning *turning = &b->gradient->turning;
    const struct laser_split_piece *p = thin_at(part->split, first);
    const struct laser_model_rows all = {0, second->columns};
    const struct laser_model_linear_site site = {.tensor = piece->inner,
                                                 .layer = piece->layer,
                                                 .rows = second->columns,
                                                 .columns = piece->inputs,
                                                 .row_count = second->columns,
                                                 .column_count = piece->inputs,
                                                 .piece = &all,
                                                 .pieces = 1};
    int64_t width = part->split->in.out;
    int result;

    laser_part_apply_whole(&part->split->in, n, x, x_stride, turning->middle, width, LASER_STORE,
                           &turning->scratch);
    result = b->sink->linear(b->sink->context, second, n, turning->middle + p->middle, width, delta,
                             delta_stride, token_rows, b->err);
    if (result != LASER_OK)
        return result;
    if (delta)
        laser_part_apply_whole_backward(&p->part, n, delta, delta_stride, turning->middle_delta, site.rows,
                                        LASER_STORE, turning);
    return b->sink->linear(b->sink->context, &site, n, x, x_stride, delta ? turning->middle_delta : NULL,
                           site.rows, token_rows, b->err);
}

int laser_backward_report(const struct laser_backward *b, const struct laser_part *part,
                          enum laser_shared_side split, int64_t n, const float *x, int64_t x_stride,
                          const float *delta, int64_t delta_stride, const int64_t *token_rows)
{
    const struct laser_model *m = b->model;
    const struct laser_bound_piece *piece = m->pieces + part->first_piece;
    const struct laser_model_rows *rows = m->piece_rows + part->first_piece;
    bool shared_out = m->group.count > 1;
    int64_t first = 0;
    int result = LASER_OK;

    for (int64_t i = 0, j; b->sink && b->sink->linear && i < part->pieces && result == LASER_OK; i = j) {
        struct laser_model_linear_site site = {.tensor = piece[i].tensor,
                                               .origin = piece[i].origin,
                                               .layer = piece[i].layer,
                                               .rows = piece[i].rows,
                                               .columns = piece[i].columns,
                                               .first_row = rows[i].first,
                                               .first_column = piece[i].first_column,
                                               .column_count = piece[i].column_count,
                                               .piece = rows + i,
                                               .outputs_split = shared_out && split == LASER_SPLIT_OUTPUTS,
                                               .inputs_split = shared_out && split == LASER_SPLIT_INPUTS,
                                               .transposed = piece[i].transposed};

        for (j = i; j < part->pieces && piece[j].tensor == site.tensor && piece[j].origin == site.origin; j++)
            site.row_count += rows[j].count;
        site.pieces = j - i;
        if (piece[i].thin)
            result = report_factors(b, part, first, &piece[i], &site, n, x, x_stride,
                                    laser_backward_inputs_only(b) ? NULL : delta + first, delta_stride,
                                    token_rows);
        else
            result = b->sink->linear(b->sink->context, &site, n, x, x_stride,
                                     laser_backward_inputs_only(b) ? NULL : delta + first, delta_stride,
                                     token_rows, b->err);
        first += site.row_count;
    }
    return result;
}

void laser_backward_project(const struct laser_backward *b, const struct laser_part *part, int64_t n,
                            const float *dy, int64_t dy_stride, int64_t width, float *dx,
                            enum laser_output output)
{
    if (laser_part_present(part) && !laser_backward_inputs_only(b))
        laser_part_apply_backward(part, n, dy, dy_stride, dx, width, output, &b->gradient->turning);
    else if (output == LASER_STORE)
        memset(dx, 0, (size_t)(n * width) * sizeof *dx);
}

const float *laser_backward_scaled(const struct laser_backward *b, float scale, const float *x)
{
    for (int64_t i = 0; scale != 1 && i < b->n * b->model->arch.hidden; i++)
        b->gradient->scaled[i] = scale * x[i];
    return scale != 1 ? b->gradient->scaled : x;
}

void laser_backward_norm_width(const struct laser_backward *b, const struct laser_norm *norm, int64_t n,
                               int64_t h, const float *x, const float *dy, float *dx, bool add)
{
    const struct laser_arch *a = &b->model->arch;

    if (a->norm == LASER_NORM_RMS)
        laser_rmsnorm_backward(n, h, x, h, norm->weight.values, (float)a->norm_eps, a->norm_plus_one, dy, h,
                               dx, h, add);
    else
        laser_layernorm_backward(n, h, x, h, norm->weight.values, (float)a->norm_eps, dy, h, dx, h, add);
}

void laser_backward_norm(const struct laser_backward *b, const struct laser_norm *norm, int64_t n,
                         const float *x, const float *dy, float *dx, bool add)
{
    laser_backward_norm_width(b, norm, n, b->model->arch.hidden, x, dy, dx, add);
}

void laser_backward_enter(const struct laser_backward *b, const struct laser_part *in, const float *x)
{
    laser_part_apply(in, b->n, x, b->model->arch.hidden, b->ws->raised, in->out, LASER_STORE,
                     &b->gradient->turning.scratch);
    memcpy(b->gradient->raw, b->ws->raised, (size_t)(b->n * in->out) * sizeof(float));
}

void laser_backward_sequences(const struct laser_backward *b, const struct laser_layer *layer,
                              void (*back)(const struct laser_backward *, const struct laser_layer *, int64_t,
                                           int64_t))
{
    int64_t row = 0;

    for (int64_t s = 0; s < b->batch->sequences; s++) {
        int64_t length = b->batch->lengths ? b->batch->lengths[s] : b->batch->length;

        back(b, layer, row, length);
        row += length;
    }
}
