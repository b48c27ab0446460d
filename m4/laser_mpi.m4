# LASER_PROGRAM(VAR, names in order, what it is): the program that the user named, or the first of the names that is found.
# A name that the user gives and that cannot be found is an error: another program would not be what was asked for.
AC_DEFUN([LASER_PROGRAM], [
  AC_MSG_CHECKING([for $3])
  AS_IF([test -n "$$1"], [
    laser_found=`command -v "$$1" 2>/dev/null`
    AS_IF([test -z "$laser_found"], [
      AC_MSG_RESULT([no])
      AC_MSG_ERROR([$1=$$1 was given, and no such program is in the PATH or at that place])])
  ], [
    laser_found=
    for laser_name in $2
    do
      laser_found=`command -v "$laser_name" 2>/dev/null` && break
    done
  ])
  $1=${laser_found:-no}
  AC_MSG_RESULT([$$1])
])

# LASER_MPI_FLAGS: what the wrapper $MPICC adds to a compiler's command line, in MPI_CFLAGS and MPI_LIBS.  Open MPI answers
# --showme, MPICH and Intel MPI -show, Cray's compiler driver --cray-print-opts.
AC_DEFUN([LASER_MPI_FLAGS], [
  laser_plain() { "$MPICC" "$[@]" 2>/dev/null | $SED 's/^@<:@^ @:>@*//; s/ -c\( \|$\)/ /'; }
  AS_IF([MPI_LIBS=`"$MPICC" --showme:link 2>/dev/null` && test -n "$MPI_LIBS"],
      [MPI_CFLAGS=`"$MPICC" --showme:compile 2>/dev/null`],
    [MPI_LIBS=`"$MPICC" --cray-print-opts=libs 2>/dev/null` && test -n "$MPI_LIBS"],
      [MPI_CFLAGS=`"$MPICC" --cray-print-opts=cflags 2>/dev/null`],
    [MPI_LIBS=`laser_plain -show` && test -n "$MPI_LIBS"], [MPI_CFLAGS=`laser_plain -show -c`],
    [MPI_LIBS=; MPI_CFLAGS=])
])

# LASER_MPI_LINKS(if so, if not): does an MPI-3 program compile and link with MPI_CFLAGS and MPI_LIBS?
AC_DEFUN([LASER_MPI_LINKS], [
  laser_save_LIBS=$LIBS; laser_save_CFLAGS=$CFLAGS
  LIBS="$MPI_LIBS $LIBS"; CFLAGS="$CFLAGS $MPI_CFLAGS"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <mpi.h>
#if MPI_VERSION < 3
#error MPI-3 is needed
#endif
]], [[MPI_Comm node; MPI_Init(0, 0);
MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node); MPI_Finalize();]])],
    [laser_links=yes], [laser_links=no])
  LIBS=$laser_save_LIBS; CFLAGS=$laser_save_CFLAGS
  AS_IF([test $laser_links = yes], [$1], [$2])
])

# LASER_MPI_IS(kind, macro of its mpi.h): sets laser_mpi_kind if it is not yet known and the macro is defined.
AC_DEFUN([LASER_MPI_IS], [
  AS_IF([test $laser_mpi_kind = other],
    [AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <mpi.h>
#ifndef $2
#error another MPI
#endif
]], [])], [laser_mpi_kind=$1])])
])

# LASER_MPI_KIND: which MPI it is, by its header.  Intel's and Cray's are MPICHs, too.
AC_DEFUN([LASER_MPI_KIND], [
  AC_MSG_CHECKING([which MPI it is])
  laser_save_CFLAGS=$CFLAGS; CFLAGS="$CFLAGS $MPI_CFLAGS"
  laser_mpi_kind=other
  LASER_MPI_IS([openmpi], [OPEN_MPI])
  LASER_MPI_IS([intel], [I_MPI_VERSION])
  LASER_MPI_IS([cray], [CRAY_MPICH_VERSION])
  LASER_MPI_IS([mpich], [MPICH_VERSION])
  CFLAGS=$laser_save_CFLAGS
  AC_MSG_RESULT([$laser_mpi_kind])
])

