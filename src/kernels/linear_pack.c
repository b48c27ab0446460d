#include "kernels/linear_layout.h"

enum { CHUNK = 64 }; /* inputs packed at a time: 32 outputs of them stay in the first-level cache */

/* Where the stored elements are: output o, input k at base[o * out_step + k * in_step]. */
struct source {
    const unsigned char *base;
    int64_t out_step, in_step;
};

static void pack_raw8(const unsigned char *from, int64_t step, int64_t n, unsigned char *to)
{
    for (int64_t i = 0; i < n; i++)
        to[(i / 2) * 2 * LASER_PANEL + i % 2] = from[i * step];
    if (n % 2)
        to[(n / 2) * 2 * LASER_PANEL + 1] = 0;
}

static void pack_raw16(const unsigned char *from, int64_t step, int64_t n, uint16_t *to)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(&to[(i / 2) * 2 * LASER_PANEL + i % 2], from + i * step * 2, 2);
    if (n % 2)
        to[(n / 2) * 2 * LASER_PANEL + 1] = 0;
}

static void pack_bfloat16(const float *from, int64_t n, uint16_t *to)
{
    for (int64_t i = 0; i < n; i++)
        to[(i / 2) * 2 * LASER_PANEL + i % 2] = laser_bfloat16_from_float(from[i]);
    if (n % 2)
        to[(n / 2) * 2 * LASER_PANEL + 1] = 0;
}

static void pack_float(const float *from, int64_t n, float *to)
{
    for (int64_t i = 0; i < n; i++)
        to[i * LASER_PANEL] = from[i];
    if (n % 2)
        to[n * LASER_PANEL] = 0;
}

/* n inputs from k on (k a multiple of CHUNK) of one output into its lane. */
static void pack_lane(struct laser_linear *linear, int64_t output, int64_t k, int64_t n,
                      const unsigned char *from, int64_t step)
{
    int64_t lane = output % LASER_PANEL;
    void *panel =
        (char *)linear->packed +
        ((const char *)laser_linear_panel(linear, output / LASER_PANEL, k) - (const char *)linear->packed);
    float wide[CHUNK];

    switch (linear->packed_as) {
    case LASER_STORED_F64:
    case LASER_STORED_F32:
        laser_storage_widen(linear->stored, n, from, step, wide);
        pack_float(wide, n, (float *)panel + lane);
        break;
    case LASER_STORED_F16:
    case LASER_STORED_BF16:
        if (linear->stored == linear->packed_as) {
            pack_raw16(from, step, n, (uint16_t *)panel + 2 * lane);
        } else {
            laser_storage_widen(linear->stored, n, from, step, wide);
            pack_bfloat16(wide, n, (uint16_t *)panel + 2 * lane);
        }
        break;
    case LASER_STORED_F8_E4M3:
    case LASER_STORED_F8_E5M2:
        pack_raw8(from, step, n, (unsigned char *)panel + 2 * lane);
        break;
    }
}

static void pack(struct laser_linear *linear, int64_t first, int64_t count, const struct source *source)
{
    static const unsigned char zeros[CHUNK * 8];
    int64_t bytes = laser_storage_bytes(linear->stored);
    int64_t end = first + count;
    int64_t padded = end == linear->out ? laser_round_up(end, LASER_PANEL) : end;

    for (int64_t o = first; o < padded;) {
        int64_t stop = (o / LASER_PANEL + 1) * LASER_PANEL;

        if (stop > padded)
            stop = padded;
        for (int64_t k = 0; k < linear->in; k += CHUNK) {
            int64_t n = linear->in - k < CHUNK ? linear->in - k : CHUNK;

            for (int64_t output = o; output < stop; output++) {
                int64_t offset = (output - first) * source->out_step + k * source->in_step;

                if (output < end)
                    pack_lane(linear, output, k, n, source->base + offset * bytes, source->in_step);
                else
                    pack_lane(linear, output, k, n, zeros, 1);
            }
        }
        o = stop;
    }
}

void laser_linear_pack_rows(struct laser_linear *linear, int64_t first, int64_t count, const void *rows,
                            int64_t row_stride)
{
    pack(linear, first, count, &(struct source){rows, row_stride, 1});
}

void laser_linear_pack_columns(struct laser_linear *linear, int64_t first, int64_t count, const void *columns,
                               int64_t row_stride)
{
    pack(linear, first, count, &(struct source){columns, 1, row_stride});
}

void laser_linear_row(const struct laser_linear *linear, int64_t index, float *row)
{
    int64_t lane = index % LASER_PANEL;
    const char *panel = laser_linear_panel(linear, index / LASER_PANEL, 0);
    int64_t bytes = laser_storage_bytes(linear->packed_as);

    if (linear->packed_as == LASER_STORED_F32) {
        laser_storage_widen(LASER_STORED_F32, linear->in, panel + lane * bytes, LASER_PANEL, row);
        return;
    }
    for (int64_t k = 0; k < linear->in; k += 2) {
        int64_t n = linear->in - k < 2 ? 1 : 2;

        laser_storage_widen(linear->packed_as, n, panel + (k * LASER_PANEL + 2 * lane) * bytes, 1, row + k);
    }
}

static void widen_bfloat16(int64_t n, const uint32_t *from, float *to, int64_t to_stride)
{
    uint32_t even[LASER_PANEL], odd[LASER_PANEL];

    for (int64_t i = 0; i < n; i += 2, from += LASER_PANEL) {
        for (int lane = 0; lane < LASER_PANEL; lane++) {
            even[lane] = from[lane] << 16;
            odd[lane] = from[lane] & 0xffff0000u;
        }
        memcpy(to + i * to_stride, even, sizeof even);
        if (i + 1 < n)
            memcpy(to + (i + 1) * to_stride, odd, sizeof odd);
    }
}

static void widen_pairs(const struct laser_linear *linear, int64_t n, const char *from, float *to,
                        int64_t to_stride)
{
    int64_t bytes = 2 * LASER_PANEL * laser_storage_bytes(linear->packed_as);
    float pairs[2 * LASER_PANEL];

    for (int64_t i = 0; i < n; i += 2, from += bytes) {
        laser_storage_widen(linear->packed_as, 2 * LASER_PANEL, from, 1, pairs);
        for (int lane = 0; lane < LASER_PANEL; lane++)
            to[i * to_stride + lane] = pairs[2 * lane];
        if (i + 1 == n)
            break;
        for (int lane = 0; lane < LASER_PANEL; lane++)
            to[(i + 1) * to_stride + lane] = pairs[2 * lane + 1];
    }
}

void laser_linear_widen(const struct laser_linear *linear, int64_t panel, int64_t k, int64_t n, float *to,
                        int64_t to_stride)
{
    const void *from = laser_linear_panel(linear, panel, k);

    if (linear->packed_as == LASER_STORED_BF16)
        widen_bfloat16(n, from, to, to_stride);
    else if (linear->packed_as != LASER_STORED_F32)
        widen_pairs(linear, n, from, to, to_stride);
    else
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * to_stride, (const float *)from + i * LASER_PANEL, LASER_PANEL * sizeof *to);
}
