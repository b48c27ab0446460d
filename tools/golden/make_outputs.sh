#!/bin/sh
# The golden outputs of tests/e2e/e2e_golden.sh, from the program as it is: tools/golden/make_outputs.sh [BUILD [DIRECTORY]]
#
# BUILD (build) holds a built tree with its tests (make check TESTS=), DIRECTORY (tests/golden/outputs) gets a file for each run
# of tests/e2e/e2e_golden_runs.sh, made on one rank.  Look at what `git diff tests/golden/outputs` says before committing it: the
# change shall be the one that was meant.
top=$(cd "$(dirname "$0")/../.." && pwd)
BUILDDIR=$(cd "${1:-$top/build}" && pwd) || exit 1
SRCDIR=$top
golden=${2:-$top/tests/golden/outputs}
export SRCDIR BUILDDIR
mkdir -p "$golden" && golden=$(cd "$golden" && pwd) || exit 1
. "$SRCDIR/tests/e2e/e2e_lib.sh"
. "$SRCDIR/tests/e2e/e2e_golden_runs.sh"
out=$scratch/out
mkdir -p "$out"
limit=600
for name in $(golden_names); do
    if golden_run "$name" 1 && golden_list "$name" 1 "$scratch/list"; then
        { echo "# Made by tools/golden/make_outputs.sh." && cat "$scratch/list"; } >"$golden/$name.txt"
        echo "$golden/$name.txt: $(wc -l <"$scratch/list") facts"
    else
        echo "$name: failed"
        tail -20 "$scratch/last.log"
        exit 1
    fi
done
