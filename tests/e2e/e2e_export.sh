#!/bin/sh
# A scan as files for other programs, and scans of other programs: export, show, derive; what is torn, of another
# version or no scan at all is refused by name.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
slug=demo-model

check "scan" run 0 scan --model "$demo" --output "$out/scan"
check "export" run 0 export "$out/scan" --output "$out/all" --top-percent 40
check "... says what it picks" says "PICKED +14 of 35 matrices: the top 40 % by snr, of each type"
for f in model_snr_results/snr_results_$slug.json snr_results_$slug.json snr_results_${slug}_sorted.json \
    snr_results_${slug}_unfrozenparameters_40percent.yaml llama_factory_$slug.yaml ms_swift_$slug.yaml \
    peft/adapter_config.json weightwatcher_$slug.csv; do
    check "... writes $f" test -s "$out/all/$f"
done
check "the scan's own file and the export are the same bytes" same_file "$out/scan/snr_results_$slug.json" \
    "$out/all/snr_results_$slug.json"
check "spectra.h5 by name" run 0 export "$out/scan/spectra.h5" --output "$out/h5" --top-percent 40
check "... gives the same files" diff -r "$out/all" "$out/h5"
check "export on 3 ranks" run 3 export "$out/scan" --output "$out/r3" --top-percent 40
check "... gives the same files" diff -r "$out/all" "$out/r3"
check "another threshold and score" run 0 export "$out/scan" --threshold laserrmt --score snr-normalized \
    --output "$out/rmt" --format spectrum
check "... are those of derive" run 0 derive "$out/scan/spectra.h5" --threshold laserrmt --score snr-normalized \
    --output "$out/derived" --format peft,weightwatcher
check "... to the byte" same_file "$out/rmt/snr_results_$slug.json" "$out/derived/snr_results_$slug.json"
check "derive writes formats, too" test -s "$out/derived/peft/adapter_config.json"
check "one format" run 0 export "$out/scan" --format ms-swift --output "$out/one"
check "... and no other file" test "$(ls "$out/one")" = "ms_swift_$slug.yaml"
check "the bottom of all by another number" run 0 export "$out/scan" --bottom-percent 20 --per overall --metric alpha \
    --output "$out/bottom" --format axolotl
check "... is in the file's name" test -s \
    "$out/bottom/snr_results_${slug}_unfrozenparameters_bottom20percent_overall_alpha.yaml"
check "... and has 7 of 35" test "$(grep -c '^- model.layers' "$out/bottom/"*.yaml)" = 7
check "an unknown number" refuses 2 'export.metric: "beauty" is no number of this scan; it has score, .*alpha' 0 \
    export "$out/scan" --metric beauty
check "top and bottom" refuses 2 'which one, top or bottom' 0 export "$out/scan" --top-percent 5 --bottom-percent 5
check "an unknown format" refuses 2 'format.*axolotl' 0 export "$out/scan" --format axolotel

# Scans of others, here those that this program has written as they do.
for f in "snr_results_$slug.json" "snr_results_${slug}_sorted.json" "weightwatcher_$slug.csv"; do
    check "show $f" run 0 show "$out/all/$f"
    check "... has the map" says "layer +.*down_proj"
    check "export $f" run 0 export "$out/all/$f" --top-percent 40 --output "$out/again-$f" --format axolotl,ms-swift
    check "derive refuses $f" refuses 2 "no singular values" 0 derive "$out/all/$f"
done
check "Spectrum's flat file picks the same" same_file "$out/all/ms_swift_$slug.yaml" \
    "$out/again-snr_results_$slug.json/ms_swift_$slug.yaml"
check "... and is written the same" same_file "$out/all/snr_results_$slug.json" \
    "$out/again-snr_results_$slug.json/model_snr_results/snr_results_$slug.json"
check "WeightWatcher's CSV is written as it was read" run 0 export "$out/all/weightwatcher_$slug.csv" \
    --format weightwatcher --output "$out/csv"
# What the CSV has no column for (which side is which) does not matter to it.
check "... to the byte but for weak_rank_loss, which needs the values" sh -c \
    "cut -d, -f1-32,34- '$out/all/weightwatcher_$slug.csv' >'$scratch/a' && \
     cut -d, -f1-32,34- '$out/csv/weightwatcher_$slug.csv' | diff '$scratch/a' -"
check "Spectrum's scan is no spectrum" refuses 2 "has SNRs only" 0 export "$out/all/snr_results_$slug.json" \
    --format weightwatcher
check "a threshold for it" refuses 2 "has no singular values" 0 export "$out/all/snr_results_$slug.json" -t laserrmt

