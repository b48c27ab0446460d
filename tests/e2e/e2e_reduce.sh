#!/bin/sh
# The whole job through the program: the same decisions on every number of ranks and shards, and on a real model the
# perplexities that laserRMT's own code gives.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out

strategy=
reduce() { # name ranks options...
    reduce_name=$1 reduce_ranks=$2
    shift 2
    run "$reduce_ranks" reduce --model "$demo" --text "demo=$text" --set evaluate.max_tokens=2000 \
        --set reduce.candidates=4 $strategy --output "$out/$reduce_name" "$@"
}

# As laserRMT decides.
check "laserrmt, one process" reduce rmt 0 --compat laserrmt
check "results.json is strict JSON" "$tool" canonical "$out/rmt/results.json"
check "four decisions" test "$("$tool" get "$out/rmt/results.json" decisions)" = 4
check "spectra.h5 has the same decisions and their cost" "$tool" decisions "$out/rmt/spectra.h5" "$out/rmt/results.json"
check "one candidate is kept" says "1 (of 4 )?candidates? kept"
for n in $(ranks_of 1 2 3 4); do
    check "laserrmt, $n ranks" reduce "rmt-$n" "$n" --compat laserrmt --shards 1
    check "laserrmt, $n ranks: the same results" same_results "$out/rmt" "$out/rmt-$n"
    check "laserrmt, $n ranks: the same model" same_model "$out/rmt" "$out/rmt-$n"
done
for shards in 2 3; do
    check "laserrmt, $shards shards" reduce "rmt-s$shards" $((shards + 1)) --compat laserrmt --shards $shards
    check "laserrmt, $shards shards: the same decisions" near_results "$out/rmt" "$out/rmt-s$shards" 1e-4
    check "laserrmt, $shards shards: the same model" same_model "$out/rmt" "$out/rmt-s$shards"
done
check "laserrmt, matrices by groups of 2" reduce rmt-g2 3 --compat laserrmt --shards 1 --group-size 2
check "... the same decisions" near_results "$out/rmt" "$out/rmt-g2" 1e-4

# The model that was written has the perplexity that was reported.
check "perplexity of the written model" run 2 perplexity --model "$out/rmt/model" --text "demo=$text" \
    --set evaluate.max_tokens=2000 --output "$out/ppl"
near() { # a b tolerance
    awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = (a - b) / b; if (d < 0) d = -d; print a, b; exit !(d <= t) }'
}
check "... is the reported one" near "$("$tool" get "$out/ppl/results.json" perplexity pooled ppl)" \
    "$("$tool" get "$out/rmt/results.json" final selection ppl)" 1e-6

# Every edit of denoise: decided on a half of the windows, reported on the other.
strategy="--strategy denoise --set reduce.screen=false"
check "denoise, one process" reduce def 0
for n in $(ranks_of 2 3 4); do
    check "denoise, $n ranks" reduce "def-$n" "$n"
    check "denoise, $n ranks: the same decisions" near_results "$out/def" "$out/def-$n" 1e-4
done
check "denoise, 8 ranks" reduce def-8 8
check "denoise, 8 ranks: the same decisions" near_results "$out/def" "$out/def-8" 1e-4
check "one candidate at a time" reduce def-serial 4 --set reduce.lookahead=0
check "... the same decisions" near_results "$out/def" "$out/def-serial" 1e-4
check "no early stop" reduce def-all 3 --set reduce.early_stop=false
check "... keeps what is kept with it" test "$(grep -c tensor "$out/def-all/plan.yaml")" -ge "$(grep -c tensor "$out/def/plan.yaml")"
check "denoise, 2 shards" reduce def-s2 3 --shards 2
check "denoise, 2 shards: the same decisions" near_results "$out/def" "$out/def-s2" 1e-4

strategy=
# A rule that never cuts: nothing to try, the model as it is.
check "nothing to cut" reduce none 2 --strategy snr --threshold rank:1
check "... is said" says "CANDIDATES +none"
check "... and the model is written as it is" cmp "$demo/model.safetensors" "$out/none/model/model.safetensors"

# Every decision as laserRMT's own scripts make them (tools/golden/make_laserrmt.py): tensor, rank, perplexity, kept or not.
golden() { # file, search, results.json
    golden_i=0
    while read -r golden_search what tensor rank ppl kept; do
        [ "$golden_search" = "$2" ] || continue
        if [ "$what" = base ]; then
            near "$("$tool" get "$3" baseline selection ppl)" "$ppl" 1e-4 || return 1
            continue
        fi
        [ "$kept" = yes ] && kept=true || kept=false
        is="$("$tool" get "$3" decisions "$what" tensor) $("$tool" get "$3" decisions "$what" rank) $(
            "$tool" get "$3" decisions "$what" kept)"
        [ "$is" = "$tensor $rank $kept" ] || { echo "candidate $what: $is, expected $tensor $rank $kept"; return 1; }
        near "$("$tool" get "$3" decisions "$what" ppl)" "$ppl" 1e-4 || return 1
        golden_i=$((golden_i + 1))
    done <"$1"
    [ "$("$tool" get "$3" decisions)" = "$golden_i" ] || { echo "$golden_i decisions expected"; return 1; }
}
for search in snr backward; do
    check "demo, $search" run 3 reduce --compat laserrmt --model "$demo" --text "demo=$text" --strategy $search \
        --set evaluate.max_bytes=12000 --output "$out/demo-$search"
    check "... decides as laserRMT" golden "$SRCDIR/tests/golden/laserrmt_demo.txt" $search "$out/demo-$search/results.json"
done
check "backward stops after five" says "5 candidates kept"

shared=${LASER_SHARED:-$SRCDIR/../shared}
stories=$shared/data/models/stories260K
limit=600
if [ -d "$stories" ] && [ -f "$shared/data/text/tinystories_1000.txt" ]; then
    for search in snr backward; do
        check "stories260K, $search" run 3 reduce --compat laserrmt --model "$stories" --strategy $search \
            --text "ts=$shared/data/text/tinystories_1000.txt" --set evaluate.max_bytes=100000 --output "$out/stories-$search"
        check "... decides as laserRMT" golden "$SRCDIR/tests/golden/laserrmt_stories260K.txt" $search \
            "$out/stories-$search/results.json"
        check "... keeps nothing" says "0 (of [0-9]+ )?candidates? kept"
    done
else
    skip "stories260K" "no $stories or no text beside it"
fi
finish
