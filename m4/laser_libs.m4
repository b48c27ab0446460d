# LASER_MISSING(what, Debian package, Fedora package, module): stop, and say how to get it.
AC_DEFUN([LASER_MISSING], [
  AC_MSG_ERROR([$1 was not found.
    Debian, Ubuntu: apt-get install $2
    Fedora, RHEL:   dnf install $3
    HPC modules:    module load $4   (or point PKG_CONFIG_PATH, CPPFLAGS and LDFLAGS at your build)])
])

# LASER_CHECK_PKG(VAR, pkg-config module, libs, Debian, Fedora, module)
# pkg-config first, then a plain link; sets VAR_CFLAGS and VAR_LIBS.
AC_DEFUN([LASER_CHECK_PKG], [
  PKG_CHECK_MODULES([$1], [$2], [], [
    $1_CFLAGS=; $1_LIBS="$3"
    laser_save_LIBS=$LIBS; LIBS="$3 $LIBS"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [],
      [LASER_MISSING([$2], [$4], [$5], [$6])])
    LIBS=$laser_save_LIBS
  ])
])

# LASER_CHECK_BLAS: BLAS and LAPACK, given with --with-blas="..." or searched for.
AC_DEFUN([LASER_CHECK_BLAS], [
  AC_ARG_WITH([blas], [AS_HELP_STRING([--with-blas=LIBS], [link flags of BLAS and LAPACK, e.g. "-lopenblas"])],
    [], [with_blas=check])
  BLAS_LIBS=
  AS_CASE([$with_blas], [check|yes], [set dummy "-lopenblas" "-lflexiblas" "-llapack -lblas"; shift], [set dummy "$with_blas"; shift])
  for laser_blas
  do
    laser_save_LIBS=$LIBS; LIBS="$laser_blas $LIBS"
    AC_MSG_CHECKING([for dsyrk_, sgemm_ and dsterf_ in $laser_blas])
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[void dsyrk_(void); void sgemm_(void); void dsterf_(void);]],
      [[dsyrk_(); sgemm_(); dsterf_();]])], [BLAS_LIBS=$laser_blas; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
    LIBS=$laser_save_LIBS
    test -n "$BLAS_LIBS" && break
  done
  AS_IF([test -z "$BLAS_LIBS"],
    [LASER_MISSING([BLAS and LAPACK (or give --with-blas="...")], [libopenblas-dev], [openblas-devel], [openblas])])
  laser_save_LIBS=$LIBS; LIBS="$BLAS_LIBS $LIBS"
  AC_CHECK_FUNCS([openblas_set_num_threads openblas_get_config])
  LIBS=$laser_save_LIBS
  LASER_BLAS_INTEGERS
  AC_DEFINE_UNQUOTED([LASER_BLAS_LIBS], ["$BLAS_LIBS"], [How BLAS and LAPACK are linked.])
  AC_SUBST([BLAS_LIBS])
])

# LASER_BLAS_INTEGERS: refuses a BLAS with 64-bit integers, which the same names may stand for: of the two halves of a number
# it would read both.  A length of 2 beside -1 is negative to it, and a product of that length is 0.
AC_DEFUN([LASER_BLAS_INTEGERS], [
  laser_save_LIBS=$LIBS; LIBS="$BLAS_LIBS $LIBS"
  AC_MSG_CHECKING([for the integers of $BLAS_LIBS])
  AC_RUN_IFELSE([AC_LANG_PROGRAM([[double ddot_(const int *n, const double *x, const int *incx, const double *y, const int *incy);]],
    [[int n[2] = {2, -1}, one[2] = {1, 0}; double x[2] = {1, 2}; return ddot_(n, x, one, x, one) != 5;]])],
    [AC_MSG_RESULT([32 bits])],
    [AC_MSG_RESULT([64 bits])
     AC_MSG_ERROR([$BLAS_LIBS has 64-bit integers (ILP64), which ScaLAPACK and this program do not use.
    Give the library with 32-bit integers (LP64): --with-blas="-lopenblas", "-lmkl_intel_lp64 ...", "-lnvpl_blas_lp64_seq ..."])],
    [AC_MSG_RESULT([not tested, a cross compilation])])
  LIBS=$laser_save_LIBS
])

