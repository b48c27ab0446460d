/* The command `apply`: the edits of a plan.yaml on the same model, or another copy of it; or none, where the model is
 * written with an adapter in it or in another type. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "comm/agree.h"
#include "commands/commands.h"
#include "reduce/edit_plan.h"
#include "reduce/reduction.h"
#include "report/scan_report.h"
#include "schedule/scan.h"

static int find_matrix(const struct laser_matrix_list *list, const char *name)
{
    for (int64_t i = 0; i < list->n_matrices; ++i)
        if (strcmp(list->matrices[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* "x.weight[3][q]": does the plan edit parts of fused tensors?  Experts have numbers. */
static bool has_parts(const struct laser_edit_plan *plan)
{
    for (int64_t i = 0; i < plan->n_items; ++i) {
        const char *bracket = strrchr(plan->items[i].tensor, '[');
        if (bracket != NULL && bracket[1] >= 'a' && bracket[1] <= 'z')
            return true;
    }
    return false;
}

static int check_item(const struct laser_edit_plan *plan, const struct laser_edit_plan_item *item,
                      const struct laser_checkpoint *c, const struct laser_matrix_list *list,
                      struct laser_error *err)
{
    int i = find_matrix(list, item->tensor), code;
    const struct laser_matrix *m = i >= 0 ? &list->matrices[i] : NULL;
    uint64_t hash;

    if (m == NULL)
        return laser_error_set(err, LASER_EINPUT, item->tensor,
                               "the plan edits this matrix, but %s does not have it: the plan is for "
                               "another model (%s)",
                               c->model, plan->model);
    if (m->rows != item->rows || m->cols != item->columns ||
        strcmp(laser_dtype_name(m->dtype), item->dtype) != 0)
        return laser_error_set(err, LASER_EINPUT, item->tensor,
                               "%s of shape [%" PRId64 ", %" PRId64 "] in the plan, %s of [%" PRId64
                               ", %" PRId64 "] in %s: the plan is for another model (%s)",
                               item->dtype, item->rows, item->columns, laser_dtype_name(m->dtype), m->rows,
                               m->cols, c->model, plan->model);
    code = laser_tensor_hash(c, &c->tensors[m->tensor], &hash, err);
    if (code != LASER_OK)
        return code;
    if (hash != item->hash)
        return laser_error_set(err, LASER_EINPUT, item->tensor,
                               "its contents are not those that the plan was made for (hash %016" PRIx64
                               ", the plan has %016" PRIx64 "): the plan is for another model (%s)",
                               hash, item->hash, plan->model);
    return LASER_OK;
}

/* Are these the matrices that the plan was made for: name, shape, dtype and bytes. */
static int check_plan(const struct laser_edit_plan *plan, const struct laser_checkpoint *c,
                      struct laser_error *err)
{
    struct laser_matrix_list list;
    static const char *const everything[] = {"*"};
    struct laser_matrix_options options = {
        .include = everything, .n_include = 1, .split_fused = has_parts(plan)};
    int code = laser_matrix_list(c, &options, &list, err);

    if (code != LASER_OK)
        return code;
    for (int64_t i = 0; code == LASER_OK && i < plan->n_items; ++i)
        code = check_item(plan, &plan->items[i], c, &list, err);
    laser_matrix_list_free(&list);
    return code;
}

/* Rank 0.  Differences are edited if and only if the plan was made so. */
static int check_base_given(const struct laser_run *run, const struct laser_edit_plan *plan,
                            struct laser_error *err)
{
    const bool given = laser_run_base(run)[0] != '\0';

    if (plan->base != NULL && !given)
        return laser_error_set(err, LASER_EUSAGE, "scan.base",
                               "the plan edits differences from a base (%.300s): give --base DIR",
                               plan->base);
    if (plan->base == NULL && given)
        return laser_error_set(err, LASER_EUSAGE, "scan.base",
                               "the plan edits the matrices of a model, not differences from a base");
    return LASER_OK;
}

