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
#include "checkpoint/difference.h"
#include "comm/agree.h"
#include "comm/signals.h"
#include "model/absent.h"
#include "report/scan_report.h"
#include "schedule/header.h"
#include "schedule/notes.h"
#include "schedule/speed.h"
#include "store/h5matrices.h"

/* Of a limited run: to measure the machine takes about a hundredth of this. */
#define WORTH_MEASURING_S 10

int laser_mpi_run_safe_point(struct laser_mpi_run *run, double expected_s, struct laser_error *err)
{
    int seen = laser_mpi_signalled() != 0, any = 0, code = LASER_OK;
    double left_s = run->pace.deadline_s - MPI_Wtime();
    char takes[LASER_NUMBER_SIZE], left[LASER_NUMBER_SIZE];

    MPI_Allreduce(&seen, &any, 1, MPI_INT, MPI_MAX, run->world);
    if (run->rank == 0) {
        code = laser_mpi_run_asked(any, err);
        if (code == LASER_OK && run->pace.n_durable > 0 && expected_s > left_s)
            code = laser_error_set(
                err, LASER_ESTOPPED, "run.max_time",
                "stopped: the next piece takes about %s, %s are left; the same command goes on from here",
                laser_number_time(expected_s, takes), laser_number_time(left_s > 0 ? left_s : 0, left));
        if (code == LASER_OK)
            code = laser_mpi_run_stop(run, err);
    }
    return laser_mpi_agree(run->world, code, err);
}

int laser_mpi_run_asked(int asked, struct laser_error *err)
{
    return asked ? laser_error_set(err, LASER_ESTOPPED, "",
                                   "stopped by a signal; the same command goes on from here")
                 : LASER_OK;
}

const char *laser_mpi_run_path(const struct laser_mpi_run *run, const char *name)
{
    static char path[4096 + 256];

    snprintf(path, sizeof path, "%s/%s", run->output, name);
    return path;
}

