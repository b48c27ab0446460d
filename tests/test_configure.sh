#!/bin/sh
# What configure takes for MPI, BLAS and ScaLAPACK: names that the user gives, the launcher beside the wrapper, wrappers that
# answer as those of MPICH, Intel and Cray do, and libraries that link and do not run.  The stand-ins hand on to the wrapper that
# this build uses.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
configure=$SRCDIR/configure
real=$(sed -n "s/^S\[\"MPICC\"\]=\"\(.*\)\"$/\1/p" "$BUILDDIR/config.status")
flags=$(sed -n "s/^S\[\"MPI_CFLAGS\"\]=\"\(.*\)\"$/\1/p" "$BUILDDIR/config.status")
libs=$(sed -n "s/^S\[\"MPI_LIBS\"\]=\"\(.*\)\"$/\1/p" "$BUILDDIR/config.status")
compiler=$(sed -n "s/^S\[\"CC\"\]=\"\(.*\)\"$/\1/p" "$BUILDDIR/config.status")
if [ ! -x "$configure" ] || [ -z "$libs" ]; then
    skip "configure" "no configure beside the sources, or a compiler that needs no flags for MPI"
    finish
fi
wrappers=$scratch/bin
mkdir "$wrappers"
wrapper() { # name, the line that answers
    printf '#!/bin/sh\n%s\nexec "%s" "$@"\n' "$2" "$real" >"$wrappers/$1"
    chmod +x "$wrappers/$1"
}
printf '#!/bin/sh\nexec "%s" "$@"\n' "$(command -v "$launcher")" >"$wrappers/mpirun-site"
chmod +x "$wrappers/mpirun-site"
# Answers of the kinds: a whole command line (MPICH, Intel), and Cray's.
wrapper mpicc-site 'case $1 in --showme*|--cray*) exit 1 ;; -show) [ "$2" = -c ] && { echo "gcc -c '"$flags"'"; exit; }; echo "gcc '"$flags $libs"'"; exit ;; esac'
wrapper craycc 'case $1 in --showme*|-show) exit 1 ;; --cray-print-opts=cflags) echo "'"$flags"'"; exit ;; --cray-print-opts=libs) echo "'"$libs"'"; exit ;; esac'
PATH=$wrappers:$PATH
export PATH

# configured ARGUMENTS...: configure in a folder of its own up to its answer; what it says is in last.log.
configured() {
    rm -rf "$scratch/build"
    mkdir "$scratch/build"
    (cd "$scratch/build" && env -u MPIEXEC "$configure" CC="$compiler" "$@" >"$scratch/last.log" 2>&1 </dev/null)
}
refused() { ! configured "$@"; }

check "a wrapper is found by its name, without a path" configured MPICC=mpicc-site
check "... and taken" says "wrapper\\.\\.\\. $wrappers/mpicc-site"
check "... its launcher is the one beside it with its suffix" says "launcher of this MPI\\.\\.\\. $wrappers/mpirun-site"
check "... two ranks add on the grid of its BLACS" says 'BLACS runs on this MPI\.\.\. (yes|not tested)'
starts=yes
says 'BLACS runs on this MPI\.\.\. not tested' >/dev/null && starts=no
check "... the integers of BLAS are looked at" says 'integers of .*32 bits'
check "a wrapper with the options of Cray's" configured MPICC=craycc
check "... and taken" says "flags of $wrappers/craycc"
check "a wrapper that is not there" refused MPICC=mpicc-nowhere
check "... is named" says 'MPICC=mpicc-nowhere was given, and no such program'
check "a launcher that is not there" refused MPIEXEC=mpirun-nowhere
check "... is named" says 'MPIEXEC=mpirun-nowhere was given'
cat >"$scratch/wide.c" <<'WIDE'
#include <stdint.h>
void dsyrk_(void) {}
void sgemm_(void) {}
void dsterf_(void) {}
double ddot_(const int64_t *n, const double *x, const int64_t *incx, const double *y, const int64_t *incy)
{
    double sum = 0;
    for (int64_t i = 0; i < *n; i++)
        sum += x[i * *incx] * y[i * *incy];
    return sum;
}
WIDE
$compiler -shared -fPIC -o "$scratch/libwide.so" "$scratch/wide.c"
check "a BLAS with 64-bit integers" refused --with-blas="-L$scratch -Wl,-rpath,$scratch -lwide"
check "... is refused for that" says 'has 64-bit integers \(ILP64\)'
cat >"$scratch/foreign.c" <<'FOREIGN'
void pdgesvd_(void) {}
void Cblacs_get(int a, int b, int *c) { *c = 0; (void)a; (void)b; }
void Cblacs_gridinit(int *c, const char *order, int rows, int cols) { (void)c; (void)order; (void)rows; (void)cols; }
void Cdgsum2d(void) {}
FOREIGN
$compiler -shared -fPIC -o "$scratch/libforeign.so" "$scratch/foreign.c"
if [ $starts = no ]; then
    skip "a BLACS of another MPI" "no ranks can be started by configure here"
else
    check "a BLACS that does not add over the ranks" refused --with-scalapack="-L$scratch -Wl,-rpath,$scratch -lforeign"
    check "... is refused for that" says 'its BLACS does not run on'
fi
finish
