/* Which implementation of the matrix products runs, chosen once at run time.
 *
 *   generic     plain C, every machine
 *   openblas    sgemm of the BLAS that the program is linked with
 *   onednn      matmul of oneDNN (AMX where the machine has it), when the program was built with it
 *   avx512      own float32 kernel, AVX-512; in bfloat16 mode it multiplies the rounded operands in float32
 *   avx512bf16  as avx512, and bfloat16 dot products (VDPBF16PS) in bfloat16 mode
 *
 * The choice never changes what is computed, only the order of float32 sums: in bfloat16 mode every
 * implementation rounds weights and activations to bfloat16 and adds their exact products in float32.
 * Packed weights are the same bytes for all of them, so processes may share them.
 */
#ifndef LASER_KERNELS_DISPATCH_H
#define LASER_KERNELS_DISPATCH_H

#include <stdbool.h>

#include "base/error.h"
#include "base/words.h"

#define LASER_PRECISION_WORDS(W)                                                                             \
    W(LASER_FLOAT32, "float32")   /* float32 products of the stored weights: the reference */                \
    W(LASER_BFLOAT16, "bfloat16") /* bfloat16 operands, float32 sums and results */
enum laser_precision { LASER_PRECISION_WORDS(LASER_WORD_ID) };

enum laser_kernels {
    LASER_KERNELS_GENERIC,
    LASER_KERNELS_OPENBLAS,
    LASER_KERNELS_ONEDNN,
    LASER_KERNELS_AVX512,
    LASER_KERNELS_AVX512BF16
};

/* Forces an implementation by its name above; "auto" or NULL returns to the choice by machine.  Without a
 * call the environment variable LASER_KERNELS decides, and an unknown or impossible value there means auto.
 * Not to be called while another thread computes.
 * LASER_EUSAGE: no such name, or this machine or this build cannot run it. */
int laser_kernels_choose(const char *name, struct laser_error *err);

/* What runs for a precision. */
enum laser_kernels laser_kernels_current(enum laser_precision precision);

/* "generic", "openblas", ...  Never NULL. */
const char *laser_kernels_name(enum laser_kernels kernels);

/* Whether the element-wise loops (norms, activations, attention) use AVX-512, AVX2 or the base instructions.
 */
enum laser_simd { LASER_SIMD_BASE, LASER_SIMD_AVX2, LASER_SIMD_AVX512 };
enum laser_simd laser_kernels_simd(void);

/* Tests and comparisons: use no more than `most`, whatever the machine has.  LASER_SIMD_AVX512 lifts the
 * limit. */
void laser_kernels_limit_simd(enum laser_simd most);

/* Threads of the BLAS and oneDNN pools of this process.  The program calls it with 1 before the first
 * product: it uses one rank per core, and the own kernels run on the calling thread.  The same number goes to
 * both pools, so that they never add up.  Without a call the libraries decide for themselves. */
void laser_kernels_set_threads(int threads);

#endif