int laser_mpi_run_stop(struct laser_mpi_run *run, struct laser_error *err)
{
    static struct timespec last;
    struct timespec now;
    double limit_s = laser_deck_real(run->deck, "run.max_time");

    if (laser_mpi_signalled() != 0)
        return laser_error_set(err, LASER_ESTOPPED, "",
                               "stopped by signal %d (%s); the same command goes on from here",
                               laser_mpi_signalled(), strsignal(laser_mpi_signalled()));
    clock_gettime(CLOCK_MONOTONIC, &now);
    if ((double)(now.tv_sec - last.tv_sec) + 1e-9 * (double)(now.tv_nsec - last.tv_nsec) < 0.1)
        return LASER_OK;
    last = now;
    if (limit_s > 0 && MPI_Wtime() > run->pace.deadline_s && run->pace.n_durable > 0)
        return laser_error_set(err, LASER_ESTOPPED, "run.max_time",
                               "stopped after %.0f s, as asked; the same command goes on from here", limit_s);
    if (access(laser_mpi_run_path(run, "STOP"), F_OK) == 0)
        return laser_error_set(
            err, LASER_ESTOPPED, laser_mpi_run_path(run, "STOP"),
            "stopped because this file is there; remove it, and the same command goes on from here");
    return LASER_OK;
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

/* Rank 0: W_model - W_base in the place of the model. */
static int subtract_base(struct laser_checkpoint *checkpoint, const char *base, struct laser_error *err)
{
    struct laser_checkpoint *other = NULL;
    struct laser_difference found;
    int code = laser_checkpoint_open(base, &other, err);

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

int laser_mpi_share_changed(MPI_Comm comm, const char *model, const char *adapter, const char *base,
                            bool plans, struct laser_checkpoint **checkpoint, struct laser_error *err)
{
    void *data = NULL;
    size_t n = 0;
    int rank, code = LASER_OK;

    MPI_Comm_rank(comm, &rank);
    if (rank == 0) {
        code = laser_h5_is_file(model)                 ? laser_h5_matrices_open(model, checkpoint, err)
               : plans && laser_model_is_absent(model) ? laser_model_absent(model, checkpoint, err)
                                                       : laser_checkpoint_open(model, checkpoint, err);
        if (code == LASER_OK && adapter[0] != '\0')
            code = add_adapter(*checkpoint, adapter, err);
        if (code == LASER_OK && base[0] != '\0')
            code = subtract_base(*checkpoint, base, err);
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
    return laser_mpi_share_changed(comm, model, "", "", plans, checkpoint, err);
}

static int list_matrices(struct laser_mpi_run *run, struct laser_error *err)
{
    static const char *const everything[] = {"*"}; /* an HDF5 file holds nothing but what is to be scanned */
    struct laser_matrix_options options = {0};
    int code;

    options.include = laser_deck_list(run->deck, "scan.matrices", &options.n_include);
    options.exclude = laser_deck_list(run->deck, "scan.exclude", &options.n_exclude);
    if (run->only != NULL) {
        options.include = run->only;
        options.n_include = run->n_only;
        options.n_exclude = 0;
    }
    if (options.n_include == 0 && laser_h5_is_file(run->checkpoint->model)) {
        options.include = everything;
        options.n_include = 1;
    }
    options.split_fused =
        run->only != NULL ? run->only_parts : laser_deck_bool(run->deck, "scan.split_fused");
    code = laser_matrix_list(run->checkpoint, &options, &run->matrices, err);
    if (code == LASER_OK && run->change != NULL)
        code = laser_matrix_list_changed(run->checkpoint, run->change, &run->matrices, err);
    code = laser_mpi_agree(run->world, code, err);
    if (code == LASER_OK && run->rank == 0)
        laser_mpi_say_whole(run);
    return code;
}

/* What a rank may use: the deck's figure, or its share of the node's memory; never more than the limits of
 * the process leave. */
static void set_memory_limit(struct laser_mpi_run *run)
{
    double limit = (double)laser_deck_int(run->deck, "parallel.memory_per_rank");
    const struct laser_address_space space = laser_address_space();
    double base = laser_resident_memory();
    int ranks, workers = run->size > 1 && run->rank == 0 ? 0 : 1;
    MPI_Comm node;

    MPI_Comm_split_type(run->world, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &ranks);
    MPI_Allreduce(MPI_IN_PLACE, &workers, 1, MPI_INT, MPI_SUM, node);
    MPI_Comm_free(&node);
    if (limit <= 0)
        limit = 0.9 * laser_node_memory() / ranks;
    if (base + 0.9 * space.left_bytes < limit) {
        limit = base + 0.9 * space.left_bytes;
        run->limit_name = space.name;
    }
    MPI_Allreduce(&base, &run->base_bytes, 1, MPI_DOUBLE, MPI_MAX, run->world);
    MPI_Allreduce(&limit, &run->memory_limit_bytes, 1, MPI_DOUBLE, MPI_MIN, run->world);
    workers = workers > 0 ? workers : INT_MAX; /* a node that has only the coordinator */
    MPI_Allreduce(&workers, &run->node_workers, 1, MPI_INT, MPI_MIN, run->world);
}

static void set_pace(struct laser_mpi_run *run)
{
    double limit_s = laser_deck_real(run->deck, "run.max_time");

    run->pace = (struct laser_mpi_pace){.deadline_s = limit_s > 0 ? run->start_s + limit_s : INFINITY,
                                        .stall_s = laser_deck_real(run->deck, "run.stall_time")};
}

const char *laser_mpi_run_adapter(const struct laser_mpi_run *run)
{
    const bool takes = run->command == LASER_COMMAND_SCAN || run->command == LASER_COMMAND_PLAN ||
                       run->command == LASER_COMMAND_PERPLEXITY || run->command == LASER_COMMAND_EVALUATE;

    return takes ? laser_deck_string(run->deck, "adapter") : "";
}

const char *laser_mpi_run_base(const struct laser_mpi_run *run)
{
    const bool takes = run->command == LASER_COMMAND_SCAN || run->command == LASER_COMMAND_PLAN ||
                       run->command == LASER_COMMAND_REDUCE || run->command == LASER_COMMAND_APPLY;

    return takes ? laser_deck_string(run->deck, "scan.base") : "";
}

int laser_mpi_run_source(const struct laser_mpi_run *run, const struct laser_matrix *matrix,
                         struct laser_matrix_source *source, struct laser_error *err)
{
    return laser_matrix_source_open(run->checkpoint, run->change, matrix, source, err);
}

struct laser_checkpoint_fingerprint laser_mpi_run_print(const struct laser_mpi_run *run)
{
    return laser_checkpoint_fingerprint(run->change != NULL ? run->change : run->checkpoint);
}

/* A scan takes the difference for the model; what edits needs both. */
static bool edits(const struct laser_mpi_run *run)
{
    return run->command == LASER_COMMAND_REDUCE || run->command == LASER_COMMAND_APPLY;
}

/* Collective: the model, and its difference from the base. */
static int open_checkpoints(struct laser_mpi_run *run, struct laser_error *err)
{
    const char *model = laser_deck_string(run->deck, "model"), *base = laser_mpi_run_base(run);
    int code = laser_mpi_share_changed(run->world, model, laser_mpi_run_adapter(run), edits(run) ? "" : base,
                                       run->command == LASER_COMMAND_PLAN, &run->checkpoint, err);

    if (code == LASER_OK && edits(run) && base[0] != '\0')
        code = laser_mpi_share_changed(run->world, model, "", base, false, &run->change, err);
    return code;
}

int laser_mpi_run_open_model(struct laser_mpi_run *run, struct laser_error *err)
{
    int code;

    run->dir.lock_fd = -1;
    run->start_s = MPI_Wtime();
    set_pace(run);
    if (laser_deck_string(run->deck, "model")[0] == '\0')
        return laser_error_set(err, LASER_EUSAGE, "model",
                               "no model: give --model DIR, or `model:` in the deck");
    code = open_checkpoints(run, err);
    if (code == LASER_OK)
        run->checkpoint->copy_other_weights = laser_deck_bool(run->deck, "run.copy_other_weights");
    if (code == LASER_OK && run->rank == 0)
        laser_mpi_say_beside(run);
    if (code == LASER_OK)
        code = list_matrices(run, err);
    if (code == LASER_OK)
        set_memory_limit(run);
    return code;
}

/* Identity of the model, as the first entry of the ledger has it. */
struct identity {
    char content[20];
    char times[20];
};

struct visit_state {
    struct laser_mpi_run *run;
    struct identity now;
    bool force;
    bool any;         /* a run entry was seen */
    bool same_model;  /* the last run entry is of this model, unchanged */
    char other[500];  /* else the model that it is of; a run that came to no result claims nothing */
    bool changed;     /* ... of this model with other modification times */
    bool same_values; /* same solver and selection of parts, so that values can be used again */
    bool same_search;
    int reused, not_reused;
};

static int64_t find_matrix(const struct laser_mpi_run *run, const char *name)
{
    for (int64_t i = 0; i < run->matrices.n_matrices; ++i)
        if (strcmp(run->matrices.matrices[i].name, name) == 0)
            return i;
    return -1;
}

static void visit_run(struct visit_state *v, const struct laser_ledger_entry *entry)
{
    const char *content = laser_ledger_get(entry, "content"), *times = laser_ledger_get(entry, "times");
    const char *solver = laser_ledger_get(entry, "solver"), *model = laser_ledger_get(entry, "model");

    v->any = true;
    v->same_model = content != NULL && strcmp(content, v->now.content) == 0;
    snprintf(v->other, sizeof v->other, "%.400s, content %.40s", model != NULL ? model : "?",
             content != NULL ? content : "?");
    v->changed = v->same_model && (times == NULL || strcmp(times, v->now.times) != 0);
    v->same_values = v->same_model && !v->changed && solver != NULL &&
                     strcmp(solver, laser_deck_string(v->run->deck, "scan.solver")) == 0;
}

static int keep_entry(struct laser_mpi_entries *list, const struct laser_ledger_entry *entry,
                      struct laser_error *err)
{
    struct laser_ledger_entry *bigger = realloc(list->entries, ((size_t)list->n + 1) * sizeof *bigger);
    struct laser_ledger_entry *mine;
    ptrdiff_t shift;
    size_t size;

    if (bigger == NULL)
        return laser_error_set(err, LASER_ENOMEM, "ledger", "no memory for an entry");
    list->entries = bigger;
    mine = &bigger[list->n];
    *mine = *entry;
    /* The entry's strings point into its text: up to the end of the last value. */
    size = (size_t)(entry->kind - entry->text) + strlen(entry->kind) + 1;
    for (int i = 0; i < entry->n_fields; ++i) {
        size_t end = (size_t)(entry->fields[i].value - entry->text) + strlen(entry->fields[i].value) + 1;
        size = end > size ? end : size;
    }
    mine->text = malloc(size);
    if (mine->text == NULL)
        return laser_error_set(err, LASER_ENOMEM, "ledger", "no memory for an entry");
    memcpy(mine->text, entry->text, size);
    shift = mine->text - entry->text;
    mine->kind += shift;
    for (int i = 0; i < entry->n_fields; ++i) {
        mine->fields[i].key += shift;
        mine->fields[i].value += shift;
    }
    ++list->n;
    return LASER_OK;
}

static void forget_entries(struct laser_mpi_entries *list)
{
    for (int i = 0; i < list->n; ++i)
        laser_ledger_entry_free(&list->entries[i]);
    free(list->entries);
    list->entries = NULL;
    list->n = 0;
}

static int visit(void *context, const struct laser_ledger_entry *entry, struct laser_error *err)
{
    struct visit_state *v = context;

    if (strcmp(entry->kind, "run") == 0) {
        visit_run(v, entry);
        return LASER_OK;
    }
    if (v->any && !v->same_model && !v->force)
        return laser_error_set(err, LASER_EUSAGE, v->run->output,
                               "this output directory holds a run of another model (%s; this one is %s); "
                               "choose another --output, or --force to start afresh",
                               v->other, v->now.content);
    if (strcmp(entry->kind, "matrix") == 0) {
        const char *name = laser_ledger_get(entry, "name");
        int64_t i = name != NULL ? find_matrix(v->run, name) : -1;
        if (i >= 0 && v->same_values) {
            v->reused += v->run->outcomes[i].status == LASER_OUTCOME_OPEN;
            laser_outcome_read(entry, &v->run->outcomes[i]);
        } else if (i >= 0) {
            ++v->not_reused;
        }
    }
    if (strcmp(entry->kind, "batch") == 0 && v->same_model && !v->changed)
        return keep_entry(&v->run->batches, entry, err);
    if (strcmp(entry->kind, "search") == 0)
        forget_entries(&v->run->decisions);
    if (v->same_values && (strcmp(entry->kind, "search") == 0 || strcmp(entry->kind, "base") == 0 ||
                           strcmp(entry->kind, "decision") == 0))
        return keep_entry(&v->run->decisions, entry, err);
    return LASER_OK;
}

static int write_run_entry(struct laser_mpi_run *run, const struct identity *now, struct laser_error *err)
{
    struct laser_ledger_line line;

    laser_ledger_line_begin(&line, "run");
    laser_ledger_line_text(&line, "command", laser_command_name(run->command));
    laser_ledger_line_text(&line, "version", PACKAGE_VERSION);
    laser_ledger_line_text(&line, "model", run->checkpoint->model);
    laser_ledger_line_text(&line, "content", now->content);
    laser_ledger_line_text(&line, "times", now->times);
    laser_ledger_line_text(&line, "solver", laser_deck_string(run->deck, "scan.solver"));
    laser_ledger_line_int(&line, "ranks", run->size);
    return laser_ledger_append(run->ledger, &line, true, err);
}

/* Puts an old ledger aside. */
static int set_aside(struct laser_mpi_run *run, struct laser_error *err)
{
    char path[4400], old[4500];

    snprintf(path, sizeof path, "%s", laser_mpi_run_path(run, "ledger.txt"));
    snprintf(old, sizeof old, "%s.old", path);
    if (rename(path, old) == 0)
        return laser_directory_sync_of(path, err);
    if (errno != ENOENT)
        return laser_error_set(err, LASER_EIO, path, "cannot put the old ledger aside: %s", strerror(errno));
    return LASER_OK;
}

/* Rank 0. */
static int open_ledger(struct laser_mpi_run *run, struct laser_error *err)
{
    struct laser_checkpoint_fingerprint print = laser_mpi_run_print(run);
    struct visit_state v = {.run = run, .force = laser_deck_bool(run->deck, "run.force")};
    char path[4400];
    int64_t torn;
    int code = LASER_OK;

    snprintf(v.now.content, sizeof v.now.content, "%016" PRIx64, print.content);
    snprintf(v.now.times, sizeof v.now.times, "%016" PRIx64, print.times);
    snprintf(path, sizeof path, "%s", laser_mpi_run_path(run, "ledger.txt"));
    run->outcomes = calloc((size_t)run->matrices.n_matrices + 1, sizeof *run->outcomes);
    if (run->outcomes == NULL)
        return laser_error_set(err, LASER_ENOMEM, "", "no memory for %" PRId64 " matrices",
                               run->matrices.n_matrices);
    if (v.force)
        code = set_aside(run, err);
    if (code == LASER_OK)
        code = laser_ledger_open(path, visit, &v, &torn, &run->ledger, err);
    if (code == LASER_OK && torn > 0)
        laser_mpi_log_line(run->log, "RESUME", "cut %" PRId64 " bytes of a torn last line off the ledger",
                           torn);
    if (code == LASER_OK && v.reused > 0)
        laser_mpi_log_line(run->log, "RESUME", "%d of %" PRId64 " matrices are done already", v.reused,
                           run->matrices.n_matrices);
    if (code == LASER_OK && v.not_reused > 0)
        laser_mpi_log_line(run->log, "RESUME", "%d finished matrices are not used again: %s", v.not_reused,
                           v.changed ? "the model's files have been changed since"
                                     : "the solver is another one");
    if (code == LASER_OK)
        code = write_run_entry(run, &v.now, err);
    return code;
}

/* Rank 0, of the commands that write scan files. */
static int check_names(const struct laser_mpi_run *run, struct laser_error *err)
{
    const char *asked = laser_deck_string(run->deck, "scan.model_id");
    char *model_id;
    int code;

    if (run->command != LASER_COMMAND_SCAN && run->command != LASER_COMMAND_REDUCE)
        return LASER_OK;
    model_id = asked[0] != '\0' ? strdup(asked) : laser_scan_model_id(run->checkpoint->model);
    code = model_id == NULL ? laser_error_set(err, LASER_ENOMEM, "scan.model_id", "no memory")
                            : laser_scan_check_names(laser_deck_string(run->deck, "output"), model_id,
                                                     (int)laser_deck_int(run->deck, "scan.top_percent"), err);
    free(model_id);
    return code;
}

int laser_mpi_run_open(struct laser_mpi_run *run, struct laser_error *err)
{
    int code = laser_mpi_run_open_model(run, err);

    if (code != LASER_OK)
        return code;
    if (run->rank == 0)
        code = check_names(run, err);
    if (code == LASER_OK && run->rank == 0) {
        code = laser_rundir_open(laser_deck_string(run->deck, "output"),
                                 run->checkpoint->single_file ? NULL : run->checkpoint->dir, &run->dir, err);
        if (code == LASER_OK) {
            snprintf(run->output, sizeof run->output, "%s", run->dir.path);
            code = laser_directory_make(laser_mpi_run_path(run, "work"), err);
        }
        if (code == LASER_OK)
            code = open_ledger(run, err);
    }
    if (code == LASER_OK && run->rank == 0)
        laser_mpi_header_model(run);
    code = laser_mpi_agree(run->world, code, err);
    if (code == LASER_OK && laser_deck_real(run->deck, "run.max_time") >= WORTH_MEASURING_S)
        laser_mpi_speed_measure(run, &run->speed);
    MPI_Bcast(run->output, (int)sizeof run->output, MPI_BYTE, 0, run->world);
    return code;
}

void laser_mpi_run_close(struct laser_mpi_run *run)
{
    struct laser_error ignored;

    laser_ledger_close(run->ledger, &ignored);
    run->ledger = NULL;
    forget_entries(&run->decisions);
    forget_entries(&run->batches);
    free(run->outcomes);
    run->outcomes = NULL;
    laser_rundir_close(&run->dir);
    laser_matrix_list_free(&run->matrices);
    laser_checkpoint_close(run->checkpoint);
    laser_checkpoint_close(run->change);
    run->checkpoint = run->change = NULL;
}
