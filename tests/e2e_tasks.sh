#!/bin/sh
# Tasks through the program: the figures of transformers, the same on every number of ranks; objectives that drive a
# search, validation and test; conversions; what is refused.
. "$SRCDIR/tests/e2e_lib.sh"
out=$scratch/out
mkdir -p "$out"
data=$SRCDIR/tests/golden/task
tasks="--task $data/choice.jsonl --task $data/completion.jsonl --task $data/preference.jsonl"

evaluate() { # name ranks options...
    evaluate_name=$1 evaluate_ranks=$2
    shift 2
    run "$evaluate_ranks" evaluate --model "$demo" --output "$out/$evaluate_name" "$@"
}
as_list() { # questions.jsonl as one JSON value
    {
        echo '{"questions": ['
        sed '$!s/$/,/' "$1"
        echo ']}'
    } >"$scratch/list.json"
}
golden() { # name tolerance
    sed 's/^{"made_by": "[^"]*", /{/' "$data/questions.golden.json" >"$scratch/golden.json"
    as_list "$out/$1/questions.jsonl"
    "$tool" compare "$scratch/golden.json" "$scratch/list.json" "$2"
}

check "three kinds, one process" evaluate one 0 $tasks
check "every question as transformers scores it" golden one 1e-5
for n in $(ranks_of 2 3 4 7 8); do
    check "$n ranks" evaluate "on-$n" "$n" $tasks --text "demo=$text" --set evaluate.max_tokens=600
    check "$n ranks: the same bits" same_file "$out/one/questions.jsonl" "$out/on-$n/questions.jsonl"
done
check "2 shards" evaluate shards 3 $tasks --shards 2
check "2 shards: as transformers" golden shards 3e-5
check "with bfloat16" evaluate bf16 2 $tasks --set evaluate.precision=bfloat16

reduce() { # name ranks options...
    reduce_name=$1 reduce_ranks=$2
    shift 2
    run "$reduce_ranks" reduce --model "$demo" $tasks --set reduce.layers=1-2 --output "$out/$reduce_name" "$@"
}
for n in $(ranks_of 1 3); do
    check "a search by log loss, $n ranks" reduce "loss-$n" "$n" --strategy compose --objective log_loss \
        --set reduce.fractions=0.5 --set reduce.types=mlp.down_proj
done
check "... decides the same" near_results "$out/loss-1" "$out/loss-3" 1e-4
check "validation is a fifth" test "$("$tool" get "$out/loss-1/results.json" validation tasks choice questions)" = 8
check "test is the rest" test "$("$tool" get "$out/loss-1/results.json" test tasks choice questions)" = 32
check "every metric before and after" "$tool" get "$out/loss-1/results.json" test tasks preference metrics margin after
check "a weighted sum with a text" reduce sum 2 --strategy snr --text "demo=$text" --set evaluate.max_tokens=600 \
    --objective "0.5*accuracy + preference + 0.1*perplexity" --set reduce.candidates=2
check "accuracy by McNemar's test" reduce accuracy 2 --strategy snr --set reduce.candidates=2
check "... is the default without a text" test "$("$tool" get "$out/accuracy/results.json" objective)" = accuracy

# Bad input: no rank hangs, the place is named.
bad() { # name, code, pattern, line
    bad_name=$1 bad_code=$2 bad_pattern=$3
    printf '%s\n' '{"prompt": "And", "choices": [" the", " a"], "answer": 0}' "$4" >"$scratch/bad.jsonl"
    check "$bad_name" refuses "$bad_code" "$bad_pattern" 2 evaluate --model "$demo" --task "$scratch/bad.jsonl" \
        --output "$out/bad"
}
bad "a malformed line" 3 'bad.jsonl:2: not JSON' '{"prompt": "And"'
bad "an answer out of range" 3 'bad.jsonl:2: field "answer" is 5' '{"prompt": "", "choices": ["a", "b"], "answer": 5}'
bad "an empty choice" 3 'bad.jsonl:2: item 1 .*empty' '{"prompt": "", "choices": ["a", ""], "answer": 0}'
bad "a choice twice" 3 'bad.jsonl:2: items 0 and 1' '{"prompt": "", "choices": ["a", "a"], "answer": 0}'
long=$(yes "and the land" | head -n 2000 | tr '\n' ' ')
printf '%s\n' '{"prompt": "And", "answer": " the"}' "{\"prompt\": \"$long\", \"answer\": \" the\"}" >"$scratch/long.jsonl"
check "a question longer than the context" evaluate long 2 --task "$scratch/long.jsonl"
check "... is counted" says "long: 1 of 2 questions are longer than the context"
check "... and left out" test "$("$tool" get "$out/long/results.json" tasks long too_long)" = 1
sed -i 1d "$scratch/long.jsonl"
check "no question that can be answered" refuses 3 "no question can be answered" 2 evaluate --model "$demo" \
    --task "$scratch/long.jsonl" --output "$out/none"
check "an objective that the tasks lack" refuses 2 "none of the tasks has brier" 2 reduce --model "$demo" \
    --task "$data/preference.jsonl" --objective brier --output "$out/lacks"
check "an objective that is none" refuses 2 'is none of accuracy' 1 reduce --model "$demo" \
    --task "$data/preference.jsonl" --objective accurcy --output "$out/lacks"

check "convert" run 1 task convert --from counterfact-json "$data/counterfact.json" --output "$out/facts.jsonl"
check "... gives a task" evaluate facts 1 --task "$out/facts.jsonl"
check "an unknown data set" refuses 2 "truthfulqa-csv" 1 task convert --from trivia "$data/dpo.jsonl" --output "$out/x"
check "a missing field" refuses 3 'record 1: field "nope"' 1 task convert --from counterfact-json --map prompt=nope \
    "$data/counterfact.json" --output "$out/x"
finish
