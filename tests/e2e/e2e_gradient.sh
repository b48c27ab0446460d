#!/bin/sh
# What follows from gradients, through the program: sensitivity, the strategy tune, screening, compression.  The same
# decisions and bytes on every number of ranks, bad input by name, and a killed run that continues.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
guard=$SRCDIR/inputs/demo-text/report.txt

get() { # directory path...
    get_directory=$1
    shift
    "$tool" get "$out/$get_directory/results.json" "$@"
}
within() { # a b tolerance
    awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { print a, b; exit !(a - b <= t && b - a <= t) }'
}
below() { # a b
    awk -v a="$1" -v b="$2" 'BEGIN { print a, b; exit !(a < b) }'
}

tune() { # name ranks options...
    tune_name=$1 tune_ranks=$2
    shift 2
    run "$tune_ranks" reduce --model "$demo" --text "demo=$text" --set evaluate.max_tokens=8000 --rounds 2 \
        --output "$out/$tune_name" "$@"
}

# tune: it is the default where a text is given, it gains on windows that decided nothing, and transformers' layout stays.
check "tune, one process" tune one 0
check "tune is the default" says "TUNE"
check "... lowers the loss of windows that decided nothing" below "$(get one report_difference nll)" -0.001
check "... beyond two standard errors" below "$(get one report_difference nll)" \
    "$(awk -v e="$(get one report_difference stderr)" 'BEGIN { print -2 * e }')"
for n in $(ranks_of 2 3 4); do
    check "tune, $n ranks" tune "n$n" "$n"
    check "tune, $n ranks: the same model, to the byte" same_model "$out/one" "$out/n$n"
done
check "tune, 2 shards" tune shards 3 --shards 2
check "tune, 2 shards: as much better" within "$(get one report_difference nll)" "$(get shards report_difference nll)" 2e-3
check "a guard text" tune guarded 3 --guard "other=$guard"
check "... is reported" test "$(get guarded tune guards other report windows)" -gt 0
check "a guard text that is the text itself" tune itself 2 --rounds 1 --guard "again=$text"
check "... is warned of by name" says "WARNING +[0-9]+ of [0-9]+ windows that select stand in the guard text again too"
check "only shrinking" tune shrunk 2 --only-shrink
check "the diagonal alone" tune diagonal 2 --set reduce.fisher=diagonal
check "... gains, too" below "$(get diagonal report_difference nll)" 0
check "apply replays the step" run 2 apply "$out/one/plan.yaml" --model "$demo" --output "$out/applied"
check "... to the same bytes" same_model "$out/one" "$out/applied"
check "perplexity of the written model" run 2 perplexity --model "$out/one/model" --text "demo=$text" \
    --set evaluate.max_tokens=8000 --output "$out/ppl"
# Killed in the middle, continued to the same bytes.
expect=75
check "tune, stopped" tune stopped 2 --max-time 1s
expect=0
check "... and continued" tune stopped 2
check "... to the same bytes" same_model "$out/one" "$out/stopped"
expect=3
check "too little text for tune" tune short 2 --set evaluate.max_tokens=300 --seqlen 128
expect=0
check "... is named" says "tune needs at least 2"

# Screening keeps what the whole search keeps.
denoise() { # name options...
    denoise_name=$1
    shift
    run 3 reduce --strategy denoise --model "$demo" --text "demo=$text" --set evaluate.max_tokens=4000 \
        --output "$out/$denoise_name" "$@"
}
check "denoise, screened" denoise screened
check "... says what is left out" says "SCREEN +[0-9]+ of [0-9]+ trials"
check "denoise, at most 3 evaluations" denoise few --evaluations 3
check "... are 3" test "$(get few decisions)" -le 3

