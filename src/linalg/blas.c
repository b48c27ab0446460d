#include "config.h"

#include "linalg/blas.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/node.h"
#include "base/number.h"
#include "linalg/lapack.h"

#ifdef HAVE_OPENBLAS_GET_CONFIG
char *openblas_get_config(void);
#endif

const char *laser_blas_description(void)
{
#ifdef HAVE_OPENBLAS_GET_CONFIG
    return openblas_get_config();
#else
    return "BLAS";
#endif
}

#ifdef HAVE_OPENBLAS_SET_NUM_THREADS
void openblas_set_num_threads(int n);

/* What OpenBLAS maps for each thread that works: BUFFER_SIZE of its common_ARCHITECTURE.h. */
#if defined(__x86_64__)
#define WORK_SPACE_BYTES ((size_t)128 << 20)
#else
#define WORK_SPACE_BYTES ((size_t)256 << 20)
#endif

static int too_little(double needed_bytes, int threads, struct laser_error *err)
{
    struct laser_address_space space = laser_address_space();
    char needs[LASER_NUMBER_SIZE], left[LASER_NUMBER_SIZE], limit[LASER_NUMBER_SIZE];

    laser_number_bytes(needed_bytes, needs);
    if (isinf(space.limit_bytes))
        return laser_error_set(err, LASER_ENOMEM, "memory",
                               "BLAS needs %s to work in with %d thread%s, which the system does not grant",
                               needs, threads, threads == 1 ? "" : "s");
    return laser_error_set(
        err, LASER_ENOMEM, "memory",
        "BLAS needs %s to work in with %d thread%s, and the limit of this process (%s) is %s, of "
        "which %s are left: raise it, or ask the batch system for more memory",
        needs, threads, threads == 1 ? "" : "s", space.name, laser_number_bytes(space.limit_bytes, limit),
        laser_number_bytes(space.left_bytes, left));
}

/* As many as OpenBLAS was built for, at most. */
static int threads_of_blas(int threads)
{
    const char *most = strstr(laser_blas_description(), "MAX_THREADS=");
    int n = most != NULL ? atoi(most + strlen("MAX_THREADS=")) : threads;

    return n > 0 && n < threads ? n : threads;
}

int laser_blas_check_memory(int threads, struct laser_error *err)
{
    size_t needed = (size_t)threads_of_blas(threads) * WORK_SPACE_BYTES;
    /* As OpenBLAS does it. */
    void *space = mmap(NULL, needed, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (space == MAP_FAILED)
        return too_little((double)needed, threads, err);
    munmap(space, needed);
    return LASER_OK;
}

static void *wait_for_the_others(void *lock)
{
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    return NULL;
}

/* Can there be as many threads as that at the same time, with their work space beside them? */
static int check_threads(int threads, struct laser_error *err)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *made = calloc((size_t)threads, sizeof *made);
    int n = 0, cause = made == NULL ? ENOMEM : 0, code = LASER_OK;

    pthread_mutex_lock(&lock);
    while (cause == 0 && n < threads - 1) {
        cause = pthread_create(&made[n], NULL, wait_for_the_others, &lock);
        n += cause == 0;
    }
    if (cause != 0)
        code = laser_error_set(
            err, LASER_ENOMEM, "parallel.threads",
            "the system grants %d of %d threads (%s): fewer of them, or a higher limit (ulimit "
            "-u, ulimit -v, the batch system's)",
            n + 1, threads, strerror(cause));
    else
        code = laser_blas_check_memory(threads, err);
    pthread_mutex_unlock(&lock);
    while (n > 0)
        pthread_join(made[--n], NULL);
    free(made);
    return code;
}

int laser_blas_prepare(int threads, struct laser_error *err)
{
    double a[4] = {1, 0, 0, 1}, c[4] = {0};
    const double one = 1, zero = 0;
    const int n = 2;
    int code = check_threads(threads, err);

    if (code != LASER_OK)
        return code;
    openblas_set_num_threads(threads);
    /* The work space is taken by the first call and kept. */
    dsyrk_("U", "N", &n, &n, &one, a, &n, &zero, c, &n);
    return LASER_OK;
}
#else
int laser_blas_check_memory(int threads, struct laser_error *err)
{
    (void)threads;
    (void)err;
    return LASER_OK;
}

int laser_blas_prepare(int threads, struct laser_error *err)
{
    (void)threads;
    (void)err;
    return LASER_OK;
}
#endif

#if defined(HAVE_OPENBLAS_GET_CONFIG) && defined(__x86_64__)
/* 1 if the library runs kernels made for processors without AVX2. */
static int kernels_are_old(const char *description)
{
    static const char *const old[] = {" Prescott ",  " Core2 ",     " Penryn ",     " Dunnington ",
                                      " Nehalem ",   " Barcelona ", " Opteron ",    " Bobcat ",
                                      " Athlon ",    " Atom ",      " Katmai ",     " Coppermine ",
                                      " Northwood ", " Banias ",    " Sandybridge "};
    if (strstr(description, "DYNAMIC_ARCH") == NULL)
        return 0;
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (strstr(description, old[i]) != NULL)
            return 1;
    return 0;
}

const char *laser_blas_better_core(void)
{
    if (getenv("OPENBLAS_CORETYPE") != NULL || !kernels_are_old(laser_blas_description()))
        return NULL;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return "SkylakeX";
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "Haswell" : NULL;
}
#else
const char *laser_blas_better_core(void)
{
    return NULL;
}
#endif
