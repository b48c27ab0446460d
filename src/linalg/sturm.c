#include "linalg/sturm.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef double vec __attribute__((vector_size(64)));
typedef int64_t vec_bits __attribute__((vector_size(64)));
typedef uint64_t vec_unsigned __attribute__((vector_size(64)));

/* Shifts of one evaluation: four vectors hide the latency of each other. */
enum { LANES = 8, VECTORS = 4, SHIFTS = LANES * VECTORS };

/* Steps between two rescalings.  With |T| <= 1 and squares of at least SQUARE_FLOOR eight steps neither
 * overflow nor vanish; the floor changes T by 1e-18. */
enum { STEPS = 8 };
#define SQUARE_FLOOR 1e-36

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED _Pragma("GCC unroll 8")
#endif

/* T and its order. */
struct tridiagonal {
    int n;
    const double *d, *squares; /* squares[k] couples rows k - 1 and k; squares[0] = 0 */
};

/* What one evaluation says about each shift. */
struct minors {
    double shift[SHIFTS] __attribute__((aligned(64)));
    int64_t below[SHIFTS] __attribute__((aligned(64)));   /* eigenvalues below the shift */
    double mantissa[SHIFTS] __attribute__((aligned(64))); /* |p_n| = |mantissa| 2^exponent */
    int64_t exponent[SHIFTS] __attribute__((aligned(64)));
};

INLINE void evaluate(const struct tridiagonal *t, struct minors *m)
{
    vec p[VECTORS], q[VECTORS], x[VECTORS];
    vec_unsigned changes[VECTORS];
    vec_bits exponent[VECTORS];
    UNROLLED
    for (int v = 0; v < VECTORS; v++) {
        memcpy(&x[v], m->shift + LANES * v, sizeof x[v]);
        p[v] = (vec){1, 1, 1, 1, 1, 1, 1, 1};
        q[v] = (vec){0};
        changes[v] = (vec_unsigned){0};
        exponent[v] = (vec_bits){0};
    }
    for (int first = 0; first < t->n; first += STEPS) {
        int end = first + STEPS < t->n ? first + STEPS : t->n;
        for (int k = first; k < end; k++) {
            double d = t->d[k], square = t->squares[k];
            UNROLLED
            for (int v = 0; v < VECTORS; v++) {
                vec next = (d - x[v]) * p[v] - square * q[v];
                changes[v] += ((vec_unsigned)next ^ (vec_unsigned)p[v]) >> 63;
                q[v] = p[v];
                p[v] = next;
            }
        }
        UNROLLED
        for (int v = 0; v < VECTORS; v++) {
            /* divide both by the power of two in the larger one */
            const int64_t field = (int64_t)0x7ff << 52, unsign = INT64_MAX;
            vec_bits a = (vec_bits)p[v] & unsign, b = (vec_bits)q[v] & unsign, larger = a > b;
            larger = ((a & larger) | (b & ~larger)) & field;
            vec scale = (vec)(((int64_t)2046 << 52) - larger);
            p[v] *= scale;
            q[v] *= scale;
            exponent[v] += (larger >> 52) - 1023;
        }
    }
    UNROLLED
    for (int v = 0; v < VECTORS; v++) {
        memcpy(m->mantissa + LANES * v, &p[v], sizeof p[v]);
        memcpy(m->below + LANES * v, &changes[v], sizeof changes[v]);
        memcpy(m->exponent + LANES * v, &exponent[v], sizeof exponent[v]);
    }
}

static void evaluate_plain(const struct tridiagonal *t, struct minors *m)
{
    evaluate(t, m);
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512dq,fma"))) static void evaluate_avx512(const struct tridiagonal *t,
                                                                            struct minors *m)
{
    evaluate(t, m);
}

__attribute__((target("avx2,fma"))) static void evaluate_avx2(const struct tridiagonal *t, struct minors *m)
{
    evaluate(t, m);
}
#endif

