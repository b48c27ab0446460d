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
table 8B 4096 14336 32 32
table 70B 8192 28672 80 64
table 405B 16384 53248 126 128
