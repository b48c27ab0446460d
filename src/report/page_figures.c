#include "report/figures.h"
#include "report/page_json.h"

/* The page shows the one that fits (page.css). */
static const struct {
    const char *class;
    double width;
} widths[] = {{"wide", 1120}, {"middle", 680}, {"narrow", 360}};

static void put_figure(struct laser_text *out, const struct laser_figure_entry *entry, struct laser_drawing d)
{
    for (int i = 0; i < 3; i++) {
        struct laser_figure f = {0};
        d.width = widths[i].width;
        entry->draw(&f, &d);
        out->failed |= f.failed;
        if (f.width > 0) {
            if (i == 0)
                laser_text_printf(out, "<figure id=\"figure-%s%s\"><figcaption>%s</figcaption>\n",
                                  entry->name, d.which > 0 ? "-2" : "", entry->title);
            laser_figure_embed(out, &f, widths[i].class, entry->title);
            if (i == 2)
                laser_text_puts(out, "</figure>\n");
        }
        laser_figure_free(&f);
    }
}

void laser_page_figures(struct laser_text *out, const struct laser_drawing *drawing)
{
    struct laser_drawing d = *drawing;

    for (size_t i = 0; i < laser_n_figure_entries; i++)
        for (d.which = 0; d.which < (laser_figure_entries[i].runs == LASER_FIGURE_PER_RUN ? d.n_runs : 1);
             d.which++)
            if (!laser_figure_entries[i].in_file_only)
                put_figure(out, &laser_figure_entries[i], d);
}
