#!/bin/sh
# What a batch job says and how it ends: the log, time limits, ranks that are lost.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
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
check "... the estimate of what the scan needs" says "^MEMORY .*scan: about [0-9.]* [MG]iB a rank"
check "phases begin" says "^BEGIN +scan"
check "... and end" says "^PHASE +scan: [0-9.]+ s"
check "the table of phases" says "^scan +[0-9.]+ +[0-9.]+%( +[0-9.]+){3} +[0-9.e+]+ +[0-9.]+ MiB"
check "... with the rest, and the total" says "^total +[0-9.]+ 100.0%"
check "the last line" test "$(last_line)" = "JOB DONE"
check "results.json has the phases" test "$("$tool" get "$out/log/results.json" phases 0 name)" = scan
check "... with the bytes that were read" test "$("$tool" get "$out/log/results.json" phases 0 read_bytes)" -gt 1600000
cores=$(getconf _NPROCESSORS_ONLN)
check "as many threads as cores" scan cores 0 --threads "$cores"
check "... no warning" says_not "^WARNING"
check "more threads than cores" scan threads 0 --threads $((cores + 1))
check "... a warning" says "^WARNING +[^ ]+: 1 working rank of $((cores + 1)) threads shares? $cores cores?: more than there are"
check "more workers than cores" scan workers $((cores + 2))
check "... a warning" says "^WARNING +[^ ]+: $((cores + 1)) working ranks of 1 thread share $cores cores?: more than there are"
if taskset -c 0 true 2>/dev/null; then
    as="taskset -c 0"
    check "more threads than a rank is bound to" scan bound 0 --threads 2
    as=
    check "... a warning" says "^WARNING +[^ ]+: 1 working rank of 2 threads shares? 1 core: more than there are"
else
    skip "more threads than a rank is bound to" "no taskset"
fi
check "--log json" scan json 2 --log json
check "... only objects" sh -c "! grep -v '^{\"event\":.*}\$' '$scratch/last.log'"
check "... with the table of phases" says '"event":"PHASES",.*"work_seconds":\{"min"'
check "... and the end" sh -c "tail -n 1 '$scratch/last.log' | grep -q '\"event\":\"JOB DONE\"'"
check "--quiet" scan quiet 2 --quiet
check "... leaves the phases out" says_not "^(PHASE|BEGIN|NODE|BUILD)"
check "... but not the end" test "$(last_line)" = "JOB DONE"
check "a job that fails" refuses 3 "no such file or directory" 2 perplexity --model "$scratch/none" --text "a=$text"
check "... is not done" says_not "JOB DONE"

