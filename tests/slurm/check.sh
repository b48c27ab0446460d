#!/bin/sh
# 64 ranks, then the job scripts on a real SLURM: four simulated nodes on this machine (cluster.sh).  A job that is signalled
# before its limit, cancelled, that loses a rank or a node, goes on and ends with the bytes of an unbroken run.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
cluster=$SRCDIR/tests/slurm/cluster.sh
SLURMSIM_DIR=/tmp/lsim.$$ SLURMSIM_PORT=$((20000 + $$ % 20000)) SLURMSIM_NODES=4 SLURMSIM_CPUS=4
export SLURMSIM_DIR SLURMSIM_PORT SLURMSIM_NODES SLURMSIM_CPUS
PATH=$PATH:/usr/sbin:/sbin
started=$(date +%s)

# As many ranks as a large job has, on the cores that are here; no SLURM needed.
whole() { run "$1" reduce --compat laserrmt --shards 1 --model "$demo" --text "demo=$text" --output "$scratch/whole-$1"; }
check "3 ranks: the demo's whole reduction" whole 3
limit=300
check "64 ranks: the demo's whole reduction" whole 64
limit=
check "... the same results" same_results "$scratch/whole-3" "$scratch/whole-64"
check "... the same model" same_model "$scratch/whole-3" "$scratch/whole-64"

why=
for program in slurmctld slurmd sbatch munged bash bc; do
    command -v $program >/dev/null || why="$why $program"
done
[ -z "$why" ] || { skip "the job scripts on a real SLURM" "not installed:$why"; finish; }
if ! bash "$cluster" up >"$scratch/up.log" 2>&1; then
    bash "$cluster" clean >/dev/null 2>&1
    skip "the job scripts on a real SLURM" "it does not start: $(tail -n 1 "$scratch/up.log")"
    finish
fi
trap 'bash "$cluster" clean >/dev/null 2>&1; rm -rf "$scratch"' EXIT
. "$SLURMSIM_DIR/env.sh"
work="--set evaluate.max_tokens=8000 --set reduce.candidates=10 --shards 1 --compat laserrmt"
mkdir "$scratch/out"
out=$scratch/out
check "an unbroken reduction" run 3 reduce --model "$demo" --text "demo=$text" --output "$out/ref" $work
unset TMPDIR OMPI_MCA_rmaps_base_oversubscribe PRTE_MCA_rmaps_default_mapping_policy

LASER_SLURM=$SRCDIR/slurm LASER_MPI=$laser LASER_BIND=none
export LASER_SLURM LASER_MPI LASER_BIND
cd "$scratch" || exit 1

submit() { # name script arguments...: the job's id is in $id, its log in NAME.log
    submit_name=$1 submit_script=$2
    shift 2
    [ -f "$submit_script" ] || submit_script=$SRCDIR/slurm/$submit_script
    id=$(sbatch --parsable --output="$scratch/$submit_name.log" $options "$submit_script" "$@") || return 1
    cp /dev/null "$scratch/last.log"
}
options=
reduce_job() { submit "$1" "${script:-reduce.sbatch}" "$demo" "demo=$text" "$out/$1" $work; }

# Waits until the ledger of a run has a line of a kind.
reaches() { # name kind count
    for step in $(seq 600); do
        [ "$(grep -c "^$2" "$out/$1/ledger.txt" 2>/dev/null)" -ge "$3" ] 2>/dev/null && return 0
        sleep 0.1
    done
    cat "$scratch/$1.log"
    return 1
}
# A job that waits to be started again does so now, not in two minutes.
state() { squeue -h -j "$1" -o %T,%r 2>/dev/null; }
over() { # job: is it over?  Seen three times: a job that is requeued passes through other states
    over_seen=0
    for step in $(seq 1200); do
        case $(state "$1") in
        "" | COMPLETED* | FAILED* | CANCELLED* | TIMEOUT* | NODE_FAIL*) over_seen=$((over_seen + 1)) ;;
        *) over_seen=0 ;;
        esac
        [ $over_seen = 3 ] && return 0
        sleep 0.1
    done
    squeue
    return 1
}
field() { scontrol show job "$1" | grep -o "$2=[^ ]*" | head -1 | cut -d= -f2; }
completes() { # name job
    over "$2" && cp "$scratch/$1.log" "$scratch/last.log" && [ "$(field "$2" JobState)" = COMPLETED ] && says "^JOB DONE"
}
again() { [ "$(field "$1" Restarts)" -ge 1 ]; }

same() { # name
    check "... the same results" same_results "$out/ref" "$out/$1"
    check "... the same model" same_model "$out/ref" "$out/$1"
}

ranks_at() { # name: the processes of a run
    for entry in $(grep -lzxF -- "$out/$1" /proc/[0-9]*/cmdline 2>/dev/null); do
        entry=${entry%/cmdline}
        [ "$(readlink "$entry/exe" 2>/dev/null)" = "$(readlink -f "$laser")" ] && echo "${entry#/proc/}"
    done | sort -n
}

