#!/bin/sh
# What a run that goes on compares before it takes over what an earlier start has found: texts, task files, settings, edits,
# the model's contents and times, the solver.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
facts=$SRCDIR/tests/data/facts
mkdir "$out"
head -n 60 "$facts/facts.jsonl" >"$scratch/facts.jsonl"
head -c 3000 "$facts/facts.txt" >"$scratch/facts.txt"

reduce() { # name, options...
    reduce_name=$1
    shift
    run 2 reduce --model "$facts/model" --strategy all --threshold rank:0.5 --set reduce.types=mlp.down_proj \
        --set reduce.layers=0 --output "$out/$reduce_name" "$@"
}
text_search() { reduce text --text "facts=$scratch/facts.txt" "$@"; }
task_search() { reduce task --task "facts=$scratch/facts.jsonl" --objective log_loss "$@"; }

check "a search by a text" text_search
check "again" text_search
check "... from the ledger" says "RESUME +1 decisions are made already"
check "with another setting" text_search --set evaluate.selection_share=0.4
check "... decides anew" says "RESUME .*decisions are not used again: settings or texts are other ones"
check "again with it" text_search --set evaluate.selection_share=0.4
check "... from the ledger" says "RESUME +1 decisions are made already"
head -c 2900 "$facts/facts.txt" >"$scratch/facts.txt"
check "with another text of the same name" text_search --set evaluate.selection_share=0.4
check "... decides anew" says "RESUME .*decisions are not used again"

check "a search by a task" task_search
check "again" task_search
check "... from the ledger" says "RESUME +1 decisions are made already"
check "... with what was evaluated" says "RESUME +[0-9]+ of [0-9]+ batches are done already"
# The same questions, another answer to one of them.
sed '1s/"answer": *"[^"]*"/"answer": " zzz"/; 1s/"answers": *\[[^]]*\]/"answers": [" zzz"]/' "$scratch/facts.jsonl" \
    >"$scratch/other.jsonl"
check "(another file it is)" sh -c "! cmp -s '$scratch/facts.jsonl' '$scratch/other.jsonl'"
cp "$scratch/other.jsonl" "$scratch/facts.jsonl"
check "with another answer in the task's file" task_search
check "... decides anew" says "RESUME .*decisions are not used again"
check "... evaluates anew" says_not "batches are done already"
check "another edit of the same matrix" task_search --threshold rank:0.25
check "that edit by itself" reduce alone --task "facts=$scratch/facts.jsonl" --objective log_loss --threshold rank:0.25
check "... the same results" same_results "$out/task" "$out/alone"

# A matrix that failed is tried again.
check "a scan with too little memory" refuses 6 "" 2 scan --model "$facts/model" --set parallel.memory_per_rank=50MB \
    --output "$out/memory"
check "with enough" run 2 scan --model "$facts/model" --output "$out/memory"
check "... scans all" says "14 matrices scanned"

# Values of the scan.
cp -r "$facts/model" "$scratch/model"
chmod -R u+w "$scratch/model"
scan() { run 2 scan --model "$scratch/model" --output "$out/scan" "$@"; }
check "a scan" scan
check "again" scan
check "... from the ledger" says "RESUME +[0-9]+ of [0-9]+ matrices are done already"
check "with another solver" scan --solver gesvd
check "... computes anew" says "finished matrices are not used again: the solver is another one"
touch -d '2001-02-03' "$scratch/model/model.safetensors"
check "files with other times" scan --solver gesvd
check "... are other files" says "finished matrices are not used again: the model's files have been changed"
sed -i 's/"rope_theta"/"rope_theta" /' "$scratch/model/config.json"
check "another model" refuses 2 "holds a run of another model" 2 scan --model "$scratch/model" --output "$out/scan"
finish
