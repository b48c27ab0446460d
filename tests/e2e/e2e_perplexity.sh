#!/bin/sh
# Perplexity through the program: the golden numbers of transformers in every convention, on every number of ranks and in
# every split into shards; token ids; windows.h5 and compare; what is refused.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
golden=$SRCDIR/tests/golden/demo_perplexity.json
mkdir "$out"

# near A B TOLERANCE: relative.
near() {
    awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = a - b; if (d < 0) d = -d; m = b < 0 ? -b : b; exit !(b != "" && d <= t * m) }' ||
        { echo "found $1, expected $2 within $3"; return 1; }
}
result() { # output, keys
    result_dir=$1
    shift
    "$tool" get "$out/$result_dir/results.json" perplexity "$@"
}
perplexity() { # output ranks options...
    perplexity_out=$1 perplexity_n=$2
    shift 2
    run "$perplexity_n" perplexity --model "$demo" --output "$out/$perplexity_out" "$@"
}
# as_golden OUTPUT KEY...: the numbers of the data set are those at the keys of the golden file.
as_golden() {
    golden_out=$1
    shift
    near "$(result "$golden_out" datasets selection nll)" "$("$tool" get "$golden" "$@" nll)" 1e-6 &&
        near "$(result "$golden_out" datasets selection ppl)" "$("$tool" get "$golden" "$@" ppl)" 2e-6 &&
        near "$(result "$golden_out" pooled nll)" "$("$tool" get "$golden" "$@" nll)" 1e-6 &&
        test "$(result "$golden_out" datasets selection windows)" = "$("$tool" get "$golden" "$@" windows)"
}
given() { [ "$1" = 0 ] || [ -n "$(ranks_of "$1")" ]; } # 0: one process without a launcher, always
layout() { test "$("$tool" get "$out/$1/results.json" layout replicas) x $("$tool" get "$out/$1/results.json" layout shards)" = "$2"; }

