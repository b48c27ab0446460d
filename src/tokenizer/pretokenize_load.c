/* Pre-tokenizers from tokenizer.json. */
#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

static const char gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static int load_sequence(const json_t *j, struct laser_pretokenizer *z, struct laser_error *err)
{
    const json_t *list = json_object_get(j, "pretokenizers");
    int rc = LASER_OK;
    if (!json_is_array(list))
        return laser_error_set(err, LASER_EINPUT, NULL,
                               "pre_tokenizer Sequence: \"pretokenizers\" is not an array");
    z->kind = LASER_PRE_SEQUENCE;
    z->child = calloc(json_array_size(list) + 1, sizeof(*z->child));
    if (!z->child)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the pre-tokenizers");
    for (size_t i = 0; i < json_array_size(list) && rc == LASER_OK; i++) {
        rc = laser_pretokenizer_load(json_array_get(list, i), &z->child[i], err);
        z->n = i + 1;
    }
    return rc;
}

static int load_byte_level(const json_t *j, struct laser_pretokenizer *z, struct laser_error *err)
{
    bool use_regex;
    z->kind = LASER_PRE_BYTE_LEVEL;
    z->how = LASER_SPLIT_ISOLATED;
    int rc = laser_json_bool(j, "add_prefix_space", true, &z->prefix_space, err);
    if (rc == LASER_OK)
        rc = laser_json_bool(j, "use_regex", true, &use_regex, err);
    if (rc == LASER_OK && use_regex)
        rc = laser_pattern_compile(gpt2_pattern, strlen(gpt2_pattern), &z->pattern, err);
    return rc;
}

static int load_behavior(const json_t *j, const char *fallback, enum laser_split *how,
                         struct laser_error *err)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
                                        "Contiguous"};
    const char *s = json_string_value(json_object_get(j, "behavior"));
    s = s ? s : fallback;
    for (int i = 0; s && i < 5; i++) {
        if (strcmp(s, names[i]) == 0) {
            *how = (enum laser_split)i;
            return LASER_OK;
        }
    }
    return laser_error_set(err, LASER_EINPUT, NULL, "pre_tokenizer: behavior \"%.50s\" is not known",
                           s ? s : "(none)");
}

static int load_split(const json_t *j, struct laser_pretokenizer *z, struct laser_error *err)
{
    z->kind = LASER_PRE_SPLIT;
    int rc = load_behavior(j, NULL, &z->how, err);
    if (rc == LASER_OK)
        rc = laser_json_bool(j, "invert", false, &z->invert, err);
    return rc != LASER_OK ? rc : laser_json_pattern(json_object_get(j, "pattern"), &z->pattern, err);
}

/* One character. */
static int load_mark(const json_t *j, const char *key, struct laser_pretokenizer *z, struct laser_error *err)
{
    const char *s;
    size_t n;
    int rc = laser_json_string(j, key, &s, &n, err);
    if (rc != LASER_OK)
        return rc;
    if (n == 0 || *s == '\0' || laser_utf8_len(*s) != n)
        return laser_error_set(err, LASER_EINPUT, NULL, "pre_tokenizer: \"%s\" is not one character", key);
    memcpy(z->mark, s, n);
    return LASER_OK;
}

static int load_metaspace(const json_t *j, struct laser_pretokenizer *z, struct laser_error *err)
{
    const char *scheme = json_string_value(json_object_get(j, "prepend_scheme"));
    bool prefix_space;
    z->kind = LASER_PRE_METASPACE;
    z->prepend = LASER_PREPEND_ALWAYS;
    if (scheme && strcmp(scheme, "first") == 0)
        z->prepend = LASER_PREPEND_FIRST;
    else if (scheme && strcmp(scheme, "never") == 0)
        z->prepend = LASER_PREPEND_NEVER;
    else if (scheme && strcmp(scheme, "always") != 0)
        return laser_error_set(err, LASER_EINPUT, NULL, "Metaspace: prepend_scheme \"%.50s\" is not known",
                               scheme);
    int rc = laser_json_bool(j, "add_prefix_space", true, &prefix_space, err);
    if (rc == LASER_OK && !prefix_space && z->prepend != LASER_PREPEND_NEVER)
        rc = laser_error_set(err, LASER_EINPUT, NULL,
                             "Metaspace: add_prefix_space contradicts prepend_scheme");
    if (rc == LASER_OK)
        rc = laser_json_bool(j, "split", true, &z->split, err);
    return rc == LASER_OK ? load_mark(j, "replacement", z, err) : rc;
}

static int load_length(const json_t *j, struct laser_pretokenizer *z, struct laser_error *err)
{
    const json_t *length = json_object_get(j, "length");
    json_int_t v = length ? json_integer_value(length) : 5;
    z->kind = LASER_PRE_FIXED_LENGTH;
    if (v < 1)
        return laser_error_set(err, LASER_EINPUT, NULL, "FixedLength: \"length\" is not a positive number");
    z->length = (size_t)v;
    return LASER_OK;
}

int laser_pretokenizer_load(const json_t *j, struct laser_pretokenizer *z, struct laser_error *err)
{
    const char *type = laser_json_type(j);
    memset(z, 0, sizeof(*z));
    if (strcmp(type, "Sequence") == 0)
        return load_sequence(j, z, err);
    if (strcmp(type, "ByteLevel") == 0)
        return load_byte_level(j, z, err);
    if (strcmp(type, "Split") == 0)
        return load_split(j, z, err);
    if (strcmp(type, "Metaspace") == 0)
        return load_metaspace(j, z, err);
    if (strcmp(type, "FixedLength") == 0)
        return load_length(j, z, err);
    if (strcmp(type, "CharDelimiterSplit") == 0) {
        z->kind = LASER_PRE_DELIMITER;
        return load_mark(j, "delimiter", z, err);
    }
    if (strcmp(type, "Punctuation") == 0) {
        z->kind = LASER_PRE_PUNCTUATION;
        return load_behavior(j, "Isolated", &z->how, err);
    }
    if (strcmp(type, "Digits") == 0) {
        z->kind = LASER_PRE_DIGITS;
        return laser_json_bool(j, "individual_digits", false, &z->each, err);
    }
    if (strcmp(type, "Whitespace") == 0)
        z->kind = LASER_PRE_WHITESPACE;
    else if (strcmp(type, "WhitespaceSplit") == 0)
        z->kind = LASER_PRE_WHITESPACE_SPLIT;
    else if (strcmp(type, "UnicodeScripts") == 0)
        z->kind = LASER_PRE_UNICODE_SCRIPTS;
    else if (strcmp(type, "BertPreTokenizer") == 0)
        z->kind = LASER_PRE_BERT;
    else
        return laser_error_set(err, LASER_EINPUT, NULL, "pre_tokenizer \"%.100s\" is not supported", type);
    return LASER_OK;
}
