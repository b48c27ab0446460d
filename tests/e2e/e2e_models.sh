#!/bin/sh
# Models of other kinds through the program: masked language models, judged by tasks, and experts that a checkpoint holds as
# stacks.  Expected numbers: transformers (tools/golden/make_masked_task.py, make_models.py).
. "$SRCDIR/tests/e2e/e2e_lib.sh"
models=$SRCDIR/tests/golden/model
masked=$SRCDIR/tests/golden/masked_task

# near A B TOLERANCE: relative.
near() {
    awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = a - b; if (d < 0) d = -d; m = b < 0 ? -b : b; exit !(a != "" && b != "" && d <= t * m) }' ||
        { echo "found $1, expected $2 within $3"; return 1; }
}
# metric OUTPUT TASK METRIC: that of the run is that of transformers.
metric() {
    near "$("$tool" get "$scratch/$1/results.json" tasks "$2" metrics "$3" value)" "$("$tool" get "$masked/metrics.json" "$2" "$3")" 1e-5
}

# ---- masked models ----
check "a masked model can be scanned" run 2 scan --model "$masked" --output "$scratch/scan"
check "... but has no perplexity" refuses 3 "roberta is a masked language model" 2 perplexity --model "$masked" \
    --text "selection=$text" --output "$scratch/refused"
for layout in 1:1 3:2 4:3; do
    n=${layout%:*} shards=${layout#*:}
    [ -n "$(ranks_of "$n")" ] || continue
    check "tasks, $n ranks, shards of $shards" run "$n" evaluate --model "$masked" --shards "$shards" \
        --task "choice=$masked/choice.jsonl" --task "completion=$masked/completion.jsonl" --output "$scratch/tasks-$n"
    for m in accuracy accuracy_per_token log_loss brier; do
        check "... choice: $m" metric "tasks-$n" choice $m
    done
    for m in accuracy log_loss log_loss_sum; do
        check "... completion: $m" metric "tasks-$n" completion $m
    done
done
printf '%s\n' '{"prompt": "no mask here", "choices": [" a", " b"], "answer": 0}' >"$scratch/bad.jsonl"
check "a prompt without a mask" refuses 3 "0 masks" 2 evaluate --model "$masked" --task "bad=$scratch/bad.jsonl" \
    --output "$scratch/bad"

# ---- tasks on every architecture ----
# The whole program against transformers (tools/golden/make_task_models.py); log probabilities one by one are in test_task_models.
golden=$SRCDIR/tests/golden/task_models
asked() { # MODEL: its directory with a tokenizer, asked all kinds
    asked_prefix=
    case $1 in *roberta | albert* | deberta*) asked_prefix=masked_ ;; esac
    cp -r "$models/$1" "$scratch/asked" && chmod -R u+w "$scratch/asked" &&
        cp "$golden/${asked_prefix}tokenizer.json" "$scratch/asked/tokenizer.json" &&
        run 0 evaluate --model "$scratch/asked" --task "choice=$golden/${asked_prefix}choice.jsonl" \
            --task "completion=$golden/${asked_prefix}completion.jsonl" \
            --task "preference=$golden/${asked_prefix}preference.jsonl" --output "$scratch/asked-$1"
    asked_code=$?
    rm -rf "$scratch/asked"
    [ $asked_code = 0 ] || return 1
    for m in choice:accuracy:1e-9 choice:accuracy_per_token:1e-9 choice:log_loss:1e-5 completion:accuracy:1e-9 completion:log_loss:1e-5 \
        completion:top_5:1e-9 preference:preference:1e-9 preference:preference_norm:1e-9; do
        asked_task=${m%%:*} asked_figure=${m#*:}
        asked_figure=${asked_figure%:*}
        near "$("$tool" get "$scratch/asked-$1/results.json" tasks "$asked_task" metrics "$asked_figure" value)" \
            "$("$tool" get "$golden/golden.json" means "$1" "$asked_task" "$asked_figure")" "${m##*:}" ||
            { echo "$asked_task, $asked_figure"; return 1; }
    done
}
for model in $(sed -n 's/^"\([^"]*\)": \[$/\1/p' "$golden/golden.json"); do
    check "$model: the figures of transformers" asked "$model"
done

# ---- experts as stacks ----
# The golden tokens as a file of ids: their loss is the mean of the golden ones, however experts are stored and shared.
for model in mixtral-stacked qwen2_moe-stacked qwen3_moe-stacked; do
    tr -d ' ' <"$models/$model/golden.json" | sed 's/.*"tokens":\[\[//; s/\]\].*//; s/\],\[/,/' | tr ',' '\n' |
        while read -r id; do printf "\\$(printf %03o "$id")\\000\\000\\000"; done >"$scratch/$model.i32"
    expected=$(tr -d ' ' <"$models/$model/golden.json" | sed 's/.*"nll":\[\[//; s/\]\].*//; s/\],\[/,/' | tr ',' '\n' |
        awk '{ s += $1 } END { printf "%.9f", s / NR }')
    check "$model" run 3 perplexity --model "$models/$model" --text "t=$scratch/$model.i32" --seqlen 29 --shards 2 \
        --output "$scratch/$model"
    found=$("$tool" get "$scratch/$model/results.json" perplexity pooled nll)
    check "... the loss of transformers" near "$found" "$expected" 1e-6
done

# ---- what does not run ----
changed() { # NAME MODEL FROM TO: a copy whose config.json has TO in the place of FROM
    cp -r "$models/$2" "$scratch/$1" && chmod -R u+w "$scratch/$1" &&
        sed "s/$3/$4/" "$models/$2/config.json" >"$scratch/$1/config.json"
}
not_run() { # NAME PATTERN: scan and plan say what is missing, and do their work
    check "$1: scan says so" run 1 scan --model "$scratch/$1" --output "$scratch/$1-scan"
    check "... and why" says "^NOTE +this model can be scanned, not run: $2"
    check "$1: plan says so" run 1 plan --model "$scratch/$1"
    check "... and why" says "^NOTE +this model can be scanned, not run: $2"
}
changed type llama '"model_type": "llama"' '"model_type": "rwkv7"'
not_run type '.*model_type: "rwkv7" is not supported; `laser_mpi models` lists'
changed code llama '"model_type": "llama"' '"model_type": "mystery", "auto_map": {"AutoConfig": "a.B"}'
not_run code '.*"mystery" is defined by the code that auto_map names'
changed class roberta RobertaForMaskedLM RobertaForSequenceClassification
not_run class '.*RobertaForSequenceClassification is not a masked language model'
changed option llama '"model_type": "llama"' '"model_type": "llama", "is_causal": false'
not_run option '.*is_causal: found false, expected true'
changed head deberta-v2-conv '"legacy": false' '"legacy": true'
not_run head 'cls\.predictions\.bias: the checkpoint lacks this weight'
check "one that runs" run 1 scan --model "$models/albert" --output "$scratch/runs"
check "... has no such line" sh -c "! grep -q 'not run' '$scratch/last.log'"

# ---- the list of types ----
check "models lists the types" run 1 models
for line in "  llama .*rotary positions" "  roberta .*masked" "  deepseek_v3 .*latent attention" "  mistral3 .*mistral" "  bloom .*ALiBi"; do
    check "...$line" grep -q "^$line" "$scratch/last.log"
done
finish
