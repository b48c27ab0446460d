# What the job scripts share; each sets what a site may change and then calls `laser_job ARGUMENTS OF laser_mpi`.
#
# The run is told how much time is left and stops by itself before the limit; the signal before the limit is passed on to
# the ranks.  Both end in exit code 75: the state is on disk, and the job puts itself into the queue again.  So does a job
# that has lost a rank or a node.  The number of starts is limited.
#
#   LASER_MPI          the program                                           laser_mpi
#   LASER_LAUNCHER     srun, mpirun, or a whole command                      srun
#   LASER_BIND         what a rank is bound to: core, or none                core
#   LASER_AGAIN        how a stopped job continues: requeue, resubmit, no      requeue
#   LASER_MARGIN       seconds before the limit at which the run is to end   90
#   LASER_MAX_STARTS   of one job                                            50
#   LASER_MAX_LOST     starts after which a lost rank is not tried again     5

# Seconds left of the job, from squeue's [D-]HH:MM:SS; nothing where there is no limit.
laser_seconds_left() {
    squeue -h -j "$SLURM_JOB_ID" -o %L 2>/dev/null | awk -F'[-:]' '
        /^[0-9:-]+$/ {
            days = index($0, "-") ? $1 : 0
            s = 0
            for (i = index($0, "-") ? 2 : 1; i <= NF; i++) s = 60 * s + $i
            print 86400 * days + s
            exit
        }'
}

# Becomes the launcher, in the background shell that it is called in: signals are to reach the launcher itself.
laser_launch() { # program arguments...
    case ${LASER_LAUNCHER:-srun} in
    srun)
        # A rank that stops on request ends with 75 like all the others: no reason to kill those.  --wait bounds what a lost
        # rank can hold up.
        if [ "${LASER_BIND:-core}" = none ]; then set -- --cpu-bind=none "$@"; else set -- --cpu-bind=cores "$@"; fi
        exec srun --ntasks="$SLURM_NTASKS" --kill-on-bad-exit=0 --wait=60 ${SLURM_CPUS_PER_TASK:+--cpus-per-task="$SLURM_CPUS_PER_TASK"} "$@"
        ;;
    mpirun)
        if [ "${LASER_BIND:-core}" = none ]; then
            set -- --bind-to none "$@"
        else
            set -- --map-by "slot:PE=$OMP_NUM_THREADS" --bind-to core "$@"
        fi
        exec mpirun -np "$SLURM_NTASKS" "$@"
        ;;
    *)
        # shellcheck disable=SC2086
        exec $LASER_LAUNCHER "$@"
        ;;
    esac
}

# The signal is passed on to the ranks; a `wait` that it interrupts is repeated.
laser_pass_on() {
    laser_asked=$1
    [ -z "$laser_child" ] || kill -"$1" "$laser_child" 2>/dev/null
}

laser_again() { # why
    local job=$SLURM_JOB_ID command
    [ -z "${SLURM_ARRAY_JOB_ID:-}" ] || job=${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}
    case ${LASER_AGAIN:-requeue} in
    requeue)
        echo "laser_mpi job $job: $1; requeued"
        scontrol requeue "$job"
        ;;
    resubmit)
        command=$(scontrol show job -o "$SLURM_JOB_ID" | sed 's/.* Command=//; s/ WorkDir=.*//')
        echo "laser_mpi job $job: $1; submitted again"
        # shellcheck disable=SC2086
        sbatch --dependency=afterany:"$SLURM_JOB_ID" --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_NTASKS" $command
        ;;
    *) echo "laser_mpi job $job: $1; give the same command again to resume" ;;
    esac
}

laser_job() {
    local code left start=${SLURM_RESTART_COUNT:-0} command=$1
    shift
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}
    laser_asked='' laser_child=''
    trap 'laser_pass_on USR1' USR1
    trap 'laser_pass_on TERM' TERM
    echo "laser_mpi job $SLURM_JOB_ID, start $start: $SLURM_NTASKS ranks on $SLURM_JOB_NUM_NODES nodes ($SLURM_JOB_NODELIST)"
    left=$(laser_seconds_left)
    if [ -n "$left" ] && [ "$left" -gt $((2 * ${LASER_MARGIN:-90})) ]; then
        set -- --max-time $((left - ${LASER_MARGIN:-90}))s "$@"
    fi
    laser_launch "${LASER_MPI:-laser_mpi}" "$command" "$@" &
    laser_child=$!
    while :; do
        wait "$laser_child"
        code=$?
        kill -0 "$laser_child" 2>/dev/null || break
    done
    case $code in
    0 | 2 | 3 | 4 | 5 | 6 | 70) ;; # done, or what another start would only meet again
    75)
        if [ "$laser_asked" != TERM ] && [ "$start" -lt "${LASER_MAX_STARTS:-50}" ]; then
            laser_again "stopped before its time was up"
        fi
        ;;
    *)
        if [ "$laser_asked" != TERM ] && [ "$start" -lt "${LASER_MAX_LOST:-5}" ]; then
            laser_again "lost a rank or a node (code $code)"
        fi
        ;;
    esac
    return "$code"
}
