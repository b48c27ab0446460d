#include "corpus/window.h"

#include <stdlib.h>
#include <string.h>

/* Windows as they are made, or for at = NULL only counted.  max_windows takes some back, so room is needed
 * for the most that were there. */
struct list {
    struct laser_window *at;
    int64_t n, most;
};

static void add(struct list *list, int32_t dataset, int64_t first, int64_t n_tokens, int64_t first_scored,
                int64_t n_scored, int32_t prefix)
{
    if (list->at)
        list->at[list->n] = (struct laser_window){.first = first,
                                                  .dataset = dataset,
                                                  .n_tokens = (int32_t)n_tokens,
                                                  .first_scored = (int32_t)first_scored,
                                                  .n_scored = (int32_t)n_scored,
                                                  .prefix = prefix};
    list->n++;
    if (list->n > list->most)
        list->most = list->n;
}

static void make_disjoint(int64_t n_windows, int64_t seqlen, int64_t first_scored, int32_t prefix,
                          int32_t index, struct list *list)
{
    for (int64_t i = 0; i < n_windows; i++)
        add(list, index, i * seqlen, seqlen, first_scored, seqlen - 1 - first_scored, prefix);
}

static void make_strided(int64_t n_tokens, int64_t seqlen, int64_t stride, int32_t index, struct list *list)
{
    int64_t scored_end = 1; /* targets before this one are scored, or are the first token */
    for (int64_t begin = 0; scored_end < n_tokens; begin += stride) {
        int64_t end = n_tokens - begin < seqlen ? n_tokens : begin + seqlen;
        int64_t target = scored_end > begin + 1 ? scored_end : begin + 1;
        if (target < end)
            add(list, index, begin, end - begin, target - 1 - begin, end - target, -1);
        scored_end = end;
    }
}

/* The inputs of the last window reach back as far as its length allows. */
static void make_rolling(int64_t begin, int64_t end, int64_t seqlen, int32_t prefix, int32_t index,
                         struct list *list)
{
    int64_t first = end - begin < seqlen ? end - begin : seqlen;
    if (first == 0)
        return;
    add(list, index, begin - 1, first, 0, first, prefix);
    for (int64_t at = begin + first; at < end;) {
        int64_t n_scored = end - at < seqlen ? end - at : seqlen;
        add(list, index, at + n_scored - seqlen - 1, seqlen, seqlen - n_scored, n_scored, -1);
        at += n_scored;
    }
}

static int64_t rows_to_score(const struct laser_dataset *dataset, const struct laser_window_options *options)
{
    if (options->laserrmt_rows && dataset->n_rows > 0)
        return dataset->n_rows / options->seqlen;
    return dataset->n_tokens / options->seqlen;
}

static void make_windows(const struct laser_dataset *dataset, int32_t index,
                         const struct laser_window_options *options, struct list *list)
{
    int64_t seqlen = options->seqlen, before = list->n;
    switch (options->convention) {
    case LASER_CONVENTION_LASERRMT:
        make_disjoint(rows_to_score(dataset, options), seqlen, 0, -1, index, list);
        break;
    case LASER_CONVENTION_HF_STRIDED:
        make_strided(dataset->n_tokens, seqlen, options->stride ? options->stride : seqlen, index, list);
        break;
    case LASER_CONVENTION_LLAMA_CPP:
        make_disjoint(dataset->n_tokens / seqlen, seqlen, seqlen / 2, options->bos, index, list);
        break;
    case LASER_CONVENTION_LM_EVAL:
        for (int64_t i = 0; i < dataset->n_documents; i++)
            make_rolling(dataset->document_start[i], dataset->document_start[i + 1], seqlen, options->bos,
                         index, list);
        break;
    }
    if (options->max_windows > 0 && list->n - before > options->max_windows)
        list->n = before + options->max_windows;
}

