#!/bin/sh
# Limits of a process, and ways out: too little memory or too few threads for BLAS, a current directory that is no more,
# signals from outside and from inside, and a program that is stuck: no loop without a way out.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
mkdir "$out"
limit=60

# within LIMIT_OF_ULIMIT VALUE: a wrapper that starts the program under that limit.
within() {
    printf '#!/bin/sh\nulimit %s %s\nexec "$@"\n' "$1" "$2" >"$scratch/within"
    chmod +x "$scratch/within"
    as=$scratch/within
}
sanitized() { grep -qa __asan_init "$laser"; }

# ---- address space ----
if sanitized; then
    skip "limits of the address space" "a sanitizer needs terabytes of it"
else
    for n in 0 $(ranks_of 1 3); do
        for kib in 150000 250000; do
            within -v $kib
            for command in "scan" "perplexity --text demo=$text" "reduce --text demo=$text"; do
                check "ulimit -v $kib, $n ranks, ${command%% *}: refused with both numbers" refuses 6 \
                    "BLAS needs 128 MiB.*limit of this process \(address space, ulimit -v\) is $((kib / 1024)) MiB, of which [0-9.]+ .iB are left" \
                    "$n" $command --model "$demo" --output "$out/as-$n"
            done
        done
        # OpenBLAS's own threads, which the program has no use for, are not made.
        within -v 700000
        as="env OPENBLAS_NUM_THREADS=64 $scratch/within"
        check "ulimit -v 700000, $n ranks, 64 threads of OpenBLAS: runs" run "$n" \
            scan --model "$demo" --output "$out/as-runs-$n"
        check "... and knows the limit" says '^LIMIT +[0-9]+ MiB of memory a rank \(address space, ulimit -v\)'
    done
    within -v 700000
    check "more threads than there is room for" refuses 6 'BLAS needs|the system grants' 0 \
        scan --model "$demo" --output "$out/as-threads" --threads 32
    within -v 3000000
    check "a limit with room for two threads" run 0 scan --model "$demo" --output "$out/as-two" --threads 2
    as=
fi

# ---- a current directory that is no more ----
printf '#!/bin/sh\nd=$(mktemp -d)\ncd "$d"\nrmdir "$d"\nexec "$@"\n' >"$scratch/nowhere"
chmod +x "$scratch/nowhere"
as=$scratch/nowhere
for n in 0 $(ranks_of 1 3); do
    check "a current directory that was removed, $n ranks" refuses 5 "o: the current directory cannot be resolved: No such file" \
        "$n" scan --model "$demo" --output o
    check "... an absolute output works, $n ranks" run "$n" scan --model "$demo" --output "$out/nowhere-$n"
done
as=

# ---- launchers that this MPI does not know ----
step="env SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_NTASKS=3"
as="$step SLURM_STEP_NUM_TASKS=3 SLURM_PROCID=0"
check "srun without PMI" refuses 2 'srun \(SLURM_STEP_NUM_TASKS\) has started 3 tasks.*srun --mpi=list' 0 scan --model "$demo" --output "$out/srun"
as="$step SLURM_PROCID=0"
check "... by the tasks of its job" refuses 2 'srun \(SLURM_NTASKS\) has started 3 tasks' 0 scan --model "$demo" --output "$out/srun"
as="$step SLURM_STEP_NUM_TASKS=3 SLURM_PROCID=2"
expect=2
check "... the other tasks end, too" run 0 scan --model "$demo" --output "$out/srun"
expect=0
check "... without saying it again" says_not 'srun'
as="env PMI_SIZE=4 PMI_RANK=0"
check "the mpiexec of another MPI" refuses 2 'mpiexec \(PMI_SIZE\) has started 4 tasks.*laser_mpi --version' 0 reduce --model "$demo" --text "a=$text" --output "$out/srun"
check "... has made nothing" test ! -e "$out/srun"
as="env SLURM_JOB_ID=7 SLURM_STEP_ID=4294967291 SLURM_NTASKS=8 SLURM_PROCID=0"
check "a job script that starts one process" run 0 scan --model "$demo" --output "$out/script"
check "... is told of the tasks" says 'WARNING +the job has 8 tasks, and this is one process'
as="$step SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0"
check "a step of one task" run 0 scan --model "$demo" --output "$out/one"
for n in $(ranks_of 1 3); do
    as="$step SLURM_STEP_NUM_TASKS=7 SLURM_PROCID=0"
    check "mpirun of $n ranks in a step of others" run "$n" scan --model "$demo" --output "$out/within-$n"
done
as=

