/* A GGUF file as a Hugging Face model: names, rows, configuration. */
#include "config.h" /* _GNU_SOURCE */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/coded.h"
#include "checkpoint/gguf.h"
#include "checkpoint/state.h"

/* What llama.cpp calls an architecture, and transformers a model type. */
struct family {
    const char *arch;
    const char *dense;
    const char *experts;     /* where it has experts, or NULL */
    const char *class_dense; /* for `architectures` */
    const char *class_experts;
    bool turned; /* rows of q and k in llama.cpp's order */
};

static const struct family families[] = {
    {"llama", "llama", "mixtral", "LlamaForCausalLM", "MixtralForCausalLM", true},
    {"qwen2", "qwen2", NULL, "Qwen2ForCausalLM", NULL, false},
    {"qwen3", "qwen3", NULL, "Qwen3ForCausalLM", NULL, false},
    {"qwen2moe", NULL, "qwen2_moe", NULL, "Qwen2MoeForCausalLM", false},
    {"qwen3moe", NULL, "qwen3_moe", NULL, "Qwen3MoeForCausalLM", false},
};

struct name_pair {
    const char *gguf;
    const char *hf;
};

static const struct name_pair outer[] = {
    {"token_embd.", "model.embed_tokens."}, {"output_norm.", "model.norm."}, {"output.", "lm_head."}};

static const struct name_pair inner[] = {{"attn_norm.", "input_layernorm."},
                                         {"attn_q.", "self_attn.q_proj."},
                                         {"attn_k.", "self_attn.k_proj."},
                                         {"attn_v.", "self_attn.v_proj."},
                                         {"attn_output.", "self_attn.o_proj."},
                                         {"attn_q_norm.", "self_attn.q_norm."},
                                         {"attn_k_norm.", "self_attn.k_norm."},
                                         {"ffn_norm.", "post_attention_layernorm."},
                                         {"ffn_gate.", "mlp.gate_proj."},
                                         {"ffn_up.", "mlp.up_proj."},
                                         {"ffn_down.", "mlp.down_proj."},
                                         {"ffn_gate_inp.", "mlp.gate."},
                                         {"ffn_gate_inp_shexp.", "mlp.shared_expert_gate."},
                                         {"ffn_gate_shexp.", "mlp.shared_expert.gate_proj."},
                                         {"ffn_up_shexp.", "mlp.shared_expert.up_proj."},
                                         {"ffn_down_shexp.", "mlp.shared_expert.down_proj."}};

/* Stacks of experts: one tensor there, one for each expert here. */
static const struct name_pair stacks[] = {
    {"ffn_gate_exps.", "gate_proj"}, {"ffn_up_exps.", "up_proj"}, {"ffn_down_exps.", "down_proj"}};
static const struct name_pair mixtral_stacks[] = {
    {"ffn_gate_exps.", "w1"}, {"ffn_up_exps.", "w3"}, {"ffn_down_exps.", "w2"}};

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

/* A file that is being made a catalogue. */
struct catalogue {
    struct laser_checkpoint *c;
    const struct laser_gguf *g;
    const struct family *family; /* NULL: unknown, names stay */
    bool has_experts;
    int64_t heads;
    int64_t kv_heads;
    int64_t room;
    struct laser_error *err;
};

static int no_memory(struct catalogue *m)
{
    return laser_error_set(m->err, LASER_ENOMEM, m->c->model, "no memory for the catalogue");
}

/* arch.KEY of the metadata, or NULL. */
static const json_t *value_of(const struct catalogue *m, const char *key)
{
    char full[200];

    snprintf(full, sizeof full, "%s.%s",
             json_string_value(json_object_get(m->g->metadata, "general.architecture")), key);
    return json_object_get(m->g->metadata, full);
}

static const struct name_pair *find_pair(const struct name_pair *pairs, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strncmp(name, pairs[i].gguf, strlen(pairs[i].gguf)) == 0)
            return &pairs[i];
    }
    return NULL;
}

/* "blk.3.attn_q.weight": the layer, and *rest = "attn_q.weight"; -1 for another name. */
static int layer_of(const char *name, const char **rest)
{
    int layer = -1, end = 0;

    if (sscanf(name, "blk.%d.%n", &layer, &end) != 1 || end == 0)
        return -1;
    *rest = name + end;
    return layer;
}

