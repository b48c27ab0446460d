#!/bin/sh
# A compression that is killed at every stage, and a disk that is full while it writes: the same command goes on, to the same bytes.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out limit=120
mkdir "$out"

squeeze() { # output: the arguments
    echo "compress --model $demo --text demo=$text --set evaluate.max_tokens=3000 --remove 20% --curve 10% --output $1"
}
# Waits for a file of a stage, or for the end of the job.
wait_for() { # pattern
    for wait_step in $(seq 3000); do
        for wait_file in $1; do [ -e "$wait_file" ] && return 0; done
        kill -0 "$job" 2>/dev/null || break
        sleep 0.01
    done
    echo "there never was a file $1"
    return 1
}
get() { get_directory=$1 && shift && "$tool" get "$out/$get_directory/results.json" "$@"; }

check "a compression" run 3 $(squeeze "$out/whole")
dir=$out/killed
for place in 'cuts:work/cuts/*/*.safetensors' 'the vectors of a round:work/refine/vectors-*' \
    'the first step of the first size:work/refine/[0-9a-f]*-[0-9]*.safetensors' 'the round of the first size:work/refine/round-*' \
    'its factors:work/factors/*' 'its checkpoint:work/point/config.json' 'the checkpoint:model/config.json'; do
    start 3 $(squeeze "$dir")
    check "another gets to ${place%%:*}" wait_for "$dir/${place#*:}"
    kill_every "$dir"
done
for n in $(ranks_of 2); do
    check "killed at all of these, $n ranks: goes on" run "$n" $(squeeze "$dir")
    check "... to the same bytes" same_model "$out/whole" "$dir"
    check "... the same round" test "$(get killed chosen rounds 0 difference)" = "$(get whole chosen rounds 0 difference)"
    check "... and the same loss of the other size" \
        test "$(get killed curve 0 texts 0 difference)" = "$(get whole curve 0 texts 0 difference)"
done

# What is written can be tuned and cut further; its factors are layers like others.
for n in $(ranks_of 1 3); do
    check "a factored model is tuned, $n ranks" run "$n" reduce --model "$out/whole/model" --text "demo=$text" \
        --set evaluate.max_tokens=4000 --output "$out/tuned$n"
    check "... to the same bytes" cmp "$out/tuned1/model/model.safetensors" "$out/tuned$n/model/model.safetensors"
done
check "... which lowers the loss" awk -v d="$(get tuned1 report_difference nll)" 'BEGIN { print d; exit !(d < -0.01) }'
check "... in shards it is refused" refuses 3 'gradients through them are taken by whole models' 3 sensitivity \
    --model "$out/whole/model" --text "demo=$text" --set evaluate.max_tokens=2000 --shards 2 --output "$out/shards"
check "a factored model is cut further" run 2 compress --model "$out/whole/model" --text "demo=$text" \
    --set evaluate.max_tokens=3000 --set compress.rounds=0 --remove 10% --output "$out/further"
check "... but for its factors" says "LEFT OUT +[0-9]+ matrices stay as they are .*Linear.weight.*: a factor already"

# Files end at 1 MB, the weights have 1.5.
printf '#!/bin/sh\nulimit -f 2048\nexec "$@"\n' >"$scratch/full"
chmod +x "$scratch/full"
as=$scratch/full
check "a full disk" refuses 5 'model.safetensors.*(No space|disk full|room|File too large)' 2 $(squeeze "$out/full")
as=
check "... leaves no half of a file" test -z "$(find "$out/full/model" "$out/full/work/point" -name '*.safetensors' -o -name '*.partial' 2>/dev/null)"
check "... with room again the same command goes on" run 2 $(squeeze "$out/full")
check "... from its cuts" says "the cuts of all matrices are there already"
check "... to the same bytes" same_model "$out/whole" "$out/full"
finish
