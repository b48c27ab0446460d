#include "config.h"

#include "linalg/blas.h"

#include <stdlib.h>
#include <string.h>

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
