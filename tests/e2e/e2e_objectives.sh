#!/bin/sh
# Every strategy of `reduce` driven by what tasks say, on a model whose answers are hidden by noise in one known matrix (as in
# e2e_planted.sh): what it keeps, and the figures before and after on validation and test part.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
facts=$SRCDIR/tests/data/facts
matrix=model.layers.0.mlp.down_proj.weight

cp -r "$facts/model" "$scratch/noisy"
chmod -R u+w "$scratch/noisy"
"$tool" plant "$scratch/noisy" $matrix 0.085 || exit 1

reduce() { # name ranks strategy objective options...
    reduce_name=$1 reduce_ranks=$2 reduce_strategy=$3 reduce_objective=$4
    shift 4
    run "$reduce_ranks" reduce --model "$scratch/noisy" --task "facts=$facts/facts.jsonl" --strategy "$reduce_strategy" \
        --objective "$reduce_objective" --set evaluate.validation_share=0.4 --output "$out/$reduce_name" "$@"
}
of() { # name key...
    of_name=$1
    shift
    "$tool" get "$out/$of_name/results.json" "$@"
}
is_less() { awk -v a="$1" -v b="$2" 'BEGIN { print a, b; exit !(a < b) }'; }
# figures NAME: every metric of the task before and after, on both parts, of all questions.
figures() {
    for figures_part in validation test; do
        for figures_metric in accuracy log_loss log_loss_sum top_1 top_5 top_10; do
            for figures_key in before after difference difference_stderr; do
                of "$1" $figures_part tasks facts metrics $figures_metric $figures_key >"$scratch/figure" || return 1
                grep -q '^[-0-9]' "$scratch/figure" || return 1
            done
        done
    done
    test "$(of "$1" validation tasks facts questions)" = 160 && test "$(of "$1" test tasks facts questions)" = 240
}
# changes NAME METRIC PART MOST: the change of a metric is less than that.
changes() { is_less "$(of "$1" "$3" tasks facts metrics "$2" difference)" "$4"; }
kept() { # NAME: the tensors of the kept edits
    kept_i=0
    while [ "$kept_i" -lt "$(of "$1" decisions)" ]; do
        [ "$(of "$1" decisions $kept_i kept)" = true ] && of "$1" decisions $kept_i tensor
        kept_i=$((kept_i + 1))
    done
}

pair="--set reduce.types=mlp.down_proj,mlp.up_proj"
names="--set reduce.types=fc_out,fc_in --set reduce.fractions=0.1,0.3"
for strategy in snr backward; do
    check "$strategy by accuracy" reduce $strategy 2 $strategy accuracy --threshold rank:0.1 --set reduce.candidates=3 $pair
    check "$strategy: all figures" figures $strategy
    check "$strategy: the planted matrix is kept" test "$(kept $strategy)" = $matrix
    check "$strategy: fewer losses on the test part, too" changes $strategy log_loss test -0.4
done
check "all by log loss" reduce all 2 all log_loss --threshold rank:0.3 --set reduce.types=mlp.down_proj
check "all: all figures" figures all
check "all: at once" test "$(of all decisions)$(of all decisions 0 edits)" = 12
check "sweep by log loss" reduce sweep 2 sweep log_loss $names
check "sweep: says how much room its edits take" says "EDITS +8 edits of matrices, [0-9]+ KiB in $out/sweep/work/edits"
check "sweep: all figures" figures sweep
check "sweep: the model is as it was" test "$(of sweep test tasks facts metrics log_loss difference)" = 0.0
check "sweep: the winner is the planted matrix" test "$(of sweep sweep_winner tensor)" = $matrix
check "sweep: that is a gain on the test part" test "$(of sweep sweep_winner report verdict)" = "a gain"
check "compose by a weighted sum" reduce compose 2 compose "0.5*accuracy + 0.2*log_loss" $names
check "compose: all figures" figures compose
check "compose: the planted matrix is kept first" test "$(kept compose | head -n 1)" = $matrix
check "compose: fewer losses on the test part, too" changes compose log_loss test -0.4
# A search by tasks goes on where it was stopped: the ledger's first lines are what a killed run leaves.
cp -r "$out/compose" "$scratch/whole"
head -n 22 "$scratch/whole/ledger.txt" >"$out/compose/ledger.txt"
rm -rf "$out/compose/model" "$out/compose/results.json" "$out/compose/questions.jsonl" "$out/compose/work/edits"
check "compose, stopped among the edits: goes on, 3 ranks" reduce compose 3 compose "0.5*accuracy + 0.2*log_loss" $names
check "... with what was decided" says "RESUME +[1-7] decisions are made already"
check "... to the same results" same_results "$scratch/whole" "$out/compose"
check "... the same model" same_model "$scratch/whole" "$out/compose"
check "... the same answers" same_file "$scratch/whole/questions.jsonl" "$out/compose/questions.jsonl"
check "denoise by log loss" reduce denoise 2 denoise log_loss --set reduce.types=mlp.down_proj --set reduce.candidates=2 \
    --set reduce.edits=rank:0.1,rank:0.3,shrink:0.5
check "denoise: all figures" figures denoise
check "denoise: the planted matrix is kept" test "$(kept denoise | head -n 1)" = $matrix

# The tolerance of another objective than perplexity is an amount of it: here five points of accuracy.
budget() { # name ranks
    reduce "$1" "$2" budget accuracy --set reduce.tolerance=0.05 --set reduce.fractions=0.1,0.3
}
check "budget by accuracy" budget budget 2
check "budget: all figures" figures budget
check "budget: at most five points are lost" is_less -0.0500001 "$(of budget validation tasks facts metrics accuracy difference)"
check "budget: and they are used" changes budget accuracy validation 0
for n in $(ranks_of 1 3 7); do
    check "budget, $n ranks" budget "budget-$n" "$n"
    check "budget, $n ranks: the same decisions" near_results "$out/budget" "$out/budget-$n" 1e-9
done
finish