static void evaluate_best(const struct tridiagonal *t, struct minors *m)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
        evaluate_avx512(t, m);
        return;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        evaluate_avx2(t, m);
        return;
    }
#endif
    evaluate_plain(t, m);
}

/* One end of a bracket. */
struct end {
    double x;
    int64_t below;
    double mantissa;
    int64_t exponent;
};

/* Eigenvalues left.below ... right.below - 1 (0 = smallest) lie in [left.x, right.x). */
struct bracket {
    struct end left, right;
    double first_width; /* when it came to hold one eigenvalue */
    int steps;          /* root finding steps since then */
};

static struct end end_of(const struct minors *m, int lane)
{
    return (struct end){m->shift[lane], m->below[lane], m->mantissa[lane], m->exponent[lane]};
}

/* Half the width at which a bracket is done. */
static double tolerance(const struct bracket *b)
{
    return DBL_EPSILON * (0.5 * fmax(fabs(b->left.x), fabs(b->right.x)) + 0x1p-10);
}

static int is_done(const struct bracket *b)
{
    return b->right.x - b->left.x <= 2 * tolerance(b);
}

/* The next shift of the ITP method: regula falsi, pushed towards the middle so that it crosses the root, and
 * kept near enough to the middle that the number of steps stays that of bisection. */
static double next_shift(const struct bracket *b)
{
    double width = b->right.x - b->left.x, middle = b->left.x + width / 2, least = tolerance(b);
    int64_t apart = b->right.exponent - b->left.exponent;
    double ratio = ldexp(fabs(b->right.mantissa), (int)(apart > 2000    ? 2000
                                                        : apart < -2000 ? -2000
                                                                        : apart)) /
                   fabs(b->left.mantissa);
    double falsi = b->left.x + width / (1 + ratio);
    if (!(falsi >= b->left.x && falsi <= b->right.x)) /* 0 / 0, or an end that is a root */
        return middle;
    double towards = falsi < middle ? 1 : -1;
    double push = fmax(0.2 * width * width / b->first_width, least);
    double x = push <= fabs(middle - falsi) ? falsi + towards * push : middle;
    double halvings = ceil(log2(b->first_width / (2 * least))) + 1 - b->steps;
    double radius = fmax(0, least * exp2(fmin(halvings, 1000)) - width / 2);
    x = fabs(x - middle) <= radius ? x : middle - towards * radius;
    return x > b->left.x && x < b->right.x ? x : middle;
}

/* Brackets with several eigenvalues, worked off in rounds, and those with one. */
struct search {
    struct tridiagonal t;
    struct bracket *many, *single;
    int many_count, single_count;
    double *values;
};

static void settle(struct search *s, const struct bracket *b)
{
    for (int64_t i = b->left.below; i < b->right.below; i++)
        s->values[i] = b->left.x + (b->right.x - b->left.x) / 2;
}

/* Files a bracket under what is to be done with it. */
static void file(struct search *s, struct end left, struct end right)
{
    struct bracket b = {left, right, right.x - left.x, 0};
    if (right.below <= left.below)
        return;
    if (is_done(&b))
        settle(s, &b);
    else if (right.below - left.below == 1)
        s->single[s->single_count++] = b;
    else
        s->many[s->many_count++] = b;
}

/* One evaluation over the last brackets with several eigenvalues: each is cut at as many points as there are
 * lanes for it. */
static void multisect(struct search *s)
{
    struct bracket work[SHIFTS];
    struct minors m;
    int count = s->many_count < SHIFTS ? s->many_count : SHIFTS, points = SHIFTS / count;
    s->many_count -= count;
    memcpy(work, s->many + s->many_count, (size_t)count * sizeof *work);
    for (int lane = 0; lane < SHIFTS; lane++) {
        const struct bracket *b = &work[lane / points < count ? lane / points : count - 1];
        m.shift[lane] = b->left.x + (b->right.x - b->left.x) * (lane % points + 1) / (points + 1);
    }
    evaluate_best(&s->t, &m);
    for (int i = 0; i < count; i++) {
        struct end left = work[i].left;
        for (int point = 0; point <= points; point++) {
            struct end right = point < points ? end_of(&m, i * points + point) : work[i].right;
            /* counts of neighbouring shifts may disagree by rounding: keep them in order */
            right.below = right.below < left.below ? left.below : right.below;
            right.below = right.below > work[i].right.below ? work[i].right.below : right.below;
            file(s, left, right);
            left = right;
        }
    }
}

