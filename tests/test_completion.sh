#!/bin/sh
# The shells' completion knows commands, options, their choices and keys.
. "$SRCDIR/tests/e2e/e2e_lib.sh"

cat >"$scratch/complete" <<'BASH'
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_laser_mpi 2>/dev/null
echo "${COMPREPLY[*]}"
BASH
completes() { # expected word...: what bash offers for the last word
    expected=$1
    shift
    offered=$(bash "$scratch/complete" "$BUILDDIR/completion/laser_mpi" "$@")
    check "'$*' completes to '$expected'" test "$offered" = "$expected"
    [ "$offered" = "$expected" ] || echo "    offered: $offered"
}
if command -v bash >/dev/null; then
    check "bash: syntax" bash -n "$BUILDDIR/completion/laser_mpi"
    completes "scan" laser_mpi sc
    completes "--solver" laser_mpi scan --sol
    completes "auto gram gesvd" laser_mpi scan --solver ''
    completes "--remove" laser_mpi -m DIR compress --rem
    completes "" laser_mpi scan --rem
    completes "scan.threshold=" laser_mpi scan --set scan.th
    completes "scan sensitivity show" laser_mpi help s
    completes "" laser_mpi scan --model "$scratch"
    completes "--help" laser_mpi show --he
else
    skip "completion for bash" "no bash"
fi
if command -v zsh >/dev/null; then
    check "zsh: syntax" zsh -n "$BUILDDIR/completion/_laser_mpi"
    # _arguments itself reads every specification; without a line to complete it only complains of those that it cannot read.
    check "zsh: loads" zsh -fc "autoload -U compinit && compinit -D -u && fpath=('$BUILDDIR/completion' \$fpath) &&
        autoload -U _laser_mpi && autoload +X _laser_mpi"
else
    skip "completion for zsh" "no zsh"
fi
finish
