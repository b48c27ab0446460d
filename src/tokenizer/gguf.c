/* The tokenizer of a GGUF file, from its metadata, as a tokenizer.json.
 *
 * Pre-tokenizers are named there (tokenizer.ggml.pre); what a name stands for is what llama.cpp does for it (in
 * llm_tokenizer_bpe), in the parts in which the model's own tokenizer.json says it.  The merges of a SentencePiece
 * vocabulary are made from pieces and scores as generate_merges of transformers makes them.
 */
#include "config.h" /* _GNU_SOURCE */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/gguf.h"
#include "tokenizer/made.h"
#include "tokenizer/parts.h"

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

/* Kinds of tokens in tokenizer.ggml.token_type. */
enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };

#define LLAMA3 LASER_PATTERN_CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|" LASER_PATTERN_REST
#define TEKKEN                                                                                               \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|"             \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}|"      \
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* A pre-tokenizer: a pattern, or GPT-2's own, after digits are set apart or not. */
static const struct pre {
    const char *name;
    const char *pattern; /* NULL: that of GPT-2 */
    bool digits;
    bool composed;      /* the text is normalised (NFC) */
    bool ignore_merges; /* a token of the vocabulary is taken whole */
    bool adds_bos;      /* where the file does not say */
} pres[] = {
    {"gpt-2", NULL, false, false, false, false},
    {"phi-2", NULL, false, false, false, false},
    {"olmo", NULL, false, false, false, false},
    {"smollm", NULL, true, false, false, false},
    {"starcoder", NULL, true, false, false, false},
    {"refact", NULL, true, false, false, false},
    {"command-r", NULL, true, false, false, false},
    {"llama-bpe", LLAMA3, false, false, true, true},
    {"llama3", LLAMA3, false, false, true, true},
    {"llama-v3", LLAMA3, false, false, true, true},
    {"falcon3", LLAMA3, false, false, true, true},
    {"smaug-bpe", LLAMA3, false, false, false, false},
    {"dbrx", LLAMA3, false, false, false, false},
    {"qwen2", LASER_PATTERN_QWEN2, false, true, false, false},
    {"stablelm2", LASER_PATTERN_QWEN2, false, false, false, false},
    {"deepseek-r1-qwen", LASER_PATTERN_QWEN2, false, true, false, false},
    {"tekken", TEKKEN, false, false, true, false},
};

/* What a tokenizer is made of. */
struct making {
    const char *file;
    const json_t *metadata;
    const json_t *tokens, *types, *scores;
    const struct pre *pre; /* NULL: SentencePiece */
    struct laser_error *err;
};

static int no_memory(struct making *m)
{
    return laser_error_set(m->err, LASER_ENOMEM, m->file, "no memory for its tokenizer");
}

static const json_t *value_of(const struct making *m, const char *key)
{
    char full[96];

    snprintf(full, sizeof full, "tokenizer.ggml.%s", key);
    return json_object_get(m->metadata, full);
}

static bool says(const struct making *m, const char *key, bool otherwise)
{
    const json_t *value = value_of(m, key);

    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

static int type_of(const struct making *m, size_t id)
{
    return m->types != NULL ? (int)json_integer_value(json_array_get(m->types, id)) : NORMAL;
}

/* The text of the token that a key names by its number, or NULL. */
static const char *token_of(const struct making *m, const char *key)
{
    const json_t *id = value_of(m, key);

    return json_is_integer(id) && json_integer_value(id) >= 0
               ? json_string_value(json_array_get(m->tokens, (size_t)json_integer_value(id)))
               : NULL;
}

static json_t *make_vocabulary(const struct making *m)
{
    json_t *vocabulary = json_object();

    for (size_t i = 0; i < json_array_size(m->tokens); i++) {
        const char *text = json_string_value(json_array_get(m->tokens, i));

        if (text != NULL && json_object_get(vocabulary, text) == NULL)
            json_object_set_new(vocabulary, text, json_integer((json_int_t)i));
    }
    return vocabulary;
}

/* Control tokens are special; those that users defined are found in a text, too. */
static json_t *make_added(const struct making *m)
{
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(m->tokens); i++) {
        const char *text = json_string_value(json_array_get(m->tokens, i));
        const int type = type_of(m, i);

        if (text == NULL || text[0] == '\0' || (type != CONTROL && type != USER_DEFINED && type != UNKNOWN))
            continue;
        json_array_append_new(list, json_pack("{s:I, s:s, s:b, s:b, s:b, s:b, s:b}", "id", (json_int_t)i,
                                              "content", text, "single_word", 0, "lstrip", 0, "rstrip", 0,
                                              "normalized", 0, "special", type != USER_DEFINED));
    }
    return list;
}

/* ---- merges of a SentencePiece vocabulary ---- */

struct merge {
    const char *piece; /* the two stand side by side in it */
    int left_bytes, left_chars, right_chars;
    int64_t left_id, right_id;
    double score;
    size_t place;
};

