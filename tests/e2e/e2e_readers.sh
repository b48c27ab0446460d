#!/bin/sh
# The readers of PyPI on the files that the program writes (tools/check_exports.py): PEFT, transformers, TRL, Axolotl,
# LLaMA-Factory, ms-swift, WeightWatcher, as far as they are there.  PYTHON names an interpreter that has them.
python=${PYTHON:-python3}
"$python" -c 'import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ("peft", "transformers", "torch"))))' \
    2>/dev/null || {
    echo "skipped: $python has no peft, transformers and torch (PYTHON names another interpreter)"
    exit 77
}
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out limit=300
check "reduce with an adapter" run 3 run "$SRCDIR/inputs/demo.yaml" --output "$out/reduce" --also lora
check "export" run 2 export "$out/reduce" --output "$out/export" --top-percent 40 --rank 8 --model "$demo" \
    --format axolotl,llama-factory,ms-swift,peft,weightwatcher,spectrum,pissa,milora
"$python" "$SRCDIR/tools/check_exports.py" "$out/reduce" "$out/export" "$demo" "$out/reduce" 2>"$scratch/readers.log"
status=$?
[ $status = 0 ] || tail -20 "$scratch/readers.log"
check "the readers take the files" test $status = 0
finish
