#!/bin/bash
# Three jobs after one another: scan a model, reduce it (the scan's values are used again), evaluate what was written.
#
#   slurm/chain.sh MODEL NAME=TEXT OUTPUT [OPTIONS OF sbatch]
set -eu
model=${1:?MODEL} text=${2:?NAME=TEXT} output=${3:?OUTPUT}
shift 3
here=$(cd "$(dirname "$0")" && pwd)
export LASER_SLURM=${LASER_SLURM:-$here}

# A requeued job counts when it has done all of its work; if one fails, those behind it are cancelled.
scan=$(sbatch --parsable "$@" "$here/scan.sbatch" "$model" "$output")
reduce=$(sbatch --parsable --dependency=afterok:"$scan" --kill-on-invalid-dep=yes "$@" \
    "$here/reduce.sbatch" "$model" "$text" "$output")
evaluate=$(sbatch --parsable --dependency=afterok:"$reduce" --kill-on-invalid-dep=yes "$@" \
    "$here/perplexity.sbatch" "$output/model" "$text" "$output/evaluation")
echo "scan $scan, reduce $reduce, evaluate $evaluate"
