#!/bin/sh
# Plans for models that are not there, and for clusters: from config.json and the shard index alone.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
models=$scratch/models
mkdir "$models"

config() { # name hidden intermediate layers heads
    mkdir "$models/$1"
    printf '{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":%s,"intermediate_size":%s,
"num_hidden_layers":%s,"num_attention_heads":%s,"num_key_value_heads":8,"vocab_size":128256,"rms_norm_eps":1e-05,
"max_position_embeddings":8192,"rope_theta":500000.0,"hidden_act":"silu","tie_word_embeddings":false,
"torch_dtype":"bfloat16"}\n' "$2" "$3" "$4" "$5" >"$models/$1/config.json"
}
index() { # name layers total_size
    {
        printf '{"metadata":{"total_size":%s},"weight_map":{' "$3"
        for layer in $(seq 0 $(($2 - 1))); do
            for part in input_layernorm post_attention_layernorm self_attn.q_proj self_attn.k_proj self_attn.v_proj \
                self_attn.o_proj mlp.gate_proj mlp.up_proj mlp.down_proj; do
                printf '"model.layers.%s.%s.weight":"model-00001-of-00030.safetensors",' "$layer" $part
            done
        done
        printf '"lm_head.weight":"a","model.embed_tokens.weight":"a","model.norm.weight":"a"}}'
    } >"$models/$1/model.safetensors.index.json"
}
cluster="--nodes 64 --cores-per-node 96 --memory-per-node 512GiB --core-gflops 42"

# The sizes are those of 70,553,706,496 and 405,853,388,800 parameters in bfloat16, as published.
config 70b 8192 28672 80 64
check "Llama-3 70B from config.json alone" run 1 plan --model "$models/70b" $cluster
check "... has 560 matrices" says "560 matrices, 163 tensors skipped"
check "... its operations for a token" says "evaluation 1\\.[34][0-9]*e\\+11 a token"
check "... a line for each number of nodes" test "$(grep -cE '^ +(1|2|4|8|16|32|64) +[0-9]+ +[0-9]+ +[0-9.]+ [smhd]' "$scratch/last.log")" = 7
check "... a compression, too" test "$(grep -cE '^ +(1|2|4|8|16|32|64) +[0-9]+ +[0-9]+ +[0-9]+x[0-9]+ +[0-9]+ +[0-9]' "$scratch/last.log")" = 7
check "... the lines of the job" says "#SBATCH --nodes=64"
check "... its tasks" says "#SBATCH --ntasks-per-node=[0-9]+"
check "... its memory" says "#SBATCH --mem=[0-9]+G"
check "... its time" says "#SBATCH --time=[0-9]+:[0-9]+:00"
index 70b 80 141107412992
check "with its shard index" run 1 plan --model "$models/70b"
index 70b 80 141107412990
check "an index of another size" refuses 3 "total_size is 141107412990 in the index; .* have 141107412992 bytes" 1 plan --model "$models/70b"
index 70b 79 141107412992
check "an index of fewer layers" refuses 3 "requires model.layers.79.* does not name" 1 plan --model "$models/70b"
index 70b 81 141107412992
check "an index of more" refuses 3 "names model.layers.80.*knows nothing of" 1 plan --model "$models/70b"

# Quantised: the shapes are those of the weights once widened, and the index has their parts.
mkdir -p "$models/gpt-oss"
cat >"$models/gpt-oss/config.json" <<'JSON'
{"model_type": "gpt_oss", "attention_bias": true, "head_dim": 64, "hidden_act": "silu", "hidden_size": 2880,
 "intermediate_size": 2880, "num_attention_heads": 64, "num_key_value_heads": 8, "num_hidden_layers": 2, "num_local_experts": 4,
 "num_experts_per_tok": 4, "sliding_window": 128, "max_position_embeddings": 131072, "rms_norm_eps": 1e-05, "rope_theta": 150000,
 "rope_scaling": {"rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false,
  "original_max_position_embeddings": 4096},
 "swiglu_limit": 7.0, "tie_word_embeddings": false, "vocab_size": 201088, "quantization_config": {"quant_method": "mxfp4"}}
