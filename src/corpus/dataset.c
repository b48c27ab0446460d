#include "corpus/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char *const convention_names[] = {LASER_CONVENTION_WORDS(LASER_WORD_TEXT)};

const char *laser_convention_name(enum laser_convention convention)
{
    return convention_names[convention];
}

int laser_convention_parse(const char *name, enum laser_convention *convention, struct laser_error *err)
{
    for (int i = 0; i <= LASER_CONVENTION_LM_EVAL; i++) {
        if (strcmp(name, convention_names[i]) == 0) {
            *convention = (enum laser_convention)i;
            return LASER_OK;
        }
    }
    return laser_error_set(
        err, LASER_EUSAGE, name,
        "no such perplexity convention; it is one of laserrmt, hf-strided, llama.cpp, lm-eval");
}

/* Appends ids to the tokens of a data set, of which *capacity are allocated. */
static int append(struct laser_dataset *dataset, int64_t *capacity, const int32_t *ids, int64_t n_ids,
                  struct laser_error *err)
{
    int64_t wanted = dataset->n_tokens + n_ids;
    if (wanted > *capacity) {
        int64_t grown = 2 * wanted;
        int32_t *tokens =
            grown > INT64_MAX / 8 ? NULL : realloc(dataset->tokens, (size_t)grown * sizeof *tokens);
        if (!tokens)
            return laser_error_set(err, LASER_ENOMEM, dataset->path, "no memory for %lld tokens",
                                   (long long)wanted);
        dataset->tokens = tokens;
        *capacity = grown;
    }
    if (n_ids > 0)
        memcpy(dataset->tokens + dataset->n_tokens, ids, (size_t)n_ids * sizeof *ids);
    dataset->n_tokens = wanted;
    return LASER_OK;
}

/* One text of a file: n bytes, tokenised and appended. */
static int encode_text(const struct laser_encoder *encoder, const char *text, size_t n, bool add_special,
                       struct laser_dataset *dataset, int64_t *capacity, struct laser_error *err)
{
    int32_t *ids = NULL;
    int64_t n_ids = 0;
    int result = encoder->encode(encoder->ctx, text, n, add_special, &ids, &n_ids, err);
    if (result == LASER_OK)
        result = append(dataset, capacity, ids, n_ids, err);
    free(ids);
    dataset->n_bytes += (int64_t)n;
    dataset->n_words += laser_text_count_words(text, n);
    return result;
}

/* One question as a row of seqlen tokens: the text cut so that the special tokens around it fit, then
 * padding. */
static int encode_row(const struct laser_encoder *encoder, const char *text, size_t n, int64_t seqlen,
                      struct laser_dataset *dataset, int64_t *capacity, struct laser_error *err)
{
    int32_t *plain = NULL, *full = NULL, pad = encoder->pad >= 0 ? encoder->pad : encoder->eos;
    int64_t n_plain = 0, n_full = 0, front = 0;
    if (pad < 0)
        return laser_error_set(
            err, LASER_EINPUT, dataset->path,
            "the tokenizer has neither a padding nor an end token, which data set %s needs", dataset->name);
    int result = encoder->encode(encoder->ctx, text, n, false, &plain, &n_plain, err);
    if (result == LASER_OK)
        result = encoder->encode(encoder->ctx, text, n, true, &full, &n_full, err);
    if (result == LASER_OK) {
        int64_t special = n_full - n_plain;
        while (front < special && n_plain > 0 &&
               memcmp(full + front, plain, (size_t)n_plain * sizeof *plain) != 0)
            front++;
        if (special < 0 || special >= seqlen)
            result = laser_error_set(err, LASER_EINPUT, dataset->path,
                                     "rows of %lld tokens are too short for the "
                                     "special tokens of the tokenizer",
                                     (long long)seqlen);
        int64_t kept = n_plain < seqlen - special ? n_plain : seqlen - special;
        if (result == LASER_OK)
            result = append(dataset, capacity, full, front + kept, err);
        if (result == LASER_OK)
            result = append(dataset, capacity, full + front + n_plain, special - front, err);
        for (int64_t i = kept + special; result == LASER_OK && i < seqlen; i++)
            result = append(dataset, capacity, &pad, 1, err);
    }
    dataset->n_bytes += (int64_t)n;
    dataset->n_words += laser_text_count_words(text, n);
    free(plain);
    free(full);
    return result;
}

/* Cuts the documents so that all together have at most limit bytes. */
static void limit_documents(struct laser_documents *documents, int64_t limit)
{
    int64_t n = 0;
    while (n < documents->n && documents->start[n] < limit)
        n++;
    documents->n = n;
    int64_t begin = documents->start[n - 1], length = documents->start[n] - begin;
    if (begin + length > limit)
        documents->start[n] =
            begin + (int64_t)laser_text_cut(documents->text + begin, (size_t)length, (size_t)(limit - begin));
}

