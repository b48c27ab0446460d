/* JSON as Python's json module reads it, into jansson's trees.
 *
 * Beyond strict JSON: NaN, Infinity and -Infinity (and numbers too large for a double) become null, or the
 * strings "NaN", "Infinity" and "-Infinity"; whole numbers beyond 64 bits become real ones; \u0000 is a
 * character like any other; half a surrogate pair becomes U+FFFD. */
#ifndef LASER_BASE_JSON_READ_H
#define LASER_BASE_JSON_READ_H

#include <stddef.h>

#include <jansson.h>

enum laser_json_words {
    LASER_JSON_WORDS_NULL,   /* a text that is NaN is no text */
    LASER_JSON_WORDS_STRING, /* for fields that may be such a number */
};

/* As json_loadb(); NULL with the reason in *error.  What is strict JSON is read as it is, once. */
json_t *laser_json_read(const char *text, size_t n, size_t flags, enum laser_json_words words,
                        json_error_t *error);

#endif
