/* The models from tokenizer.json. */
#include "tokenizer/parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the vocabulary");
}

/* {"token": id, ...} */
static int load_vocab(const json_t *j, struct laser_token_model *m, struct laser_error *err)
{
    json_t *vocab = json_object_get(j, "vocab");
    if (!json_is_object(vocab))
        return laser_error_set(err, LASER_EINPUT, NULL, "the model's \"vocab\" is missing or not an object");
    for (void *it = json_object_iter(vocab); it; it = json_object_iter_next(vocab, it)) {
        const json_t *id = json_object_iter_value(it);
        const char *key = json_object_iter_key(it);
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > LASER_VOCAB_MAX_ID)
            return laser_error_set(err, LASER_EINPUT, NULL,
                                   "token \"%.100s\": the id is not a whole number from 0 to %d", key,
                                   LASER_VOCAB_MAX_ID);
        if (!laser_vocab_put(&m->vocab, key, json_object_iter_key_len(it), (int32_t)json_integer_value(id),
                             0.0))
            return no_memory(err);
    }
    return laser_vocab_finish(&m->vocab) ? LASER_OK : no_memory(err);
}

/* A string or null; *out stays NULL for null. */
static int load_text(const json_t *j, const char *key, char **out, struct laser_error *err)
{
    const json_t *v = json_object_get(j, key);
    *out = NULL;
    if (!v || json_is_null(v))
        return LASER_OK;
    if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
        return laser_error_set(err, LASER_EINPUT, NULL, "the model's \"%s\" is not a string", key);
    *out = laser_strndup(json_string_value(v), json_string_length(v));
    return *out ? LASER_OK : no_memory(err);
}

static int bad_merge(struct laser_error *err, size_t i)
{
    return laser_error_set(err, LASER_EINPUT, NULL, "merge number %zu is not a pair of tokens", i);
}

static int load_merge(const json_t *v, size_t i, uint32_t rank, struct laser_token_model *m,
                      struct laser_error *err)
{
    const json_t *a = json_array_get(v, 0), *b = json_array_get(v, 1);
    if (json_is_array(v)) {
        if (json_array_size(v) != 2 || !json_is_string(a) || !json_is_string(b))
            return bad_merge(err, i);
        return laser_bpe_add_merge(m, json_string_value(a), json_string_length(a), json_string_value(b),
                                   json_string_length(b), rank, err);
    }
    const char *s = json_string_value(v);
    size_t n = json_string_length(v);
    const char *blank = s ? memchr(s, ' ', n) : NULL;
    if (!blank || memchr(blank + 1, ' ', n - (size_t)(blank + 1 - s)))
        return bad_merge(err, i);
    size_t left = (size_t)(blank - s);
    return laser_bpe_add_merge(m, s, left, blank + 1, n - left - 1, rank, err);
}

static int load_merges(const json_t *j, struct laser_token_model *m, struct laser_error *err)
{
    const json_t *list = json_object_get(j, "merges");
    size_t n = json_array_size(list);
    uint32_t rank = 0;
    if (!json_is_array(list) || n > INT32_MAX)
        return laser_error_set(err, LASER_EINPUT, NULL, "the model's \"merges\" is missing or not an array");
    int rc = laser_bpe_reserve(m, n, err);
    for (size_t i = 0; i < n && rc == LASER_OK; i++) {
        const json_t *v = json_array_get(list, i);
        const char *s = json_string_value(v);
        if (json_typeof(v) != json_typeof(json_array_get(list, 0)))
            return bad_merge(err, i);
        if (s && strncmp(s, "#version", 8) == 0) /* the first line of a merges.txt */
            continue;
        rc = load_merge(v, i, rank++, m, err);
    }
    return rc;
}

static int load_bpe(const json_t *j, struct laser_token_model *m, struct laser_error *err)
{
    const json_t *dropout = json_object_get(j, "dropout");
    struct laser_bpe *b = &m->bpe;
    m->kind = LASER_MODEL_BPE;
    if (dropout && !json_is_null(dropout) && (!json_is_number(dropout) || json_number_value(dropout) != 0.0))
        return laser_error_set(err, LASER_EINPUT, NULL, "BPE with dropout is random: it is not supported");
    int rc = load_vocab(j, m, err);
    if (rc == LASER_OK)
        rc = load_text(j, "unk_token", &m->unk, err);
    if (rc == LASER_OK)
        rc = load_text(j, "continuing_subword_prefix", &b->prefix, err);
    if (rc == LASER_OK)
        rc = load_text(j, "end_of_word_suffix", &b->suffix, err);
    if (rc == LASER_OK)
        rc = laser_json_bool(j, "fuse_unk", false, &b->fuse_unk, err);
    if (rc == LASER_OK)
        rc = laser_json_bool(j, "byte_fallback", false, &b->byte_fallback, err);
    if (rc == LASER_OK)
        rc = laser_json_bool(j, "ignore_merges", false, &b->ignore_merges, err);
    if (rc == LASER_OK)
        rc = load_merges(j, m, err);
    m->unk_id = rc == LASER_OK && m->unk ? laser_vocab_id(&m->vocab, m->unk, strlen(m->unk)) : -1;
    if (rc == LASER_OK)
        laser_bpe_finish(m);
    return rc;
}

/* What serde_json makes of a number's text (it is not built with float_roundtrip): the digits as a double,
 * times or over a power of ten as a double, which is at times not the nearest double.  Sums of scores are
 * compared for equality, so the same doubles are needed.  jansson has given the nearest double; its shortest
 * text is the one that the file has, as all writers of such files write the shortest. */
