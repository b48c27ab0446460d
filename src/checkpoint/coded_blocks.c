/* Rows of GGUF tensors: blocks along a row, rows perhaps in another order. */
#include <stdlib.h>
#include <string.h>

#include "checkpoint/coded.h"
#include "checkpoint/gguf.h"

/* Where row i stands: llama.cpp puts the two halves of a head of q and k side by side, row by row. */
static int64_t stored_row(const struct laser_coded *k, int64_t i)
{
    const int64_t head = k->heads > 0 ? k->rows / k->heads : 0, half = head / 2;

    return k->heads > 0 ? i / head * head + 2 * (i % half) + i % head / half : i;
}

/* Where the lowest bits of the codes stand in a block: in these bytes, under this mask. */
static const struct place {
    int type, first, n;
    unsigned char mask;
} places[] = {
    {LASER_GGML_Q4_0, 2, 16, 0x11},  {LASER_GGML_Q4_1, 4, 16, 0x11},   {LASER_GGML_Q5_0, 6, 16, 0x11},
    {LASER_GGML_Q5_1, 8, 16, 0x11},  {LASER_GGML_Q8_0, 2, 32, 0x01},   {LASER_GGML_Q2_K, 16, 64, 0x55},
    {LASER_GGML_Q3_K, 32, 64, 0x55}, {LASER_GGML_Q4_K, 16, 128, 0x11}, {LASER_GGML_Q5_K, 48, 128, 0x11},
    {LASER_GGML_Q6_K, 0, 128, 0x11}, {LASER_GGML_IQ4_NL, 2, 16, 0x11}, {LASER_GGML_IQ4_XS, 8, 128, 0x11},
    {LASER_GGML_MXFP4, 1, 16, 0x11}};

static const struct place *place_of(const struct laser_coded *k)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (places[i].type == k->bits)
            return &places[i];
    }
    return NULL;
}

bool laser_coded_flips_blocks(const struct laser_coded *k)
{
    return place_of(k) != NULL;
}

/* Turns the lowest bits of the codes of n blocks. */
static void flip(const struct laser_coded *k, unsigned char *bytes, int64_t n)
{
    const struct place *p = place_of(k);

    for (int64_t b = 0; p != NULL && b < n; b++)
        for (int i = 0; i < p->n; i++)
            bytes[b * laser_ggml_block_bytes(k->bits) + p->first + i] ^= p->mask;
}

/* A row's bytes as numbers; those before and behind the window are dropped. */
static void make_row(const struct laser_coded *k, const unsigned char *bytes, int64_t skip, int64_t n,
                     double *dst)
{
    const int64_t block = laser_ggml_block(k->bits), size = laser_ggml_block_bytes(k->bits);
    double values[LASER_GGML_MAX_BLOCK];

    for (int64_t j = -skip; j < n; j += block, bytes += size) {
        const int64_t from = j < 0 ? -j : 0, end = n - j < block ? n - j : block;

        if (from == 0 && end == block) {
            laser_ggml_decode(k->bits, bytes, dst + j);
        } else {
            laser_ggml_decode(k->bits, bytes, values);
            memcpy(dst + j + from, values + from, (size_t)(end - from) * sizeof *dst);
        }
    }
}

int laser_coded_blocks(const struct laser_checkpoint *c, const struct laser_tensor *t,
                       const struct laser_coded_window *w, double *dst, struct laser_error *err)
{
    const struct laser_coded *k = t->coded;
    const int64_t block = laser_ggml_block(k->bits), size = laser_ggml_block_bytes(k->bits);
    const int64_t first = w->col0 / block, n = (w->col0 + w->n_cols + block - 1) / block - first;
    const int64_t row_bytes = k->cols / block * size, step = k->heads > 0 ? 1 : w->n_rows;
    int code = LASER_OK;

    for (int64_t i = 0; code == LASER_OK && i < w->n_rows; i += step) {
        unsigned char *bytes = NULL;

        code = laser_coded_bytes(c, k->parts[LASER_PART_CODES], row_bytes,
                                 w->slice * k->rows + stored_row(k, w->row0 + i), step, first * size,
                                 n * size, &bytes, err);
        if (code == LASER_OK && k->flipped)
            flip(k, bytes, step * n);
        for (int64_t r = 0; code == LASER_OK && r < step; r++)
            make_row(k, bytes + r * n * size, w->col0 - first * block, w->n_cols, dst + (i + r) * w->n_cols);
        free(bytes);
    }
    return code;
}
