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

# LASER_CHECK_MPI: finds the MPI compiler wrapper and takes its flags, so that only mpi/ is built with them.
AC_DEFUN([LASER_CHECK_MPI], [
  AC_ARG_VAR([MPICC], [MPI C compiler wrapper, asked for its flags])
  AC_ARG_VAR([MPIEXEC], [MPI launcher used by the tests])
  AC_PATH_PROGS([MPICC], [mpicc mpiicx mpiicc cc], [no])
  AC_PATH_PROGS([MPIEXEC], [mpirun mpiexec srun], [no])
  AS_IF([test "x$MPICC" = xno],
    [LASER_MISSING([An MPI compiler wrapper (mpicc)], [libopenmpi-dev openmpi-bin], [openmpi-devel], [openmpi])])
  AC_MSG_CHECKING([for the flags of $MPICC])
  MPI_CFLAGS=`"$MPICC" --showme:compile 2>/dev/null` && MPI_LIBS=`"$MPICC" --showme:link 2>/dev/null` || {
    MPI_CFLAGS=`"$MPICC" -show -c 2>/dev/null | $SED 's/^@<:@^ @:>@*//; s/ -c\>//'`
    MPI_LIBS=`"$MPICC" -show 2>/dev/null | $SED 's/^@<:@^ @:>@*//'`
  }
  AC_MSG_RESULT([$MPI_CFLAGS $MPI_LIBS])
  laser_save_LIBS=$LIBS; laser_save_CFLAGS=$CFLAGS
  LIBS="$MPI_LIBS $LIBS"; CFLAGS="$CFLAGS $MPI_CFLAGS"
  AC_MSG_CHECKING([whether an MPI-3 program links])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <mpi.h>
#if MPI_VERSION < 3
#error MPI-3 is needed
#endif
]], [[MPI_Comm node; MPI_Init(0, 0);
MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node); MPI_Finalize();]])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     LASER_MISSING([A working MPI-3 library], [libopenmpi-dev openmpi-bin], [openmpi-devel], [openmpi])])
  LIBS=$laser_save_LIBS; CFLAGS=$laser_save_CFLAGS
  laser_mpi_description="$MPICC, launcher $MPIEXEC"
  AC_SUBST([MPI_CFLAGS]) AC_SUBST([MPI_LIBS])
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
  AC_DEFINE_UNQUOTED([LASER_BLAS_LIBS], ["$BLAS_LIBS"], [How BLAS and LAPACK are linked.])
  AC_SUBST([BLAS_LIBS])
])

# LASER_CHECK_SCALAPACK: must really link pdgesvd_ and Cblacs_gridinit (newer BLACS live inside ScaLAPACK).
AC_DEFUN([LASER_CHECK_SCALAPACK], [
  AC_ARG_WITH([scalapack], [AS_HELP_STRING([--with-scalapack=LIBS], [link flags of ScaLAPACK and BLACS])],
    [], [with_scalapack=check])
  SCALAPACK_LIBS=
  AS_CASE([$with_scalapack], [check|yes],
    [set dummy "-lscalapack-openmpi" "-lscalapack" "-lscalapack-mpich" "-lscalapack -lblacs"; shift],
    [set dummy "$with_scalapack"; shift])
  for laser_lib
  do
    laser_save_LIBS=$LIBS; LIBS="$laser_lib $BLAS_LIBS $MPI_LIBS $LIBS"
    AC_MSG_CHECKING([for pdgesvd_ and Cblacs_gridinit in $laser_lib])
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[void pdgesvd_(void); void Cblacs_gridinit(void);]],
      [[pdgesvd_(); Cblacs_gridinit();]])], [SCALAPACK_LIBS=$laser_lib; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
    LIBS=$laser_save_LIBS
    test -n "$SCALAPACK_LIBS" && break
  done
  AS_IF([test -z "$SCALAPACK_LIBS"],
    [LASER_MISSING([ScaLAPACK with BLACS for this MPI (or give --with-scalapack="...")],
      [libscalapack-openmpi-dev], [scalapack-openmpi-devel], [scalapack])])
  AC_DEFINE_UNQUOTED([LASER_SCALAPACK_LIBS], ["$SCALAPACK_LIBS"], [How ScaLAPACK is linked.])
  AC_SUBST([SCALAPACK_LIBS])
])

# LASER_CHECK_HDF5: the serial or the parallel library, by pkg-config or by a plain link.
AC_DEFUN([LASER_CHECK_HDF5], [
  PKG_CHECK_MODULES([HDF5], [hdf5-serial], [], [
    PKG_CHECK_MODULES([HDF5], [hdf5], [], [
      HDF5_CFLAGS=; HDF5_LIBS=-lhdf5
    ])
  ])
  laser_save_LIBS=$LIBS; laser_save_CFLAGS=$CFLAGS
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
