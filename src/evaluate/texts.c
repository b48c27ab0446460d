#include "evaluate/texts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "checkpoint/gguf.h"
#include "store/h5ids.h"
#include "tokenizer/tokenizer.h"

static int encode(void *ctx, const char *text, size_t n, bool add_special, int32_t **ids, int64_t *n_ids,
                  struct laser_error *err)
{
    return laser_tokenizer_encode(ctx, text, n, add_special, ids, n_ids, err);
}

static int32_t window_bos(enum laser_convention convention, const struct laser_tokenizer *t)
{
    int32_t bos = laser_tokenizer_role_id(t, LASER_TOKEN_BOS);

    if (convention == LASER_CONVENTION_LLAMA_CPP)
        return laser_tokenizer_adds_bos(t) ? bos : -1;
    return bos >= 0 ? bos : laser_tokenizer_role_id(t, LASER_TOKEN_EOS);
}

static int parse_source(const struct laser_evaluation *e, const struct laser_deck_pair *pair,
                        struct laser_text_source *source, struct laser_error *err)
{
    struct laser_text text = {0};
    int code;

    laser_text_printf(&text, "%s=%s", pair->name, pair->path);
    if (text.failed)
        code = laser_error_set(err, LASER_ENOMEM, pair->name, "no memory");
    else
        code = laser_text_source_parse(text.data, source, err);
    laser_text_free(&text);
    if (code == LASER_OK) {
        source->limit_tokens = e->run->settings->evaluate.max_tokens;
        source->limit_bytes = e->run->settings->evaluate.max_bytes;
    }
    return code;
}

static int load_h5_ids(const struct laser_text_source *source, int64_t vocab_size,
                       struct laser_dataset *dataset, struct laser_error *err)
{
    int32_t *ids;
    int64_t n;
    int code = laser_h5_token_ids(source->path, source->field, &ids, &n, err);

    if (code != LASER_OK)
        return code;
    if (source->limit_tokens > 0 && source->limit_tokens < n)
        n = source->limit_tokens;
    code = laser_dataset_from_ids(source->name, source->path, ids, n, vocab_size, dataset, err);
    free(ids);
    return code;
}

static int load_dataset(struct laser_evaluation *e, const struct laser_deck_pair *pair,
                        const struct laser_encoder *encoder, struct laser_dataset *dataset,
                        struct laser_error *err)
{
    struct laser_text_source source;
    int code = parse_source(e, pair, &source, err);

    if (code != LASER_OK)
        return code;
    code = laser_text_source_format(&source) == LASER_FORMAT_HDF5
               ? load_h5_ids(&source, encoder->vocab_size, dataset, err)
               : laser_dataset_load(&source, e->convention, e->run->settings->evaluate.seqlen, encoder,
                                    dataset, err);
    laser_text_source_free(&source);
    return code;
}

static int tokenizer_missing(const char *dir, const char *what, struct laser_error *err)
{
    static const char *const older[] = {"tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
                                        "vocab.json", "vocab.txt"};
    char path[4400];

    for (size_t i = 0; i < sizeof older / sizeof *older; ++i) {
        snprintf(path, sizeof path, "%.4300s/%s", dir, older[i]);
        if (access(path, F_OK) == 0)
            return laser_error_set(
                err, LASER_EINPUT, dir,
                "there is no tokenizer.json: %s cannot be cut into tokens; transformers makes it "
                "from %s: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)",
                what, older[i]);
    }
    return laser_error_set(err, LASER_EINPUT, dir, "there is no tokenizer.json: %s cannot be cut into tokens",
                           what);
}

static bool has_files(const struct laser_checkpoint *c)
{
    return laser_tokenizer_is_in(c->dir);
}

static bool is_gguf(const struct laser_checkpoint *c)
{
    return c->n_files == 1 && laser_gguf_is_file(c->files[0].name);
}

bool laser_evaluation_has_tokenizer(const struct laser_checkpoint *c)
{
    return has_files(c) || is_gguf(c);
}

int laser_evaluation_tokenizer_load(const struct laser_checkpoint *c, const char *what,
                                    struct laser_tokenizer **t, struct laser_error *err)
{
    if (has_files(c))
        return laser_tokenizer_load(c->dir, t, err);
    if (is_gguf(c))
        return laser_tokenizer_load(c->files[0].path, t, err);
    return tokenizer_missing(c->dir, what, err);
}

/* Token ids need no tokenizer, but these conventions need its BOS. */
static bool needs_tokenizer(const struct laser_evaluation *e, const struct laser_deck_pair *pairs, int n)
{
    struct laser_text_source source;
    struct laser_error ignored;
    bool needs = e->convention == LASER_CONVENTION_LLAMA_CPP || e->convention == LASER_CONVENTION_LM_EVAL;

    for (int i = 0; i < n && !needs; ++i) {
        if (parse_source(e, &pairs[i], &source, &ignored) != LASER_OK)
            return true;
        needs = laser_text_source_format(&source) != LASER_FORMAT_HDF5 &&
                laser_text_source_format(&source) != LASER_FORMAT_IDS;
        laser_text_source_free(&source);
    }
    return needs;
}