static void narrow(struct bracket *b, struct end at)
{
    if (at.below > b->left.below)
        b->right = (struct end){at.x, b->right.below, at.mantissa, at.exponent};
    else
        b->left = (struct end){at.x, b->left.below, at.mantissa, at.exponent};
    b->steps++;
}

/* Root finding on all brackets with one eigenvalue, a lane each. */
static void refine(struct search *s)
{
    struct bracket *lane[SHIFTS];
    struct minors m;
    int next = 0, busy = 0;
    for (int i = 0; i < SHIFTS; i++) {
        lane[i] = next < s->single_count ? &s->single[next++] : NULL;
        busy += lane[i] != NULL;
        m.shift[i] = 0;
    }
    while (busy > 0) {
        for (int i = 0; i < SHIFTS; i++)
            if (lane[i] != NULL)
                m.shift[i] = next_shift(lane[i]);
        evaluate_best(&s->t, &m);
        for (int i = 0; i < SHIFTS; i++) {
            if (lane[i] == NULL)
                continue;
            narrow(lane[i], end_of(&m, i));
            if (!is_done(lane[i]))
                continue;
            settle(s, lane[i]);
            lane[i] = next < s->single_count ? &s->single[next++] : NULL;
            busy -= lane[i] == NULL;
        }
    }
}

/* Scales T to |T| <= 1, the power of two returned, and finds an interval around its eigenvalues. */
static int prepare(int n, double *d, double *e, double *low, double *high)
{
    double size = 0;
    int exponent = 0;
    for (int i = 0; i < n; i++)
        size = fmax(size, fmax(fabs(d[i]), i + 1 < n ? fabs(e[i]) : 0));
    frexp(size, &exponent);
    exponent = size > 0 ? exponent + 2 : 0; /* |d| + 2 |e| <= 1 */
    *low = 0;
    *high = 0;
    for (int i = 0; i < n; i++)
        d[i] = ldexp(d[i], -exponent);
    for (int i = 0; i + 1 < n; i++)
        e[i] = ldexp(e[i], -exponent);
    for (int i = 0; i < n; i++) {
        double radius = (i > 0 ? fabs(e[i - 1]) : 0) + (i + 1 < n ? fabs(e[i]) : 0);
        *low = fmin(*low, d[i] - radius);
        *high = fmax(*high, d[i] + radius);
    }
    *low -= 8 * DBL_EPSILON;
    *high += 8 * DBL_EPSILON;
    return exponent;
}

int laser_tridiagonal_values(int n, double *d, double *e, struct laser_error *err)
{
    double low, high, *squares = malloc(2 * (size_t)n * sizeof *squares);
    struct search s = {.t = {n, d, squares}, .values = squares + n};
    s.many = malloc(2 * ((size_t)n + SHIFTS) * sizeof *s.many);
    if (squares == NULL || s.many == NULL) {
        free(squares);
        free(s.many);
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the eigenvalues of order %d", n);
    }
    s.single = s.many + n + SHIFTS;
    int exponent = prepare(n, d, e, &low, &high);
    squares[0] = 0;
    for (int i = 1; i < n; i++)
        squares[i] = fmax(e[i - 1] * e[i - 1], SQUARE_FLOOR);
    file(&s, (struct end){low, 0, 1, 0}, (struct end){high, n, 1, 0});
    while (s.many_count > 0)
        multisect(&s);
    refine(&s);
    for (int i = 0; i < n; i++)
        d[i] = ldexp(s.values[i], exponent);
    free(squares);
    free(s.many);
    return LASER_OK;
}