JSON
awk 'BEGIN {
    printf "{\"metadata\": {\"total_size\": 65248815744}, \"weight_map\": {"
    for (l = 0; l < 2; l++) {
        p = "model.layers." l "."
        n = split("input_layernorm.weight post_attention_layernorm.weight self_attn.sinks self_attn.q_proj.weight self_attn.q_proj.bias " \
            "self_attn.k_proj.weight self_attn.k_proj.bias self_attn.v_proj.weight self_attn.v_proj.bias self_attn.o_proj.weight " \
            "self_attn.o_proj.bias mlp.router.weight mlp.router.bias mlp.experts.gate_up_proj_blocks mlp.experts.gate_up_proj_scales " \
            "mlp.experts.gate_up_proj_bias mlp.experts.down_proj_blocks mlp.experts.down_proj_scales mlp.experts.down_proj_bias", name, " ")
        for (i = 1; i <= n; i++) printf "\"%s%s\": \"a\", ", p, name[i]
    }
    printf "\"model.embed_tokens.weight\": \"a\", \"model.norm.weight\": \"a\", \"lm_head.weight\": \"a\"}}"
}' >"$models/gpt-oss/model.safetensors.index.json"
# experts N: matrices of experts in the plan, by the lines of the table that begin with one.
experts() { awk '/experts/ && $1 ~ /^[0-9]+$/ { n += $3 } END { print n + 0 }' "$scratch/last.log"; }
check "MXFP4 from config.json and index" run 1 plan --model "$models/gpt-oss"
check "... two matrices of each expert" test "$(experts)" = 16
# Stored bytes are counted: 4.25 bits of a weight in MXFP4, in place of 16.
mkdir "$models/whole" "$models/quantised"
sed 's/"num_local_experts": 4/"num_local_experts": 128/' "$models/gpt-oss/config.json" >"$models/quantised/config.json"
sed 's/, "quantization_config": {[^}]*}//' "$models/quantised/config.json" >"$models/whole/config.json"
seconds_to_read() { # name
    run 1 plan --model "$models/$1" --nodes 1 --cores-per-node 8 --core-gflops 42 &&
        awk '/^ +1 +[0-9]+ +[0-9]+ .*x/ { print $(NF - 3); exit }' "$scratch/last.log"
}
check "a quarter of the bytes is a quarter of the time to read" awk -v q="$(seconds_to_read quantised)" -v w="$(seconds_to_read whole)" \
    'BEGIN { print q, w; exit !(q > 0 && q < 0.45 * w && q > 0.25 * w) }'
sed -i 's/mlp.experts.down_proj_blocks/mlp.experts.down_proj_cubes/' "$models/gpt-oss/model.safetensors.index.json"
check "a part of no weight in the index" refuses 3 "down_proj_cubes, which config.json knows nothing of" 1 plan \
    --model "$models/gpt-oss"
config 405b 16384 53248 126 128
index 405b 126 811706777600
check "Llama-3 405B, on 3 ranks" run 3 plan --model "$models/405b" $cluster
check "... whose compression takes several copies of the model" says "^ +64 +[0-9]+ +[0-9]+ +[0-9]+x4 +[0-9]+ "
check "... and does not fit on 8 nodes" says "^ +8 +8 +96 +does not fit into memory"
check "... does not fit on one node" says "^ +1 +.*does not fit into memory"
check "... where it is scanned, though" says "^ +1 +[0-9]+ +[0-9]+ +[0-9].* the evaluation does not fit"
check "... but on 64" says "#SBATCH --nodes=64"
check "a scan of what is not there is refused" refuses 3 "70b.*(no weights|expected a .safetensors file)" 1 scan --model "$models/70b" --output "$scratch/x"