static double serde_double(double v)
{
    char text[40];
    uint64_t digits = 0;
    if (v == 0.0 || !isfinite(v))
        return v;
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, fabs(v));
        if (strtod(text, NULL) == fabs(v))
            break;
    }
    int places = 0, exponent = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++) {
        if (*p == '.')
            continue;
        digits = 10 * digits + (uint64_t)(*p - '0');
        places += p > text;
    }
    if (*p == 'e')
        exponent = atoi(p + 1);
    exponent -= places;
    /* Powers of ten are exact up to 1e22 and written as literals beyond. */
    double f = (double)digits;
    for (; exponent < -308; exponent += 308)
        f /= 1e308;
    snprintf(text, sizeof(text), "1e%d", exponent < 0 ? -exponent : exponent);
    double power = strtod(text, NULL);
    f = exponent < 0 ? f / power : f * power;
    return v < 0 ? -f : f;
}

static int load_unigram(const json_t *j, struct laser_token_model *m, struct laser_error *err)
{
    const json_t *list = json_object_get(j, "vocab"), *unk = json_object_get(j, "unk_id");
    size_t n = json_array_size(list);
    bool exact = json_is_true(json_object_get(j, LASER_EXACT_SCORES));
    m->kind = LASER_MODEL_UNIGRAM;
    m->unk_id = -1;
    if (!json_is_array(list) || n > LASER_VOCAB_MAX_ID)
        return laser_error_set(err, LASER_EINPUT, NULL, "the model's \"vocab\" is missing or not an array");
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(list, i), *name = json_array_get(pair, 0),
                     *score = json_array_get(pair, 1);
        if (json_array_size(pair) != 2 || !json_is_string(name) || !json_is_number(score))
            return laser_error_set(err, LASER_EINPUT, NULL,
                                   "vocabulary entry %zu is not a token and its score", i);
        if (laser_vocab_id(&m->vocab, json_string_value(name), json_string_length(name)) >= 0)
            return laser_error_set(err, LASER_EINPUT, NULL, "token \"%.100s\" is in the vocabulary twice",
                                   json_string_value(name));
        double v =
            json_is_real(score) && !exact ? serde_double(json_real_value(score)) : json_number_value(score);
        if (!laser_vocab_put(&m->vocab, json_string_value(name), json_string_length(name), (int32_t)i, v))
            return no_memory(err);
    }
    if (!laser_vocab_finish(&m->vocab))
        return no_memory(err);
    if (unk && !json_is_null(unk)) {
        if (!json_is_integer(unk) || json_integer_value(unk) < 0 || (size_t)json_integer_value(unk) >= n)
            return laser_error_set(err, LASER_EINPUT, NULL, "Unigram's \"unk_id\" is not in the vocabulary");
        m->unk_id = (int32_t)json_integer_value(unk);
    }
    int rc = laser_json_bool(j, "byte_fallback", false, &m->byte_fallback, err);
    if (rc == LASER_OK)
        laser_bpe_finish(m); /* the fallback tokens */
    return rc == LASER_OK ? laser_unigram_finish(m, err) : rc;
}

static int load_words(const json_t *j, struct laser_token_model *m, struct laser_error *err)
{
    int rc = load_vocab(j, m, err);
    if (rc == LASER_OK)
        rc = load_text(j, "unk_token", &m->unk, err);
    if (rc == LASER_OK && !m->unk)
        rc = laser_error_set(err, LASER_EINPUT, NULL, "the model's \"unk_token\" is missing");
    m->unk_id = rc == LASER_OK ? laser_vocab_id(&m->vocab, m->unk, strlen(m->unk)) : -1;
    if (rc != LASER_OK || m->kind == LASER_MODEL_WORDLEVEL)
        return rc;
    const json_t *most = json_object_get(j, "max_input_chars_per_word");
    m->max_word_chars = json_integer_value(most);
    if (!json_is_integer(most) || m->max_word_chars < 0)
        return laser_error_set(err, LASER_EINPUT, NULL,
                               "the model's \"max_input_chars_per_word\" is missing or bad");
    rc = load_text(j, "continuing_subword_prefix", &m->subword_prefix, err);
    if (rc == LASER_OK && !m->subword_prefix)
        rc = laser_error_set(err, LASER_EINPUT, NULL, "the model's \"continuing_subword_prefix\" is missing");
    return rc;
}

/* Old files have no "type"; the library tries the models in this order. */
static const char *guess_type(const json_t *j)
{
    if (json_object_get(j, "merges"))
        return "BPE";
    if (json_object_get(j, "max_input_chars_per_word"))
        return "WordPiece";
    return json_is_object(json_object_get(j, "vocab")) ? "WordLevel" : "Unigram";
}

int laser_token_model_load(const json_t *j, struct laser_token_model *m, struct laser_error *err)
{
    if (!json_is_object(j))
        return laser_error_set(err, LASER_EINPUT, NULL, "\"model\" is missing or not an object");
    const char *type = json_object_get(j, "type") ? laser_json_type(j) : guess_type(j);
    if (strcmp(type, "BPE") == 0)
        return load_bpe(j, m, err);
    if (strcmp(type, "Unigram") == 0)
        return load_unigram(j, m, err);
    if (strcmp(type, "WordPiece") != 0 && strcmp(type, "WordLevel") != 0)
        return laser_error_set(err, LASER_EINPUT, NULL, "model \"%.100s\" is not supported", type);
    m->kind = strcmp(type, "WordPiece") == 0 ? LASER_MODEL_WORDPIECE : LASER_MODEL_WORDLEVEL;
    return load_words(j, m, err);
}
