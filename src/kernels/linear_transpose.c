#include "kernels/linear_avx512.h"
#include "kernels/linear_layout.h"

#include "kernels/block.h"

static enum laser_storage kept_as(const struct laser_linear *linear)
{
    return linear->precision == LASER_BFLOAT16 ? LASER_STORED_BF16 : LASER_STORED_F32;
}

int64_t laser_linear_transposed_size(const struct laser_linear *linear, int64_t count)
{
    return laser_linear_size(linear->precision, kept_as(linear), linear->in, count);
}

/* Inputs k .. k + n - 1 of a panel, [n][32]; to holds 32 of them. */
static const float *widened(const struct laser_linear *linear, int64_t panel, int64_t k, int64_t n, float *to)
{
    if (linear->packed_as == LASER_STORED_F32)
        return laser_linear_panel(linear, panel, k);
#if defined(__x86_64__)
    if (laser_kernels_simd() == LASER_SIMD_AVX512) {
        laser_avx512_widen(linear->packed_as, laser_round_up(n, 2), laser_linear_panel(linear, panel, k), to);
        return to;
    }
#endif
    laser_linear_widen(linear, panel, k, n, to, LASER_PANEL);
    return to;
}

/* rows[n][32] become inputs o .. of a panel; where n is odd, these are the last and a zero follows. */
static void put_rows(struct laser_linear *linear, int64_t panel, int64_t o, int64_t n, const float *rows)
{
    char *to = (char *)linear->packed +
               ((const char *)laser_linear_panel(linear, panel, o) - (const char *)linear->packed);

    if (linear->packed_as == LASER_STORED_F32) {
        memcpy(to, rows, (size_t)(n * LASER_PANEL) * sizeof *rows);
        if (n % 2)
            memset(to + n * LASER_PANEL * (int64_t)sizeof *rows, 0, LASER_PANEL * sizeof *rows);
        return;
    }
    for (int64_t i = 0; i < n; i += 2, rows += 2 * LASER_PANEL, to += 2 * LASER_PANEL * sizeof(uint16_t)) {
        uint32_t even[LASER_PANEL], odd[LASER_PANEL] = {0};

        memcpy(even, rows, sizeof even);
        if (i + 1 < n)
            memcpy(odd, rows + LASER_PANEL, sizeof odd);
        for (int lane = 0; lane < LASER_PANEL; lane++) /* bfloat16 already: the lower halves are 0 */
            even[lane] = even[lane] >> 16 | (odd[lane] & 0xffff0000u);
        memcpy(to, even, sizeof even);
    }
}

void laser_linear_transpose(const struct laser_linear *linear, int64_t first, int64_t count, void *packed,
                            struct laser_linear *transposed)
{
    float wide[LASER_PANEL * LASER_PANEL], turned[LASER_PANEL * LASER_PANEL];

    *transposed = (struct laser_linear){.out = linear->in,
                                        .in = count,
                                        .precision = linear->precision,
                                        .stored = kept_as(linear),
                                        .packed_as = kept_as(linear),
                                        .packed = packed};
    for (int64_t o = 0; o < count; o += LASER_PANEL) {
        int64_t n = count - o < LASER_PANEL ? count - o : LASER_PANEL;

        for (int64_t k = 0; k < linear->in; k += LASER_PANEL) {
            int rows = (int)(linear->in - k < LASER_PANEL ? linear->in - k : LASER_PANEL);
            const float *block = widened(linear, (first + o) / LASER_PANEL, k, rows, wide);

            laser_block_right(rows, LASER_PANEL, block, LASER_PANEL, 1, turned);
            put_rows(transposed, k / LASER_PANEL, o, n, turned);
        }
    }
}

void laser_linear_clear_inputs(struct laser_linear *linear, int64_t first, int64_t count)
{
    int64_t panels = laser_round_up(linear->out, LASER_PANEL) / LASER_PANEL;

    for (int64_t panel = 0; panel < panels; panel++)
        for (int64_t k = first; k < first + count; k++) {
            const char *at = laser_linear_panel(linear, panel, k / 2 * 2);
            char *to = (char *)linear->packed + (at - (const char *)linear->packed);

            if (linear->packed_as == LASER_STORED_F32) {
                memset(to + k % 2 * LASER_PANEL * (int64_t)sizeof(float), 0, LASER_PANEL * sizeof(float));
                continue;
            }
            for (int lane = 0; lane < LASER_PANEL; lane++)
                memset(to + (2 * lane + k % 2) * (int64_t)sizeof(uint16_t), 0, sizeof(uint16_t));
        }
}