/* Documents joined with a separator, each used once; *text is malloc'ed. */
static int join_documents(const struct laser_documents *documents, const char *separator, char **text,
                          size_t *n, struct laser_error *err)
{
    size_t gap = strlen(separator);
    *n = (size_t)documents->start[documents->n] + gap * (size_t)(documents->n - 1);
    char *out = *text = malloc(*n + 1);
    if (!out)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %zu bytes of text", *n);
    for (int64_t i = 0; i < documents->n; i++) {
        size_t length = (size_t)(documents->start[i + 1] - documents->start[i]);
        if (i > 0) {
            memcpy(out, separator, gap);
            out += gap;
        }
        memcpy(out, documents->text + documents->start[i], length);
        out += length;
    }
    *out = 0;
    return LASER_OK;
}

static int mark_documents(struct laser_dataset *dataset, int64_t n, struct laser_error *err)
{
    dataset->document_start = calloc((size_t)n + 1, sizeof *dataset->document_start);
    if (!dataset->document_start)
        return laser_error_set(err, LASER_ENOMEM, dataset->path, "no memory for %lld documents",
                               (long long)n);
    dataset->n_documents = n;
    return LASER_OK;
}

/* The whole file as one text. */
static int load_joined(const struct laser_text_source *source, enum laser_convention convention,
                       enum laser_join join, const struct laser_encoder *encoder,
                       const struct laser_documents *documents, struct laser_dataset *dataset,
                       struct laser_error *err)
{
    char *text = NULL;
    size_t n = 0;
    int64_t capacity = 0;
    int result = join_documents(documents, join == LASER_JOIN_SPACE ? " " : "\n\n", &text, &n, err);
    if (result == LASER_OK)
        result = mark_documents(dataset, 1, err);
    if (result == LASER_OK) {
        if (source->limit_bytes > 0)
            n = laser_text_cut(text, n, (size_t)source->limit_bytes);
        if (convention == LASER_CONVENTION_LLAMA_CPP && n > 0 && text[n - 1] == '\n')
            n--;
        result =
            encode_text(encoder, text, n, convention != LASER_CONVENTION_HF_STRIDED, dataset, &capacity, err);
        dataset->document_start[1] = dataset->n_tokens;
    }
    free(text);
    return result;
}

/* Each document by itself: lm-eval, and the rows of gsm8k. */
static int load_separate(const struct laser_text_source *source, bool rows, int64_t seqlen,
                         const struct laser_encoder *encoder, struct laser_documents *documents,
                         struct laser_dataset *dataset, struct laser_error *err)
{
    int64_t capacity = 0;
    if (source->limit_bytes > 0)
        limit_documents(documents, source->limit_bytes);
    int result = mark_documents(dataset, rows ? 1 : documents->n, err);
    for (int64_t i = 0; result == LASER_OK && i < documents->n; i++) {
        const char *text = documents->text + documents->start[i];
        size_t n = (size_t)(documents->start[i + 1] - documents->start[i]);
        if (rows)
            result = encode_row(encoder, text, n, seqlen, dataset, &capacity, err);
        else
            result = encode_text(encoder, text, n, false, dataset, &capacity, err);
        dataset->document_start[rows ? 1 : i + 1] = dataset->n_tokens;
    }
    dataset->n_rows = rows ? documents->n : 0;
    return result;
}

/* Keeps the first tokens, and of documents and rows what is within them. */
static void limit_tokens(struct laser_dataset *dataset, int64_t limit)
{
    if (limit <= 0 || limit >= dataset->n_tokens)
        return;
    if (dataset->n_rows > 0)
        dataset->n_rows = limit / (dataset->n_tokens / dataset->n_rows);
    dataset->n_tokens = limit;
    while (dataset->n_documents > 1 && dataset->document_start[dataset->n_documents - 1] >= limit)
        dataset->n_documents--;
    dataset->document_start[dataset->n_documents] = limit;
    dataset->n_bytes = dataset->n_words = 0;
}

