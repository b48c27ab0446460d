/* Names in columns.  Private to this module. */
#ifndef LASER_REPORT_FIT_H
#define LASER_REPORT_FIT_H

#include <stddef.h>

#include "base/text.h"

/* Appends a UTF-8 name in at most width columns, its middle cut out where it is longer (`cut` marks the
 * place); pad: blanks up to the width. */
void laser_text_fit(struct laser_text *out, const char *name, size_t width, const char *cut, int pad);

#endif