/* The Hugging Face name; *heads > 0 if rows of as many heads have another order. */
static char *hf_name(const struct catalogue *m, const struct laser_gguf_tensor *t, int64_t *heads)
{
    const struct name_pair *pair;
    const char *rest = t->name;
    char *name = NULL;
    const int layer = layer_of(t->name, &rest);

    *heads = 0;
    if (m->family == NULL)
        return strdup(t->name);
    if (layer < 0) {
        pair = find_pair(outer, LENGTH(outer), t->name);
        return pair == NULL || asprintf(&name, "%s%s", pair->hf, t->name + strlen(pair->gguf)) < 0
                   ? strdup(t->name)
                   : name;
    }
    pair = find_pair(inner, LENGTH(inner), rest);
    if (pair == NULL)
        return strdup(t->name);
    if (m->family->turned && strcmp(rest, "attn_q.weight") == 0)
        *heads = m->heads;
    if (m->family->turned && strcmp(rest, "attn_k.weight") == 0)
        *heads = m->kv_heads;
    if (m->family->turned && m->has_experts && strcmp(pair->gguf, "ffn_gate_inp.") == 0)
        return asprintf(&name, "model.layers.%d.block_sparse_moe.gate.%s", layer, rest + strlen(pair->gguf)) <
                       0
                   ? NULL
                   : name;
    return asprintf(&name, "model.layers.%d.%s%s", layer, pair->hf, rest + strlen(pair->gguf)) < 0 ? NULL
                                                                                                   : name;
}

static bool plain_dtype(int type, enum laser_dtype *dtype)
{
    switch (type) {
    case LASER_GGML_F32:
        *dtype = LASER_F32;
        return true;
    case LASER_GGML_F16:
        *dtype = LASER_F16;
        return true;
    case LASER_GGML_F64:
        *dtype = LASER_F64;
        return true;
    case LASER_GGML_BF16:
        *dtype = LASER_BF16;
        return true;
    default:
        *dtype = LASER_F32;
        return false;
    }
}

/* What the bytes of a tensor of blocks are made from. */
static struct laser_coded *make_coded(const struct laser_gguf_tensor *t, const struct laser_tensor *seen,
                                      int64_t heads)
{
    struct laser_coded *k = calloc(1, sizeof *k);
    struct laser_tensor *part = calloc(1, sizeof *part);

    if (k == NULL || part == NULL || (part->name = strdup(t->name)) == NULL) {
        free(k);
        free(part);
        return NULL;
    }
    *k = (struct laser_coded){.coding = LASER_CODED_BLOCKS,
                              .bits = t->type,
                              .block_rows = 1,
                              .block_cols = 1,
                              .slices = 1,
                              .rows = 1,
                              .cols = seen->n_dims > 0 ? seen->shape[seen->n_dims - 1] : 1,
                              .heads = heads,
                              .parts = {[LASER_PART_CODES] = part}};
    snprintf(k->format, sizeof k->format, "%s", laser_ggml_name(t->type));
    for (int d = 0; d + 1 < seen->n_dims; d++)
        k->rows *= seen->shape[d];
    part->dtype = LASER_U8;
    part->n_dims = 1;
    part->shape[0] = part->size_bytes = seen->size_bytes; /* of the file, here */
    part->offset = seen->offset;
    return k;
}

