/* What stands on the stack of a pickle, and its memo. */
#include "checkpoint/pickle_machine.h"

#include <stdlib.h>
#include <string.h>

int laser_pickle_refuse(struct laser_pickle_machine *m, const char *what)
{
    return laser_error_set(m->err, LASER_EINPUT, m->file, "byte %lld of the pickle: %s", (long long)m->at,
                           what);
}

int laser_pickle_no_memory(struct laser_pickle_machine *m)
{
    return laser_error_set(m->err, LASER_ENOMEM, m->file, "no memory for its pickle");
}

/* ---- bytes ---- */

const unsigned char *laser_pickle_take(struct laser_pickle_machine *m, int64_t n, int *code)
{
    if (*code != LASER_OK)
        return NULL;
    if (n < 0 || n > m->n - m->at) {
        *code = laser_pickle_refuse(m, "it ends in the middle of a value");
        return NULL;
    }
    m->at += n;
    return m->bytes + m->at - n;
}

uint64_t laser_pickle_take_number(struct laser_pickle_machine *m, int n, int *code)
{
    const unsigned char *p = laser_pickle_take(m, n, code);
    uint64_t value = 0;

    for (int i = n - 1; p != NULL && i >= 0; i--)
        value = value << 8 | p[i];
    return value;
}

/* ---- values ---- */

static int grow(struct laser_pickle_machine *m, void **list, int32_t *room, size_t size)
{
    const int64_t more = 2 * (int64_t)*room + 64;
    void *made = more <= INT32_MAX ? realloc(*list, (size_t)more * size) : NULL;

    if (made == NULL)
        return laser_pickle_no_memory(m);
    *list = made;
    *room = (int32_t)more;
    return LASER_OK;
}

int laser_pickle_push_index(struct laser_pickle_machine *m, int32_t i)
{
    if (m->n_stack == m->stack_room &&
        grow(m, (void **)&m->stack, &m->stack_room, sizeof *m->stack) != LASER_OK)
        return LASER_ENOMEM;
    m->stack[m->n_stack++] = i;
    return LASER_OK;
}

/* A new value on the stack; its text, items and tensor belong to the machine from now on. */
int laser_pickle_push(struct laser_pickle_machine *m, struct laser_pickle_value value)
{
    if (m->n_values == m->values_room &&
        grow(m, (void **)&m->values, &m->values_room, sizeof *m->values) != LASER_OK) {
        free(value.text);
        free(value.items);
        free(value.tensor);
        return LASER_ENOMEM;
    }
    m->values[m->n_values++] = value;
    return laser_pickle_push_index(m, m->n_values - 1);
}

int laser_pickle_push_number(struct laser_pickle_machine *m, int64_t number, int code)
{
    return code == LASER_OK ? laser_pickle_push(m, (struct laser_pickle_value){.kind = LASER_PICKLE_NUMBER,
                                                                               .number = number})
                            : code;
}

int laser_pickle_push_text(struct laser_pickle_machine *m, int64_t n, int code)
{
    const unsigned char *p = laser_pickle_take(m, n, &code);
    char *text;

    if (p == NULL)
        return code;
    if (memchr(p, 0, (size_t)n) != NULL)
        return laser_pickle_refuse(m, "a zero byte in a text");
    text = strndup((const char *)p, (size_t)n);
    return text != NULL
               ? laser_pickle_push(m, (struct laser_pickle_value){.kind = LASER_PICKLE_TEXT, .text = text})
               : laser_pickle_no_memory(m);
}

/* The value at a place below the top (0: the top), or NULL with the error set. */
struct laser_pickle_value *laser_pickle_peek(struct laser_pickle_machine *m, int32_t below, int *code)
{
    if (*code == LASER_OK && m->n_stack <= below)
        *code = laser_pickle_refuse(m, "the stack is empty");
    return *code == LASER_OK ? &m->values[m->stack[m->n_stack - 1 - below]] : NULL;
}

static int append(struct laser_pickle_machine *m, struct laser_pickle_value *list, int32_t item)
{
    if (list->n_items == list->room &&
        grow(m, (void **)&list->items, &list->room, sizeof *list->items) != LASER_OK)
        return LASER_ENOMEM;
    list->items[list->n_items++] = item;
    return LASER_OK;
}

