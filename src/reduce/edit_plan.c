#include "reduce/edit_plan.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/file.h"
#include "base/json_text.h"
#include "spectrum/edit.h"

#define MAX_BYTES (64 << 20)

void laser_edit_plan_free(struct laser_edit_plan *plan)
{
    for (int64_t i = 0; plan->items != NULL && i < plan->n_items; ++i) {
        free(plan->items[i].tensor);
        free(plan->items[i].edit);
    }
    free(plan->items);
    free(plan->model);
    free(plan->base);
    memset(plan, 0, sizeof *plan);
}

/* A double-quoted YAML scalar is one of JSON. */
static void render_text(struct laser_text *out, const char *key, const char *value)
{
    laser_text_puts(out, key);
    laser_json_quote(out, value, 1);
    laser_text_puts(out, "\n");
}

void laser_edit_plan_render(const struct laser_edit_plan *plan, struct laser_text *out)
{
    laser_text_puts(out, "# Edits of a reduction; laser_mpi apply replays them on the same model.\n"
                         "version: 1\n");
    render_text(out, "model: ", plan->model);
    if (plan->base != NULL)
        render_text(out, "base: ", plan->base);
    laser_text_puts(out, plan->n_items > 0 ? "edits:\n" : "edits: []\n");
    for (int64_t i = 0; i < plan->n_items; ++i) {
        const struct laser_edit_plan_item *item = &plan->items[i];
        render_text(out, "  - tensor: ", item->tensor);
        render_text(out, "    edit: ", item->edit);
        laser_text_printf(out,
                          "    rank: %" PRId64 "\n    shape: [%" PRId64 ", %" PRId64 "]\n    dtype: %s\n"
                          "    hash: %016" PRIx64 "\n",
                          item->rank, item->rows, item->columns, item->dtype, item->hash);
        if (plan->base != NULL)
            laser_text_printf(out, "    change_hash: %016" PRIx64 "\n", item->change_hash);
    }
}

/* ---- reading ---- */

struct reader {
    const char *path;
    yaml_document_t document;
    struct laser_error *err;
};

static int bad(struct reader *r, const yaml_node_t *node, const char *text)
{
    char where[512];

    snprintf(where, sizeof where, "%.480s:%zu", r->path,
             node != NULL ? node->start_mark.line + 1 : (size_t)1);
    return laser_error_set(r->err, LASER_EINPUT, where, "%s", text);
}

/* The value of a key of a mapping, or NULL: there is none. */
static yaml_node_t *find(struct reader *r, yaml_node_t *map, const char *key)
{
    if (map != NULL && map->type == YAML_MAPPING_NODE)
        for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; ++p) {
            const yaml_node_t *k = yaml_document_get_node(&r->document, p->key);
            yaml_node_t *v = yaml_document_get_node(&r->document, p->value);
            if (k != NULL && v != NULL && k->type == YAML_SCALAR_NODE &&
                strcmp((const char *)k->data.scalar.value, key) == 0)
                return v;
        }
    return NULL;
}

/* The value of a key of a mapping, or NULL after an error. */
static yaml_node_t *member(struct reader *r, yaml_node_t *map, const char *key, yaml_node_type_t type)
{
    yaml_node_t *v = find(r, map, key);
    char text[128];

    if (v != NULL && v->type == type)
        return v;
    if (v != NULL) {
        snprintf(text, sizeof text, "`%s` should be a %s", key,
                 type == YAML_SCALAR_NODE ? "single value" : "list");
        bad(r, v, text);
        return NULL;
    }
    snprintf(text, sizeof text, "the key `%s` is missing", key);
    bad(r, map, text);
    return NULL;
}

static int get_text(struct reader *r, yaml_node_t *map, const char *key, char **value)
{
    const yaml_node_t *node = member(r, map, key, YAML_SCALAR_NODE);

    if (node == NULL)
        return LASER_EINPUT;
    *value = strdup((const char *)node->data.scalar.value);
    return *value != NULL ? LASER_OK : laser_error_set(r->err, LASER_ENOMEM, r->path, "no memory");
}

static int get_size(struct reader *r, const yaml_node_t *node, int base, uint64_t *value)
{
    const char *text;
    char *end;

    if (node == NULL)
        return LASER_EINPUT;
    if (node->type != YAML_SCALAR_NODE)
        return bad(r, node, "a number is expected here");
    text = (const char *)node->data.scalar.value;
    *value = strtoull(text, &end, base);
    if (text[0] == '-' || text[0] == '\0' || *end != '\0' || (base == 10 && *value > INT64_MAX))
        return bad(r, node, "a whole number is expected here");
    return LASER_OK;
}

