#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_text.h"
#include "base/number.h"
#include "report/pick.h"
#include "report/scan_report.h"

char *laser_scan_model_id(const char *model)
{
    static const char cache[] = "models--", extension[] = ".safetensors";
    const char *snapshot = strstr(model, cache), *end = model + strlen(model), *start,
               *slash = strchr(model, '/');
    size_t n;

    if (snapshot != NULL && (snapshot == model || snapshot[-1] == '/')) {
        char *id = strndup(snapshot + sizeof cache - 1, strcspn(snapshot + sizeof cache - 1, "/"));
        char *dashes = id != NULL ? strstr(id, "--") : NULL;

        if (dashes != NULL) {
            *dashes = '/';
            memmove(dashes + 1, dashes + 2, strlen(dashes + 2) + 1);
        }
        return id;
    }
    while (end > model + 1 && end[-1] == '/')
        end--;
    if (slash != NULL && slash > model && slash < end &&
        memchr(slash + 1, '/', (size_t)(end - slash - 1)) == NULL && *model != '.')
        return strndup(model, (size_t)(end - model));
    for (start = end; start > model && start[-1] != '/';)
        start--;
    n = (size_t)(end - start);
    if (n > sizeof extension - 1 &&
        memcmp(end - (sizeof extension - 1), extension, sizeof extension - 1) == 0)
        n -= sizeof extension - 1;
    return n > 0 ? strndup(start, n) : strdup("model");
}

void laser_scan_slug(struct laser_text *out, const char *model_id)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-+";

    for (const char *p = model_id; *p != '\0'; p++) {
        int is_kept = (unsigned char)*p >= 0x80 || strchr(plain, *p) != NULL;

        /* A leading dot would hide the file, or climb. */
        laser_text_fill(out, is_kept && !(*p == '.' && p == model_id) ? *p : '-', 1);
    }
}

/* The tensor's name without ".weight". */
static void put_layer(struct laser_text *out, const char *name)
{
    static const char suffix[] = ".weight";
    size_t n = strlen(name);

    if (n > sizeof suffix - 1 && strcmp(name + n - (sizeof suffix - 1), suffix) == 0)
        n -= sizeof suffix - 1;
    laser_text_add(out, name, n);
}

static void quote_layer(struct laser_text *out, const char *name)
{
    struct laser_text layer = {0};

    put_layer(&layer, name);
    if (layer.failed)
        out->failed = 1;
    else
        laser_json_quote(out, layer.data, 1);
    laser_text_free(&layer);
}

void laser_scan_json_flat(struct laser_text *out, const struct laser_scan_row *rows, size_t count)
{
    const char *separator = "";
    char number[LASER_NUMBER_SIZE];

    laser_text_fill(out, '{', 1);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].status != LASER_SCAN_SCANNED || rows[i].is_zero)
            continue;
        laser_text_printf(out, "%s\n    ", separator);
        quote_layer(out, rows[i].name);
        laser_text_printf(out, ": {\n        \"snr\": %s,\n        \"type\": ",
                          laser_number_shortest(rows[i].score, number));
        laser_json_quote(out, rows[i].type, 1);
        laser_text_puts(out, "\n    }");
        separator = ",";
    }
    laser_text_puts(out, *separator != '\0' ? "\n}" : "}");
}

void laser_scan_json_sorted(struct laser_text *out, const struct laser_scan_row *rows, size_t count)
{
    struct laser_pick ranking = {0};
    char number[LASER_NUMBER_SIZE];

    if (!laser_pick_make(&ranking, rows, count, &(struct laser_pick_rule){.percent = 100})) {
        out->failed = 1;
        return;
    }
    laser_text_fill(out, '{', 1);
    for (size_t g = 0; g < ranking.n_types; g++) {
        laser_text_puts(out, g > 0 ? ",\n    " : "\n    ");
        laser_json_quote(out, ranking.types[g], 1);
        laser_text_puts(out, ": {");
        for (size_t i = ranking.start[g]; i < ranking.start[g + 1]; i++) {
            const struct laser_scan_row *row = &rows[ranking.order[i]];

            laser_text_puts(out, i > ranking.start[g] ? ",\n        " : "\n        ");
            quote_layer(out, row->name);
            laser_text_printf(out, ": %s", laser_number_shortest(row->score, number));
        }
        laser_text_puts(out, "\n    }");
    }
    laser_text_puts(out, ranking.n_types > 0 ? "\n}" : "}");
    laser_pick_free(&ranking);
}

/* A list item that YAML reads back as the same name; ordinary names stand bare. */
static void put_yaml_layer(struct laser_text *out, const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-[]/^$";

    laser_text_puts(out, "- ");
    if (name[strspn(name, plain)] == '\0' && strchr("-[", *name) == NULL &&
        strpbrk(name, "abcdefghijklmnopqrstuvwxyz"))
        put_layer(out, name);
    else
        quote_layer(out, name);
    laser_text_fill(out, '\n', 1);
}

