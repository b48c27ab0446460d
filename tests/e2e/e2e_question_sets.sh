#!/bin/sh
# The trade's question sets through `task convert` and `evaluate`: log probabilities and decisions of lm-evaluation-harness,
# question by question (tools/golden/make_harness.py).
. "$SRCDIR/tests/e2e/e2e_lib.sh"
sets=$SRCDIR/tests/golden/harness golden=$SRCDIR/tests/golden/harness/golden.json
out=$scratch/out
mkdir "$out"
convert() { run 0 task convert --from "$1" "$sets/$2" --output "$out/$3.jsonl"; }

tasks=
for set in hellaswag:hellaswag-jsonl:hellaswag.jsonl winogrande:winogrande-jsonl:winogrande.jsonl arc:arc-jsonl:arc.jsonl \
    mmlu:mmlu-csv:high_school_biology_test.csv piqa:piqa-jsonl:piqa.jsonl openbookqa:openbookqa-jsonl:openbookqa.jsonl \
    lambada:lambada-jsonl:lambada.jsonl boolq:boolq-jsonl:boolq.jsonl; do
    name=${set%%:*} file=${set##*:} from=${set#*:}
    from=${from%:*}
    check "$name is converted" convert "$from" "$file" "$name"
    tasks="$tasks --task $name=$out/$name.jsonl"
done
n=$(ranks_of 3 1 | head -1)
# shellcheck disable=SC2086
check "all are asked" run "$n" evaluate --model "$demo" $tasks --output "$out/run"
check "... with the harness's log probabilities and decisions" "$tool" harness "$golden" "$out/run/questions.jsonl" 2e-5
# e to the mean loss of the answers.
perplexity() { awk -v a="$("$tool" get "$out/run/results.json" tasks lambada metrics log_loss_sum value)" \
    -v b="$("$tool" get "$golden" lambada totals perplexity)" 'BEGIN { d = exp(a) / b - 1; exit !(d < 1e-4 && d > -1e-4) }'; }
check "... LAMBADA's perplexity is the harness's" perplexity
check "accuracy_norm says not by what" refuses 2 'accuracy_per_character' "$n" reduce --model "$demo" --task "$out/arc.jsonl" \
    --objective accuracy_norm --output "$out/reduce"
finish
