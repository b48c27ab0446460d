/* What the files beside a tokenizer.json change in it: tokenizer_config.json, special_tokens_map.json and
 * added_tokens.json.  The text of the tokenizer is edited before it is read. */
#include "config.h" /* qsort_r */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/parts.h"

#define PREFIX_SPACE "add_prefix_space"

#define TRANSFORMERS_VERSION (5 * 10000L + 24)

/* What a class of transformers does with the keys that it has. */
enum recipe {
    RECIPE_FILE,  /* tokenizer.json as it is */
    RECIPE_BYTES, /* add_prefix_space of its ByteLevel */
    RECIPE_LLAMA, /* Metaspace by add_prefix_space and legacy */
    RECIPE_CODE,  /* the same, never as legacy has it */
    RECIPE_XLM,   /* add_prefix_space of its Metaspace */
    RECIPE_BERT   /* do_lower_case, strip_accents, tokenize_chinese_chars */
};

static const struct {
    const char *name;
    enum recipe recipe;
    bool pair;  /* puts tokens around a text, which the files may name */
    bool plain; /* special tokens have no flags */
} classes[] = {
    {"GPT2Tokenizer", RECIPE_BYTES, false, false},    {"GPTNeoXTokenizer", RECIPE_BYTES, false, false},
    {"Qwen2Tokenizer", RECIPE_BYTES, false, true},    {"RobertaTokenizer", RECIPE_BYTES, true, false},
    {"CodeGenTokenizer", RECIPE_BYTES, false, false}, {"LlamaTokenizer", RECIPE_LLAMA, false, false},
    {"CodeLlamaTokenizer", RECIPE_CODE, true, false}, {"XLMRobertaTokenizer", RECIPE_XLM, true, false},
    {"BertTokenizer", RECIPE_BERT, true, false}};

/* The class that a model type has where no file names one: TOKENIZER_MAPPING_NAMES of
 * transformers 5. */
static const struct {
    const char *model_type, *name;
} registered[] = {{"albert", "AlbertTokenizer"},
                  {"deberta-v2", "DebertaV2Tokenizer"},
                  {"ernie4_5", "TokenizersBackend"},
                  {"gpt_neo", "GPT2Tokenizer"},
                  {"hyperclovax", "TokenizersBackend"},
                  {"internlm2", "TokenizersBackend"},
                  {"internlm3", "TokenizersBackend"},
                  {"jamba", "TokenizersBackend"},
                  {"llava", "TokenizersBackend"},
                  {"llava_next", "TokenizersBackend"},
                  {"minicpm3", "TokenizersBackend"},
                  {"mt5", "T5Tokenizer"},
                  {"opt", "GPT2Tokenizer"},
                  {"phimoe", "TokenizersBackend"},
                  {"t5", "T5Tokenizer"},
                  {"gemma", "GemmaTokenizer"},
                  {"gemma2", "GemmaTokenizer"},
                  {"gpt2", "GPT2Tokenizer"},
                  {"gpt_neox", "GPTNeoXTokenizer"},
                  {"gptj", "GPT2Tokenizer"},
                  {"mistral", "TokenizersBackend"},
                  {"mixtral", "TokenizersBackend"},
                  {"phi", "GPT2Tokenizer"},
                  {"phi3", "TokenizersBackend"},
                  {"qwen2", "Qwen2Tokenizer"},
                  {"qwen2_moe", "Qwen2Tokenizer"},
                  {"qwen3", "Qwen2Tokenizer"},
                  {"qwen3_moe", "Qwen2Tokenizer"},
                  {"roberta", "RobertaTokenizer"},
                  {"xlm-roberta", "XLMRobertaTokenizer"}};

struct side {
    json_t *tokenizer; /* edited */
    json_t *config, *map, *added,
        *model;  /* tokenizer_config, special_tokens_map, added_tokens, config; or NULL */
    bool plain;  /* of the class */
    bool failed; /* no memory */
};

static bool has_type(const json_t *part, const char *type)
{
    size_t i;
    json_t *inner;

    if (strcmp(laser_json_type(part), type) == 0)
        return true;
    json_array_foreach(json_object_get(part, "pretokenizers"), i, inner)
    {
        if (has_type(inner, type))
            return true;
    }
    return false;
}

