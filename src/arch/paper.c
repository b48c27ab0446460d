#include "arch/paper.h"

#include <string.h>

#define QKV  (LASER_PAPER_Q | LASER_PAPER_K | LASER_PAPER_V)
#define ATTN (QKV | LASER_PAPER_OUT)
#define MLP  (LASER_PAPER_FC_IN | LASER_PAPER_FC_UP | LASER_PAPER_FC_OUT)

static const struct {
    const char *name;
    unsigned parts;
} names[] = {
    {"q", LASER_PAPER_Q},
    {"q_proj", LASER_PAPER_Q},
    {"k", LASER_PAPER_K},
    {"k_proj", LASER_PAPER_K},
    {"v", LASER_PAPER_V},
    {"v_proj", LASER_PAPER_V},
    {"out", LASER_PAPER_OUT},
    {"out_proj", LASER_PAPER_OUT},
    {"fc_in", LASER_PAPER_FC_IN},
    {"fc_up", LASER_PAPER_FC_UP},
    {"fc_out", LASER_PAPER_FC_OUT},
    {"mlp", MLP},
    {"attn", ATTN},
    {"all", ATTN | MLP},
};

/* Ends of types, at a dot or a word's beginning; the first that fits counts. */
static const struct {
    const char *end;
    unsigned parts;
} ends[] = {
    /* Llama, Mistral, Qwen, Gemma, OLMo, GPT-J, Phi */
    {"q_proj", LASER_PAPER_Q},
    {"k_proj", LASER_PAPER_K},
    {"v_proj", LASER_PAPER_V},
    {"qkv_proj", QKV},
    /* through latents: DeepSeek V2, V3 */
    {"q_a_proj", LASER_PAPER_Q},
    {"q_b_proj", LASER_PAPER_Q},
    {"kv_a_proj_with_mqa", LASER_PAPER_K | LASER_PAPER_V},
    {"kv_b_proj", LASER_PAPER_K | LASER_PAPER_V},
    {"o_proj", LASER_PAPER_OUT},
    {"out_proj", LASER_PAPER_OUT},
    {"self_attn.dense", LASER_PAPER_OUT},
    {"gate_proj", LASER_PAPER_FC_IN},
    {"up_proj", LASER_PAPER_FC_UP},
    {"gate_up_proj", LASER_PAPER_FC_IN | LASER_PAPER_FC_UP},
    {"down_proj", LASER_PAPER_FC_OUT},
    {"fc_in", LASER_PAPER_FC_IN},
    {"fc_out", LASER_PAPER_FC_OUT},
    {"fc1", LASER_PAPER_FC_IN},
    {"fc2", LASER_PAPER_FC_OUT},
    /* Mixtral */
    {"w1", LASER_PAPER_FC_IN},
    {"w3", LASER_PAPER_FC_UP},
    {"w2", LASER_PAPER_FC_OUT},
    /* Phi-1.5 as it was first published */
    {"Wqkv", QKV},
    /* GPT-2, StarCoder */
    {"c_attn", QKV},
    {"attn.c_proj", LASER_PAPER_OUT},
    {"c_fc", LASER_PAPER_FC_IN},
    {"c_fc_0", LASER_PAPER_FC_IN},
    {"c_fc_1", LASER_PAPER_FC_UP},
    /* Granite's experts */
    {"input_linear", LASER_PAPER_FC_IN | LASER_PAPER_FC_UP},
    {"output_linear", LASER_PAPER_FC_OUT},
    {"mlp.c_proj", LASER_PAPER_FC_OUT},
    /* GPT-NeoX, Falcon, BLOOM */
    {"query_key_value", QKV},
    {"self_attention.dense", LASER_PAPER_OUT},
    {"attention.dense", LASER_PAPER_OUT},
    {"dense_h_to_4h", LASER_PAPER_FC_IN},
    {"dense_4h_to_h", LASER_PAPER_FC_OUT},
    /* RoBERTa, BERT */
    {"attention.self.query", LASER_PAPER_Q},
    {"attention.self.key", LASER_PAPER_K},
    {"attention.self.value", LASER_PAPER_V},
    {"attention.output.dense", LASER_PAPER_OUT},
    {"attention.query", LASER_PAPER_Q}, /* ALBERT */
    {"attention.key", LASER_PAPER_K},
    {"attention.value", LASER_PAPER_V},
    {"ffn", LASER_PAPER_FC_IN},
    {"ffn_output", LASER_PAPER_FC_OUT},
    {"intermediate.dense", LASER_PAPER_FC_IN},
    {"output.dense", LASER_PAPER_FC_OUT},
};

unsigned laser_paper_parse(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (strcmp(names[i].name, name) == 0)
            return names[i].parts;
    return 0;
}

/* Do the first n characters of a type end with this? */
static bool ends_with(const char *type, size_t n, const char *end)
{
    size_t m = strlen(end);

    return n >= m && memcmp(type + n - m, end, m) == 0 &&
           (n == m || type[n - m - 1] == '.' || type[n - m - 1] == ':');
}

/* The length of a type without what stands in brackets at its end: an expert's number, the part of a fused
 * tensor, whose parts are then *part (0: none). */
static size_t without_brackets(const char *type, unsigned *part)
{
    static const struct {
        const char *text;
        unsigned parts;
    } known[] = {{"[q]", LASER_PAPER_Q},
                 {"[k]", LASER_PAPER_K},
                 {"[v]", LASER_PAPER_V},
                 {"[gate]", LASER_PAPER_FC_IN},
                 {"[up]", LASER_PAPER_FC_UP}};
    size_t n = strlen(type);

    *part = 0;
    while (n > 0 && type[n - 1] == ']') {
        size_t open = n - 1;
        while (open > 0 && type[open] != '[')
            --open;
        for (size_t i = 0; i < sizeof known / sizeof *known; ++i)
            if (n - open == strlen(known[i].text) && memcmp(type + open, known[i].text, n - open) == 0)
                *part = known[i].parts;
        n = open;
    }
    return n;
}

bool laser_paper_is_gate(const char *type)
{
    unsigned part;
    size_t n = without_brackets(type, &part);

    return ends_with(type, n, "gate_proj") || ends_with(type, n, "w1");
}

unsigned laser_paper_parts(const char *type, bool gated)
{
    unsigned part;
    size_t n = without_brackets(type, &part);

    if (part != 0)
        return part;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; ++i)
        if (ends_with(type, n, ends[i].end))
            return ends[i].parts == LASER_PAPER_FC_UP && !gated ? LASER_PAPER_FC_IN : ends[i].parts;
    return 0;
}