static int load_text(const struct laser_text_source *source, enum laser_convention convention, int64_t seqlen,
                     const struct laser_encoder *encoder, struct laser_dataset *dataset,
                     struct laser_error *err)
{
    const struct laser_known_dataset *known = laser_known_dataset_find(source->name);
    enum laser_join join = known ? known->join : LASER_JOIN_NONE;
    bool rows = join == LASER_JOIN_PADDED_ROWS && convention == LASER_CONVENTION_LASERRMT;
    struct laser_documents documents;
    int result = laser_documents_read(source, &documents, err);
    if (result != LASER_OK)
        return result;
    if (rows || convention == LASER_CONVENTION_LM_EVAL)
        result = load_separate(source, rows, seqlen, encoder, &documents, dataset, err);
    else
        result = load_joined(source, convention, join, encoder, &documents, dataset, err);
    laser_documents_free(&documents);
    if (known && known->limit_windows > 0 && convention == LASER_CONVENTION_LASERRMT && result == LASER_OK &&
        dataset->n_tokens / known->limit_windows >= seqlen)
        limit_tokens(dataset, known->limit_windows * seqlen);
    return result;
}

/* The checks and figures that all data sets have in common. */
static int finish(struct laser_dataset *dataset, int64_t vocab_size, struct laser_error *err)
{
    if (dataset->n_tokens == 0)
        return laser_error_set(err, LASER_EINPUT, dataset->path, "the text of data set %s has no token",
                               dataset->name);
    for (int64_t i = 0; i < dataset->n_tokens; i++)
        if (dataset->tokens[i] < 0 || dataset->tokens[i] >= vocab_size)
            return laser_error_set(
                err, LASER_EINPUT, dataset->path,
                "token %lld of data set %s has id %d, but the model's vocabulary has ids 0 to %lld "
                "(does the tokenizer belong to the model? A file named .bin or .i32 is read as token ids)",
                (long long)i, dataset->name, (int)dataset->tokens[i], (long long)vocab_size - 1);
    uint64_t seed = XXH3_64bits(dataset->name, strlen(dataset->name));
    dataset->hash = XXH3_64bits_withSeed(dataset->tokens, (size_t)dataset->n_tokens * sizeof(int32_t), seed);
    return LASER_OK;
}

static int begin(const char *name, const char *path, struct laser_dataset *dataset, struct laser_error *err)
{
    memset(dataset, 0, sizeof *dataset);
    dataset->name = strdup(name);
    dataset->path = strdup(path);
    if (dataset->name && dataset->path)
        return LASER_OK;
    return laser_error_set(err, LASER_ENOMEM, path, "no memory for the name of a data set");
}

int laser_dataset_load(const struct laser_text_source *source, enum laser_convention convention,
                       int64_t seqlen, const struct laser_encoder *encoder, struct laser_dataset *dataset,
                       struct laser_error *err)
{
    int32_t *ids = NULL;
    int64_t n_ids = 0;
    int result;
    if (laser_text_source_format(source) == LASER_FORMAT_IDS) {
        result = laser_token_ids_read(source, &ids, &n_ids, err);
        if (result == LASER_OK && source->limit_tokens > 0 && source->limit_tokens < n_ids)
            n_ids = source->limit_tokens;
        if (result == LASER_OK)
            result = laser_dataset_from_ids(source->name, source->path, ids, n_ids, encoder->vocab_size,
                                            dataset, err);
        else
            memset(dataset, 0, sizeof *dataset);
        free(ids);
        return result;
    }
    result = begin(source->name, source->path, dataset, err);
    if (result == LASER_OK && seqlen < 1)
        result = laser_error_set(err, LASER_EUSAGE, source->name, "window length %lld; expected 1 or more",
                                 (long long)seqlen);
    if (result == LASER_OK)
        result = load_text(source, convention, seqlen, encoder, dataset, err);
    if (result == LASER_OK) {
        limit_tokens(dataset, source->limit_tokens);
        result = finish(dataset, encoder->vocab_size, err);
    }
    if (result != LASER_OK) {
        laser_dataset_free(dataset);
        if (err && !err->where[0])
            snprintf(err->where, sizeof err->where, "%s", source->path);
    }
    return result;
}

int laser_dataset_from_ids(const char *name, const char *path, const int32_t *ids, int64_t n_ids,
                           int64_t vocab_size, struct laser_dataset *dataset, struct laser_error *err)
{
    int64_t capacity = 0;
    int result = begin(name, path, dataset, err);
    if (result == LASER_OK)
        result = mark_documents(dataset, 1, err);
    if (result == LASER_OK)
        result = append(dataset, &capacity, ids, n_ids, err);
    if (result == LASER_OK) {
        dataset->document_start[1] = n_ids;
        result = finish(dataset, vocab_size, err);
    }
    if (result != LASER_OK)
        laser_dataset_free(dataset);
    return result;
}

void laser_dataset_free(struct laser_dataset *dataset)
{
    free(dataset->name);
    free(dataset->path);
    free(dataset->tokens);
    free(dataset->document_start);
    memset(dataset, 0, sizeof *dataset);
}
