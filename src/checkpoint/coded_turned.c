/* GPTQ and AWQ: what is stored is the transposed matrix, [in, out], with scales [groups, out]. */
#include <math.h>
#include <stdlib.h>

#include "checkpoint/coded.h"

/* What is needed for one window: rows are outputs, columns are inputs. */
struct turned {
    const struct laser_checkpoint *c;
    const struct laser_coded *k;
    const struct laser_coded_window *w;
    int64_t n_groups;
    double *index;         /* group of each input of the window */
    double *scales;        /* n_groups x n_rows */
    double *zeros;         /* the same */
    unsigned char *words;  /* of the codes */
    int64_t first_word;    /* GPTQ: row of words; AWQ: column of words */
    int64_t words_per_row; /* AWQ */
};

/* Where AWQ keeps the column of a number modulo 8, in nibbles. */
static const int awq_place[8] = {0, 4, 1, 5, 2, 6, 3, 7};

static uint32_t word(const unsigned char *bytes, int64_t i)
{
    const unsigned char *b = bytes + 4 * i;

    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static int read_groups(struct turned *u, struct laser_error *err)
{
    const struct laser_tensor *index = u->k->parts[LASER_PART_INDEX];
    const int64_t n = u->w->n_cols;
    int code;

    if (index != NULL) {
        code = laser_coded_doubles(u->c, index, u->k->cols, 0, 1, u->w->col0, n, &u->index, err);
    } else {
        u->index = malloc((size_t)n * sizeof *u->index);
        code = u->index != NULL
                   ? LASER_OK
                   : laser_error_set(err, LASER_ENOMEM, "groups", "no memory for %lld groups", (long long)n);
        for (int64_t j = 0; code == LASER_OK && j < n; j++)
            u->index[j] = (double)((u->w->col0 + j) / u->k->block_cols);
    }
    for (int64_t j = 0; code == LASER_OK && j < n; j++) {
        if (!(u->index[j] >= 0 && u->index[j] < (double)u->n_groups))
            return laser_error_set(err, LASER_EINPUT,
                                   index != NULL ? index->name : u->k->parts[LASER_PART_SCALE]->name,
                                   "input %lld is of group %g, there are %lld", (long long)(u->w->col0 + j),
                                   u->index[j], (long long)u->n_groups);
    }
    return code;
}

static int read_scales(struct turned *u, struct laser_error *err)
{
    const struct laser_tensor *s = u->k->parts[LASER_PART_SCALE];
    const int code =
        laser_coded_doubles(u->c, s, u->k->rows, 0, u->n_groups, u->w->row0, u->w->n_rows, &u->scales, err);

    for (int64_t i = 0; code == LASER_OK && i < u->n_groups * u->w->n_rows; i++) {
        if (!isfinite(u->scales[i]))
            return laser_error_set(err, LASER_EINPUT, s->name, "a scale is %g, expected a finite number",
                                   u->scales[i]);
    }
    return code;
}

/* Zero points, packed along the outputs as the codes are (AWQ) or one after the other (GPTQ). */
static int read_zeros(struct turned *u, struct laser_error *err)
{
    const struct laser_tensor *z = u->k->parts[LASER_PART_ZERO];
    const int64_t words = z->shape[1];
    const unsigned mask = (1u << u->k->bits) - 1;
    unsigned char *bytes = NULL;
    int code = laser_coded_bytes(u->c, z, words * 4, 0, u->n_groups, 0, words * 4, &bytes, err);

    u->zeros = malloc((size_t)(u->n_groups * u->w->n_rows + 1) * sizeof *u->zeros);
    if (code == LASER_OK && u->zeros == NULL)
        code = laser_error_set(err, LASER_ENOMEM, z->name, "no memory for zero points");
    for (int64_t g = 0; code == LASER_OK && g < u->n_groups; g++) {
        for (int64_t i = 0; i < u->w->n_rows; i++) {
            const int64_t o = u->w->row0 + i;
            const unsigned stored = u->k->coding == LASER_CODED_AWQ
                                        ? word(bytes, g * words + o / 8) >> 4 * awq_place[o % 8] & 15
                                        : laser_coded_bits(bytes + g * words * 4, o, u->k->bits);

            u->zeros[g * u->w->n_rows + i] = (double)((stored + (unsigned)u->k->zero_shift) & mask);
        }
    }
    free(bytes);
    return code;
}

static int read_codes(struct turned *u, struct laser_error *err)
{
    const struct laser_tensor *codes = u->k->parts[LASER_PART_CODES];
    const struct laser_coded_window *w = u->w;
    const int64_t row_bytes = codes->shape[1] * 4;
    int64_t end;

    if (u->k->coding == LASER_CODED_AWQ) {
        u->first_word = w->row0 / 8;
        u->words_per_row = (w->row0 + w->n_rows + 7) / 8 - u->first_word;
        return laser_coded_bytes(u->c, codes, row_bytes, w->col0, w->n_cols, u->first_word * 4,
                                 u->words_per_row * 4, &u->words, err);
    }
    u->first_word = w->col0 * u->k->bits / 32;
    end = ((w->col0 + w->n_cols) * u->k->bits + 31) / 32;
    return laser_coded_bytes(u->c, codes, row_bytes, u->first_word, end - u->first_word, w->row0 * 4,
                             w->n_rows * 4, &u->words, err);
}

static unsigned stored_code(const struct turned *u, int64_t i, int64_t j)
{
    const struct laser_coded_window *w = u->w;
    const int bits = u->k->bits;
    int64_t at;
    unsigned shift;
    uint64_t both;

    if (u->k->coding == LASER_CODED_AWQ)
        return word(u->words, j * u->words_per_row + (w->row0 + i) / 8 - u->first_word) >>
                   4 * awq_place[(w->row0 + i) % 8] &
               15;
    at = (w->col0 + j) * bits - u->first_word * 32;
    shift = (unsigned)(at % 32);
    both = word(u->words, at / 32 * w->n_rows + i);
    if (shift + (unsigned)bits > 32)
        both |= (uint64_t)word(u->words, (at / 32 + 1) * w->n_rows + i) << 32;
    return (unsigned)(both >> shift) & ((1u << bits) - 1);
}

static unsigned code_at(const struct turned *u, int64_t i, int64_t j)
{
    return stored_code(u, i, j) ^ u->k->flipped;
}

int laser_coded_transposed(const struct laser_checkpoint *c, const struct laser_tensor *t,
                           const struct laser_coded_window *w, double *dst, struct laser_error *err)
{
    struct turned u = {.c = c, .k = t->coded, .w = w};
    int code;

    u.n_groups = u.k->parts[LASER_PART_SCALE]->shape[0];
    code = read_groups(&u, err);
    if (code == LASER_OK)
        code = read_scales(&u, err);
    if (code == LASER_OK)
        code = read_zeros(&u, err);
    if (code == LASER_OK)
        code = read_codes(&u, err);
    for (int64_t j = 0; code == LASER_OK && j < w->n_cols; j++) {
        const double *s = u.scales + (int64_t)u.index[j] * w->n_rows;
        const double *z = u.zeros + (int64_t)u.index[j] * w->n_rows;

        for (int64_t i = 0; i < w->n_rows; i++)
            dst[i * w->n_cols + j] = ((double)code_at(&u, i, j) - z[i]) * s[i];
    }
    free(u.index);
    free(u.scales);
    free(u.zeros);
    free(u.words);
    return code;
}
