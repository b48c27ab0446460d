#include "spectrum/text.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int laser_form_read(const struct laser_form *form, const char *text, double *value)
{
    if (form->name == NULL || form->argument == NULL)
        return form->name != NULL && strcmp(text, form->name) == 0;
    size_t length = strlen(form->name);
    if (strncmp(text, form->name, length) != 0 || text[length] != form->mark)
        return 0;
    const char *number = text + length + 1;
    size_t most = form->digits > 0 ? (size_t)form->digits : strlen(number);
    /* strtod would also take blanks, hexadecimal, "inf" and "nan" */
    if (*number == 0 ||
        strspn(number, form->digits > 0 ? "0123456789" : "0123456789.eE+-") != strlen(number) ||
        strlen(number) > most)
        return 0;
    char *end;
    *value = strtod(number, &end);
    return end != number && *end == 0 && *value >= form->low && *value <= form->high;
}

void laser_form_print(const struct laser_form *form, double value, char *text, size_t size)
{
    int n = snprintf(text, size, "%s", form->name);
    if (form->argument == NULL)
        return;
    text[n++] = form->mark;
    if (form->digits > 0) {
        snprintf(text + n, size - (size_t)n, "%.0f", value);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text + n, size - (size_t)n, "%.*g", digits, value);
        if (strtod(text + n, NULL) == value)
            return;
    }
}

static const struct laser_form *form_of(const void *rows, size_t row_size, int i)
{
    return (const void *)((const char *)rows + (size_t)i * row_size);
}

static int is_shown(const struct laser_form *form)
{
    return form->shown == NULL || *form->shown != 0;
}

/* " with 0 <= X <= 1" behind the forms, once for each name of an argument. */
static void add_limits(struct laser_text *out, const void *rows, size_t row_size, int n)
{
    const char *before = " with";
    for (int i = 0; i < n; i++) {
        const struct laser_form *form = form_of(rows, row_size, i);
        int told = form->argument == NULL || form->digits > 0 || !is_shown(form);
        for (int j = 0; j < i && !told; j++) {
            const char *other = form_of(rows, row_size, j)->argument;
            told = other != NULL && strcmp(other, form->argument) == 0;
        }
        if (told)
            continue;
        laser_text_printf(out, "%s %g <= %s <= %g", before, form->low, form->argument, form->high);
        before = ",";
    }
}

void laser_form_list(const void *rows, size_t row_size, int n, int limits, char *text, size_t size)
{
    struct laser_text out = {0};
    int last = n - 1;
    while (last > 0 && !is_shown(form_of(rows, row_size, last)))
        last--;
    for (int i = 0; i <= last; i++) {
        const struct laser_form *form = form_of(rows, row_size, i);
        if (!is_shown(form))
            continue;
        laser_text_puts(&out, i == 0 ? "" : i == last ? " or " : ", ");
        if (form->shown != NULL)
            laser_text_puts(&out, form->shown);
        else if (form->argument != NULL)
            laser_text_printf(&out, "%s%c%s", form->name, form->mark, form->argument);
        else
            laser_text_puts(&out, form->name);
    }
    if (limits)
        add_limits(&out, rows, row_size, n);
    snprintf(text, size, "%s", out.failed ? "(no memory)" : out.data);
    laser_text_free(&out);
}
