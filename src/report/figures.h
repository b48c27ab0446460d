/* All figures of a run: as files, and for its page. */
#ifndef LASER_REPORT_FIGURES_H
#define LASER_REPORT_FIGURES_H

#include "report/draw.h"

struct laser_figure_entry {
    const char *name;  /* of the file, and of the figure on the page */
    const char *title; /* for people */
    void (*draw)(struct laser_figure *figure, const struct laser_drawing *drawing);
    enum { LASER_FIGURE_ONCE, LASER_FIGURE_PER_RUN } runs; /* of two runs: both in one, or one each */
    int in_file_only;                                      /* the page shows it in another way */
};
extern const struct laser_figure_entry laser_figure_entries[];
extern const size_t laser_n_figure_entries;

/* dir/NAME.FORMAT of every figure for which the run has numbers.  The directory must be there.  *n: files written, added.
 * Errors as of laser_figure_write. */
int laser_figures_write(const char *dir, const char *format, const struct laser_page_run *run, int *n,
                        struct laser_error *err);

#endif