# Side by side at first: each on one node, three ranks.  Two with a limit of a minute, which SLURM itself signals: it looks
# every half a minute, and until then their ranks are held up.
hold() { # name: until SIGUSR1 waits for rank 0; SLURM may also let them go on itself when it signals a step
    hold_ranks=$(ranks_at "$1")
    [ -n "$hold_ranks" ] || return 1
    kill -STOP $hold_ranks
    hold_first=$(echo "$hold_ranks" | head -1)
    for step in $(seq 500); do
        sleep 0.1
        grep -q '^State:[[:space:]]*T' "/proc/$hold_first/status" 2>/dev/null || break
        hold_signals=$(sed -n 's/^ShdPnd:[[:space:]]*//p' "/proc/$hold_first/status" 2>/dev/null)
        [ $((0x${hold_signals:-0} >> 9 & 1)) = 1 ] && break
    done
    echo "$1: held up for $((step / 10)) s"
    kill -CONT $hold_ranks 2>/dev/null
}
for kind in B: ""; do
    script=$scratch/timer${kind%:}.sbatch
    sed "s/^\(#SBATCH --time=\).*/\11/; s/^\(#SBATCH --signal=\).*/\1${kind}USR1@50/; s/^\(#SBATCH --ntasks-per-node=\).*/\13/" \
        "$SRCDIR/slurm/reduce.sbatch" >"$script"
    reduce_job "timer${kind%:}" && eval "timer${kind%:}=\$id"
    reaches "timer${kind%:}" decision 1 && hold "timer${kind%:}" &
done
script=
options="--nodes=1 --ntasks-per-node=3 --time=5"
reduce_job usr1-srun && first=$id
reaches usr1-srun decision 1 && scancel --signal=USR1 --batch "$first"
LASER_LAUNCHER=mpirun reduce_job usr1-mpirun && second=$id
reaches usr1-mpirun decision 1 && scancel --signal=USR1 --batch "$second"
check "srun: a signal before the limit, requeued, finished" completes usr1-srun "$first"
check "... in a second start" again "$first"
check "... after stopping at a safe point" says "stopped by (a )?signal.*the same command again"
check "... which is why it was requeued" says "stopped before its time was up; requeued"
check "... without doing its work twice" says "matrices are done already"
same usr1-srun
check "mpirun: a signal before the limit, requeued, finished" completes usr1-mpirun "$second"
check "... after stopping at a safe point" says "stopped before its time was up; requeued"
check "... in a second start" again "$second"
same usr1-mpirun

for kind in B: ""; do
    eval "timed=\$timer${kind%:}"
    check "#SBATCH --time=1 --signal=${kind}USR1@50: SLURM signals it, requeued, finished" completes "timer${kind%:}" "$timed"
    check "... in another start" again "$timed"
    check "... after stopping at a safe point" says "stopped by (a )?signal.*the same command again"
    check "... SLURM's signal, not its limit" says_not "DUE TO TIME LIMIT"
    same "timer${kind%:}"
done
wait

# Over four nodes.
options="--nodes=4 --ntasks-per-node=1 --time=5"
reduce_job cancel && reaches cancel decision 1 && scancel "$id"
check "cancelled with a grace time" over "$id"
check "... stops at a safe point" grep -q "stopped by.*signal.*the same command again" cancel.log
reduce_job cancel
check "... the same command again: finished" completes cancel "$id"
check "... with what was done before" says "decisions are made already"
same cancel

reduce_job rank && reaches rank decision 1
kill -9 "$(ranks_at rank | tail -1)"
check "a killed rank: requeued, finished" completes rank "$id"
check "... in a second start" again "$id"
check "... the log names task and node" says "n[1-4]: task [0-3]: Killed"
same rank

options="--nodes=2 --ntasks-per-node=2 --time=5"
reduce_job node && reaches node decision 1
lost=$(squeue -h -j "$id" -o %N | sed 's/.*[-,]//; s/[^0-9]//g')
bash "$cluster" crash-node "n$lost" >/dev/null 2>&1
scontrol update NodeName="n$lost" State=DOWN Reason=crash
check "a killed node: requeued, finished on others" completes node "$id"
check "... in a second start" again "$id"
same node
bash "$cluster" start-node "n$lost" >/dev/null 2>&1
scontrol update NodeName="n$lost" State=RESUME

# An array over models, a chain of jobs.
cp -R "$demo" "$scratch/second"
printf '%s\n' "$demo" "$scratch/second" >models.txt
options="--array=1-2 --nodes=1 --ntasks-per-node=2 --time=5"
submit array array.sbatch models.txt "$out/array" && array=$id
chain() {
    bash "$SRCDIR/slurm/chain.sh" "$demo" "demo=$scratch/short.txt" "$out/chain" --nodes=1 --ntasks-per-node=2 --time=5 \
        --output="$scratch/chain-%x.log" >chain.txt
}
head -c 5000 "$text" >short.txt
check "a chain is submitted" chain
check "an array over two models" over "$array"
check "... both are scanned" test -s "$out/array/demo-model/results.json" -a -s "$out/array/second/results.json"
last=$(sed 's/.*evaluate //' chain.txt)
check "scan, reduce, evaluate" over "$last"
check "... to the end" test -s "$out/chain/evaluation/results.json"
check "... the reduction uses the scan" grep -q "35 of 35 matrices are done" chain-laser_reduce.log

echo "$(($(date +%s) - started)) s"
finish
