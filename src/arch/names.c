#include "config.h" /* _GNU_SOURCE */

#include "arch/names.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

int laser_name_layer(const char *name, const char **rest)
{
    const char *part = name;

    while (part != NULL) {
        const size_t n = strcspn(part, ".");
        const char *next = part[n] == '.' ? part + n + 1 : NULL;
        size_t digits = 0;
        int layer = 0;

        while (digits < n && digits < 9 && isdigit((unsigned char)part[digits]))
            layer = 10 * layer + (part[digits++] - '0');
        if (n > 0 && digits == n) {
            if (rest != NULL)
                *rest = next != NULL ? next : name;
            return layer;
        }
        part = next;
    }
    if (rest != NULL)
        *rest = name;
    return -1;
}

const char *laser_name_module(const char *name, size_t *length)
{
    const char *end = name + strlen(name);
    const char *start = strrchr(name, '.');

    if (start != NULL && strcmp(start, ".weight") == 0) {
        end = start;
        start = memrchr(name, '.', (size_t)(end - name));
    }
    start = start != NULL ? start + 1 : name;
    *length = (size_t)(end - start);
    return start;
}

bool laser_name_module_is(const char *name, const char *module)
{
    size_t length;
    const char *start = laser_name_module(name, &length);

    return length == strlen(module) && memcmp(start, module, length) == 0;
}

static bool has_word(const char *text, size_t length, const char *const *words, size_t n_words)
{
    for (size_t i = 0; i < n_words; i++) {
        if (memmem(text, length, words[i], strlen(words[i])) != NULL)
            return true;
    }
    return false;
}

static bool is_one_of(const char *name, const char *const *modules, size_t n_modules)
{
    for (size_t i = 0; i < n_modules; i++) {
        if (laser_name_module_is(name, modules[i]))
            return true;
    }
    return false;
}

const char *laser_name_skip_reason(const char *name)
{
    static const char *const tables[] = {"embed",   "position", "relative_attention_bias",
                                         "rel_pos", "rotary",   "inv_freq"};
    static const char *const short_tables[] = {"wte", "wpe"};
    static const char *const heads[] = {"lm_head", "head", "embed_out", "output", "score", "classifier"};
    static const char *const norms[] = {"norm", "ln_", "_ln", "layer_scale"};
    const char *dot = strrchr(name, '.');
    const char *last = dot != NULL ? dot + 1 : name;
    const size_t last_length = strlen(last);
    const int layer = laser_name_layer(name, NULL);
    const bool in_expert = strstr(name, "expert") != NULL;
    size_t length;
    const char *module = laser_name_module(name, &length);

    if (strstr(last, "bias") != NULL)
        return "bias";
    if (has_word(module, length, tables, LENGTH(tables)) ||
        is_one_of(name, short_tables, LENGTH(short_tables)))
        return "embedding or position table";
    if (is_one_of(name, heads, layer < 0 ? LENGTH(heads) : 3))
        return "output head";
    if (layer < 0)
        return "outside the numbered layers";
    if (has_word(module, length, norms, LENGTH(norms)))
        return "norm";
    if (strcmp(last, "weight") == 0 || (last_length > 7 && strcmp(last + last_length - 7, "_weight") == 0))
        return NULL;
    if (in_expert && strstr(last, "scale") == NULL)
        return NULL;
    return "not the weight of a linear layer";
}

/* Compares the numbers at a and b and moves past them. */
static int compare_numbers(const char **a, const char **b)
{
    size_t n, m;
    int order;

    while (**a == '0' && isdigit((unsigned char)(*a)[1]))
        ++*a;
    while (**b == '0' && isdigit((unsigned char)(*b)[1]))
        ++*b;
    n = strspn(*a, "0123456789");
    m = strspn(*b, "0123456789");
    order = n != m ? (n < m ? -1 : 1) : memcmp(*a, *b, n);
    *a += n;
    *b += m;
    return order;
}

int laser_name_compare(const char *a, const char *b)
{
    const char *x = a, *y = b;

    while (*x != '\0' && *y != '\0') {
        if (isdigit((unsigned char)*x) && isdigit((unsigned char)*y)) {
            const int order = compare_numbers(&x, &y);

            if (order != 0)
                return order;
        } else if (*x != *y) {
            return (unsigned char)*x < (unsigned char)*y ? -1 : 1;
        } else {
            x++;
            y++;
        }
    }
    if (*x != *y)
        return *x == '\0' ? -1 : 1;
    return strcmp(a, b);
}