# Time limits: what cannot be finished is not begun, every start comes further, and the end is that of an unbroken run.
starts() { # name ranks time arguments...: the same command again and again while it stops with 75
    starts_dir=$out/$1 starts_ranks=$2 starts_time=$3
    shift 3
    for starts_n in $(seq 60); do
        expect=75
        if run "$starts_ranks" "$@" --output "$starts_dir" --max-time "$starts_time"; then
            expect=0
            says "stopped (after|: the next work item)|stopped: the next work item" || return 1
            continue
        fi
        expect=0
        run "$starts_ranks" "$@" --output "$starts_dir" --max-time "$starts_time" && return 0
        return 1
    done
    echo "not done after $starts_n starts"
    return 1
}
evaluate="perplexity --model $demo --text demo=$text --set evaluate.max_tokens=16000 --set evaluate.batch_tokens=512"
reduce="reduce --compat laserrmt --model $demo --text demo=$text --set evaluate.max_tokens=2000 --set reduce.candidates=4 --shards 1"
check "an unbroken evaluation" run 3 $evaluate --output "$out/ppl"
same_windows() { # A B: the pooled loss, to the last bit or within a tolerance
    same_a=$("$tool" get "$1/results.json" perplexity pooled nll) same_b=$("$tool" get "$2/results.json" perplexity pooled nll)
    awk -v a="$same_a" -v b="$same_b" -v t="${3:-0}" 'BEGIN { d = a - b; if (d < 0) d = -d; print a, b; exit !(a > 0 && d <= t) }'
}
check "an unbroken reduction" run 3 $reduce --output "$out/reduce"
check "... tells what the evaluation needs" says "^MEMORY .*evaluation: about [0-9.]* [MG]iB a rank, 2 replicas of 1 shard"
check "an unbroken scan" run 3 scan --model "$demo" --output "$out/scan"
for n in 0 $(ranks_of 3); do
    check "$n ranks: an evaluation in many starts" starts "ppl-$n" "$n" 0.2s $evaluate
    check "... was stopped" test "$starts_n" -gt 1
    check "... has the same results" same_windows "$out/ppl" "$out/ppl-$n"
    check "$n ranks: a scan that has no time at all" starts "scan-$n" "$n" 0.01s scan --model "$demo"
    check "... has the same results" same_results "$out/scan" "$out/scan-$n"
    check "$n ranks: a reduction in many starts" starts "reduce-$n" "$n" 0.1s $reduce
    check "... was stopped" test "$starts_n" -gt 1
    check "... has the same results" same_results "$out/reduce" "$out/reduce-$n"
    check "... and the same model" same_model "$out/reduce" "$out/reduce-$n"
done

# A rank that hangs: at an order of the coordinator's, or in a step that all take together.
hang() { # name kind: until the ledger has a line of the kind, then one worker is stopped
    hang_dir=$out/stall-$1
    timeout 100 "$launcher" -n 3 "$laser" $reduce --output "$hang_dir" --set run.stall_time=2s \
        --set evaluate.max_tokens=0 >"$scratch/last.log" 2>&1 </dev/null &
    hang_job=$!
    for hang_step in $(seq 1000); do
        [ "$(grep -c "^$2" "$hang_dir/ledger.txt" 2>/dev/null)" -gt 0 ] 2>/dev/null && break
        sleep 0.01
    done
    hang_victim=$(processes "$hang_dir" | tail -1)
    kill -STOP "$hang_victim"
    wait "$hang_job"
    hang_code=$?
    kill -KILL "$hang_victim" 2>/dev/null
    [ $hang_code = 75 ] || { echo "exit code $hang_code"; return 1; }
}
for kind in decision search; do
    check "a rank that hangs at $kind ends the job" hang $kind $kind
    check "... the message says so" says "(has not answered|nothing has moved) for .*the same command again"
    [ $kind = decision ] && check "... with rank and host" says "rank [12] on $(hostname -s) has not answered"
    check "... and it does" run 3 $reduce --output "$out/stall-$kind"
    check "... to the same results" same_results "$out/reduce" "$out/stall-$kind"
done

