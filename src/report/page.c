#include "report/page.h"

#include <string.h>

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

void laser_page_render(struct laser_text *out, const struct laser_page_run *runs, int n_runs)
{
    static const char mark[] = "<!--", end[] = "-->"; /* holes of page.html, named in between */
    const char *p = (const char *)laser_page_html, *last = p + laser_page_html_size;

    while (p < last) {
        const char *hole = strstr(p, mark);
        const char *name, *close;

        if (hole == NULL) {
            laser_text_add(out, p, (size_t)(last - p));
            return;
        }
        laser_text_add(out, p, (size_t)(hole - p));
        name = hole + sizeof mark - 1;
        close = strstr(name, end);
        if (close == NULL)
            return;
        if (strncmp(name, "title", 5) == 0)
            put_title(out, runs, n_runs);
        else if (strncmp(name, "style", 5) == 0)
            laser_text_add(out, (const char *)laser_page_css, laser_page_css_size);
        else if (strncmp(name, "script", 6) == 0)
            laser_text_add(out, (const char *)laser_page_js, laser_page_js_size);
        else if (strncmp(name, "data", 4) == 0)
            laser_page_data(out, runs, n_runs);
        p = close + sizeof end - 1;
    }
}