/* "XTokenizerFast" is XTokenizer; -1: none that is known. */
static int class_of(const char *name)
{
    size_t n = name ? strlen(name) : 0;

    if (n > 4 && strcmp(name + n - 4, "Fast") == 0)
        n -= 4;
    for (size_t i = 0; name && i < sizeof classes / sizeof *classes; i++)
        if (strlen(classes[i].name) == n && memcmp(classes[i].name, name, n) == 0)
            return (int)i;
    return -1;
}

const char *laser_side_class(const json_t *config, const json_t *model)
{
    const char *type = json_string_value(json_object_get(model, "model_type")), *own = NULL;
    const char *named = json_string_value(json_object_get(config, "tokenizer_class"));

    for (size_t i = 0; type && i < sizeof registered / sizeof *registered; i++)
        if (strcmp(registered[i].model_type, type) == 0)
            own = registered[i].name;
    if (!named)
        named = json_string_value(json_object_get(model, "tokenizer_class"));
    if (!named || (type && strcmp(type, "qwen2") == 0)) /* files of qwen2 are known to name wrong classes */
        named = own;
    return own && strcmp(own, "TokenizersBackend") == 0 ? NULL : named;
}

/* As AutoTokenizer chooses: the class that the files name, unless the model type is known to have none of
 * its own; -1: tokenizer.json is all. */
static int choose_class(const struct side *s)
{
    int found = class_of(laser_side_class(s->config, s->model));

    if (found >= 0 && (classes[found].recipe == RECIPE_LLAMA || classes[found].recipe == RECIPE_CODE) &&
        (has_type(json_object_get(s->tokenizer, "pre_tokenizer"), "ByteLevel") ||
         strcmp(laser_json_type(json_object_get(s->tokenizer, "model")), "Unigram") == 0))
        return -1;
    return found;
}

static void set(struct side *s, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        s->failed = true;
}

static void set_in(struct side *s, json_t *part, const char *type, const char *key, json_t *value)
{
    size_t i;
    json_t *inner;

    if (strcmp(laser_json_type(part), type) == 0)
        set(s, part, key, json_incref(value));
    json_array_foreach(json_object_get(part, "pretokenizers"), i, inner)
    {
        set_in(s, inner, type, key, value);
    }
    json_array_foreach(json_object_get(part, "normalizers"), i, inner)
    {
        set_in(s, inner, type, key, value);
    }
}

static void follow_prefix_space(struct side *s, enum recipe recipe)
{
    json_t *pre = json_object_get(s->tokenizer, "pre_tokenizer"),
           *wish = json_object_get(s->config, PREFIX_SPACE), *scheme;
    bool legacy;

    if (recipe == RECIPE_XLM && json_is_null(wish))
        wish = json_false();
    if (!json_is_boolean(wish))
        return;
    legacy = json_is_true(json_object_get(s->config, "legacy"));
    scheme = json_string(json_is_false(wish)                                            ? "never"
                         : recipe == RECIPE_CODE || (recipe == RECIPE_LLAMA && !legacy) ? "first"
                                                                                        : "always");
    if (recipe == RECIPE_BYTES) {
        set_in(s, pre, "ByteLevel", PREFIX_SPACE, wish);
    } else if (recipe == RECIPE_XLM) {
        set_in(s, pre, "Metaspace", "prepend_scheme", scheme);
        set_in(s, pre, "Metaspace", PREFIX_SPACE, wish);
    } else if (recipe == RECIPE_LLAMA || recipe == RECIPE_CODE) {
        set(s, s->tokenizer, "normalizer", json_null());
        set(s, s->tokenizer, "pre_tokenizer",
            json_pack("{s:s, s:s, s:O, s:b}", "type", "Metaspace", "replacement", "\xe2\x96\x81",
                      "prepend_scheme", scheme, "split", 0));
    }
    json_decref(scheme);
}

static void follow_case(struct side *s)
{
    static const char *const keys[][2] = {{"do_lower_case", "lowercase"},
                                          {"strip_accents", "strip_accents"},
                                          {"tokenize_chinese_chars", "handle_chinese_chars"}};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *wish = json_object_get(s->config, keys[i][0]);
        if (json_is_boolean(wish))
            set_in(s, json_object_get(s->tokenizer, "normalizer"), "BertNormalizer", keys[i][1], wish);
    }
}

/* ---- tokens ---- */

