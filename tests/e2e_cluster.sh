#!/bin/sh
# What a batch job says and how it ends: the log, time limits, ranks that are lost.
. "$SRCDIR/tests/e2e_lib.sh"
out=$scratch/out
mkdir "$out"

scan() { # name ranks options...
    scan_name=$1 scan_ranks=$2
    shift 2
    run "$scan_ranks" scan --model "$demo" --output "$out/$scan_name" "$@"
}
last_line() { tail -n 1 "$scratch/last.log"; }

# The log.
check "a scan" scan log 3
check "the head: version and command" says "^LASER_MPI +[0-9.]+ scan"
check "... the libraries" says "^BUILD .*BLAS.*ScaLAPACK.*HDF5.*kernels "
check "... the ranks of each node and what they are bound to" says "^NODE +[^ ]+: ranks 0-2, (not bound|bound to)"
check "... the model" says "^MODEL .*35 matrices"
check "... the memory of a rank" says "^LIMIT .*of memory a rank"
check "phases begin" says "^BEGIN +scan"
check "... and end" says "^PHASE +scan: [0-9.]+ s"
check "the table of phases" says "^scan +[0-9.]+ +[0-9.]+%( +[0-9.]+){3} +[0-9.e+]+ +[0-9.]+ MiB"
check "... with the rest, and the total" says "^total +[0-9.]+ 100.0%"
check "the last line" test "$(last_line)" = "JOB DONE"
check "results.json has the phases" test "$("$tool" get "$out/log/results.json" phases 0 name)" = scan
check "... with the bytes that were read" test "$("$tool" get "$out/log/results.json" phases 0 read_bytes)" -gt 1600000
check "--log json" scan json 2 --log json
check "... only objects" sh -c "! grep -v '^{\"event\":.*}\$' '$scratch/last.log'"
check "... with the table of phases" says '"event":"PHASES",.*"work_seconds":\{"min"'
check "... and the end" sh -c "tail -n 1 '$scratch/last.log' | grep -q '\"event\":\"JOB DONE\"'"
check "--quiet" scan quiet 2 --quiet
check "... leaves the phases out" says_not "^(PHASE|BEGIN|NODE|BUILD)"
check "... but not the end" test "$(last_line)" = "JOB DONE"
check "a job that fails" refuses 3 "no such file or directory" 2 perplexity --model "$scratch/none" --text "a=$text"
check "... is not done" says_not "JOB DONE"
finish
