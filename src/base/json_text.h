/* JSON out of jansson's trees, with numbers as Python writes them (jansson's own are 17 digits long). */
#ifndef LASER_BASE_JSON_TEXT_H
#define LASER_BASE_JSON_TEXT_H

#include <jansson.h>

#include "base/text.h"

/* Appends value; indent blanks per level, 0: everything on one line, without blanks.  Objects keep their
 * order of insertion.  Text stays UTF-8. */
void laser_json_render(struct laser_text *out, const json_t *value, int indent);

/* Appends a quoted string.  ascii: characters beyond ASCII as \uXXXX, as Python's json does by default. */
void laser_json_quote(struct laser_text *out, const char *string, int ascii);

/* A real number, or the string "Infinity", "-Infinity" or "NaN": strict JSON has no such numbers. */
json_t *laser_json_real(double value);

#endif
