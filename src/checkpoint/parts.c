#include "checkpoint/parts.h"

#include <stdio.h>
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

/* A stack of experts [experts, out, in], where both orientations are in use: the hidden size tells. */
static bool is_plain_stack(const struct laser_checkpoint *c, const char *name)
{
    static const char *const hidden[] = {"hidden_size", NULL};
    const int64_t index = laser_checkpoint_find_index(c, name), size = config_size(c, hidden, 0);
    const int inputs =
        laser_name_module_is(name, "down_proj") ? 1 : 2; /* where the hidden size stands then */

    return index >= 0 && c->tensors[index].n_dims == 3 && c->tensors[index].shape[inputs] == size;
}

bool laser_parts_transposed(const struct laser_checkpoint *c, const char *name, int n_dims)
{
    const struct laser_stored *stored = laser_stored_of(c->config);

    if (n_dims == 3)
        return stored->turned_stacks && !(stored->either_stacks && is_plain_stack(c, name));
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

/* As config.json has the heads: q, then k, then v. */
static int split_contiguous(const struct laser_matrix *whole, const struct heads *h,
                            struct laser_matrix parts[LASER_MAX_PARTS])
{
    if (h->width <= 0 || whole->rows != (h->n_query + 2 * h->n_key) * h->width)
        return 0;
    return split_rows_qkv(parts, h->n_query * h->width, h->n_key * h->width);
}

/* Three square matrices, whatever the heads: towers that have heads of their own. */
static int split_thirds(const struct laser_matrix *whole, struct laser_matrix parts[LASER_MAX_PARTS])
{
    return whole->rows == 3 * whole->cols ? split_rows_qkv(parts, whole->cols, whole->cols) : 0;
}

static int split_by_group(const struct laser_matrix *whole, const struct heads *h,
                          struct laser_matrix parts[LASER_MAX_PARTS])
{
    if (h->width == 0 || h->n_key == 0 || h->n_query % h->n_key != 0 ||
        whole->rows != (h->n_query + 2 * h->n_key) * h->width)
        return 0;
    return split_rows_qkv(parts, h->n_query / h->n_key * h->width, h->width);
}

static int split_by_head(const struct laser_matrix *whole, const struct heads *h,
                         struct laser_matrix parts[LASER_MAX_PARTS])
{
    const struct heads equal = {h->n_query, h->n_query, h->width};

    return split_by_group(whole, &equal, parts);
}

static int split_multi_query(const struct laser_matrix *whole, const struct heads *h,
                             struct laser_matrix parts[LASER_MAX_PARTS])
{
    const struct heads one = {h->n_query, 1, h->width};

    return split_contiguous(whole, &one, parts);
}

static int split_falcon(const struct laser_checkpoint *c, const struct laser_matrix *whole,
                        const struct heads *h, struct laser_matrix parts[LASER_MAX_PARTS])
{
    if (config_flag(c, "new_decoder_architecture", false))
        return split_by_group(whole, h, parts);
    return config_flag(c, "multi_query", true) ? split_multi_query(whole, h, parts)
                                               : split_by_head(whole, h, parts);
}

static int split_conv1d(const struct laser_matrix *whole, struct laser_matrix parts[LASER_MAX_PARTS])
{
    if (!whole->transposed || whole->cols != 3 * whole->rows)
        return 0;
    take_columns(&parts[0], "q", 0, whole->rows, 1);
    take_columns(&parts[1], "k", whole->rows, whole->rows, 1);
    take_columns(&parts[2], "v", 2 * whole->rows, whole->rows, 1);
    return 3;
}

static int take_gate_up_columns(const struct laser_matrix *whole, bool alternate,
                                struct laser_matrix parts[LASER_MAX_PARTS])
{
    const int64_t half = whole->cols / 2;

    take_columns(&parts[0], "gate", 0, half, alternate ? 2 : 1);
    take_columns(&parts[1], "up", alternate ? 1 : half, half, alternate ? 2 : 1);
    return 2;
}

/* Gate, then up, of rows; of a stack, older files have them as columns, which the hidden size tells apart. */
static int split_gate_up(const struct laser_checkpoint *c, const struct laser_matrix *whole,
                         struct laser_matrix parts[LASER_MAX_PARTS])
{
    static const char *const keys[] = {"hidden_size", NULL};
    const int64_t hidden = config_size(c, keys, 0), half = whole->rows / 2;
    const bool as_rows = whole->cols == hidden && whole->rows % 2 == 0,
               as_columns = whole->expert >= 0 && whole->rows == hidden && whole->cols % 2 == 0;

    if (as_rows == as_columns)
        return 0;
    if (as_columns)
        return take_gate_up_columns(whole, false, parts);
    take_rows(&parts[0], "gate", 0, half, 2 * half);
    take_rows(&parts[1], "up", half, half, 2 * half);
    return 2;
}

enum layout {
    CONTIGUOUS,      /* rows of q, k, v */
    THIRDS,          /* the same, three square ones */
    BY_HEAD,         /* q, k, v of each head */
    BY_GROUP,        /* the q of a group, its k, its v */
    FALCON,          /* one of these, as config.json says */
    BIGCODE,         /* contiguous with one k and v, or by head */
    CONV1D,          /* columns of q, k, v */
    GATE_UP,         /* rows of gate, up */
    GATE_UP_COLUMNS, /* of a transposed stack */
    GATE_UP_ALTERNATE
};

#define VISION                                                                                               \
    " blip blip-2 ernie4_5_vl_moe florence2 glm4v glm4v_moe glm_image glm_ocr got_ocr2 instructblip "        \
    "instructblipvideo internvl_chat mgp-str qwen2_5_vl qwen2_vl qwen3_5 qwen3_5_moe qwen3_omni_moe "        \
    "qwen3_vl qwen3_vl_moe sam sam2 sam_hq timesformer vitdet "
#define DENSE_GATE_UP " dia esmfold2 glm glm4 glm4v glm_image glm_ocr phi3 phi3_v zamba2 "
#define STACKED_GATE_UP                                                                                      \
    " afmoe bailing_hybrid cohere2_moe deepseek_v2 deepseek_v3 deepseek_v32 deepseek_v4 dots1 "              \
    "ernie4_5_moe ernie4_5_vl_moe exaone_moe flex_olmo gemma4 gemma4_text glm4_moe glm4_moe_lite "           \
    "glm4v_moe glm_moe_dsa granitemoe granitemoehybrid granitemoeshared hunyuan_v1_moe jamba kimi_linear "   \
    "lfm2_moe longcat_flash mimo_v2_flash minimax minimax_m2 minimax_m3_vl mistral4 mixtral olmoe phimoe "   \
    "qwen2_moe qwen3_5_moe qwen3_moe qwen3_next qwen3_omni_moe qwen3_vl_moe solar_open "

/* What transformers (and, where it has no model of the type, the code published with the weights) cuts a
 * fused weight into.  A module of a type that is not here is left whole: its layout would be a guess. */
static const struct fused {
    const char *module;
    enum layout layout;
    const char *types;  /* of config.json or its text_config; NULL: any */
    const char *within; /* a part of the tensor's name; NULL: any */
} known[] = {
    {"qkv_proj", CONTIGUOUS, " phi3 phi3_v ", NULL},
    {"qkv_proj", CONTIGUOUS, " phi4_multimodal phi4mm ", "model.layers."},
    {"Wqkv", CONTIGUOUS, " mpt dbrx phi-msft mixformer-sequential ", NULL},
    {"Wqkv", THIRDS, " modernbert nomic_bert ", NULL},
    {"W_pack", CONTIGUOUS, " baichuan ", NULL},
    {"wqkv", BY_GROUP, " internlm2 ", NULL},
    {"in_proj_weight", THIRDS, NULL, NULL}, /* torch.nn.MultiheadAttention */
    {"qkv", THIRDS, VISION, NULL},
    {"c_attn", CONV1D, " gpt2 openai-gpt imagegpt decision_transformer ", NULL},
    {"c_attn", CONTIGUOUS, " qwen ", NULL},
    {"c_attn", BIGCODE, " gpt_bigcode ", NULL},
    {"query_key_value", BY_HEAD, " gpt_neox gpt_neox_japanese bloom persimmon ", NULL},
    {"query_key_value", FALCON, " falcon RefinedWeb RefinedWebModel ", NULL},
    {"query_key_value", CONTIGUOUS, " chatglm ", NULL},
    {"gate_up_proj", GATE_UP, DENSE_GATE_UP STACKED_GATE_UP, NULL},
    {"gate_up_proj", GATE_UP, " phi4_multimodal phi4mm ", "model.layers."},
    {"gate_up_proj", GATE_UP_COLUMNS, " llama4 llama4_text aria openai_privacy_filter ", NULL},
    {"gate_up_proj", GATE_UP_ALTERNATE, " gpt_oss ", NULL},
    {"input_linear", GATE_UP, " granitemoe granitemoeshared granitemoehybrid granitemoe_swa ", NULL},
    {"input_linear", GATE_UP, " jetmoe ", "mlp."},
};

enum { N_KNOWN = sizeof known / sizeof *known };

static bool is_in(const char *list, const char *type)
{
    char word[80];

    snprintf(word, sizeof word, " %.70s ", type != NULL ? type : "");
    return type != NULL && strstr(list, word) != NULL;
}

static const struct fused *find_known(const struct laser_checkpoint *c, const char *name)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(c->config, "text_config"), "model_type"));
    const char *type = json_string_value(json_object_get(c->config, "model_type"));

    for (int i = 0; i < N_KNOWN; i++)
        if (laser_name_module_is(name, known[i].module) &&
            (known[i].types == NULL || is_in(known[i].types, type) || is_in(known[i].types, text)) &&
            (known[i].within == NULL || strstr(name, known[i].within) != NULL))
            return &known[i];
    return NULL;
}

