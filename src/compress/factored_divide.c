/* Tensors that a factored checkpoint holds in parts: fused ones, and stacks of experts. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "compress/factored_parts.h"

struct laser_matrix laser_factored_matrix(const struct laser_factor_pair *pair, const struct laser_tensor *t)
{
    struct laser_matrix m = {.dtype = t->dtype,
                             .layer = -1,
                             .expert = -1,
                             .transposed = pair->transposed,
                             .rows = t->shape[0],
                             .cols = t->shape[1],
                             .col_step = 1};

    if (pair->part != NULL)
        return *pair->part;
    m.block_rows = m.block_stride = m.rows;
    m.ld = m.cols;
    return m;
}

void laser_factored_part_module(const struct laser_tensor *t, const struct laser_matrix *m, char *name,
                                size_t size)
{
    char module[2048];

    if (!laser_factored_module(t->name, module, sizeof module))
        snprintf(module, sizeof module, "%.2000s", t->name); /* a stack has no such end */
    laser_arch_part_name(module, m->expert, m->part, name, size);
}

static bool is_same(const struct laser_matrix *a, const struct laser_matrix *b)
{
    return a->expert == b->expert && a->rows == b->rows && a->cols == b->cols && a->first == b->first &&
           a->col0 == b->col0;
}

/* All parts of a tensor, cut as the given one is. */
static int list_parts(const struct laser_checkpoint *c, const struct laser_tensor *t,
                      const struct laser_matrix *part, struct laser_factored_parts **out,
                      struct laser_error *err)
{
    const char *const names[] = {t->name};
    const struct laser_matrix_options options = {
        .include = names, .n_include = 1, .split_fused = part->part != NULL};
    struct laser_factored_parts *p = calloc(1, sizeof *p);
    int code = p == NULL ? laser_error_set(err, LASER_ENOMEM, t->name, "no memory for its parts")
                         : laser_matrix_list(c, &options, &p->list, err);

    *out = NULL;
    if (code == LASER_OK) {
        p->pair_of = malloc(((size_t)p->list.n_matrices + 1) * sizeof *p->pair_of);
        for (int64_t i = 0; p->pair_of != NULL && i < p->list.n_matrices; ++i)
            p->pair_of[i] = -1;
        if (p->pair_of == NULL) {
            laser_matrix_list_free(&p->list);
            code = laser_error_set(err, LASER_ENOMEM, t->name, "no memory for its parts");
        }
    }
    if (code == LASER_OK)
        *out = p;
    else
        free(p);
    return code;
}

int laser_factored_add_part(struct laser_factored *w, int pair, int64_t tensor, struct laser_error *err)
{
    const struct laser_matrix *part = w->pairs[pair].part;
    struct laser_factored_parts *p;
    int code = LASER_OK;

    if (part->col_step != 1 || (part->block_rows == 1 && part->rows > 1))
        return laser_error_set(
            err, LASER_EINPUT, part->name,
            "alternates with other parts row by row: the tensor has to be factored as a whole");
    if (w->parts_of[tensor] == NULL)
        code = list_parts(w->writer->c, &w->writer->c->tensors[tensor], part, &w->parts_of[tensor], err);
    if (code != LASER_OK)
        return code;
    p = w->parts_of[tensor];
    for (int64_t i = 0; i < p->list.n_matrices; ++i) {
        if (!is_same(&p->list.matrices[i], part))
            continue;
        if (p->pair_of[i] >= 0)
            return laser_error_set(err, LASER_EINPUT, part->name, "factors for it are given twice");
        p->pair_of[i] = pair;
        return LASER_OK;
    }
    return laser_error_set(err, LASER_EINTERNAL, part->name, "is no part of its tensor");
}

void laser_factored_free_parts(struct laser_factored *w)
{
    for (int64_t t = 0; w->parts_of != NULL && w->writer != NULL && t < w->writer->c->n_tensors; ++t) {
        if (w->parts_of[t] == NULL)
            continue;
        laser_matrix_list_free(&w->parts_of[t]->list);
        free(w->parts_of[t]->pair_of);
        free(w->parts_of[t]);
    }
    free(w->parts_of);
}

/* ["gate", first, rows, block, stride] of the outputs of the whole; of a stack, by its first expert. */
static json_t *describe_part(const struct laser_matrix *m)
{
    int64_t rows = laser_factored_rows(m), first = m->transposed ? m->col0 : m->first / m->ld;
    int64_t block = m->transposed ? rows : m->block_rows;

    return json_pack("[s, I, I, I, I]", m->part != NULL ? m->part : "", (json_int_t)first, (json_int_t)rows,
                     (json_int_t)block, (json_int_t)(block == rows ? block : m->block_stride));
}

int laser_factored_describe_parts(const struct laser_factored *w, json_t *config)
{
    json_t *modules = json_incref(json_object_get(config, "truncation_parts"));
    const struct laser_matrix whole = {.expert = -1};
    bool any = json_is_object(modules);
    char name[2100];
    int bad = 0;

    modules = any ? modules : json_object();
    for (int64_t i = 0; i < w->writer->c->n_tensors; ++i) {
        const struct laser_factored_parts *p = w->parts_of[i];
        const struct laser_tensor *t = &w->writer->c->tensors[i];
        json_t *parts = p != NULL ? json_array() : NULL;

        for (int64_t k = 0; p != NULL && k < p->list.n_matrices; ++k)
            if (p->list.matrices[k].expert <= 0) /* all experts are cut alike */
                bad |= json_array_append_new(parts, describe_part(&p->list.matrices[k]));
        if (p == NULL)
            continue;
        laser_factored_part_module(t, &whole, name, sizeof name);
        bad |= json_object_set_new(modules, name, parts);
        any = true;
    }
    if (any)
        bad |= json_object_set(config, "truncation_parts", modules);
    json_decref(modules);
    return bad ? LASER_ENOMEM : LASER_OK;
}
