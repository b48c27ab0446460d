#include "report/page_json.h"

#include <math.h>
#include <string.h>

#include "base/json_text.h"

void laser_page_string(struct laser_text *out, const char *string)
{
    struct laser_text quoted = {0};

    if (string == NULL) {
        laser_text_puts(out, "null");
        return;
    }
    laser_json_quote(&quoted, string, 0);
    if (quoted.failed)
        out->failed = 1;
    for (size_t i = 0; !quoted.failed && i < quoted.size; i++) {
        if (quoted.data[i] == '<')
            laser_text_puts(out, "\\u003c");
        else
            laser_text_add(out, quoted.data + i, 1);
    }
    laser_text_free(&quoted);
}

void laser_page_tree(struct laser_text *out, const json_t *tree)
{
    struct laser_text text = {0};
    const char *p, *bracket;

    laser_json_render(&text, tree, 0);
    out->failed |= text.failed;
    p = text.data;
    while (!text.failed && (bracket = strchr(p, '<')) != NULL) {
        laser_text_add(out, p, (size_t)(bracket - p));
        laser_text_puts(out, "\\u003c");
        p = bracket + 1;
    }
    if (!text.failed)
        laser_text_puts(out, p);
    laser_text_free(&text);
}

/* Enough digits for a picture and for a table beside it. */
void laser_page_real(struct laser_text *out, double value, int digits)
{
    if (isnan(value))
        laser_text_puts(out, "null");
    else if (isinf(value))
        laser_text_puts(out, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else
        laser_text_printf(out, "%.*g", digits, value);
}

void laser_page_key(struct laser_text *out, const char *key)
{
    laser_text_puts(out, ",\n");
    laser_page_string(out, key);
    laser_text_fill(out, ':', 1);
}
