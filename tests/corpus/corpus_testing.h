/* What the tests of src/corpus share: the golden file and data sets of consecutive ids. */
#ifndef LASER_TESTS_CORPUS_TESTING_H
#define LASER_TESTS_CORPUS_TESTING_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "corpus/dataset.h"
#include "corpus/window.h"
#include "testing.h"

static inline json_t *golden_corpus(void)
{
    json_error_t problem;
    json_t *golden = json_load_file(SRCDIR "/tests/golden/corpus.json", 0, &problem);
    assert_non_null(golden);
    return golden;
}

static inline int64_t golden_int(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    return value ? json_integer_value(value) : otherwise;
}

static inline double golden_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* A data set whose tokens are 0, 1, 2, ..., in documents of the given lengths. */
static inline struct laser_dataset counting_dataset(const json_t *lengths)
{
    struct laser_dataset dataset = {.name = strdup("counting"), .path = strdup("counting.txt")};
    size_t n = json_array_size(lengths);
    dataset.n_documents = (int64_t)n;
    dataset.document_start = calloc(n + 1, sizeof *dataset.document_start);
    assert_non_null(dataset.document_start);
    for (size_t i = 0; i < n; i++)
        dataset.document_start[i + 1] =
            dataset.document_start[i] + json_integer_value(json_array_get(lengths, i));
    dataset.n_tokens = dataset.document_start[n];
    dataset.tokens = calloc((size_t)dataset.n_tokens + 1, sizeof *dataset.tokens);
    assert_non_null(dataset.tokens);
    for (int32_t i = 0; i < dataset.n_tokens; i++)
        dataset.tokens[i] = i;
    return dataset;
}

/* The made-up NLL of tools/golden/make_corpus.py. */
static inline double made_up_nll(int64_t target)
{
    return (double)((target * 7919) % 1009) / 211.0 + 0.125;
}

#define assert_close(value, expected, relative)                                                              \
    do {                                                                                                     \
        double value_ = (value), expected_ = (expected);                                                     \
        double off_ = value_ - expected_ < 0 ? expected_ - value_ : value_ - expected_;                      \
        double size_ = expected_ < 0 ? -expected_ : expected_;                                               \
        if (!(off_ <= (relative) * (size_ > 0 ? size_ : 1)))                                                 \
            fail_msg("%s is %.17g, expected %.17g", #value, value_, expected_);                              \
    } while (0)

/* The convention, lengths and BOS of a golden case. */
static inline struct laser_window_options golden_options(const json_t *item)
{
    struct laser_window_options options = {.seqlen = golden_int(item, "seqlen", 0),
                                           .stride = golden_int(item, "stride", 0),
                                           .bos = (int32_t)golden_int(item, "bos", -1)};
    struct laser_error err = {0};
    const char *name = json_string_value(json_object_get(item, "convention"));
    assert_int_equal(laser_convention_parse(name, &options.convention, &err), LASER_OK);
    return options;
}

/* Every golden case of a convention through check. */
static inline void check_golden_windows(const char *convention, void (*check)(const json_t *item))
{
    json_t *golden = golden_corpus(), *item;
    size_t i, checked = 0;
    json_array_foreach(json_object_get(golden, "windows"), i, item)
    {
        if (strcmp(json_string_value(json_object_get(item, "convention")), convention) == 0) {
            check(item);
            checked++;
        }
    }
    assert_true(checked > 3);
    json_decref(golden);
}

#endif