/* Ids of the two of one piece: they come in this order, */
static int by_ids(const void *a, const void *b)
{
    const struct merge *x = a, *y = b;

    if (x->left_id != y->left_id)
        return x->left_id < y->left_id ? -1 : 1;
    return x->right_id < y->right_id ? -1 : x->right_id > y->right_id;
}

/* ... and all of them in that of score and lengths, largest first (Python's sort keeps the order of equals). */
static int by_score(const void *a, const void *b)
{
    const struct merge *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->left_chars != y->left_chars)
        return x->left_chars > y->left_chars ? -1 : 1;
    if (x->right_chars != y->right_chars)
        return x->right_chars > y->right_chars ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static int characters(const char *text, int n)
{
    int count = 0;

    for (int i = 0; i < n; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

/* The ways to put a piece together from two others. */
static int split_piece(const json_t *vocabulary, const char *piece, double score, char *left_text,
                       struct merge *merges)
{
    const int bytes = (int)strlen(piece), chars = characters(piece, bytes);
    int n = 0;

    for (int i = 1; i < bytes; i++) {
        const json_t *left, *right;

        if (((unsigned char)piece[i] & 0xc0) == 0x80)
            continue;
        memcpy(left_text, piece, (size_t)i);
        left_text[i] = '\0';
        left = json_object_get(vocabulary, left_text);
        right = left != NULL ? json_object_get(vocabulary, piece + i) : NULL;
        if (right == NULL)
            continue;
        merges[n] = (struct merge){
            piece, i, characters(piece, i), 0, json_integer_value(left), json_integer_value(right), score, 0};
        merges[n].right_chars = chars - merges[n].left_chars;
        n++;
    }
    qsort(merges, (size_t)n, sizeof *merges, by_ids);
    return n;
}

static int make_merges(struct making *m, const json_t *vocabulary, json_t *list)
{
    struct merge *merges;
    char *text;
    size_t room = 1, n = 0;

    for (size_t i = 0; i < json_array_size(m->tokens); i++)
        room += json_string_length(json_array_get(m->tokens, i));
    merges = calloc(room, sizeof *merges);
    text = malloc(room);
    if (merges == NULL || text == NULL) {
        free(merges);
        free(text);
        return no_memory(m);
    }
    for (size_t i = 0; i < json_array_size(m->tokens); i++) {
        const char *piece = json_string_value(json_array_get(m->tokens, i));

        if (piece != NULL && (type_of(m, i) == NORMAL || type_of(m, i) == UNUSED))
            n += (size_t)split_piece(vocabulary, piece, json_number_value(json_array_get(m->scores, i)), text,
                                     merges + n);
    }
    for (size_t i = 0; i < n; i++)
        merges[i].place = i;
    qsort(merges, n, sizeof *merges, by_score);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("[s#s]", merges[i].piece, merges[i].left_bytes,
                                              merges[i].piece + merges[i].left_bytes));
    free(text);
    free(merges);
    return LASER_OK;
}

/* ---- parts ---- */

/* SentencePiece: spaces are pieces, unknown characters their bytes. */
static int make_sentencepiece(struct making *m, json_t *tokenizer)
{
    json_t *vocabulary = make_vocabulary(m), *merges = json_array(), *steps = json_array();
    const bool bytes = json_object_get(vocabulary, "<0x0A>") != NULL;
    const int code = make_merges(m, vocabulary, merges);

    if (says(m, "add_space_prefix", true))
        json_array_append_new(steps, json_pack("{s:s, s:s}", "type", "Prepend", "prepend", "\xe2\x96\x81"));
    json_array_append_new(steps, json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String", " ",
                                           "content", "\xe2\x96\x81"));
    json_object_set_new(tokenizer, "normalizer",
                        json_pack("{s:s, s:o}", "type", "Sequence", "normalizers", steps));
    json_object_set_new(tokenizer, "model",
                        json_pack("{s:s, s:b, s:b, s:s*, s:o, s:o}", "type", "BPE", "fuse_unk", 1,
                                  "byte_fallback", bytes, "unk_token", token_of(m, "unknown_token_id"),
                                  "vocab", vocabulary, "merges", merges));
    json_object_set_new(tokenizer, "decoder",
                        json_pack("{s:s, s:[{s:s, s:{s:s}, s:s}, {s:s}, {s:s}, {s:s, s:s, s:i, s:i}]}",
                                  "type", "Sequence", "decoders", "type", "Replace", "pattern", "String",
                                  "\xe2\x96\x81", "content", " ", "type", "ByteFallback", "type", "Fuse",
                                  "type", "Strip", "content", " ", "start", says(m, "add_space_prefix", true),
                                  "stop", 0));
    return code;
}

static json_t *byte_level(bool own_pattern)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1,
                     "use_regex", own_pattern);
}

