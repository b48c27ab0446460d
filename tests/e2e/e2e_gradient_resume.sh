#!/bin/sh
# Passes for gradients that are killed or stopped at a batch continue with the batches that are missing, on any number of
# ranks, to the same bytes; and a sweep that is killed in its second round.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
mkdir "$out"

# The arguments of a job, for an output directory: some 60 batches.
sensing() {
    echo "sensitivity --model $demo --text demo=$text --set evaluate.max_tokens=8000 --set evaluate.batch_tokens=128 --output $1"
}
tuning() {
    echo "reduce --model $demo --text demo=$text --set evaluate.max_tokens=10000 --set evaluate.batch_tokens=128" \
        "--rounds 1 --output $1"
}
compressing() {
    echo "compress --remove 20% --model $demo --text demo=$text --set evaluate.max_tokens=8000 --set evaluate.batch_tokens=128" \
        "--output $1"
}

# start RANKS DIR ARGUMENTS...: in the background, saving as often as it may.
start() {
    start_ranks=$1
    shift
    : >"$scratch/last.log"
    LASER_MPI_RUN_SAVE_INTERVAL=0 "$launcher" -n "$start_ranks" "$laser" "$@" >"$scratch/last.log" 2>&1 </dev/null &
    job=$!
}
# Waits until gradients were saved so often, or the job is over.
wait_for_saved() { # times
    for wait_step in $(seq 3000); do
        [ "$(grep -c '^SAVED' "$scratch/last.log")" -ge "$1" ] && return 0
        kill -0 "$job" 2>/dev/null || break
        sleep 0.01
    done
    echo "saved $(grep -c '^SAVED' "$scratch/last.log") times, $1 were waited for"
    return 1
}
kill_every() { # dir
    kill -9 "$job" $(processes "$1") 2>/dev/null
    wait "$job" 2>/dev/null
    kill_left=$(processes "$1")
    [ -z "$kill_left" ] || kill -9 $kill_left
    while [ -n "$(processes "$1")" ]; do sleep 0.05; done
}
# The last run went on from some batches, but not from all.
went_on() {
    sed -n 's/^RESUME  *gradients of \([0-9]*\) of \([0-9]*\) batches.*/\1 \2/p' "$scratch/last.log" |
        awk '{ print; n = $1; of = $2 } END { exit !(n >= 3 && n < of) }'
}
nothing_is_left() { ! ls "$1/work/gradient" 2>/dev/null; }

check "an unbroken sensitivity" run 3 $(sensing "$out/sense")
check "... leaves no sums behind" nothing_is_left "$out/sense"
start 3 $(sensing "$out/killed")
check "sensitivity, 3 ranks: saves its sums" wait_for_saved 3
kill_every "$out/killed"
cp -R "$out/killed" "$out/other"
cp -R "$out/killed" "$out/torn"
check "killed: goes on, on 2 ranks" run 2 $(sensing "$out/killed")
check "... from where it was" went_on
check "... the same gradients and Fisher information" cmp "$out/sense/sensitivity.h5" "$out/killed/sensitivity.h5"
check "... the same results" same_results "$out/sense" "$out/killed"
check "... no sums are left" nothing_is_left "$out/killed"
check "other settings take no sums of these" run 2 $(sensing "$out/other") --seqlen 64
check "... but begin again" says_not "RESUME +gradients"
for file in "$out/torn"/work/gradient/sums-*; do : >"$file"; done
check "sums that are gone are named" refuses 5 "work/gradient/sums-.*too short.*begins again" 2 $(sensing "$out/torn")
rm -r "$out/torn/work/gradient"
check "... and without them it begins again" run 1 $(sensing "$out/torn")
check "... the same results" same_results "$out/sense" "$out/torn"

# Stopped on request at any moment, however rarely sums are saved.
stopped_at() { # dir signal
    : >"$scratch/last.log"
    "$launcher" -n 2 "$laser" $(sensing "$1") >"$scratch/last.log" 2>&1 </dev/null &
    job=$!
    for stopped_step in $(seq 3000); do
        grep -q '^BEGIN *gradient' "$scratch/last.log" && break
        sleep 0.01
    done
    sleep 0.3
    kill -"$2" $(processes "$1" | head -1)
    wait "$job"
    stopped_code=$?
    [ $stopped_code = 75 ] || echo "exit code $stopped_code"
    [ $stopped_code = 75 ] && says "^SAVED" && says "give the same command again to resume"
}
check "stopped by a signal: saves its sums" stopped_at "$out/stopped" USR1
check "... goes on" run 3 $(sensing "$out/stopped")
check "... from where it was" says "RESUME +gradients of [1-9]"
check "... the same results" same_results "$out/sense" "$out/stopped"

check "an unbroken tune" run 3 $(tuning "$out/tune")
start 2 $(tuning "$out/tune-killed")
check "tune, 2 ranks: saves its sums" wait_for_saved 3
kill_every "$out/tune-killed"
check "killed: goes on, on 3 ranks" run 3 $(tuning "$out/tune-killed")
check "... from where it was" went_on
check "... the same model" same_model "$out/tune" "$out/tune-killed"
check "... the same results" same_results "$out/tune" "$out/tune-killed"

check "an unbroken compression" run 3 $(compressing "$out/compress")
start 3 $(compressing "$out/compress-killed")
check "compress saves its sums, covariances too" wait_for_saved 3
kill_every "$out/compress-killed"
check "killed: goes on" run 2 $(compressing "$out/compress-killed")
check "... from where it was" went_on
check "... the same model" same_model "$out/compress" "$out/compress-killed"

# A sweep by rounds: 300 edits, of which 20 are measured.
facts=$SRCDIR/tests/data/facts
sweeping() {
    echo "reduce --strategy sweep --model $facts/model --text facts=$facts/facts.txt --seqlen 30 --evaluations 20" \
        "--set evaluate.batch_tokens=240 --set reduce.lookahead=0" \
        "--set reduce.fractions=$(seq -s, 0.05 0.05 0.951) --set evaluate.selection_share=0.3 --output $1"
}
wait_for_decisions() { # dir count
    for wait_step in $(seq 3000); do
        [ "$(grep -c '^decision' "$1/ledger.txt" 2>/dev/null)" -ge "$2" ] 2>/dev/null && return 0
        kill -0 "$job" 2>/dev/null || break
        sleep 0.01
    done
    return 1
}
check "an unbroken sweep by rounds" run 3 $(sweeping "$out/sweep")
check "... of 20 measured edits" test "$(grep -c '^decision' "$out/sweep/ledger.txt")" = 20
start 3 $(sweeping "$out/sweep-killed")
wait_for_decisions "$out/sweep-killed" 11
kill_every "$out/sweep-killed"
cp -R "$out/sweep" "$out/sweep-cut"
rm -rf "$out/sweep-cut/model" "$out/sweep-cut/results.json"
awk '/^decision/ && ++n > 15 { exit } { print }' "$out/sweep/ledger.txt" >"$out/sweep-cut/ledger.txt"
check "killed in a later round: goes on" run 2 $(sweeping "$out/sweep-killed")
check "from a ledger that ends there, too" run 1 $(sweeping "$out/sweep-cut")
for dir in "$out/sweep-killed" "$out/sweep-cut"; do
    check "... nothing is decided twice" test "$(grep -c '^decision' "$dir/ledger.txt")" = 20
    check "... the same results" same_results "$out/sweep" "$dir"
done
finish