# ---- signals ----
stuck=$scratch/stuck.so
if sanitized || ! ${CC:-cc} -shared -fPIC -O0 -o "$stuck" "$SRCDIR/tests/e2e/stuck.c" 2>"$scratch/cc.log"; then
    skip "signals" "no compiler, or a sanitized build"
    finish
fi
job_of() { # command, output
    case $1 in
    scan) echo "scan --model $demo --output $2" ;;
    perplexity) echo "perplexity --model $demo --text demo=$text --set evaluate.max_tokens=2000 --output $2" ;;
    reduce) echo "reduce --model $demo --text demo=$text --set evaluate.max_tokens=2000 --set reduce.candidates=2 --output $2" ;;
    esac
}
start() { # ranks, dir, arguments...: in the background
    start_ranks=$1
    shift
    : >"$scratch/last.log" # the process opens it later, and what the run before has said is not to be found until then
    if [ "$start_ranks" = 0 ]; then
        LD_PRELOAD=$stuck "$laser" "$@" >"$scratch/last.log" 2>&1 </dev/null &
    else
        "$launcher" -n "$start_ranks" env LD_PRELOAD="$stuck" "$laser" "$@" >"$scratch/last.log" 2>&1 </dev/null &
    fi
    job=$!
}
said() { # pattern: within 30 s
    for said_step in $(seq 600); do
        says "$1" >/dev/null && return 0
        kill -0 "$job" 2>/dev/null || break
        sleep 0.05
    done
    says "$1"
}
ends() { # code: the job ends with it within 10 s
    for ends_step in $(seq 200); do
        kill -0 "$job" 2>/dev/null || break
        sleep 0.05
    done
    if kill -0 "$job" 2>/dev/null; then
        kill -9 "$job" $(processes "$ends_dir") 2>/dev/null
        echo "still there after 10 s"
        return 1
    fi
    wait "$job"
    ends_code=$?
    [ $ends_code = "$1" ] || {
        echo "exit code $ends_code, $1 was expected"
        return 1
    }
}
lives() { kill -0 "$1"; }
# The first process of a job, which may not be seen at once on a busy machine.
first_of() {
    for first_step in $(seq 100); do
        first_pid=$(processes "$1" | head -1)
        [ -n "$first_pid" ] && break
        sleep 0.05
    done
    echo "$first_pid"
}

# stuck_in RANKS COMMAND PLACE: two signals to rank 0, which is stuck where it has said PLACE.
stuck_in() {
    stuck_n=$1 stuck_command=$2 STUCK_AT=$3
    ends_dir=$out/stuck-$1-$2-$(echo "$3" | tr -cd '[:alnum:]')
    export STUCK_AT
    start "$1" $(job_of "$2" "$ends_dir")
    check "$2 on $1 ranks is stuck at '$3'" said "$3"
    rank0=$(first_of "$ends_dir")
    kill -TERM "$rank0"
    sleep 0.3
    check "... a first SIGTERM is a request" lives "$rank0"
    kill -$4 "$rank0"
    check "... a second one, SIG$4, ends it at once" ends 75
    check "... and says so" says "asked to stop for the second time"
    unset STUCK_AT
}
for n in 0 $(ranks_of 3); do
    stuck_in "$n" scan 'MODEL' TERM
    stuck_in "$n" scan 'BEGIN      scan' INT
    stuck_in "$n" scan 'OUTPUT' TERM
    stuck_in "$n" perplexity 'BEGIN      perplexity' TERM
    for phase in scan edits search report write; do
        stuck_in "$n" reduce "BEGIN      $phase" TERM
    done
done
# The commands without safe points end on the first one.  The model has a name of its own here: scripts that run at the same
# time have processes with the demo's, which are not to be hit.
ln -s "$demo" "$scratch/plan-model"
for n in 0 $(ranks_of 3); do
    STUCK_AT=PLAN ends_dir=$scratch/plan-model
    export STUCK_AT
    start "$n" plan --model "$ends_dir"
    check "plan on $n ranks is stuck" said PLAN
    kill -TERM "$(first_of "$ends_dir")"
    check "... a command without safe points ends on the first SIGTERM" ends 143
    unset STUCK_AT
done

# A library that raises a signal asks for nothing.
for n in 0 $(ranks_of 3); do
    ends_dir=$out/raise-$n
    RAISE_AT='BEGIN      scan'
    export RAISE_AT
    start "$n" $(job_of scan "$ends_dir")
    check "SIGINT from inside, $n ranks: not stopped on request" ends 6
    check "... and says what it is" says "a library has ended this process by a signal of its own"
    check "... not that the same command goes on" says_not "again to resume"
    unset RAISE_AT
done
finish
