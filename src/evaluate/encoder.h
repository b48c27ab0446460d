/* Questions' texts as tokens: what laser_set_encoder calls. */
#ifndef LASER_EVALUATE_ENCODER_H
#define LASER_EVALUATE_ENCODER_H

#include "task/set.h"
#include "tokenizer/spellings.h"
#include "tokenizer/tokenizer.h"

/* The context of the two below. */
struct laser_encoding {
    struct laser_tokenizer *tokenizer;
    struct laser_spellings *spellings; /* NULL: laser_encoding_variants is not called */
};

int laser_encoding_encode(void *context, const char *text, size_t n, bool add_special, int32_t **ids,
                          int64_t *n_ids, struct laser_error *err);
void laser_encoding_variants(void *context, const char *answer, const int32_t **ids, int64_t *n_ids);

/* The context of a model: what its positions or its config.json allow; 0: no bound. */
int64_t laser_encoding_longest(const struct laser_arch *arch);

#endif