static const char *content_of(const json_t *token)
{
    return json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
}

static json_t *find_added(const struct side *s, const char *content)
{
    size_t i;
    json_t *token;

    json_array_foreach(json_object_get(s->tokenizer, "added_tokens"), i, token)
    {
        const char *known = content_of(token);
        if (known && strcmp(known, content) == 0)
            return token;
    }
    return NULL;
}

static void take_flags(struct side *s, json_t *row, const json_t *token)
{
    static const char *const flags[] = {"single_word", "lstrip", "rstrip", "normalized"};
    json_t *flag;

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (json_is_boolean(flag = json_object_get(token, flags[i])))
            set(s, row, flags[i], json_incref(flag));
}

/* Adds a token unless the tokenizer has it among its added ones; its id is found as for those of the file. */
static void add_token(struct side *s, const json_t *token, bool special)
{
    const char *content = content_of(token);
    json_t *list = json_object_get(s->tokenizer, "added_tokens"), *row;

    if (!content || content[0] == '\0' || find_added(s, content))
        return;
    if (!json_is_array(list)) {
        set(s, s->tokenizer, "added_tokens", json_array());
        list = json_object_get(s->tokenizer, "added_tokens");
    }
    row = json_pack("{s:s, s:b}", "content", content, "special",
                    special || json_is_true(json_object_get(token, "special")));
    set(s, row, "normalized", json_boolean(!special));
    if (!special || !s->plain)
        take_flags(s, row, token);
    if (json_array_append_new(list, row) != 0)
        s->failed = true;
}

static int by_number(const void *a, const void *b)
{
    long long x = strtoll(*(const char *const *)a, NULL, 10), y = strtoll(*(const char *const *)b, NULL, 10);

    return (x > y) - (x < y);
}

static int by_value(const void *a, const void *b, void *object)
{
    json_int_t x = json_integer_value(json_object_get(object, *(const char *const *)a)),
               y = json_integer_value(json_object_get(object, *(const char *const *)b));

    return (x > y) - (x < y);
}

/* The keys of an object; NULL without memory. */
static const char **keys_of(json_t *object)
{
    const char **keys = malloc((json_object_size(object) + 1) * sizeof *keys), *key;
    size_t n = 0;
    json_t *value;

    if (keys)
        json_object_foreach(object, key, value) keys[n++] = key;
    return keys;
}

/* A value of a special token: of special_tokens_map.json where that is read, else of tokenizer_config.json.
 */
static json_t *named(const struct side *s, const char *key)
{
    json_t *value = json_object_get(s->map, key);

    return value ? value : json_object_get(s->config, key);
}

static const char *const attributes[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                         "pad_token", "cls_token", "mask_token"};

static bool is_attribute(const char *key)
{
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (strcmp(attributes[i], key) == 0)
            return true;
    return false;
}

static bool is_special_name(const struct side *s, const char *content)
{
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        const char *name = content_of(named(s, attributes[i]));
        if (name && strcmp(name, content) == 0)
            return true;
    }
    return false;
}

/* added_tokens_decoder by its ids, or the older added_tokens.json by its. */
static void add_listed(struct side *s)
{
    json_t *decoder = json_object_get(s->config, "added_tokens_decoder"),
           *list = decoder ? decoder : s->added;
    size_t n = json_object_size(list);
    const char **keys = keys_of(list);

    if (!keys) {
        s->failed = true;
        return;
    }
    if (decoder)
        qsort(keys, n, sizeof *keys, by_number);
    else
        qsort_r(keys, n, sizeof *keys, by_value, list);
    for (size_t i = 0; i < n; i++) {
        if (decoder) {
            const json_t *token = json_object_get(decoder, keys[i]);
            const char *content = content_of(token);
            json_t *row = content ? find_added(s, content) : NULL;
            if (row)
                take_flags(s, row, token);
            add_token(s, token, content && is_special_name(s, content));
        } else {
            json_t *token = json_string(keys[i]);
            add_token(s, token, is_special_name(s, keys[i]));
            json_decref(token);
        }
    }
    free(keys);
}

