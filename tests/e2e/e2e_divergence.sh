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
