/* Pieces of the page.  Private to this module. */
#ifndef LASER_REPORT_PAGE_JSON_H
#define LASER_REPORT_PAGE_JSON_H

#include <jansson.h>

#include "base/text.h"
#include "report/draw.h"
#include "report/page.h"

/* JSON for a script element, in which `<` must not occur: a string (NULL: null), a tree, a number with so
 * many digits (NaN: null, infinities: strings), `,"key":`. */
void laser_page_string(struct laser_text *out, const char *string);
void laser_page_tree(struct laser_text *out, const json_t *tree);
void laser_page_real(struct laser_text *out, double value, int digits);
void laser_page_key(struct laser_text *out, const char *key);

/* The data of the page, as JSON in which no `<` occurs. */
void laser_page_data(struct laser_text *out, const struct laser_drawing *drawing);

/* The figures as SVG, each for three widths of the page. */
void laser_page_figures(struct laser_text *out, const struct laser_drawing *drawing);

/* `"maps":{...}`: what the cells of each map show for every metric that can be chosen.  maps[FIGURE][CHOICE] is
 * [steps, numbers of the bar, diverging]: a letter for each cell that is there, of A-Za-z0-9+/ for step 0 to 63 and `.` for a
 * cell without value; SVG; 0 or 1.  Or the name of another choice. */
void laser_page_maps(struct laser_text *out, const struct laser_drawing *drawing);

/* `"curves":[...]`: the Marchenko-Pastur density for each shape of matrix that occurs. */
void laser_page_curves(struct laser_text *out, const struct laser_drawing *drawing);

/* `"spectra":{...}`: the drawings and bins of every matrix of the first run.  `first` holds, by number of the matrix, those
 * that the page begins with; `layers` those of each layer (page_spectra.c), packed; `templates` the lines that their drawings
 * are made of (page_pack.h), packed. */
void laser_page_spectra(struct laser_text *out, const struct laser_drawing *drawing);

#endif
