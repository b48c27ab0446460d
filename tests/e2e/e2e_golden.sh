#!/bin/sh
# Whole outputs against committed ones (tests/golden/outputs, made by tools/golden/make_outputs.sh): every field of
# results.json, every data set of spectra.h5, every tensor of the model, every line of plans and exports, on one rank and on
# three.  LASER_GOLDEN says where other golden ones are, LASER_GOLDEN_EXACT asks for every digit and every byte: before a change
# that shall change nothing,
#
#   tools/golden/make_outputs.sh BUILD /tmp/before
#
# and after it make check TESTS=tests/e2e/e2e_golden.sh LASER_GOLDEN=/tmp/before LASER_GOLDEN_EXACT=1.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
. "$SRCDIR/tests/e2e/e2e_golden_runs.sh"
out=$scratch/out
mkdir -p "$out"
limit=${limit:-300}
golden=${LASER_GOLDEN:-$SRCDIR/tests/golden/outputs}

facts_of() { # name ranks
    golden_list "$1" "$2" "$scratch/list" && "$outputs" match "$golden/$1.txt" "$scratch/list"
}
for name in $(golden_names); do
    for n in $(ranks_of 1 3); do
        check "$name, $n ranks" golden_run "$name" "$n"
        check "... every fact of its output" facts_of "$name" "$n"
    done
done
[ -d "$stories" ] || skip "laserRMT's way on stories260K" "there is no $stories"

# The comparison itself.
printf 'a.json\tx\t1.5\na.json\ty\t2\nplan.yaml\t:000001\t"edit: rank=3"\n' >"$scratch/a"
sed 's/1.5/1.50001/' "$scratch/a" >"$scratch/b"
check "the last digits of a forward pass may differ" env -u LASER_GOLDEN_EXACT "$outputs" match "$scratch/a" "$scratch/b"
sed 's/1.5/1.51/' "$scratch/a" >"$scratch/b"
differs() { # pattern
    "$outputs" match "$scratch/a" "$scratch/b" >"$scratch/said" && return 1
    grep -q "$1" "$scratch/said"
}
check "others may not" differs 'changed a.json.x'
sed 's/rank=3/rank=4/' "$scratch/a" >"$scratch/b"
check "a rank may not" differs 'changed plan.yaml'
{ cat "$scratch/a" && printf 'a.json\tz\t""\n'; } >"$scratch/b"
check "an added field is named" differs 'added a.json.z'
sed 1d "$scratch/a" >"$scratch/b"
check "a field that is gone is named" differs 'gone a.json.x'
finish
