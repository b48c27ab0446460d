#include "checkpoint/pickle_machine.h"

#include <stdlib.h>
#include <string.h>

/* ---- the machine ---- */

static int push_long(struct laser_pickle_machine *m)
{
    int code = LASER_OK;
    const int n = (int)laser_pickle_take_number(m, 1, &code);
    const unsigned char *p = laser_pickle_take(m, n, &code);
    uint64_t value = p != NULL && n > 0 && p[n - 1] >> 7 ? UINT64_MAX : 0;

    if (p == NULL)
        return code;
    if (n > 8)
        return laser_pickle_refuse(m, "a number of more than 64 bits");
    for (int i = n - 1; i >= 0; i--)
        value = value << 8 | p[i];
    return laser_pickle_push_number(m, (int64_t)value, code);
}

static int step_number(struct laser_pickle_machine *m, unsigned char op, bool *known)
{
    int code = LASER_OK;

    switch (op) {
    case 'J':
        return laser_pickle_push_number(m, (int32_t)laser_pickle_take_number(m, 4, &code), code);
    case 'K':
        return laser_pickle_push_number(m, (int64_t)laser_pickle_take_number(m, 1, &code), code);
    case 'M':
        return laser_pickle_push_number(m, (int64_t)laser_pickle_take_number(m, 2, &code), code);
    case 0x8a:
        return push_long(m);
    case 'G':
        return laser_pickle_take(m, 8, &code) != NULL
                   ? laser_pickle_push(m, (struct laser_pickle_value){.kind = LASER_PICKLE_OTHER})
                   : code;
    case 'N':
        return laser_pickle_push(m, (struct laser_pickle_value){.kind = LASER_PICKLE_NONE});
    case 0x88:
    case 0x89:
        return laser_pickle_push(m, (struct laser_pickle_value){.kind = LASER_PICKLE_OTHER});
    default:
        *known = false;
        return LASER_OK;
    }
}

static int step_container(struct laser_pickle_machine *m, unsigned char op, bool *known)
{
    switch (op) {
    case '}':
        return laser_pickle_push(m, (struct laser_pickle_value){.kind = LASER_PICKLE_DICT});
    case ']':
        return laser_pickle_push(m, (struct laser_pickle_value){.kind = LASER_PICKLE_LIST});
    case ')':
        return laser_pickle_push(m, (struct laser_pickle_value){.kind = LASER_PICKLE_TUPLE});
    case '(':
        return laser_pickle_push(m, (struct laser_pickle_value){.kind = LASER_PICKLE_MARK});
    case 't':
        return laser_pickle_push_marked_tuple(m);
    case 0x85:
    case 0x86:
    case 0x87:
        return laser_pickle_push_tuple(m, m->n_stack - (op - 0x84), m->n_stack - (op - 0x84));
    case 's':
        return laser_pickle_fill_top(m, LASER_PICKLE_DICT, 2);
    case 'u':
        return laser_pickle_fill_marked(m, LASER_PICKLE_DICT);
    case 'a':
        return laser_pickle_fill_top(m, LASER_PICKLE_LIST, 1);
    case 'e':
        return laser_pickle_fill_marked(m, LASER_PICKLE_LIST);
    default:
        *known = false;
        return LASER_OK;
    }
}

static int step_object(struct laser_pickle_machine *m, unsigned char op, bool *known)
{
    int code = LASER_OK;

    switch (op) {
    case 0x80:
        laser_pickle_take(m, 1, &code);
        return code;
    case 0x95:
        laser_pickle_take(m, 8, &code);
        return code;
    case 'q':
        return laser_pickle_memo_put(m, laser_pickle_take_number(m, 1, &code), code);
    case 'r':
        return laser_pickle_memo_put(m, laser_pickle_take_number(m, 4, &code), code);
    case 0x94:
        return laser_pickle_memo_put(m, (uint64_t)m->n_memo, code);
    case 'h':
        return laser_pickle_memo_get(m, laser_pickle_take_number(m, 1, &code), code);
    case 'j':
        return laser_pickle_memo_get(m, laser_pickle_take_number(m, 4, &code), code);
    case 'X':
        return laser_pickle_push_text(m, (int64_t)laser_pickle_take_number(m, 4, &code), code);
    case 0x8c:
        return laser_pickle_push_text(m, (int64_t)laser_pickle_take_number(m, 1, &code), code);
    case 'c':
        return laser_pickle_read_global(m);
    case 0x93:
        return laser_pickle_stack_global(m);
    case 'Q':
        return laser_pickle_persistent(m);
    case 'R':
        return laser_pickle_reduce(m);
    case 'b':
        return laser_pickle_build(m);
    default:
        *known = false;
        return LASER_OK;
    }
}

