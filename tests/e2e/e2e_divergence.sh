#!/bin/sh
# compare A B --text: the figures of torch in float64 (tools/golden/make_divergence.py models), on every split into shards and
# replicas; several texts; another vocabulary; what is refused; a killed run goes on.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
golden=$SRCDIR/tests/golden/demo_divergence.json
out=$scratch/out other=$scratch/other
mkdir "$out"
cp -r "$demo" "$other"
"$tool" noise "$other/model.safetensors" 0.05 7 model.layers.0.mlp.down_proj.weight model.layers.1.self_attn.o_proj.weight

near() { # A B TOLERANCE: relative
    awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = a - b; if (d < 0) d = -d; m = b < 0 ? -b : b; exit !(b != "" && d <= t * m) }' ||
        { echo "found $1, expected $2 within $3"; return 1; }
}
found() { # output, keys below divergence
    found_dir=$1
    shift
    "$tool" get "$out/$found_dir/results.json" divergence "$@"
}
expected() { "$tool" get "$golden" figures "$@"; }
# The same of a size C: a mean of changes of both signs is as exact as the changes are.
near_of() {
    awk -v a="$1" -v b="$2" -v t="$3" -v c="$4" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(b != "" && c > 0 && d <= t * c) }' ||
        { echo "found $1, expected $2 within $3 of $4"; return 1; }
}
# A single token's divergence: logits in float32 are off by up to d = 1e-5, and so it is by up to d |p - q|_1 <= d sqrt(2 KL)
# (Pinsker).
near_token() { near_of "$1" "$2" 1e-5 "$(awk -v x="$2" 'BEGIN { print sqrt(2 * x) }')"; }
# Means over all tokens to 1e-6; percentiles and the largest are single tokens.
as_golden() {
    near "$(found "$1" pooled kl mean value)" "$(expected kl value)" 1e-6 &&
        near "$(found "$1" pooled kl mean stderr)" "$(expected kl stderr)" 1e-5 &&
        near_of "$(found "$1" pooled dp value)" "$(expected dp value)" 1e-6 "$(expected dp_rms value)" &&
        near "$(found "$1" pooled dp_rms value)" "$(expected dp_rms value)" 1e-6 &&
        near "$(found "$1" pooled same_top value)" "$(expected same_top value)" 1e-9 &&
        near "$(found "$1" pooled same_top stderr)" "$(expected same_top stderr)" 1e-9 &&
        near_token "$(found "$1" pooled kl largest)" "$(expected largest)" || return 1
    for key in median p95 p99 p999; do
        near_token "$(found "$1" pooled kl $key value)" "$(expected $key value)" &&
            near "$(found "$1" pooled kl $key stderr)" "$(expected $key stderr)" 1e-3 || return 1
    done
}
compare() { # output ranks options...
    compare_out=$1 compare_n=$2
    shift 2
    run "$compare_n" compare "$demo" "$other" --output "$out/$compare_out" "$@"
}
few() { head -c 6000 "$text" >"$scratch/few.txt"; tail -c 3000 "$text" >"$scratch/end.txt"; }
few