# sensitivity
sense() { # name ranks
    run "$2" sensitivity --model "$demo" --text "demo=$text" --set evaluate.max_tokens=2000 --output "$out/$1"
}
check "sensitivity, one process" sense s1 0
check "sensitivity, 3 ranks" sense s3 3
check "... the same bytes" cmp "$out/s1/sensitivity.h5" "$out/s3/sensitivity.h5"
check "... the same predictions" test "$(get s1 sensitivity matrices 0 cut)" = "$(get s3 sensitivity matrices 0 cut)"
check "... the same steps" test "$(get s1 sensitivity matrices 3 step)" = "$(get s3 sensitivity matrices 3 step)"
check "a sample of edits is measured" test "$(get s1 sensitivity sample)" = 4
check "... the most promising one first" below "$(get s1 sensitivity sample 0 predicted)" "$(get s1 sensitivity sample 1 predicted)"
check "... up to the most harmful" below 0.1 "$(get s1 sensitivity sample 3 predicted)"
check "... which does harm" below 0.1 "$(get s1 sensitivity sample 3 difference)"
check "... with the fit of all in the log" says "predictions of 4 edits: measured = [0-9.]+ x predicted, correlation 0\\.[0-9]+|correlation 1"
check "... and in the results" below 0.5 "$(get s1 predictions correlation)"
check "... the same on 3 ranks" within "$(get s1 sensitivity sample 0 difference)" "$(get s3 sensitivity sample 0 difference)" 1e-6
check "the steps of tune are fitted, too" below 0 "$(get one predictions factor)"
check "... all of them" test "$(get one predictions edits)" -ge 3
check "the edits of a screened search are" test "$(get screened predictions edits)" = "$(get screened decisions)"
sampled() { # name options...
    sampled_name=$1
    shift
    run 2 sensitivity --model "$demo" --text "demo=$text" --set evaluate.max_tokens=2000 --output "$out/$sampled_name" "$@"
}
check "sensitivity.sample=0" sampled bare --set sensitivity.sample=0
check "... measures none" says_not "BEGIN +sample"
check "the sensitivity of a share" sampled share --task "$SRCDIR/tests/data/facts/facts.jsonl" --objective accuracy
check "... has no measured edits: another loss is predicted" test "$(get share sensitivity sample)" = 0

# Against torch in float64 (tools/golden/make_sensitivity.py): gradients, Fisher information, and what a cut is predicted to do.
as_torch() { # predictions ranks options...
    as_torch_form=$1 as_torch_ranks=$2
    shift 2
    run "$as_torch_ranks" sensitivity --model "$demo" --text "demo=$text" --set evaluate.max_tokens=768 --seqlen 128 \
        --precision float32 --threshold rank:0.25 --set "reduce.fisher=$as_torch_form" --output "$out/as-torch" --force "$@" &&
        "$tool" sensitivity "$out/as-torch/sensitivity.h5" "$SRCDIR/tests/golden/sensitivity.json" "$as_torch_form" 1e-4
}
check "sensitivity is torch's" as_torch block 0
check "... with the diagonal alone" as_torch diagonal 0
check "... on 3 ranks" as_torch block 3
check "... on 2 shards" as_torch block 3 --shards 2
check "... in batches of one window" as_torch diagonal 2 --set evaluate.batch_tokens=128
head -8 "$SRCDIR/tests/golden/task/choice.jsonl" >"$scratch/questions.jsonl"
task_as_torch() { # predictions ranks
    run "$2" sensitivity --model "$demo" --task "$scratch/questions.jsonl" --objective log_loss --precision float32 \
        --threshold rank:0.25 --set "reduce.fisher=$1" --set sensitivity.sample=0 --output "$out/as-torch" --force &&
        "$tool" sensitivity "$out/as-torch/sensitivity.h5" "$SRCDIR/tests/golden/sensitivity_task.json" "$1" 1e-4
}
check "sensitivity of questions is torch's" task_as_torch block 0
check "... with the diagonal alone" task_as_torch diagonal 2

# compress
squeeze() { # name ranks options...
    squeeze_name=$1 squeeze_ranks=$2
    shift 2
    run "$squeeze_ranks" compress --model "$demo" --text "demo=$text" --set evaluate.max_tokens=4000 \
        --output "$out/$squeeze_name" "$@"
}
check "compress, one process" squeeze c1 0 --remove 20%
for n in $(ranks_of 2 3); do
    check "compress, $n ranks" squeeze "c$n" "$n" --remove 20%
    check "compress, $n ranks: the same bytes" cmp "$out/c1/model/model.safetensors" "$out/c$n/model/model.safetensors"
done
check "... after a round that moved kept values" says "round 1 moved the kept values"
check "a fifth of the linear parameters is gone" below "$(get c1 chosen linear_parameters_after)" \
    "$(awk -v n="$(get c1 chosen linear_parameters_before)" 'BEGIN { print 0.8 * n + 1 }')"
