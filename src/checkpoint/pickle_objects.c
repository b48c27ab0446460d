/* What a pickle may name and make: dicts, storages, tensors. */
#include "checkpoint/pickle_machine.h"

#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

static const struct {
    const char *name;
    enum laser_pickle_global global;
    enum laser_dtype dtype;
} globals[] = {
    {"collections OrderedDict", LASER_PICKLE_ORDERED_DICT, 0},
    {"torch._utils _rebuild_tensor_v2", LASER_PICKLE_REBUILD_TENSOR, 0},
    {"torch._utils _rebuild_parameter", LASER_PICKLE_REBUILD_PARAMETER, 0},
    {"torch FloatStorage", LASER_PICKLE_STORAGE_TYPE, LASER_F32},
    {"torch HalfStorage", LASER_PICKLE_STORAGE_TYPE, LASER_F16},
    {"torch BFloat16Storage", LASER_PICKLE_STORAGE_TYPE, LASER_BF16},
    {"torch DoubleStorage", LASER_PICKLE_STORAGE_TYPE, LASER_F64},
    {"torch LongStorage", LASER_PICKLE_STORAGE_TYPE, LASER_I64},
    {"torch IntStorage", LASER_PICKLE_STORAGE_TYPE, LASER_I32},
    {"torch ShortStorage", LASER_PICKLE_STORAGE_TYPE, LASER_I16},
    {"torch CharStorage", LASER_PICKLE_STORAGE_TYPE, LASER_I8},
    {"torch ByteStorage", LASER_PICKLE_STORAGE_TYPE, LASER_U8},
    {"torch BoolStorage", LASER_PICKLE_STORAGE_TYPE, LASER_BOOL},
};

static int push_global(struct laser_pickle_machine *m, const char *module, int module_length,
                       const char *name, int name_length)
{
    char full[256];

    if (module_length + name_length + 2 > (int)sizeof full)
        return laser_pickle_refuse(m, "a name that is too long");
    memcpy(full, module, (size_t)module_length);
    full[module_length] = ' ';
    memcpy(full + module_length + 1, name, (size_t)name_length);
    full[module_length + 1 + name_length] = '\0';
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++) {
        if (strcmp(full, globals[i].name) == 0)
            return laser_pickle_push(m, (struct laser_pickle_value){.kind = LASER_PICKLE_GLOBAL,
                                                                    .global = globals[i].global,
                                                                    .dtype = globals[i].dtype});
    }
    full[module_length] = '.';
    for (char *c = full; *c != '\0'; c++)
        *c = *c < ' ' || *c > '~' ? '?' : *c;
    return laser_error_set(
        m->err, LASER_EINPUT, m->file,
        "the pickle names %s, which is not needed for a state dict and is refused: nothing of a pickle "
        "is run here",
        full);
}

/* Two lines. */
int laser_pickle_read_global(struct laser_pickle_machine *m)
{
    const char *module = (const char *)m->bytes + m->at, *name;
    const char *end = memchr(module, '\n', (size_t)(m->n - m->at));
    const char *stop;

    if (end == NULL || (name = end + 1) > (const char *)m->bytes + m->n ||
        (stop = memchr(name, '\n', (size_t)((const char *)m->bytes + m->n - name))) == NULL)
        return laser_pickle_refuse(m, "it ends in the middle of a name");
    m->at = stop + 1 - (const char *)m->bytes;
    if (end - module > 200 || stop - name > 200)
        return laser_pickle_refuse(m, "a name that is too long");
    return push_global(m, module, (int)(end - module), name, (int)(stop - name));
}

/* The two topmost texts. */
int laser_pickle_stack_global(struct laser_pickle_machine *m)
{
    int code = LASER_OK;
    const struct laser_pickle_value *name = laser_pickle_peek(m, 0, &code),
                                    *module = laser_pickle_peek(m, 1, &code);

    if (code != LASER_OK)
        return code;
    if (name->kind != LASER_PICKLE_TEXT || module->kind != LASER_PICKLE_TEXT || strlen(name->text) > 200 ||
        strlen(module->text) > 200)
        return laser_pickle_refuse(m, "a name that is no text");
    m->n_stack -= 2;
    return push_global(m, module->text, (int)strlen(module->text), name->text, (int)strlen(name->text));
}

/* ---- storages and tensors ---- */

const struct laser_pickle_value *laser_pickle_item(const struct laser_pickle_machine *m,
                                                   const struct laser_pickle_value *tuple, int32_t i)
{
    static const struct laser_pickle_value none = {.kind = LASER_PICKLE_NONE};

    return i < tuple->n_items ? &m->values[tuple->items[i]] : &none;
}

/* ('storage', type, key, location, elements) */
int laser_pickle_persistent(struct laser_pickle_machine *m)
{
    int code = LASER_OK;
    const struct laser_pickle_value *id = laser_pickle_peek(m, 0, &code);
    struct laser_pickle_value made = {.kind = LASER_PICKLE_STORAGE};

    if (code != LASER_OK)
        return code;
    if (id->kind != LASER_PICKLE_TUPLE || id->n_items != 5 ||
        laser_pickle_item(m, id, 0)->kind != LASER_PICKLE_TEXT ||
        strcmp(laser_pickle_item(m, id, 0)->text, "storage") != 0 ||
        laser_pickle_item(m, id, 1)->kind != LASER_PICKLE_GLOBAL ||
        laser_pickle_item(m, id, 1)->global != LASER_PICKLE_STORAGE_TYPE ||
        laser_pickle_item(m, id, 2)->kind != LASER_PICKLE_TEXT ||
        laser_pickle_item(m, id, 4)->kind != LASER_PICKLE_NUMBER || laser_pickle_item(m, id, 4)->number < 0)
        return laser_pickle_refuse(m, "a reference that is no storage of a tensor");
    made.dtype = laser_pickle_item(m, id, 1)->dtype;
    made.number = laser_pickle_item(m, id, 4)->number;
    made.text = strdup(laser_pickle_item(m, id, 2)->text);
    m->n_stack--;
    return made.text != NULL ? laser_pickle_push(m, made) : laser_pickle_no_memory(m);
}

