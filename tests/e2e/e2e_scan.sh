#!/bin/sh
# The scan through the program: the same numbers on every number of ranks, by both solvers and in groups of every size;
# derive, print-deck, the output directory's guards.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out

scan() { # name ranks options...
    scan_name=$1 scan_ranks=$2
    shift 2
    run "$scan_ranks" scan --model "$demo" --output "$out/$scan_name" "$@"
}
same_scan_files() {
    for f in snr_results_demo-model.json snr_results_demo-model_sorted.json \
        snr_results_demo-model_unfrozenparameters_50percent.yaml; do
        cmp "$out/$1/$f" "$out/$2/$f" || return 1
    done
}

check "one process without a launcher" scan ref 0
check "a log without a terminal has no control characters" plain_log
check "results.json is strict JSON" "$tool" canonical "$out/ref/results.json"
check "the counts are those of the demo" test "$("$tool" get "$out/ref/results.json" counts scanned)" = 35
for n in $(ranks_of 1 2 3 4 7); do
    check "$n ranks" scan "g1-$n" "$n" --group-size 1
    check "$n ranks: a log that mpirun writes has no control characters" plain_log
    check "$n ranks: the same files in groups of 1" same_scan_files ref "g1-$n"
    check "$n ranks: the same results" same_results "$out/ref" "$out/g1-$n"
done
for g in 2 3; do
    n=$((2 * g + 1))
    check "groups of $g" scan "g$g" "$n" --group-size $g --solver gram
    check "groups of $g: the same ranks, scores within 1e-9" near_results "$out/ref" "$out/g$g" 1e-9
    check "groups of $g by gesvd" scan "g$g-gesvd" "$n" --group-size $g --solver gesvd
    check "groups of $g by gesvd: the same ranks, scores within 1e-9" near_results "$out/ref" "$out/g$g-gesvd" 1e-9
done
check "gesvd" scan gesvd 3 --solver gesvd --group-size 1
check "gesvd: the same ranks, scores within 1e-9" near_results "$out/ref" "$out/gesvd" 1e-9
check "more ranks in a group than workers" scan large-group 3 --group-size 9
check "a group cut to the workers: scores within 1e-9" near_results "$out/ref" "$out/large-group" 1e-9

# Matrices of zeros (new blocks of a depth-upscaled model): 0/0 is no score.
mkdir "$out/zeros"
l=model.layers
"$tool" checkpoint "$out/zeros" $l.0.mlp.down_proj.weight:40:30:normal $l.1.mlp.down_proj.weight:40:30:zero \
    $l.2.mlp.down_proj.weight:40:30:normal $l.0.self_attn.o_proj.weight:30:30:zero \
    $l.1.self_attn.o_proj.weight:30:30:normal $l.2.self_attn.o_proj.weight:30:30:normal
not_in_the_table() { ! sed -n '/^type /,/^zero /p' "$scratch/last.log" | grep -v '^zero ' | grep -qE "$1"; }
for n in $(ranks_of 1 3); do
    for rule in marchenko-pastur laserrmt; do
        dir=$out/zeros-$n-$rule
        check "matrices of zeros, $rule, $n ranks" run "$n" scan --model "$out/zeros" --output "$dir" --threshold $rule
        check "... have a line of their own" says '^zero 2: all entries are 0, so there is no score: .*layers\.0\.self_attn\.o_proj'
        check "... are out of ranking and means" not_in_the_table 'inf|nan|layers\.1\.mlp|layers\.0\.self'
        check "... are counted apart from their type" says '^mlp\.down_proj +2 '
        check "... are scanned" test "$("$tool" get "$dir/results.json" counts scanned)" = 6
        check "... are in no list" sh -c "! grep -qE 'layers.1.mlp|layers.0.self' '$dir'/snr_results_*"
        check "... one of two is picked" test "$(grep -c '^- ' "$dir"/snr_results_*_unfrozenparameters_50percent.yaml)" = 2
    done
    check "... show says zero" run "$n" show "$out/zeros-$n-laserrmt"
    check "... in the map" says '^ +0 +[0-9.]+ +zero'
    check "... export, $n ranks" run "$n" export "$out/zeros-$n-laserrmt" --output "$out/zeros-export-$n"
    check "... picks none of them" says '2 matrices hold nothing but zeros: no score, never picked'
