#!/bin/sh
# What a search and its report may claim: one keep rule for every strategy that picks the best of many, a warning where too
# little selects, differences called so beyond two standard errors (McNemar's test for shares), one order of edits on ties.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
facts=$SRCDIR/tests/data/facts

cp -r "$facts/model" "$scratch/noisy"
chmod -R u+w "$scratch/noisy"
"$tool" plant "$scratch/noisy" model.layers.0.mlp.down_proj.weight 0.085 || exit 1

reduce() { # name model ranks strategy options...
    reduce_name=$1 reduce_model=$2 reduce_ranks=$3 reduce_strategy=$4
    shift 4
    run "$reduce_ranks" reduce --model "$reduce_model" --strategy "$reduce_strategy" --output "$out/$reduce_name" \
        --task "facts=$facts/facts.jsonl" --set evaluate.validation_share=0.4 "$@"
}
of() { # name key...
    of_name=$1
    shift
    "$tool" get "$out/$of_name/results.json" "$@"
}
near() { awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; print a, b; exit !(d < 1e-3 && d > -1e-3) }'; }
no_minus_zero() { ! grep -aE -- '-0(\.0+)?(e[+-]00)?([^0-9.e]|$)' "$scratch/last.log"; }
pages=$(command -v node || true)
page() { # name: the text of its report
    node "$SRCDIR/tests/e2e/report_text.js" "$out/$1/report.html" >"$scratch/page.txt" 2>&1
}
shows() { # pattern
    grep -qE -- "$1" "$scratch/page.txt" || {
        echo "not on the page: $1"
        return 1
    }
}

# z is where a normal variable has 0.05 / (number of edits) above it, 2 at least: scipy.stats.norm.isf.
down="--set reduce.types=mlp.down_proj"
rule() { # name strategy edits z options...
    rule_name=$1 rule_strategy=$2 rule_edits=$3 rule_z=$4
    shift 4
    check "$rule_name" reduce "$rule_name" "$scratch/noisy" 2 "$rule_strategy" "$@"
    check "$rule_name: $rule_edits edits, z is said" says "RULE +$rule_edits edits are tried: .*z (= )?$(printf %.2f "$rule_z")"
    check "$rule_name: the z is in results.json" near "$(of "$rule_name" keep_rule z)" "$rule_z"
    check "$rule_name: so are the edits" test "$(of "$rule_name" keep_rule edits_tried)" = "$rule_edits"
    check "$rule_name: the report part has a verdict" of "$rule_name" verdict
    check "$rule_name: no zero has a minus" no_minus_zero
}
ten="--set reduce.candidates=10"
# Of the whole search: screening would try all together as one edit more.
whole="--set reduce.screen=false"
rule snr snr 10 2.5758 $whole --threshold rank:0.1 $ten --objective accuracy
check "an accuracy has four digits" says "selection: accuracy 0[.][0-9]{4} [+]- 0[.][0-9]{4} -> 0[.][0-9]{4} "
rule backward backward 14 2.6901 --threshold rank:0.1 --objective log_loss
rule denoise denoise 20 2.8070 $whole $down --objective log_loss
rule compose compose 6 2.3940 --set reduce.types=fc_out --set reduce.fractions=0.1,0.2,0.3 --objective accuracy
# tune picks the best of six lengths in each round.
few="--text demo=$text --set evaluate.max_tokens=2000"
check "tune" run 3 reduce --model "$demo" $few --strategy tune --set reduce.rounds=1 --output "$out/tune"
check "tune: the z is in results.json, if there is a step" sh -c "'$tool' get '$out/tune/results.json' keep_rule edits_tried |
    grep -qx 6 || test \"\$('$tool' get '$out/tune/results.json' decisions)\" = 0"
# What a prediction on the same windows leaves out counts as tried, and the table finds what is left.
check "a screened sweep" run 2 reduce --model "$demo" $few --strategy sweep --set reduce.types=fc_in,fc_out \
    --set reduce.fractions=0.9,0.8 --set reduce.screen=true --set reduce.evaluations=4 --output "$out/screened"
check "... measures those that are left" test "$(of screened decisions)" = 4
check "laserrmt has no such rule" run 2 reduce --compat laserrmt --model "$demo" --text "demo=$text" \
    --set evaluate.max_tokens=1000 --set reduce.candidates=2 --output "$out/compat"
check "... and says none" says_not "RULE"

# Eight to none is 0.004 by chance: enough for one edit, not for the best of 140.
for n in 0 $(ranks_of 3); do
    check "eight questions select, $n ranks" reduce "few-$n" "$scratch/noisy" "$n" denoise --objective accuracy \
        --set evaluate.validation_share=0.02
    check "... is said to be too few" says "WARNING +no edit can be kept: 8 questions select, and at this level 12 must change"
    check "... and nothing is kept" says "0 candidates kept"
    check "... the decisions of one process" near_results "$out/few-0" "$out/few-$n" 1e-6
