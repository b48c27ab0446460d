# LASER_WARNINGS: warnings that every file must pass, and the sanitizers when asked for.
AC_DEFUN([LASER_WARNINGS], [
  WARN_CFLAGS=
  laser_save_CFLAGS=$CFLAGS
  for laser_flag in -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
      -Wwrite-strings -Wvla -Wformat=2 -Wno-format-nonliteral -fno-math-errno; do
    CFLAGS="$laser_save_CFLAGS $WARN_CFLAGS $laser_flag -Werror"
    AC_MSG_CHECKING([whether $CC accepts $laser_flag])
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
      [AC_MSG_RESULT([yes]); WARN_CFLAGS="$WARN_CFLAGS $laser_flag"], [AC_MSG_RESULT([no])])
  done
  CFLAGS=$laser_save_CFLAGS
  AS_IF([test "x$enable_werror" = xyes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
  AS_IF([test "x$enable_sanitizers" = xyes],
    [WARN_CFLAGS="$WARN_CFLAGS -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
     LDFLAGS="$LDFLAGS -fsanitize=address,undefined"])
  AM_CONDITIONAL([SANITIZERS], [test "x$enable_sanitizers" = xyes])
  AC_SUBST([WARN_CFLAGS])
])
