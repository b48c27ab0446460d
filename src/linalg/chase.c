#include "linalg/chase.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* The kernels are written with vectors of 8 doubles and compiled for AVX-512, AVX2 and the baseline; the
 * machine picks one.  LASER_BAND = 64 makes a column 8 vectors, so that three of them stay in the AVX-512
 * registers. */
typedef double vec __attribute__((vector_size(64)));
typedef double loose_vec __attribute__((vector_size(64), aligned(8), may_alias));
typedef long long vec_mask __attribute__((vector_size(64)));

enum { B = LASER_BAND, LD = LASER_BAND_COLUMN - 1, LANES = 8, CHUNKS = B / LANES };

/* Sweeps that run down the band together, and how many steps each stays behind the one before it: step k of a
 * sweep touches the blocks of steps k and k + 1, shifted by one row, so two steps of distance would still
 * share a column. */
enum { GROUP = 6, LAG = 3 };

#define INLINE static inline __attribute__((always_inline))

struct reflector {
    double v[B] __attribute__((aligned(64))); /* v[0] = 1 */
    double tau;
};

/* Eight doubles at p, read or written.  A macro, since a function that takes or returns such vectors has
 * another calling convention on each of the machines. */
#define AT(p) (*(loose_vec *)(p))

#if defined(__clang__)
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED _Pragma("GCC unroll 8")
#endif

INLINE double add_lanes(const vec *x)
{
    return (((*x)[0] + (*x)[4]) + ((*x)[1] + (*x)[5])) + (((*x)[2] + (*x)[6]) + ((*x)[3] + (*x)[7]));
}

/* H x = beta e_1 with H = I - tau v v^T, as dlarfg.  The matrix is scaled to entries near 1: a column whose
 * squares vanish is zero to every digit that matters. */
INLINE double reflect(const double x[B], struct reflector *h)
{
    vec sum = AT(x);
    sum[0] = 0;
    sum *= sum;
    UNROLLED
    for (int i = 1; i < CHUNKS; i++) {
        vec part = AT(x + LANES * i);
        sum += part * part;
    }
    double alpha = x[0], rest = add_lanes(&sum), total = alpha * alpha + rest;
    memset(h->v, 0, sizeof h->v);
    h->v[0] = 1;
    h->tau = 0;
    if (rest < DBL_MIN / DBL_EPSILON)
        return alpha;
    double beta = alpha > 0 ? -sqrt(total) : sqrt(total), scale = 1 / (alpha - beta);
    UNROLLED
    for (int i = 0; i < CHUNKS; i++)
        AT(h->v + LANES * i) = AT(x + LANES * i) * scale;
    h->v[0] = 1;
    h->tau = (beta - alpha) / beta;
    return beta;
}