# ---- the numbers ----
for layout in 0:1:1 2:1:1 3:2:1 4:3:1 6:5:1 3:1:2 4:1:3 6:2:2 7:2:3; do
    n=${layout%%:*} shards=${layout##*:} replicas=${layout#*:}
    replicas=${replicas%:*}
    given "$n" || continue
    name=laserrmt-$n-$shards
    check "laserrmt, $n ranks, shards of $shards" perplexity "$name" "$n" --text "selection=$text" --shards "$shards"
    check "... the golden numbers" as_golden "$name" texts selection
    check "... that layout" layout "$name" "$replicas x $shards"
done
for layout in 0:1 3:2 6:1; do
    n=${layout%%:*} shards=${layout##*:}
    given "$n" || continue
    for convention in hf-strided llama.cpp lm-eval; do
        check "$convention, $n ranks, shards of $shards" perplexity "$convention-$n" "$n" --convention $convention \
            --seqlen 256 --set evaluate.stride=128 --text "selection=$text" --shards "$shards"
        check "... the golden numbers" as_golden "$convention-$n" selection_by_convention $convention
        check "... the golden standard error" near "$(result "$convention-$n" pooled stderr)" \
            "$("$tool" get "$golden" selection_by_convention $convention stderr)" 1e-5
    done
    check "... the golden word perplexity" near "$(result "lm-eval-$n" pooled word_perplexity)" \
        "$("$tool" get "$golden" selection_by_convention lm-eval word_ppl)" 1e-5
done
check "bfloat16" perplexity bf16 2 --precision bfloat16 --text "selection=$text"
check "... within 1e-4 of float32" near "$(result bf16 pooled nll)" "$("$tool" get "$golden" texts selection nll)" 1e-4
check "... is reported" test "$("$tool" get "$out/bf16/results.json" precision)" = bfloat16

# Real weights and text.
shared=${LASER_SHARED:-$SRCDIR/../shared}
stories=$shared/data/models/stories260K
if [ -f "$stories/model.safetensors" ] && [ -f "$shared/data/text/tinystories_1000.txt" ]; then
    for n in $(ranks_of 1 3 4); do
        check "stories260K, $n ranks" run "$n" perplexity --model "$stories" --output "$out/stories-$n" \
            --text "ts=$shared/data/text/tinystories_1000.txt" --set evaluate.max_bytes=100000
        check "... the perplexity of laserRMT" near "$(result "stories-$n" pooled ppl)" 6.391550 1e-6
    done
else
    skip "stories260K" "no shared data"
fi

# ---- compare ----
check "compare" run 1 compare "$out/laserrmt-0-1" "$out/bf16" --output "$out/compared"
check "... the difference of the means" near "$("$tool" get "$out/compared/results.json" comparison pooled difference)" \
    "$(awk -v a="$(result laserrmt-0-1 pooled nll)" -v b="$(result bf16 pooled nll)" 'BEGIN { printf "%.17g", b - a }')" 1e-6
check "... all windows" test "$("$tool" get "$out/compared/results.json" comparison pooled windows)" = 330
check "... names the windows that moved" says "WINDOW .* of selection"
check "compare a file with itself" run 1 compare "$out/bf16/windows.h5" "$out/bf16/windows.h5"
check "... nothing moved" says_not "^WINDOW"
check "compare other windows" refuses 3 "llama.cpp-0/windows.h5.*llama.cpp" 2 compare "$out/bf16" "$out/llama.cpp-0"
head -c 30000 "$text" >"$scratch/part.txt"
check "a part of the text" perplexity part 2 --text "selection=$scratch/part.txt"
check "compare another text" refuses 3 "part/windows.h5.*selection has other tokens" 1 compare "$out/bf16" "$out/part"
check "compare what is not there" refuses 3 "no-such" 1 compare "$out/bf16" "$out/no-such"
check "compare what is no evaluation" refuses 3 "results.json.*HDF5" 1 compare "$out/bf16" "$out/bf16/results.json"
check "compare into a compared run" refuses 2 "output directory of one" 1 compare "$out/bf16" "$out/laserrmt-0-1" --output "$out/bf16"

# ---- layouts ----
check "the plan shows the layout" run 4 plan --model "$demo" --text "selection=$text"
check "... replicas" says "EVALUATION +3 replicas of 1 shard .*42240 tokens"
check "too little memory" refuses 6 "ranks with that much memory|evaluation needs" 2 perplexity --model "$demo" \
    --text "selection=$text" --output "$out/memory" --memory-per-rank 20M

# ---- refused ----
bad() { # name code pattern options...
    bad_name=$1 bad_code=$2 bad_pattern=$3
    shift 3
    for bad_n in $(ranks_of 1 3); do
        check "$bad_name, $bad_n ranks" refuses "$bad_code" "$bad_pattern" "$bad_n" perplexity \
            --output "$out/bad/$bad_name" "$@"
    done
}
edited() { # name: a copy of the demo that can be changed
    rm -rf "${scratch:?}/$1"
    cp -R "$demo" "$scratch/$1" && chmod -R u+w "$scratch/$1"
}
printf '\001\000\000\000\002\000\000\000\377\377\000\000' >"$scratch/ids.i32"
bad "an id beyond the vocabulary" 3 'ids.i32.*token 2 .*65535' --model "$demo" --text "a=$scratch/ids.i32"
printf '\001\000\000' >"$scratch/odd.i32"
bad "half a token id" 3 'odd.i32.*3 bytes' --model "$demo" --text "a=$scratch/odd.i32"
bad "no such token ids" 3 'none.h5.*No such file' --model "$demo" --text "a=$scratch/none.h5"
cp "$demo/config.json" "$scratch/false.h5"
bad "token ids that are no HDF5 file" 3 'false.h5.*HDF5' --model "$demo" --text "a=$scratch/false.h5"
: >"$scratch/empty.txt"
bad "an empty text" 3 'empty.txt' --model "$demo" --text "a=$scratch/empty.txt"
echo hello >"$scratch/short.txt"
bad "a text shorter than a window" 3 'short.txt.*at least 128' --model "$demo" --text "a=$scratch/short.txt"
for name in wikitext2:wiki.test.raw ptb:ptb.test.txt c4:c4-validation; do
    bad "no file of ${name%:*}" 3 "nowhere.txt.*${name#*:}" --model "$demo" --text "${name%:*}=$scratch/nowhere.txt"
done
bad "two texts of one name" 2 'two entries named a' --model "$demo" --text "a=$text" --text "a=$scratch/part.txt"
edited shape
sed 's/"intermediate_size": [0-9]*/"intermediate_size": 96/' "$demo/config.json" >"$scratch/shape/config.json"
bad "config.json that contradicts a tensor" 3 'mlp.(gate|up|down)_proj' --model "$scratch/shape" --text "a=$scratch/part.txt"
edited missing
LC_ALL=C sed 's/model.layers.1.mlp.up_proj/model.layers.1.mlp.xp_proj/' "$demo/model.safetensors" >"$scratch/missing/model.safetensors"
bad "a weight is missing" 3 'model.layers.1.mlp.[ux]p_proj' --model "$scratch/missing" --text "a=$scratch/part.txt"
# NaN in a weight: its place in the file is in the header.
edited nan
header=$(od -An -t u8 -N 8 "$demo/model.safetensors" | tr -d ' ')
offset=$(tail -c +9 "$demo/model.safetensors" | head -c "$header" |
    sed 's/.*"model.layers.2.mlp.down_proj.weight":{[^}]*"data_offsets":\[\([0-9]*\),.*/\1/')
printf '\377\377\377\377' | dd of="$scratch/nan/model.safetensors" bs=1 seek=$((8 + header + offset)) conv=notrunc 2>/dev/null
bad "NaN in a weight" 4 'layer 2 .*window' --model "$scratch/nan" --text "a=$scratch/part.txt"

# Rates are of work done: a result of an earlier start has none, and says so.
for n in $(ranks_of 1 3); do
    check "a rate of what is done, $n ranks" perplexity "again-$n" "$n" --text "part=$scratch/part.txt"
    check "... is said" says '^PERPLEXITY +part .* [1-9][0-9]* tokens/s$'
    check "again, $n ranks" perplexity "again-$n" "$n" --text "part=$scratch/part.txt"
    check "... says that it is reused" says '^PERPLEXITY +part .*, taken from an earlier start$'
    check "... without a rate" says_not 'tokens/s'
    check "... nor in results.json" test "$(result "again-$n" datasets part tokens_per_second)" = null
    sed -i '/^batch .*number=0 /d' "$out/again-$n/ledger.txt"
    check "with one batch undone, $n ranks" perplexity "again-$n" "$n" --text "part=$scratch/part.txt"
    check "... a rate of that" says '^PERPLEXITY +part .* [1-9][0-9]* tokens/s( of those that an earlier start had not done)?$'
    check "... that is no more than the work allows" test "$(result "again-$n" pooled tokens_per_second | cut -d. -f1)" -lt 3000000
done

# A tokenizer of another model.
edited tokenizer
sed 's/"vocab_size": 768/"vocab_size": 700/' "$demo/config.json" >"$scratch/tokenizer/config.json"
bad "a vocabulary that contradicts the embedding" 3 'embed_tokens|lm_head' --model "$scratch/tokenizer" --text "a=$scratch/part.txt"
nothing_left() { ! find "$out/bad" -name results.json -o -name 'windows.h5*' | grep .; }
check "no results of what was refused" nothing_left
finish