/* Adds one tensor that takes size_bytes of the file from `offset` on; name is taken over. */
static int add_tensor(struct catalogue *m, const struct laser_gguf_tensor *t, char *name, int first_dim,
                      int64_t offset, int64_t size_bytes, int64_t heads)
{
    struct laser_checkpoint *c = m->c;
    struct laser_tensor *seen = &c->tensors[c->n_tensors];
    int64_t elements = 1;
    bool plain;

    if (name == NULL)
        return no_memory(m);
    *seen = (struct laser_tensor){
        .name = name, .n_dims = t->n_dims - first_dim, .offset = offset, .size_bytes = size_bytes};
    c->n_tensors++;
    for (int d = 0; d < seen->n_dims; d++)
        elements *= seen->shape[d] = t->shape[d + first_dim];
    plain = plain_dtype(t->type, &seen->dtype);
    if ((!plain || heads > 0) && elements > 0) {
        if (heads > 0 && (seen->n_dims != 2 || seen->shape[0] % (2 * heads) != 0))
            return laser_error_set(m->err, LASER_EINPUT, t->name, "%lld rows are not those of %lld heads",
                                   (long long)seen->shape[0], (long long)heads);
        seen->coded = make_coded(t, seen, heads);
        if (seen->coded == NULL)
            return no_memory(m);
        if (__builtin_mul_overflow(elements, (int64_t)laser_dtype_size(seen->dtype), &seen->size_bytes))
            return laser_error_set(m->err, LASER_EINPUT, t->name, "its size overflows");
    }
    c->total_size_bytes += seen->size_bytes;
    return LASER_OK;
}

static int make_room(struct catalogue *m, int64_t n)
{
    struct laser_tensor *more;

    if (m->c->n_tensors + n <= m->room)
        return LASER_OK;
    m->room = 2 * (m->c->n_tensors + n);
    more = realloc(m->c->tensors, (size_t)m->room * sizeof *more);
    if (more == NULL)
        return no_memory(m);
    m->c->tensors = more;
    return LASER_OK;
}

/* A stack of experts as one tensor each. */
static int add_stack(struct catalogue *m, const struct laser_gguf_tensor *t, const char *part, int layer)
{
    const bool mixtral = m->family->turned;
    const int64_t n = t->shape[0], bytes = n > 0 ? t->size_bytes / n : 0;
    int code = make_room(m, n);

    for (int64_t e = 0; code == LASER_OK && e < n; e++) {
        char *name = NULL;

        if (asprintf(&name, "model.layers.%d.%s.experts.%lld.%s.weight", layer,
                     mixtral ? "block_sparse_moe" : "mlp", (long long)e, part) < 0)
            name = NULL;
        code = add_tensor(m, t, name, 1, t->offset + e * bytes, bytes, 0);
    }
    return code;
}

static int add_all(struct catalogue *m)
{
    int code = make_room(m, m->g->n_tensors);

    for (int64_t i = 0; code == LASER_OK && i < m->g->n_tensors; i++) {
        const struct laser_gguf_tensor *t = &m->g->tensors[i];
        const struct name_pair *stack = NULL;
        const char *rest = "";
        const int layer = layer_of(t->name, &rest);
        int64_t heads;
        char *name;

        if (m->family != NULL && layer >= 0 && t->n_dims == 3)
            stack = m->family->turned ? find_pair(mixtral_stacks, LENGTH(mixtral_stacks), rest)
                                      : find_pair(stacks, LENGTH(stacks), rest);
        if (stack != NULL) {
            code = add_stack(m, t, stack->hf, layer);
            continue;
        }
        name = hf_name(m, t, &heads);
        code = make_room(m, 1);
        if (code == LASER_OK)
            code = add_tensor(m, t, name, 0, t->offset, t->size_bytes, heads);
        else
            free(name);
    }
    return code;
}

static void copy_value(const struct catalogue *m, json_t *config, const char *key, const char *from)
{
    const json_t *value = value_of(m, from);

    if (value != NULL && !json_is_null(value))
        json_object_set(config, key, (json_t *)value);
}

static void copy_token(const struct catalogue *m, json_t *config, const char *key, const char *from)
{
    json_t *value = json_object_get(m->g->metadata, from);

    if (json_is_integer(value))
        json_object_set(config, key, value);
}

/* Scaled rotary positions; factors in a tensor of their own are named so that evaluation refuses them. */
static void add_rope(const struct catalogue *m, json_t *config)
{
    const json_t *type = value_of(m, "rope.scaling.type");
    json_t *rope = NULL;

    if (laser_checkpoint_find(m->c, "rope_freqs.weight") != NULL)
        rope = json_pack("{s:s}", "rope_type", "factors in the tensor rope_freqs.weight");
    else if (json_is_string(type) && strcmp(json_string_value(type), "none") != 0)
        rope = json_pack("{s:O, s:O*, s:O*}", "rope_type", type, "factor", value_of(m, "rope.scaling.factor"),
                         "original_max_position_embeddings",
                         value_of(m, "rope.scaling.original_context_length"));
    if (rope != NULL)
        json_object_set_new(config, "rope_scaling", rope);
}