static bool take_sizes(const struct laser_pickle_machine *m, const struct laser_pickle_value *tuple,
                       int64_t *sizes, int *n)
{
    if (tuple->kind != LASER_PICKLE_TUPLE || tuple->n_items > LASER_MAX_DIMS)
        return false;
    *n = tuple->n_items;
    for (int32_t i = 0; i < tuple->n_items; i++) {
        if (laser_pickle_item(m, tuple, i)->kind != LASER_PICKLE_NUMBER ||
            laser_pickle_item(m, tuple, i)->number < 0)
            return false;
        sizes[i] = laser_pickle_item(m, tuple, i)->number;
    }
    return true;
}

/* Does the last element lie in the storage? */
static bool fits(const struct laser_pickle_tensor *t)
{
    int64_t last = t->offset, n = 1, step;

    for (int d = 0; d < t->n_dims; d++) {
        if (__builtin_mul_overflow(n, t->shape[d], &n))
            return false;
        if (t->shape[d] > 0 && (__builtin_mul_overflow(t->shape[d] - 1, t->stride[d], &step) ||
                                __builtin_add_overflow(last, step, &last)))
            return false;
    }
    return t->storage_elements <= INT64_MAX / 8 && n <= INT64_MAX / 8 &&
           (n == 0 || last < t->storage_elements);
}

/* _rebuild_tensor_v2(storage, offset, size, stride, ...) */
static int rebuild_tensor(struct laser_pickle_machine *m, const struct laser_pickle_value *arguments)
{
    const struct laser_pickle_value *storage = laser_pickle_item(m, arguments, 0),
                                    *offset = laser_pickle_item(m, arguments, 1);
    struct laser_pickle_tensor *t = calloc(1, sizeof *t);
    int n_strides = 0;

    if (t == NULL)
        return laser_pickle_no_memory(m);
    if (storage->kind != LASER_PICKLE_STORAGE || offset->kind != LASER_PICKLE_NUMBER || offset->number < 0 ||
        !take_sizes(m, laser_pickle_item(m, arguments, 2), t->shape, &t->n_dims) ||
        !take_sizes(m, laser_pickle_item(m, arguments, 3), t->stride, &n_strides) || n_strides != t->n_dims) {
        free(t);
        return laser_pickle_refuse(m, "a tensor that is not made of a storage, an offset, sizes and strides");
    }
    t->dtype = storage->dtype;
    t->storage = storage->text; /* copied when the machine stops */
    t->storage_elements = storage->number;
    t->offset = offset->number;
    if (!fits(t)) {
        free(t);
        return laser_pickle_refuse(m, "a tensor that leaves its storage");
    }
    return laser_pickle_push(m, (struct laser_pickle_value){.kind = LASER_PICKLE_TENSOR, .tensor = t});
}

static int rebuild_parameter(struct laser_pickle_machine *m, const struct laser_pickle_value *arguments)
{
    if (laser_pickle_item(m, arguments, 0)->kind != LASER_PICKLE_TENSOR)
        return laser_pickle_refuse(m, "a parameter without a tensor");
    return laser_pickle_push_index(m, arguments->items[0]);
}

int laser_pickle_reduce(struct laser_pickle_machine *m)
{
    int code = LASER_OK;
    const struct laser_pickle_value *arguments = laser_pickle_peek(m, 0, &code),
                                    *callable = laser_pickle_peek(m, 1, &code);
    struct laser_pickle_value copy;

    if (code != LASER_OK)
        return code;
    if (callable->kind != LASER_PICKLE_GLOBAL || arguments->kind != LASER_PICKLE_TUPLE)
        return laser_pickle_refuse(m, "a call of something that is no name");
    m->n_stack -= 2;
    copy = *arguments; /* the list of values may move */
    switch (callable->global) {
    case LASER_PICKLE_ORDERED_DICT:
        return copy.n_items == 0
                   ? laser_pickle_push(m, (struct laser_pickle_value){.kind = LASER_PICKLE_DICT})
                   : laser_pickle_refuse(m, "an OrderedDict made of a list");
    case LASER_PICKLE_REBUILD_TENSOR:
        return rebuild_tensor(m, &copy);
    case LASER_PICKLE_REBUILD_PARAMETER:
        return rebuild_parameter(m, &copy);
    default:
        return laser_pickle_refuse(m, "a call of a type of storage");
    }
}

/* The attributes of an OrderedDict (its _metadata) are left out. */
int laser_pickle_build(struct laser_pickle_machine *m)
{
    int code = LASER_OK;
    const struct laser_pickle_value *state = laser_pickle_peek(m, 0, &code),
                                    *object = laser_pickle_peek(m, 1, &code);

    if (code != LASER_OK)
        return code;
    if (object->kind != LASER_PICKLE_DICT || state->kind != LASER_PICKLE_DICT)
        return laser_pickle_refuse(m, "attributes for something that is no dict");
    m->n_stack--;
    return LASER_OK;
}