for layout in 1:1 3:1 3:2 4:3; do
    n=${layout%%:*} shards=${layout##*:}
    [ -n "$(ranks_of "$n")" ] || continue
    check "$n ranks, shards of $shards" compare "golden-$n-$shards" "$n" --text "selection=$text" --set evaluate.max_tokens=7680 --shards "$shards"
    check "... the figures of torch in float64" as_golden "golden-$n-$shards"
done
check "the states of the base are gone" test -z "$(find "$out" -name 'states-*')"
n=$(ranks_of 3 1 | head -1)
check "a model against itself" run "$n" compare "$demo" "$demo" --output "$out/self" --text "few=$scratch/few.txt"
check "... has no divergence" test "$(found self pooled kl largest) $(found self pooled same_top value)" = "0.0 1.0"
check "several texts" compare texts "$n" --text "few=$scratch/few.txt" --text "end=$scratch/end.txt"
check "... each has its figures" says 'DIVERGENCE end  *KL mean'
check "... the macro average gives them the same weight" near "$(found texts macro kl)" \
    "$(awk -v a="$(found texts datasets few kl mean value)" -v b="$(found texts datasets end kl mean value)" 'BEGIN { printf "%.15g", (a + b) / 2 }')" 1e-12
check "bfloat16" compare bf16 "$n" --text "few=$scratch/few.txt" --precision bfloat16

# ---- of what was made, in the reports of reduce, apply and compress ----
final() { # output ranks: all windows decide, so that they are those of compare
    final_out=$1 final_n=$2
    shift 2
    run "$final_n" reduce --model "$demo" --output "$out/$final_out" --text "few=$scratch/few.txt" --strategy budget --candidates 3 \
        --set reduce.tolerance=0.2 --set reduce.fractions=0.5 --set evaluate.selection_share=1 "$@"
}
same_divergence() { # A B: compare's figures and those of a report
    for key in "kl mean value" "kl mean stderr" "kl p99 value" "kl largest" "same_top value" "dp value" nll_difference; do
        # shellcheck disable=SC2086
        near "$(found "$1" pooled $key)" "$(found "$2" pooled $key)" 1e-12 || return 1
    done
}
for n in $(ranks_of 1 3); do
    check "reduce, $n ranks" final "reduced-$n" "$n"
    check "... says how far the model went" says 'DIVERGENCE few  *KL mean 0[.][0-9]*[1-9]'
    check "compare of the two models" run "$n" compare "$demo" "$out/reduced-$n/model" --output "$out/reduced-cmp-$n" \
        --text "few=$scratch/few.txt"
    check "... the same figures" same_divergence "reduced-$n" "reduced-cmp-$n"
done
check "what is reported is what no decision has seen" run "$n" reduce --model "$demo" --output "$out/halves" \
    --text "few=$scratch/few.txt" --strategy budget --candidates 1 --set reduce.tolerance=0.2 --set reduce.fractions=0.5
check "... of the windows that are only reported" near "$(found halves pooled nll_base)" \
    "$("$tool" get "$out/halves/results.json" baseline report nll)" 1e-6
check "it can be left out" final without "$n" --set evaluate.divergence=false
check "... then there is none" sh -c "! grep -q '\"divergence\": *{' '$out/without/results.json'"
check "nothing kept, nothing to compare" run "$n" reduce --model "$demo" --output "$out/kept-none" --text "few=$scratch/few.txt" \
    --strategy snr --candidates 1 --threshold rank:0.01
check "... then there is none, either" sh -c "! grep -q '\"divergence\": *{' '$out/kept-none/results.json'"
check "apply with a text" run "$n" apply "$out/reduced-$n/plan.yaml" --model "$demo" --output "$out/applied" --text "few=$scratch/few.txt"
check "... the same figures" same_divergence applied "reduced-$n"
check "apply without one" run 1 apply "$out/reduced-$n/plan.yaml" --model "$demo" --output "$out/silent"
check "... says nothing of it" says_not DIVERGENCE
check "compress" run "$n" compress --model "$demo" --output "$out/small" --text "few=$text" --set evaluate.max_bytes=8000 --remove 20% \
    --guard "end=$scratch/end.txt"
check "... says how far the model went, on the guard text too" says 'DIVERGENCE end  *KL mean 0[.][0-9]*[1-9]'
check "compare of the written model" run "$n" compare "$demo" "$out/small/model" --output "$out/small-cmp" --text "end=$scratch/end.txt"
check "... the same figures on the guard text" near "$(found small datasets end kl mean value)" "$(found small-cmp pooled kl mean value)" 1e-6 # other batches

# ---- a bound on it ----
bounded() { # output ranks bound
    bounded_out=$1 bounded_n=$2 bounded_max=$3
    shift 3
    final "$bounded_out" "$bounded_n" --max-kl "$bounded_max" --candidates 6 "$@"
}
decided() { "$tool" get "$out/$1/results.json" decisions "$2" "$3"; }
for n in $(ranks_of 1 3); do
    check "a bound that is never met, $n ranks" bounded "bound-far-$n" "$n" 100
    check "none" final "unbound-$n" "$n" --candidates 6
    check "... the same model" same_model "$out/unbound-$n" "$out/bound-far-$n"
    check "... the last kept edit has the divergence of the report" near \
        "$(awk '/"kept": true/ { k = 1 } /"kl":/ && k == 0 { v = $2 } /"kl":/ && k { v = $2; k = 0; last = v } END { gsub(",", "", last); print last }' \
            "$out/bound-far-$n/results.json")" "$(found "bound-far-$n" pooled kl mean value)" 1e-5
    check "a bound, $n ranks" bounded "bound-$n" "$n" 0.05
    check "... refuses edits that lead too far" grep -q '"too far from the base"' "$out/bound-$n/results.json"
    check "... what is kept is nearer" awk -v x="$(found "bound-$n" pooled kl mean value)" 'BEGIN { exit !(x > 0 && x <= 0.05) }'
done
[ -z "$(ranks_of 1)" ] || [ -z "$(ranks_of 3)" ] ||
    check "1 and 3 ranks decide the same" near_results "$out/bound-1" "$out/bound-3" 1e-4
check "the states of the base are gone" test -z "$(find "$out" -name 'states-*')"
cp -R "$out/bound-$n" "$out/bound-cut"
rm -r "$out/bound-cut/model" "$out/bound-cut/results.json" "$out/bound-cut/work"
awk '/^decision/ && ++n > 2 { exit } { print }' "$out/bound-$n/ledger.txt" >"$out/bound-cut/ledger.txt"
check "from a ledger that ends after two decisions" bounded bound-cut 2 0.05
check "... the same decisions and figures" near_results "$out/bound-$n" "$out/bound-cut" 1e-12
check "... the same model" same_model "$out/bound-$n" "$out/bound-cut"
check "a bound of tune" run "$n" reduce --model "$demo" --output "$out/tuned" --text "t=$text" --set evaluate.max_tokens=6000 --rounds 1 \
    --max-kl 1e-9
check "... refuses every step" says "STEP .*: too far from the base"
check "... and keeps none" says "0 candidates kept"
for i in 1 2 3 4 5 6 7 8; do echo "{\"prompt\": \"Question $i:\", \"choices\": [\" yes\", \" no\"], \"answer\": 0}"; done >"$scratch/q.jsonl"
check "a bound without a text that selects" refuses 2 "no window of a text selects" "$n" reduce --model "$demo" --output "$out/bad4" \
    --task "q=$scratch/q.jsonl" --max-kl 1

# ---- what an earlier start has done is used again ----
check "the same again" compare texts "$n" --text "few=$scratch/few.txt" --text "end=$scratch/end.txt"
check "... with the same figures" test "$(found texts pooled kl p99 stderr)" != ""

# ---- bad input ----
sed 's/"vocab_size": *768/"vocab_size": 760/' "$demo/config.json" >"$scratch/config.json"
cp -r "$demo" "$scratch/wrong" && cp "$scratch/config.json" "$scratch/wrong/config.json"
check "a vocabulary that the weights contradict" refuses 3 'embed_tokens' "$n" compare "$demo" "$scratch/wrong" \
    --output "$out/bad1" --text "few=$scratch/few.txt"
cp -r "$SRCDIR/tests/data/facts/model" "$scratch/facts"
check "another tokenizer" refuses 3 'make different tokens of it, from token [0-9]+ on' "$n" compare "$demo" "$scratch/facts" \
    --output "$out/bad2" --text "few=$scratch/few.txt"
check "no such model" refuses 3 'nowhere' "$n" compare "$demo" "$scratch/nowhere" --output "$out/bad3" --text "few=$scratch/few.txt"
finish
