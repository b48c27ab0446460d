#!/bin/sh
# What goes through rank 0, counted by MPI's profiling interface on up to 64 ranks: it does not grow with the size of the
# matrices, and with their number and that of the ranks as the cost model has it.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
counter=$scratch/count.so
if ! ${MPICC:-mpicc} -shared -fPIC -O1 -o "$counter" "$SRCDIR/tests/e2e/count_mpi.c" 2>"$scratch/cc.log" || [ -n "${LASER_TEST_RANKS:-}" ]; then
    skip "the traffic of rank 0" "no compiler wrapper of MPI, or a sanitized build"
    finish
fi
out=$scratch/out
mkdir "$out"
for size in 64 512; do
    mkdir "$out/m$size"
    "$tool" many "$out/m$size" 40 $size $size || exit 1
done
mkdir "$out/half"
"$tool" many "$out/half" 20 64 64 || exit 1

traffic() { # model ranks: $messages and $bytes of rank 0 in a scan; sets them to 0 if it fails
    messages=0 bytes=0
    run "$2" scan --model "$out/$1" --output "$out/$1-$2" --group-size 1 >/dev/null || return 1
    read -r _ messages bytes largest <<T
$(grep '^TRAFFIC' "$scratch/last.log")
T
}
as="env LD_PRELOAD=$counter"
expect=0
for n in 2 64; do
    check "64 x 64 on $n ranks" traffic m64 $n
    small=$bytes
    check "512 x 512 on $n ranks" traffic m512 $n
    echo "    $n ranks, 40 matrices: $small bytes for 64 x 64, $bytes for 512 x 512 (64 times as large); largest message $largest"
    # The catalogue's text is longer by a digit here and there.
    check "... the same bytes through rank 0" test "$bytes" -gt 0 -a $((bytes - small)) -lt 4000 -a $((small - bytes)) -lt 4000
    check "... none of a matrix" test "$largest" -lt 262144
    eval "all_$n=$small"
    check "half as many matrices" traffic half $n
    eval "each_$n=$(((small - bytes) / 20))"
done
echo "    bytes for each further matrix: $each_2, $each_64 on 2, 64 ranks"
check "a matrix costs the same on any number of ranks" test "$each_64" -lt $((each_2 + each_2 / 4)) -a "$each_64" -gt $((each_2 - each_2 / 4))
finish