/* Rank 0.  Is the base the one that the plan was made with? */
static int check_changes(const struct laser_run *run, const struct laser_edit_plan *plan,
                         struct laser_error *err)
{
    for (int64_t i = 0; run->change != NULL && i < plan->n_items; ++i) {
        int at = find_matrix(&run->matrices, plan->items[i].tensor), code;
        uint64_t hash;

        if (at < 0)
            return laser_error_set(err, LASER_EINPUT, plan->items[i].tensor,
                                   "the plan edits its difference, but %s has none: another base (%s)",
                                   laser_run_base(run), plan->base);
        code =
            laser_change_hash(run, &run->checkpoint->tensors[run->matrices.matrices[at].tensor], &hash, err);
        if (code != LASER_OK)
            return code;
        if (hash != plan->items[i].change_hash)
            return laser_error_set(err, LASER_EINPUT, plan->items[i].tensor,
                                   "its difference from %s is not the one that the plan was made for (hash "
                                   "%016" PRIx64 ", the plan has %016" PRIx64 "): another base (%s)",
                                   laser_run_base(run), hash, plan->items[i].change_hash, plan->base);
    }
    return LASER_OK;
}

/* Rank 0.  Singular values that the plan refers to lie beside it. */
static int find_values(struct laser_run *run, struct laser_error *err)
{
    char *folder = laser_file_directory(run->arguments[0]);

    if (folder == NULL)
        return laser_error_set(err, LASER_ENOMEM, "plan", "no memory");
    snprintf(run->values, sizeof run->values, "%s", folder);
    free(folder);
    return LASER_OK;
}

/* The plan as every rank gets it: the file's bytes. */
static int share_plan(struct laser_run *run, struct laser_edit_plan *plan, struct laser_error *err)
{
    struct laser_text text = {0};
    struct laser_checkpoint *c = NULL;
    char *names = NULL;
    size_t size = 0;
    int code = LASER_OK;

    if (run->rank == 0) {
        code = laser_edit_plan_read(run->arguments[0], plan, err);
        if (code == LASER_OK && plan->n_items == 0)
            code = laser_error_set(err, LASER_EINPUT, run->arguments[0], "the plan has no edits to replay");
        if (code == LASER_OK && run->settings->model[0] == '\0')
            code = laser_error_set(err, LASER_EUSAGE, "model", "no model: give --model DIR");
        if (code == LASER_OK)
            code = check_base_given(run, plan, err);
        /* Checked before anything is made. */
        if (code == LASER_OK)
            code = laser_mpi_open_alone(run, &c, err);
        if (code == LASER_OK)
            code = check_plan(plan, c, err);
        laser_checkpoint_close(c);
        for (int64_t i = 0; code == LASER_OK && i < plan->n_items; ++i)
            laser_text_add(&text, plan->items[i].tensor, strlen(plan->items[i].tensor) + 1);
        if (code == LASER_OK && text.failed)
            code = laser_error_set(err, LASER_ENOMEM, "plan", "no memory");
        names = text.data;
        size = text.size;
        if (code == LASER_OK)
            code = find_values(run, err);
    }
    MPI_Bcast(run->values, (int)sizeof run->values, MPI_BYTE, 0, laser_mpi_world(run));
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK) {
        code = laser_mpi_share(laser_mpi_world(run), (void **)&names, &size, err);
        if (code != LASER_OK && run->rank != 0)
            names = NULL;
    }
    if (code == LASER_OK) {
        const char **list;
        int parts = run->rank == 0 && has_parts(plan);
        MPI_Bcast(&parts, 1, MPI_INT, 0, laser_mpi_world(run));
        run->only_parts = parts != 0;
        for (size_t at = 0; at < size; at += strlen(names + at) + 1)
            ++run->n_only;
        list = calloc((size_t)run->n_only + 1, sizeof *list);
        for (size_t at = 0, i = 0; list != NULL && at < size; at += strlen(names + at) + 1)
            list[i++] = names + at;
        run->only = list;
        if (list == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "plan", "no memory");
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
    }
    if (code != LASER_OK)
        free(names);
    return code;
}

