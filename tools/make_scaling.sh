#!/bin/sh
# Writes the tables of doc/scaling.md: what `laser_mpi plan` says of Llama-3 8B, 70B and 405B on 1 to 64 nodes.
#
#   sh tools/make_scaling.sh BUILD/laser_mpi >tables.md
laser=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
table() { # title hidden intermediate layers heads
    mkdir "$scratch/$1"
    printf '{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":%s,"intermediate_size":%s,
"num_hidden_layers":%s,"num_attention_heads":%s,"num_key_value_heads":8,"vocab_size":128256,"rms_norm_eps":1e-05,
"max_position_embeddings":8192,"rope_theta":500000.0,"hidden_act":"silu","tie_word_embeddings":false,
"torch_dtype":"bfloat16"}\n' "$2" "$3" "$4" "$5" >"$scratch/$1/config.json"
    printf '\n### Llama-3 %s\n```\n' "$1"
    "$laser" plan --model "$scratch/$1" --set evaluate.seqlen=2048 --set evaluate.precision=bfloat16 --nodes 64 \
        --cores-per-node 96 --memory-per-node 512GiB --core-gflops 42 | grep -aE '^(FLOPS| *nodes| +[0-9]+ +[0-9]+ +[0-9]+ )' |
        grep -v '^ .*model\.layers'
    echo '```'
}
# Counted are the bytes of the published checkpoints, which are quantised.
experts() { # title, config.json on standard input
    mkdir "$scratch/$1"
    cat >"$scratch/$1/config.json"
    printf '\n### %s\n```\n' "$1"
    "$laser" plan --model "$scratch/$1" --set evaluate.seqlen=2048 --set evaluate.precision=bfloat16 --nodes 16 \
        --cores-per-node 96 --memory-per-node 512GiB --core-gflops 42 | grep -aE '^(FLOPS|PLAN| *nodes| +[0-9]+ +[0-9]+ +[0-9]+ )' |
        grep -v '^ .*model\.layers' | sed "s| $scratch/| |"
    echo '```'
}
table 8B 4096 14336 32 32
table 70B 8192 28672 80 64
table 405B 16384 53248 126 128
experts gpt-oss-120b <<'JSON'
{"architectures":["GptOssForCausalLM"],"attention_bias":true,"head_dim":64,"hidden_act":"silu","hidden_size":2880,
"intermediate_size":2880,"max_position_embeddings":131072,"model_type":"gpt_oss","num_attention_heads":64,
"num_experts_per_tok":4,"num_hidden_layers":36,"num_key_value_heads":8,"num_local_experts":128,
"quantization_config":{"modules_to_not_convert":["model.layers.*.self_attn","model.layers.*.mlp.router",
"model.embed_tokens","lm_head"],"quant_method":"mxfp4"},"rms_norm_eps":1e-05,"rope_scaling":{"beta_fast":32.0,
"beta_slow":1.0,"factor":32.0,"original_max_position_embeddings":4096,"rope_type":"yarn","truncate":false},
"rope_theta":150000,"sliding_window":128,"swiglu_limit":7.0,"tie_word_embeddings":false,"vocab_size":201088}
JSON
experts DeepSeek-V3 <<'JSON'
{"architectures":["DeepseekV3ForCausalLM"],"attention_bias":false,"first_k_dense_replace":3,"hidden_act":"silu",
"hidden_size":7168,"intermediate_size":18432,"kv_lora_rank":512,"max_position_embeddings":163840,
"model_type":"deepseek_v3","moe_intermediate_size":2048,"n_group":8,"n_routed_experts":256,"n_shared_experts":1,
"norm_topk_prob":true,"num_attention_heads":128,"num_experts_per_tok":8,"num_hidden_layers":61,
"num_key_value_heads":128,"q_lora_rank":1536,"qk_nope_head_dim":128,"qk_rope_head_dim":64,
"quantization_config":{"activation_scheme":"dynamic","fmt":"e4m3","quant_method":"fp8","weight_block_size":[128,128]},
"rms_norm_eps":1e-06,"rope_scaling":{"beta_fast":32,"beta_slow":1,"factor":40,"mscale":1.0,"mscale_all_dim":1.0,
"original_max_position_embeddings":4096,"type":"yarn"},"rope_theta":10000,"routed_scaling_factor":2.5,
"tie_word_embeddings":false,"topk_group":4,"torch_dtype":"bfloat16","v_head_dim":128,"vocab_size":129280}
JSON
