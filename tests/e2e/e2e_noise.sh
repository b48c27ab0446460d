#!/bin/sh
# Noise planted in the demo: how much of the loss that it costs on held-out text is recovered, by the defaults and as
# laserRMT decides.  tools/planted_noise.py does the same for any model; bench/planted_noise.md has more of it.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
mkdir "$out"
limit=300
held_out=$SRCDIR/inputs/demo-text/report.txt

nll() { # name, model
    run 3 perplexity --model "$2" --text "t=$held_out" --set evaluate.max_bytes=30000 --output "$out/ppl-$1" &&
        "$tool" get "$out/ppl-$1/results.json" perplexity pooled nll >"$out/nll-$1"
}
reduced() { # name, model, options
    reduced_name=$1 reduced_model=$2
    shift 2
    run 3 reduce --model "$reduced_model" --text "t=$text" --set evaluate.max_bytes=24000 --output "$out/$reduced_name" "$@" &&
        nll "$reduced_name" "$out/$reduced_name/model"
}
share() { # of the loss that the noise cost: name of the reduced model
    awk -v noisy="$(cat "$out/nll-noisy-$seed")" -v clean="$(cat "$out/nll-clean")" -v now="$(cat "$out/nll-$1")" \
        'BEGIN { printf "%.1f\n", 100 * (noisy - now) / (noisy - clean) }'
}

check "the clean model" nll clean "$demo"
sum=0 count=0
plant_and_reduce() { # seed, matrices
    seed=$1
    shift
    cp -R "$demo" "$scratch/noisy-$seed"
    chmod -R u+w "$scratch/noisy-$seed"
    check "noise of factor 1, seed $seed" "$tool" noise "$scratch/noisy-$seed/model.safetensors" 1 "$seed" "$@"
    check "... the noisy model" nll "noisy-$seed" "$scratch/noisy-$seed"
    check "... reduced as laserRMT decides" reduced "rmt-$seed" "$scratch/noisy-$seed" --compat laserrmt
    check "... reduced by the defaults" reduced "default-$seed" "$scratch/noisy-$seed"
    rmt=$(share "rmt-$seed") own=$(share "default-$seed")
    echo "seed $seed: laserRMT recovers $rmt %, the defaults $own % of the loss"
    check "... the defaults recover more than laserRMT" awk -v a="$own" -v b="$rmt" 'BEGIN { exit !(a > b) }'
    sum=$(awk -v a="$sum" -v b="$own" 'BEGIN { print a + b }')
    count=$((count + 1))
}
plant_and_reduce 1 model.layers.1.mlp.up_proj.weight model.layers.3.self_attn.o_proj.weight
plant_and_reduce 2 model.layers.0.self_attn.v_proj.weight model.layers.2.mlp.down_proj.weight
check "at least 15 % are recovered on average" awk -v a="$sum" -v n=$count 'BEGIN { print a / n; exit !(a / n >= 15) }'

# The clean model: nothing is accepted that worsens the part that did not decide beyond its error.
check "the clean model, reduced by the defaults" reduced clean-reduced "$demo"
check "... is no worse on the report part than its error" awk \
    -v d="$("$tool" get "$out/clean-reduced/results.json" report_difference nll)" \
    -v e="$("$tool" get "$out/clean-reduced/results.json" report_difference stderr)" 'BEGIN { print d, e; exit !(d <= e) }'
finish
