#include "linalg/panel.h"

#include "linalg/chase.h"
#include "linalg/lapack.h"

#include <stdint.h>
#include <string.h>

/* TILE x TILE doubles of the matrix and TILE rows of the panel fit in the first-level cache together. */
enum { B = LASER_BAND, TILE = 48, ROWS = 3, LANES = 8, CHUNKS = B / LANES, STRIP = 512 };

typedef double vec __attribute__((vector_size(64)));
typedef double loose_vec __attribute__((vector_size(64), aligned(8), may_alias));

#define AT(p)  (*(loose_vec *)(p))
#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED _Pragma("GCC unroll 8")
#endif

/* Keeps gcc from reading x from memory again for each of its uses. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define IN_REGISTER(x) __asm__("" : "+v"(x))
#else
#define IN_REGISTER(x) (void)(x)
#endif

static int round_up(int p)
{
    return (p + TILE - 1) / TILE * TILE;
}

size_t laser_panel_work(int p)
{
    return LANES + 2 * (size_t)round_up(p) * B + TILE * TILE;
}

/* y[i] += sum over k of a[i row_step + k k_step] v[k] for ROWS rows of B numbers. */
INLINE void add_rows(const double *a, int row_step, int k_step, const double *v, double *y)
{
    vec sum[ROWS][CHUNKS];
    UNROLLED
    for (int i = 0; i < ROWS; i++) {
        UNROLLED
        for (int c = 0; c < CHUNKS; c++)
            sum[i][c] = AT(y + i * B + c * LANES);
    }
    for (int k = 0; k < TILE; k++) {
        double a0 = a[k * k_step], a1 = a[row_step + k * k_step], a2 = a[2 * row_step + k * k_step];
        UNROLLED
        for (int c = 0; c < CHUNKS; c++) {
            vec x = AT(v + k * B + c * LANES);
            IN_REGISTER(x);
            sum[0][c] += x * a0;
            sum[1][c] += x * a1;
            sum[2][c] += x * a2;
        }
    }
    UNROLLED
    for (int i = 0; i < ROWS; i++) {
        UNROLLED
        for (int c = 0; c < CHUNKS; c++)
            AT(y + i * B + c * LANES) = sum[i][c];
    }
}

/* Copies a tile inside the triangle. */
INLINE void take_full_tile(const double *a, int lda, double *tile)
{
    for (int j = 0; j < TILE; j++) {
        UNROLLED
        for (int i = 0; i < TILE; i += LANES)
            AT(tile + j * TILE + i) = AT(a + i + (size_t)j * (size_t)lda);
    }
}

/* Copies a tile on the edge, zero beyond rows and columns, or on the diagonal, where the upper half is
 * mirrored. */
static void take_edge_tile(const double *a, int lda, int rows, int columns, int diagonal, double *tile)
{
    memset(tile, 0, TILE * TILE * sizeof *tile);
    for (int j = 0; j < columns; j++)
        for (int i = diagonal ? j : 0; i < rows; i++) {
            double x = a[i + (size_t)j * (size_t)lda];
            tile[j * TILE + i] = x;
            if (diagonal)
                tile[i * TILE + j] = x;
        }
}

/* Asks for ROWS columns of the tile below, while this one is worked on. */
INLINE void prefetch(const double *a, int lda, int inside)
{
    for (int j = 0; inside && j < ROWS; j++)
        for (int i = 0; i < TILE; i += LANES)
            __builtin_prefetch(a + i + (size_t)j * (size_t)lda);
}

INLINE void multiply_tiles(const double *a, int lda, int p, const double *v, double *y, double *tile)
{
    for (int j = 0; j < p; j += TILE) {
        int columns = p - j < TILE ? p - j : TILE;
        for (int i = j; i < p; i += TILE) {
            const double *from = a + i + (size_t)j * (size_t)lda;
            int rows = p - i < TILE ? p - i : TILE;
            if (i > j && rows == TILE && columns == TILE)
                take_full_tile(from, lda, tile);
            else
                take_edge_tile(from, lda, rows, columns, i == j, tile);
            for (int r = 0; r < TILE; r += ROWS) {
                prefetch(a + i + TILE + (size_t)(j + r) * (size_t)lda, lda,
                         i + TILE < p && j + r + ROWS <= p);
                add_rows(tile + r, 1, TILE, v + (size_t)j * B, y + (size_t)(i + r) * B);
            }
            for (int r = 0; i > j && r < TILE; r += ROWS)
                add_rows(tile + (size_t)r * TILE, TILE, 1, v + (size_t)i * B, y + (size_t)(j + r) * B);
        }
    }
}

/* Between Fortran's order and rows of B numbers. */
static void to_rows(const double *v, int ld, int p, double *rows)
{
    for (int first = 0; first < p; first += LANES)
        for (int j = 0; j < B; j++)
            for (int i = first; i < p && i < first + LANES; i++)
                rows[(size_t)i * B + (size_t)j] = v[i + (size_t)j * (size_t)ld];
}

static void from_rows(const double *rows, int p, double *y, int ld)
{
    for (int first = 0; first < p; first += LANES)
        for (int j = 0; j < B; j++)
            for (int i = first; i < p && i < first + LANES; i++)
                y[i + (size_t)j * (size_t)ld] = rows[(size_t)i * B + (size_t)j];
}

#if defined(__x86_64__)
__attribute__((target("avx512f,fma"))) static void multiply_avx512(const double *a, int lda, int p,
                                                                   const double *v, double *y, double *tile)
{
    multiply_tiles(a, lda, p, v, y, tile);
}

static int have_kernel(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma");
}
#else
static void multiply_avx512(const double *a, int lda, int p, const double *v, double *y, double *tile)
{
    multiply_tiles(a, lda, p, v, y, tile);
}

static int have_kernel(void)
{
    return 0;
}
#endif

/* Strip by strip, as two products with the same block below the diagonal: faster than one dsymm. */
static void multiply_by_blas(const double *a, int lda, int p, const double *v, double *y, int ld)
{
    const double one = 1, zero = 0;
    const int width = B;
    for (int c = 0; c < p; c += STRIP) {
        int strip = p - c < STRIP ? p - c : STRIP, rest = p - c - strip;
        const double *diagonal = a + c + (size_t)c * (size_t)lda, *lower = diagonal + strip;
        dsymm_("L", "L", &strip, &width, &one, diagonal, &lda, v + c, &ld, c == 0 ? &zero : &one, y + c, &ld);
        if (rest == 0)
            break;
        dgemm_("T", "N", &strip, &width, &rest, &one, lower, &lda, v + c + strip, &ld, &one, y + c, &ld);
        dgemm_("N", "N", &rest, &width, &strip, &one, lower, &lda, v + c, &ld, c == 0 ? &zero : &one,
               y + c + strip, &ld);
    }
}

void laser_panel_multiply(const double *a, int lda, int p, const double *v, double *y, int ld, double *work)
{
    if (!have_kernel()) {
        multiply_by_blas(a, lda, p, v, y, ld);
        return;
    }
    size_t size = (size_t)round_up(p) * B, past = (uintptr_t)work / sizeof(double) % LANES;
    double *v_rows = work + (LANES - past) % LANES, *y_rows = v_rows + size, *tile = y_rows + size;
    memset(v_rows, 0, 2 * size * sizeof *v_rows);
    to_rows(v, ld, p, v_rows);
    multiply_avx512(a, lda, p, v_rows, y_rows, tile);
    from_rows(y_rows, p, y, ld);
}
