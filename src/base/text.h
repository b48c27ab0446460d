/* A growing text: what src/ renders instead of printing.
 *
 * A failed allocation is remembered in .failed and makes every later call do nothing, so a caller that adds a
 * hundred pieces looks once, at the end.
 */
#ifndef LASER_BASE_TEXT_H
#define LASER_BASE_TEXT_H

#include <stddef.h>

struct laser_text {
    char *data;      /* NUL-terminated once anything was added; NULL before */
    size_t size;     /* bytes without the NUL */
    size_t capacity; /* bytes allocated */
    int failed;      /* 1 after an allocation that did not succeed */
};

/* Appends size bytes, a string, count copies of a byte, or a formatted text. */
void laser_text_add(struct laser_text *t, const char *data, size_t size);
void laser_text_puts(struct laser_text *t, const char *string);
void laser_text_fill(struct laser_text *t, char byte, size_t count);
void laser_text_printf(struct laser_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Hands the text to the caller, who frees it, and leaves *t empty.  NULL when an allocation had failed. */
char *laser_text_take(struct laser_text *t);

void laser_text_free(struct laser_text *t);

/* Appends words of a paragraph, wrapped to width columns; every line but the first is indented.  column is
 * where the cursor stands now; the result is where it stands afterwards.  A line break in the text is kept.
 */
size_t laser_text_wrap(struct laser_text *t, const char *paragraph, size_t indent, size_t column,
                       size_t width);

/* Columns that a UTF-8 string takes on a terminal, one per code point. */
size_t laser_text_columns(const char *string);

#endif