/* Rank 0: the edits as a strategy's plan, which the making of edits starts from. */
static int fill_edits(struct laser_reduction *r, const struct laser_edit_plan *plan, int32_t *numbers,
                      struct laser_error *err)
{
    r->trials.plan.edits = calloc((size_t)plan->n_items + 1, sizeof *r->trials.plan.edits);
    if (r->trials.plan.edits == NULL)
        return laser_error_set(err, LASER_ENOMEM, "plan", "no memory");
    for (int i = 0; i < plan->n_items; ++i) {
        struct laser_strategy_edit *edit = &r->trials.plan.edits[r->trials.plan.n_edits];
        edit->matrix = find_matrix(&r->setup.run->matrices, plan->items[i].tensor);
        if (edit->matrix < 0 || r->setup.run->outcomes[edit->matrix].status != LASER_OUTCOME_SCANNED)
            return laser_error_set(err, LASER_EINPUT, plan->items[i].tensor,
                                   "the plan edits this tensor, which is no matrix that can be taken apart");
        if (laser_strategy_edit_set(edit, edit->matrix, plan->items[i].edit, NULL) != LASER_OK)
            return laser_error_set(err, LASER_EINPUT, plan->items[i].tensor,
                                   "the edit `%.60s...` is too long", plan->items[i].edit);
        numbers[i] = r->trials.plan.n_edits++;
    }
    return laser_edit_ranks(r->setup.run, &r->trials.plan, &r->trials.ranks, err);
}

static int write_results(const struct laser_reduction *r, const struct laser_edit_plan *plan,
                         struct laser_error *err)
{
    struct laser_run *run = r->setup.run;
    json_t *edits = json_array(),
           *results = json_pack("{s:s, s:s, s:s, s:i, s:f, s:o}", "command", "apply", "version",
                                PACKAGE_VERSION, "model", run->checkpoint->model, "ranks", run->size,
                                "seconds", laser_clock_s() - run->start_s, "edits", edits);
    int code;

    if (results == NULL)
        return laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");
    if (run->n_arguments > 0)
        json_object_set_new(results, "plan", json_string(run->arguments[0]));
    if (r->report.divergence.each != NULL) {
        json_object_set_new(results, "divergence", laser_divergences_json(&r->report.divergence));
        laser_divergences_say(&r->report.divergence, run->log);
    }
    if (laser_run_adapter(run)[0] != '\0')
        json_object_set_new(results, "adapter", json_string(laser_run_adapter(run)));
    for (int i = 0; i < plan->n_items; ++i) {
        int64_t n =
            plan->items[i].rows < plan->items[i].columns ? plan->items[i].rows : plan->items[i].columns;
        json_array_append_new(edits, json_pack("{s:s, s:s, s:I, s:I}", "tensor", plan->items[i].tensor,
                                               "edit", plan->items[i].edit, "rank",
                                               (json_int_t)r->trials.ranks[i], "of", (json_int_t)n));
        if (r->trials.ranks[i] != plan->items[i].rank)
            laser_log_line(run->log, "NOTE", "%s: rank %" PRId64 ", the plan has %" PRId64,
                           plan->items[i].tensor, r->trials.ranks[i], plan->items[i].rank);
    }
    code = laser_results_write(run->output, results, err);
    json_decref(results);
    if (run->n_arguments > 0)
        laser_log_line(run->log, "RESULT", "%" PRId64 " edits replayed; the model is in %s", plan->n_items,
                       laser_run_path(run, "model"));
    else
        laser_log_line(run->log, "RESULT", "the model%s is in %s",
                       laser_run_adapter(run)[0] != '\0' ? " with the adapter in it" : "",
                       laser_run_path(run, "model"));
    return code;
}