# A node that is lost under mpirun: here, a second host name with a daemon of its own.
cat >"$scratch/agent" <<'AGENT'
#!/bin/sh
host=$1
shift
exec unshare --uts sh -c 'hostname "$0"; readlink /proc/self/ns/uts >"$LOST_NODE"; exec sh -c "$*"' "$host" "$@"
AGENT
chmod +x "$scratch/agent"
LOST_NODE=$scratch/node
export LOST_NODE
lose() { # directory: all of a node, once a decision is made
    timeout 100 "$launcher" --mca plm_rsh_agent "$scratch/agent" --mca btl tcp,self --mca btl_tcp_if_include lo \
        --mca oob_tcp_if_include lo --host "$(hostname),lostnode:2" -n 3 "$laser" $reduce --output "$1" \
        --set evaluate.max_tokens=0 >"$scratch/last.log" 2>&1 </dev/null &
    lose_job=$!
    for lose_step in $(seq 1000); do
        [ "$(grep -c "^decision" "$1/ledger.txt" 2>/dev/null)" -gt 0 ] 2>/dev/null && break
        sleep 0.01
    done
    lose_node=$(cat "$LOST_NODE")
    kill -KILL $(for entry in /proc/[0-9]*/ns/uts; do
        [ "$(readlink "$entry" 2>/dev/null)" = "$lose_node" ] && echo "$entry" | cut -d/ -f3
    done)
    lose_start=$(date +%s)
    wait "$lose_job"
    lose_code=$?
    lose_seconds=$(($(date +%s) - lose_start))
    echo "code $lose_code after $lose_seconds s"
    [ $lose_code != 0 ] && [ $lose_code != 124 ] && [ $lose_seconds -le 30 ]
}
if unshare --uts hostname lostnode 2>/dev/null && [ -z "${LASER_TEST_RANKS:-}" ] && "$launcher" --version | grep -q "Open MPI"; then
    check "a node that is lost under mpirun ends the job within 30 s" lose "$out/node"
    check "... the message names the node" says "lostnode"
    check "... the same command goes on" run 3 $reduce --output "$out/node" --set evaluate.max_tokens=0
    check "... from what was done" says "decisions are made already"
    check "an unbroken run" run 3 $reduce --output "$out/whole" --set evaluate.max_tokens=0
    check "... the same results" same_results "$out/whole" "$out/node"
    check "... the same model" same_model "$out/whole" "$out/node"
else
    skip "a node that is lost under mpirun" "no host names of its own for a process (unshare --uts), or another MPI"
fi

# The allocation is not what the command wants.
SLURM_MEM_PER_NODE=64
export SLURM_MEM_PER_NODE
check "a job without enough memory" refuses 6 "needs about .* on each of .*a rank may use" 3 $evaluate --output "$out/small"
unset SLURM_MEM_PER_NODE
check "... goes on with more" run 3 $evaluate --output "$out/small"
check "more shards than ranks" run 3 $evaluate --output "$out/shards" --shards 99
check "... a warning" says "^WARNING +parallel.shards: .* of 99 ranks are asked for, 2 ranks work: 2 is used"
check "... the same results" same_windows "$out/ppl" "$out/shards" 1e-5
check "a group larger than the allocation" scan group 3 --group-size 8
check "... a warning" says "^WARNING +parallel.group_size: .* of 8 ranks are asked for, 2 ranks work: 2 is used"
check "... the results of a group that fits" scan pair 3 --group-size 2
check "... are the same" same_results "$out/group" "$out/pair"
check "... a plan of it" run 3 plan --model "$demo" --group-size 8
check "... has groups that fit" says "35 matrices by 1 groups of 2 ranks"
if [ -z "${LASER_TEST_RANKS:-}" ]; then
    check "more shards than heads" run 14 $evaluate --output "$out/heads" --shards 13 --set evaluate.max_tokens=2000
    check "... fewer" run 3 $evaluate --output "$out/few" --shards 1 --set evaluate.max_tokens=2000
    check "... the same results" same_windows "$out/few" "$out/heads" 1e-5
fi

# A clock that is set while the job runs: a day back, then two on.
cat >"$scratch/clock.c" <<'CLOCK'
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long jump(void)
{
    static int calls;
    ++calls;
    return calls % 3 == 0 ? -86400 : calls % 3 == 1 ? 172800 : 0;
}
int clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, id, t);
    if (id == CLOCK_REALTIME)
        t->tv_sec += jump();
    return rc;
}
int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}
CLOCK
if ${CC:-cc} -shared -fPIC -o "$scratch/clock.so" "$scratch/clock.c" 2>/dev/null && [ -z "${LASER_TEST_RANKS:-}" ]; then
    as="env LD_PRELOAD=$scratch/clock.so"
    check "a clock that jumps" run 3 $evaluate --output "$out/clock" --max-time 1h --set run.stall_time=30s
    as=
    check "... changes nothing" same_results "$out/ppl" "$out/clock"
else
    skip "a clock that jumps" "no compiler, or a sanitized build"
fi
finish