/* The sums of the lanes of x[0] ... x[7], as lanes 0 ... 7 of one vector. */
INLINE void add_lanes_of_eight(const vec x[LANES], vec *sums)
{
    vec pair[4], four[2];
    UNROLLED
    for (int i = 0; i < 4; i++)
        pair[i] = __builtin_shufflevector(x[2 * i], x[2 * i + 1], 0, 8, 2, 10, 4, 12, 6, 14) +
                  __builtin_shufflevector(x[2 * i], x[2 * i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    UNROLLED
    for (int i = 0; i < 2; i++)
        four[i] = __builtin_shufflevector(pair[2 * i], pair[2 * i + 1], 0, 1, 8, 9, 4, 5, 12, 13) +
                  __builtin_shufflevector(pair[2 * i], pair[2 * i + 1], 2, 3, 10, 11, 6, 7, 14, 15);
    *sums = __builtin_shufflevector(four[0], four[1], 0, 1, 2, 3, 8, 9, 10, 11) +
            __builtin_shufflevector(four[0], four[1], 4, 5, 6, 7, 12, 13, 14, 15);
}

/* w += D v for the symmetric block D whose lower half is stored, eight columns at a time.  Vectors that hold
 * the diagonal also hold up to seven entries above it, which are zero. */
INLINE void multiply_block(const double *d, const double *v, double *w)
{
    for (int c = 0; c < CHUNKS; c++) {
        const double *columns = d + (size_t)(LANES * c) * LD;
        vec dot[LANES], sums, own = AT(w + LANES * c);
        UNROLLED
        for (int l = 0; l < LANES; l++) {
            vec x = AT(columns + (size_t)l * LD + LANES * c);
            own += x * v[LANES * c + l];
            x[l] = 0; /* the diagonal counts once */
            dot[l] = x * AT(v + LANES * c);
        }
        for (int i = c + 1; i < CHUNKS; i++) {
            vec even = AT(w + LANES * i), odd = {0}, part = AT(v + LANES * i);
            UNROLLED
            for (int l = 0; l < LANES; l += 2) {
                vec x = AT(columns + (size_t)l * LD + LANES * i),
                    y = AT(columns + (size_t)(l + 1) * LD + LANES * i);
                even += x * v[LANES * c + l];
                odd += y * v[LANES * c + l + 1];
                dot[l] += x * part;
                dot[l + 1] += y * part;
            }
            AT(w + LANES * i) = even + odd;
        }
        add_lanes_of_eight(dot, &sums);
        AT(w + LANES * c) = own + sums;
    }
}

/* D <- D - v w^T - w v^T, lower half, the zeros above the diagonal kept by a mask. */
INLINE void update_block(double *d, const double *v, const double *w)
{
    static const long long steps[2 * LANES] = {0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1};
    for (int c = 0; c < CHUNKS; c++) {
        double *columns = d + (size_t)(LANES * c) * LD;
        UNROLLED
        for (int l = 0; l < LANES; l++) {
            vec_mask mask;
            memcpy(&mask, steps + LANES - l, sizeof mask);
            vec change = AT(v + LANES * c) * w[LANES * c + l] + AT(w + LANES * c) * v[LANES * c + l];
            AT(columns + (size_t)l * LD + LANES * c) -= (vec)((vec_mask)change & mask);
        }
        for (int i = c + 1; i < CHUNKS; i++) {
            vec vi = AT(v + LANES * i), wi = AT(w + LANES * i);
            UNROLLED
            for (int l = 0; l < LANES; l++)
                AT(columns + (size_t)l * LD + LANES * i) -= vi * w[LANES * c + l] + wi * v[LANES * c + l];
        }
    }
}

/* D <- H D H. */
INLINE void both_sides(double *d, const struct reflector *h)
{
    double w[B] __attribute__((aligned(64))) = {0};
    vec inner = {0};
    multiply_block(d, h->v, w);
    UNROLLED
    for (int i = 0; i < CHUNKS; i++)
        inner += AT(w + LANES * i) * AT(h->v + LANES * i);
    /* w <- tau (w - tau (w . v) / 2 v) */
    double half = h->tau * add_lanes(&inner) / 2;
    UNROLLED
    for (int i = 0; i < CHUNKS; i++)
        AT(w + LANES * i) = h->tau * (AT(w + LANES * i) - half * AT(h->v + LANES * i));
    update_block(d, h->v, w);
}

/* The block below: S <- S H, then a reflector *next that clears its first column below the top, applied from
 * the left.  One pass for S v, one in which every column is updated, projected and updated again in
 * registers. */
INLINE void below(double *s, const struct reflector *h, struct reflector *next)
{
    vec w[CHUNKS], column[CHUNKS], v[CHUNKS];
    double first[B] __attribute__((aligned(64)));
    UNROLLED
    for (int i = 0; i < CHUNKS; i++)
        w[i] = (vec){0};
    for (int j = 0; j < B; j++) {
        UNROLLED
        for (int i = 0; i < CHUNKS; i++)
            w[i] += AT(s + (size_t)j * LD + LANES * i) * h->v[j];
    }
    UNROLLED
    for (int i = 0; i < CHUNKS; i++) {
        w[i] *= h->tau;
        AT(first + LANES * i) = AT(s + LANES * i) - w[i];
    }
    double beta = reflect(first, next);
    memset(s, 0, B * sizeof *s);
    s[0] = beta;
    UNROLLED
    for (int i = 0; i < CHUNKS; i++)
        v[i] = AT(next->v + LANES * i);
    for (int j = 1; j < B; j++) {
        double *out = s + (size_t)j * LD, vj = h->v[j];
        vec dot = {0};
        UNROLLED
        for (int i = 0; i < CHUNKS; i++) {
            column[i] = AT(out + LANES * i) - w[i] * vj;
            dot += column[i] * v[i];
        }
        double z = next->tau * add_lanes(&dot);
        UNROLLED
        for (int i = 0; i < CHUNKS; i++)
            AT(out + LANES * i) = column[i] - v[i] * z;
    }
}

/* Step k of the sweep that clears column c; h carries the reflector from step to step. */
INLINE void step(double *band, int n, int c, int k, struct reflector *h)
{
    int row = c + 1 + k * B;
    double *block = band + row + (size_t)row * LD;
    if (k == 0) {
        double *x = band + c + 1 + (size_t)c * LD;
        double beta = reflect(x, h);
        memset(x, 0, B * sizeof *x);
        x[0] = beta;
    }
    both_sides(block, h);
    if (row + B < n) {
        struct reflector next;
        below(block + B, h, &next);
        *h = next;
    }
}

INLINE void chase_all(double *band, int n)
{
    struct reflector h[GROUP];
    for (int first = 0; first < n - 2; first += GROUP) {
        int steps = (n - 1 - first + B - 1) / B;
        for (int t = 0; t < steps + LAG * (GROUP - 1); t++)
            for (int s = 0; s < GROUP && first + s < n - 2; s++) {
                int k = t - LAG * s;
                if (k >= 0 && first + s + 1 + k * B < n)
                    step(band, n, first + s, k, &h[s]);
            }
    }
}

static void chase_plain(double *band, int n)
{
    chase_all(band, n);
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512dq,fma"))) static void chase_avx512(double *band, int n)
{
    chase_all(band, n);
}

__attribute__((target("avx2,fma"))) static void chase_avx2(double *band, int n)
{
    chase_all(band, n);
}
#endif

size_t laser_band_size(int n)
{
    return 2 * LANES + (size_t)(n + 2 * B + GROUP) * LASER_BAND_COLUMN;
}

double *laser_band_origin(double *storage)
{
    /* on a cache line, behind at least the seven entries that may be touched above A(0, 0) */
    size_t past = (uintptr_t)storage / sizeof(double) % LANES;
    return storage + 2 * LANES - past;
}

void laser_band_tridiagonalise(int n, double *band, double *d, double *e)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        chase_avx512(band, n);
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        chase_avx2(band, n);
    else
#endif
        chase_plain(band, n);
    for (int j = 0; j < n; j++) {
        d[j] = band[(size_t)j * LASER_BAND_COLUMN];
        if (j + 1 < n)
            e[j] = band[(size_t)j * LASER_BAND_COLUMN + 1];
    }
}