done
if [ -z "${LASER_TEST_RANKS:-}" ]; then
    check "64 ranks" scan r64 64
    check "64 ranks: the same ranks, scores within 1e-9" near_results "$out/ref" "$out/r64" 1e-9
else
    skip "64 ranks" "LASER_TEST_RANKS limits this run"
fi

# The other rule, from the values of the first.
check "scan by laserrmt" scan rmt 2 --threshold laserrmt --top-percent 25
check "derive" run 1 derive "$out/ref/spectra.h5" --threshold laserrmt --top-percent 25 --output "$out/derived"
for f in snr_results_demo-model.json snr_results_demo-model_sorted.json \
    snr_results_demo-model_unfrozenparameters_25percent.yaml; do
    check "derive gives the $f of the scan" same_file "$out/rmt/$f" "$out/derived/$f"
done
check "derive on 3 ranks" run 3 derive "$out/ref/spectra.h5" --threshold laserrmt --top-percent 25 --output "$out/d3"
check "derive on 3 ranks: the same results" same_results "$out/derived" "$out/d3"

# A run again does nothing again.
check "the same command again" scan ref 0
check "... says what is done" says "35 of 35 matrices are done already"
check "... appends no matrix to the ledger" test "$(grep -c '^matrix' "$out/ref/ledger.txt")" = 35

# The deck that is printed is a deck.
check "print-deck" run 2 scan --model "$demo" --output "$out/deck" --threshold gavish-donoho --print-deck
cp "$scratch/last.log" "$scratch/printed.yaml"
check "the printed deck runs" run 2 run "$scratch/printed.yaml"
check "... as it says" test "$("$tool" get "$out/deck/results.json" threshold)" = gavish-donoho
check "print-deck of the printed deck" run 1 run "$scratch/printed.yaml" --print-deck
sed 's/ *#.*//' "$scratch/last.log" >"$scratch/again.yaml"
sed 's/ *#.*//' "$scratch/printed.yaml" >"$scratch/first.yaml"
check "... has the same values" same_file "$scratch/first.yaml" "$scratch/again.yaml"

# The log of a batch job has lines, no bar, also where mpirun gives its ranks a terminal.
check "a scan detached from any terminal" sh -c "setsid nohup \"$launcher\" -n 2 \"$laser\" scan --model '$demo' \
    --output '$out/detached' >'$scratch/detached.log' 2>&1 </dev/null"
check "... writes no bar" sh -c "! grep -aq '#\\.\\.\\|\\[K' '$scratch/detached.log'"
# Two towers with the same types: each has a ranking and a list of its own, and fused weights of an unknown layout stay whole.
mkdir "$scratch/towers"
check "a model of two towers" "$tool" checkpoint "$scratch/towers" vision.layers.0.attn.q_proj.weight:24:24:lowrank \
    vision.layers.1.attn.q_proj.weight:24:24:lowrank text.layers.0.attn.q_proj.weight:24:24:normal \
    text.layers.1.attn.q_proj.weight:24:24:normal text.layers.0.attn.qkv_proj.weight:36:12:normal
for n in $(ranks_of 1 3); do
    check "... scanned by $n ranks" run "$n" scan --model "$scratch/towers" --output "$scratch/towers-$n" \
        --set scan.split_fused=true
    check "... what is left whole is said" says "NOTE +scan.split_fused: 1 matrix is left whole, the first is text.layers.0.attn.qkv_proj.weight: .*not known"
    yaml=$(echo "$scratch/towers-$n"/*_unfrozenparameters_50percent.yaml)
    check "... half of the text's layers are in the list" test "$(grep -c '^- text\..*q_proj' "$yaml")" = 1
    check "... and half of the vision's" test "$(grep -c '^- vision' "$yaml")" = 1
    check "... each under its tower" grep -q '^# text.layers:attn.q_proj layers' "$yaml"
    check "... show" run 1 show "$scratch/towers-$n"
    check "... has a block for each" test "$(grep -cE '^(text|vision).layers$' "$scratch/last.log")" = 2
done
finish
