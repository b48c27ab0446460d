/* A tokenizer.json for directories that have none: from a SentencePiece model, or vocab.json and merges.txt, by the class
 * of the tokenizer, as transformers 5 builds it. */
#ifndef LASER_TOKENIZER_ASSEMBLE_H
#define LASER_TOKENIZER_ASSEMBLE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

/* *out: the caller's.  LASER_EINPUT: there is nothing to make one from, or a class whose tokenizers are not made
 * (named); LASER_ENOMEM, LASER_EIO. */
int laser_tokenizer_assemble(const char *dir, json_t **out, struct laser_error *err);

#endif
