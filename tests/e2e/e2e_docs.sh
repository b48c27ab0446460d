#!/bin/sh
# Every command that the documentation shows runs: the shell blocks of each page, in their order, in a directory where the
# names that they use (smollm2, DIR, text.txt, NAME=FILE ...) are the demo model, a copy of it and short texts.
. "$SRCDIR/tests/e2e/e2e_lib.sh"

# What the pages' commands find: at most three ranks, few tokens, windows that the demo's context holds.
mkdir "$scratch/bin" "$scratch/given"
cat >"$scratch/bin/mpirun" <<SH
#!/bin/sh
shift 2
exec $(command -v "$launcher") -n 3 "\$@"
SH
cat >"$scratch/bin/laser_mpi" <<SH
#!/bin/sh
exec "$laser" "\$@"
SH
chmod +x "$scratch/bin/mpirun" "$scratch/bin/laser_mpi"
cp "$SRCDIR"/inputs/*.yaml "$scratch/given"
cp -r "$demo" "$scratch/given/demo-model"
for dir in base clean edited; do
    mkdir "$scratch/given/$dir"
    cp "$demo/tokenizer.json" "$demo/tokenizer_config.json" "$demo/config.json" "$scratch/given/$dir"
done
check "a fine-tuned model and its base" "$BUILDDIR/tests/e2e/e2e_stored" pair 1 3 "$demo" "$scratch/given/base" \
    "$scratch/given/clean" "$scratch/given/edited"
head -c 24000 "$text" >"$scratch/given/text.txt"
head -c 40000 "$text" | tail -c 16000 >"$scratch/given/other.txt"
awk 'NF { gsub(/[\\"]/, ""); printf "{\"text\": \"%s\"}\n", $0 }' "$scratch/given/other.txt" | head -80 >"$scratch/given/c4_sample.jsonl"
i=0
while [ $i -lt 30 ]; do
    echo "{\"kind\": \"choice\", \"prompt\": \"And the king said unto him,\", \"choices\": [\" Go in peace $i\", \" zq $i\"], \"answer\": $((i % 2))}"
    i=$((i + 1))
done >"$scratch/given/questions.jsonl"
sed 's/"kind": "choice"/"kind": "preference"/; s/"choices": \[\(.*\), \(.*\)\], "answer": [01]/"chosen": \1, "rejected": \2/' \
    "$scratch/given/questions.jsonl" >"$scratch/given/dpo.jsonl"

furnish() { # directory: gives it every name that the pages use
    mkdir -p "$1/path/to" "$1/build" "$1/inputs"
    for name in smollm2 path/to/model DIR MODEL A demo-model inputs/demo-model; do ln -s "$scratch/given/demo-model" "$1/$name"; done
    ln -s "$scratch/given/base" "$1/BASE"
    for name in TUNED EDITED; do ln -s "$scratch/given/edited" "$1/$name"; done
    for name in text.txt wiki.txt FILE; do ln -s "$scratch/given/text.txt" "$1/$name"; done
    ln -s "$scratch/given/c4_sample.jsonl" "$1/c4_sample.jsonl"
    ln -s "$scratch/given/c4_sample.jsonl" "$1/code.jsonl"
    ln -s "$scratch/given/other.txt" "$1/other.txt"
    ln -s "$scratch/given/questions.jsonl" "$1/questions.jsonl"
    ln -s "$scratch/given/questions.jsonl" "$1/facts.jsonl"
    ln -s "$scratch/given/dpo.jsonl" "$1/dpo.jsonl"
    ln -s "$scratch/given/laser-paper.yaml" "$1/laser-paper.yaml"
    ln -s "$laser" "$1/build/laser_mpi"
}

# blocks PAGE DIRECTORY: its shell blocks as DIRECTORY/1, 2, ...; of a block with prompts, the lines behind "$ ".  A block
# without one of the commands below is no shell block.
blocks() {
    awk -v dir="$2" '
        function close_block() {
            if (text ~ /(^|\n)(\$ )?(mpirun|laser_mpi|sbatch|for m in|hf|\.\/quickstart|pip|apt-get)/) {
                if (prompts) text = shown
                printf "%s", text > (dir "/" (++n))
                close(dir "/" n)
            }
        }
        /^```/ { if (code) close_block(); code = !code; kind = substr($0, 4); text = shown = ""; prompts = 0; next }
        code && kind == "" { text = text $0 "\n" }
        code && kind == "" && /^\$ / { prompts = 1; shown = shown substr($0, 3) "\n" }' "$1"
    # Indented commands, one a line.
    awk -v dir="$2" '/^```/ { code = !code } !code && /^    (mpirun|laser_mpi) / { print substr($0, 5) > (dir "/i" (++n)) }' "$1"
}
why_not() { # block: why it is not run; nothing where it is
    case $(cat "$1") in
    *quickstart*) echo "installs packages; .ci/run runs it" ;;
    *"hf download"*) echo "needs a network" ;;
    *sbatch*) echo "needs SLURM; make check-slurm runs the job scripts" ;;
    *torn.json*) echo "shows error messages; test_exchange_foreign has them" ;;
    esac
}

LASER_MPI_EVALUATE_MAX_TOKENS=3000 LASER_MPI_EVALUATE_SEQLEN=64
export LASER_MPI_EVALUATE_MAX_TOKENS LASER_MPI_EVALUATE_SEQLEN
ran=0
for page in README.md doc/tutorial.md doc/cluster.md doc/exports.md doc/tasks.md doc/divergence.md doc/tune.md doc/compress.md \
    doc/laser.md doc/sensitivity.md doc/windows.md doc/formats.md doc/models.md doc/report.md; do
    place=$scratch/$(basename "$page" .md)
    mkdir -p "$place.blocks"
    furnish "$place"
    [ "$page" != doc/exports.md ] || (cd "$place" && "$laser" scan --model demo-model >/dev/null)
    blocks "$SRCDIR/$page" "$place.blocks"
    for block in $(find "$place.blocks" -type f | sort -V); do
        first=$(head -1 "$block" | cut -c1-70)
        reason=$(why_not "$block")
        if [ -n "$reason" ]; then
            skip "$page: $first" "$reason"
            continue
        fi
        ran=$((ran + 1))
        # The model's context is 256 tokens; the sweep's cells and rounds are counted in other tests.
        sed 's/--seqlen 512/--seqlen 64/; s/laser-paper.yaml/& --set reduce.evaluations=4/' "$block" >"$block.run"
        check "$page: $first" sh -c "cd '$place' && PATH='$scratch/bin':\$PATH timeout 60 sh -e '$block.run'"
    done
done
check "most blocks were run" test "$ran" -ge 18
finish
