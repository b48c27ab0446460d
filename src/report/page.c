#include "report/page.h"

#include <string.h>

#include "report/page_json.h"
#include "report/page_parts.h"

static void put_escaped(struct laser_text *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '&' || *p == '<' || *p == '>' || *p == '"')
            laser_text_printf(out, "&#%d;", *p);
        else
            laser_text_add(out, p, 1);
    }
}

static void put_title(struct laser_text *out, const struct laser_page_run *runs, int n_runs)
{
    for (int i = 0; i < n_runs; i++) {
        laser_text_puts(out, i > 0 ? " / " : "");
        put_escaped(out, runs[i].model != NULL ? runs[i].model : "a run");
    }
    laser_text_puts(out, " - laser_mpi");
}

/* What stands at the hole of this name in page.html. */
static void fill_hole(struct laser_text *out, const char *name, const struct laser_drawing *d)
{
    if (strncmp(name, "title", 5) == 0)
        put_title(out, d->runs, d->n_runs);
    else if (strncmp(name, "colours", 7) == 0)
        laser_colour_styles(out);
    else if (strncmp(name, "style", 5) == 0)
        laser_text_add(out, (const char *)laser_page_css, laser_page_css_size);
    else if (strncmp(name, "script", 6) == 0)
        laser_text_add(out, (const char *)laser_page_js, laser_page_js_size);
    else if (strncmp(name, "figures", 7) == 0)
        laser_page_figures(out, d);
    else if (strncmp(name, "data", 4) == 0)
        laser_page_data(out, d);
}

void laser_page_render(struct laser_text *out, const struct laser_page_run *runs, int n_runs)
{
    static const char mark[] = "<!--", end[] = "-->"; /* holes of page.html, named in between */
    const char *p = (const char *)laser_page_html, *last = p + laser_page_html_size, *hole, *close;
    struct laser_matrix_table table;
    const struct laser_drawing drawing = {.runs = runs, .table = &table, .n_runs = n_runs};

    if (!laser_matrix_table_make(&table, runs, n_runs))
        out->failed = 1;
    while (!out->failed && (hole = strstr(p, mark)) != NULL && (close = strstr(hole, end)) != NULL) {
        laser_text_add(out, p, (size_t)(hole - p));
        fill_hole(out, hole + sizeof mark - 1, &drawing);
        p = close + sizeof end - 1;
    }
    laser_text_add(out, p, (size_t)(last - p));
    laser_matrix_table_free(&table);
}
