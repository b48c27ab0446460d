/* The text on its way through the tokenizer: bytes, and the pieces that they have been cut into. */
#ifndef LASER_TOKENIZER_TEXT_H
#define LASER_TOKENIZER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing run of UTF-8.  zero counts the leading bytes that stem from offset 0 of the original text:
 * Metaspace's scheme "first" asks for that, and normalizers can move or multiply the first character. */
struct laser_normalized {
    char *s;
    size_t n, cap;
    size_t zero;
    bool failed; /* an allocation failed; what follows is dropped */
};

/* Appends n bytes, and counts them as zero bytes if at_zero is set. */
void laser_normalized_add(struct laser_normalized *t, const char *s, size_t n, bool at_zero);
void laser_normalized_add_char(struct laser_normalized *t, uint32_t c, bool at_zero);
/* Appends bytes [from, to) of another text, with what is known of their place. */
void laser_normalized_copy(struct laser_normalized *t, const struct laser_normalized *from_text, size_t from,
                           size_t to);
void laser_normalized_reset(struct laser_normalized *t);
void laser_normalized_free(struct laser_normalized *t);

/* One piece of the text: bytes [start, end) of it.  token >= 0: an added token, left alone by what follows.
 */
struct laser_piece {
    size_t start, end;
    int32_t token;
    bool at_zero; /* the piece begins at offset 0 of the original text */
};

struct laser_pieces {
    struct laser_normalized text;
    struct laser_piece *at;
    size_t n, cap;
    bool failed;
};

/* Empty pieces without a token are dropped, as the library drops them. */
void laser_pieces_add(struct laser_pieces *p, struct laser_piece piece);
void laser_pieces_free(struct laser_pieces *p);

/* A stretch of a piece that a pattern did or did not match; offsets relative to the piece. */
struct laser_span {
    size_t start, end;
    bool match;
};

struct laser_spans {
    struct laser_span *at;
    size_t n, cap;
    bool failed;
};

void laser_spans_add(struct laser_spans *s, size_t start, size_t end, bool match);
void laser_spans_free(struct laser_spans *s);

/* What becomes of the delimiter. */
enum laser_split {
    LASER_SPLIT_REMOVED,
    LASER_SPLIT_ISOLATED,
    LASER_SPLIT_PREVIOUS,
    LASER_SPLIT_NEXT,
    LASER_SPLIT_CONTIGUOUS
};

/* Adds to out the parts that the spans cut the piece (of the same text) into.  zero: how many of the piece's
 * leading bytes stem from offset 0. */
void laser_spans_split(struct laser_spans *s, enum laser_split how, bool invert, struct laser_piece piece,
                       size_t zero, struct laser_pieces *out);

/* Decodes the character at s, which is known to be well-formed; *c gets it.  Returns its length in bytes. */
static inline size_t laser_utf8_get(const char *s, uint32_t *c)
{
    const unsigned char *u = (const unsigned char *)s;
    if (u[0] < 0x80) {
        *c = u[0];
        return 1;
    }
    if (u[0] < 0xe0) {
        *c = (uint32_t)(u[0] & 0x1f) << 6 | (u[1] & 0x3f);
        return 2;
    }
    if (u[0] < 0xf0) {
        *c = (uint32_t)(u[0] & 0x0f) << 12 | (uint32_t)(u[1] & 0x3f) << 6 | (u[2] & 0x3f);
        return 3;
    }
    *c = (uint32_t)(u[0] & 0x07) << 18 | (uint32_t)(u[1] & 0x3f) << 12 | (uint32_t)(u[2] & 0x3f) << 6 |
         (u[3] & 0x3f);
    return 4;
}

/* Length in bytes of the character that starts with this byte of well-formed text. */
static inline size_t laser_utf8_len(char lead)
{
    unsigned char u = (unsigned char)lead;
    return u < 0x80 ? 1 : u < 0xe0 ? 2 : u < 0xf0 ? 3 : 4;
}

/* The character that ends before s + n (n > 0), and its length. */
static inline size_t laser_utf8_last(const char *s, size_t n, uint32_t *c)
{
    size_t i = n - 1;
    while (i > 0 && ((unsigned char)s[i] & 0xc0) == 0x80)
        i--;
    return laser_utf8_get(s + i, c);
}

/* Writes c (a valid scalar value) to out, returns 1 to 4. */
size_t laser_utf8_put(char out[4], uint32_t c);

#endif