static bool looks_fused(const char *name)
{
    for (int i = 0; i < N_KNOWN; i++)
        if (laser_name_module_is(name, known[i].module))
            return true;
    return false;
}

static int split_as(const struct laser_checkpoint *c, enum layout layout, const struct laser_matrix *whole,
                    struct laser_matrix parts[LASER_MAX_PARTS])
{
    const struct heads h = read_heads(c);

    switch (layout) {
    case CONTIGUOUS:
        return split_contiguous(whole, &h, parts);
    case THIRDS:
        return split_thirds(whole, parts);
    case BY_HEAD:
        return split_by_head(whole, &h, parts);
    case BY_GROUP:
        return split_by_group(whole, &h, parts);
    case FALCON:
        return split_falcon(c, whole, &h, parts);
    case BIGCODE:
        return config_flag(c, "multi_query", true) ? split_multi_query(whole, &h, parts)
                                                   : split_by_head(whole, &h, parts);
    case CONV1D:
        return split_conv1d(whole, parts);
    case GATE_UP:
        return split_gate_up(c, whole, parts);
    case GATE_UP_COLUMNS:
    case GATE_UP_ALTERNATE:
        return whole->cols % 2 == 0 ? take_gate_up_columns(whole, layout == GATE_UP_ALTERNATE, parts) : 0;
    }
    return 0;
}

int laser_parts_split(const struct laser_checkpoint *c, const char *name, const struct laser_matrix *whole,
                      struct laser_matrix parts[LASER_MAX_PARTS])
{
    const struct fused *fused = find_known(c, name);
    int n;

    for (int i = 0; i < LASER_MAX_PARTS; i++)
        parts[i] = *whole;
    if (fused == NULL && !looks_fused(name))
        return 1;
    n = fused != NULL ? split_as(c, fused->layout, whole, parts) : 0;
    if (n > 0)
        return n;
    parts[0] = *whole;
    parts[0].note = fused == NULL ? "how its parts are laid out is not known for this model_type"
                                  : "its shape is not the one that config.json describes";
    return 1;
}
