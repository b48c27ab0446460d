#!/bin/sh
# Generation through the program: transformers' greedy tokens on every number of ranks and shards, draws with a seed,
# two models side by side, ends of texts, what is refused.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
golden=$SRCDIR/tests/golden/greedy.tsv
models=$SRCDIR/tests/golden/model
beginning="In the beginning"

# ids MODEL PROMPT: the golden ones.
ids() { awk -F '\t' -v m="$1" -v p="$2" '$1 == m && $2 == p {print $3}' "$golden"; }
# generated RANKS PROMPT OPTIONS...
generated() {
    generated_n=$1 generated_prompt=$2
    shift 2
    run "$generated_n" generate --prompt "$generated_prompt" --log json "$@"
}
gave() { grep -qF "\"tokens\":[$1]" "$scratch/last.log"; }
ended() { grep -qF "\"ending\":\"$1\"" "$scratch/last.log"; }
# keep FILE: the tokens of the last run.
keep() { grep -o '"tokens":\[[0-9,]*\]' "$scratch/last.log" >"$1"; }

# ---- greedy ----
for layout in 0:1 1:1 2:1 2:2 3:3 4:2 5:5; do
    n=${layout%:*} shards=${layout#*:}
    [ "$n" = 0 ] || [ -n "$(ranks_of "$n")" ] || continue
    check "greedy, $n ranks, $shards shards" generated "$n" "$beginning" --model "$demo" --shards "$shards"
    check "... the tokens of transformers" gave "$(ids demo "$beginning")"
    check "... ends where it was told to" ended "as many as asked for"
done
check "fewer tokens" generated 0 "$beginning" --model "$demo" --max-tokens 5
check "... are the first of them" gave "$(ids demo "$beginning" | cut -d, -f1-5)"
check "a prompt that ends in a blank" generated 0 "And he said unto them, " --model "$demo"
check "... the tokens of transformers" gave "$(ids demo "And he said unto them, ")"
stories=${LASER_SHARED:-$SRCDIR/../shared}/data/models/stories260K
if [ -f "$stories/model.safetensors" ]; then
    check "stories260K" generated 2 "Lily and Ben" --model "$stories" --prompt "Once upon a time, there was"
    check "... the tokens of transformers" gave "$(ids stories260K "Lily and Ben")"
    check "... and of a second prompt" gave "$(ids stories260K "Once upon a time, there was")"
else
    skip "stories260K" "no shared data"
fi

# ---- the text ----
check "for people" run 2 generate --model "$demo" --prompt "$beginning" --max-tokens 24
check "... the prompt" says "^PROMPT +In the beginning$"
check "... the end" says "^GENERATED +24 tokens \(as many as asked for\), [0-9.]+ tokens/s$"

# ---- an end of text: the fifth token of the greedy text ----
mkdir "$scratch/ends"
cp "$demo"/*.json "$demo"/model.safetensors "$scratch/ends"
chmod u+w "$scratch/ends"/*
echo "{\"eos_token_id\": [0, $(ids demo "$beginning" | cut -d, -f5)]}" >"$scratch/ends/generation_config.json"
check "a token that ends texts" generated 2 "$beginning" --model "$scratch/ends" --shards 2
check "... is not part of it" gave "$(ids demo "$beginning" | cut -d, -f1-4)"
check "... is said" ended "end of text"

# ---- draws ----
draw="--temperature 0.9 --top-k 50 --top-p 0.95"
check "drawn" generated 1 "$beginning" --model "$demo" $draw --seed 3
keep "$scratch/first"
check "... not the likeliest" eval "! gave \"\$(ids demo \"$beginning\")\""
check "drawn again, on 3 ranks" generated 3 "$beginning" --model "$demo" $draw --seed 3 --shards 3
keep "$scratch/second"
check "... the same" same_file "$scratch/first" "$scratch/second"
check "drawn with another seed" generated 1 "$beginning" --model "$demo" $draw --seed 4
keep "$scratch/third"
check "... another text" eval '! same_file "$scratch/first" "$scratch/third"'

# ---- two models ----
check "beside itself" run 2 generate --model "$demo" --against "$demo" --prompt "$beginning" --shards 2 $draw
check "... the same" says "^SAME +both models give the same 64 tokens$"
check "beside one that ends earlier" run 1 generate --model "$demo" --against "$scratch/ends" --prompt "$beginning"
check "... in columns" says "^[^|]+ \| [^|]+$"
check "... where they differ" says "^DIFFER +from token 5 on$"

# ---- refused ----
check "no prompt" refuses 2 "which text should be continued" 2 generate --model "$demo"
check "a masked model" refuses 3 "roberta is a masked language model" 2 generate --model "$models/roberta" --prompt x
check "a second model that is not there" refuses 3 "nowhere" 2 generate --model "$demo" --against "$scratch/nowhere" --prompt x
check "no tokenizer" refuses 3 "there is no tokenizer.json" 1 generate --model "$models/llama" --prompt x
check "a tokenizer of another model" refuses 3 "does the tokenizer belong" 1 generate --model "$demo" \
    --against "$models/llama" --prompt "$beginning"
check "too little memory" refuses 6 "start more ranks" 2 generate --model "$demo" --prompt x --memory-per-rank 100MB

finish