# LASER_CHECK_MPI: the compiler wrapper's flags, so that only mpi/ is built with them, and the launcher of the same MPI.
AC_DEFUN([LASER_CHECK_MPI], [
  AC_ARG_VAR([MPICC], [MPI C compiler wrapper, asked for its flags])
  AC_ARG_VAR([MPIEXEC], [MPI launcher used by the tests])
  laser_mpicc_given=$MPICC
  LASER_PROGRAM([MPICC], [mpicc mpiicx mpiicc], [an MPI compiler wrapper])
  # A compiler that is a wrapper itself (Cray's cc, CC=mpicc) needs no flags.
  MPI_CFLAGS=; MPI_LIBS=; laser_direct=no
  AS_IF([test -z "$laser_mpicc_given"], [
    AC_MSG_CHECKING([whether $CC builds MPI programs by itself])
    LASER_MPI_LINKS([laser_direct=yes])
    AC_MSG_RESULT([$laser_direct])
    AS_IF([test $laser_direct = yes], [MPICC=`set dummy $CC; command -v "$][2"`])
  ])
  AS_IF([test "x$MPICC" = xno],
    [LASER_MISSING([An MPI compiler wrapper (mpicc)], [libopenmpi-dev openmpi-bin], [openmpi-devel], [openmpi])])
  AS_IF([test $laser_direct = no], [
    AC_MSG_CHECKING([for the flags of $MPICC])
    LASER_MPI_FLAGS
    AC_MSG_RESULT([$MPI_CFLAGS $MPI_LIBS])
    AC_MSG_CHECKING([whether an MPI-3 program links])
    LASER_MPI_LINKS([AC_MSG_RESULT([yes])],
      [AC_MSG_RESULT([no])
       LASER_MISSING([A working MPI-3 library], [libopenmpi-dev openmpi-bin], [openmpi-devel], [openmpi])])
  ])
  LASER_MPI_KIND
  # The launcher stands beside the wrapper and carries its suffix (mpicc.mpich: mpirun.mpich); where there is none, the site's.
  laser_dir=${MPICC%/*}
  laser_suffix=`AS_ECHO(["${MPICC@%:@@%:@*/}"]) | $SED -n 's/^mpi@<:@a-z@:>@*c@<:@cx@:>@*//p'`
  LASER_PROGRAM([MPIEXEC], [$laser_dir/mpirun$laser_suffix $laser_dir/mpiexec$laser_suffix mpirun$laser_suffix mpiexec$laser_suffix srun aprun],
    [the launcher of this MPI])
  AS_IF([test "x$MPIEXEC" = xno], [AC_MSG_WARN([no MPI launcher was found: the tests need MPIEXEC=...])])
  laser_mpi_description="$MPICC ($laser_mpi_kind), launcher $MPIEXEC"
  AC_SUBST([MPI_CFLAGS]) AC_SUBST([MPI_LIBS])
])

# LASER_BLACS_RUNS: links are no proof.  A BLACS that was built for another MPI takes its communicators for numbers of its own:
# two ranks add one to one.  Where ranks cannot be started (a login node), this is said and not tested.
AC_DEFUN([LASER_BLACS_RUNS], [
  AC_MSG_CHECKING([whether this BLACS runs on this MPI])
  laser_blacs_runs="not tested"
  laser_save_LIBS=$LIBS; laser_save_CFLAGS=$CFLAGS
  LIBS="$SCALAPACK_LIBS $BLAS_LIBS $MPI_LIBS $LIBS"; CFLAGS="$CFLAGS $MPI_CFLAGS"
  AS_IF([test "x$cross_compiling" = xno && test "x$MPIEXEC" != xno], [
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <mpi.h>
#include <stdio.h>
#include <string.h>
void Cblacs_get(int, int, int *); void Cblacs_gridinit(int *, const char *, int, int);
void Cdgsum2d(int, const char *, const char *, int, int, double *, int, int, int);]], [[
char **argv = 0; int argc = 0, ranks = 0, context = -1; double sum = 1;
MPI_Init(&argc, &argv); MPI_Comm_size(MPI_COMM_WORLD, &ranks);
if (ranks != 2) { puts("alone"); fflush(stdout); MPI_Finalize(); return 0; }
Cblacs_get(-1, 0, &context); Cblacs_gridinit(&context, "R", 1, ranks);
Cdgsum2d(context, "A", " ", 1, 1, &sum, 1, -1, -1);
if (sum == 2) puts("added"); else puts("wrong");
fflush(stdout); MPI_Finalize();]])],
    [
      laser_limit=; AS_IF([timeout 1 true 2>/dev/null], [laser_limit="timeout 60"])
      laser_launch() {
        OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 \
          OMPI_MCA_hwloc_base_binding_policy=none PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe \
          $laser_limit "$MPIEXEC" -n 2 "$[@]" 2>conftest.err </dev/null
      }
      # Does the launcher start anything here at all?
      AS_IF([laser_launch true >/dev/null], [
        laser_said=`laser_launch ./conftest$EXEEXT`
        AS_CASE([$laser_said],
          [*alone*], [laser_blacs_runs="no: $MPIEXEC does not start ranks of the MPI of $MPICC"],
          [*wrong*], [laser_blacs_runs="no: it adds one of two ranks to another and does not get two"],
          [*added*added*], [laser_blacs_runs=yes],
          [laser_blacs_runs="no: `sed -n '/@<:@^ -@:>@/{p;q;}' conftest.err`"])
      ], [laser_blacs_runs="not tested: $MPIEXEC starts no ranks here"])
    ])
  ])
  LIBS=$laser_save_LIBS; CFLAGS=$laser_save_CFLAGS
  AC_MSG_RESULT([$laser_blacs_runs])
])

