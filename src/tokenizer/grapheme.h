/* Extended grapheme clusters (Unicode's UAX 29), as the unicode-segmentation crate of the `tokenizers` library cuts
 * them. */
#ifndef LASER_TOKENIZER_GRAPHEME_H
#define LASER_TOKENIZER_GRAPHEME_H

#include <stddef.h>

/* Bytes of the grapheme at the start of s[0 .. n), well-formed UTF-8, which begins where a grapheme does; n > 0. */
size_t laser_grapheme_length(const char *s, size_t n);

#endif