static int check_options(const struct laser_window_options *options, struct laser_error *err)
{
    /* llama.cpp scores positions seqlen/2 .. seqlen-2, none of which is there for seqlen 2 */
    int64_t least = options->convention == LASER_CONVENTION_LM_EVAL     ? 1
                    : options->convention == LASER_CONVENTION_LLAMA_CPP ? 3
                                                                        : 2;
    if (options->seqlen < least || options->seqlen > INT32_MAX / 2)
        return laser_error_set(err, LASER_EUSAGE, "seqlen", "%lld; expected %lld to %d for the convention %s",
                               (long long)options->seqlen, (long long)least, INT32_MAX / 2,
                               laser_convention_name(options->convention));
    if (options->stride < 0 || options->stride > options->seqlen)
        return laser_error_set(err, LASER_EUSAGE, "stride", "%lld; expected 1 to seqlen (%lld)",
                               (long long)options->stride, (long long)options->seqlen);
    if (options->convention == LASER_CONVENTION_LM_EVAL && options->bos < 0)
        return laser_error_set(
            err, LASER_EUSAGE, "bos",
            "the convention lm-eval needs a prefix token (BOS or EOS), and the tokenizer has none");
    if (options->max_windows < 0)
        return laser_error_set(err, LASER_EUSAGE, "max_windows", "%lld; expected 0 or more",
                               (long long)options->max_windows);
    return LASER_OK;
}

static int check_length(const struct laser_dataset *dataset, const struct laser_window_options *options,
                        struct laser_error *err)
{
    int64_t need = options->convention == LASER_CONVENTION_LASERRMT     ? options->seqlen
                   : options->convention == LASER_CONVENTION_LLAMA_CPP  ? 2 * options->seqlen
                   : options->convention == LASER_CONVENTION_HF_STRIDED ? 2
                                                                        : 1;
    if (options->laserrmt_rows && dataset->n_rows > 0 && dataset->n_rows < options->seqlen)
        return laser_error_set(err, LASER_EINPUT, dataset->path,
                               "data set %s has %lld rows; rmt_laser_snr_math.py scores one row in %lld",
                               dataset->name, (long long)dataset->n_rows, (long long)options->seqlen);
    if (dataset->n_rows > 0 && dataset->n_tokens / dataset->n_rows != options->seqlen)
        return laser_error_set(
            err, LASER_EUSAGE, "seqlen", "%lld; data set %s was read in rows of %lld tokens",
            (long long)options->seqlen, dataset->name, (long long)(dataset->n_tokens / dataset->n_rows));
    if (dataset->n_tokens >= need)
        return LASER_OK;
    return laser_error_set(
        err, LASER_EINPUT, dataset->path,
        "data set %s has %lld tokens, but the convention %s with seqlen %lld needs at least %lld",
        dataset->name, (long long)dataset->n_tokens, laser_convention_name(options->convention),
        (long long)options->seqlen, (long long)need);
}

int laser_windows_make(const struct laser_dataset *datasets, int32_t n_datasets,
                       const struct laser_window_options *options, struct laser_window **windows,
                       int64_t *n_windows, struct laser_error *err)
{
    struct list list = {0};
    *windows = NULL;
    *n_windows = 0;
    int result = check_options(options, err);
    for (int32_t i = 0; result == LASER_OK && i < n_datasets; i++) {
        result = check_length(&datasets[i], options, err);
        if (result == LASER_OK)
            make_windows(&datasets[i], i, options, &list);
    }
    if (result != LASER_OK)
        return result;
    if (list.n == 0)
        return laser_error_set(err, LASER_EINPUT, NULL, "no text to evaluate");
    struct list filled = {.at = calloc((size_t)list.most, sizeof *filled.at)};
    if (!filled.at)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %lld windows", (long long)list.most);
    for (int32_t i = 0; i < n_datasets; i++)
        make_windows(&datasets[i], i, options, &filled);
    *windows = filled.at;
    *n_windows = filled.n;
    return LASER_OK;
}

void laser_window_fill(const struct laser_window *window, const int32_t *tokens, int32_t *input,
                       int32_t *target)
{
    for (int32_t p = 0; p < window->n_tokens; p++) {
        bool scored = p >= window->first_scored && p - window->first_scored < window->n_scored;
        input[p] = p == 0 && window->prefix >= 0 ? window->prefix : tokens[window->first + p];
        target[p] = scored ? tokens[window->first + p + 1] : -1;
    }
}

int32_t laser_windows_longest(const struct laser_window *windows, int64_t n_windows)
{
    int32_t longest = 0;
    for (int64_t i = 0; i < n_windows; i++)
        if (windows[i].n_tokens > longest)
            longest = windows[i].n_tokens;
    return longest;
}

int64_t laser_windows_scored(const struct laser_window *windows, int64_t n_windows)
{
    int64_t n = 0;
    for (int64_t i = 0; i < n_windows; i++)
        n += windows[i].n_scored;
    return n;
}
