#!/bin/sh
# Killed at any moment and started again: what is finished is not computed again, and the files are those of an unbroken
# run.  Stopped on request; a torn ledger; a changed model; an output directory of another run.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
mkdir "$out"

# The arguments of a job, for an output directory.
scan_job() { echo "scan --model $demo --output $1 --solver gesvd"; }
reduce_job() {
    echo "reduce --compat laserrmt --model $demo --text demo=$text --set evaluate.max_tokens=2000" \
        "--set reduce.candidates=4 --shards 1 --output $1"
}

# Waits until the ledger of a directory has so many lines of a kind, or the job is over.
wait_for() { # dir kind count
    for wait_step in $(seq 2000); do
        [ "$(grep -c "^$2" "$1/ledger.txt" 2>/dev/null)" -ge "$3" ] 2>/dev/null && return 0
        kill -0 "$job" 2>/dev/null || return 0
        sleep 0.01
    done
    echo "the ledger never got $3 lines of $2"
    return 1
}

# Random, from a seed: the same moments in every run of this script.
random() { # number of the draw, upper limit
    awk -v seed="$1" -v n="$2" 'BEGIN { srand(seed * 7919); rand(); print int(rand() * n) }'
}

kill_one() { # dir draw
    kill_all=$(processes "$1")
    kill_count=$(echo "$kill_all" | wc -w)
    [ "$kill_count" -gt 0 ] || return 0
    kill -9 "$(echo $kill_all | cut -d' ' -f$((1 + $(random "$2" "$kill_count"))))" 2>/dev/null
    wait "$job"
}

# Every matrix was recorded once.
recorded_once() {
    [ "$(grep '^matrix' "$1/ledger.txt" | sed 's/ status=.*//' | sort | uniq -d | wc -l)" = 0 ] &&
        [ "$(grep -c '^matrix' "$1/ledger.txt")" = 35 ]
}
decided_once() {
    [ "$(grep '^decision' "$1/ledger.txt" | sed 's/ trial=.*//' | sort | uniq -d | wc -l)" = 0 ] &&
        [ "$(grep -c '^decision' "$1/ledger.txt")" = 4 ]
}
no_temporaries() { ! find "$1" -name '*.tmp*' -o -name '*.partial' | grep .; }
same_scan() { for f in "$out/scan"/snr_*; do cmp "$f" "$1/$(basename "$f")" || return 1; done; }

check "an unbroken scan" run 3 $(scan_job "$out/scan")
check "an unbroken reduction" run 3 $(reduce_job "$out/reduce")

# Killed in the scan.
draw=0
for n in $(ranks_of 1 3); do
    for victim in one all; do
        draw=$((draw + 1))
        dir=$out/scan-$n-$victim
        at=$((1 + $(random $draw 30)))
        start "$n" $(scan_job "$dir")
        check "scan on $n ranks reaches $at matrices" wait_for "$dir" matrix "$at"
        if [ $victim = one ]; then kill_one "$dir" $draw; else kill_every "$dir"; fi
        check "scan on $n ranks, $victim killed: goes on" run "$n" $(scan_job "$dir")
        check "... nothing is computed twice" recorded_once "$dir"
        check "... the same results" same_results "$out/scan" "$dir"
        check "... the same files" same_scan "$dir"
    done
done

# Killed in a reduction, at places of the ledger (search) and moments (anywhere).
for place in base:1 decision:1 decision:3 decision:4; do
    draw=$((draw + 1))
    dir=$out/reduce-$(echo $place | tr : -)
    start 3 $(reduce_job "$dir")
    check "reduction reaches $place" wait_for "$dir" "${place%:*}" "${place#*:}"
    if [ $((draw % 2)) = 0 ]; then kill_one "$dir" $draw; else kill_every "$dir"; fi
    check "killed at $place: goes on" run 3 $(reduce_job "$dir")
    check "... nothing is computed twice" recorded_once "$dir"
    check "... nothing is decided twice" decided_once "$dir"
    check "... the same results" same_results "$out/reduce" "$dir"
    check "... the same model" same_model "$out/reduce" "$dir"
done
dir=$out/reduce-often
for attempt in 1 2 3 4 5 6; do
    draw=$((draw + 1))
    start 2 $(reduce_job "$dir")
    sleep "$(random $draw 200 | awk '{ print 0.3 + $1 / 100 }')"
    kill_every "$dir"
done
check "killed six times: goes on" run 2 $(reduce_job "$dir")
check "... nothing is computed twice" recorded_once "$dir"
check "... nothing is decided twice" decided_once "$dir"
check "... the same results" same_results "$out/reduce" "$dir"
check "... the same model" same_model "$out/reduce" "$dir"
check "... no temporary files are left" no_temporaries "$dir"

# Killed while the best of a sweep are put together.
compose_job() {
    echo "reduce --strategy compose --model $demo --text demo=$text --set evaluate.max_tokens=4000 --set reduce.fractions=0.8,0.5" \
        "--set reduce.layers=0-2 --set reduce.types=self_attn.q_proj,self_attn.k_proj --shards 1 --output $1"
}
check "an unbroken composition" run 3 $(compose_job "$out/compose")
decisions=$(grep -c '^decision' "$out/compose/ledger.txt")
check "... decides after its sweep of 12" test "$decisions" -ge 14
start 3 $(compose_job "$out/compose-killed")
check "a composition reaches its second half" wait_for "$out/compose-killed" decision 13
kill_every "$out/compose-killed"
check "... killed there: goes on" run 3 $(compose_job "$out/compose-killed")
cp -R "$out/compose" "$out/compose-cut"
rm -r "$out/compose-cut/model" "$out/compose-cut/results.json"
awk '/^decision/ && ++n > 13 { exit } { print }' "$out/compose/ledger.txt" >"$out/compose-cut/ledger.txt"
check "... and from a ledger that ends there" run 2 $(compose_job "$out/compose-cut")
for dir in "$out/compose-killed" "$out/compose-cut"; do
    check "... nothing is decided twice" test "$(grep -c '^decision' "$dir/ledger.txt")" = "$decisions"
    check "... the same results" same_results "$out/compose" "$dir"
    check "... the same model" same_model "$out/compose" "$dir"
