#include "config.h" /* _GNU_SOURCE */

#include "checkpoint/matrix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/names.h"
#include "base/match.h"
#include "checkpoint/coded.h"
#include "checkpoint/packing.h"
#include "checkpoint/parts.h"
#include "checkpoint/select.h"
#include "checkpoint/towers.h"

/* What a listing is made from and into. */
struct listing {
    const struct laser_checkpoint *c;
    struct laser_matrix_options options;
    struct laser_select *include;
    struct laser_select *exclude;
    bool *include_used; /* one an include pattern */
    struct laser_matrix_list *list;
    int64_t capacity;
    struct laser_error *err;
};

static int no_memory(const struct listing *l)
{
    return laser_error_set(l->err, LASER_ENOMEM, l->c->model, "no memory for the list of matrices");
}

/* Why no matrix can be made of the tensor, whatever was asked for, or NULL. */
static const char *shape_reason(const struct listing *l, const struct laser_tensor *t)
{
    if (laser_coded_reason(t) != NULL)
        return laser_coded_reason(t);
    if (t->dtype >= LASER_DTYPE_COUNT)
        return "a type that is not read (scales, or a quantised pack)";
    if (!laser_dtype_is_float(t->dtype))
        return "integer dtype (a quantised pack or a table)";
    if (t->size_bytes == 0)
        return "empty";
    if (t->n_dims == 0)
        return "scalar";
    if (t->n_dims == 1 && !(l->options.vectors && l->include != NULL))
        return "1-D (norm or bias)";
    if (t->n_dims == 3 && (t->shape[1] < 2 || t->shape[2] < 2 || strstr(t->name, "conv") != NULL))
        return "3-D, but no stack of linear layers";
    if (t->n_dims > 3)
        return "more than 3 dimensions (convolution)";
    return NULL;
}

static int add_skip(struct listing *l, int64_t tensor, const char *reason)
{
    l->list->skipped[l->list->n_skipped++] = (struct laser_matrix_skip){tensor, reason};
    return LASER_OK;
}

/* Include and exclude apply to the matrix name and to its tensor's name. */
static const char *selection_reason(struct listing *l, const char *tensor, const char *matrix)
{
    int i;

    if (l->include != NULL) {
        i = laser_select_match(l->include, matrix);
        i = i >= 0 ? i : laser_select_match(l->include, tensor);
        if (i < 0)
            return "not in the selection";
        l->include_used[i] = true;
    }
    if (laser_select_match(l->exclude, matrix) >= 0 || laser_select_match(l->exclude, tensor) >= 0)
        return "excluded";
    return NULL;
}

/* "mlp.down_proj" from "model.layers.3.mlp.down_proj.weight", with the part in brackets. */
static char *make_type(const char *name, const char *part)
{
    const char *rest;
    size_t n;
    char *type = NULL;

    laser_name_layer(name, &rest);
    n = strlen(rest);
    if (n > 7 && strcmp(rest + n - 7, ".weight") == 0)
        n -= 7;
    if (asprintf(&type, "%.*s%s%s%s", (int)n, rest, part != NULL ? "[" : "", part != NULL ? part : "",
                 part != NULL ? "]" : "") < 0)
        return NULL;
    return type;
}

static char *make_name(const char *name, int expert, const char *part)
{
    char number[24] = "";
    char *made = NULL;

    if (expert >= 0)
        snprintf(number, sizeof number, "[%d]", expert);
    if (asprintf(&made, "%s%s%s%s%s", name, number, part != NULL ? "[" : "", part != NULL ? part : "",
                 part != NULL ? "]" : "") < 0)
        return NULL;
    return made;
}

/* Adds one matrix if it is selected; *reason says why not. */
static int add_matrix(struct listing *l, const char *tensor, struct laser_matrix *m, const char **reason)
{
    struct laser_matrix_list *list = l->list;

    m->name = make_name(tensor, m->expert, m->part);
    if (m->name == NULL)
        return no_memory(l);
    *reason = selection_reason(l, tensor, m->name);
    if (*reason != NULL) {
        free(m->name);
        return LASER_OK;
    }
    m->type = make_type(tensor, m->part);
    if (m->type != NULL && list->n_matrices == l->capacity) {
        const int64_t capacity = 2 * l->capacity + 64;
        struct laser_matrix *more = realloc(list->matrices, (size_t)capacity * sizeof *more);

        if (more != NULL) {
            list->matrices = more;
            l->capacity = capacity;
        }
    }
    if (m->type == NULL || list->n_matrices == l->capacity) {
        free(m->name);
        free(m->type);
        return no_memory(l);
    }
    list->matrices[list->n_matrices++] = *m;
    return LASER_OK;
}

