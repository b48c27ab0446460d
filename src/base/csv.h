/* CSV as RFC 4180 has it: comma, quotes doubled inside quoted fields, line ends inside quoted fields, CRLF or
 * LF between records. */
#ifndef LASER_BASE_CSV_H
#define LASER_BASE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Where the reading stands; the text is changed on the way. */
struct laser_csv {
    const char *path; /* for errors */
    char *at, *end;   /* at: NULL behind a last record without a line end */
    int64_t line;     /* from 1 */
};

/* A field; quoted ones are unpacked in place.  Not terminated. */
struct laser_csv_field {
    char *text;
    size_t n;
    bool last; /* of its record */
};

/* Begins with size bytes of text, past a byte order mark. */
void laser_csv_begin(struct laser_csv *csv, const char *path, char *text, size_t size);

/* Passes over empty lines; is there a record behind them? */
bool laser_csv_more(struct laser_csv *csv);

/* The next field of a record that laser_csv_more() promised.  LASER_EINPUT, where = path:line. */
int laser_csv_next(struct laser_csv *csv, struct laser_csv_field *field, struct laser_error *err);

/* LASER_EINPUT with where = path:line. */
int laser_csv_fail(const struct laser_csv *csv, int64_t line, const char *text, struct laser_error *err);

#endif
