/* What tokenizers that are made here, from a GGUF file or from a vocabulary without a tokenizer.json, have in common. */
#ifndef LASER_TOKENIZER_MADE_H
#define LASER_TOKENIZER_MADE_H

#include <jansson.h>

/* Parts of pre-tokenizers' patterns, and that of Qwen 2. */
#define LASER_PATTERN_CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define LASER_PATTERN_REST         " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LASER_PATTERN_QWEN2                                                                                  \
    LASER_PATTERN_CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|" LASER_PATTERN_REST

/* The post-processor that puts tokens before and after a text into the tokenizer.json; around[i] NULL: none there. */
void laser_made_template(json_t *tokenizer, const char *const around[2], const json_int_t ids[2]);

#endif