static struct laser_matrix whole_matrix(const struct listing *l, int64_t tensor)
{
    const struct laser_tensor *t = &l->c->tensors[tensor];
    struct laser_matrix m = {0};

    m.layer = laser_name_layer(t->name, NULL);
    m.expert = -1;
    m.transposed = laser_parts_transposed(l->c, t->name, t->n_dims);
    m.dtype = t->dtype;
    m.tensor = tensor;
    m.rows = t->n_dims == 1 ? 1 : t->shape[t->n_dims - 2];
    m.cols = t->shape[t->n_dims - 1];
    m.block_rows = m.block_stride = m.rows;
    m.ld = m.cols;
    m.col_step = 1;
    return m;
}

/* Adds the matrices of one tensor, or the reason why there are none. */
static int list_tensor(struct listing *l, int64_t tensor)
{
    const struct laser_tensor *t = &l->c->tensors[tensor];
    const int64_t before = l->list->n_matrices;
    const char *reason = shape_reason(l, t);
    struct laser_matrix parts[LASER_MAX_PARTS];
    struct laser_matrix whole;
    int64_t n_experts;
    int code = LASER_OK;

    if (reason == NULL && l->include == NULL)
        reason = laser_name_skip_reason(t->name);
    if (reason != NULL)
        return add_skip(l, tensor, reason);
    whole = whole_matrix(l, tensor);
    n_experts = t->n_dims == 3 ? t->shape[0] : 1;
    if (n_experts > INT32_MAX)
        return add_skip(l, tensor, "too many matrices in one stack");
    for (int64_t e = 0; e < n_experts && code == LASER_OK; e++) {
        int n_parts = 1;

        whole.expert = t->n_dims == 3 ? (int)e : -1;
        whole.first = e * whole.rows * whole.cols;
        parts[0] = whole;
        if (l->options.split_fused)
            n_parts = laser_parts_split(l->c, t->name, &whole, parts);
        for (int p = 0; p < n_parts && code == LASER_OK; p++)
            code = add_matrix(l, t->name, &parts[p], &reason);
    }
    if (code == LASER_OK && l->list->n_matrices == before)
        code = add_skip(l, tensor, reason);
    return code;
}

static int by_natural_name(const void *a, const void *b)
{
    return laser_name_compare((*(const struct laser_tensor *const *)a)->name,
                              (*(const struct laser_tensor *const *)b)->name);
}

static int by_tensor(const void *a, const void *b)
{
    const struct laser_matrix_skip *x = a, *y = b;

    return x->tensor < y->tensor ? -1 : x->tensor > y->tensor;
}

static int list_all(struct listing *l)
{
    const struct laser_checkpoint *c = l->c;
    const struct laser_tensor **order = malloc((size_t)(c->n_tensors + 1) * sizeof *order);
    int code = LASER_OK;

    l->list->skipped = calloc((size_t)c->n_tensors + 1, sizeof *l->list->skipped);
    if (order == NULL || l->list->skipped == NULL)
        code = no_memory(l);
    for (int64_t i = 0; code == LASER_OK && i < c->n_tensors; i++)
        order[i] = &c->tensors[i];
    if (code == LASER_OK && c->n_tensors > 1)
        qsort(order, (size_t)c->n_tensors, sizeof *order, by_natural_name);
    for (int64_t i = 0; code == LASER_OK && i < c->n_tensors; i++)
        code = list_tensor(l, order[i] - c->tensors);
    if (code == LASER_OK && l->list->n_skipped > 1)
        qsort(l->list->skipped, (size_t)l->list->n_skipped, sizeof *l->list->skipped, by_tensor);
    free(order);
    return code;
}

