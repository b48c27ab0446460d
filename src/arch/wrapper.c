/* Which tensors of a checkpoint are no part of the language model that is run. */
#include <string.h>

#include "arch/family.h"

bool laser_names_ignore(const struct laser_names *names, const char *tensor)
{
    size_t n = strlen(tensor);

    if (names->foreign && strncmp(tensor, names->foreign, strlen(names->foreign)) == 0)
        return true;
    for (int i = 0; i < 8 && names->ignored[i]; i++) {
        size_t tail = strlen(names->ignored[i]);
        if (n >= tail && strcmp(tensor + n - tail, names->ignored[i]) == 0)
            return true;
    }
    return false;
}

static bool begins(const char *text, const char *with)
{
    return with && strncmp(text, with, strlen(with)) == 0;
}

/* Behind the prefix of the language model. */
static bool is_inside(const struct laser_names *names, const char *rest)
{
    for (; names; names = names->also)
        if (begins(rest, names->layer) || begins(rest, names->embed) || begins(rest, names->positions) ||
            begins(rest, names->embed_norm) || begins(rest, names->final_norm))
            return true;
    return false;
}

static bool is_wrapped(const struct laser_wrapper *w, const struct laser_names *names, const char *tensor)
{
    for (int i = 0; w->heads[i]; i++)
        if (begins(tensor, w->heads[i]))
            return true;
    for (int i = 0; w->prefixes[i]; i++)
        if (begins(tensor, w->prefixes[i]) && is_inside(names, tensor + strlen(w->prefixes[i])))
            return true;
    return false;
}

/* Of the language model that a checkpoint holds, NULL where the type is not known; *w: what is around it, or NULL. */
static const struct laser_family *family_of(json_t *config, const struct laser_wrapper **w)
{
    const char *type = json_string_value(json_object_get(config, "model_type"));
    const char *inner =
        json_string_value(json_object_get(json_object_get(config, "text_config"), "model_type"));

    *w = type ? laser_wrapper_find(type) : NULL;
    if (*w)
        type = inner ? inner : (*w)->text_type;
    return type ? laser_family_find(type) : NULL;
}

bool laser_arch_is_beside(json_t *config, const char *tensor)
{
    const struct laser_wrapper *w;
    const struct laser_family *family = family_of(config, &w);

    if (!family)
        return false;
    return laser_names_ignore(family->names, tensor) || (w && !is_wrapped(w, family->names, tensor));
}

/* "...3.mlp.gate.weight" for "mlp.gate" */
static bool is_module(const char *tensor, const char *module)
{
    size_t n = strlen(tensor), m = module ? strlen(module) : 0, tail = strlen(".weight");

    return module && n > m + tail && strcmp(tensor + n - tail, ".weight") == 0 &&
           strncmp(tensor + n - tail - m, module, m) == 0 && tensor[n - tail - m - 1] == '.';
}

bool laser_arch_is_router(json_t *config, const char *tensor)
{
    const struct laser_wrapper *w;
    const struct laser_family *family = family_of(config, &w);

    for (const struct laser_names *n = family ? family->names : NULL; n; n = n->also)
        if (is_module(tensor, n->router) || is_module(tensor, n->stack_router) ||
            is_module(tensor, n->shared_router))
            return true;
    return false;
}
