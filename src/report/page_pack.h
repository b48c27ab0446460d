/* Many drawings in little room: those that differ in numbers only share their text, and what is left is deflated.  Private to
 * this module.
 */
#ifndef LASER_REPORT_PAGE_PACK_H
#define LASER_REPORT_PAGE_PACK_H

#include <stddef.h>

#include "base/text.h"

/* Lines of which each is the first of its kind: others are the same but for their numbers (digits, and digits after a point). */
struct laser_line_templates {
    char **lines;
    size_t n, room;
    size_t *table; /* number of the line + 1 by hash of its text between the numbers; 0: free */
    size_t table_size;
    int failed;
};

/* Appends the lines of a drawing as `T,N,N,...;T,N,...`: the number of the template, then the line's numbers; one that is the
 * template's own is left empty, and empty ones at the end are left out. */
void laser_line_templates_encode(struct laser_line_templates *templates, const char *drawing,
                                 struct laser_text *out);
void laser_line_templates_free(struct laser_line_templates *templates);

/* Appends `"base64 of the deflated text"`; a browser has the way back (DecompressionStream). */
void laser_pack_put(struct laser_text *out, const struct laser_text *text);

#endif
