#!/bin/sh
# Checkpoints that are not plain safetensors, through the program: quantised weights are scanned and evaluated as the same
# weights in float32 are.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
stored=$BUILDDIR/tests/e2e/e2e_stored
mkdir "$out" "$scratch/packed" "$scratch/wide"
# same A B TOLERANCE: but for the names of the formats and what follows from them.
same() {
    for same_dir in "$1" "$2"; do
        sed -e 's/"dtype": "[^"]*"/"dtype": "any"/' -e 's/"step_noise": [^,}]*, *//' "$out/$same_dir/results.json" >"$out/$same_dir/any.json"
    done
    "$tool" compare "$out/$1/any.json" "$out/$2/any.json" "$3"
}
result() { "$tool" get "$out/$1/results.json" perplexity pooled nll; }

near() {
    awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(a != "" && b != "" && d <= t * b) }' ||
        { echo "found $1, expected $2 within $3"; return 1; }
}

# row DIR NAME KEY: of the matrix of that name.
row() {
    row_i=0
    while row_name=$("$tool" get "$out/$1/results.json" matrices "$row_i" name 2>/dev/null); do
        [ "$row_name" = "$2" ] && { "$tool" get "$out/$1/results.json" matrices "$row_i" "$3"; return; }
        row_i=$((row_i + 1))
    done
    return 1
}

# ---- quantised ----
check "a model is quantised" "$stored" quantise "$demo" "$scratch/packed" "$scratch/wide"
for dir in packed wide; do
    cp "$demo/tokenizer.json" "$demo/tokenizer_config.json" "$demo/config.json" "$scratch/$dir"
done
sed '1,/{/s/{/{"quantization_config": {"quant_method": "compressed-tensors", "format": "pack-quantized"},/' \
    "$demo/config.json" >"$scratch/packed/config.json"
for n in $(ranks_of 1 3); do
    check "its scan, $n ranks" run "$n" scan --model-id m --model "$scratch/packed" --output "$out/scan-packed-$n"
    check "the scan of the wide model" run "$n" scan --model-id m --model "$scratch/wide" --output "$out/scan-wide-$n"
    check "... the same values" same "scan-packed-$n" "scan-wide-$n" 1e-12
    check "... side by side" run 1 report "$out/scan-packed-$n" --compare "$out/scan-wide-$n"
    check "its perplexity, $n ranks" run "$n" perplexity --model "$scratch/packed" --output "$out/packed-$n" --text "$text"
    check "that of the wide model" run "$n" perplexity --model "$scratch/wide" --output "$out/wide-$n" --text "$text"
    check "... the same number" test "$(result "packed-$n")" = "$(result "wide-$n")"
done
for n in $(ranks_of 1 3); do
    check "the format is named" grep -q '"dtype": "packed int8"' "$out/scan-packed-$n/results.json"
done

# ---- editing quantised weights ----
# edited NAME RANKS OPTIONS...: reduces the packed model on all windows and evaluates what was written on the same.
edited() {
    edited_name=$1 edited_ranks=$2
    shift 2
    run "$edited_ranks" reduce --model "$scratch/packed" --text "$text" --output "$out/$edited_name" --set evaluate.max_bytes=16000 \
        --set evaluate.selection_share=1 --strategy denoise --set reduce.edits=wiener:0.5,shrink:0.5 "$@" &&
        run 1 perplexity --model "$out/$edited_name/model" --text "$text" --set evaluate.max_bytes=16000 \
            --output "$out/written-$edited_name"
}
reported() { "$tool" get "$out/$1/results.json" final selection nll; }
for n in $(ranks_of 1 3); do
    check "quantised weights are edited, $n ranks" edited "again-$n" "$n"
    check "... and kept" grep -q "tensor:" "$out/again-$n/plan.yaml"
    check "... the loss reported is that of what was written" near "$(result "written-again-$n")" "$(reported "again-$n")" 1e-12
