/* Small texts with a number in them ("rank:0.5"), for rules and edits.  Private to this module. */
#ifndef LASER_SPECTRUM_TEXT_H
#define LASER_SPECTRUM_TEXT_H

#include <stddef.h>

/* How a rule or an edit is written. */
struct laser_form {
    const char *name;
    char mark;            /* between name and argument */
    const char *argument; /* what it is called in messages; NULL: the name alone */
    double low, high;     /* inclusive limits of the argument */
    int digits;           /* at most so many digits alone; 0: any decimal number */
    const char *shown;    /* in messages, in place of name, mark and argument; "" = not at all, NULL: those */
};

/* Forms in the tables: a name; a name with a decimal number; a name with so many digits at most. */
#define NAME(word)                                                                                           \
    {                                                                                                        \
        .name = (word)                                                                                       \
    }
#define NUMBER(word, between, what, from, to)                                                                \
    {                                                                                                        \
        .name = (word), .mark = (between), .argument = (what), .low = (from), .high = (to)                   \
    }
#define DIGITS(word, between, what, most)                                                                    \
    {                                                                                                        \
        .name = (word), .mark = (between), .argument = (what), .high = 1e18, .digits = (most)                \
    }

/* 1, and *value where there is an argument, if text is of this form and within its limits; else 0. */
int laser_form_read(const struct laser_form *form, const char *text, double *value);

/* The shortest text that reads back as the same value. */
void laser_form_print(const struct laser_form *form, double value, char *text, size_t size);

/* "a, b:X or c:X", and " with 0 <= X <= 1" where limits are wanted: the forms of n rows, of which each begins
 * with its form. */
void laser_form_list(const void *rows, size_t row_size, int n, int limits, char *text, size_t size);

#endif
