/* The texts of an evaluation: read and tokenised on rank 0, sent to all, cut into windows and batches. */
#include "evaluate/evaluation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "comm/agree.h"
#include "store/h5ids.h"
#include "tokenizer/tokenizer.h"

static int encode(void *ctx, const char *text, size_t n, bool add_special, int32_t **ids, int64_t *n_ids,
                  struct laser_error *err)
{
    return laser_tokenizer_encode(ctx, text, n, add_special, ids, n_ids, err);
}

/* What cutting windows needs of the tokenizer; sent to all ranks with the tokens. */
struct header {
    int32_t n_datasets, n_guards;
    int32_t bos; /* of the convention: see struct laser_window_options */
};

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
        source->limit_tokens = laser_deck_int(e->run->deck, "evaluate.max_tokens");
        source->limit_bytes = laser_deck_int(e->run->deck, "evaluate.max_bytes");
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
               : laser_dataset_load(&source, e->convention, laser_deck_int(e->run->deck, "evaluate.seqlen"),
                                    encoder, dataset, err);
    laser_text_source_free(&source);
    return code;
}

int laser_mpi_tokenizer_missing(const char *dir, const char *what, struct laser_error *err)
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

static int check_tokenizer(const struct laser_checkpoint *c, struct laser_error *err)
{
    char path[4400];

    snprintf(path, sizeof path, "%s/tokenizer.json", c->dir);
    if (access(path, F_OK) != 0)
        return laser_mpi_tokenizer_missing(c->dir, "texts", err);
    return LASER_OK;
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

int laser_mpi_tokenizer_open(struct laser_evaluation *e, int64_t vocabulary, struct laser_tokenizer **t,
                             struct laser_error *err)
{
    int code = check_tokenizer(e->run->checkpoint, err);

    if (code == LASER_OK)
        code = laser_tokenizer_load(e->run->checkpoint->dir, t, err);
    if (code == LASER_OK)
        check_vocabulary(e, *t, vocabulary);
    return code;
}

static int load_tokenizer(struct laser_evaluation *e, struct laser_tokenizer **t,
                          struct laser_encoder *encoder, struct header *header, struct laser_error *err)
{
    int code = laser_mpi_tokenizer_open(e, encoder->vocab_size, t, err);

    if (code != LASER_OK)
        return code;
    encoder->ctx = *t;
    encoder->eos = laser_tokenizer_role_id(*t, LASER_TOKEN_EOS);
    encoder->pad = laser_tokenizer_role_id(*t, LASER_TOKEN_PAD);
    header->bos = window_bos(e->convention, *t);
    return LASER_OK;
}

/* Rank 0. */
static int load(struct laser_evaluation *e, struct header *header, struct laser_error *err)
{
    int n, n_tasks, n_guards;
    const struct laser_deck_pair *pairs = laser_deck_pairs(e->run->deck, "evaluate.text", &n);
    const struct laser_deck_pair *guards = laser_deck_pairs(e->run->deck, "reduce.guard", &n_guards);
    struct laser_tokenizer *t = NULL;
    struct laser_encoder encoder = {.encode = encode, .eos = -1, .pad = -1};
    int code;

    header->bos = -1;
    laser_deck_pairs(e->run->deck, "evaluate.task", &n_tasks);
    if (n == 0 && n_tasks > 0)
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

/* The numbers of a data set that travel beside its tokens. */
struct dataset_numbers {
    int64_t n_tokens, n_documents, n_rows, n_bytes, n_words;
    uint64_t hash;
    char name[256], path[1024];
};

static int share_dataset(struct laser_evaluation *e, struct laser_dataset *d, struct laser_error *err)
{
    struct dataset_numbers numbers = {0};
    bool root = e->run->rank == 0;
    void *tokens, *starts;
    size_t n_tokens, n_starts;
    int code;

    if (root) {
        numbers = (struct dataset_numbers){.n_tokens = d->n_tokens,
                                           .n_documents = d->n_documents,
                                           .n_rows = d->n_rows,
                                           .n_bytes = d->n_bytes,
                                           .n_words = d->n_words,
                                           .hash = d->hash};
        snprintf(numbers.name, sizeof numbers.name, "%s", d->name);
        snprintf(numbers.path, sizeof numbers.path, "%s", d->path);
    }
    MPI_Bcast(&numbers, (int)sizeof numbers, MPI_BYTE, 0, laser_mpi_world(e->run));
    tokens = root ? d->tokens : NULL;
    starts = root ? d->document_start : NULL;
    n_tokens = (size_t)numbers.n_tokens * sizeof *d->tokens;
    n_starts = (size_t)(numbers.n_documents + 1) * sizeof *d->document_start;
    code = laser_mpi_share(laser_mpi_world(e->run), &tokens, &n_tokens, err);
    if (code == LASER_OK)
        code = laser_mpi_share(laser_mpi_world(e->run), &starts, &n_starts, err);
    if (code != LASER_OK || root)
        return code;
    d->tokens = tokens;
    d->document_start = starts;
    d->n_tokens = numbers.n_tokens;
    d->n_documents = numbers.n_documents;
    d->n_rows = numbers.n_rows;
    d->n_bytes = numbers.n_bytes;
    d->n_words = numbers.n_words;
    d->hash = numbers.hash;
    d->name = strdup(numbers.name);
    d->path = strdup(numbers.path);
    if (d->name == NULL || d->path == NULL)
        code = laser_error_set(err, LASER_ENOMEM, numbers.name, "no memory");
    return code;
}

static int share(struct laser_evaluation *e, struct header *header, struct laser_error *err)
{
    int code = LASER_OK;

    MPI_Bcast(header, (int)sizeof *header, MPI_BYTE, 0, laser_mpi_world(e->run));
    if (e->run->rank != 0) {
        e->datasets = calloc((size_t)header->n_datasets + 1, sizeof *e->datasets);
        if (e->datasets == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "evaluate.text", "no memory");
    }
    code = laser_mpi_agree(laser_mpi_world(e->run), code, err);
    e->n_guards = header->n_guards;
    for (int i = 0; code == LASER_OK && i < header->n_datasets; ++i) {
        code = laser_mpi_agree(laser_mpi_world(e->run), share_dataset(e, &e->datasets[i], err), err);
        if (code == LASER_OK)
            e->n_datasets = i + 1;
    }
    return code;
}

int laser_mpi_texts_open(struct laser_run *run, struct laser_mpi_evaluation *whole, struct laser_error *err)
{
    struct laser_evaluation *e = &whole->evaluation;
    struct laser_window_options options = {0};
    struct header header = {0};
    int code;

    laser_mpi_evaluation_init(whole);
    e->run = run;
    e->precision =
        laser_deck_is(run->deck, "evaluate.precision", "bfloat16") ? LASER_BFLOAT16 : LASER_FLOAT32;
    code = laser_convention_parse(laser_deck_string(run->deck, "evaluate.convention"), &e->convention, err);
    if (code == LASER_OK && run->rank == 0)
        code = load(e, &header, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = share(e, &header, err);
    if (code != LASER_OK)
        return code;
    options.convention = e->convention;
    options.seqlen = laser_deck_int(run->deck, "evaluate.seqlen");
    options.stride = laser_deck_int(run->deck, "evaluate.stride");
    options.bos = header.bos;
    if (e->n_datasets > 0)
        code = laser_windows_make(e->datasets, e->n_datasets, &options, &e->windows, &e->n_windows, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_questions_open(e, err);
    return code == LASER_OK ? laser_mpi_agree(laser_mpi_world(run), laser_items_make(e, NULL, NULL, err), err)
                            : code;
}