/* A tokenizer of another model gives losses that mean nothing, often without an error. */
static void check_vocabulary(const struct laser_evaluation *e, const struct laser_tokenizer *t,
                             int64_t vocab_size)
{
    int64_t end = laser_tokenizer_id_end(t);

    if (end > vocab_size)
        laser_log_line(e->run->log, "WARNING",
                       "the tokenizer has ids up to %" PRId64 ", the model's vocabulary ends at %" PRId64
                       ": does it belong to this model?",
                       end - 1, vocab_size - 1);
    else if (end < vocab_size / 10 * 9)
        laser_log_line(e->run->log, "WARNING",
                       "the tokenizer has ids up to %" PRId64 " only, the model's vocabulary ends at %" PRId64
                       ": does it belong to this model?",
                       end - 1, vocab_size - 1);
}

/* The model's vocabulary; an architecture or a checkpoint that cannot be evaluated is refused here, before
 * any work. */
static int describe_model(const struct laser_checkpoint *c, enum laser_precision precision,
                          int64_t *vocab_size, struct laser_error *err)
{
    struct laser_model *model;
    int code;

    if (c->config == NULL)
        return laser_error_set(err, LASER_EINPUT, c->dir,
                               "there is no config.json: the model cannot be evaluated");
    code = laser_model_describe(c, NULL, precision, &model, err);
    if (code != LASER_OK)
        return code;
    *vocab_size = laser_model_arch(model)->vocabulary;
    if (laser_model_arch(model)->masked)
        code = laser_error_set(err, LASER_EINPUT, c->dir,
                               "%s is a masked language model: it fills in masks and has no perplexity of "
                               "running text",
                               laser_model_arch(model)->model_type);
    laser_model_free(model);
    return code;
}

int laser_evaluation_tokenizer(struct laser_evaluation *e, int64_t vocabulary, struct laser_tokenizer **t,
                               struct laser_error *err)
{
    int code = laser_evaluation_tokenizer_load(e->run->checkpoint, "texts", t, err);

    if (code == LASER_OK)
        check_vocabulary(e, *t, vocabulary);
    return code;
}

static int load_tokenizer(struct laser_evaluation *e, struct laser_tokenizer **t,
                          struct laser_encoder *encoder, struct laser_texts_header *header,
                          struct laser_error *err)
{
    int code = laser_evaluation_tokenizer(e, encoder->vocab_size, t, err);

    if (code != LASER_OK)
        return code;
    encoder->ctx = *t;
    encoder->eos = laser_tokenizer_role_id(*t, LASER_TOKEN_EOS);
    encoder->pad = laser_tokenizer_role_id(*t, LASER_TOKEN_PAD);
    header->bos = window_bos(e->convention, *t);
    return LASER_OK;
}

int laser_texts_load(struct laser_evaluation *e, struct laser_texts_header *header, struct laser_error *err)
{
    const struct laser_settings *settings = e->run->settings;
    const struct laser_deck_pair *pairs = settings->evaluate.text.items,
                                 *guards = settings->reduce.guard.items;
    int n = settings->evaluate.text.count, n_guards = settings->reduce.guard.count;
    struct laser_tokenizer *t = NULL;
    struct laser_encoder encoder = {.encode = encode, .eos = -1, .pad = -1};
    int code;

    header->bos = -1;
    if (n == 0 && settings->evaluate.task.count > 0)
        return LASER_OK;
    if (n == 0)
        return laser_error_set(
            err, LASER_EUSAGE, "evaluate.text",
            "nothing to evaluate on: give --text NAME=PATH or --task NAME=PATH, or `text:` "
            "or `task:` in the deck");
    code = describe_model(e->run->checkpoint, e->precision, &encoder.vocab_size, err);
    if (code == LASER_OK && (needs_tokenizer(e, pairs, n) || needs_tokenizer(e, guards, n_guards)))
        code = load_tokenizer(e, &t, &encoder, header, err);
    if (code == LASER_OK && (e->datasets = calloc((size_t)(n + n_guards), sizeof *e->datasets)) == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "evaluate.text", "no memory");
    for (int i = 0; code == LASER_OK && i < n + n_guards; ++i) {
        code = load_dataset(e, i < n ? &pairs[i] : &guards[i - n], &encoder, &e->datasets[i], err);
        if (code == LASER_OK)
            e->n_datasets = i + 1;
    }
    header->n_datasets = e->n_datasets;
    header->n_guards = n_guards;
    laser_tokenizer_free(t);
    return code;
}