static int step(struct laser_pickle_machine *m, unsigned char op)
{
    bool known = true;
    int code = step_number(m, op, &known);

    if (!known) {
        known = true;
        code = step_container(m, op, &known);
    }
    if (!known) {
        known = true;
        code = step_object(m, op, &known);
    }
    if (!known)
        return laser_error_set(
            m->err, LASER_EINPUT, m->file,
            "byte %lld of the pickle: opcode 0x%02x, which state dicts do not need, is refused",
            (long long)m->at - 1, op);
    return code;
}

static int run(struct laser_pickle_machine *m)
{
    int code = LASER_OK;

    while (code == LASER_OK) {
        const unsigned char *op = laser_pickle_take(m, 1, &code);

        if (op != NULL && *op == '.')
            return m->n_stack == 1 ? LASER_OK
                                   : laser_pickle_refuse(m, "it stops with more or less than one value");
        if (op != NULL)
            code = step(m, *op);
    }
    return code;
}

/* ---- what comes out ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int check_names(struct laser_pickle_machine *m, const struct laser_pickle *p)
{
    char **names = malloc((size_t)(p->n_tensors + 1) * sizeof *names);
    int code = LASER_OK;

    if (names == NULL)
        return laser_pickle_no_memory(m);
    for (int64_t i = 0; i < p->n_tensors; i++)
        names[i] = p->tensors[i].name;
    qsort(names, (size_t)p->n_tensors, sizeof *names, by_name);
    for (int64_t i = 1; code == LASER_OK && i < p->n_tensors; i++) {
        if (strcmp(names[i - 1], names[i]) == 0)
            code =
                laser_error_set(m->err, LASER_EINPUT, m->file, "the name \"%.300s\" occurs twice", names[i]);
    }
    free(names);
    return code;
}

static int take_tensors(struct laser_pickle_machine *m, struct laser_pickle *p)
{
    const struct laser_pickle_value *dict = &m->values[m->stack[0]];

    if (dict->kind != LASER_PICKLE_DICT)
        return laser_error_set(m->err, LASER_EINPUT, m->file, "the pickle is no dict of tensors");
    p->tensors = calloc((size_t)dict->n_items / 2 + 1, sizeof *p->tensors);
    if (p->tensors == NULL)
        return laser_pickle_no_memory(m);
    for (int32_t i = 0; i + 1 < dict->n_items; i += 2) {
        const struct laser_pickle_value *key = laser_pickle_item(m, dict, i),
                                        *value = laser_pickle_item(m, dict, i + 1);
        struct laser_pickle_tensor *t = &p->tensors[p->n_tensors];

        if (key->kind != LASER_PICKLE_TEXT || value->kind != LASER_PICKLE_TENSOR) {
            p->n_others++;
            continue;
        }
        *t = *value->tensor;
        t->name = strdup(key->text);
        t->storage = strdup(t->storage);
        p->n_tensors++;
        if (t->name == NULL || t->storage == NULL)
            return laser_pickle_no_memory(m);
        if (t->name[0] == '\0')
            return laser_error_set(m->err, LASER_EINPUT, m->file, "a tensor has an empty name");
    }
    if (p->n_tensors == 0)
        return laser_error_set(
            m->err, LASER_EINPUT, m->file,
            "the pickle is a dict of %lld entries, none of them a tensor (a training checkpoint? save its "
            "state dict by itself)",
            (long long)p->n_others);
    return check_names(m, p);
}

int laser_pickle_parse(const char *file, const void *bytes, int64_t n, struct laser_pickle *p,
                       struct laser_error *err)
{
    struct laser_pickle_machine m = {.file = file, .bytes = bytes, .n = n, .err = err};
    int code;

    memset(p, 0, sizeof *p);
    code = n <= LASER_PICKLE_MAX_BYTES
               ? run(&m)
               : laser_error_set(err, LASER_EINPUT, file, "a pickle of %lld bytes, at most %lld are read",
                                 (long long)n, (long long)LASER_PICKLE_MAX_BYTES);
    if (code == LASER_OK)
        code = take_tensors(&m, p);
    for (int32_t i = 0; i < m.n_values; i++) {
        free(m.values[i].text);
        free(m.values[i].items);
        free(m.values[i].tensor);
    }
    free(m.values);
    free(m.stack);
    free(m.memo);
    if (code != LASER_OK)
        laser_pickle_free(p);
    return code;
}

void laser_pickle_free(struct laser_pickle *p)
{
    for (int64_t i = 0; i < p->n_tensors; i++) {
        free(p->tensors[i].name);
        free(p->tensors[i].storage);
    }
    free(p->tensors);
    memset(p, 0, sizeof *p);
}

bool laser_pickle_is_contiguous(const struct laser_pickle_tensor *t)
{
    int64_t expected = 1;

    for (int d = t->n_dims - 1; d >= 0; d--) {
        if (t->shape[d] != 1 && t->stride[d] != expected)
            return false;
        expected *= t->shape[d];
    }
    return true;
}