static json_t *make_config(const struct catalogue *m)
{
    const struct laser_tensor *table = laser_checkpoint_find(m->c, "model.embed_tokens.weight");
    json_t *config = json_pack("{s:s, s:[s], s:s, s:s}", "model_type",
                               m->has_experts ? m->family->experts : m->family->dense, "architectures",
                               m->has_experts ? m->family->class_experts : m->family->class_dense,
                               "hidden_act", "silu", "dtype", "float32");

    copy_value(m, config, "hidden_size", "embedding_length");
    copy_value(m, config, "intermediate_size", "feed_forward_length");
    copy_value(m, config, "num_hidden_layers", "block_count");
    copy_value(m, config, "num_attention_heads", "attention.head_count");
    copy_value(m, config, "num_key_value_heads", "attention.head_count_kv");
    copy_value(m, config, "rms_norm_eps", "attention.layer_norm_rms_epsilon");
    copy_value(m, config, "rope_theta", "rope.freq_base");
    copy_value(m, config, "max_position_embeddings", "context_length");
    copy_value(m, config, "head_dim", "attention.key_length");
    if (m->has_experts) {
        copy_value(m, config, m->family->turned ? "num_local_experts" : "num_experts", "expert_count");
        copy_value(m, config, "num_experts_per_tok", "expert_used_count");
        copy_value(m, config, "moe_intermediate_size", "expert_feed_forward_length");
        copy_value(m, config, "shared_expert_intermediate_size", "expert_shared_feed_forward_length");
    }
    copy_token(m, config, "bos_token_id", "tokenizer.ggml.bos_token_id");
    copy_token(m, config, "eos_token_id", "tokenizer.ggml.eos_token_id");
    if (table != NULL)
        json_object_set_new(config, "vocab_size", json_integer(table->shape[0]));
    json_object_set_new(config, "tie_word_embeddings",
                        json_boolean(laser_checkpoint_find(m->c, "lm_head.weight") == NULL));
    add_rope(m, config);
    return config;
}

static void recognise(struct catalogue *m)
{
    const char *arch = json_string_value(json_object_get(m->g->metadata, "general.architecture"));
    const json_int_t experts = arch != NULL ? json_integer_value(value_of(m, "expert_count")) : 0;

    m->has_experts = experts > 0;
    for (size_t i = 0; arch != NULL && i < LENGTH(families); i++) {
        if (strcmp(families[i].arch, arch) == 0 &&
            (m->has_experts ? families[i].experts : families[i].dense) != NULL)
            m->family = &families[i];
    }
    if (m->family == NULL)
        return;
    m->heads = json_integer_value(value_of(m, "attention.head_count"));
    m->kv_heads = json_integer_value(value_of(m, "attention.head_count_kv"));
    m->kv_heads = m->kv_heads > 0 ? m->kv_heads : m->heads;
}

int laser_gguf_catalogue(struct laser_checkpoint *c, struct laser_error *err)
{
    struct laser_checkpoint_file *f = &c->files[0];
    struct laser_gguf g;
    struct catalogue m = {.c = c, .g = &g, .err = err};
    json_t *config;
    int code = laser_gguf_read(f->path, false, &g, &f->size_bytes, &f->mtime_ns, err);

    if (code != LASER_OK)
        return code;
    f->data_start = g.data_start;
    f->header_hash = g.hash;
    recognise(&m);
    code = add_all(&m);
    if (code == LASER_OK)
        code = laser_checkpoint_sort(c, err);
    if (code == LASER_OK && m.family != NULL) {
        config = make_config(&m);
        c->config_text = json_dumps(config, JSON_INDENT(2) | JSON_SORT_KEYS);
        json_decref(config);
        code = c->config_text != NULL ? laser_checkpoint_parse_config(c, (int64_t)strlen(c->config_text), err)
                                      : no_memory(&m);
    }
    laser_gguf_free(&g);
    return code;
}
