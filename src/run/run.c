#include "config.h"

#include "run/run.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"
#include "base/output.h"
#include "report/scan_report.h"
#include "run/signals.h"

int laser_run_asked(int asked, struct laser_error *err)
{
    return asked ? laser_error_set(err, LASER_ESTOPPED, "",
                                   "stopped by a signal; give the same command again to resume")
                 : LASER_OK;
}

const char *laser_run_path(const struct laser_run *run, const char *name)
{
    static char path[4096 + 256];

    snprintf(path, sizeof path, "%s/%s", run->output, name);
    return path;
}

int laser_run_stop(struct laser_run *run, struct laser_error *err)
{
    static struct timespec last;
    struct timespec now;
    double limit_s = run->settings->run.max_time;

    if (laser_signalled() != 0)
        return laser_error_set(err, LASER_ESTOPPED, "",
                               "stopped by signal %d (%s); give the same command again to resume",
                               laser_signalled(), strsignal(laser_signalled()));
    clock_gettime(CLOCK_MONOTONIC, &now);
    if ((double)(now.tv_sec - last.tv_sec) + 1e-9 * (double)(now.tv_nsec - last.tv_nsec) < 0.1)
        return LASER_OK;
    last = now;
    if (limit_s > 0 && laser_clock_s() > run->pace.deadline_s && run->pace.n_durable > 0)
        return laser_error_set(err, LASER_ESTOPPED, "run.max_time",
                               "stopped after %.0f s, as asked; give the same command again to resume",
                               limit_s);
    if (access(laser_run_path(run, "STOP"), F_OK) == 0)
        return laser_error_set(
            err, LASER_ESTOPPED, laser_run_path(run, "STOP"),
            "stopped because this file is there; remove it and give the same command again to resume");
    return LASER_OK;
}

int laser_run_may_go_on(struct laser_run *run, int any, double expected_s, struct laser_error *err)
{
    double left_s = run->pace.deadline_s - laser_clock_s();
    char takes[LASER_NUMBER_SIZE], left[LASER_NUMBER_SIZE];
    int code = laser_run_asked(any, err);

    if (code == LASER_OK && run->pace.n_durable > 0 && expected_s > left_s)
        code = laser_error_set(
            err, LASER_ESTOPPED, "run.max_time",
            "stopped: the next work item takes about %s, %s are left; give the same command again to resume",
            laser_number_time(expected_s, takes), laser_number_time(left_s > 0 ? left_s : 0, left));
    return code == LASER_OK ? laser_run_stop(run, err) : code;
}

void laser_run_begin(struct laser_run *run)
{
    double limit_s = run->settings->run.max_time;

    run->dir.lock_fd = -1;
    run->start_s = laser_clock_s();
    run->pace = (struct laser_pace){.deadline_s = limit_s > 0 ? run->start_s + limit_s : INFINITY,
                                    .stall_s = run->settings->run.stall_time};
}

static bool edits(const struct laser_run *run)
{
    return run->command == LASER_COMMAND_REDUCE || run->command == LASER_COMMAND_APPLY;
}

const char *laser_run_adapter(const struct laser_run *run)
{
    const bool takes = run->command == LASER_COMMAND_SCAN || run->command == LASER_COMMAND_PLAN ||
                       run->command == LASER_COMMAND_PERPLEXITY || run->command == LASER_COMMAND_EVALUATE ||
                       edits(run);

    return takes ? run->settings->adapter : "";
}

const char *laser_run_base(const struct laser_run *run)
{
    const bool takes = run->command == LASER_COMMAND_SCAN || run->command == LASER_COMMAND_PLAN ||
                       run->command == LASER_COMMAND_REDUCE || run->command == LASER_COMMAND_APPLY ||
                       run->command == LASER_COMMAND_EXPORT;

    return takes ? run->settings->scan.base : "";
}

bool laser_run_edits_change(const struct laser_run *run)
{
    return edits(run) && laser_run_base(run)[0] != '\0';
}

bool laser_run_writes_anew(const struct laser_run *run, enum laser_dtype *dtype)
{
    static const enum laser_dtype types[] = {[LASER_DECK_DTYPE_STORED] = LASER_DTYPE_COUNT,
                                             [LASER_DECK_DTYPE_BFLOAT16] = LASER_BF16,
                                             [LASER_DECK_DTYPE_FLOAT16] = LASER_F16,
                                             [LASER_DECK_DTYPE_FLOAT32] = LASER_F32};

    *dtype = edits(run) ? types[run->settings->reduce.write_dtype] : LASER_DTYPE_COUNT;
    return *dtype != LASER_DTYPE_COUNT || (edits(run) && laser_run_adapter(run)[0] != '\0');
}

int laser_run_source(const struct laser_run *run, const struct laser_matrix *matrix,
                     struct laser_matrix_source *source, struct laser_error *err)
{
    return laser_matrix_source_open(run->checkpoint, run->change, matrix, source, err);
}

struct laser_checkpoint_fingerprint laser_run_print(const struct laser_run *run)
{
    return laser_checkpoint_fingerprint(run->change != NULL ? run->change : run->checkpoint);
}

