#!/bin/sh
# reduce --base: what fine-tuning changed is cut or shrunk, and the base stays below it.  A difference of known rank with
# noise on it is planted; bench/planted_difference.md has more of it.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
stored=$BUILDDIR/tests/e2e/e2e_stored
mkdir "$out" "$scratch/base" "$scratch/clean" "$scratch/tuned"
base=$scratch/base tuned=$scratch/tuned

for dir in base clean tuned; do
    cp "$demo/tokenizer.json" "$demo/tokenizer_config.json" "$demo/config.json" "$scratch/$dir"
done
check "a difference of rank 3 and noise are planted" "$stored" pair 1 3 "$demo" "$base" "$scratch/clean" "$tuned"
reduced() { # name, ranks, options
    reduced_name=$1 reduced_ranks=$2
    shift 2
    run "$reduced_ranks" reduce --model "$tuned" --base "$base" --text "t=$text" --set evaluate.max_bytes=16000 \
        --output "$out/$reduced_name" --also lora "$@"
}
of() { # name key...
    of_name=$1
    shift
    "$tool" get "$out/$of_name/results.json" "$@"
}
for n in $(ranks_of 1 3); do
    check "differences are reduced, $n ranks" reduced "red-$n" "$n"
    check "... by cuts and shrinkages" test "$(of "red-$n" strategy)" = denoise
    check "... of all of them at once, first" test "$(of "red-$n" decisions 0 kept)$(of "red-$n" decisions 0 edits)" = true35
    check "... the rank that was planted is left" test "$(of "red-$n" decisions 0 rank)" = 3
    check "... the base is named" test "$(of "red-$n" base)" = "$base"
done
red=$out/red-$n
for m in $(ranks_of 1 3); do
    check "$m and $n ranks decide the same" near_results "$out/red-$m" "$red" 1e-3
done

check "the differences are scanned" run 1 scan --model "$tuned" --base "$base" --output "$out/differences"
check "the tuned model, too" run 1 scan --model "$tuned" --output "$out/matrices"
check "... side by side" run 1 report "$out/differences" --compare "$out/matrices"

# ---- apply ----
check "the plan on another copy" run 2 apply "$red/plan.yaml" --model "$tuned" --base "$base" --output "$out/again"
check "... the same bytes" cmp "$red/model/model.safetensors" "$out/again/model/model.safetensors"
expect=2 check "without the base it is refused" run 1 apply "$red/plan.yaml" --model "$tuned" --output "$out/none"
check "... and the base is named" says "differences from a base .*/base): give --base"
expect=3 check "with another base it is refused" run 1 apply "$red/plan.yaml" --model "$tuned" --base "$scratch/clean" \
    --output "$out/none"
check "... by a matrix" says "is not the one that the plan was made for"
grep -v '^base:\|change_hash:' "$red/plan.yaml" >"$scratch/plain.yaml"
expect=2 check "a plan for matrices is no plan for differences" run 1 apply "$scratch/plain.yaml" --model "$tuned" \
    --base "$base" --output "$out/none"
expect=2 check "two thin matrices of a difference are refused" reduced none 1 --set reduce.also=factored
check "... with what is possible" says "lora is possible"

# ---- the loss ----
nll() { # name, model
    run 2 perplexity --model "$2" --text "t=$SRCDIR/inputs/demo-text/report.txt" --set evaluate.max_bytes=16000 \
        --output "$out/ppl-$1" && of "ppl-$1" perplexity pooled nll >"$out/nll-$1"
}
is_nearer() { # name, name: to the loss of the noise-free model
    awk -v a="$(cat "$out/nll-$1")" -v b="$(cat "$out/nll-$2")" -v c="$(cat "$out/nll-clean")" \
        'function abs(x) { return x < 0 ? -x : x } BEGIN { print a, b, c; exit !(abs(a - c) < abs(b - c)) }'
}
check "loss of the noise-free model" nll clean "$scratch/clean"
check "loss of the reduced one" nll red "$red/model"
check "loss of the tuned one" nll tuned "$tuned"
check "the reduced one is nearer" is_nearer red tuned
for k in 2 3 4; do
    sed "s/edit: .*/edit: \"rank=$k\"/" "$red/plan.yaml" >"$scratch/rank-$k.yaml"
    check "every difference cut at rank $k" run 2 apply "$scratch/rank-$k.yaml" --model "$tuned" --base "$base" \
        --output "$out/rank-$k"
    check "... its loss" nll "rank-$k" "$out/rank-$k/model"
    check "... the reduced one is nearer" is_nearer red "rank-$k"
done
check "a difference cut at rank 0" sh -c "sed 's/edit: .*/edit: \"rank=0\"/' '$red/plan.yaml' >'$scratch/rank-0.yaml'"
check "... leaves" run 2 apply "$scratch/rank-0.yaml" --model "$tuned" --base "$base" --output "$out/rank-0"
check "... the base" cmp "$base/model.safetensors" "$out/rank-0/model/model.safetensors"

# ---- adapters for the base ----
adapted_nll() { # name, adapter
    run 2 perplexity --model "$base" --adapter "$2" --text "t=$SRCDIR/inputs/demo-text/report.txt" \
        --set evaluate.max_bytes=16000 --output "$out/ppl-$1" && of "ppl-$1" perplexity pooled nll >"$out/nll-$1"
}
near_nll() { awk -v a="$(cat "$out/nll-$1")" -v b="$(cat "$out/nll-$2")" -v t="$3" \
    'function abs(x) { return x < 0 ? -x : x } BEGIN { print a, b; exit !(abs(a - b) < t) }'; }
check "the edited differences are an adapter for the base" test -s "$red/lora/adapter_model.safetensors"
check "... that names it" test "$("$tool" get "$red/lora/adapter_config.json" base_model_name_or_path)" = "$base"
check "... of the rank that was planted" test "$("$tool" get "$red/lora/adapter_config.json" r)" = 3
check "... with the base" adapted_nll lora "$red/lora"
check "... the loss of the written model" near_nll lora red 2e-5
check "the scan as an adapter" run 2 export "$red" --format lora --model "$tuned" --base "$base" --output "$out/cut"
check "... with the base" adapted_nll cut "$out/cut/lora"
check "... the loss of every difference cut at that rank" near_nll cut rank-3 2e-5
finish