/* Types that several towers have are told apart. */
static int part_towers(struct listing *l)
{
    struct laser_matrix_list *list = l->list;
    size_t n = (size_t)list->n_matrices;
    const char **texts = malloc((2 * n + 1) * sizeof *texts);
    unsigned char *shared = calloc(n + 1, 1);
    int good = texts != NULL && shared != NULL;

    for (size_t i = 0; good && i < n; i++) {
        texts[i] = l->c->tensors[list->matrices[i].tensor].name;
        texts[n + i] = list->matrices[i].type;
    }
    good = good && laser_towers_share(texts, texts + n, n, shared);
    for (size_t i = 0; good && i < n; i++) {
        char *type = shared[i] ? laser_tower_type(texts[i], texts[n + i]) : NULL;
        good = !shared[i] || type != NULL;
        if (type != NULL) {
            free(list->matrices[i].type);
            list->matrices[i].type = type;
        }
    }
    free(texts);
    free(shared);
    return good ? LASER_OK : no_memory(l);
}

/* The three names nearest to a pattern, for the message. */
static void nearest_names(const struct laser_checkpoint *c, const char *pattern, char *text, size_t size)
{
    const struct laser_tensor *best[3] = {NULL, NULL, NULL};
    size_t distance[3] = {0, 0, 0};
    size_t n = 0;

    for (int64_t i = 0; i < c->n_tensors; i++) {
        const struct laser_tensor *candidate = &c->tensors[i];
        size_t d = laser_edit_distance(pattern, candidate->name);

        if (candidate->n_dims < 2)
            continue;
        for (int k = 0; k < 3; k++) {
            if (best[k] == NULL || d < distance[k]) {
                const struct laser_tensor *pushed = best[k];
                const size_t pushed_distance = distance[k];

                best[k] = candidate;
                distance[k] = d;
                candidate = pushed;
                d = pushed_distance;
                if (candidate == NULL)
                    break;
            }
        }
    }
    text[0] = '\0';
    for (int k = 0; k < 3 && best[k] != NULL && n < size; k++)
        n += (size_t)snprintf(text + n, size - n, "%s%.200s", k > 0 ? ", " : "", best[k]->name);
}

static int check_selection(const struct listing *l)
{
    char names[700];

    if (l->list->n_matrices == 0 &&
        laser_packing_describe(l->c->tensors, l->c->n_tensors, names, sizeof names))
        return laser_error_set(l->err, LASER_EINPUT, l->c->model, "%s", names);
    for (int i = 0; i < l->options.n_include; i++) {
        if (l->include_used[i])
            continue;
        nearest_names(l->c, l->options.include[i], names, sizeof names);
        return laser_error_set(
            l->err, LASER_EUSAGE, l->options.include[i],
            "this pattern selects no matrix; patterns match whole tensor names. Nearest: %s", names);
    }
    if (l->list->n_matrices > 0)
        return LASER_OK;
    nearest_names(l->c, "model.layers.0.self_attn.q_proj.weight", names, sizeof names);
    return laser_error_set(l->err, LASER_EUSAGE, l->c->model, "no matrix selected of %lld tensors%s%s",
                           (long long)l->c->n_tensors, names[0] != '\0' ? "; there are " : "", names);
}

int laser_matrix_list(const struct laser_checkpoint *c, const struct laser_matrix_options *options,
                      struct laser_matrix_list *list, struct laser_error *err)
{
    struct listing l = {.c = c, .list = list, .err = err};
    int code = LASER_OK;

    memset(list, 0, sizeof *list);
    if (options != NULL)
        l.options = *options;
    l.include_used = calloc((size_t)l.options.n_include + 1, sizeof *l.include_used);
    if (l.include_used == NULL)
        code = no_memory(&l);
    if (code == LASER_OK && l.options.n_include > 0)
        code = laser_select_compile(l.options.include, l.options.n_include, &l.include, err);
    if (code == LASER_OK)
        code = laser_select_compile(l.options.exclude, l.options.n_exclude, &l.exclude, err);
    if (code == LASER_OK)
        code = list_all(&l);
    if (code == LASER_OK)
        code = check_selection(&l);
    if (code == LASER_OK)
        code = part_towers(&l);
    laser_select_free(l.include);
    laser_select_free(l.exclude);
    free(l.include_used);
    if (code != LASER_OK)
        laser_matrix_list_free(list);
    return code;
}

void laser_matrix_list_free(struct laser_matrix_list *list)
{
    for (int64_t i = 0; i < list->n_matrices; i++) {
        free(list->matrices[i].name);
        free(list->matrices[i].type);
    }
    free(list->matrices);
    free(list->skipped);
    memset(list, 0, sizeof *list);
}
