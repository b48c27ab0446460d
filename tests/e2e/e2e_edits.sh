#!/bin/sh
# Edits through the program: parts of fused and stacked tensors, tied tensors, plans replayed on copies of the model and
# refused on others, a disk that is full, the losses of the windows.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
mkdir "$out"
limit=60
small=$SRCDIR/tests/golden/model

ppl_of() { "$tool" get "$1/results.json" perplexity pooled ppl; }
near() { # a b tolerance
    awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = (a - b) / b; if (d < 0) d = -d; print a, b; exit !(d <= t) }'
}
differs() { ! cmp -s "$1" "$2"; }
lacks() { ! grep -qE "$1" "$2"; }

# ---- a plan replayed ----
reduce_demo() { echo "reduce --compat laserrmt --model $demo --text demo=$text --set evaluate.max_bytes=12000 --output $1"; }
check "a reduction" run 2 $(reduce_demo "$out/rmt")
plan=$out/rmt/plan.yaml
check "... keeps three edits" test "$(grep -c 'tensor:' "$plan")" = 3
cp -R "$demo" "$scratch/copy"
for n in $(ranks_of 1 3); do
    check "its plan on a copy of the model, $n ranks" run "$n" apply "$plan" --model "$scratch/copy" --output "$out/apply-$n"
    check "... gives the same weights" cmp "$out/rmt/model/model.safetensors" "$out/apply-$n/model/model.safetensors"
done
check "the losses of its windows are those of the written model" run 2 perplexity --model "$out/rmt/model" \
    --text "demo=$text" --set evaluate.max_bytes=12000 --output "$out/rmt-ppl"
check "... says compare" run 1 compare "$out/rmt-ppl" "$out/rmt"
check "... of every window" says "pooled .* nll [+-]0\.00000.*; of [0-9]+ windows 0 better, 0 worse"

refused() { # name, sed command, pattern, options
    sed "$2" "$plan" >"$scratch/$1.yaml"
    check "a plan with $1" refuses 3 "$3" 2 apply "$scratch/$1.yaml" --model "${4:-$demo}" --output "$out/refused"
}
refused another-tensor '0,/layers\.[0-9]*/s//layers.77/' 'layers.77.*does not have it: the plan is for another model'
refused another-shape '0,/shape: .*/s//shape: [128, 64]/' '\[128, 64\] in the plan.*\[128, 128\] in .*another model'
refused another-dtype '0,/dtype: .*/s//dtype: F32/' 'F32 of shape.*BF16.*another model'
refused another-hash '0,/hash: .*/s//hash: 0123456789abcdef/' 'contents are not those that the plan was made for.*another model'
refused no-such-edit '0,/edit: .*/s//edit: shave:1/' 'yaml:[0-9]+.*edit.*none that exists'
refused another-version 's/^version: .*/version: 9/' 'another version'
refused other-weights 's/x/x/' 'contents are not those' "$out/rmt/model"
check "... nothing is written" test ! -e "$out/refused/model"
check "no such plan" refuses 3 'no-plan.yaml' 2 apply "$scratch/no-plan.yaml" --model "$demo" --output "$out/refused"

# ---- parts of tensors ----
octal=$(awk 'BEGIN { srand(7); for (i = 0; i < 3000; i++) printf "\\%03o\\000\\000\\000", int(rand() * 47) }')
printf "$octal" >"$scratch/ids.i32"
tokens="--text t=$scratch/ids.i32 --seqlen 32"
parts() { # model, options: every candidate of rule rank:0.3 at once
    parts_model=$1
    shift
    run "$parts_ranks" reduce --strategy all --threshold rank:0.3 --model "$small/$parts_model" $tokens \
        --set evaluate.selection_share=1 --set scan.split_fused=true --output "$out/$parts_model-$parts_ranks" "$@"
}
for model in phi3 gpt2 mixtral-stacked; do
    for parts_ranks in 0 $(ranks_of 3); do
        check "$model, every part at once, $parts_ranks ranks" parts $model
    done
    dir=$out/$model-0
    check "... edits parts" grep -q 'tensor: ".*\]"' "$dir/plan.yaml"
    check "... the written model" run 1 perplexity --model "$dir/model" $tokens --output "$out/$model-ppl"
    check "... has the perplexity that was reported" near "$(ppl_of "$out/$model-ppl")" \
        "$("$tool" get "$dir/results.json" final selection ppl)" 1e-6
    check "... is another one" differs "$small/$model/model.safetensors" "$dir/model/model.safetensors"
    check "... its plan" run 2 apply "$dir/plan.yaml" --model "$small/$model" --output "$out/$model-apply"
    check "... gives the same weights" cmp "$dir/model/model.safetensors" "$out/$model-apply/model/model.safetensors"
    [ -d "$out/$model-3" ] && check "... as on 3 ranks" cmp "$dir/model/model.safetensors" "$out/$model-3/model/model.safetensors"