done

# Killed while the model is written: an edit file torn, the model half there.
cp -R "$out/reduce" "$out/torn"
rm "$out/torn/results.json" "$out/torn/model/config.json"
: >"$out/torn/model/.model.safetensors.partial"
head -c 1000 "$demo/model.safetensors" >"$out/torn/model/model.safetensors"
check "a model half written: goes on" run 3 $(reduce_job "$out/torn")
check "... the same model" same_model "$out/reduce" "$out/torn"
check "... the same results" same_results "$out/reduce" "$out/torn"

# Stopped on request.
stopped() { # dir: the run behind $job
    wait "$job"
    stopped_code=$?
    [ $stopped_code = 75 ] || { echo "exit code $stopped_code"; return 1; }
    says "give the same command again to resume"
}
for signal in TERM USR1 USR2 XCPU; do
    dir=$out/signal-$signal
    start 0 $(reduce_job "$dir")
    wait_for "$dir" decision 1
    kill -$signal "$job"
    check "SIG$signal: exit code 75" stopped
    check "... the same command goes on" run 0 $(reduce_job "$dir")
    check "... the same results" same_results "$out/reduce" "$dir"
done
dir=$out/signal-rank
start 3 $(reduce_job "$dir")
wait_for "$dir" search 1
kill -USR1 $(processes "$dir" | tail -1)
check "SIGUSR1 to a worker: exit code 75" stopped
dir=$out/stop-file
mkdir "$dir"
: >"$dir/STOP"
check "a file STOP: exit code 75 on every rank" refuses 75 "stopped because this file is there" 3 $(scan_job "$dir")
rm "$dir/STOP"
check "... the same command goes on" run 3 $(scan_job "$dir")
check "... the same files" same_scan "$dir"
check "run.max_time: exit code 75" refuses 75 "stopped(: the next work item| after)" 2 $(reduce_job "$out/time") --max-time 0.01s

# A torn ledger.
cp -R "$out/scan" "$out/tail"
head -c -20 "$out/scan/ledger.txt" >"$out/tail/ledger.txt"
check "a torn last line" run 3 $(scan_job "$out/tail")
check "... is said" says "torn last line"
check "... one matrix is computed again" says "34 of 35 matrices are done"
check "... the same files" same_scan "$out/tail"
cp -R "$out/scan" "$out/middle"
sed '5s/rank/rink/' "$out/scan/ledger.txt" >"$out/middle/ledger.txt"
check "a damaged line in the middle is an error" refuses 5 "ledger.txt: line 5 is damaged" 3 $(scan_job "$out/middle")
check "... but not with --force" run 3 $(scan_job "$out/middle") --force
check "... the same files" same_scan "$out/middle"
cp -R "$out/scan" "$out/values"
printf 'x' | dd of="$out/values/work/part-1.f64" bs=1 seek=100 conv=notrunc 2>/dev/null
check "damaged values" run 3 $(scan_job "$out/values")
check "... are computed again" says "is computed again: its values are not whole"
check "... the same files" same_scan "$out/values"

# Another solver, another model.
check "another solver" run 3 $(scan_job "$out/scan") --solver gram
check "... is noticed" says "35 finished matrices are not used again: the solver"
check "back to the first solver" run 3 $(scan_job "$out/scan")
check "... whose values are still there" says "35 of 35 matrices are done"
cp -R "$demo" "$out/model"
chmod -R u+w "$out/model"
own() { echo "scan --model $out/model --output $out/own"; }
check "a model of one's own" run 2 $(own)
touch -d '2001-01-01' "$out/model/model.safetensors"
check "its file touched" run 2 $(own)
check "... is noticed" says "35 finished matrices are not used again: the model's files have been changed"
mkdir "$out/other"
"$tool" checkpoint "$out/other" model.layers.0.mlp.up_proj.weight:40:30:normal
check "another model in the same output is refused" refuses 2 "holds a run of another model" 3 \
    scan --model "$out/other" --output "$out/own"
check "--force starts afresh" run 3 scan --model "$out/other" --output "$out/own" --force
check "... with the other model's matrices" test "$("$tool" get "$out/own/results.json" counts scanned)" = 1

# A run that was refused before it came to a result claims nothing.
cp -R "$demo" "$scratch/refused" && chmod -R u+w "$scratch/refused"
sed 's/"hidden_act": "[a-z]*"/"hidden_act": "tanhx"/' "$demo/config.json" >"$scratch/refused/config.json"
evaluation="perplexity --model $scratch/refused --text a=$text --set evaluate.max_tokens=1000 --output $out/refused"
check "a model that cannot be evaluated" refuses 3 "tanhx" 2 $evaluation
cp "$demo/config.json" "$scratch/refused/config.json"
check "the same command once it is mended" run 2 $evaluation

# One run at a time.  The first one has far more to do than the test waits for.
start 3 $(reduce_job "$out/busy" | sed 's/max_tokens=[0-9]*/max_tokens=0/; s/candidates=[0-9]*/candidates=35/')
wait_for "$out/busy" matrix 5
check "a second run on the same output is refused" refuses 2 "another run works in this output directory" 2 \
    $(reduce_job "$out/busy")
kill_every "$out/busy"
check "... and goes once the first is gone" run 2 $(reduce_job "$out/busy")
check "... with the same results" same_results "$out/reduce" "$out/busy"
finish