# LASER_CHECK_HDF5: the serial or the parallel library, by pkg-config or by a plain link.
AC_DEFUN([LASER_CHECK_HDF5], [
  PKG_CHECK_MODULES([HDF5], [hdf5-serial], [], [
    PKG_CHECK_MODULES([HDF5], [hdf5], [], [
      HDF5_CFLAGS=; HDF5_LIBS=-lhdf5
    ])
  ])
  laser_save_LIBS=$LIBS; laser_save_CFLAGS=$CFLAGS
  # Since 1.12 the header gives some functions another signature unless told which version is meant.
  HDF5_CFLAGS="$HDF5_CFLAGS -DH5_USE_110_API"
  LIBS="$HDF5_LIBS $MPI_LIBS $LIBS"; CFLAGS="$CFLAGS $HDF5_CFLAGS $MPI_CFLAGS"
  # src/ is compiled without MPI's flags; the header of a parallel HDF5 includes mpi.h, and needs its path.
  laser_hdf5_CPPFLAGS=$CPPFLAGS; CPPFLAGS="$CPPFLAGS $HDF5_CFLAGS"
  AC_PREPROC_IFELSE([AC_LANG_PROGRAM([[#include <hdf5.h>]], [[]])], [], [HDF5_CFLAGS="$HDF5_CFLAGS $MPI_CFLAGS"])
  CPPFLAGS=$laser_hdf5_CPPFLAGS
  AC_MSG_CHECKING([whether an HDF5 program links])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <hdf5.h>]], [[return H5open() < 0;]])], [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     LASER_MISSING([HDF5], [libhdf5-dev], [hdf5-devel], [hdf5])])
  LIBS=$laser_save_LIBS; CFLAGS=$laser_save_CFLAGS
])

# LASER_CHECK_ONEDNN: optional fast matrix products of the forward pass.
AC_DEFUN([LASER_CHECK_ONEDNN], [
  AC_ARG_WITH([onednn], [AS_HELP_STRING([--without-onednn], [build the forward pass on BLAS alone])], [], [with_onednn=check])
  laser_onednn=no; ONEDNN_LIBS=
  AS_IF([test "x$with_onednn" != xno], [
    laser_save_LIBS=$LIBS; LIBS="-ldnnl $LIBS"
    AC_MSG_CHECKING([for oneDNN])
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <oneapi/dnnl/dnnl.h>]],
      [[dnnl_engine_t e; return (int)dnnl_engine_create(&e, dnnl_cpu, 0);]])],
      [laser_onednn=yes; ONEDNN_LIBS=-ldnnl
       AC_DEFINE([HAVE_ONEDNN], [1], [Define to 1 if oneDNN is used.])])
    AC_MSG_RESULT([$laser_onednn])
    LIBS=$laser_save_LIBS
    AS_IF([test "x$with_onednn$laser_onednn" = xyesno],
      [LASER_MISSING([oneDNN], [libdnnl-dev], [onednn-devel], [oneDNN])])
  ])
  AC_SUBST([ONEDNN_LIBS])
])

# LASER_CHECK_CAIRO: optional figures in PDF and PNG.
AC_DEFUN([LASER_CHECK_CAIRO], [
  AC_ARG_WITH([cairo], [AS_HELP_STRING([--without-cairo], [figures in SVG only])], [], [with_cairo=check])
  laser_cairo=no
  AS_IF([test "x$with_cairo" != xno], [
    PKG_CHECK_MODULES([CAIRO], [cairo-pdf cairo-png], [laser_cairo=yes
       AC_DEFINE([HAVE_CAIRO], [1], [Define to 1 if cairo is used.])],
      [AS_IF([test "x$with_cairo" = xyes], [LASER_MISSING([cairo], [libcairo2-dev], [cairo-devel], [cairo])])])
  ])
])

# LASER_CHECK_CMOCKA: needed by make check only.
AC_DEFUN([LASER_CHECK_CMOCKA], [
  PKG_CHECK_MODULES([CMOCKA], [cmocka], [laser_cmocka=yes],
    [laser_cmocka=no
     AC_MSG_WARN([cmocka was not found: make check has nothing to run (Debian, Ubuntu: libcmocka-dev)])])
  AM_CONDITIONAL([HAVE_CMOCKA], [test "x$laser_cmocka" = xyes])
])
