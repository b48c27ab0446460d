/* Sets of characters under construction, and the grouping of characters that no set of a pattern tells apart.
 */
#ifndef LASER_TOKENIZER_CHARSET_H
#define LASER_TOKENIZER_CHARSET_H

#include "tokenizer/unicode_sets.h"

#define LASER_MAX_CHAR 0x10ffffu

/* Ranges in ascending order, apart from each other, after laser_charset_tidy(); in any order before. */
struct laser_charset {
    struct laser_range *r;
    size_t n, cap;
    bool failed; /* out of memory */
};

void laser_charset_add(struct laser_charset *s, uint32_t lo, uint32_t hi);
void laser_charset_add_set(struct laser_charset *s, enum laser_set_name name);
void laser_charset_add_all(struct laser_charset *s, const struct laser_charset *other);
void laser_charset_tidy(struct laser_charset *s);
void laser_charset_invert(struct laser_charset *s);                                       /* tidies */
void laser_charset_intersect(struct laser_charset *s, const struct laser_charset *other); /* other is tidy */
bool laser_charset_has(const struct laser_charset *s, uint32_t c);                        /* s is tidy */
void laser_charset_free(struct laser_charset *s);

/* Characters numbered so that two have the same number if and only if they are in the same sets. */
struct laser_classes {
    uint8_t ascii[128];
    uint16_t block[(LASER_MAX_CHAR + 1) >> 8]; /* which row of cell */
    uint8_t *cell;                             /* rows of 256 */
    int n;                                     /* number of classes */
};

/* sets[n] are tidy.  member (n * 256 flags, zeroed by the caller): member[256 * i + k] says whether set i has
 * class k. 0: done, 1: more than 256 classes, 2: out of memory. */
int laser_classes_make(struct laser_classes *c, const struct laser_charset *sets, size_t n, bool *member);
void laser_classes_free(struct laser_classes *c);

static inline uint8_t laser_classes_get(const struct laser_classes *c, uint32_t ch)
{
    return c->cell[((size_t)c->block[ch >> 8] << 8) + (ch & 0xff)];
}

#endif
