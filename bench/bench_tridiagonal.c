/* Eigenvalues of a symmetric matrix on one thread: two stages of src/linalg beside those of LAPACK and ELPA.
 *
 *   bench_tridiagonal ROUNDS N...     all ways take turns; seconds of the process, smallest and median
 *
 * LAPACK is the one that the program is linked with; LD_PRELOAD=.../liblapack.so.3 puts another one in its place.
 * ELPA takes part if the program was made with -DHAVE_ELPA (src/linalg/module.am).  LAPACK's tridiagonal matrix goes
 * through our own eigenvalue counts (sturm.h), so that the reductions alone differ; ELPA has no call for the reduction.
 */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_ELPA
#include <elpa/elpa.h>
#include <mpi.h>
#endif

#include "kernels/dispatch.h"
#include "linalg/blas.h"
#include "linalg/lapack.h"
#include "linalg/sturm.h"
#include "linalg/symmetric.h"

void dsytrd_2stage_(const char *vect, const char *uplo, const int *n, double *a, const int *lda, double *d,
                    double *e, double *tau, double *hous2, int *lhous2, double *work, int *lwork, int *info);

enum { OWN_TWO, OWN_ONE, LAPACK_TWO, ELPA_ONE, ELPA_TWO, WAYS };
static const char *const names[WAYS] = {"own two stages", "dsytrd", "dsytrd_2stage", "ELPA one stage",
                                        "ELPA two stages"};

static void fail(const char *text)
{
    fprintf(stderr, "bench_tridiagonal: %s\n", text);
    exit(1);
}

static double now_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double *numbers(size_t n)
{
    double *values = malloc(n * sizeof *values);

    if (values == NULL)
        fail("no memory");
    return values;
}

static void lapack_two_stages(double *a, int n, double *w)
{
    double *e = numbers((size_t)n), *tau = numbers((size_t)n), *hous2, *work, hous2_size, work_size;
    int ask = -1, lhous2, lwork, info;
    struct laser_error err;

    dsytrd_2stage_("N", "L", &n, a, &n, w, e, tau, &hous2_size, &ask, &work_size, &ask, &info);
    lhous2 = (int)hous2_size;
    lwork = (int)work_size;
    hous2 = numbers((size_t)lhous2);
    work = numbers((size_t)lwork);
    dsytrd_2stage_("N", "L", &n, a, &n, w, e, tau, hous2, &lhous2, work, &lwork, &info);
    if (info != 0 || laser_tridiagonal_values(n, w, e, &err) != LASER_OK)
        fail("dsytrd_2stage");
    free(e);
    free(tau);
    free(hous2);
    free(work);
}

#ifdef HAVE_ELPA
static void elpa(double *a, int n, int solver, double *w)
{
    int code;
    elpa_t handle = elpa_allocate(&code);

    elpa_set(handle, "na", n, &code);
    elpa_set(handle, "nev", n, &code);
    elpa_set(handle, "local_nrows", n, &code);
    elpa_set(handle, "local_ncols", n, &code);
    elpa_set(handle, "nblk", 64, &code);
    elpa_set(handle, "mpi_comm_parent", (int)MPI_Comm_c2f(MPI_COMM_SELF), &code);
    elpa_set(handle, "process_row", 0, &code);
    elpa_set(handle, "process_col", 0, &code);
    if (elpa_setup(handle) != ELPA_OK)
        fail("ELPA's setup");
    elpa_set(handle, "solver", solver, &code);
    elpa_eigenvalues(handle, a, w, &code);
    if (code != ELPA_OK)
        fail(elpa_strerr(code));
    elpa_deallocate(handle, &code);
}
#endif

/* False: this build lacks the way. */
static int solve(int way, double *a, int n, double *w)
{
    struct laser_error err;

    if (way == OWN_TWO || way == OWN_ONE) {
        if (laser_symmetric_values(a, n, way == OWN_TWO ? LASER_STAGES_TWO : LASER_STAGES_ONE, w, &err) !=
            LASER_OK)
            fail(err.text);
        return 1;
    }
    if (way == LAPACK_TWO) {
        lapack_two_stages(a, n, w);
        return 1;
    }
#ifdef HAVE_ELPA
    elpa(a, n, way == ELPA_TWO ? ELPA_SOLVER_2STAGE : ELPA_SOLVER_1STAGE, w);
    return 1;
#else
    return 0;
#endif
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Ratios are taken round by round: what slows the machine down for a while meets all ways of a round. */
static void measure(int n, int rounds)
{
    size_t size = (size_t)n * (size_t)n;
    double *matrix = numbers(size), *a = numbers(size), *w = numbers((size_t)n), *own = numbers((size_t)n),
           *times[WAYS], *ratios = numbers((size_t)rounds), off[WAYS] = {0};
    int runs[WAYS] = {0};

    for (int way = 0; way < WAYS; ++way)
        times[way] = numbers((size_t)rounds);
    for (int i = 0; i < n; ++i)
        for (int j = 0; j <= i; ++j)
            matrix[(size_t)i * (size_t)n + (size_t)j] = matrix[(size_t)j * (size_t)n + (size_t)i] =
                sin(((double)i * n + j) * 1.7);
    for (int round = 0; round < rounds; ++round)
        for (int way = 0; way < WAYS; ++way) {
            memcpy(a, matrix, size * sizeof *a);
            double start_s = now_s();
            if (!solve(way, a, n, w))
                continue;
            times[way][runs[way]++] = now_s() - start_s;
            if (way == OWN_TWO)
                memcpy(own, w, (size_t)n * sizeof *own);
            for (int i = 0; i < n; ++i)
                off[way] = fmax(off[way], fabs(w[i] - own[i]) / fmax(fabs(own[0]), fabs(own[n - 1])));
        }
    for (int way = 0; way < WAYS; ++way) {
        if (runs[way] == 0)
            continue;
        for (int round = 0; round < rounds; ++round)
            ratios[round] = times[OWN_TWO][round] / times[way][round];
        double ratio = median(ratios, rounds), smallest = times[way][0];
        for (int round = 1; round < rounds; ++round)
            smallest = fmin(smallest, times[way][round]);
        memcpy(ratios, times[way], (size_t)rounds * sizeof *ratios);
        printf("| %d | %s | %.4f | %.4f | %.2f | %.0e |\n", n, names[way], smallest, median(ratios, rounds),
               ratio, off[way]);
    }
    fflush(stdout);
    for (int way = 0; way < WAYS; ++way)
        free(times[way]);
    free(matrix);
    free(a);
    free(w);
    free(own);
    free(ratios);
}

int main(int argc, char **argv)
{
    const char *core = laser_blas_better_core();

    if (core != NULL) {
        setenv("OPENBLAS_CORETYPE", core, 1);
        execv("/proc/self/exe", argv);
    }
    if (argc < 3 || atoi(argv[1]) < 1)
        fail("usage: bench_tridiagonal ROUNDS N...");
#ifdef HAVE_ELPA
    MPI_Init(&argc, &argv);
    if (elpa_init(ELPA_API_VERSION) != ELPA_OK)
        fail("ELPA");
#endif
    laser_kernels_set_threads(1);
    printf("%s\n\n", laser_blas_description());
    printf("| n | way | s, smallest | s, median | own / this | off |\n|---|---|---|---|---|---|\n");
    for (int i = 2; i < argc; ++i)
        measure(atoi(argv[i]), atoi(argv[1]));
#ifdef HAVE_ELPA
    int code;
    elpa_uninit(&code);
    MPI_Finalize();
#endif
    return 0;
}