# LASER_CHECK_SCALAPACK: must link pdgesvd_ and Cblacs_gridinit (newer BLACS live inside ScaLAPACK) and run on this MPI.
# In order: nothing (Cray's cc brings libsci), the names that distributions give it for the MPI in use, the plain name, MKL for
# the MPI in use, NVIDIA's, Arm's and AMD's.
AC_DEFUN([LASER_CHECK_SCALAPACK], [
  AC_ARG_WITH([scalapack], [AS_HELP_STRING([--with-scalapack=LIBS], [link flags of ScaLAPACK and BLACS])],
    [], [with_scalapack=check])
  SCALAPACK_LIBS=; laser_scalapack=no
  AS_CASE([$laser_mpi_kind], [openmpi], [laser_mkl=openmpi; laser_debian=-lscalapack-openmpi],
    [laser_mkl=intelmpi; laser_debian=-lscalapack-mpich])
  AS_CASE([$with_scalapack], [check|yes],
    [set dummy "" "$laser_debian" "-lscalapack" "-lscalapack -lblacs" "-lmkl_scalapack_lp64 -lmkl_blacs_${laser_mkl}_lp64" \
       "-lnvpl_scalapack_lp64 -lnvpl_blacs_lp64_$laser_mkl" "-lscalapack_lp64" "-laocl-scalapack"; shift],
    [set dummy "$with_scalapack"; shift])
  laser_refused=
  for laser_lib
  do
    laser_save_LIBS=$LIBS; LIBS="$laser_lib $BLAS_LIBS $MPI_LIBS $LIBS"
    laser_save_CFLAGS=$CFLAGS; CFLAGS="$CFLAGS $MPI_CFLAGS"
    AC_MSG_CHECKING([for pdgesvd_ and Cblacs_gridinit in ${laser_lib:-the libraries so far}])
    laser_links=no
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[void pdgesvd_(void); void Cblacs_gridinit(void);]],
      [[pdgesvd_(); Cblacs_gridinit();]])], [laser_links=yes])
    AC_MSG_RESULT([$laser_links])
    LIBS=$laser_save_LIBS; CFLAGS=$laser_save_CFLAGS
    test $laser_links = yes || continue
    SCALAPACK_LIBS=$laser_lib
    LASER_BLACS_RUNS
    AS_CASE([$laser_blacs_runs], [no:*], [laser_refused="$laser_refused
    ${laser_lib:-the libraries so far}: ${laser_blacs_runs@%:@no: }"], [laser_scalapack=yes; break])
  done
  AS_IF([test $laser_scalapack = no && test -n "$laser_refused"],
    [AC_MSG_ERROR([ScaLAPACK was found, and its BLACS does not run on $laser_mpi_description. It was probably built for another MPI.$laser_refused
    Debian, Ubuntu: libscalapack-openmpi-dev for Open MPI, libscalapack-mpich-dev for MPICH; or give --with-scalapack="..."])])
  AS_IF([test $laser_scalapack = no],
    [AS_CASE([$laser_mpi_kind],
      [openmpi], [LASER_MISSING([ScaLAPACK with BLACS for this MPI (or give --with-scalapack="...")],
        [libscalapack-openmpi-dev], [scalapack-openmpi-devel], [scalapack])],
      [LASER_MISSING([ScaLAPACK with BLACS for this MPI (or give --with-scalapack="...")],
        [libscalapack-mpich-dev], [scalapack-mpich-devel], [scalapack])])])
  AC_DEFINE_UNQUOTED([LASER_SCALAPACK_LIBS], ["$SCALAPACK_LIBS"], [How ScaLAPACK is linked.])
  AC_SUBST([SCALAPACK_LIBS])
])
