#!/bin/sh
# kill -9 at random moments (seeded) of a scan and of a reduction, from its first file to its last: every restart finishes,
# and what it leaves is what an unbroken run leaves.
#
#   SRCDIR=.. BUILDDIR=. sh ../tests/long/kills.sh [MOMENTS [SEED]]        50 moments, seed 1; some minutes
#
# `make check-kills` runs it in a build directory.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
moments=${1:-50} seed=${2:-1}
out=$scratch/out
mkdir "$out"

job_of() { # kind dir
    case $1 in
    scan) echo "scan --model $demo --solver gesvd --output $2" ;;
    reduce) echo "reduce --compat laserrmt --model $demo --text demo=$text --set evaluate.max_tokens=3000" \
        "--set reduce.candidates=5 --shards 1 --output $2" ;;
    esac
}
now_ms() { date +%s%3N; }
random() { # number of the draw, upper limit
    awk -v d="$1" -v s="$seed" -v n="$2" 'BEGIN { srand(s * 104729 + d * 7919); rand(); print int(rand() * n) }'
}
same() { # kind dir
    same_results "$out/$1" "$2" && { [ "$1" = scan ] || same_model "$out/$1" "$2"; } && ! find "$2" -name '*.tmp*' -o -name '*.partial' | grep .
}

for kind in scan reduce; do
    check "an unbroken $kind" run 3 $(job_of $kind "$out/$kind")
    start=$(now_ms)
    run 3 $(job_of $kind "$out/$kind-timed")
    eval "${kind}_ms=$(($(now_ms) - start))"
done
: >"$scratch/places"
for n in $(seq "$moments"); do
    [ $((n % 3)) = 0 ] && kind=scan || kind=reduce
    eval "length=\$${kind}_ms"
    ranks=$((1 + $(random $((3 * n)) 3)))
    dir=$out/killed
    # Every fourth moment is looked for in the short phases (edits, the written model), the others in the whole length; one
    # that comes too late is drawn again from half of it.
    for draw in 1 2 3 4 5; do
        delay=$(random $((3 * n + 1 + 1000 * draw)) "$length")
        phase=
        [ $((n % 4)) != 1 ] || [ $kind = scan ] || { [ $((n % 8)) = 1 ] && phase=write || phase=edits; }
        [ -z "$phase" ] || delay=$(random $((3 * n + 1 + 1000 * draw)) 40)
        rm -rf "$dir"
        "$launcher" -n $ranks "$laser" $(job_of $kind "$dir") >"$scratch/last.log" 2>&1 </dev/null &
        job=$!
        while [ -n "$phase" ] && kill -0 $job 2>/dev/null && ! grep -aq "^BEGIN *$phase" "$scratch/last.log"; do sleep 0.005; done
        sleep "$(awk -v ms="$delay" 'BEGIN { print ms / 1000 }')"
        grep -aq '^JOB DONE' "$scratch/last.log" || break
        [ $draw = 5 ] || wait $job 2>/dev/null
        length=$((length / 2))
    done
    victims=$(processes "$dir")
    if [ $((n % 2)) = 0 ]; then # all at once, else one of them
        kill -9 $job $victims 2>/dev/null
    else
        kill -9 $(echo $victims | cut -d' ' -f$((1 + $(random $((3 * n + 2)) "$(echo $victims | wc -w)")))) 2>/dev/null
    fi
    wait $job 2>/dev/null
    for left in $(processes "$dir"); do kill -9 "$left" 2>/dev/null; done
    while [ -n "$(processes "$dir")" ]; do sleep 0.05; done
    place=$(grep -aoE '^(BEGIN +[a-z]+|JOB DONE)' "$scratch/last.log" | tail -1 | sed 's/BEGIN *//')
    echo "$kind: ${place:-start}" >>"$scratch/places"
    check "$n: $kind on $ranks ranks, killed after $delay ms (${place:-start}${phase:+, $phase looked for}): goes on" run $ranks $(job_of $kind "$dir")
    check "... and ends as if nothing had been" same $kind "$dir"
done
echo "where the moments fell:"
sort "$scratch/places" | uniq -c
finish
