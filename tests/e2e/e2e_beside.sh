#!/bin/sh
# What else lies in a model directory: another set of weights, an adapter, keys of config.json that nobody reads.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
model=$scratch/model out=$scratch/out
mkdir "$out"
ppl() { # name ranks arguments
    ppl_name=$1 ppl_ranks=$2
    shift 2
    run "$ppl_ranks" perplexity --text "demo=$text" --set evaluate.max_tokens=2000 --output "$out/$ppl_name" "$@"
}
value() { "$tool" get "$out/$1/results.json" perplexity pooled ppl; }
fresh() {
    rm -rf "$model"
    cp -r "$demo" "$model"
    chmod -R u+w "$model"
}
no_cut() { # name ranks arguments: a reduction that finds nothing to cut writes the model as it is
    no_cut_name=$1 no_cut_ranks=$2
    shift 2
    run "$no_cut_ranks" reduce --model "$model" --text "demo=$text" --set evaluate.max_tokens=2000 --strategy snr \
        --threshold rank:1 --output "$out/$no_cut_name" "$@"
}

check "the demo" ppl plain 1 --model "$demo"
expected=$(value plain)

# An adapter.
fresh
echo '{"peft_type": "LORA", "base_model_name_or_path": "x"}' >"$model/adapter_config.json"
cp "$demo/model.safetensors" "$model/adapter_model.safetensors"
for n in $(ranks_of 1 3); do
    check "an adapter beside the model, $n ranks: perplexity refuses" refuses 3 "adapter_config.json .*attaches this adapter" "$n" \
        perplexity --model "$model" --text "demo=$text" --output "$out/a-$n"
    check "... reduce" refuses 3 "adapter_config.json .*merge_and_unload" "$n" reduce --model "$model" --text "demo=$text" \
        --output "$out/b-$n"
    check "... generate" refuses 3 "adapter_config.json" "$n" generate --model "$model" --prompt "In the"
    check "... a scan says what it scans" run "$n" scan --model "$model" --output "$out/scan-$n"
    check "... once" test "$(grep -c "this is the model without the adapter" "$scratch/last.log")" = 1
    check "... the file, named, is taken without it" ppl "named-$n" "$n" --model "$model/model.safetensors"
    check "... and gives the model's own perplexity" test "$(value "named-$n")" = "$expected"
done

# Weights of other formats, a second set of shards.
fresh
mkdir "$model/original"
for file in consolidated.safetensors pytorch_model.bin model.gguf original/consolidated.00.pth model-00001-of-00001.safetensors; do
    cp "$demo/model.safetensors" "$model/$file"
done
echo '{"metadata": {}, "weight_map": {"lm_head.weight": "model-00001-of-00001.safetensors"}}' >"$model/model.safetensors.index.json"
echo '{}' >"$model/original/params.json"
for n in $(ranks_of 1 3); do
    check "two sets of weights, $n ranks" ppl "two-$n" "$n" --model "$model"
    check "... which is read is said" says "NOTE .*model.safetensors is read, as by transformers"
    check "... it is the one that transformers reads" test "$(value "two-$n")" = "$expected"
    check "a reduced model, $n ranks" no_cut "left-$n" "$n"
    check "... leaves the others out, in one line" says "^LEFT OUT +6 files with weights of the model as it was \\(consolidated.safetensors, .*--copy-other-weights"
    check "... has one set of weights" test "$(find "$out/left-$n/model" -name '*.safetensors*' -o -name '*.bin' -o -name '*.gguf' -o -name '*.pth' | wc -l)" = 1
    check "... and the other files" test -f "$out/left-$n/model/original/params.json"
done
check "asked for, they are copied" no_cut copied 2 --copy-other-weights
check "..." test -f "$out/copied/model/original/consolidated.00.pth"
check "... nothing is left out then" says_not "LEFT OUT"

# config.json: what transformers does not read is named and ignored; what changes the computation is refused.
fresh
config() { # a member that is put first
    sed "1s/{/{ $1,/" "$demo/config.json" >"$model/config.json"
}
config '"license": "mit", "quantization_config": {"quant_method": "gptq"}'
for n in $(ranks_of 1 3); do
    check "keys without meaning, $n ranks" ppl "keys-$n" "$n" --model "$model"
    check "... are named in one line" test "$(grep -c "ignored, as transformers does.*: license$" "$scratch/last.log")" = 1
    check "... and change nothing" test "$(value "keys-$n")" = "$expected"
    check "... a quantization_config over float weights is said to be left over" says "ignored: quantization_config; every weight is of a floating type"
done
config '"is_causal": false'
for n in $(ranks_of 1 3); do
    check "a key with a meaning, $n ranks" refuses 3 "is_causal: found false" "$n" perplexity --model "$model" --text "demo=$text" \
        --output "$out/causal-$n"
done
finish
