/* The BLAS behind this program.
 *
 * OpenBLAS picks its kernels once, when it is loaded, by a table of processor models.  A processor that is
 * newer than the library falls back to kernels of 2004 (SSE3): three to five times slower than what the
 * machine can do.  Only the environment variable OPENBLAS_CORETYPE, set before the program starts, changes
 * that.
 */
#ifndef LASER_LINALG_BLAS_H
#define LASER_LINALG_BLAS_H

/* What the library says about itself ("OpenBLAS 0.3.21 ..."), or "BLAS" where it says nothing.  Static text.
 */
const char *laser_blas_description(void);

/* The value of OPENBLAS_CORETYPE with which this program would run several times faster on this machine
 * ("SkylakeX", "Haswell"), or NULL where the library has chosen well, is not OpenBLAS, or the variable is
 * already set.  A main program sets it and starts itself again (execv) before it does anything else. */
const char *laser_blas_better_core(void);

#endif
