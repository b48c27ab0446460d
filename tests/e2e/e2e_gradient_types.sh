#!/bin/sh
# What follows from gradients, on models whose layers are of other kinds: latent attention, the delta rule, a state space beside
# attention, sinks.  The gradients themselves are in test_model_gradient.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
models=$SRCDIR/tests/golden/model
out=$scratch/out

ids() { # the tokens of the golden windows of a model, four times, as a file of ids
    numbers=$(tr -d ' ' <"$models/$1/golden.json" | sed 's/.*"tokens":\[\[//; s/\]\].*//; s/\],\[/,/' | tr ',' '\n')
    for again in 1 2 3 4; do
        for id in $numbers; do printf "\\$(printf %03o "$id")\\000\\000\\000"; done
    done
}
same_predictions() { # runs of `sensitivity`: what cuts and steps of the first matrices do, within 1e-4
    for i in 0 1 2 3 4; do
        for what in cut step; do
            "$tool" get "$out/$1/results.json" sensitivity matrices $i $what
            "$tool" get "$out/$2/results.json" sensitivity matrices $i $what
        done
    done | paste - - | awk '{ d = $1 - $2; print; if (d * d > 1e-8 * $1 * $1 + 1e-14) bad = 1 } END { exit bad || NR != 10 }'
}
for model in deepseek_v3 qwen3_5_text falcon_h1 gpt_oss; do
    ids "$model" >"$scratch/$model.i32"
    set -- --model "$models/$model" --text "t=$scratch/$model.i32" --seqlen 29
    check "$model: sensitivity" run 0 sensitivity "$@" --set sensitivity.sample=0 --output "$out/$model-1"
    check "$model: sensitivity, 3 ranks, 2 shards" run 3 sensitivity "$@" --set sensitivity.sample=0 --shards 2 --output "$out/$model-3"
    check "... predicts the same" same_predictions "$model-1" "$model-3"
    check "$model: tune" run 0 reduce "$@" --rounds 1 --output "$out/$model-tune"
    check "... followed the gradient" says "TUNE"
    check "$model: compress" run 0 compress "$@" --remove 10% --output "$out/$model-compress"
    check "... has fewer linear parameters" test "$("$tool" get "$out/$model-compress/results.json" chosen linear_parameters_after)" \
        -lt "$("$tool" get "$out/$model-compress/results.json" chosen linear_parameters_before)"
done
expect=3
check "experts of another width" run 0 sensitivity --model "$models/nemotron_h-latent" --text "t=$scratch/gpt_oss.i32" --seqlen 29 \
    --output "$out/narrow"
expect=0
check "... are named" says "nemotron_h \(experts of another width\)"
finish
