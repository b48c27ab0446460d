/* Pieces of the page's data.  Private to this room. */
#ifndef LASER_REPORT_PAGE_JSON_H
#define LASER_REPORT_PAGE_JSON_H

#include <jansson.h>

#include "base/text.h"
#include "report/page.h"

/* JSON for a script element, in which `<` must not occur: a string (NULL: null), a tree, a number with so
 * many digits (NaN: null, infinities: strings), `,"key":`. */
void laser_page_string(struct laser_text *out, const char *string);
void laser_page_tree(struct laser_text *out, const json_t *tree);
void laser_page_real(struct laser_text *out, double value, int digits);
void laser_page_key(struct laser_text *out, const char *key);

/* `,"ranks":{...},"spectra":[...]` of n rows. */
void laser_page_spectra(struct laser_text *out, const struct laser_scan_row *const *rows, size_t n);

/* `"curves":[...]`: the Marchenko-Pastur density for each shape of matrix that occurs. */
void laser_page_curves(struct laser_text *out, const struct laser_page_run *runs, int n_runs);

#endif
