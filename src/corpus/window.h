/* Windows: which tokens go through the model together, and which of their predictions are scored.
 *
 * A window is n_tokens input tokens.  With t = the tokens of its data set,
 *     input[p]  = t[first + p], except input[0] = prefix where prefix >= 0
 *     target[p] = t[first + p + 1]
 * and position p is scored for first_scored <= p < first_scored + n_scored.  first is -1 below the start of a
 * document where the prefix stands before its first token.  No position needs a token behind the last one, so
 * a window whose last position is not scored has n_tokens = n_scored + first_scored + 1.
 *
 * The layouts are those of the reference programs:
 *   laserrmt    disjoint windows of seqlen, the tail dropped, the first seqlen - 1 positions scored
 *   hf-strided  windows of seqlen that begin every stride tokens, the last one cut at the end of the text;
 *               each scores the tokens that no earlier window scored (Hugging Face, "Perplexity of fixed-length
 *               models")
 *   llama.cpp   disjoint windows of seqlen, the tail dropped, the first token replaced by BOS where the model
 *               adds one, positions seqlen/2 .. seqlen-2 scored; at least 2 seqlen tokens (llama-perplexity)
 *   lm-eval     per document: the prefix token and seqlen - 1 tokens, then seqlen new tokens a window with one
 *               token of context (the last window: as much context as fits); every token scored once (lm_eval
 *               get_rolling_token_windows with context_len = 1)
 */
#ifndef LASER_CORPUS_WINDOW_H
#define LASER_CORPUS_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "corpus/dataset.h"

struct laser_window {
    int64_t first;        /* index of input[0] in the tokens of the data set; -1 or more */
    int32_t dataset;      /* index of the data set */
    int32_t n_tokens;     /* input length */
    int32_t first_scored; /* first scored position */
    int32_t n_scored;     /* scored positions, at least 1 */
    int32_t prefix;       /* token that stands in for input[0], or -1 */
};

struct laser_window_options {
    enum laser_convention convention;
    int64_t seqlen; /* window length (n_ctx, max_length); at least 2 (lm-eval: 1) */
    int64_t stride; /* hf-strided only: 1 .. seqlen; 0 = seqlen */
    int32_t bos;    /* llama.cpp: the BOS of a model that adds one, else -1; lm-eval: the prefix token (BOS,
                       else EOS), required */
    int64_t max_windows; /* > 0: at most this many windows of each data set, the first ones */
    bool laserrmt_rows; /* gsm8k as rmt_laser_snr_math.py evaluates it: that takes the number of questions for
                           the number of tokens and scores only the first n_rows / seqlen questions */
};

/* The windows of n_datasets data sets, in the order of the data sets and of the text.
 * LASER_EUSAGE for options out of range, LASER_EINPUT (where = path) for a data set shorter than one window,
 * LASER_ENOMEM.  The caller frees *windows. */
int laser_windows_make(const struct laser_dataset *datasets, int32_t n_datasets,
                       const struct laser_window_options *options, struct laser_window **windows,
                       int64_t *n_windows, struct laser_error *err);

/* Fills input[n_tokens] and target[n_tokens]; target is -1 at positions that are not scored. */
void laser_window_fill(const struct laser_window *window, const int32_t *tokens, int32_t *input,
                       int32_t *target);

/* The longest window. */
int32_t laser_windows_longest(const struct laser_window *windows, int64_t n_windows);

/* Scored tokens of all windows. */
int64_t laser_windows_scored(const struct laser_window *windows, int64_t n_windows);

#endif
