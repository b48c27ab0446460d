#!/bin/sh
# report.html: made by every run and again by `report`, from whatever is left of a run's files; looked at in a headless
# Chromium, where there is one, at the widths of a phone and of a wide screen, light and dark.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
mkdir "$out" "$scratch/one" "$scratch/odd"

holds() { grep -qF -- "$2" "$1" || { echo "$1 lacks: $2"; return 1; }; }
lacks() { ! grep -qF -- "$2" "$1"; }
report() { run 0 report "$@"; }

check "a scan" run 2 scan --model "$demo" --output "$out/scan"
check "... names its report" says "REPORT +$out/scan/report.html"
cp "$out/scan/report.html" "$scratch/first.html"
check "report makes it again" report "$out/scan"
check "... the same" same_file "$scratch/first.html" "$out/scan/report.html"
check "report elsewhere, on 2 ranks" run 2 report "$out/scan" --output "$out/elsewhere"
check "... the same there" same_file "$scratch/first.html" "$out/elsewhere/report.html"
check "a reduction" run 2 reduce --model "$demo" --text "t=$text" --output "$out/reduce" --strategy denoise --candidates 3 \
    --set evaluate.max_tokens=3000 --set reduce.edits=shrink:0.5,wiener:0.25
check "... has decisions in its report" holds "$out/reduce/report.html" '"decisions":[{'
check "an evaluation" run 2 perplexity --model "$demo" --text "t=$text" --output "$out/perplexity" \
    --set evaluate.max_tokens=3000
check "... has windows and the deck in its report" holds "$out/perplexity/report.html" 'max_tokens: 3000'
check "an evaluation of what was written" run 2 perplexity --model "$out/reduce/model" --text "t=$text" \
    --output "$out/perplexity2" --set evaluate.max_tokens=3000
check "... beside the first" report "$out/perplexity" --compare "$out/perplexity2"
check "... window by window" holds "$out/perplexity/comparison.html" '"paired":true'
check "derived results" run 1 derive "$out/scan/spectra.h5" --threshold laserrmt --output "$out/derived"
check "... have spectra in their report" holds "$out/derived/report.html" 'density of the singular values of '
check "two runs side by side" report "$out/scan" --compare "$out/derived"
check "... in a file of their own" holds "$out/scan/comparison.html" '"label":"derived"'

printf '{"model.layers.0.mlp.up_proj": {"snr": 1.5, "type": "mlp.up_proj"}, "model.layers.1.mlp.up_proj": {"snr": Infinity, "type":
"mlp.up_proj"}}' >"$scratch/spectrum.json"
check "figures" report "$out/reduce" --figures svg
for f in map spectra ranks path; do
    check "... $f" grep -q '</svg>' "$out/reduce/figures/$f.svg"
done
if grep -q 'define HAVE_CAIRO' "$BUILDDIR/config.h"; then
    check "figures as a scan ends" run 1 scan --model "$demo" --output "$out/scan2" --figures pdf,png
    check "... in both formats" test -s "$out/scan2/figures/spectra.pdf" -a -s "$out/scan2/figures/map.png"
else
    check "figures that need cairo" refuses 2 'without cairo' 2 scan --model "$demo" --output "$out/scan2" --figures png
fi
check "a scan that another program wrote" report "$scratch/spectrum.json"
check "... beside the file" holds "$scratch/spectrum.json.html" '"score":[1.5,"Infinity"]'
check "... beside a run's" report "$out/scan" --compare "$scratch/spectrum.json" --output "$out/both"
check "... both in one page" holds "$out/both/comparison.html" '"label":"spectrum.json"'
check "... its matrices under the names of the run's" holds "$out/both/comparison.html" \
    '"names":["model.layers.0.mlp.up_proj.weight","model.layers.1.mlp.up_proj.weight"]'

# Any two scans: the matrices that both have are the same where layer and type are.
mkdir "$scratch/short" "$scratch/alien"
check "a scan of another prefix" "$tool" checkpoint "$scratch/short" transformer.h.0.mlp.up_proj.weight:20:30:normal \
    transformer.h.7.mlp.up_proj.weight:20:30:normal
check "... " run 1 scan --model "$scratch/short" --matrices '*' --output "$out/short"
check "... is compared" report "$out/scan" --compare "$out/short" --output "$out/prefixes"
check "... by layer and type" holds "$out/prefixes/comparison.html" \
    '"names":["model.layers.0.mlp.up_proj.weight","transformer.h.7.mlp.up_proj.weight"]'
check "a scan of other matrices" "$tool" checkpoint "$scratch/alien" encoder.thing.weight:20:30:normal
check "... " run 1 scan --model "$scratch/alien" --matrices '*' --output "$out/alien"
check "... cannot be compared" refuses 3 \
    "out/alien: none of its 1 matrices .encoder.thing.weight, .*is one of the 35 of .*out/scan .*nothing to compare" \
    1 report "$out/scan" --compare "$out/alien"
