/* Small texts with a number in them ("rank:0.5"), for rules and edits.  Private to this room. */
#ifndef LASER_SPECTRUM_TEXT_H
#define LASER_SPECTRUM_TEXT_H

#include <stddef.h>

/* 1 and *value if text is NAME, then mark, then one finite decimal number and nothing else; 0 otherwise. */
int laser_text_value(const char *text, const char *name, char mark, double *value);

/* The shortest decimal text that reads back as the same double. */
void laser_text_number(double value, char *text, size_t size);

#endif
