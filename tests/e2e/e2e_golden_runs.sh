# What tests/e2e/e2e_golden.sh compares and tools/golden/make_outputs.sh writes: the runs, and their outputs as lists of facts.
# Sourced after e2e_lib.sh.
outputs=$BUILDDIR/tests/e2e/e2e_outputs
tasks=$SRCDIR/tests/golden/task
facts=$SRCDIR/tests/data/facts
stories=$SRCDIR/../shared/data/models/stories260K
stories_text=$SRCDIR/../shared/data/text/tinystories_1000.txt

# golden_names: the runs that can be made here, in order; one after another, since some start from others' outputs.
golden_names() {
    echo demo compat sweep facts budget perplexity evaluate compare derive export exported-adapters report apply
    [ -d "$stories" ] && [ -f "$stories_text" ] && echo stories
}

# golden_run NAME RANKS: into $out/NAME-RANKS.
golden_run() {
    golden_out=$out/$1-$2 golden_model=$demo
    case $1 in
    demo)
        run "$2" --set evaluate.max_tokens=4000 --set reduce.candidates=4 --output "$golden_out"
        ;;
    compat)
        run "$2" reduce --compat laserrmt --model "$demo" --text "demo=$text" --set evaluate.max_tokens=2000 \
            --set reduce.candidates=4 --matrices "model.layers.[23].*" --output "$golden_out"
        ;;
    stories)
        golden_model=$stories
        run "$2" reduce --compat laserrmt --model "$stories" --text "stories=$stories_text" \
            --set evaluate.max_tokens=4000 --output "$golden_out"
        ;;
    sweep)
        run "$2" reduce --model "$demo" --text "demo=$text" --set evaluate.max_tokens=1500 --strategy compose \
            --set reduce.types=fc_in,q,mlp --set reduce.layers=1,3,-1 --set reduce.fractions=rate:5,0.1 \
            --matrices "model.layers.[13].*.q_proj.*" --matrices "model.layers.[13].mlp.*" \
            --output "$golden_out"
        ;;
    facts)
        golden_model=$facts/model
        head -n 80 "$facts/facts.jsonl" >"$scratch/facts.jsonl"
        run "$2" reduce --model "$facts/model" --task "facts=$scratch/facts.jsonl" --text "facts=$facts/facts.txt" \
            --objective '0.5*accuracy + 0.5*log_loss' --set evaluate.validation_share=0.4 --strategy snr --candidates 3 \
            --threshold rank:0.5 --output "$golden_out"
        ;;
    budget)
        run "$2" reduce --model "$demo" --text "demo=$text" --set evaluate.max_tokens=1500 --strategy budget \
            --set reduce.tolerance=0.2 --set reduce.fractions=0.5,0.1 --candidates 3 --also factored,lora \
            --matrices "model.layers.4.mlp.*" \
            --output "$golden_out"
        ;;
    perplexity)
        run "$2" perplexity --model "$demo" --text "a=$text" --text "b=$SRCDIR/inputs/demo-text/report.txt" \
            --set evaluate.convention=hf-strided --set evaluate.stride=64 --set evaluate.max_tokens=1500 \
            --output "$golden_out"
        ;;
    evaluate)
        run "$2" evaluate --model "$demo" --task "$tasks/choice.jsonl" --task "$tasks/completion.jsonl" \
            --task "$tasks/preference.jsonl" --output "$golden_out"
        ;;
    compare)
        run "$2" perplexity --model "$out/compat-$2/model" --text "a=$text" \
            --text "b=$SRCDIR/inputs/demo-text/report.txt" --set evaluate.convention=hf-strided \
            --set evaluate.stride=64 --set evaluate.max_tokens=1500 --output "$scratch/edited" &&
            run "$2" compare "$out/perplexity-$2" "$scratch/edited" --output "$golden_out"
        ;;
    derive)
        run "$2" derive "$out/demo-$2/spectra.h5" --threshold gavish-donoho --score snr-normalized --output "$golden_out"
        ;;
    export)
        run "$2" export "$out/demo-$2" --top-percent 40 --output "$golden_out"
        ;;
    exported-adapters)
        run "$2" export "$out/demo-$2" --model "$demo" --per overall --top-percent 10 \
            --format pissa,milora --output "$golden_out"
        ;;
    report)
        run "$2" report "$out/compat-$2" --compare "$out/sweep-$2" --figures svg --output "$golden_out"
        ;;
    apply)
        run "$2" apply "$out/compat-$2/plan.yaml" --model "$demo" --output "$golden_out"
        ;;
    esac
}

# golden_list NAME RANKS FILE: its facts.  The page of the demo and that of two runs side by side stand for all pages.
golden_list() {
    case $1 in
    demo | report | evaluate | perplexity) ;;
    *) rm -f "$out/$1-$2/report.html" ;;
    esac
    "$outputs" list "$out/$1-$2" "$golden_model" "$out=OUT" "$BUILDDIR/..=SRC" "$SRCDIR=SRC" "$1-$2=$1" \
        "demo-$2=demo" "compat-$2=compat" "sweep-$2=sweep" "perplexity-$2=perplexity" "$scratch=SCRATCH" "${stories%/data/*}=SHARED" >"$3"
}
