#!/bin/sh
# What clusters need is in order: job scripts and recipes by syntax, an installation has them where they say they are.
. "$SRCDIR/tests/e2e/e2e_lib.sh"

for script in "$SRCDIR"/slurm/*.sbatch "$SRCDIR"/slurm/*.sh; do
    check "$(basename "$script"): syntax" bash -n "$script"
    command -v shellcheck >/dev/null && check "$(basename "$script"): shellcheck" shellcheck -s bash -x -e SC1091 "$script"
done
for script in "$SRCDIR"/slurm/*.sbatch; do
    check "$(basename "$script") hears of its limit and can be requeued" sh -c \
        "grep -q '^#SBATCH --signal=B:USR1@' '$script' && grep -q '^#SBATCH --requeue' '$script'"
done

# A job script without SLURM: stubs note what they are asked to do.
mkdir "$scratch/bin"
cat >"$scratch/bin/srun" <<'STUB'
#!/bin/sh
echo "srun $*" >>"$NOTES"
exit "${SRUN_CODE:-0}"
STUB
cat >"$scratch/bin/squeue" <<'STUB'
#!/bin/sh
echo "${TIME_LEFT:-4:00:00}"
STUB
for program in scontrol sbatch mpirun; do
    printf '#!/bin/sh\necho "%s $*" >>"$NOTES"\n' $program >"$scratch/bin/$program"
done
chmod +x "$scratch"/bin/*
NOTES=$scratch/notes
export NOTES
job() { # code script arguments...: runs a job script whose srun ends with the code
    : >"$NOTES"
    job_code=$1
    shift
    SRUN_CODE=$job_code PATH=$scratch/bin:$PATH LASER_SLURM=$SRCDIR/slurm SLURM_JOB_ID=7 SLURM_NTASKS=32 \
        SLURM_JOB_NUM_NODES=2 SLURM_JOB_NODELIST='n[1-2]' SLURM_CPUS_PER_TASK=2 bash "$@" >"$scratch/last.log" 2>&1
    [ $? = "$job_code" ]
}
noted() { grep -qE -- "$1" "$NOTES" || { cat "$NOTES"; return 1; }; }
check "a scan job" job 0 "$SRCDIR/slurm/scan.sbatch" MODEL OUT --threshold laserrmt
check "... starts all ranks of the allocation, with their threads" noted "^srun .*--ntasks=32 .*--cpus-per-task=2 .*laser_mpi scan "
check "... with the time that is left" noted "--max-time 14310s"
check "... and the options" noted "--model MODEL --output OUT --threshold laserrmt"
check "... is not requeued when it is done" test "$(grep -c scontrol "$NOTES")" = 0
check "a job that stopped in time" job 75 "$SRCDIR/slurm/reduce.sbatch" MODEL a=TEXT OUT
check "... is requeued" noted "^scontrol requeue 7"
check "a job with an error in its input" job 3 "$SRCDIR/slurm/reduce.sbatch" MODEL a=TEXT OUT
check "... is not" test "$(grep -c scontrol "$NOTES")" = 0
check "a job that lost a rank" job 137 "$SRCDIR/slurm/perplexity.sbatch" MODEL a=TEXT OUT
check "... is requeued" noted "^scontrol requeue 7"
SLURM_RESTART_COUNT=5
export SLURM_RESTART_COUNT
check "a job that has lost ranks too often" job 137 "$SRCDIR/slurm/perplexity.sbatch" MODEL a=TEXT OUT
check "... is not" test "$(grep -c scontrol "$NOTES")" = 0
unset SLURM_RESTART_COUNT
LASER_AGAIN=resubmit
export LASER_AGAIN
check "where jobs cannot be requeued" job 75 "$SRCDIR/slurm/scan.sbatch" MODEL OUT
check "... a new one is submitted" noted "^sbatch --dependency=afterany:7"
unset LASER_AGAIN
TIME_LEFT=1-02:00:30
export TIME_LEFT
check "days are understood" job 0 "$SRCDIR/slurm/scan.sbatch" MODEL OUT
check "... as seconds" noted "--max-time 93540s"
TIME_LEFT=UNLIMITED
check "a job without limit" job 0 "$SRCDIR/slurm/scan.sbatch" MODEL OUT
check "... has none" sh -c "! grep -q max-time '$NOTES'"

if python=$(command -v python3) && "$python" -c 'import ast' 2>/dev/null; then
    for recipe in package.py reframe_laser_mpi.py laser_mpi-0.2.0-foss-2025b.eb; do
        check "$recipe: syntax" "$python" -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$SRCDIR/packaging/$recipe"
    done
    check "the EasyBuild recipe defines what every recipe must" "$python" - "$SRCDIR/packaging/laser_mpi-0.2.0-foss-2025b.eb" <<'PY'
import sys
names = {"SOURCE_TAR_GZ": "x"}
exec(open(sys.argv[1]).read(), names)
for key in "easyblock name version homepage description toolchain sources moduleclass sanity_check_paths".split():
    assert names[key], key
assert all(len(d) == 2 for d in names["dependencies"])
PY
else
    skip "the recipes' syntax" "no python3"
fi
check "the recipes are of this version" sh -c "
    version=\$(sed -n 's/^AC_INIT(\\[laser_mpi\\], \\[\\(.*\\)\\])/\\1/p' '$SRCDIR/configure.ac') && cd '$SRCDIR' && [ -n \"\$version\" ] &&
    grep -q \"^version = '\$version'\" packaging/laser_mpi-\$version-foss-2025b.eb && grep -q \"version(\\\"\$version\\\")\" packaging/package.py &&
    grep -q \"^laser-mpi (\$version-\" packaging/debian/changelog && grep -q \"^version: \$version\" CITATION.cff &&
    head -1 NEWS | grep -q \"laser_mpi \$version\""
if command -v dpkg-parsechangelog >/dev/null; then
    check "the Debian changelog" dpkg-parsechangelog -l "$SRCDIR/packaging/debian/changelog"
fi
check "debian/rules and make-deb: syntax" sh -c "make -n -f '$SRCDIR/packaging/debian/rules' -p >/dev/null 2>&1; sh -n '$SRCDIR/packaging/make-deb'"
check "the container's definition has its sections" sh -c "for s in %files %post %environment %runscript %test; do
    grep -q \"^\$s\" '$SRCDIR/packaging/laser_mpi.def' || exit 1; done"
for f in "$BUILDDIR"/packaging/[0-9]*; do
    check "$(basename "$f"): every path is filled in" sh -c "! grep -q '@[A-Za-z]*@' '$f'"
done
command -v luac >/dev/null && check "the Lua module: syntax" luac -p "$BUILDDIR"/packaging/*.lua
if command -v tclsh >/dev/null; then
    echo 'exit [expr {![info complete [read [open [lindex $argv 0]]]]}]' >"$scratch/complete.tcl"
    for f in "$BUILDDIR"/packaging/[0-9]*; do
        case $f in *.lua) ;; *) check "the Tcl module: syntax" tclsh "$scratch/complete.tcl" "$f" ;; esac
    done
fi
finish
