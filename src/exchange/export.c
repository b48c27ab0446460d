#include "exchange/export.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/number.h"

unsigned laser_export_format(const char *name)
{
    static const struct {
        const char *name;
        unsigned format;
    } formats[] = {
        {"axolotl", LASER_EXPORT_AXOLOTL},
        {"llama-factory", LASER_EXPORT_LLAMA_FACTORY},
        {"ms-swift", LASER_EXPORT_MS_SWIFT},
        {"peft", LASER_EXPORT_PEFT},
        {"weightwatcher", LASER_EXPORT_WEIGHTWATCHER},
        {"spectrum", LASER_EXPORT_SPECTRUM},
        {"pissa", LASER_EXPORT_PISSA},
        {"milora", LASER_EXPORT_MILORA},
        {"lora", LASER_EXPORT_LORA},
    };

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i].name, name) == 0)
            return formats[i].format;
    return 0;
}

size_t laser_export_module(const struct laser_scan_row *row)
{
    static const char suffix[] = ".weight";
    size_t n = strlen(row->name), cut = sizeof suffix - 1;

    return n > cut && strcmp(row->name + n - cut, suffix) == 0 ? n - cut : 0;
}

int laser_export_adaptable(const struct laser_scan_row *row)
{
    size_t n = laser_export_module(row), start = n;
    const char *found;

    while (start > 0 && row->name[start - 1] != '.')
        start--;
    found = strstr(row->name + start, "norm");
    return n > 0 && (found == NULL || found >= row->name + n) && strncmp(row->name + start, "ln_", 3) != 0 &&
           row->rows != 1 && row->columns != 1;
}

/* Is the row picked, and can it have an adapter? */
static size_t picked_adaptable(const struct laser_export *e, size_t i)
{
    return e->pick->picked[i] && laser_export_adaptable(&e->rows[i]) ? laser_export_module(&e->rows[i]) : 0;
}

/* Is the row picked, and a module? */
static size_t picked_module(const struct laser_export *e, size_t i)
{
    return e->pick->picked[i] ? laser_export_module(&e->rows[i]) : 0;
}

int laser_export_ranks(const struct laser_export *e, int *ranks)
{
    double kept = 0;
    size_t n = 0;
    int known = 1, differ = 0;

    for (size_t i = 0; i < e->count; i++) {
        if (picked_adaptable(e, i) == 0)
            continue;
        known &= e->rows[i].sigma != NULL || e->rows[i].rank > 0;
        kept += (double)e->rows[i].rank;
        n++;
    }
    known &= kept > 0;
    for (size_t i = 0; i < e->count; i++) {
        const struct laser_scan_row *row = &e->rows[i];
        double side = (double)(row->rows < row->columns ? row->rows : row->columns), rank = e->rank;

        ranks[i] = 0;
        if (picked_adaptable(e, i) == 0)
            continue;
        if (e->own_ranks)
            rank = fmin((double)row->rank, e->rank);
        else if (known)
            rank = fmax(1.0, floor(e->rank * (double)row->rank / (kept / (double)n) + 0.5));
        ranks[i] = (int)(side >= 1 ? fmin(rank, side) : rank);
        differ |= ranks[i] != e->rank;
    }
    return differ;
}

void laser_export_axolotl(struct laser_text *out, const struct laser_export *e)
{
    struct laser_scan_row *rows = calloc(e->count + 1, sizeof *rows);
    size_t n = 0;

    if (rows == NULL) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < e->count; i++)
        if (e->rows[i].status == LASER_SCAN_SCANNED && !isnan(e->rows[i].score))
            rows[n++] = e->rows[i];
    laser_scan_json_flat(out, rows, n);
    free(rows);
}

/* ---- YAML ---- */

static int is_plain(const char *text, size_t n)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/,";

    return n > 0 && strspn(text, plain) >= n && strchr("-,", *text) == NULL;
}

static void put_scalar(struct laser_text *out, const char *text)
{
    if (is_plain(text, strlen(text)))
        laser_text_puts(out, text);
    else
        laser_json_quote(out, text, 1);
}

/* Characters before the list of layers ("model." of model.layers.0.mlp.up_proj), the same for all layers, or
 * 0. */
