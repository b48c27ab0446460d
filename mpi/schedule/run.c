#include "config.h"

#include "schedule/run.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/node.h"
#include "base/number.h"
#include "base/output.h"
#include "checkpoint/adapter.h"
#include "checkpoint/cast.h"
#include "checkpoint/difference.h"
#include "comm/agree.h"
#include "model/absent.h"
#include "plan/layout.h"
#include "report/scan_report.h"
#include "run/notes.h"
#include "run/signals.h"
#include "schedule/calibrate.h"
#include "store/h5file.h"
#include "store/h5matrices.h"

#ifdef HAVE_OPENBLAS_GET_CONFIG
char *openblas_get_config(void);
#endif

/* Of a limited run: to measure the machine takes about a hundredth of this. */
#define WORTH_MEASURING_S 10

int laser_mpi_run_safe_point(struct laser_run *run, double expected_s, struct laser_error *err)
{
    int seen = laser_signalled() != 0, any = 0, code = LASER_OK;

    MPI_Allreduce(&seen, &any, 1, MPI_INT, MPI_MAX, laser_mpi_world(run));
    if (run->rank == 0)
        code = laser_run_may_go_on(run, any, expected_s, err);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

const char *laser_mpi_libraries(void)
{
    static char text[1024];
    char mpi[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length;

    MPI_Get_library_version(mpi, &length);
    mpi[strcspn(mpi, ",\n")] = '\0';
    /* MPICH puts a tab between words, and the log has no control characters. */
    for (char *at = mpi; (at = strchr(at, '\t')) != NULL; *at = ' ')
        ;
    snprintf(text, sizeof text, "%.700s; BLAS and LAPACK: %s; ScaLAPACK: %s; HDF5 %s", mpi,
#ifdef HAVE_OPENBLAS_GET_CONFIG
             openblas_get_config(),
#else
             LASER_BLAS_LIBS,
#endif
             LASER_SCALAPACK_LIBS, laser_h5_version());
    return text;
}

int laser_mpi_share(MPI_Comm comm, void **data, size_t *n, struct laser_error *err)
{
    unsigned long long size = *n;
    int rank, code = LASER_OK;

    MPI_Comm_rank(comm, &rank);
    MPI_Bcast(&size, 1, MPI_UNSIGNED_LONG_LONG, 0, comm);
    if (rank != 0) {
        *n = (size_t)size;
        *data = malloc(*n > 0 ? *n : 1);
        if (*data == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "broadcast", "no memory for %llu bytes", size);
    }
    code = laser_mpi_agree(comm, code, err);
    if (code != LASER_OK) {
        if (rank != 0)
            free(*data);
        return code;
    }
    for (size_t at = 0; at < *n; at += INT_MAX / 2) {
        size_t piece = *n - at < INT_MAX / 2 ? *n - at : INT_MAX / 2;
        MPI_Bcast((char *)*data + at, (int)piece, MPI_BYTE, 0, comm);
    }
    return LASER_OK;
}

/* A plan needs no weights. */
static int open_plain(const char *model, bool plans, struct laser_checkpoint **checkpoint,
                      struct laser_error *err)
{
    return plans && laser_model_is_absent(model) ? laser_model_absent(model, checkpoint, err)
                                                 : laser_checkpoint_open(model, checkpoint, err);
}

/* Rank 0: W_model - W_base in the place of the model. */
static int subtract_base(struct laser_checkpoint *checkpoint, const char *base, bool products, bool plans,
                         struct laser_error *err)
{
    struct laser_checkpoint *other = NULL;
    struct laser_difference found;
    int code = open_plain(base, plans, &other, err);

    if (code == LASER_OK && products)
        code = laser_factors_resolve(other, err);
    if (code == LASER_OK)
        code = laser_checkpoint_subtract(checkpoint, other, &found, err);
    laser_checkpoint_close(other);
    return code;
}

/* Rank 0: the model with an adapter in the place of the model. */
static int add_adapter(struct laser_checkpoint *checkpoint, const char *adapter, struct laser_error *err)
{
    struct laser_checkpoint *other = NULL;
    int code = laser_checkpoint_open(adapter, &other, err);

    if (code == LASER_OK)
        code = laser_checkpoint_adapt(checkpoint, other, err);
    laser_checkpoint_close(other);
    return code;
}

/* Local. */
static int open_changed(const char *model, const struct laser_mpi_changes *changes, bool plans,
                        struct laser_checkpoint **checkpoint, struct laser_error *err)
{
    int code = laser_h5_is_file(model) ? laser_h5_matrices_open(model, checkpoint, err)
                                       : open_plain(model, plans, checkpoint, err);

    if (code == LASER_OK && changes->products)
        code = laser_factors_resolve(*checkpoint, err);
    if (code == LASER_OK && changes->adapter[0] != '\0')
        code = add_adapter(*checkpoint, changes->adapter, err);
    if (code == LASER_OK && changes->anew)
        code = laser_checkpoint_cast(*checkpoint, changes->dtype, err);
    if (code == LASER_OK && changes->base[0] != '\0')
        code = subtract_base(*checkpoint, changes->base, changes->products, plans, err);
    return code;
}

/* What a run does to its model; the base apart. */
static struct laser_mpi_changes changes_of(const struct laser_run *run)
{
    struct laser_mpi_changes changes = {.products = run->command == LASER_COMMAND_SCAN ||
                                                    run->command == LASER_COMMAND_PLAN,
                                        .adapter = laser_run_adapter(run),
                                        .base = ""};

    changes.anew = laser_run_writes_anew(run, &changes.dtype);
    return changes;
}

int laser_mpi_open_alone(const struct laser_run *run, struct laser_checkpoint **checkpoint,
                         struct laser_error *err)
{
    const struct laser_mpi_changes changes = changes_of(run);

    return open_changed(run->settings->model, &changes, false, checkpoint, err);
}

int laser_mpi_share_changed(MPI_Comm comm, const char *model, const struct laser_mpi_changes *changes,
                            bool plans, struct laser_checkpoint **checkpoint, struct laser_error *err)
{
    void *data = NULL;
    size_t n = 0;
    int rank, code = LASER_OK;

    MPI_Comm_rank(comm, &rank);
    if (rank == 0) {
        code = open_changed(model, changes, plans, checkpoint, err);
        if (code == LASER_OK)
            code = laser_checkpoint_pack(*checkpoint, &data, &n, err);
    }
    code = laser_mpi_agree(comm, code, err);
    if (code == LASER_OK)
        code = laser_mpi_share(comm, &data, &n, err);
    if (code == LASER_OK) {
        if (rank != 0)
            code = laser_checkpoint_unpack(data, n, checkpoint, err);
        code = laser_mpi_agree(comm, code, err);
    }
    free(data);
    return code;
}

int laser_mpi_share_checkpoint(MPI_Comm comm, const char *model, bool plans,
                               struct laser_checkpoint **checkpoint, struct laser_error *err)
{
    const struct laser_mpi_changes none = {.adapter = "", .base = ""};

    return laser_mpi_share_changed(comm, model, &none, plans, checkpoint, err);
}

static int list_matrices(struct laser_run *run, struct laser_error *err)
{
    static const char *const everything[] = {"*"}; /* an HDF5 file holds nothing but what is to be scanned */
    struct laser_matrix_options options = {0};
    int code;

    options.include = run->settings->scan.matrices.items;
    options.n_include = run->settings->scan.matrices.count;
    options.exclude = run->settings->scan.exclude.items;
    options.n_exclude = run->settings->scan.exclude.count;
    if (run->only != NULL) {
        options.include = run->only;
        options.n_include = run->n_only;
        options.n_exclude = 0;
    }
    if (options.n_include == 0 && laser_h5_is_file(run->checkpoint->model)) {
        options.include = everything;
        options.n_include = 1;
    }
    options.split_fused = run->only != NULL ? run->only_parts : run->settings->scan.split_fused;
    code = laser_matrix_list(run->checkpoint, &options, &run->matrices, err);
    if (code == LASER_OK && run->change != NULL)
        code = laser_matrix_list_changed(run->checkpoint, run->change, &run->matrices, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK && run->rank == 0)
        laser_say_whole(run);
    return code;
}

/* What a rank may use: the deck's figure, or its share of the node's memory; never more than the limits of
 * the process leave. */
void laser_mpi_run_limits(struct laser_run *run)
{
    double limit = (double)run->settings->parallel.memory_per_rank;
    const struct laser_address_space space = laser_address_space();
    double base = laser_resident_memory();
    int ranks, workers = run->size > 1 && run->rank == 0 ? 0 : 1;
    MPI_Comm node;

    MPI_Comm_split_type(laser_mpi_world(run), MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &ranks);
    MPI_Allreduce(MPI_IN_PLACE, &workers, 1, MPI_INT, MPI_SUM, node);
    MPI_Comm_free(&node);
    if (limit <= 0)
        limit = 0.9 * laser_node_memory() / ranks;
    if (base + 0.9 * space.left_bytes < limit) {
        limit = base + 0.9 * space.left_bytes;
        run->limit_name = space.name;
    }
    MPI_Allreduce(&base, &run->base_bytes, 1, MPI_DOUBLE, MPI_MAX, laser_mpi_world(run));
    MPI_Allreduce(&limit, &run->memory_limit_bytes, 1, MPI_DOUBLE, MPI_MIN, laser_mpi_world(run));
    workers = workers > 0 ? workers : INT_MAX; /* a node that has only the coordinator */
    MPI_Allreduce(&workers, &run->node_workers, 1, MPI_INT, MPI_MIN, laser_mpi_world(run));
}

/* Collective: the model, and its difference from the base.  A scan takes the difference for the model; what edits
 * needs both. */
static int open_checkpoints(struct laser_run *run, struct laser_error *err)
{
    const char *model = run->settings->model, *base = laser_run_base(run);
    const bool edits = laser_run_edits_change(run);
    struct laser_mpi_changes changes = changes_of(run);
    int code;

    changes.base = edits ? "" : base;
    code = laser_mpi_share_changed(laser_mpi_world(run), model, &changes, run->command == LASER_COMMAND_PLAN,
                                   &run->checkpoint, err);
    changes.base = base;
    if (code == LASER_OK && edits)
        code = laser_mpi_share_changed(laser_mpi_world(run), model, &changes, false, &run->change, err);
    return code;
}

static bool only_scans(const struct laser_run *run)
{
    return run->command == LASER_COMMAND_SCAN ||
           (run->command == LASER_COMMAND_PLAN && run->settings->evaluate.text.count == 0 &&
            run->settings->evaluate.task.count == 0);
}

int laser_mpi_run_open_model(struct laser_run *run, struct laser_error *err)
{
    int code;

    laser_run_begin(run);
    if (run->settings->model[0] == '\0')
        return laser_error_set(err, LASER_EUSAGE, "model",
                               "no model: give --model DIR, or `model:` in the deck");
    code = open_checkpoints(run, err);
    if (code == LASER_OK)
        run->checkpoint->copy_other_weights = run->settings->run.copy_other_weights;
    if (code == LASER_OK)
        run->checkpoint->requantise =
            run->command == LASER_COMMAND_REDUCE || run->command == LASER_COMMAND_APPLY;
    if (code == LASER_OK && run->rank == 0)
        laser_say_beside(run);
    if (code == LASER_OK)
        code = list_matrices(run, err);
    if (code == LASER_OK && run->rank == 0 && only_scans(run))
        laser_say_not_run(run);
    if (code == LASER_OK)
        laser_mpi_run_limits(run);
    return code;
}

int laser_mpi_run_open(struct laser_run *run, struct laser_error *err)
{
    int code = laser_mpi_run_open_model(run, err);

    if (code != LASER_OK)
        return code;
    if (run->rank == 0)
        code = laser_run_open_output(run, err);
    if (code == LASER_OK && run->rank == 0)
        laser_say_model(run);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK && run->settings->run.max_time >= WORTH_MEASURING_S)
        laser_mpi_calibrate(run, &run->speed);
    MPI_Bcast(run->output, (int)sizeof run->output, MPI_BYTE, 0, laser_mpi_world(run));
    return code;
}
