#!/bin/sh
# Checkpoints that are not plain safetensors, through the program: quantised weights are scanned and evaluated as the same
# weights in float32 are.
. "$SRCDIR/tests/e2e_lib.sh"
out=$scratch/out
stored=$BUILDDIR/tests/e2e_stored
mkdir "$out" "$scratch/packed" "$scratch/wide"
# same A B TOLERANCE: but for the names of the formats.
same() {
    for same_dir in "$1" "$2"; do
        sed 's/"dtype": "[^"]*"/"dtype": "any"/' "$out/$same_dir/results.json" >"$out/$same_dir/any.json"
    done
    "$tool" compare "$out/$1/any.json" "$out/$2/any.json" "$3"
}
result() { "$tool" get "$out/$1/results.json" perplexity pooled nll; }

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
    check "its perplexity, $n ranks" run "$n" perplexity --model "$scratch/packed" --output "$out/packed-$n" --text "$text"
    check "that of the wide model" run "$n" perplexity --model "$scratch/wide" --output "$out/wide-$n" --text "$text"
    check "... the same number" test "$(result "packed-$n")" = "$(result "wide-$n")"
done
for n in $(ranks_of 1 3); do
    check "the format is named" grep -q '"dtype": "packed int8"' "$out/scan-packed-$n/results.json"
done

# ---- GGUF ----
gguf=$SRCDIR/tests/golden/gguf
for n in $(ranks_of 1 3); do
    check "the scan of a GGUF file, $n ranks" run "$n" scan --model-id m --model "$gguf/mixtral.gguf" --output "$out/gguf-$n"
    check "that of its tensors, widened" run "$n" scan --model-id m --model "$gguf/mixtral/parts.safetensors" \
        --output "$out/gguf-wide-$n"
    check "... the same values" same "gguf-$n" "gguf-wide-$n" 1e-12
done
finish