# config.json as checkpoints were published: keys that their classes do not define are named in one line.
published() { # name pattern
    mkdir "$models/$1"
    cp "$SRCDIR/tests/data/published/$1.json" "$models/$1/config.json"
    check "$1 as published" run 1 plan --model "$models/$1"
    check "... is evaluated" says "^EVALUATION .*shard"
    check "... one line names what is ignored" says "^NOTE +config.json: ignored, as transformers does for models of type [a-z0-9_-]+: $2\$"
}
published gpt2-medium predict_special_tokens
published gpt2-xl "output_past"
published xlm-roberta-base "output_past"
published Qwen3-Coder-30B-A3B-Instruct "max_window_layers, use_qk_norm"
published Qwen3-Coder-480B-A35B-Instruct "max_window_layers, use_qk_norm"
published DeepSeek-R1-0528-Qwen3-8B "rope_scaling.attn_factor"
published Qwen2.5-7B-Instruct-1M "dual_chunk_attention_config"
published llama-7b "max_sequence_length"
published dolly-v2-3b "custom_pipelines"
published mistral-fine-tune "eos_token, pad_token, license, trust_remote_code, attn_implementation"
check "3 ranks say it once" run 3 plan --model "$models/llama-7b"
check "..." test "$(grep -c "ignored, as transformers" "$scratch/last.log")" = 1

# Mixtral 8x7B: 46,702,792,704 parameters, as published.
mkdir "$models/mixtral"
echo '{"architectures":["MixtralForCausalLM"],"model_type":"mixtral","hidden_size":4096,"intermediate_size":14336,
"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"num_local_experts":8,"num_experts_per_tok":2,
"vocab_size":32000,"rms_norm_eps":1e-05,"max_position_embeddings":32768,"rope_theta":1000000.0,"hidden_act":"silu",
"tie_word_embeddings":false,"sliding_window":null,"torch_dtype":"bfloat16"}' >"$models/mixtral/config.json"
{
    printf '{"metadata":{"total_size":93405585408},"weight_map":{'
    for layer in $(seq 0 31); do
        for part in input_layernorm post_attention_layernorm self_attn.q_proj self_attn.k_proj self_attn.v_proj \
            self_attn.o_proj block_sparse_moe.gate \
            $(for e in 0 1 2 3 4 5 6 7; do for w in 1 2 3; do echo block_sparse_moe.experts.$e.w$w; done; done); do
            printf '"model.layers.%s.%s.weight":"model-00001-of-00019.safetensors",' "$layer" "$part"
        done
    done
    printf '"lm_head.weight":"a","model.embed_tokens.weight":"a","model.norm.weight":"a"}}'
} >"$models/mixtral/model.safetensors.index.json"
for n in $(ranks_of 1 3); do
    check "Mixtral 8x7B with its shard index, $n ranks" run "$n" plan --model "$models/mixtral" $cluster
    check "... has all its matrices" says ": (896|928) matrices"
done