/* The texts on which the written model is compared, if there are any: what is wrong with them is better known before the work. */
static int open_texts(struct laser_reduction *r, struct laser_error *err)
{
    return r->setup.run->settings->evaluate.text.count > 0
               ? laser_mpi_texts_open(r->setup.run, r->setup.e->parallel, err)
               : LASER_OK;
}

static int finish(struct laser_reduction *r, const struct laser_edit_plan *plan, struct laser_error *err)
{
    struct laser_run *run = r->setup.run;
    int code = LASER_OK;

    if (run->settings->evaluate.text.count > 0)
        code = laser_mpi_evaluation_diverge_written(r->setup.e, "model", LASER_PARTS_ALL,
                                                    &r->report.divergence, err);
    if (code == LASER_OK) {
        if (run->rank == 0)
            code = write_results(r, plan, err);
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
    }
    return code;
}

/* Without a plan: the model with an adapter in it, or in another type. */
static int write_model(struct laser_reduction *r, struct laser_error *err)
{
    struct laser_run *run = r->setup.run;
    const struct laser_edit_plan none = {0};
    enum laser_dtype dtype;
    int code;

    if (!laser_run_writes_anew(run, &dtype))
        return laser_error_set(err, LASER_EUSAGE, "apply",
                               "nothing to do: give a PLAN.yaml, --adapter DIR or --write-dtype TYPE");
    code = laser_mpi_run_open(run, err);
    if (code == LASER_OK)
        code = open_texts(r, err);
    if (code == LASER_OK)
        code = laser_mpi_reduction_write(r, NULL, 0, false, err);
    return code == LASER_OK ? finish(r, &none, err) : code;
}

static int apply(struct laser_reduction *r, const struct laser_edit_plan *plan, struct laser_error *err)
{
    struct laser_run *run = r->setup.run;
    int32_t *numbers = calloc((size_t)plan->n_items + 1, sizeof *numbers);
    int code = laser_mpi_run_open(run, err);

    if (code == LASER_OK) {
        if (run->rank == 0)
            code = check_changes(run, plan, err);
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
    }
    if (code == LASER_OK)
        code = open_texts(r, err);
    if (code == LASER_OK)
        code = laser_mpi_scan_matrices(run, err);
    if (code == LASER_OK) {
        if (run->rank == 0)
            code = numbers == NULL ? laser_error_set(err, LASER_ENOMEM, "plan", "no memory")
                                   : fill_edits(r, plan, numbers, err);
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
    }
    if (code == LASER_OK)
        code = laser_mpi_edits_make(run, &r->trials.plan, &r->trials.edits, err);
    if (code == LASER_OK)
        code = laser_mpi_reduction_write(r, numbers, r->trials.plan.n_edits, false, err);
    free(numbers);
    return code == LASER_OK ? finish(r, plan, err) : code;
}

int laser_mpi_command_apply(struct laser_run *run, struct laser_error *err)
{
    struct laser_mpi_evaluation e;
    struct laser_reduction r;
    struct laser_edit_plan plan = {0};
    int has_plan = run->n_arguments > 0, code;

    MPI_Bcast(&has_plan, 1, MPI_INT, 0, laser_mpi_world(run));
    laser_mpi_evaluation_init(&e);
    laser_reduction_init(&r, run, &e.evaluation);
    code = has_plan ? share_plan(run, &plan, err) : write_model(&r, err);
    if (code == LASER_OK && has_plan)
        code = apply(&r, &plan, err);
    laser_mpi_evaluation_close(r.setup.e);
    laser_reduction_free(&r);
    laser_edit_plan_free(&plan);
    if (run->only != NULL)
        free((void *)(uintptr_t)run->only[0]);
    free((void *)(uintptr_t)run->only);
    run->only = NULL;
    return code;
}