cat >"$scratch/odd.json" <<'JSON'
{"model.layers.0.mlp.up_proj": {"snr": Infinity, "type": "mlp.up_proj"},
 "model.layers.1.mlp.up_proj": {"snr": NaN, "type": "mlp.up_proj"},
 "model.layers.2.mlp.up_proj": {"snr": 0.5, "type": "mlp.up_proj"}}
JSON
check "NaN and Infinity in a scan" run 0 export "$scratch/odd.json" --top-percent 100 --output "$out/odd"
check "... NaN is named" says "1 scores are no numbers"
check "... NaN is not picked" test "$(grep -c '^- model.layers' "$out/odd/ms_swift_odd.yaml")" = 2
check "... and kept from Axolotl's plugin, which sorts" sh -c "! grep -q NaN '$out/odd/model_snr_results/'*"
check "... and shown" run 0 show "$scratch/odd.json"
echo '{"t": {"model.layers.0.t": 1}}' >"$scratch/single.json"
check "a single matrix" run 0 export "$scratch/single.json" --top-percent 100 --output "$out/single"
check "... is picked" says "1 of 1 matrices"

printf 'name,alpha,beauty\nmodel.layers.0.up,2.5,9\n' >"$scratch/columns.csv"
check "an unknown column" run 0 export "$scratch/columns.csv" --output "$out/columns" --format ms-swift
check "... is named" says "NOTE +columns that are not known and not read: beauty"

# Failed matrices are shown as such and exported to nobody.
mkdir "$scratch/mixed"
m=model.layers
"$tool" checkpoint "$scratch/mixed" $m.0.mlp.up_proj.weight:40:30:normal $m.1.mlp.up_proj.weight:40:30:nan \
    $m.2.mlp.up_proj.weight:40:30:normal
check "a scan with a failed matrix" refuses 4 "1 of 3 matrices failed" 0 scan --model "$scratch/mixed" \
    --output "$out/mixed"
check "show" run 0 show "$out/mixed"
check "... says so" says "^ +1 +failed"
check "export" run 0 export "$out/mixed" --top-percent 100 --output "$out/mixed-export"
check "... counts what was scanned" says "2 of 2 matrices"
check "... leaves it out" sh -c "! grep -rq 'layers.1.mlp' '$out/mixed-export'"

# What is broken.
head -c 300 "$out/all/snr_results_$slug.json" >"$scratch/torn.json"
check "torn JSON" refuses 3 "torn.json.*line" 0 export "$scratch/torn.json"
head -c 3000 "$out/all/weightwatcher_$slug.csv" >"$scratch/torn.csv"
check "torn CSV" refuses 3 "torn.csv:[0-9]+: [0-9]+ fields where the header line has 35" 0 show "$scratch/torn.csv"
echo 'layer,score' >"$scratch/other.csv"
check "another CSV" refuses 3 "other.csv:1: .*longname or name was expected, found are: layer, score" 0 show \
    "$scratch/other.csv"
head -c 4096 "$out/scan/spectra.h5" >"$scratch/torn.h5"
check "torn spectra.h5" refuses 3 "torn.h5.*HDF5" 0 export "$scratch/torn.h5"
check "no such file" refuses 3 "nowhere" 0 export "$scratch/nowhere"
check "a directory without a scan" refuses 3 "no spectra.h5" 0 show "$out/one"

# Adapters from the weights.
check "pissa and milora on 2 ranks" run 2 export "$out/scan" --format pissa,milora --model "$demo" --rank 4 \
    --output "$out/init"
for f in pissa/adapter_model.safetensors pissa/adapter_config.json pissa/base/model.safetensors \
    milora/adapter_model.safetensors milora/base/config.json; do
    check "... writes $f" test -s "$out/init/$f"
done
check "... and leaves no pieces" sh -c "! ls '$out/init/pissa' '$out/init/milora' | grep -q work"
check "without a model" refuses 2 "give --model" 0 export "$out/scan" --format pissa --output "$out/none"
check "on 1 rank" run 0 export "$out/scan" --format pissa --model "$demo" --rank 4 --output "$out/init1"
check "... the same adapter" same_file "$out/init/pissa/adapter_model.safetensors" \
    "$out/init1/pissa/adapter_model.safetensors"
check "... the same rest of the model" same_file "$out/init/pissa/base/model.safetensors" \
    "$out/init1/pissa/base/model.safetensors"
echo '{"t": {"model.layers.77.t": 1}}' >"$scratch/other.json"
check "a scan of another model" refuses 2 "model.layers.77.t" 2 export "$scratch/other.json" --top-percent 100 \
    --format pissa --model "$demo" --output "$out/other"
finish