static size_t common_stem(const struct laser_export *e)
{
    const char *first = NULL;
    size_t stem = 0;

    for (size_t i = 0; i < e->count; i++) {
        const char *name = e->rows[i].name, *p = name, *component = name, *before = name;

        if (e->rows[i].layer < 0 || e->rows[i].status == LASER_SCAN_SKIPPED)
            continue;
        /* before: the component before the first one that is a number */
        while ((p = strchr(component, '.')) != NULL &&
               strspn(component, "0123456789") != (size_t)(p - component)) {
            before = component;
            component = p + 1;
        }
        if (first == NULL) {
            first = name;
            stem = (size_t)(before - name);
        } else if ((size_t)(before - name) != stem || strncmp(first, name, stem) != 0) {
            return 0;
        }
    }
    return stem;
}

void laser_export_llama_factory(struct laser_text *out, const struct laser_export *e)
{
    struct laser_text list = {0};
    size_t stem = common_stem(e);

    for (size_t i = 0; i < e->count; i++) {
        size_t n = picked_adaptable(e, i), cut = e->rows[i].layer >= 0 ? stem : 0;

        if (n > cut)
            laser_text_printf(&list, "%s%.*s", list.size > 0 ? "," : "", (int)(n - cut),
                              e->rows[i].name + cut);
    }
    laser_text_printf(out, "finetuning_type: lora\nlora_rank: %d\nlora_alpha: %d\nlora_target: ", e->rank,
                      e->rank);
    if (list.failed)
        out->failed = 1;
    else
        put_scalar(out, list.data != NULL ? list.data : "");
    laser_text_puts(out, "\n");
    laser_text_free(&list);
}

void laser_export_ms_swift(struct laser_text *out, const struct laser_export *e)
{
    struct laser_text prefix = {0};

    laser_text_puts(out, "freeze_parameters_ratio: 1.0\n");
    laser_text_puts(out, e->pick->n_picked > 0 ? "trainable_parameters:\n" : "trainable_parameters: []\n");
    for (size_t i = 0; i < e->count; i++) {
        size_t n = picked_module(e, i);

        if (n == 0)
            continue;
        /* A prefix: the dot keeps layer 1 from meaning layer 10. */
        laser_text_printf(&prefix, "%.*s.", (int)n, e->rows[i].name);
        laser_text_puts(out, "- ");
        if (prefix.failed)
            out->failed = 1;
        else
            put_scalar(out, prefix.data);
        laser_text_puts(out, "\n");
        laser_text_free(&prefix);
    }
}

/* ---- PEFT ---- */

void laser_export_peft(struct laser_text *out, const struct laser_export *e)
{
    int *ranks = calloc(e->count + 1, sizeof *ranks), differ = ranks != NULL && laser_export_ranks(e, ranks);
    json_t *modules = json_array(), *pattern = json_object(), *alphas = json_object(), *o;

    for (size_t i = 0; ranks != NULL && i < e->count; i++) {
        char *name;

        if (ranks[i] == 0)
            continue;
        name = strndup(e->rows[i].name, laser_export_module(&e->rows[i]));
        if (name == NULL || json_array_append_new(modules, json_string_nocheck(name)) != 0)
            out->failed = 1;
        if (name != NULL && differ && ranks[i] != e->rank) {
            json_object_set_new_nocheck(pattern, name, json_integer(ranks[i]));
            json_object_set_new_nocheck(alphas, name, json_integer(ranks[i]));
        }
        free(name);
    }
    o = json_pack("{s:s, s:s, s:s, s:i, s:i, s:f, s:s, s:o, s:o, s:o, s:b, s:b, s:b}", "peft_type", "LORA",
                  "task_type", "CAUSAL_LM", "base_model_name_or_path",
                  e->meta->model != NULL ? e->meta->model : "", "r", e->rank, "lora_alpha", e->rank,
                  "lora_dropout", 0.0, "bias", "none", "target_modules", modules, "rank_pattern", pattern,
                  "alpha_pattern", alphas, "fan_in_fan_out", e->transposed, "inference_mode", 0,
                  "init_lora_weights", 1);
    if (o == NULL || ranks == NULL)
        out->failed = 1;
    else
        laser_json_render(out, o, 2);
    laser_text_puts(out, "\n");
    json_decref(o);
    free(ranks);
}
