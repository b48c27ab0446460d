/* What config.json says of a quantisation, where there are no files to ask. */
#include "config.h" /* _GNU_SOURCE: asprintf */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/match.h"
#include "checkpoint/coded_resolve.h"

#define GROUP 128 /* where none is named */

static int64_t number(const json_t *config, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(config, key);

    return json_is_integer(value) && json_integer_value(value) > 0 ? json_integer_value(value) : otherwise;
}

/* The weights of the first group of compressed-tensors. */
static const json_t *first_group(const json_t *config)
{
    const char *key;
    json_t *group;

    json_object_foreach(json_object_get(config, "config_groups"), key, group)
    {
        return json_object_get(group, "weights");
    }
    return NULL;
}

/* float32 scales of blocks of both sides. */
static double fp8_bits(const json_t *config)
{
    const json_t *block = json_object_get(config, "weight_block_size");
    const double n = (double)json_integer_value(json_array_get(block, 0)) *
                     (double)json_integer_value(json_array_get(block, 1));

    return n > 0 ? 8 + 32 / n : 8;
}

/* Scales and zero points of groups, of 16 and of as many bits as the weights. */
static double integer_bits(const json_t *config, const char *key)
{
    const double bits = (double)number(config, key, 4), group = (double)number(config, "group_size", GROUP);

    return bits + (16 + bits) / group;
}

static double bitsandbytes_bits(const json_t *config)
{
    const bool four = json_is_true(json_object_get(config, "load_in_4bit"));
    const bool twice = json_is_true(json_object_get(config, "bnb_4bit_use_double_quant"));

    return !four ? 8 : twice ? 4 + 8. / 64 + 32. / (64 * 256) : 4 + 32. / 64;
}

double laser_coded_config_bits(const struct laser_checkpoint *c)
{
    const json_t *config = laser_resolve_config(c);
    const char *method = json_string_value(json_object_get(config, "quant_method"));

    if (config == NULL)
        return 0;
    if (method == NULL) /* MLX */
        return json_is_integer(json_object_get(config, "bits")) ? integer_bits(config, "bits") : 0;
    if (strcmp(method, "fp8") == 0 || strcmp(method, "fbgemm_fp8") == 0)
        return fp8_bits(config);
    if (strcmp(method, "mxfp4") == 0)
        return 4 + 8. / 32;
    if (strcmp(method, "modelopt") == 0)
        return 4 + 8. / 16;
    if (strcmp(method, "gptq") == 0 || strcmp(method, "awq") == 0)
        return integer_bits(config, "bits");
    if (strcmp(method, "compressed-tensors") == 0)
        return integer_bits(first_group(config), "num_bits");
    return strcmp(method, "bitsandbytes") == 0 ? bitsandbytes_bits(config) : 0;
}

bool laser_coded_config_spares(const struct laser_checkpoint *c, const char *name)
{
    static const char *const keys[] = {"modules_to_not_convert", "llm_int8_skip_modules", "ignore",
                                       "ignored_layers"};
    const json_t *config = laser_resolve_config(c), *value;
    size_t at;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        json_array_foreach(json_object_get(config, keys[i]), at, value)
        {
            char *pattern = NULL;
            const bool is = json_is_string(value) &&
                            asprintf(&pattern, "*%s*", json_string_value(value)) >= 0 &&
                            laser_glob_match(pattern, name);

            free(pattern);
            if (is)
                return true;
        }
    return false;
}
