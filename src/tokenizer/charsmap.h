/* SentencePiece's charsmap: strings of characters and what they are replaced by (the normalizer `Precompiled`). */
#ifndef LASER_TOKENIZER_CHARSMAP_H
#define LASER_TOKENIZER_CHARSMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tokenizer/text.h"

struct laser_charsmap {
    uint32_t *unit; /* a double array of Darts, n_units of them */
    size_t n_units;
    char *text; /* replacements, each ended by a NUL */
    size_t n_text;
};

/* Reads the charsmap of n_bytes: the size of the double array in bytes (little-endian, as are its units), the array,
 * the replacements.  Everything that a text could lead to is checked here.  LASER_EINPUT: it is torn, and where;
 * LASER_ENOMEM. */
int laser_charsmap_read(const unsigned char *bytes, size_t n_bytes, struct laser_charsmap *out,
                        struct laser_error *err);
/* From base64, as tokenizer.json has it. */
int laser_charsmap_decode(const char *base64, size_t n, struct laser_charsmap *out, struct laser_error *err);
void laser_charsmap_free(struct laser_charsmap *m);

/* Replaces what the map has in the text, as Precompiled::normalize does.  LASER_ENOMEM. */
int laser_charsmap_normalize(const struct laser_charsmap *m, struct laser_normalized *t,
                             struct laser_error *err);

#endif