check "... and as many bytes as that are fewer, to a per cent" awk -v b="$(get c1 before bytes)" -v a="$(get c1 chosen bytes)" \
    -v p="$(get c1 before parameters)" -v q="$(get c1 chosen parameters)" \
    'BEGIN { r = (b - a) / (b / p * (p - q)); print r; exit !(r > 0.99 && r < 1.01) }'
check "whitening both sides costs less than the plain cut" squeeze plain 2 --remove 20% --method plain
check "... which takes no pass over the text" says_not "BEGIN +(gradient|inputs)"
check "both sides much less" below "$(get c1 chosen texts 0 difference)" "$(get plain chosen texts 0 difference)"
check "... whose size is no loss in nats" test "$(get plain chosen predicted_rise)" = null
check "whitening the inputs alone" squeeze inputs 3 --remove 20% --method inputs
check "... takes a forward pass" says "BEGIN +inputs"
check "... and no other" says_not "BEGIN +gradient"
check "whitening the inputs by one process" squeeze inputs1 0 --remove 20% --method inputs
check "... gives the same bytes" cmp "$out/inputs/model/model.safetensors" "$out/inputs1/model/model.safetensors"
check "cuts alone" squeeze once 2 --remove 20% --set compress.rounds=0
check "... keep their values" says_not "STEP"
check "... and are worse" below "$(get c1 chosen texts 0 difference)" "$(get once chosen texts 0 difference)"
for n in 0 $(ranks_of 3); do
    check "towards the original model, $n ranks" squeeze "near$n" "$n" --remove 20% --set compress.goal=original
    check "... the bytes of one process" cmp "$out/near0/model/model.safetensors" "$out/near$n/model/model.safetensors"
done
check "... is nearer than cuts alone" below "$(get near0 chosen texts 0 difference)" "$(get once chosen texts 0 difference)"
octal=$(awk 'BEGIN { srand(7); for (i = 0; i < 1500; i++) printf "\\%03o\\000\\000\\000", int(rand() * 47) }')
printf "$octal" >"$scratch/ids.i32"
for n in $(ranks_of 1 3); do
    check "a stack of experts, in parts, $n ranks" run "$n" compress --model "$SRCDIR/tests/golden/model/mixtral-stacked" \
        --text "t=$scratch/ids.i32" --seqlen 32 --remove 20% --set scan.split_fused=true --output "$out/stacked$n"
    check "... the same bytes" cmp "$out/stacked1/model/model.safetensors" "$out/stacked$n/model/model.safetensors"
done
check "... whose router stays, and why is said" \
    says "LEFT OUT +1 matrix stays as it is \\(model.layers.0.mlp.gate.weight\\): chooses experts"
check "... in the results, too" test "$(get stacked1 left_out 0 tensor)" = 'model.layers.0.mlp.gate.weight'
check "... parts of experts have ranks of their own" \
    grep -Eq '"model.layers.0.mlp.experts.gate_up_proj.[0-2].(gate|up)": *[0-9]+' "$out/stacked1/model/config.json"
head -c 640 "$scratch/ids.i32" >"$scratch/few.i32"
check "experts that few tokens reached" run 2 compress --model "$SRCDIR/tests/golden/model/mixtral-stacked" \
    --text "t=$scratch/few.i32" --seqlen 32 --remove 10% --set evaluate.selection_share=1 --output "$out/fewtokens"
check "... stay, and why is said" says "LEFT OUT +4 matrices stay as they are .*experts.*: fewer than 64 tokens of the calibration reached it"
check "a compression beside its own text" squeeze guard 2 --remove 20% --guard "other=$text"
check "... a guard text of the calibration is warned of" \
    says "WARNING +[0-9]+ of [0-9]+ windows of the calibration stand in the guard text other too"
check "the factored model is evaluated" run 2 perplexity --model "$out/c1/model" --text "demo=$text" \
    --set evaluate.max_tokens=4000 --output "$out/c-ppl"
expect=2
check "a target that cannot be met" squeeze deep 2 --remove 99.9%
check "... names what can" says "smallest|can be"
check "two targets" squeeze both 1 --remove 20% --rise 0.1
check "... are refused before the work" says_not "BEGIN +gradient"
check "a rise in nats without gradients" squeeze nats 2 --rise 0.1 --method inputs
check "... is refused" says "predicts no loss in nats"
expect=0

finish
