#!/bin/sh
# Copies of DeepSeek-V3 (FP8 in blocks of 128 x 128) and gpt-oss (MXFP4) with a hidden size of 512 and the layout of the published
# checkpoints: every expert is scanned, and has the singular values of the same weights in float32.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
stored=$BUILDDIR/tests/e2e/e2e_stored
mkdir "$out"

# config TYPE DIR QUANTISATION: config.json of the copy.
config() {
    case $1 in
    deepseek)
        printf '{"model_type": "deepseek_v3", "hidden_size": 512, "intermediate_size": 384, "moe_intermediate_size": 192, "num_hidden_layers": 3,
"first_k_dense_replace": 1, "n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1,
"num_attention_heads": 4, "num_key_value_heads": 4, "q_lora_rank": 192, "kv_lora_rank": 64, "qk_nope_head_dim": 64,
"qk_rope_head_dim": 32, "v_head_dim": 64, "vocab_size": 512, "hidden_act": "silu", "rms_norm_eps": 1e-06, "tie_word_embeddings": false%s}' "$3"
        ;;
    gpt-oss)
        printf '{"model_type": "gpt_oss", "hidden_size": 512, "intermediate_size": 192, "num_hidden_layers": 3, "num_local_experts": 8,
"num_experts_per_tok": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "vocab_size": 512, "rms_norm_eps": 1e-05,
"tie_word_embeddings": false%s}' "$3"
        ;;
    esac >"$2/config.json"
}
# same A B TOLERANCE: but for the names of the formats and what follows from them.
same() {
    for same_dir in "$1" "$2"; do
        sed -e 's/"dtype": "[^"]*"/"dtype": "any"/' -e 's/"step_noise": [^,}]*, *//' "$out/$same_dir/results.json" >"$out/$same_dir/any.json"
    done
    "$tool" compare "$out/$1/any.json" "$out/$2/any.json" "$3"
}
experts() { grep -o '"name": "[^"]*experts[.][^"]*"' "$out/$1/results.json" | grep -vc shared; }
planned() { awk '/PLAN / { sub(/.*: /, ""); print $1; exit }' "$scratch/last.log"; }
# scanned TYPE MATRICES-OF-EXPERTS FORMAT BYTES QUANTISATION: BYTES that the file has of the first matrix of an expert.
scanned() {
    mkdir "$scratch/$1" "$scratch/$1/packed" "$scratch/$1/wide"
    check "$1 with a hidden size of 512" "$stored" "$1" 512 192 3 8 "$scratch/$1/packed" "$scratch/$1/wide"
    config "$1" "$scratch/$1/wide" ""
    config "$1" "$scratch/$1/packed" "$5"
    for n in $(ranks_of 1 3); do
        check "its scan, $n ranks" run "$n" scan --model-id m --model "$scratch/$1/packed" --output "$out/$1-$n"
        check "... of every expert" test "$(experts "$1-$n")" = "$2"
        check "... whose format is named" grep -q "\"dtype\": \"$3\"" "$out/$1-$n/results.json"
        check "... and whose bytes are those of codes and scales" grep -qE "experts.*(0.gate_proj|gate_up_proj.0.).* bytes=$4 " \
            "$out/$1-$n/ledger.txt"
    done
    check "the scan of the widened weights" run 2 scan --model-id m --model "$scratch/$1/wide" --output "$out/$1-wide"
    check "... the same values" same "$1-$n" "$1-wide" 1e-12
    check "... side by side" run 1 report "$out/$1-$n" --compare "$out/$1-wide"
    check "the plan" run 1 plan --model "$scratch/$1/packed"
    check "... of as many matrices" test "$(planned)" = "$(grep -c '"status": "scanned"' "$out/$1-$n/results.json")"
}
scanned deepseek 48 F8_E4M3 98336 \
    ', "quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}'
scanned gpt-oss 48 MXFP4 104448 ', "quantization_config": {"quant_method": "mxfp4"}'
finish