/* Identity of the model, as the first entry of the ledger has it. */
struct identity {
    char content[20];
    char times[20];
};

struct visit_state {
    struct laser_run *run;
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

static int64_t find_matrix(const struct laser_run *run, const char *name)
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
                     strcmp(solver, laser_deck_value_text(v->run->deck, LASER_KEY_scan_solver)) == 0;
}

static int keep_entry(struct laser_ledger_entries *list, const struct laser_ledger_entry *entry,
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

static void forget_entries(struct laser_ledger_entries *list)
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

static int write_run_entry(struct laser_run *run, const struct identity *now, struct laser_error *err)
{
    struct laser_ledger_line line;

    laser_ledger_line_begin(&line, "run");
    laser_ledger_line_text(&line, "command", laser_command_name(run->command));
    laser_ledger_line_text(&line, "version", PACKAGE_VERSION);
    laser_ledger_line_text(&line, "model", run->checkpoint->model);
    laser_ledger_line_text(&line, "content", now->content);
    laser_ledger_line_text(&line, "times", now->times);
    laser_ledger_line_text(&line, "solver", laser_deck_value_text(run->deck, LASER_KEY_scan_solver));
    laser_ledger_line_int(&line, "ranks", run->size);
    return laser_ledger_append(run->ledger, &line, true, err);
}

/* Puts an old ledger aside. */
static int set_aside(struct laser_run *run, struct laser_error *err)
{
    char path[4400], old[4500];

    snprintf(path, sizeof path, "%s", laser_run_path(run, "ledger.txt"));
    snprintf(old, sizeof old, "%s.old", path);
    if (rename(path, old) == 0)
        return laser_directory_sync_of(path, err);
    if (errno != ENOENT)
        return laser_error_set(err, LASER_EIO, path, "cannot put the old ledger aside: %s", strerror(errno));
    return LASER_OK;
}

/* Rank 0. */
static int open_ledger(struct laser_run *run, struct laser_error *err)
{
    struct laser_checkpoint_fingerprint print = laser_run_print(run);
    struct visit_state v = {.run = run, .force = run->settings->run.force};
    char path[4400];
    int64_t torn;
    int code = LASER_OK;

    snprintf(v.now.content, sizeof v.now.content, "%016" PRIx64, print.content);
    snprintf(v.now.times, sizeof v.now.times, "%016" PRIx64, print.times);
    snprintf(path, sizeof path, "%s", laser_run_path(run, "ledger.txt"));
    run->outcomes = calloc((size_t)run->matrices.n_matrices + 1, sizeof *run->outcomes);
    if (run->outcomes == NULL)
        return laser_error_set(err, LASER_ENOMEM, "", "no memory for %" PRId64 " matrices",
                               run->matrices.n_matrices);
    if (v.force)
        code = set_aside(run, err);
    if (code == LASER_OK)
        code = laser_ledger_open(path, visit, &v, &torn, &run->ledger, err);
    if (code == LASER_OK && torn > 0)
        laser_log_line(run->log, "RESUME", "cut %" PRId64 " bytes of a torn last line off the ledger", torn);
    if (code == LASER_OK && v.reused > 0)
        laser_log_line(run->log, "RESUME", "%d of %" PRId64 " matrices are done already", v.reused,
                       run->matrices.n_matrices);
    if (code == LASER_OK && v.not_reused > 0)
        laser_log_line(run->log, "RESUME", "%d finished matrices are not used again: %s", v.not_reused,
                       v.changed ? "the model's files have been changed since" : "the solver is another one");
    if (code == LASER_OK)
        code = write_run_entry(run, &v.now, err);
    return code;
}

/* Rank 0, of the commands that write scan files. */
static int check_names(const struct laser_run *run, struct laser_error *err)
{
    const char *asked = run->settings->scan.model_id;
    char *model_id;
    int code;

    if (run->command != LASER_COMMAND_SCAN && run->command != LASER_COMMAND_REDUCE)
        return LASER_OK;
    model_id = asked[0] != '\0' ? strdup(asked) : laser_scan_model_id(run->checkpoint->model);
    code = model_id == NULL ? laser_error_set(err, LASER_ENOMEM, "scan.model_id", "no memory")
                            : laser_scan_check_names(run->settings->output, model_id,
                                                     (int)run->settings->scan.top_percent, err);
    free(model_id);
    return code;
}

int laser_run_open_output(struct laser_run *run, struct laser_error *err)
{
    int code = check_names(run, err);

    if (code == LASER_OK)
        code = laser_rundir_open(run->settings->output,
                                 run->checkpoint->single_file ? NULL : run->checkpoint->dir, &run->dir, err);
    if (code != LASER_OK)
        return code;
    snprintf(run->output, sizeof run->output, "%s", run->dir.path);
    code = laser_directory_make(laser_run_path(run, "work"), err);
    return code == LASER_OK ? open_ledger(run, err) : code;
}

void laser_run_close(struct laser_run *run)
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
