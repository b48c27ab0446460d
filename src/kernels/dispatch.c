#include "config.h"

#include "kernels/dispatch.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const char *const names[] = {"generic", "openblas", "onednn", "avx512", "avx512bf16"};

enum { AUTO = -1, UNSET = -2 };
static int chosen = UNSET;
static enum laser_simd simd_limit = LASER_SIMD_AVX512;

/* Debian's BLAS and oneDNN bring their pools; a program linked with neither has none of these. */
#ifdef HAVE_OPENBLAS_SET_NUM_THREADS
void openblas_set_num_threads(int threads);
#endif
void omp_set_num_threads(int threads) __attribute__((weak));

#if defined(__x86_64__)
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("fma");
}

static bool has_avx512bf16(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512bf16");
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool is_amd(void)
{
    return __builtin_cpu_is("amd");
}

/* CPUID leaf 7: AMX-BF16 is bit 22 of EDX, AMX-TILE bit 24; bits 17 and 18 of XCR0 say that the system keeps
 * the tiles (Intel SDM, volume 1, chapter 18). */
static bool has_amx_bf16(void)
{
    unsigned eax, ebx, ecx, edx, low, high;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE) ||
        !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !(edx & 1u << 22) || !(edx & 1u << 24))
        return false;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 3u << 17) == 3u << 17;
}
#else
static bool has_avx512(void)
{
    return false;
}

static bool has_avx512bf16(void)
{
    return false;
}

static bool has_avx2(void)
{
    return false;
}

static bool is_amd(void)
{
    return false;
}

static bool has_amx_bf16(void)
{
    return false;
}
#endif

static bool is_possible(int kernels)
{
    switch (kernels) {
    case LASER_KERNELS_ONEDNN:
#ifdef HAVE_ONEDNN
        return true;
#else
        return false;
#endif
    case LASER_KERNELS_AVX512:
        return has_avx512();
    case LASER_KERNELS_AVX512BF16:
        return has_avx512bf16();
    default:
        return true;
    }
}

static int by_name(const char *name)
{
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return strcmp(name, "auto") == 0 ? AUTO : UNSET;
}

int laser_kernels_choose(const char *name, struct laser_error *err)
{
    int kernels = name ? by_name(name) : AUTO;

    if (kernels == UNSET)
        return laser_error_set(
            err, LASER_EUSAGE, NULL,
            "no kernels are called \"%s\": expected auto, generic, openblas, onednn, avx512 or "
            "avx512bf16",
            name);
    if (kernels != AUTO && !is_possible(kernels))
        return laser_error_set(err, LASER_EUSAGE, NULL,
                               "this machine or this build cannot run the kernels \"%s\"", name);
    chosen = kernels;
    return LASER_OK;
}

static void choose_by_environment(void)
{
    const char *name = getenv("LASER_KERNELS");

    if (!name || laser_kernels_choose(name, NULL) != LASER_OK)
        chosen = AUTO;
}

/* By the kind of processor, never by a measurement: all ranks of a run, and the next run, choose alike.
 * - AMX makes oneDNN's bfloat16 several times faster than anything else.
 * - VDPBF16PS does twice the work of a float32 fused multiply-add in the same time on AMD (Zen 4: 220 against
 * 110 GFLOP/s a core), but half of it on Intel (Sapphire, Emerald Rapids: 88 against 178): there bfloat16
 * operands are multiplied in float32. */
static enum laser_kernels best(enum laser_precision precision)
{
    if (precision == LASER_BFLOAT16 && is_possible(LASER_KERNELS_ONEDNN) && has_amx_bf16())
        return LASER_KERNELS_ONEDNN;
    if (precision == LASER_BFLOAT16 && has_avx512bf16() && is_amd())
        return LASER_KERNELS_AVX512BF16;
    return has_avx512() ? LASER_KERNELS_AVX512 : LASER_KERNELS_OPENBLAS;
}

enum laser_kernels laser_kernels_current(enum laser_precision precision)
{
    if (chosen == UNSET)
        choose_by_environment();
    return chosen == AUTO ? best(precision) : (enum laser_kernels)chosen;
}

const char *laser_kernels_name(enum laser_kernels kernels)
{
    return names[kernels];
}

enum laser_simd laser_kernels_simd(void)
{
    if (chosen == UNSET)
        choose_by_environment();
    if (chosen == LASER_KERNELS_GENERIC)
        return LASER_SIMD_BASE;
    if (has_avx512() && simd_limit == LASER_SIMD_AVX512)
        return LASER_SIMD_AVX512;
    return has_avx2() && simd_limit >= LASER_SIMD_AVX2 ? LASER_SIMD_AVX2 : LASER_SIMD_BASE;
}

void laser_kernels_limit_simd(enum laser_simd most)
{
    simd_limit = most;
}

void laser_kernels_set_threads(int threads)
{
    if (threads < 1)
        threads = 1;
#ifdef HAVE_OPENBLAS_SET_NUM_THREADS
    openblas_set_num_threads(threads);
#endif
    if (omp_set_num_threads)
        omp_set_num_threads(threads);
}