check "nor can a scan and an evaluation" refuses 3 "out/perplexity: there are no matrices in it, and nothing else that .*out/scan has" \
    1 report "$out/scan" --compare "$out/perplexity"
check "an adapter is scanned" run 1 scan --model "$SRCDIR/tests/golden/adapter/lora" --output "$out/adapter"
check "... and its model, with it" run 1 scan --model "$SRCDIR/tests/golden/adapter/model" \
    --adapter "$SRCDIR/tests/golden/adapter/lora" --output "$out/adapted"
check "... are compared" report "$out/adapter" --compare "$out/adapted"
check "a GGUF file is scanned" run 1 scan --model "$SRCDIR/tests/golden/gguf/llama.gguf" --output "$out/gguf"
check "... and compared with safetensors" report "$out/gguf" --compare "$out/scan"
facts=$SRCDIR/tests/data/facts
tasks=$SRCDIR/tests/golden/task
check "tasks without a text" run 2 evaluate --model "$demo" --task "$tasks/choice.jsonl" --task "$tasks/preference.jsonl" \
    --output "$out/tasks"
check "... have a report" holds "$out/tasks/report.html" '"accuracy_per_token":{"value"'
check "... with the deck" holds "$out/tasks/report.html" 'command: evaluate'
cp "$out/tasks/report.html" "$scratch/first.html"
check "... made again" report "$out/tasks"
check "... the same" same_file "$scratch/first.html" "$out/tasks/report.html"
check "... beside another" report "$out/tasks" --compare "$out/tasks" --output "$out/tasks-twice"
check "a reduction by the accuracy of answers" run 2 reduce --model "$facts/model" --task "facts=$facts/facts.jsonl" \
    --set evaluate.objective=accuracy --strategy snr --candidates 3 --output "$out/by-accuracy"
check "... the page knows that accuracy rises" holds "$out/by-accuracy/report.html" '"objective_rises":true'
check "... figures" report "$out/by-accuracy" --figures svg
check "... name it" grep -q 'accuracy on the selection questions' "$out/by-accuracy/figures/path.svg"
check "a sweep" run 2 reduce --model "$demo" --text "t=$text" --output "$out/sweep" --strategy sweep \
    --set evaluate.max_tokens=1000 --set reduce.fractions=0.5 --set reduce.layers=0-1
check "... has its gains in its report" holds "$out/sweep/report.html" '"sweep_table":{'

small="--set evaluate.max_tokens=2000 --set reduce.calibration_tokens=2000"
check "a sensitivity" run 2 sensitivity --model "$demo" --text "t=$text" --output "$out/sensitivity" --set evaluate.max_tokens=2000
check "... has its predictions in its report" holds "$out/sensitivity/report.html" '"best_edit":"'
check "a tuning" run 2 reduce --model "$demo" --text "t=$text" --guard "g=$text" --output "$out/tune" --strategy tune \
    --set reduce.rounds=1 --set reduce.candidates=1 $small
check "... has its steps in its report" holds "$out/tune/report.html" '"harms_guard":'
check "a compression" run 2 compress --model "$demo" --text "t=$text" --guard "g=$text" --remove 20% --curve 10%,30% \
    --output "$out/compress" $small
check "... has a report" holds "$out/compress/report.html" '"command":"compress"'
check "... with its ranks" holds "$out/compress/report.html" '"compressed":['
check "... and without a notice" holds "$out/compress/report.html" '"notices":[]'
check "... that can be made again, with figures" report "$out/compress" --figures svg
check "... the ranks" grep -q 'rank left: ' "$out/compress/figures/map.svg"
check "... size against loss" grep -q 'g, guard' "$out/compress/figures/size.svg"

# As many matrices as the largest models have.
mkdir "$scratch/many"
check "126 layers of 7 matrices" "$tool" many "$scratch/many" 882 96 128
check "... are scanned" run 2 scan --model "$scratch/many" --output "$out/many"
check "... on a page of less than 3 MB" test "$(wc -c <"$out/many/report.html")" -lt 3000000

# Bad input.
check "one matrix" "$tool" checkpoint "$scratch/one" model.layers.0.mlp.up_proj.weight:20:30:normal
check "... is scanned" run 1 scan --model "$scratch/one" --output "$out/one"
check "... and reported" holds "$out/one/report.html" 'model.layers.0.mlp.up_proj.weight'
check "a failing matrix, a zero one, markup in a name" "$tool" checkpoint "$scratch/odd" \
    model.layers.0.mlp.up_proj.weight:20:30:normal model.layers.1.mlp.up_proj.weight:20:30:nan \
    model.layers.2.mlp.up_proj.weight:20:30:zero "model.layers.3.mlp.<b>x_proj&.weight:20:30:lowrank"
expect=4
check "... are scanned, with the code of the failure" run 1 scan --model "$scratch/odd" --output "$out/odd" \
    --matrices '*'
