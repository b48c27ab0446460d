/* Times the ways to the singular vectors that a cut to rank k needs, one thread, processor time.
 *
 *   bench_vectors ROWSxCOLUMNS K...
 *
 * A line for each: dgesdd with all vectors of both sides (what a full decomposition costs), then for every K
 * the vectors 0 ... K - 1 of the Gram matrix (laser_basis_init; K = n: all of them) and the edited matrix
 * from them, and how far that is from dgesdd's, |difference|_F / |W_k|_F.
 */
#include "linalg/blas.h"
#include "linalg/project.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void fail(const char *text)
{
    fprintf(stderr, "bench_vectors: %s\n", text);
    exit(1);
}

static double *reserve(int64_t n)
{
    double *x = malloc((size_t)n * sizeof *x);

    if (x == NULL)
        fail("no memory");
    return x;
}

/* Noise on columns of falling size: a spectrum with a tail, as weights have. */
static void fill(double *w, int64_t rows, int64_t columns)
{
    uint64_t seed = 88172645463325252u;

    for (int64_t i = 0; i < rows * columns; i++) {
        double sum = 0;
        for (int part = 0; part < 3; part++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            sum += (double)(seed >> 11) / 9007199254740992.0 - 0.5;
        }
        w[i] = sum / (1 + 20.0 * (double)(i % columns) / (double)columns);
    }
}

/* The edited matrix by the first k vectors: seconds of the solver and of the rest. */
static void by_vectors(const double *w, int64_t rows, int64_t columns, int64_t k, double *out,
                       double seconds[2])
{
    int64_t n = rows < columns ? rows : columns, m = rows < columns ? columns : rows;
    double start_s = now_s(), *copy = reserve(rows * columns), *s_new = reserve(n),
           *projected = reserve(2 * m * k);
    struct laser_gram gram;
    struct laser_basis basis;
    struct laser_error err;

    memcpy(copy, w, (size_t)(rows * columns) * sizeof *w);
    if (laser_gram_init(&gram, rows, columns, &err) != LASER_OK ||
        laser_gram_add(&gram, copy, m, &err) != LASER_OK ||
        laser_basis_init(&basis, &gram, 0, k, &err) != LASER_OK)
        fail(err.text);
    seconds[0] = now_s() - start_s;
    for (int64_t i = 0; i < n; i++)
        s_new[i] = i < k ? basis.s[i] : 0;
    if (laser_basis_project(&basis, w, m, projected, &err) != LASER_OK ||
        laser_basis_edit(&basis, s_new, w, projected, m, projected + m * k, out, &err) != LASER_OK)
        fail(err.text);
    seconds[1] = now_s() - start_s - seconds[0];
    laser_basis_free(&basis);
    free(copy);
    free(s_new);
    free(projected);
}

/* The best k-rank approximation by dgesdd. */
static double by_reference(const double *w, int64_t rows, int64_t columns, const double *s, int64_t k,
                           double *out)
{
    int64_t n = rows < columns ? rows : columns;
    double *copy = reserve(rows * columns), *s_new = reserve(n), start_s = now_s();
    struct laser_error err;

    for (int64_t i = 0; i < n; i++)
        s_new[i] = i < k ? s[i] : 0;
    memcpy(copy, w, (size_t)(rows * columns) * sizeof *w);
    if (laser_rebuild_reference(copy, rows, columns, s_new, out, &err) != LASER_OK)
        fail(err.text);
    free(copy);
    free(s_new);
    return now_s() - start_s;
}

static double distance(const double *x, const double *y, int64_t count)
{
    double off = 0, norm = 0;

    for (int64_t i = 0; i < count; i++) {
        off += (x[i] - y[i]) * (x[i] - y[i]);
        norm += y[i] * y[i];
    }
    return sqrt(off / norm);
}

static double *values_of(const double *w, int64_t rows, int64_t columns)
{
    int64_t n = rows < columns ? rows : columns, m = rows < columns ? columns : rows;
    double *copy = reserve(rows * columns), *s = reserve(n);
    struct laser_gram gram;
    struct laser_error err;

    memcpy(copy, w, (size_t)(rows * columns) * sizeof *w);
    if (laser_gram_init(&gram, rows, columns, &err) != LASER_OK ||
        laser_gram_add(&gram, copy, m, &err) != LASER_OK ||
        laser_gram_values(&gram, LASER_STAGES_AUTO, s, &err) != LASER_OK)
        fail(err.text);
    laser_gram_free(&gram);
    free(copy);
    return s;
}

int main(int argc, char **argv)
{
    const char *core = laser_blas_better_core();
    long long rows, columns;
    double *w, *s, *expected, *found, full_s = 0;

    if (core != NULL) {
        setenv("OPENBLAS_CORETYPE", core, 1);
        execv("/proc/self/exe", argv);
    }
    if (argc < 3 || sscanf(argv[1], "%lldx%lld", &rows, &columns) != 2 || rows < 1 || columns < 1)
        fail("usage: bench_vectors ROWSxCOLUMNS K...");
    w = reserve(rows * columns);
    expected = reserve(rows * columns);
    found = reserve(rows * columns);
    fill(w, rows, columns);
    s = values_of(w, rows, columns);
    for (int i = 2; i < argc; i++) {
        int64_t k = atoll(argv[i]);
        double seconds[2];
        if (k < 1 || k > (rows < columns ? rows : columns))
            fail("K beyond the short side");
        full_s = by_reference(w, rows, columns, s, k, expected);
        by_vectors(w, rows, columns, k, found, seconds);
        printf("%lldx%lld k %lld: dgesdd %.3f s; %lld vectors %.3f s, edit %.3f s; off by %.1e\n", rows,
               columns, (long long)k, full_s, (long long)k, seconds[0], seconds[1],
               distance(found, expected, rows * columns));
    }
    free(w);
    free(s);
    free(expected);
    free(found);
    return 0;
}
