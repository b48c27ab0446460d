/* Weights that the checkpoint holds as products of two thin ones (config.json: truncation_ranks).
 *
 * A part may be put together from several weights that read the same inputs (q, k and v; gate and up), of
 * which some are thin.  Then it is a list of pieces, dense or thin, each with outputs of its own; the first
 * factors of all thin pieces are one matrix, so that the inputs meet them in one product. */
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

/* Tokens at a time: what stands between the two products stays in the cache. */
enum { ROWS = 512 };

static struct laser_split_piece *last_piece(const struct laser_split *split)
{
    struct laser_split_piece *p = split->pieces;

    while (p && p->next)
        p = p->next;
    return p;
}

static struct laser_split_piece *add_piece(struct laser_split *split, int64_t first, int64_t rank,
                                           int64_t tensor)
{
    struct laser_split_piece *piece = calloc(1, sizeof *piece), *last = last_piece(split);

    if (!piece)
        return NULL;
    piece->first = piece->part.bias_first = first;
    piece->rank = rank;
    piece->tensor = tensor;
    if (last)
        last->next = piece;
    else
        split->pieces = piece;
    return piece;
}

/* The outputs that were bound before the first thin ones are the first piece. */
static bool begin(struct laser_model *m, struct laser_part *part)
{
    struct laser_split *split = calloc(1, sizeof *split);
    struct laser_split_piece *piece;

    if (!split)
        return false;
    split->next = m->splits;
    m->splits = part->split = split;
    split->in.whole = part;
    if (!laser_part_present(part))
        return true;
    piece = add_piece(split, 0, 0, -1);
    if (!piece)
        return false;
    piece->count = piece->part.out = part->out;
    piece->part.whole = part;
    piece->part.in = part->in;
    piece->part.stored = part->stored;
    for (int64_t i = 0; i < m->binding_count; i++)
        if (m->bindings[i].part == part)
            m->bindings[i].part = &piece->part;
    return true;
}

struct laser_part *laser_split_extend(struct laser_model *m, struct laser_part *part, int64_t first,
                                      int64_t count, int64_t rank, int64_t tensor, int64_t *offset,
                                      int64_t *in_first)
{
    struct laser_split_piece *piece;

    *offset = first;
    if (rank > 0 && !part->split && !begin(m, part))
        return NULL;
    if (part->out < first + count)
        part->out = first + count;
    if (!part->split)
        return part;
    piece = last_piece(part->split);
    if (!piece || piece->rank != rank || (rank > 0 && piece->tensor != tensor)) {
        piece = add_piece(part->split, first, rank, tensor);
        if (!piece)
            return NULL;
        piece->part.whole = part;
        if (rank > 0) {
            *in_first = piece->middle = part->split->in.out;
            part->split->in.out += rank;
        }
    }
    *offset = first - piece->first;
    piece->count += count;
    piece->part.out = piece->count;
    return &piece->part;
}

void laser_split_free_all(struct laser_model *m)
{
    while (m->splits) {
        struct laser_split *split = m->splits;

        m->splits = split->next;
        while (split->pieces) {
            struct laser_split_piece *piece = split->pieces;

            split->pieces = piece->next;
            free(piece);
        }
        free(split);
    }
}

/* Bytes of the array between the two products. */
static int64_t middle_bytes(const struct laser_split *split, int64_t tokens)
{
    return ((tokens < ROWS ? tokens : ROWS) * split->in.out * (int64_t)sizeof(float) + 63) / 64 * 64;
}

int64_t laser_split_scratch_size(const struct laser_split *split, int64_t tokens)
{
    int64_t rows = tokens < ROWS ? tokens : ROWS, most = laser_linear_scratch_size(&split->in.linear, rows);

    for (const struct laser_split_piece *p = split->pieces; p; p = p->next) {
        int64_t bytes = laser_linear_scratch_size(&p->part.linear, p->rank ? rows : tokens);

        most = bytes > most ? bytes : most;
    }
    return middle_bytes(split, tokens) + most;
}

void laser_split_apply(const struct laser_part *part, int64_t n, const float *x, int64_t x_stride, float *y,
                       int64_t y_stride, enum laser_output output, const struct laser_scratch *scratch)
{
    const struct laser_split *split = part->split;
    int64_t taken = middle_bytes(split, n), width = split->in.out;
    float *middle = scratch->data;
    const struct laser_scratch rest = {(char *)scratch->data + taken, scratch->size_bytes - taken};

    for (const struct laser_split_piece *p = split->pieces; p; p = p->next)
        if (p->rank == 0)
            laser_part_apply_whole(&p->part, n, x, x_stride, y + p->first, y_stride, output, &rest);
    for (int64_t row = 0; row < n; row += ROWS) {
        int64_t rows = n - row < ROWS ? n - row : ROWS;

        laser_part_apply_whole(&split->in, rows, x + row * x_stride, x_stride, middle, width, LASER_STORE,
                               &rest);
        for (const struct laser_split_piece *p = split->pieces; p; p = p->next)
            if (p->rank > 0)
                laser_part_apply_whole(&p->part, rows, middle + p->middle, width,
                                       y + row * y_stride + p->first, y_stride, output, &rest);
    }
}

/* What goes back through the second factors meets that of all thin pieces in one product with the first. */
void laser_split_apply_backward(const struct laser_part *part, int64_t n, const float *dy, int64_t dy_stride,
                                float *dx, int64_t dx_stride, enum laser_output output,
                                const struct laser_turning *turning)
{
    const struct laser_split *split = part->split;
    int64_t width = split->in.out;

    for (const struct laser_split_piece *p = split->pieces; p; p = p->next)
        if (p->rank == 0) {
            laser_part_apply_whole_backward(&p->part, n, dy + p->first, dy_stride, dx, dx_stride, output,
                                            turning);
            output = LASER_ADD;
        }
    memset(turning->middle_delta, 0, (size_t)(n * width) * sizeof *turning->middle_delta);
    for (const struct laser_split_piece *p = split->pieces; p; p = p->next)
        if (p->rank > 0)
            laser_part_apply_whole_backward(&p->part, n, dy + p->first, dy_stride,
                                            turning->middle_delta + p->middle, width, LASER_ADD, turning);
    laser_part_apply_whole_backward(&split->in, n, turning->middle_delta, width, dx, dx_stride, output,
                                    turning);
}
