/* The tokens whose text is a given one but for case and white space around it, as LASER's program for
 * CounterFact compares the model's first choices with the answer: token.lower().strip() ==
 * answer.lower().strip().
 */
#ifndef LASER_TOKENIZER_SPELLINGS_H
#define LASER_TOKENIZER_SPELLINGS_H

#include <stdint.h>

#include "base/error.h"
#include "tokenizer/tokenizer.h"

struct laser_spellings;

/* The texts of all tokens, decoded one by one.  LASER_ENOMEM; an error of laser_tokenizer_decode. */
int laser_spellings_create(const struct laser_tokenizer *t, struct laser_spellings **out,
                           struct laser_error *err);
void laser_spellings_free(struct laser_spellings *s);

/* Ids in ascending order, owned by *s; *n may be 0. */
void laser_spellings_find(const struct laser_spellings *s, const char *text, const int32_t **ids, int64_t *n);

#endif