expect=0
check "... the failure is in the report" holds "$out/odd/report.html" '"failures":['
check "... the name is no markup" lacks "$out/odd/report.html" '<b>x_proj'
check "... but text" holds "$out/odd/report.html" '\u003cb>x_proj'
mkdir "$out/torn" "$out/other" "$out/none" "$out/empty"
cp "$out/scan/spectra.h5" "$out/scan/results.json" "$out/torn"
head -c 3000 "$out/scan/results.json" >"$out/torn/results.json"
check "torn results beside whole spectra" report "$out/torn"
check "... are told on the page" holds "$out/torn/report.html" '"notices":[["results.json","cannot be read and is left out'
check "... and in the log" says 'WARNING +results.json: cannot be read'
sed 's/"format": 1/"format": 2/' "$out/scan/results.json" >"$out/other/results.json"
check "results of another version alone" refuses 3 'format 2 found, 1 expected' 1 report "$out/other"
head -c 100 "$out/scan/spectra.h5" >"$out/none/spectra.h5"
head -c 100 "$out/scan/results.json" >"$out/none/results.json"
check "nothing whole is left" refuses 3 'results.json' 1 report "$out/none"
check "an empty directory" refuses 3 'there is neither results.json' 1 report "$out/empty"
check "no directory" refuses 3 'no such directory' 1 report "$out/missing"

# In a browser.
browser=
for name in chromium chromium-browser google-chrome; do
    [ -n "$browser" ] || browser=$(command -v "$name" 2>/dev/null)
done
# look PAGE WIDTH SCHEME: the page in a frame of that width (a window can be no narrower than 500), its probe's answers in
# dom.txt.  Scheme 0 is dark, 1 light.
look() {
    sed -e "s|<head>|<head><script>window.seenErrors = []; addEventListener('error', e => seenErrors.push(e.message)); \
console.error = console.warn = (...a) => seenErrors.push(a.join(' '));</script>|" "$1" | grep -v '^</body>$\|^</html>$' \
        >"$scratch/page.html"
    { echo '<script>' && cat "$SRCDIR/tests/e2e/report_probe.js" && echo '</script></body></html>'; } >>"$scratch/page.html"
    echo "<body><iframe src='page.html' style='width:$2px;height:900px;border:0' onload='setTimeout(() => \
document.body.append(JSON.stringify(frames[0].document.body.dataset)), 3500)'></iframe>" >"$scratch/frame.html"
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --allow-file-access-from-files --window-size=1400,1000 \
        --virtual-time-budget=8000 --blink-settings=preferredColorScheme="$3" --user-data-dir="$scratch/profile" \
        --dump-dom "file://$scratch/frame.html" >"$scratch/dom.txt" 2>/dev/null
    cp "$scratch/dom.txt" "$scratch/last.log"
    grep -q '"width":"'"$2"'"' "$scratch/dom.txt"
}
fact() { grep -qF "\"$1\":\"$2\"" "$scratch/dom.txt" || { cat "$scratch/dom.txt"; return 1; }; }
has_figures() {
    shift
    for f in "$@"; do
        grep -qE "\"figures\":\"([^\"]* )?$f( |\")" "$scratch/dom.txt" || { echo "no figure $f"; cat "$scratch/dom.txt"; return 1; }
    done
}
inspect() { # "width/scheme...", page, figures...
    views=$1 page=$2
    shift
    for view in $views; do
        scheme=${view#*/}
        check "${page##"$out"/} at ${view%/*}, $scheme, is drawn" look "$page" "${view%/*}" "$([ "$scheme" = dark ] && echo 0 || echo 1)"
        check "... without errors" fact errors none
        check "... without overflow" fact overflow none
        check "... with every figure" has_figures "$@"
        check "... in its scheme" fact scheme "$scheme"
        check "... in time" fact milliseconds below-2000
        check "... with the numbers of each figure" fact numbers all
        case " $* " in
        *" map spectra "*)
            check "... with cells that another metric paints" fact painted anew
            check "... with the spectrum of a cell that is chosen" fact chosen drawn
            ;;
        esac
    done
}
if [ -z "$browser" ]; then
    skip "pages in a browser" "there is no chromium"
else
    inspect "390/light 390/dark 1280/light 1280/dark" "$out/reduce/report.html" result path map spectra ranks left times deck provenance
    inspect "390/dark 1280/light" "$out/scan/comparison.html" map changes spectra ranks deck provenance
    inspect "390/light 1280/dark" "$out/perplexity/report.html" perplexity windows deck provenance
    inspect "390/light 1280/dark" "$out/tasks/report.html" tasks times deck provenance
    inspect "390/dark" "$out/tasks-twice/comparison.html" tasks
    inspect "390/light" "$out/by-accuracy/report.html" result task-changes path
    inspect "390/light" "$out/sweep/report.html" gains map spectra ranks times deck provenance
    inspect "390/light 1280/dark" "$out/sensitivity/report.html" predictions map
    inspect "390/light 1280/dark" "$out/tune/report.html" result tune calibration
    inspect "390/light 1280/dark" "$out/compress/report.html" compression size map
    inspect "390/dark 1280/light" "$out/many/report.html" map spectra ranks
    inspect "390/dark 1280/light" "$out/odd/report.html" map spectra ranks left
fi
finish