# What a reduction would do, with texts and with tasks: as the run itself says before it begins.
work() { sed -n 's/^WORK *//p' "$scratch/last.log" | sed 's/: at most about [^;]*//; s/: about [^,]*//; /^in all/s/ about.*//'; }
same_work() { # options...: of plan and reduce
    run 2 plan --model "$demo" "$@" && work >"$scratch/planned" && run 2 reduce --model "$demo" "$@" --output "$scratch/work" --force &&
        work >"$scratch/done" && cat "$scratch/planned" && [ -s "$scratch/planned" ] && diff "$scratch/planned" "$scratch/done"
}
some="--text demo=$text --set evaluate.max_tokens=4000"
check "tune: the work that plan names is the run's" same_work $some --rounds 2
check "... rounds, gradients, steps" grep -q "at most 2 rounds, each with a gradient on [0-9]* tokens, .* of sums" "$scratch/planned"
check "... their memory" grep -qE "[0-9.]+ MiB of sums and singular vectors" "$scratch/planned"
check "... steps on the tokens that choose" grep -q "about 8 steps evaluated on [0-9]* tokens" "$scratch/planned"
check "denoise: the work that plan names is the run's" same_work $some --strategy denoise --evaluations 5
check "... a gradient, evaluations, what is left out" grep -qE "at most 5 of [0-9]+ edits evaluated on [0-9]+ tokens; [0-9]+ left out" "$scratch/planned"
questions="--task $SRCDIR/tests/data/facts/facts.jsonl --objective log_loss"
check "questions: the work that plan names is the run's" same_work $questions --strategy denoise --evaluations 3
check "... has a gradient on questions" grep -qE "a gradient on [1-9][0-9]* tokens" "$scratch/planned"
check "a search without a gradient: the work that plan names is the run's" same_work $some --strategy snr
run 1 plan --model "$demo" $some --strategy snr
check "... has none to announce" says_not "WORK +a gradient"
check "... all its edits and their time" says "WORK +at most 15 of 15 edits evaluated on [0-9]+ tokens: at most about .* s; 0 left out"
check "... and all in all" says "WORK +in all at most about "

# What is there: the estimate of the memory is that of the run, within 15 %.
check "the demo's plan" run 1 plan --model "$demo"
check "... has the passes of a compression" says "^COMPRESS +statistics of 24576 tokens in 1 pass about .*, cuts .* GFLOP.*, a round .* a rank"
check "a plan for little memory" run 1 plan --model "$demo" --set parallel.memory_per_rank=60MiB
check "... says what does not fit" says "^COMPRESS +does not fit: a rank may use 60.0 MiB, and needs 1[0-9.]+ MiB for the covariances"
check "... measures how fast this machine is" says "^SPEED +1 worker here.* [1-9][0-9.]*(e\\+[0-9]+)? in linear layers"
recommended() { # no more workers than cores
    recommended_n=$(sed -n 's/^RECOMMEND  *mpirun -np [0-9]* (\([0-9]*\) worker.*/\1/p' "$scratch/last.log")
    [ "$recommended_n" -ge 1 ] && [ "$recommended_n" -le "$(getconf _NPROCESSORS_ONLN)" ]
}
check "... recommends no more workers than there are cores" recommended
estimate=$(sed -n 's/^MEMORY .*scan \([0-9.]*\) MiB.*/\1/p' "$scratch/last.log")
check "the demo's scan" run 1 scan --model "$demo" --output "$scratch/scan"
peak_of_run() { sed -n 's/^total .* \([0-9.]*\) MiB  *[0-9.]* MiB$/\1/p' "$scratch/last.log"; }
peak=$(peak_of_run)
within() { awk -v a="$1" -v b="$2" 'BEGIN { print a, b; exit !(b > 0 && a / b > 0.85 && a / b < 1.15) }'; }
if [ -z "${LASER_TEST_RANKS:-}" ]; then
    check "the memory of the demo's scan is within 15 % of the plan" within "${estimate:-0}" "${peak:-0}"
    for n in 1 3; do
        check "$n ranks: a plan of a reduction" run $n plan --model "$demo" --text "demo=$text" --set evaluate.max_tokens=16000
        estimate=$(sed -n 's/^MEMORY .*reduction \([0-9.]*\) MiB.*/\1/p' "$scratch/last.log")
        check "... the reduction" run $n reduce --model "$demo" --text "demo=$text" --set evaluate.max_tokens=16000 \
            --strategy denoise --set reduce.screen=false --set reduce.candidates=2 --output "$scratch/reduce-$n"
        peak=$(peak_of_run) # of a search: a pass for gradients takes more, and says so itself before it begins
        check "... its memory is within 15 % of the plan" within "${estimate:-0}" "${peak:-0}"
    done
else
    skip "the memory of the demo's scan and reduction" "a sanitizer has memory of its own"
fi
finish
