#!/bin/sh
# Tasks through the program: the figures of transformers, the same on every number of ranks; objectives that drive a
# search, validation and test; conversions; what is refused.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
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
check "which choice won is seen" test "$(head -n 1 "$out/one/questions.jsonl" | grep -c '"best":[0-9],.*"answer":[0-9]')" = 1
# A ledger without the batches' last lines is what a killed run leaves.
sed -n "1,$(($(wc -l <"$out/one/ledger.txt") / 2))p" "$out/one/ledger.txt" >"$scratch/ledger.txt"
cp -r "$out/one" "$out/resumed"
cp "$scratch/ledger.txt" "$out/resumed/ledger.txt"
rm "$out/resumed/questions.jsonl" "$out/resumed/results.json"
check "a stopped evaluation goes on" evaluate resumed 2 $tasks
check "... from its ledger" says "RESUME +[0-9]+ of [0-9]+ batches are done already"
check "... to the same bits" same_file "$out/one/questions.jsonl" "$out/resumed/questions.jsonl"
check "2 shards" evaluate shards 3 $tasks --shards 2
check "2 shards: as transformers" golden shards 3e-5
check "with bfloat16" evaluate bf16 2 $tasks --set evaluate.precision=bfloat16

reduce() { # name ranks options...
    reduce_name=$1 reduce_ranks=$2
    shift 2
    run "$reduce_ranks" reduce --model "$demo" $tasks --set reduce.layers=1-2 --output "$out/$reduce_name" "$@"
}
for n in 0 $(ranks_of 3); do
    check "a search by log loss, $n ranks" reduce "loss-$n" "$n" --strategy compose --objective log_loss \
        --set reduce.fractions=0.5 --set reduce.types=mlp.down_proj
    check "... decides as one process" near_results "$out/loss-0" "$out/loss-$n" 1e-4
done
check "validation is a fifth" test "$("$tool" get "$out/loss-0/results.json" validation tasks choice questions)" = 8
check "test is the rest" test "$("$tool" get "$out/loss-0/results.json" test tasks choice questions)" = 32
check "every metric before and after" "$tool" get "$out/loss-0/results.json" test tasks preference metrics margin after
check "a weighted sum with a text" reduce sum 2 --strategy snr --text "demo=$text" --set evaluate.max_tokens=600 \
    --objective "0.5*accuracy + preference + 0.1*perplexity" --set reduce.candidates=2
check "... the text, too, with its error and what that says" \
    says "TEST +texts: perplexity [0-9.]+ -> [0-9.]+ [(][+-][0-9.]+ [+]- [0-9.]+ nats[)]: (no difference|better|worse)"
check "... in results.json as well" "$tool" get "$out/sum/results.json" test perplexity verdict
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
# A row that is no question ends nothing: it is left out, counted and listed.
cat >"$scratch/odd.jsonl" <<'ROWS'
{"prompt": "And", "choices": [" the", " a"], "answer": 0}
{"prompt": "", "choices": ["a", "b"], "answer": 5}
{"prompt": "", "choices": ["a", ""], "answer": 0}
{"prompt": "", "choices": ["a", "a"], "answer": 0}
{"prompt": "But", "choices": [" the", " a"], "answer": 1}
ROWS
for n in 0 $(ranks_of 3); do
    check "odd rows, $n ranks" evaluate "odd-$n" "$n" --task "$scratch/odd.jsonl"
    check "... are counted" says "WARNING +odd: 3 of 5 rows are no questions and are left out"
    check "... an answer out of range" says 'odd.jsonl:2: field "answer" is 5'
    check "... an empty choice" says 'odd.jsonl:3: item 1 .*empty'
    check "... a choice twice" says 'odd.jsonl:4: items 0 and 1'
    check "... and listed in results.json" test "$("$tool" get "$out/odd-$n/results.json" tasks odd left_out 2 line)" = 4
    check "... the others are asked" test "$("$tool" get "$out/odd-$n/results.json" tasks odd questions)" = 2
    check "... of all rows" test "$("$tool" get "$out/odd-$n/results.json" tasks odd of)" = 5
    check "... the numbers of one process" same_file "$out/odd-0/questions.jsonl" "$out/odd-$n/questions.jsonl"
done
if command -v node >"$scratch/node"; then
    on_page() { node "$SRCDIR/tests/e2e/report_text.js" "$out/odd-0/report.html" | grep "3 of 5 rows of odd .*line 4 (items 0 and 1"; }
    check "... and on the page" on_page
else
    skip "... and on the page" "there is no node"
fi
sed -n 2,4p "$scratch/odd.jsonl" >"$scratch/none.jsonl"
check "odd rows alone" refuses 3 'no question in the file; line 1, the first of 3: field "answer" is 5' 2 evaluate \
    --model "$demo" --task "$scratch/none.jsonl" --output "$out/none"
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
check "a file that is there is not written over" refuses 2 "facts.jsonl: the file is there already; --force" 2 task convert \
    --from counterfact-json "$data/counterfact.json" --output "$out/facts.jsonl"
check "... unless that is asked for" run 1 task convert --from counterfact-json "$data/counterfact.json" \
    --output "$out/facts.jsonl" --force --template 'Q: {prompt}\nA:'
check "... and says what it looks like" says 'TASK +the first: [{]"kind":"completion","prompt":"Q: The river'
check "... with a line feed in the template" grep -q '"prompt":"Q: Ada Moor was born in\\nA:"' "$out/facts.jsonl"
check "... and no backslash" says_not '\\\\n'
echo '[{"prompt": "x", "answer": "y"}, {"case": 1}, {"prompt": "{} is", "subject": "A", "ground_truth": "b"}]' >"$scratch/odd.json"
check "odd records" run 1 task convert --from counterfact-json "$scratch/odd.json" --output "$out/odd.jsonl"
check "... are counted" says "WARNING +2 of 3 records are odd and are left out"
check "... and listed" says 'odd.json: record 2: field "requested_rewrite.prompt" .*the record has case; --map prompt=KEY'
check "an unknown data set" refuses 2 "truthfulqa-csv" 1 task convert --from trivia "$data/dpo.jsonl" --output "$out/x"
check "a missing field" refuses 3 'record 1: field "nope"' 1 task convert --from counterfact-json --map prompt=nope \
    "$data/counterfact.json" --output "$out/x"
finish
