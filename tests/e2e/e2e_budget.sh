#!/bin/sh
# The strategy budget: how much its tolerance allows, from where it counts, and that a resumed search counts from there, too.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out

budget() { # name tolerance options...
    budget_name=$1 budget_tolerance=$2
    shift 2
    run 2 reduce --model "$demo" --text "demo=$text" --set evaluate.max_tokens=2000 --strategy budget --candidates 2 --set reduce.screen=false \
        --set reduce.fractions=0.2 --set "reduce.tolerance=$budget_tolerance" --output "$out/$budget_name" "$@"
}
of() { # name key...
    of_name=$1
    shift
    "$tool" get "$out/$of_name/results.json" "$@"
}
kept() { # name expected...
    kept_name=$1
    shift
    echo "$(of "$kept_name" decisions 0 kept) $(of "$kept_name" decisions 1 kept), $* was expected"
    [ "$(of "$kept_name" decisions 0 kept) $(of "$kept_name" decisions 1 kept)" = "$*" ]
}
number() { awk -v z="$zero" -v a="$first" -v b="$second" "BEGIN { a -= z; b -= z; printf \"%.9g\", ($1) }"; }

check "two cuts of which all is allowed" budget all 2
check "... are kept" kept all true true
zero=$(of all baseline selection nll) first=$(of all decisions 0 nll) second=$(of all decisions 1 nll)
check "(each makes it worse)" test "$(number 'a > 1e-3 && b > a + 1e-3 && b < 2 * a')" = 1
# The perplexity may rise by the factor 1 + tolerance: the loss by the logarithm of that.
check "a little more than the first costs" budget more "$(number 'exp(a) - 1 + a * a / 8')"
check "... allows it" kept more true false
check "a little less" budget less "$(number 'exp(a) - 1 - a * a / 8')"
check "... does not" test "$(of less decisions 0 kept)" = false
# Between what the first costs and what both do: the second is refused, also by a later start.
between=$(number 'exp((a + b) / 2) - 1')
check "less than both cost" budget both "$between"
check "... allows the first" kept both true false
mkdir -p "$out/broken"
cp -r "$out/both/." "$out/broken"
awk '{ print } /^decision/ { exit }' "$out/both/ledger.txt" >"$out/broken/ledger.txt"
check "a start behind the first decision" budget broken "$between"
check "... takes it over" says "RESUME +1 decisions are made already"
check "... and decides the same" kept broken true false
check "... to the same results" near_results "$out/both" "$out/broken" 1e-6
finish