done
# Types of other kinds: latent attention, stacks stored the other way round, the delta rule, heads of a fused matrix, and
# wrappers, whose towers stay as they are.
for model in deepseek_v3 gpt_oss qwen3_5_moe bloom mistral3; do
    parts_ranks=0
    check "$model, every matrix at once" parts $model
    dir=$out/$model-0
    check "... the written model" run 1 perplexity --model "$dir/model" $tokens --output "$out/$model-ppl"
    check "... has the perplexity that was reported" near "$(ppl_of "$out/$model-ppl")" \
        "$("$tool" get "$dir/results.json" final selection ppl)" 1e-6
    check "... is another one" differs "$small/$model/model.safetensors" "$dir/model/model.safetensors"
    check "... edits nothing beside the language model" lacks 'tower|visual' "$dir/plan.yaml"
done
# Only the parts that were chosen change: without them the two files are the same.
check "one part alone" run 1 reduce --strategy all --threshold rank:0.3 --model "$small/phi3" $tokens \
    --set evaluate.selection_share=1 --set scan.split_fused=true --matrices 're:.*layers\.1.*qkv_proj\.weight\[k\]' \
    --output "$out/k"
check "... changes its rows and no others" test "$(cmp -l "$small/phi3/model.safetensors" "$out/k/model/model.safetensors" |
    wc -l)" -le $((3 * 4 * 24 * 2))
check "... is in no factored form" run 1 reduce --strategy all --threshold rank:0.1 --model "$small/phi3" $tokens \
    --set evaluate.selection_share=1 --set scan.split_fused=true --matrices 're:.*qkv_proj\.weight\[q\]' --also factored,lora \
    --output "$out/q"
check "... and in no adapter, which is said" says 'qkv_proj.weight\[q\] is a part of a tensor: not in the adapter'

# ---- an adapter for a change of full rank ----
check "an adapter of a shrinkage" run 2 reduce --model "$demo" --text "demo=$text" --set evaluate.max_bytes=30000 \
    --matrices 'model.layers.3.self_attn.v_proj.weight' --set reduce.edits=shrink:0.25 --also lora --output "$out/lora"
check "... states what it leaves out" says 'v_proj.weight .*rank 3[0-2] of 32 of the change, .* % of its norm left out'
check "... and that it is no smaller" says 'the adapter is no smaller than the matrices it changes'

# ---- tied tensors ----
check "a tied embedding" run 2 reduce --strategy all --threshold rank:0.5 --model "$demo" --text "demo=$text" \
    --set evaluate.max_bytes=4000 --set evaluate.selection_share=1 --matrices model.embed_tokens.weight --output "$out/tied"
check "... stays one tensor" test "$(stat -c %s "$demo/model.safetensors")" = "$(stat -c %s "$out/tied/model/model.safetensors")"
check "... the written model" run 1 perplexity --model "$out/tied/model" --text "demo=$text" --set evaluate.max_bytes=4000 \
    --output "$out/tied-ppl"
check "... has the perplexity that was reported" near "$(ppl_of "$out/tied-ppl")" \
    "$("$tool" get "$out/tied/results.json" final selection ppl)" 1e-6

# ---- nothing to do ----
check "a rule that keeps all" run 2 reduce --compat laserrmt --threshold rank:1 --model "$demo" --text "demo=$text" \
    --set evaluate.max_bytes=4000 --output "$out/nothing"
check "... is said" says "none: the rule rank:1 removes nothing"

# ---- a disk that is full while the model is written: files end at 1 MB, the model has 1.8 ----
cat >"$scratch/full" <<'FULL'
#!/bin/sh
ulimit -f 2048
exec "$@"
FULL
chmod +x "$scratch/full"
as=$scratch/full
check "a full disk" refuses 5 'model.safetensors' 2 $(reduce_demo "$out/full")
as=
check "... leaves no half of a file" test -z "$(find "$out/full/model" -name '*.safetensors*' -o -name '*.tmp*' -o -name '*.partial')"
check "... with room again the same command goes on" run 2 $(reduce_demo "$out/full")
check "... from its decisions" says "15 decisions are made already"
check "... to the same model" same_model "$out/rmt" "$out/full"
check "... and the same results" same_results "$out/rmt" "$out/full"
finish
