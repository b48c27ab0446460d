#include "reduce/factors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_text.h"
#include "run/rundir.h"

/* The files of all factors in memory while the adapter is written. */
struct adapter {
    char **data;
    char (*names)[2][1024];
    struct laser_safetensors_item *items;
    int n_items;
    json_t *modules;
};

static int add_factor(const struct laser_reduction *r, const struct laser_factor *f, int at,
                      struct adapter *adapter, struct laser_error *err)
{
    const struct laser_strategy_edit *edit = &r->trials.edits.edits[f->edit];
    const char *tensor = r->trials.edits.files[f->edit].tensor;
    struct laser_safetensors_header header = {0};
    size_t size, stem = strlen(tensor);
    char path[4400];
    int code;

    if (stem > 7 && strcmp(tensor + stem - 7, ".weight") == 0)
        stem -= 7;
    laser_factor_path(r, f->edit, "lora", path, sizeof path);
    code = laser_file_read(path, (size_t)1 << 40, &adapter->data[at], &size, err);
    if (code == LASER_OK)
        code = laser_safetensors_parse(path, adapter->data[at], (int64_t)size, (int64_t)size, &header, err);
    for (int64_t t = 0; code == LASER_OK && t < header.n_tensors; ++t) {
        const struct laser_tensor *x = &header.tensors[t];
        bool is_a = strcmp(x->name, "b") == 0; /* lora_A is the factor on the input's side */
        char *name = adapter->names[at][is_a];
        snprintf(name, sizeof adapter->names[at][is_a], "base_model.model.%.*s.lora_%c.weight", (int)stem,
                 tensor, is_a ? 'A' : 'B');
        adapter->items[adapter->n_items++] =
            (struct laser_safetensors_item){.name = name,
                                            .dtype = x->dtype,
                                            .n_dims = 2,
                                            .shape = {x->shape[0], x->shape[1]},
                                            .data = adapter->data[at] + x->offset};
    }
    laser_safetensors_header_free(&header);
    if (code == LASER_OK) {
        json_array_append_new(adapter->modules, json_stringn(tensor, stem));
        laser_log_line(r->setup.run->log, "LORA",
                       "%-40s %-16s rank %d of %d of the %s, %.2g %% of its norm left out",
                       r->setup.run->matrices.matrices[edit->matrix].name, edit->text, f->change_rank, f->n,
                       f->from_base ? "edited difference" : "change", 100 * f->left_out);
    }
    return code;
}

/* Is it worth having?  Shrinkage changes every singular value: such a change has full rank. */
static void say(const struct laser_reduction *r, const struct laser_factor *factors, int n, int rank,
                int n_modules, const char *dir)
{
    int64_t dense = 0, thin = 0;

    for (int i = 0; i < n; ++i) {
        const struct laser_matrix *m = r->trials.edits.files[factors[i].edit].matrix;
        if (factors[i].other_form)
            continue;
        dense += m->rows * m->cols;
        thin += rank * (m->rows + m->cols);
    }
    laser_log_line(r->setup.run->log, "LORA",
                   "r = %d for all %d modules, %" PRId64 " parameters for the change of %" PRId64 ": %s",
                   rank, n_modules, thin, dense, dir);
    if (thin >= dense)
        laser_log_line(r->setup.run->log, "LORA",
                       "the change has nearly full rank: the adapter is no smaller than the matrices it "
                       "changes, model/ serves better");
}

/* Base and adapter are the written model only where every difference was edited. */
static void say_unedited(const struct laser_reduction *r, const struct laser_factor *factors, int n)
{
    int64_t left = 0;

    for (int64_t i = 0; i < r->setup.run->matrices.n_matrices; ++i) {
        const struct laser_outcome *o = &r->setup.run->outcomes[i];
        bool in = o->status != LASER_OUTCOME_SCANNED || !(o->metrics.s_max > 0);
        for (int k = 0; k < n && !in; ++k)
            in = !factors[k].other_form && r->trials.edits.edits[factors[k].edit].matrix == i;
        left += !in;
    }
    if (left > 0)
        laser_log_line(r->setup.run->log, "LORA",
                       "%" PRId64
                       " matrices differ from the base and are not in the adapter: export --format lora "
                       "cuts all of them at their threshold",
                       left);
}

static int write_config(const struct laser_reduction *r, json_t *modules, int rank, const char *path,
                        struct laser_error *err)
{
    json_t *o = json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:f, s:s, s:O, s:b, s:b, s:n, s:b}", "peft_type", "LORA", "task_type",
        "CAUSAL_LM", "base_model_name_or_path",
        laser_run_edits_change(r->setup.run) ? laser_run_base(r->setup.run) : r->setup.run->checkpoint->model,
        "r", rank, "lora_alpha", rank, "lora_dropout", 0.0, "bias", "none", "target_modules", modules,
        "fan_in_fan_out", 0, "inference_mode", 1, "modules_to_save", "init_lora_weights", 1);
    struct laser_text text = {0};
    int code;

    if (o != NULL)
        laser_json_render(&text, o, 2);
    laser_text_puts(&text, "\n");
    code = o == NULL || text.failed ? laser_error_set(err, LASER_ENOMEM, path, "no memory")
                                    : laser_file_replace(path, text.data, text.size, err);
    laser_text_free(&text);
    json_decref(o);
    return code;
}

int laser_reduction_lora_write(const struct laser_reduction *r, const struct laser_factor *factors, int n,
                               int rank, struct laser_error *err)
{
    struct adapter a = {.data = calloc((size_t)n + 1, sizeof *a.data),
                        .names = calloc((size_t)n + 1, sizeof *a.names),
                        .items = calloc(2 * (size_t)n + 1, sizeof *a.items),
                        .modules = json_array()};
    char dir[4200], path[4400];
    int code = LASER_OK;

    if (a.data == NULL || a.names == NULL || a.items == NULL || a.modules == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "lora", "no memory");
    for (int i = 0; code == LASER_OK && i < n; ++i) {
        if (factors[i].other_form)
            laser_log_line(r->setup.run->log, "LORA", "%s is %s: not in the adapter",
                           r->trials.edits.files[factors[i].edit].matrix->name,
                           r->trials.edits.files[factors[i].edit].matrix->transposed ? "stored [in, out]"
                                                                                     : "a part of a tensor");
        else
            code = add_factor(r, &factors[i], i, &a, err);
    }
    snprintf(dir, sizeof dir, "%s", laser_run_path(r->setup.run, "lora"));
    if (code == LASER_OK && a.n_items == 0) {
        laser_log_line(r->setup.run->log, "LORA", "nothing was edited: no adapter is written");
    } else if (code == LASER_OK) {
        code = laser_directory_make(dir, err);
        snprintf(path, sizeof path, "%s/adapter_model.safetensors", dir);
        if (code == LASER_OK)
            code = laser_safetensors_write(path, a.items, a.n_items, err);
        snprintf(path, sizeof path, "%s/adapter_config.json", dir);
        if (code == LASER_OK)
            code = write_config(r, a.modules, rank, path, err);
        if (code == LASER_OK)
            say(r, factors, n, rank, a.n_items / 2, dir);
        if (code == LASER_OK && laser_run_edits_change(r->setup.run))
            say_unedited(r, factors, n);
    }
    for (int i = 0; a.data != NULL && i < n; ++i)
        free(a.data[i]);
    free(a.data);
    free(a.names);
    free(a.items);
    json_decref(a.modules);
    return code;
}
