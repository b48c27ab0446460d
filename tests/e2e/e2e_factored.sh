#!/bin/sh
# Checkpoints whose weights are products of two thin ones: written by reduce, read by every command, and by transformers
# where PYTHON (python3) has it.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out limit=120
mkdir "$out"
small=$SRCDIR/tests/golden/model
python=${PYTHON:-python3}

nll_of() { "$tool" get "$1/results.json" perplexity pooled nll; }
near() { # a b tolerance
    awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = (a - b) / b; if (d < 0) d = -d; print a, b; exit !(b > 0 && d <= t) }'
}
octal=$(awk 'BEGIN { srand(7); for (i = 0; i < 1500; i++) printf "\\%03o\\000\\000\\000", int(rand() * 47) }')
printf "$octal" >"$scratch/ids.i32"
tokens="--text t=$scratch/ids.i32 --seqlen 32"
with_transformers=no
"$python" -c 'import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ("transformers", "torch"))))' 2>/dev/null &&
    with_transformers=yes

for model in llama qwen2; do
    dir=$out/$model
    check "$model reduced" run 2 reduce --strategy all --threshold rank:0.2 --model "$small/$model" $tokens \
        --set evaluate.selection_share=1 --also factored --output "$dir"
    check "... names its ranks" grep -q '"truncation_ranks"' "$dir/factored/config.json"
    for n in 0 $(ranks_of 3); do
        check "... is evaluated by $n ranks" run "$n" perplexity --model "$dir/factored" $tokens --output "$out/ppl-$model-$n"
    done
    check "... is evaluated in shards" run 3 perplexity --model "$dir/factored" $tokens --shards 3 \
        --output "$out/ppl-$model-shards"
    check "... with the same loss" near "$(nll_of "$out/ppl-$model-shards")" "$(nll_of "$out/ppl-$model-0")" 1e-6
    check "... is evaluated in bfloat16" run 1 perplexity --model "$dir/factored" $tokens --precision bfloat16 \
        --output "$out/ppl-$model-bf16"
    check "... near the float32 loss" near "$(nll_of "$out/ppl-$model-bf16")" "$(nll_of "$out/ppl-$model-0")" 5e-3
    check "... is scanned" run 2 scan --model "$dir/factored" --output "$out/scan-$model"
    if [ $with_transformers = yes ]; then
        theirs=$("$python" "$SRCDIR/tools/check_factored.py" "$dir/factored" "$scratch/ids.i32" 32 2>"$scratch/python.log") ||
            tail -5 "$scratch/python.log"
        check "... transformers gives the same loss" near "${theirs:-0}" "$(nll_of "$out/ppl-$model-0")" 1e-5
    else
        skip "... transformers gives the same loss" "$python has no transformers and torch (PYTHON names another interpreter)"
    fi
done
# Experts in stacks or one by one, parts of fused weights, and the stack and the columns that are stored transposed.
factor() { # model options...
    factored_model=$1 dir=$out/$1
    shift
    check "$factored_model compressed" run 2 compress --method plain --model "$small/$factored_model" $tokens --remove 30% \
        --output "$dir" "$@"
    check "... is evaluated in shards" run 3 perplexity --model "$dir/model" $tokens --shards 3 --output "$out/ppl-$factored_model"
    [ $with_transformers = yes ] || return 0
    theirs=$("$python" "$SRCDIR/tools/check_factored.py" "$dir/model" "$scratch/ids.i32" 32 2>"$scratch/python.log") ||
        tail -5 "$scratch/python.log"
    check "... transformers gives the same loss" near "${theirs:-0}" "$(nll_of "$out/ppl-$factored_model")" 1e-5
}
factor mixtral-stacked --set scan.split_fused=true
factor qwen3_moe
factor phi3 --set scan.split_fused=true
check "... parts of fused weights are named" grep -q '"model.layers.0.self_attn.qkv_proj": *\[' "$out/phi3/model/config.json"
factor gpt2 --set scan.split_fused=true
factor gpt_oss
# The weights of the small Llama are float32, so that the products are those of the dense model.
check "the dense model" run 1 perplexity --model "$out/llama/model" $tokens --output "$out/ppl-dense"
check "... has the loss of the factored one" near "$(nll_of "$out/ppl-dense")" "$(nll_of "$out/ppl-llama-0")" 1e-5

check "cuts that save nothing" run 2 reduce --strategy all --threshold rank:0.9 --model "$small/llama" $tokens \
    --set evaluate.selection_share=1 --also factored --output "$out/larger"
check "... are not written as two larger ones" says "none of the [1-9][0-9]* edited matrices is smaller as two thin ones: nothing is written"
check "... at all" test ! -e "$out/larger/factored"

check "the demo reduced" run 2 reduce --strategy all --threshold rank:0.3 --model "$demo" --text "demo=$text" \
    --set evaluate.max_bytes=6000 --set evaluate.selection_share=1 --also factored --output "$out/demo"
check "... is smaller" test "$(wc -c <"$out/demo/factored/model.safetensors")" -lt "$(wc -c <"$demo/model.safetensors")"
check "... speaks" run 1 generate --model "$out/demo/factored" --prompt "Once upon a time" --max-tokens 8
check "... is edited further" run 2 reduce --strategy all --threshold rank:0.9 --model "$out/demo/factored" \
    --text "demo=$text" --set evaluate.max_bytes=6000 --set evaluate.selection_share=1 \
    --matrices 're:.*layers\.3.*up_proj\.ALinear\.weight' --output "$out/further"
cp -R "$out/llama/factored" "$scratch/broken"
sed 's/"model.layers.0.mlp.up_proj": *[0-9]*/"model.layers.0.mlp.up_proj": 19/' "$out/llama/factored/config.json" \
    >"$scratch/broken/config.json"
check "a rank that config.json has otherwise" refuses 3 'up_proj\.ALinear\.weight.*shape .*config\.json says \[[0-9]+, 19\]' \
    1 perplexity --model "$scratch/broken" $tokens --output "$out/broken"
finish
