/* Texts that grow side by side in a terminal: wrapped at blanks into columns, a row handed out once every
 * column has its line.  Control characters of the texts do not reach the terminal.
 */
#ifndef LASER_GENERATE_COLUMNS_H
#define LASER_GENERATE_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum { LASER_COLUMNS_MOST = 4 };

struct laser_column {
    struct laser_text lines; /* complete ones, each with its line break */
    size_t taken;            /* bytes of them that were handed out */
    struct laser_text line, word;
    size_t line_columns, word_columns; /* on the terminal */
    bool ended;
};

struct laser_columns {
    int count;
    size_t width; /* of one column */
    struct laser_column columns[LASER_COLUMNS_MOST];
};

/* count columns with bars between them within `width` terminal columns.  No memory is taken; end with free.
 */
void laser_columns_start(struct laser_columns *c, int count, size_t width);
void laser_columns_free(struct laser_columns *c);

/* More text of a column: whole characters. */
void laser_columns_push(struct laser_columns *c, int column, const char *text, size_t n);

/* Nothing more comes for a column. */
void laser_columns_end(struct laser_columns *c, int column);

/* Appends the rows that are complete by now.  A failed allocation in a column fails *out. */
void laser_columns_take(struct laser_columns *c, struct laser_text *out);

/* Appends text with every control character but line breaks and tabs, and every ill-formed byte, as U+FFFD.
 */
void laser_columns_clean(const char *text, size_t n, struct laser_text *out);

#endif