/* Bytes as characters, merged within the pieces of a pattern. */
static int make_byte_level(struct making *m, json_t *tokenizer)
{
    json_t *steps = json_array();
    const json_t *merges = value_of(m, "merges");

    if (!json_is_array(merges))
        return laser_error_set(m->err, LASER_EINPUT, m->file,
                               "tokenizer.ggml.merges is missing: its tokenizer has no merges");
    if (m->pre->digits)
        json_array_append_new(steps, json_pack("{s:s, s:b}", "type", "Digits", "individual_digits", 1));
    if (m->pre->pattern != NULL)
        json_array_append_new(steps,
                              json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex",
                                        m->pre->pattern, "behavior", "Isolated", "invert", 0));
    json_array_append_new(steps, byte_level(m->pre->pattern == NULL));
    if (m->pre->composed)
        json_object_set_new(tokenizer, "normalizer", json_pack("{s:s}", "type", "NFC"));
    json_object_set_new(tokenizer, "pre_tokenizer",
                        json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", steps));
    json_object_set_new(tokenizer, "model",
                        json_pack("{s:s, s:b, s:o, s:O}", "type", "BPE", "ignore_merges",
                                  m->pre->ignore_merges, "vocab", make_vocabulary(m), "merges", merges));
    json_object_set_new(tokenizer, "decoder", byte_level(true));
    return LASER_OK;
}

/* Tokens before and after a text. */
static void make_template(const struct making *m, json_t *tokenizer)
{
    const char *bos =
        says(m, "add_bos_token", m->pre == NULL || m->pre->adds_bos) ? token_of(m, "bos_token_id") : NULL;
    const char *eos = says(m, "add_eos_token", false) ? token_of(m, "eos_token_id") : NULL;
    const char *const around[] = {bos, eos};
    const json_int_t ids[] = {json_integer_value(value_of(m, "bos_token_id")),
                              json_integer_value(value_of(m, "eos_token_id"))};

    laser_made_template(tokenizer, around, ids);
}

/* Which kind it is. */
static int recognise(struct making *m)
{
    const char *model = json_string_value(value_of(m, "model")), *pre = json_string_value(value_of(m, "pre"));

    if (model == NULL || !json_is_array(m->tokens))
        return laser_error_set(
            m->err, LASER_EINPUT, m->file,
            "there is no tokenizer in its metadata (tokenizer.ggml.model and .tokens): put "
            "the model's tokenizer.json beside it");
    if (strcmp(model, "llama") == 0)
        return json_is_array(m->scores)
                   ? LASER_OK
                   : laser_error_set(m->err, LASER_EINPUT, m->file, "tokenizer.ggml.scores is missing");
    if (strcmp(model, "gpt2") != 0)
        return laser_error_set(
            m->err, LASER_EINPUT, m->file,
            "tokenizer.ggml.model \"%.60s\" is not read (llama and gpt2 are): put the model's "
            "tokenizer.json beside it",
            model);
    for (size_t i = 0; pre != NULL && i < LENGTH(pres) && m->pre == NULL; i++) {
        if (strcmp(pres[i].name, pre) == 0)
            m->pre = &pres[i];
    }
    if (m->pre == NULL)
        return laser_error_set(m->err, LASER_EINPUT, m->file,
                               "tokenizer.ggml.pre \"%.60s\" is not known: put the model's tokenizer.json "
                               "beside it",
                               pre != NULL ? pre : "(none)");
    return LASER_OK;
}

/* Where the files beside a tokenizer.json name tokens. */
static json_t *make_roles(const struct making *m)
{
    return json_pack("{s:s*, s:s*, s:s*, s:s*}", "bos_token", token_of(m, "bos_token_id"), "eos_token",
                     token_of(m, "eos_token_id"), "unk_token", token_of(m, "unknown_token_id"), "pad_token",
                     token_of(m, "padding_token_id"));
}

int laser_gguf_tokenizer(const char *path, json_t **tokenizer, json_t **roles, struct laser_error *err)
{
    struct laser_gguf g;
    struct making m = {.file = path, .err = err};
    int64_t size, time;
    int code = laser_gguf_read(path, true, &g, &size, &time, err);

    *tokenizer = *roles = NULL;
    if (code != LASER_OK)
        return code;
    m.metadata = g.metadata;
    m.tokens = value_of(&m, "tokens");
    m.types = value_of(&m, "token_type");
    m.scores = value_of(&m, "scores");
    code = recognise(&m);
    if (code == LASER_OK) {
        *tokenizer = json_pack("{s:s, s:o}", "version", "1.0", "added_tokens", make_added(&m));
        *roles = make_roles(&m);
        code = *tokenizer == NULL || *roles == NULL ? no_memory(&m)
               : m.pre != NULL                      ? make_byte_level(&m, *tokenizer)
                                                    : make_sentencepiece(&m, *tokenizer);
    }
    if (code == LASER_OK)
        make_template(&m, *tokenizer);
    laser_gguf_free(&g);
    if (code != LASER_OK) {
        json_decref(*tokenizer);
        json_decref(*roles);
        *tokenizer = *roles = NULL;
    }
    return code;
}