done
check "what was written has the format" run 1 scan --model-id m --model "$out/again-$n/model" --output "$out/scan-again"
check "... which is named" grep -q '"dtype": "packed int8"' "$out/scan-again/results.json"
check "... and the config that it had" cmp "$out/again-$n/model/config.json" "$scratch/packed/config.json"
check "the plan on another copy" run 2 apply "$out/again-$n/plan.yaml" --model "$scratch/packed" --output "$out/replayed"
check "... the same bytes" cmp "$out/replayed/model/model.safetensors" "$out/again-$n/model/model.safetensors"
check "edited and written in bfloat16" edited plain-edit 1 --write-dtype bfloat16
check "... the loss reported is that of what was written" near "$(result written-plain-edit)" "$(reported plain-edit)" 1e-12
check "written in bfloat16" run 2 apply --model "$scratch/packed" --write-dtype bfloat16 --output "$out/plain"
check "... with a clean config" sh -c "! grep -q quantization_config '$out/plain/model/config.json'"
check "... that names the type" grep -q '"torch_dtype": "bfloat16"' "$out/plain/model/config.json"
check "written in float32" run 2 apply --model "$scratch/packed" --write-dtype float32 --output "$out/plain32"
check "... its perplexity" run 1 perplexity --model "$out/plain32/model" --output "$out/plain32-ppl" --text "$text"
check "... that of the quantised one" test "$(result plain32-ppl)" = "$(result "packed-$n")"
check "without anything to do apply says so" refuses 2 "give a PLAN.yaml, --adapter DIR or --write-dtype" 1 apply \
    --model "$scratch/packed" --output "$out/none"

# ---- GGUF ----
gguf=$SRCDIR/tests/golden/gguf
for n in $(ranks_of 1 3); do
    check "the scan of a GGUF file, $n ranks" run "$n" scan --model-id m --model "$gguf/mixtral.gguf" --output "$out/gguf-$n"
    check "that of its tensors, widened" run "$n" scan --model-id m --model "$gguf/mixtral/parts.safetensors" \
        --output "$out/gguf-wide-$n"
    check "... the same values" same "gguf-$n" "gguf-wide-$n" 1e-12
done

speaks=$gguf/tokenizers/speaks.gguf
mkdir "$scratch/beside"
cp "$speaks" "$scratch/beside"
cp "$SRCDIR/tests/golden/tokenizer/gpt2.json" "$scratch/beside/tokenizer.json"
for n in $(ranks_of 1 3); do
    for model in "$speaks" "$scratch/beside"; do
        check "perplexity of ${model##*/}, $n ranks" run "$n" perplexity --model "$model" --output "$out/speaks-$n" --force \
            --text "$text" --convention hf-strided --seqlen 128 --set evaluate.max_tokens=128
        check "... that of transformers" near "$(result "speaks-$n")" "$("$tool" get "$gguf/tokenizers/expected.json" speaks_nll)" 1e-6
    done