/* A comment cannot hold a line break. */
static void put_comment(struct laser_text *out, const char *type)
{
    laser_text_puts(out, "# ");
    for (const char *p = type; *p != '\0'; p++)
        laser_text_fill(out, (unsigned char)*p < 0x20 || *p == 0x7F ? '?' : *p, 1);
    laser_text_puts(out, " layers\n");
}

void laser_scan_unfrozen_yaml(struct laser_text *out, const struct laser_scan_meta *meta,
                              const struct laser_scan_row *rows, const struct laser_pick *pick)
{
    laser_text_puts(out, "unfrozen_parameters:\n");
    if (meta->lm_head != NULL)
        laser_text_printf(out, "- ^%s$\n", meta->lm_head);
    if (meta->embedding != NULL)
        laser_text_printf(out, "- ^%s$\n", meta->embedding);
    for (size_t g = 0; g < pick->n_types; g++) {
        put_comment(out, pick->types[g]);
        for (size_t i = pick->start[g]; i < pick->start[g + 1]; i++)
            if (pick->picked[pick->order[i]])
                put_yaml_layer(out, rows[pick->order[i]].name);
    }
}

/* "_unfrozenparameters_50percent.yaml"; what is not the best of each type says so. */
static void put_unfrozen_ending(struct laser_text *out, const struct laser_pick_rule *rule)
{
    laser_text_printf(out, "_unfrozenparameters_%s%dpercent%s%s%s.yaml", rule->bottom ? "bottom" : "",
                      rule->percent, rule->overall ? "_overall" : "", rule->metric != NULL ? "_" : "",
                      rule->metric != NULL ? rule->metric : "");
}

int laser_scan_check_names(const char *dir, const char *model_id, int top_percent, struct laser_error *err)
{
    struct laser_pick_rule rule = {.percent = top_percent};
    struct laser_text name = {0};
    long most = pathconf(dir, _PC_NAME_MAX);
    int code = LASER_OK;

    if (most <= 0) /* such as a directory that is to be made */
        most = NAME_MAX;
    laser_text_puts(&name, "snr_results_");
    laser_scan_slug(&name, model_id);
    if (top_percent > 0)
        put_unfrozen_ending(&name, &rule);
    else
        laser_text_puts(&name, "_sorted.json");
    if (name.failed)
        code = laser_error_set(err, LASER_ENOMEM, dir, "no memory for a file name");
    else if (name.size > (size_t)most)
        code = laser_error_set(
            err, LASER_EUSAGE, "scan.model_id",
            "the model's name is too long for a file: %.60s... would have %zu bytes, at most %ld are "
            "possible; give a shorter one with --model-id",
            name.data, name.size, most);
    laser_text_free(&name);
    return code;
}

/* One text under dir/name, where name is snr_results_<slug><ending>. */
static int write_text(const char *dir, const struct laser_scan_meta *meta, const char *ending,
                      struct laser_text *text, struct laser_error *err)
{
    struct laser_text name = {0};
    char *path = NULL;
    int rc;

    laser_text_puts(&name, "snr_results_");
    laser_scan_slug(&name, meta->model_id);
    laser_text_puts(&name, ending);
    if (!name.failed)
        path = laser_file_join(dir, name.data);
    laser_text_free(&name);
    if (text->failed || path == NULL)
        rc = laser_error_set(err, LASER_ENOMEM, dir, "no memory for the scan files");
    else
        rc = laser_file_replace(path, text->data, text->size, err);
    free(path);
    laser_text_free(text);
    return rc;
}

int laser_scan_write_unfrozen(const char *dir, const struct laser_scan_meta *meta,
                              const struct laser_scan_row *rows, size_t count,
                              const struct laser_pick_rule *rule, struct laser_error *err)
{
    struct laser_text text = {0}, ending = {0};
    struct laser_pick pick = {0};
    int code;

    put_unfrozen_ending(&ending, rule);
    if (laser_pick_make(&pick, rows, count, rule))
        laser_scan_unfrozen_yaml(&text, meta, rows, &pick);
    else
        text.failed = 1;
    code = ending.failed ? laser_error_set(err, LASER_ENOMEM, dir, "no memory for the scan files")
                         : write_text(dir, meta, ending.data, &text, err);
    laser_pick_free(&pick);
    laser_text_free(&ending);
    return code;
}

int laser_scan_write_files(const char *dir, const struct laser_scan_meta *meta,
                           const struct laser_scan_row *rows, size_t count, struct laser_error *err)
{
    struct laser_pick_rule rule = {.percent = meta->top_percent};
    struct laser_text text = {0};
    int rc;

    laser_scan_json_flat(&text, rows, count);
    rc = write_text(dir, meta, ".json", &text, err);
    if (rc != LASER_OK)
        return rc;
    laser_scan_json_sorted(&text, rows, count);
    rc = write_text(dir, meta, "_sorted.json", &text, err);
    if (rc != LASER_OK || meta->top_percent <= 0)
        return rc;
    return laser_scan_write_unfrozen(dir, meta, rows, count, &rule, err);
}
