#include "checkpoint/parts.h"

#include <string.h>

#include "arch/family.h"
#include "arch/names.h"

/* Attention heads as config.json has them, under any of the usual keys; 0 where it is silent. */
struct heads {
    int64_t n_query;
    int64_t n_key;
    int64_t width; /* of one head */
};

static json_t *config_value(const struct laser_checkpoint *c, const char *key)
{
    json_t *text = json_object_get(c->config, "text_config");
    json_t *value = json_object_get(text, key);

    return value != NULL ? value : json_object_get(c->config, key);
}

static int64_t config_size(const struct laser_checkpoint *c, const char *const *keys, int64_t fallback)
{
    for (; *keys != NULL; keys++) {
        const json_t *value = config_value(c, *keys);

        if (json_is_integer(value) && json_integer_value(value) > 0)
            return json_integer_value(value);
    }
    return fallback;
}

static bool config_flag(const struct laser_checkpoint *c, const char *key, bool fallback)
{
    const json_t *value = config_value(c, key);

    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

static struct heads read_heads(const struct laser_checkpoint *c)
{
    static const char *const query[] = {"num_attention_heads", "n_head", "n_heads", NULL};
    static const char *const key[] = {"num_key_value_heads", "num_kv_heads", "n_head_kv",
                                      "multi_query_group_num", NULL};
    static const char *const width[] = {"head_dim", "kv_channels", NULL};
    static const char *const hidden[] = {"hidden_size", "n_embd", "d_model", NULL};
    struct heads h;
    int64_t hidden_size = config_size(c, hidden, 0);

    h.n_query = config_size(c, query, 0);
    h.n_key = config_size(c, key, h.n_query);
    h.width = config_size(c, width, h.n_query > 0 ? hidden_size / h.n_query : 0);
    if (h.n_query > INT32_MAX || h.n_key > INT32_MAX || h.width > INT32_MAX)
        h = (struct heads){0, 0, 0};
    return h;
}

bool laser_parts_transposed(const struct laser_checkpoint *c, const char *name, int n_dims)
{
    const struct laser_stored *stored = laser_stored_of(c->config);

    if (n_dims == 3)
        return stored->turned_stacks;
    return n_dims == 2 && stored->conv1d &&
           (laser_name_module_is(name, "c_attn") || laser_name_module_is(name, "c_proj") ||
            laser_name_module_is(name, "c_fc") || laser_name_module_is(name, "q_attn"));
}

/* Rows start .. start+rows-1 of every block of `stride` rows. */
static void take_rows(struct laser_matrix *part, const char *label, int64_t start, int64_t rows,
                      int64_t stride)
{
    const int64_t n_blocks = part->rows / stride;

    part->part = label;
    part->first += start * part->ld;
    part->rows = n_blocks * rows;
    part->block_rows = rows;
    part->block_stride = stride;
}

static void take_columns(struct laser_matrix *part, const char *label, int64_t start, int64_t cols,
                         int64_t step)
{
    part->part = label;
    part->col0 += start;
    part->cols = cols;
    part->col_step = step;
}

/* q, k and v follow each other in every block of (q + 2 k) rows. */
static int split_rows_qkv(struct laser_matrix parts[LASER_MAX_PARTS], int64_t q, int64_t k)
{
    take_rows(&parts[0], "q", 0, q, q + 2 * k);
    take_rows(&parts[1], "k", q, k, q + 2 * k);
    take_rows(&parts[2], "v", q + k, k, q + 2 * k);
    return 3;
}

static int split_contiguous(const struct laser_matrix *whole, const struct heads *h,
                            struct laser_matrix parts[LASER_MAX_PARTS])
{
    if (h->width > 0 && whole->rows == (h->n_query + 2 * h->n_key) * h->width)
        return split_rows_qkv(parts, h->n_query * h->width, h->n_key * h->width);
    if (whole->rows == 3 * whole->cols)
        return split_rows_qkv(parts, whole->cols, whole->cols);
    return 0;
}

static int split_by_group(const struct laser_matrix *whole, const struct heads *h,
                          struct laser_matrix parts[LASER_MAX_PARTS])
{
    if (h->width == 0 || h->n_key == 0 || h->n_query % h->n_key != 0 ||
        whole->rows != (h->n_query + 2 * h->n_key) * h->width)
        return 0;
    return split_rows_qkv(parts, h->n_query / h->n_key * h->width, h->width);
}

static int split_multi_query(const struct laser_matrix *whole, const struct heads *h,
                             struct laser_matrix parts[LASER_MAX_PARTS])
{
    const struct heads one = {h->n_query, 1, h->width};

    return split_contiguous(whole, &one, parts);
}

static int split_query_key_value(const struct laser_checkpoint *c, const struct laser_matrix *whole,
                                 const struct heads *h, struct laser_matrix parts[LASER_MAX_PARTS])
{
    const struct heads equal = {h->n_query, h->n_query, h->width};

    switch (laser_stored_of(c->config)->fused) {
    case LASER_FUSED_BY_HEAD:
        return split_by_group(whole, &equal, parts);
    case LASER_FUSED_CONTIGUOUS:
        return split_contiguous(whole, h, parts);
    case LASER_FUSED_FALCON:
        break;
    default:
        return 0;
    }
    if (config_flag(c, "new_decoder_architecture", false))
        return split_by_group(whole, h, parts);
    return config_flag(c, "multi_query", true) ? split_multi_query(whole, h, parts)
                                               : split_by_group(whole, &equal, parts);
}

static int split_c_attn(const struct laser_checkpoint *c, const struct laser_matrix *whole,
                        const struct heads *h, struct laser_matrix parts[LASER_MAX_PARTS])
{
    const struct heads equal = {h->n_query, h->n_query, h->width};

    if (whole->transposed) {
        if (whole->cols != 3 * whole->rows)
            return 0;
        take_columns(&parts[0], "q", 0, whole->rows, 1);
        take_columns(&parts[1], "k", whole->rows, whole->rows, 1);
        take_columns(&parts[2], "v", 2 * whole->rows, whole->rows, 1);
        return 3;
    }
    if (laser_stored_of(c->config)->fused != LASER_FUSED_BIGCODE)
        return split_contiguous(whole, h, parts);
    return config_flag(c, "multi_query", true) ? split_multi_query(whole, h, parts)
                                               : split_by_group(whole, &equal, parts);
}

static int split_gate_up(const struct laser_checkpoint *c, const struct laser_matrix *whole,
                         struct laser_matrix parts[LASER_MAX_PARTS])
{
    const int64_t half = (whole->transposed ? whole->cols : whole->rows) / 2;

    if ((whole->transposed ? whole->cols : whole->rows) % 2 != 0 || half == 0)
        return 0;
    if (!whole->transposed) {
        take_rows(&parts[0], "gate", 0, half, 2 * half);
        take_rows(&parts[1], "up", half, half, 2 * half);
    } else if (laser_stored_of(c->config)->interleaved_gate_up) {
        take_columns(&parts[0], "gate", 0, half, 2);
        take_columns(&parts[1], "up", 1, half, 2);
    } else {
        take_columns(&parts[0], "gate", 0, half, 1);
        take_columns(&parts[1], "up", half, half, 1);
    }
    return 2;
}

int laser_parts_split(const struct laser_checkpoint *c, const char *name, const struct laser_matrix *whole,
                      struct laser_matrix parts[LASER_MAX_PARTS])
{
    const struct heads h = read_heads(c);
    int n = 0;

    for (int i = 0; i < LASER_MAX_PARTS; i++)
        parts[i] = *whole;
    if (laser_name_module_is(name, "gate_up_proj") || laser_name_module_is(name, "input_linear"))
        n = split_gate_up(c, whole, parts);
    else if (laser_name_module_is(name, "c_attn"))
        n = split_c_attn(c, whole, &h, parts);
    else if (laser_name_module_is(name, "query_key_value"))
        n = split_query_key_value(c, whole, &h, parts);
    else if (laser_name_module_is(name, "wqkv"))
        n = split_by_group(whole, &h, parts);
    else if (laser_name_module_is(name, "qkv_proj") || laser_name_module_is(name, "Wqkv") ||
             laser_name_module_is(name, "W_pack") || laser_name_module_is(name, "in_proj_weight") ||
             laser_name_module_is(name, "qkv"))
        n = laser_stored_of(c->config)->fused == LASER_FUSED_CODEGEN ? 0 : split_contiguous(whole, &h, parts);
    else
        return 1;
    if (n > 0)
        return n;
    parts[0] = *whole;
    parts[0].note = "not split: config.json does not tell how its parts are laid out, or the shape differs";
    return 1;
}
