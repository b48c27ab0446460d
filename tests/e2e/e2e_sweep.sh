#!/bin/sh
# The LASER protocol through the program: cells by the paper's names, the table, the winner, the composition; the same
# on every number of ranks, and after a break.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out

sweep() { # name ranks options...
    sweep_name=$1 sweep_ranks=$2
    shift 2
    run "$sweep_ranks" reduce --model "$demo" --text "demo=$text" --set evaluate.max_tokens=1500 --strategy compose \
        --set reduce.types=fc_in,q,mlp --set reduce.layers=1,3,-1 --set reduce.fractions=rate:5,0.1 \
        --output "$out/$sweep_name" "$@"
}

check "the paper's names, one process" sweep one 0
check "nine cells with two fractions" says "3 layers x 3 types x 2 fractions: 18 edits of 40 matrices"
check "the map has the layers and all" says "^ +all( +-?[0-9.e-]+){3}"
check "the table is in results.json" test "$("$tool" get "$out/one/results.json" sweep_table types 2)" = mlp
check "every edit of the sweep is in results.json" test "$("$tool" get "$out/one/results.json" sweep)" = 18
check "rate:5 is one half" test "$("$tool" get "$out/one/results.json" sweep_table fractions 0)" = 0.5
check "the winner is reported on the other windows" \
    "$tool" get "$out/one/results.json" sweep_winner report difference
check "show has the map" run 1 show "$out/one"
check "... of the gains" says "Best gain of each layer and type"
for n in $(ranks_of 2 3 4); do
    check "$n ranks" sweep "on-$n" "$n"
    check "$n ranks: the same results" near_results "$out/one" "$out/on-$n" 1e-4
done
check "2 shards" sweep shards 3 --shards 2
check "2 shards: the same results" near_results "$out/one" "$out/shards" 1e-3

# In factors what is evaluated is not rounded to bfloat16.
thin_edits() { # name
    find "$out/$1/work/edits" -name '*-thin.safetensors' | wc -l
}
check "a checkpoint in bfloat16 is evaluated as it is written" test "$(thin_edits one)" = 0
check "in factors" sweep thin 3 --set evaluate.factored=always
check "... the edits of low rank" test "$(thin_edits thin)" -ge 15
check "... the same results but for the rounding" near_results "$out/one" "$out/thin" 5e-3
check "in factors, 2 shards" sweep thin-shards 3 --shards 2 --set evaluate.factored=always
check "... the same results" near_results "$out/thin" "$out/thin-shards" 1e-4

# The same run again takes every decision from the ledger.
check "again" sweep one 2
check "... from the ledger" says "RESUME +18 decisions are made already"

check "sweep leaves the model as it is" sweep only 2 --strategy sweep
check "... byte for byte" cmp "$demo/model.safetensors" "$out/only/model/model.safetensors"
check "a name that this model lacks" refuses 2 "reduce.types.*no matrix that can be edited" 1 \
    reduce --model "$demo" --text "demo=$text" --set evaluate.max_tokens=1500 --strategy sweep \
    --set reduce.types=query_key_value --output "$out/lacks"
check "a rate that is none" refuses 2 "rate:11" 1 reduce --model "$demo" --text "demo=$text" --strategy sweep \
    --set reduce.fractions=rate:11 --output "$out/rate"
check "the deck of the paper is read" run 1 "$SRCDIR/inputs/laser-paper.yaml" --model "$demo" --text "demo=$text" \
    --print-deck
finish