static void add_named(struct side *s)
{
    const char *key;
    json_t *value, *extra = named(s, "extra_special_tokens");
    size_t i;

    for (i = 0; i < sizeof attributes / sizeof *attributes; i++)
        add_token(s, named(s, attributes[i]), true);
    json_object_foreach(s->config, key, value)
    {
        size_t n = strlen(key);
        if (n > 6 && strcmp(key + n - 6, "_token") == 0 && !is_attribute(key))
            add_token(s, value, true);
    }
    if (json_is_object(extra))
        json_object_foreach(extra, key, value) add_token(s, value, true);
    if (json_array_size(extra) == 0)
        extra = named(s, "additional_special_tokens");
    json_array_foreach(extra, i, value)
    {
        add_token(s, value, true);
    }
}

json_t *laser_side_file(const char *dir, const char *name)
{
    struct laser_error ignored;
    size_t size = strlen(dir) + strlen(name) + 2, n;
    char *path = malloc(size), *text = NULL;
    json_t *j = NULL;

    if (path) {
        snprintf(path, size, "%s/%s", dir, name);
        if (laser_tokenizer_file(path, &text, &n, &ignored) == LASER_OK)
            j = laser_tokenizer_json(text, n, path, &ignored);
    }
    free(text);
    free(path);
    return j;
}

/* Major and minor of "tokenizer.4.0.0.json" as one number; -1 for another name. */
static long version_of(const char *file)
{
    static const char begin[] = "tokenizer.", end[] = ".json";
    size_t n = strlen(file);
    int major = 0, minor = 0;

    if (n < sizeof begin + sizeof end - 1 || strncmp(file, begin, sizeof begin - 1) != 0 ||
        strcmp(file + n - (sizeof end - 1), end) != 0 ||
        sscanf(file + sizeof begin - 1, "%4d.%4d", &major, &minor) < 1 || strchr(file, '/') != NULL)
        return -1;
    return major * 10000L + minor;
}

void laser_side_tokenizer(const char *dir, char *name, size_t n)
{
    json_t *config = laser_side_file(dir, "tokenizer_config.json"), *file;
    long newest = -1;
    size_t i;

    snprintf(name, n, "tokenizer.json");
    json_array_foreach(json_object_get(config, "fast_tokenizer_files"), i, file)
    {
        const char *text = json_string_value(file);
        long version = text ? version_of(text) : -1;

        if (version > newest && version <= TRANSFORMERS_VERSION) {
            newest = version;
            snprintf(name, n, "%s", text);
        }
    }
    json_decref(config);
}

static char *duplicate(struct side *s, const char *text)
{
    char *copy = text ? strdup(text) : NULL;

    s->failed = s->failed || (text && !copy);
    return copy;
}

/* The tokens that the class puts around a text, where a file names them. */
static void follow_pair(struct side *s, enum recipe recipe, struct laser_side *side)
{
    bool of_document = recipe == RECIPE_XLM || recipe == RECIPE_CODE;

    side->first = duplicate(s, content_of(named(s, of_document ? "bos_token" : "cls_token")));
    if (recipe != RECIPE_CODE)
        side->last = duplicate(s, content_of(named(s, of_document ? "eos_token" : "sep_token")));
}

void laser_side_free(struct laser_side *side)
{
    free(side->first);
    free(side->last);
}

int laser_side_follow(json_t *tokenizer, const char *dir, struct laser_side *side, struct laser_error *err)
{
    struct side s = {.tokenizer = tokenizer, .config = laser_side_file(dir, "tokenizer_config.json")};
    enum recipe recipe = RECIPE_FILE;
    int class;

    s.model = laser_side_file(dir, "config.json");
    if (!json_object_get(s.config, "added_tokens_decoder")) {
        s.map = laser_side_file(dir, "special_tokens_map.json");
        s.added = laser_side_file(dir, "added_tokens.json");
    }
    side->split_special = json_is_true(json_object_get(s.config, "split_special_tokens"));
    class = choose_class(&s);
    if (class >= 0) {
        recipe = classes[class].recipe;
        s.plain = classes[class].plain;
    }
    follow_prefix_space(&s, recipe);
    if (recipe == RECIPE_BERT)
        follow_case(&s);
    add_listed(&s);
    add_named(&s);
    if (class >= 0 && classes[class].pair)
        follow_pair(&s, recipe, side);
    json_decref(s.config);
    json_decref(s.model);
    json_decref(s.map);
    json_decref(s.added);
    return s.failed ? laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the tokenizer") : LASER_OK;
}