/* Height of the stack above the last mark. */
static int find_mark(struct laser_pickle_machine *m, int32_t *at)
{
    for (*at = m->n_stack - 1; *at >= 0; --*at) {
        if (m->values[m->stack[*at]].kind == LASER_PICKLE_MARK)
            return LASER_OK;
    }
    return laser_pickle_refuse(m, "no mark on the stack");
}

/* The topmost values, from place `first` of the stack on, as a tuple. */
int laser_pickle_push_tuple(struct laser_pickle_machine *m, int32_t first, int32_t below)
{
    struct laser_pickle_value tuple = {.kind = LASER_PICKLE_TUPLE};
    int code = first < 0 || below < 0 ? laser_pickle_refuse(m, "the stack is empty") : LASER_OK;

    for (int32_t i = first; code == LASER_OK && i < m->n_stack; i++)
        code = append(m, &tuple, m->stack[i]);
    if (code != LASER_OK) {
        free(tuple.items);
        return code;
    }
    m->n_stack = below;
    return laser_pickle_push(m, tuple);
}

int laser_pickle_push_marked_tuple(struct laser_pickle_machine *m)
{
    int32_t at;
    const int code = find_mark(m, &at);

    return code == LASER_OK ? laser_pickle_push_tuple(m, at + 1, at) : code;
}

/* What stands above the last mark goes into the list or dict below it. */
int laser_pickle_fill_marked(struct laser_pickle_machine *m, enum laser_pickle_kind kind)
{
    int32_t at;
    int code = find_mark(m, &at);
    struct laser_pickle_value *into;

    if (code != LASER_OK)
        return code;
    if (at == 0 || m->values[m->stack[at - 1]].kind != kind ||
        (kind == LASER_PICKLE_DICT && (m->n_stack - at - 1) % 2 != 0))
        return laser_pickle_refuse(m, "values for something that is no list or dict");
    into = &m->values[m->stack[at - 1]];
    for (int32_t i = at + 1; code == LASER_OK && i < m->n_stack; i++)
        code = append(m, into, m->stack[i]);
    m->n_stack = at;
    return code;
}

/* The topmost `count` values go into the list or dict below them. */
int laser_pickle_fill_top(struct laser_pickle_machine *m, enum laser_pickle_kind kind, int32_t count)
{
    int code = LASER_OK;
    struct laser_pickle_value *into = laser_pickle_peek(m, count, &code);

    if (code == LASER_OK && into->kind != kind)
        return laser_pickle_refuse(m, "a value for something that is no list or dict");
    for (int32_t i = count; code == LASER_OK && i > 0; i--)
        code = append(m, into, m->stack[m->n_stack - i]);
    m->n_stack -= code == LASER_OK ? count : 0;
    return code;
}

/* ---- memo ---- */

int laser_pickle_memo_put(struct laser_pickle_machine *m, uint64_t key, int code)
{
    if (laser_pickle_peek(m, 0, &code) == NULL)
        return code;
    if (key >= (uint64_t)m->n)
        return laser_pickle_refuse(m, "a memo number beyond the size of the pickle");
    if ((int64_t)key >= m->memo_room) {
        const int64_t room = 2 * (int64_t)key + 64;
        int32_t *more = realloc(m->memo, (size_t)room * sizeof *more);

        if (more == NULL)
            return laser_pickle_no_memory(m);
        for (int64_t i = m->memo_room; i < room; i++)
            more[i] = -1;
        m->memo = more;
        m->memo_room = room;
    }
    m->memo[key] = m->stack[m->n_stack - 1];
    m->n_memo++;
    return LASER_OK;
}

int laser_pickle_memo_get(struct laser_pickle_machine *m, uint64_t key, int code)
{
    if (code != LASER_OK)
        return code;
    if (key >= (uint64_t)m->memo_room || m->memo[key] < 0)
        return laser_pickle_refuse(m, "a memo number that was never given");
    return laser_pickle_push_index(m, m->memo[key]);
}
