/* A data set as token ids: text read, joined by the rules of its name and convention, tokenised once.
 *
 * The tokenizer comes in as a function, so that this folder does not depend on it.
 */
#ifndef LASER_CORPUS_DATASET_H
#define LASER_CORPUS_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/words.h"
#include "corpus/source.h"

/* Conventions of perplexity; see window.h for their windows. */
#define LASER_CONVENTION_WORDS(W)                                                                            \
    W(LASER_CONVENTION_LASERRMT, "laserrmt")                                                                 \
    W(LASER_CONVENTION_HF_STRIDED, "hf-strided")                                                             \
    W(LASER_CONVENTION_LLAMA_CPP, "llama.cpp")                                                               \
    W(LASER_CONVENTION_LM_EVAL, "lm-eval")
enum laser_convention { LASER_CONVENTION_WORDS(LASER_WORD_ID) };

/* "laserrmt", "hf-strided", "llama.cpp", "lm-eval". */
const char *laser_convention_name(enum laser_convention convention);

/* LASER_EUSAGE, naming the four, for any other name. */
int laser_convention_parse(const char *name, enum laser_convention *convention, struct laser_error *err);

struct laser_encoder {
    /* Token ids of n bytes of text, with the tokenizer's special tokens (BOS, EOS) where add_special.  The
     * result in *ids is malloc'ed and freed by the caller with free(); *n_ids may be 0. */
    int (*encode)(void *ctx, const char *text, size_t n, bool add_special, int32_t **ids, int64_t *n_ids,
                  struct laser_error *err);
    void *ctx;
    int32_t eos;        /* -1: none */
    int32_t pad;        /* -1: none, eos is used */
    int64_t vocab_size; /* of the model: ids must be below */
};

struct laser_dataset {
    char *name;
    char *path;
    int32_t *tokens; /* [n_tokens] */
    int64_t n_tokens;
    int64_t
        *document_start; /* [n_documents + 1] first token of each document; one document except for lm-eval */
    int64_t n_documents;
    int64_t n_rows;  /* > 0: tokens are n_rows rows of one window each (gsm8k) */
    int64_t n_bytes; /* of the text that was tokenised; 0 for token ids and where tokens were cut */
    int64_t n_words; /* of the same, as lm-eval counts them: maximal runs of white space + 1, per document */
    uint64_t hash;   /* XXH3 of name and tokens: equal if and only if the same ids are scored */
};

/* Reads and tokenises one data set for a convention and a window length (needed by c4 and gsm8k).
 *   laserrmt    joined text, with special tokens; c4 is cut to 256 windows, gsm8k has one row per question
 *   hf-strided  joined text, no special tokens
 *   llama.cpp   joined text less one final newline, with special tokens
 *   lm-eval     each document by itself, no special tokens
 * LASER_EINPUT also for an id outside the vocabulary (naming its position) and for text without a token.
 * The caller frees *dataset with laser_dataset_free(). */
int laser_dataset_load(const struct laser_text_source *source, enum laser_convention convention,
                       int64_t seqlen, const struct laser_encoder *encoder, struct laser_dataset *dataset,
                       struct laser_error *err);

/* A data set from token ids read elsewhere (HDF5, a broadcast).  Copies ids.  Checks them against vocab_size.
 */
int laser_dataset_from_ids(const char *name, const char *path, const int32_t *ids, int64_t n_ids,
                           int64_t vocab_size, struct laser_dataset *dataset, struct laser_error *err);

void laser_dataset_free(struct laser_dataset *dataset);

/* Words as Python's len(re.split(r"\s+", text)): the number of maximal runs of white space, plus one. */
int64_t laser_text_count_words(const char *text, size_t n);

/* The largest length <= limit at which text[0 .. n) can be cut without splitting a UTF-8 character. */
size_t laser_text_cut(const char *text, size_t n, size_t limit);

#endif