static int get_shape(struct reader *r, yaml_node_t *map, struct laser_edit_plan_item *item)
{
    yaml_node_t *list = member(r, map, "shape", YAML_SEQUENCE_NODE);
    uint64_t n[2];
    int code = LASER_OK;

    if (list == NULL)
        return LASER_EINPUT;
    if (list->data.sequence.items.top - list->data.sequence.items.start != 2)
        return bad(r, list, "`shape` should have two numbers");
    for (int i = 0; code == LASER_OK && i < 2; ++i)
        code =
            get_size(r, yaml_document_get_node(&r->document, list->data.sequence.items.start[i]), 10, &n[i]);
    if (code == LASER_OK) {
        item->rows = (int64_t)n[0];
        item->columns = (int64_t)n[1];
    }
    return code;
}

static int read_item(struct reader *r, yaml_node_t *map, bool of_change, struct laser_edit_plan_item *item)
{
    struct laser_edit edit;
    uint64_t rank = 0;
    char *dtype = NULL;
    int code = get_text(r, map, "tensor", &item->tensor);

    if (code == LASER_OK)
        code = get_text(r, map, "edit", &item->edit);
    if (code == LASER_OK && laser_edit_parse(item->edit, &edit, NULL) != LASER_OK)
        return bad(r, map, "`edit` is none that exists (shrink:F, wiener:F, rank=K, or a threshold rule)");
    if (code == LASER_OK)
        code = get_size(r, member(r, map, "rank", YAML_SCALAR_NODE), 10, &rank);
    item->rank = (int64_t)rank;
    if (code == LASER_OK)
        code = get_shape(r, map, item);
    if (code == LASER_OK)
        code = get_text(r, map, "dtype", &dtype);
    if (code == LASER_OK)
        snprintf(item->dtype, sizeof item->dtype, "%.15s", dtype);
    free(dtype);
    if (code == LASER_OK)
        code = get_size(r, member(r, map, "hash", YAML_SCALAR_NODE), 16, &item->hash);
    if (code == LASER_OK && of_change)
        code = get_size(r, member(r, map, "change_hash", YAML_SCALAR_NODE), 16, &item->change_hash);
    return code;
}

static int read_items(struct reader *r, yaml_node_t *list, struct laser_edit_plan *plan)
{
    int64_t n = list->data.sequence.items.top - list->data.sequence.items.start;

    plan->items = calloc((size_t)n + 1, sizeof *plan->items);
    if (plan->items == NULL)
        return laser_error_set(r->err, LASER_ENOMEM, r->path, "no memory for %" PRId64 " edits", n);
    for (plan->n_items = 0; plan->n_items < n;) {
        yaml_node_t *map =
            yaml_document_get_node(&r->document, list->data.sequence.items.start[plan->n_items]);
        struct laser_edit_plan_item *item = &plan->items[plan->n_items++];
        int code = read_item(r, map, plan->base != NULL, item);
        if (code != LASER_OK)
            return code;
        for (int64_t i = 0; i + 1 < plan->n_items; ++i)
            if (strcmp(plan->items[i].tensor, item->tensor) == 0)
                return bad(r, map, "this tensor is edited twice");
    }
    return LASER_OK;
}

static int read_document(struct reader *r, struct laser_edit_plan *plan)
{
    yaml_node_t *root = yaml_document_get_root_node(&r->document), *list;
    uint64_t version = 0;
    int code;

    if (root == NULL || root->type != YAML_MAPPING_NODE)
        return bad(r, root, "this is no plan: the keys version, model and edits are expected");
    code = get_size(r, member(r, root, "version", YAML_SCALAR_NODE), 10, &version);
    if (code == LASER_OK && version != 1)
        code = bad(r, root, "a plan of another version; this program knows version 1");
    if (code == LASER_OK)
        code = get_text(r, root, "model", &plan->model);
    if (code == LASER_OK && find(r, root, "base") != NULL)
        code = get_text(r, root, "base", &plan->base);
    if (code != LASER_OK)
        return code;
    list = member(r, root, "edits", YAML_SEQUENCE_NODE);
    return list != NULL ? read_items(r, list, plan) : LASER_EINPUT;
}

int laser_edit_plan_read(const char *path, struct laser_edit_plan *plan, struct laser_error *err)
{
    struct reader r = {.path = path, .err = err};
    yaml_parser_t parser;
    char *text = NULL;
    size_t size;
    int code = laser_file_read(path, MAX_BYTES, &text, &size, err);

    memset(plan, 0, sizeof *plan);
    if (code != LASER_OK)
        return code;
    if (!yaml_parser_initialize(&parser)) {
        free(text);
        return laser_error_set(err, LASER_ENOMEM, path, "no memory");
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    if (!yaml_parser_load(&parser, &r.document)) {
        code = laser_error_set(err, LASER_EINPUT, path, "line %zu: %s", parser.problem_mark.line + 1,
                               parser.problem != NULL ? parser.problem : "no YAML");
    } else {
        code = read_document(&r, plan);
        yaml_document_delete(&r.document);
    }
    yaml_parser_delete(&parser);
    free(text);
    if (code != LASER_OK)
        laser_edit_plan_free(plan);
    return code;
}
