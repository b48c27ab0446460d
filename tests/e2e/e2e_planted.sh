#!/bin/sh
# Noise planted in one known matrix of a model that knows 400 facts hides answers (tools/train_facts.py): the sweep must
# find the matrix, the composition must bring answers back on the test part, and both must report no gain where nothing was
# planted.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
facts=$SRCDIR/tests/data/facts
matrix=model.layers.0.mlp.down_proj.weight

cp -r "$facts/model" "$scratch/noisy"
chmod -R u+w "$scratch/noisy"
"$tool" plant "$scratch/noisy" $matrix 0.085 || exit 1

compose() { # name model ranks options...
    compose_name=$1 compose_model=$2 compose_ranks=$3
    shift 3
    run "$compose_ranks" reduce --model "$compose_model" --strategy compose --output "$out/$compose_name" \
        --set reduce.types=fc_in,fc_up,fc_out,q,k,v,out --set reduce.fractions=rate:8,rate:9,rate:9.3 "$@"
}
of() { # name key...
    of_name=$1
    shift
    "$tool" get "$out/$of_name/results.json" "$@"
}
is_less() { awk -v a="$1" -v b="$2" 'BEGIN { print a, b; exit !(a < b) }'; }

# By the loss of the text.
by_text() { # name model ranks
    by_text_name=$1 by_text_model=$2 by_text_ranks=$3
    shift 3
    compose "$by_text_name" "$by_text_model" "$by_text_ranks" --text "facts=$facts/facts.txt" --seqlen 30 \
        --set evaluate.selection_share=0.2 "$@"
}
check "log loss: compose" by_text loss "$scratch/noisy" 2
check "log loss: the sweep finds the matrix" test "$(of loss sweep_winner tensor)" = $matrix
check "log loss: the first that is kept is it" test "$(of loss decisions 0 tensor)$(of loss decisions 0 kept)" = ${matrix}true
check "log loss: 0.6 nats better on the test part" is_less "$(of loss report_difference nll)" -0.6
check "log loss: that is said" says "composition on the report part: .*: a gain"
check "log loss, control: compose" by_text control "$facts/model" 2
check "log loss, control: nothing is kept" says "0 candidates kept"
check "log loss, control: the winner is no gain" says "best single edit on the report part: .*no difference beyond"
for n in $(ranks_of 1 4); do
    check "log loss, $n ranks" by_text "loss-$n" "$scratch/noisy" "$n"
    check "log loss, $n ranks: the same results" near_results "$out/loss" "$out/loss-$n" 1e-3
done

# By rounds: of 168 edits at most 32 are measured, by what a gradient says, and the winner is that of the whole sweep within
# its error, on every number of ranks..
fractions=$(awk 'BEGIN { for (i = 1; i < 12; ++i) printf "%.3f,", 0.08 * i - 0.05; print 0.91 }')
sweep() { # name ranks options...
    sweep_name=$1 sweep_ranks=$2
    shift 2
    run "$sweep_ranks" reduce --model "$scratch/noisy" --strategy sweep --output "$out/$sweep_name" \
        --set reduce.types=fc_in,fc_up,fc_out,q,k,v,out --set "reduce.fractions=$fractions" --set evaluate.seed=1 \
        --task "facts=$facts/facts.jsonl" --objective log_loss --set evaluate.validation_share=0.4 "$@"
}
measured() { "$tool" get "$out/$1/results.json" decisions; }
best() { of "$1" sweep_winner difference; }
check "sweep: all" sweep all 2 --set reduce.screen=false
check "sweep: 168 edits" test "$(measured all)" = 168
check "sweep by rounds" sweep rounds 2
check "... says so before" says "SCREEN +at most 32 of 168 trials"
check "... measures 32 edits" test "$(measured rounds)" = 32
check "... of the same matrix" test "$(of rounds sweep_winner tensor)" = "$(of all sweep_winner tensor)"
check "... as good within its error" is_less "$(best rounds)" \
    "$(awk -v d="$(best all)" -v e="$(of all sweep_winner difference_stderr)" 'BEGIN { print d + e }')"
for n in $(ranks_of 1 4); do
    check "sweep by rounds, $n ranks" sweep "rounds-$n" "$n"
    check "... the same results" near_results "$out/rounds" "$out/rounds-$n" 1e-6
done

# By the answers: accuracy is the exact match of greedy decoding.
by_answers() { # name model ranks
    by_answers_name=$1 by_answers_model=$2 by_answers_ranks=$3
    shift 3
    compose "$by_answers_name" "$by_answers_model" "$by_answers_ranks" --task "facts=$facts/facts.jsonl" \
        --objective accuracy --set evaluate.validation_share=0.4 "$@"
}

check "accuracy: compose" by_answers right "$scratch/noisy" 2
check "accuracy: the sweep finds the matrix" test "$(of right sweep_winner tensor)" = $matrix
check "accuracy: the first that is kept is it" \
    test "$(of right decisions 0 tensor)$(of right decisions 0 kept)" = ${matrix}true
check "accuracy: noise hides at least a fifth of the answers" is_less "$(of right baseline report value)" 0.8
check "accuracy: 12 points better on the test part" is_less "$(of right report_difference nll)" -0.12
check "accuracy: that is said" says "composition on the report part: .*: a gain"
check "accuracy, control: compose" by_answers none "$facts/model" 2
check "accuracy, control: nothing is kept" says "0 candidates kept"
for n in $(ranks_of 1 3 8); do
    check "accuracy, $n ranks" by_answers "right-$n" "$scratch/noisy" "$n"
    check "accuracy, $n ranks: the same results" near_results "$out/right" "$out/right-$n" 1e-3
done
finish
