# What the end-to-end scripts share.  A script sources this file, calls `check NAME COMMAND...` for every fact, and ends
# with `finish`, which prints the counts in cmocka's words.  Scratch files are in $scratch.
set -u
: "${SRCDIR:?}" "${BUILDDIR:?}"
laser=$BUILDDIR/laser_mpi
tool=$BUILDDIR/tests/e2e/e2e_tool
demo=$SRCDIR/inputs/demo-model
text=$SRCDIR/inputs/demo-text/selection.txt
launcher=${MPIEXEC:-mpirun}
LC_ALL=C
. "$SRCDIR/tests/mpi_env.sh"
OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl_base_warn_component_unused=0 OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
export LC_ALL OMPI_MCA_mpi_yield_when_idle OMPI_MCA_btl_base_warn_component_unused OPENBLAS_NUM_THREADS OMP_NUM_THREADS
# What MPI's own libraries leave behind is no fault of ours.
ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0}
export ASAN_OPTIONS
scratch=$(mktemp -d "${TMPDIR:-/tmp}/laser-e2e-XXXXXX")
# Short: Open MPI keeps sockets below it.
TMPDIR=$scratch
export TMPDIR
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0 skipped=0

# processes ARGUMENT: those of the program that have it among theirs, lowest first (rank 0 starts first).
program=$(readlink -f "$laser")
processes() {
    for entry in $(grep -lzxF -- "$1" /proc/[0-9]*/cmdline 2>/dev/null); do
        entry=${entry%/cmdline}
        [ "$(readlink "$entry/exe" 2>/dev/null)" = "$program" ] && echo "${entry#/proc/}"
    done | sort -n
}

# check NAME COMMAND...: the fact holds if the command succeeds.
check() {
    check_name=$1
    shift
    if "$@" >"$scratch/check.out" 2>&1; then
        echo "[       OK ] $check_name"
        passed=$((passed + 1))
    else
        echo "[  FAILED  ] $check_name: $*"
        sed 's/^/    /' "$scratch/check.out" | tail -12
        if [ -f "$scratch/last.log" ]; then
            echo "    -- the last run:"
            tail -6 "$scratch/last.log" | sed 's/^/    /'
        fi
        failed=$((failed + 1))
        [ -z "${LASER_FAIL_FAST:-}" ] || finish # tools/mutate: one is enough
    fi
}

skip() { # name, why
    echo "[  SKIPPED ] $1: $2"
    skipped=$((skipped + 1))
}

finish() {
    echo "[  PASSED  ] $passed test(s)."
    [ "$skipped" = 0 ] || echo "[  SKIPPED ] $skipped test(s)."
    [ "$failed" = 0 ] && exit 0
    echo "[  FAILED  ] $failed test(s)."
    exit 1
}

# The wrapper of a rank: its exit code goes into a file, and mpirun sees success, so that it ends no other rank early.
cat >"$scratch/rank" <<'RANK'
#!/bin/sh
"$@"
echo $? >"$LASER_CODES/${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-${SLURM_PROCID:-0}}}"
RANK
chmod +x "$scratch/rank"
LASER_CODES=$scratch/codes
export LASER_CODES

# run RANKS ARGUMENTS...: laser_mpi; what it says is in last.log.  Succeeds if every rank exits with the code $expect
# (0 unless set) within $limit seconds.
run() {
    run_ranks=$1
    shift
    rm -rf "$LASER_CODES"
    mkdir "$LASER_CODES"
    if [ "$run_ranks" = 0 ]; then # without a launcher
        timeout "${limit:-120}" "$scratch/rank" $as "$laser" "$@" >"$scratch/last.log" 2>&1 </dev/null
        run_ranks=1
    else
        timeout "${limit:-120}" "$launcher" -n "$run_ranks" "$scratch/rank" $as "$laser" "$@" \
            >"$scratch/last.log" 2>&1 </dev/null
    fi
    run_status=$?
    if [ $run_status != 0 ]; then
        echo "the launcher ended with $run_status (124: too slow or hanging)"
        return 1
    fi
    for run_rank in $(seq 0 $((run_ranks - 1))); do
        run_code=$(cat "$LASER_CODES/$run_rank" 2>/dev/null)
        if [ "$run_code" != "${expect:-0}" ]; then
            echo "rank $run_rank of $run_ranks exited with ${run_code:-nothing}, ${expect:-0} was expected"
            return 1
        fi
    done
}
as=

# start RANKS ARGUMENTS...: in the background, as the only job of this shell.
start() {
    start_ranks=$1
    shift
    if [ "$start_ranks" = 0 ]; then
        "$laser" "$@" >"$scratch/last.log" 2>&1 </dev/null &
    else
        "$launcher" -n "$start_ranks" "$laser" "$@" >"$scratch/last.log" 2>&1 </dev/null &
    fi
    job=$!
}

kill_every() { # dir
    kill -9 "$job" $(processes "$1") 2>/dev/null
    wait "$job" 2>/dev/null
    kill_left=$(processes "$1")
    [ -z "$kill_left" ] || kill -9 $kill_left
    while [ -n "$(processes "$1")" ]; do sleep 0.05; done
}

# refuses CODE PATTERN RANKS ARGUMENTS...: every rank exits with the code, and the message has the pattern.
refuses() {
    expect=$1 refuses_pattern=$2
    shift 2
    run "$@"
    refuses_status=$?
    expect=0
    [ $refuses_status = 0 ] && says "$refuses_pattern"
}

# says PATTERN: the last run said it (extended regular expression).
says() {
    grep -aqE -- "$1" "$scratch/last.log" || {
        echo "not said: $1"
        return 1
    }
}
says_not() { ! grep -aqE -- "$1" "$scratch/last.log"; }
plain_log() { ! grep -aq '[[:cntrl:]]' "$scratch/last.log"; }

same_file() { cmp "$1" "$2"; }
# same_results A B: byte for byte, but for times and the number of ranks.
same_results() {
    "$tool" canonical "$1/results.json" >"$scratch/a.json" && "$tool" canonical "$2/results.json" >"$scratch/b.json" &&
        diff "$scratch/a.json" "$scratch/b.json"
}
near_results() { "$tool" compare "$1/results.json" "$2/results.json" "$3"; }
same_model() { diff -r "$1/model" "$2/model"; }

# The numbers of ranks that a sanitized or slow run wants (tests/run-test), of those given.
ranks_of() {
    for ranks_n in "$@"; do
        case " ${LASER_TEST_RANKS:-$*} " in *" $ranks_n "*) echo "$ranks_n" ;; esac
    done
}
