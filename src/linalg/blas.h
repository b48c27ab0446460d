/* The BLAS behind this program.
 *
 * OpenBLAS picks its kernels once, when it is loaded, by a table of processor models.  A processor that is
 * newer than the library falls back to kernels of 2004 (SSE3): three to five times slower than what the
 * machine can do.  Only the environment variable OPENBLAS_CORETYPE, set before the program starts, changes
 * that.
 */
#ifndef LASER_LINALG_BLAS_H
#define LASER_LINALG_BLAS_H

#include "base/error.h"

/* What the library says about itself ("OpenBLAS 0.3.21 ..."), or "BLAS" where it says nothing.  Static text.
 */
const char *laser_blas_description(void);

/* Sets the number of BLAS threads and makes the library take the memory that it works in, once and for all.
 * OpenBLAS has no way to say that it got none: it tries again for ever where a thread lacks its work space,
 * and raises SIGINT in its own process where it cannot make a thread.  So both are tried out here first.
 *
 * LASER_ENOMEM: what is needed, what is left, and the limit that says so.  Call it before the first other use
 * of BLAS, with no other thread at work. */
int laser_blas_prepare(int threads, struct laser_error *err);

/* The memory alone, for that many threads: what may be asked before anything else of the program is there. */
int laser_blas_check_memory(int threads, struct laser_error *err);

/* The value of OPENBLAS_CORETYPE with which this program would run several times faster on this machine
 * ("SkylakeX", "Haswell"), or NULL where the library has chosen well, is not OpenBLAS, or the variable is
 * already set.  A main program sets it and starts itself again (execv) before it does anything else. */
const char *laser_blas_better_core(void);

#endif