done
check "its scan" run 2 scan --model "$speaks" --output "$out/speaks-scan"
for pair in attn_v=self_attn.v_proj attn_output=self_attn.o_proj ffn_gate=mlp.gate_proj ffn_up=mlp.up_proj ffn_down=mlp.down_proj; do
    check "${pair#*=}: the noise of its step is what rounding changed" near \
        "$(row speaks-scan "model.layers.0.${pair#*=}.weight" step_noise)" \
        "$("$tool" get "$gguf/tokenizers/expected.json" rounded "blk.0.${pair%=*}")" 0.03
done
check "... beside what was fitted to the bulk" says "noise of quantisation: of the format"
check "it goes on from a prompt" run 1 generate --model "$speaks" --prompt "The" --max-tokens 4
cp "$gguf/llama.gguf" "$scratch/mute.gguf"
check "a GGUF file without a tokenizer is refused" refuses 3 "there is no tokenizer in its metadata" 1 \
    perplexity --model "$scratch/mute.gguf" --output "$out/none" --text "$text"

check "a GGUF file is not edited as it is" refuses 2 "quantised .Q8_0.*--write-dtype bfloat16" 1 reduce --model "$speaks" \
    --output "$out/none" --text "$text"
check "it is written as safetensors" run 2 apply --model "$gguf/mixtral.gguf" --write-dtype float32 --output "$out/gguf-plain"
check "... the scan of it" run 1 scan --model-id m --model "$out/gguf-plain/model" --output "$out/gguf-plain-scan"
check "... the same values" same gguf-plain-scan gguf-1 1e-12

# ---- differences ----
pair=$SRCDIR/tests/golden/difference
for n in $(ranks_of 1 3); do
    check "the scan of a difference, $n ranks" run "$n" scan --model "$pair/tuned" --base "$pair/base" --output "$out/diff-$n"
    for seed in 0 1 2 3 4; do
        name=model.layers.$seed.mlp.up_proj.weight
        check "seed $seed: the rank that was planted" test "$(row "diff-$n" $name rank)" = 3
        check "... numpy's largest singular value" near "$(row "diff-$n" $name s_max)" \
            "$("$stored" value "$pair/expect" $name.sigma 0)" 1e-11
        check "... numpy's smallest" near "$(row "diff-$n" $name s_min)" "$("$stored" value "$pair/expect" $name.sigma 47)" 1e-8
    done
    check "a matrix that did not change is named" test \
        "$(row "diff-$n" model.layers.0.self_attn.q_proj.weight reason)" = "equal to the base"
    check "a resized one is named" test "$(row "diff-$n" model.embed_tokens.weight reason)" = "of another shape in the base"
    check "the base is named" test "$("$tool" get "$out/diff-$n/results.json" base)" = "$pair/base"
done
left_out() { "$tool" get "$out/lora-diff-$1/lora/error.json" modules "$2" left_out; }
check "rank 3 of a difference as an adapter" run 3 export "$out/diff-$n" --format lora --model "$pair/tuned" --base "$pair/base" \
    --output "$out/lora-diff-3"
check "... what is not in it is named" says "[0-9]+ tensors have another shape in the base"
for seed in 0 1 2 3 4; do
    name=model.layers.$seed.mlp.up_proj.weight
    check "... what numpy's best approximation leaves out, seed $seed" near "$(left_out 3 $name)" \
        "$("$tool" get "$pair/left_out.json" $name)" 1e-9
done
check "on 1 rank" run 1 export "$out/diff-$n" --format lora --model "$pair/tuned" --base "$pair/base" --output "$out/lora-diff-1"
check "... the same adapter" cmp "$out/lora-diff-1/lora/adapter_model.safetensors" "$out/lora-diff-3/lora/adapter_model.safetensors"
check "with a highest rank" run 1 export "$out/diff-$n" --format lora --rank 2 --model "$pair/tuned" --base "$pair/base" \
    --output "$out/lora-diff-2"
check "... it holds" test "$("$tool" get "$out/lora-diff-2/lora/error.json" modules model.layers.0.mlp.up_proj.weight rank)" = 2
check "a scan of weights is refused" refuses 2 "a scan of weights, not of differences" 1 export "$out/gguf-1" --format lora \
    --model "$pair/tuned" --base "$pair/base" --output "$out/none"
check "without a base it is refused" refuses 2 "give --model TUNED --base BASE" 1 export "$out/diff-$n" --format lora \
    --model "$pair/tuned" --output "$out/none"

# ---- adapters ----
adapter=$SRCDIR/tests/golden/adapter
for n in $(ranks_of 1 3); do
    check "the scan of an adapter by itself, $n ranks" run "$n" scan --model "$adapter/lora" --output "$out/lora-$n"
    check "... the rank by pattern" test "$(row "lora-$n" model.layers.1.self_attn.q_proj.weight rank)" = 6
    for name in model.layers.1.self_attn.q_proj model.layers.0.mlp.down_proj; do
        check "... torch's largest singular value" near "$(row "lora-$n" $name.weight s_max)" \
            "$("$stored" value "$adapter/expect/lora/change" $name.sigma 0)" 1e-13
    done
    check "the scan of a model with an adapter" run "$n" scan --model-id m --model "$adapter/model" --adapter "$adapter/lora" \
        --output "$out/adapted-$n"
    check "that of PEFT's merge" run "$n" scan --model-id m --model "$adapter/expect/lora/merged" --output "$out/merged-$n"
    check "... the same values" same "adapted-$n" "merged-$n" 1e-5
done
check "an adapter is merged" run 2 apply --model "$adapter/model" --adapter "$adapter/lora" --output "$out/merge"
check "... its scan" run 1 scan --model-id m --model "$out/merge/model" --output "$out/merge-scan"
check "... that of PEFT's merge" same merge-scan merged-1 1e-5
expect=3 check "a base of another architecture is refused" run 1 scan --model "$pair/tuned" \
    --base "$SRCDIR/tests/golden/checkpoint/gpt2" --output "$out/none"
finish