done
check "a model that is right already" reduce right "$facts/model" 2 denoise --objective top_10 $down
check "... cannot be mended" says "WARNING +no edit can be kept: of 160 questions that select [0-9] are wrong"
one="--text demo=$text --seqlen 128 --set evaluate.max_tokens=256 --set evaluate.selection_share=0.5"
check "one window selects" run 2 reduce --model "$demo" --strategy denoise $one --set reduce.candidates=2 --output "$out/window"
check "... which has no standard error" says "WARNING +no edit can be kept: one of the windows selects"
check "... so nothing is kept" says "0 candidates kept"
check "... and one window that reports is no gain" test "$(of window report_difference stderr)" = null

# A candidate that was left early stands on a part of the questions.
check "harmful edits" reduce early "$facts/model" 2 denoise --objective log_loss --set reduce.candidates=3 \
    --set reduce.edits=rank:0.05,rank:0.02
check "... are left early, and on how many is said" says "REVERTED .* log_loss [+][0-9.e+-]+ [+]- [0-9.e+-]+ on [0-9]+ of 160 questions: given up early"
check "... without a figure of their own" says_not "log_loss [0-9.]+ .*given up early"
in_terminal() { COLUMNS=120 "$laser" show "$out/early" >"$scratch/show.txt" && grep -E 'early, [0-9]+/160' "$scratch/show.txt"; }
check "... in the terminal too" in_terminal

# No single edit of the sweep is better than the model as it is: there is no winner, and no minus zero.
for n in $(ranks_of 1 3); do
    check "a sweep without a gain, $n ranks" reduce "gainless-$n" "$facts/model" "$n" sweep --objective top_10 \
        --set reduce.types=fc_out --set reduce.fractions=0.95,0.9
    check "... has no winner" says "SWEEP +no winner"
    check "... nor one in results.json" test "$(of "gainless-$n" sweep_winner 2>&1 | grep -c 'no such value')" = 1
    check "... and no zero with a minus" no_minus_zero
done
# Winner and ranking are one order: of equal gains the deeper cut.
check "a sweep with ties" reduce ties "$scratch/noisy" 2 sweep --objective top_10 --set reduce.types=fc_out \
    --set reduce.fractions=0.3,0.25,0.2
check "... has a winner" of ties sweep_winner edit
check "... that is the first of the ranking" says "SWEEP +1[.] +$(of ties sweep_winner tensor) +$(of ties sweep_winner edit) "

check "... whose gain is told from chance" says "best single edit: .* on the selection: (more than )?chance"
check "... also in results.json" of ties sweep_winner beyond_chance

# Results of another command are not written over unless that is asked for.
for d in one two; do
    check "an evaluation" run 1 perplexity --model "$demo" --text "demo=$text" --set evaluate.max_tokens=600 --output "$out/$d"
done
cp "$out/one/results.json" "$scratch/results.json"
check "compare writes over no evaluation" refuses 2 "results.json: the results of the command perplexity are there" 2 \
    compare "$out/one" "$out/one" --output "$out/two"
check "... nor over a reduction" refuses 2 "the results of the command reduce are there" 1 compare "$out/one" "$out/two" \
    --output "$out/snr"
check "nor does derive" refuses 2 "the results of the command perplexity are there" 3 derive "$out/snr/spectra.h5" \
    --threshold laserrmt --output "$out/one"
check "... which are as they were" same_file "$scratch/results.json" "$out/one/results.json"
check "unless that is asked for" run 1 derive "$out/snr/spectra.h5" --threshold laserrmt --output "$out/two" --force
check "a comparison is no difference" run 1 compare "$out/one" "$out/one" --output "$out/compared"
check "... and is said so" says "nll [+]0.000000 [+]- 0.000000 [(]z [0-9.a-z]+[)]: no difference"
check "a comparison is written over" run 1 compare "$out/one" "$out/one" --output "$out/compared"

# What a share is said with, and what its parts are called.
check "an edit that was kept is a gain" test "$(of denoise verdict)" = "a gain"
check "... of each figure" test "$(of denoise test tasks facts metrics log_loss verdict)" = better
check "nothing that changed is no difference" test "$(of early test tasks facts metrics log_loss verdict)" = "no difference"
if [ -n "$pages" ]; then
    check "the page of a kept edit" page denoise
    check "... shows it open" shows "^1 [|] model.layers.0.mlp.down_proj.weight [|]"
    check "... says the rule" shows "20 edits were tried on 160 questions: one is kept if it is better by more than z = 2[.]81"
    check "... says questions, not windows" shows "On the report questions: a gain"
    check "the page of one that changed nothing" page early
    check "... calls no figure better or worse" shows "log loss [|] .* no difference [|]"
    check "... and says so of the edits" shows "No edit was kept"
    check "the page of an accuracy" page snr
    check "... has four digits" shows "accuracy [|] report.* [|] 0[.][0-9]{4} ± [0-9.]+ [|] 0[.][0-9]{4} ±"
else
    skip "pages" "there is no node"
fi
finish
